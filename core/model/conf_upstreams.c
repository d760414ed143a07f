/* SPDX-License-Identifier: Apache-2.0 */
/* How an upstream's targets are chosen, tried again and left out: option tables and their reading.
 */
#include "model/load.h"
#include "model/tables.h"

static const struct {
    unsigned status, bit;
} statuses[] = {
    {429, STATUS_429}, {500, STATUS_500}, {502, STATUS_502}, {503, STATUS_503}, {504, STATUS_504}};

unsigned gw_status_bit(unsigned status)
{
    for (unsigned i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].bit;
    return 0;
}

/* Tables */

static const char *const balance_names[] = {"round_robin", "least_connections", "random_two", NULL};
static const char *const hash_names[] = {"client_ip", "path", "header", "cookie", "query", NULL};

static const struct schema balance_word = {
    .type = S_ENUM,
    .names = balance_names,
    .expected = "round_robin, least_connections, random_two or {hash: ...}"};

const struct schema upstream_balance_table[] = {
    {.key = "hash",
     .type = S_ENUM,
     .flags = S_REQUIRED,
     .names = hash_names,
     .doc = "What the target depends on; requests without it go by round robin."},
    {.key = "name",
     .type = S_STRING,
     .min = 1,
     .max = 128,
     .doc = "Of the header, cookie or query parameter."},
    {.key = NULL}};

static const struct schema status_item = {
    .type = S_INT, .min = 429, .max = 504, .expected = "429, 500, 502, 503 or 504"};

const struct schema upstream_ejection_table[] = {
    {.key = "failures",
     .type = S_INT,
     .dflt = "3",
     .min = 0,
     .max = 1000,
     .doc = "Failed calls in a row that eject an address. 0: none is ever ejected."},
    {.key = "time",
     .type = S_DURATION,
     .dflt = "1s",
     .min = 1,
     .max = HOUR,
     .doc = "For how long; twice as long whenever it fails at once when it is back."},
    {.key = "max_time", .type = S_DURATION, .dflt = "1m", .min = 1, .max = HOUR, .doc = "At most."},
    {.key = "max_percent",
     .type = S_INT,
     .dflt = "50",
     .min = 0,
     .max = 100,
     .doc = "Share of the addresses that may be out at once; one may always be, the last never."},
    {.key = "statuses",
     .type = S_LIST,
     .flags = S_OR_SCALAR,
     .item = &status_item,
     .doc = "Answers that count as failures: 429, 500, 502, 503, 504. None when left out."},
    {.key = NULL}};

static const char *const retry_words[] = {"connect", "reset", "timeout", NULL};
static const char retry_expected[] = "connect, reset, timeout, 429, 500, 502, 503 or 504";
static const struct schema retry_item = {.type = S_ANY, .expected = retry_expected};

const struct schema upstream_budget_table[] = {{.key = "percent",
                                                .type = S_INT,
                                                .dflt = "20",
                                                .min = 0,
                                                .max = 1000,
                                                .doc = "Further attempts per hundred calls."},
                                               {.key = "min_per_second",
                                                .type = S_INT,
                                                .dflt = "3",
                                                .min = 0,
                                                .max = 1000000,
                                                .doc = "So many are free whatever the share says."},
                                               {.key = NULL}};

const struct schema upstream_retries_table[] = {
    {.key = "attempts",
     .type = S_INT,
     .dflt = "3",
     .min = 1,
     .max = 10,
     .doc = "The first one counted. 1: there is no other."},
    {.key = "on",
     .type = S_LIST,
     .flags = S_OR_SCALAR,
     .dflt = "connect",
     .item = &retry_item,
     .doc =
         "connect: any request that could not be sent, on another target. Of idempotent requests "
         "also reset: no byte of an answer; timeout: no answer within first_byte; and statuses."},
    {.key = "budget",
     .type = S_MAP,
     .sub = upstream_budget_table,
     .doc = "What keeps an upstream that is down from being asked all the more."},
    {.key = "backoff",
     .type = S_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = MINUTE,
     .doc = "Before the second attempt, doubled before each further one. 0s: at once, and never "
            "the same target again."},
    {.key = NULL}};

static const char *const health_types[] = {"http", "tcp", NULL};
static const char expect_expected[] = "a status such as 200, or a range such as 200-399";

const struct schema upstream_health_table[] = {
    {.key = "type",
     .type = S_ENUM,
     .names = health_types,
     .dflt = "http",
     .doc = "tcp: a connection is enough."},
    {.key = "path",
     .type = S_STRING,
     .dflt = "/",
     .min = 1,
     .max = 1024,
     .doc = "What is asked for, with GET."},
    {.key = "host",
     .type = S_STRING,
     .min = 1,
     .check = check_host,
     .doc = "Host sent; the upstream's `host`, or the target's address, when left out."},
    {.key = "port", .type = S_INT, .min = 1, .max = 65535, .doc = "Instead of the target's."},
    {.key = "interval",
     .type = S_DURATION,
     .dflt = "5s",
     .min = 20,
     .max = HOUR,
     .doc = "From the end of a check to the next, a tenth more or less."},
    {.key = "timeout",
     .type = S_DURATION,
     .dflt = "2s",
     .min = 1,
     .max = HOUR,
     .doc = "Of a whole check."},
    {.key = "healthy",
     .type = S_INT,
     .dflt = "2",
     .min = 1,
     .max = 100,
     .doc = "Good ones in a row that bring an address back; the very first check decides at once."},
    {.key = "unhealthy",
     .type = S_INT,
     .dflt = "3",
     .min = 1,
     .max = 100,
     .doc = "Bad ones in a row that take it out."},
    {.key = "expect",
     .type = S_ANY,
     .dflt = "200-399",
     .expected = expect_expected,
     .doc = "The good statuses: one, or from-to."},
    {.key = NULL}};

/* Reading */

static void read_hash(struct load *ld, struct gw_balance *b, const struct node *n)
{
    const struct node *name = node_getz(n, "name");

    if (schema_check(upstream_balance_table, n, ld->tree, ld->diag))
        return;
    b->kind = BALANCE_HASH;
    b->source = (uint8_t)schema_i64(upstream_balance_table, n, "hash");
    b->name = schema_str(upstream_balance_table, n, "name");
    bool named = b->source >= HASH_HEADER;
    if (named && !name)
        node_error(ld->diag, ld->tree, n, "{hash: header, name: X-User}",
                   "required key 'name' is missing");
    if (!named && name)
        node_error(ld->diag, ld->tree, name, NULL, "`name` says nothing for hash: %s",
                   hash_names[b->source]);
}

static void read_balance(struct load *ld, struct gw_balance *b, const struct node *n)
{
    int64_t v = 0;

    b->name = STR("");
    if (!n)
        return;
    if (n->type == NODE_MAP) {
        read_hash(ld, b, n);
        return;
    }
    if (schema_check_value(&balance_word, n, ld->tree, ld->diag) == 0 &&
        scalar_i64(&balance_word, n, &v) == 0)
        b->kind = (uint8_t)v;
}

static const struct node *each(const struct node *list, unsigned i)
{
    if (!list || list->type == NODE_NULL)
        return NULL;
    if (list->type != NODE_LIST)
        return i == 0 ? list : NULL;
    return i < list->count ? list->items[i] : NULL;
}

static unsigned read_status(struct load *ld, const struct node *n)
{
    int64_t v = 0;
    unsigned bit = scalar_i64(&status_item, n, &v) == 0 ? gw_status_bit((unsigned)v) : 0;

    if (!bit && v >= status_item.min && v <= status_item.max)
        scalar_error(ld->diag, ld->tree, n, status_item.expected, "is not known here");
    return bit;
}

static void read_ejection(struct load *ld, struct gw_ejection *e, const struct node *n)
{
    const struct schema *t = upstream_ejection_table;
    const struct node *list = node_getz(n, "statuses"), *one;

    e->failures = (uint32_t)schema_i64(t, n, "failures");
    e->percent = (uint32_t)schema_i64(t, n, "max_percent");
    e->time = schema_i64(t, n, "time");
    e->max_time = schema_i64(t, n, "max_time");
    if (e->max_time < e->time)
        e->max_time = e->time;
    for (unsigned i = 0; (one = each(list, i)); i++)
        e->statuses |= read_status(ld, one);
}

static void read_retry_on(struct load *ld, struct gw_retries *r, const struct node *n)
{
    int64_t status;

    if (n->plain & NODE_BROKEN)
        return;
    if (!node_is_scalar(n) || n->type == NODE_NULL) {
        node_error(ld->diag, ld->tree, n, retry_expected, "is %s", node_article(n));
        return;
    }
    for (unsigned i = 0; retry_words[i]; i++)
        if (str_eqz(n->text, retry_words[i])) {
            r->on |= 1u << i; /* RETRY_* in the words' order */
            return;
        }
    if (str_i64(n->text, &status) == 0 && status > 0 && gw_status_bit((unsigned)status))
        r->statuses |= gw_status_bit((unsigned)status);
    else
        scalar_error(ld->diag, ld->tree, n, retry_expected, "is not known here");
}

static void read_retries(struct load *ld, struct gw_retries *r, const struct node *n)
{
    const struct schema *t = upstream_retries_table, *b = upstream_budget_table;
    const struct node *on = node_getz(n, "on"), *budget = node_getz(n, "budget"), *one;

    r->attempts = (uint32_t)schema_i64(t, n, "attempts");
    r->percent = (uint32_t)schema_i64(b, budget, "percent");
    r->per_second = (uint32_t)schema_i64(b, budget, "min_per_second");
    r->backoff = schema_i64(t, n, "backoff");
    if (!on)
        r->on = RETRY_CONNECT;
    for (unsigned i = 0; (one = each(on, i)); i++)
        read_retry_on(ld, r, one);
}

static bool read_range(str text, uint32_t *low, uint32_t *high)
{
    size_t dash = str_chr(text, '-');
    int64_t a, b;

    if (str_i64(str_take(text, dash), &a))
        return false;
    b = a;
    if (dash < text.n && str_i64(str_drop(text, dash + 1), &b))
        return false;
    if (a < 200 || b < a || b > 599)
        return false;
    *low = (uint32_t)a;
    *high = (uint32_t)b;
    return true;
}

static void read_expect(struct load *ld, struct gw_health *h, const struct node *n)
{
    h->expect_low = 200;
    h->expect_high = 399;
    if (!n || (n->plain & NODE_BROKEN))
        return;
    if (!node_is_scalar(n) || n->type == NODE_NULL)
        node_error(ld->diag, ld->tree, n, expect_expected, "is %s", node_article(n));
    else if (!read_range(n->text, &h->expect_low, &h->expect_high))
        scalar_error(ld->diag, ld->tree, n, expect_expected, "is no status from 200 to 599");
}

static void check_path(struct load *ld, const struct node *n)
{
    if (!n || n->type != NODE_STRING || n->text.n == 0)
        return;
    bool ok = n->text.p[0] == '/';
    for (size_t i = 0; i < n->text.n; i++)
        ok = ok && n->text.p[i] > 0x20 && n->text.p[i] < 0x7f && n->text.p[i] != '#';
    if (!ok)
        scalar_error(ld->diag, ld->tree, n, "a path such as /healthz", "is not a path");
}

static void read_health(struct load *ld, struct gw_health *h, const struct node *n)
{
    const struct schema *t = upstream_health_table;
    static const char *const http_only[] = {"path", "host", "expect"};

    h->path = h->host = STR("");
    if (!n || (n->type != NODE_MAP && n->type != NODE_NULL))
        return;
    h->type = schema_i64(t, n, "type") == 1 ? HEALTH_TCP : HEALTH_HTTP;
    h->path = schema_str(t, n, "path");
    h->host = schema_str(t, n, "host");
    h->port = (uint16_t)schema_i64(t, n, "port");
    h->interval = schema_i64(t, n, "interval");
    h->timeout = schema_i64(t, n, "timeout");
    h->healthy = (uint32_t)schema_i64(t, n, "healthy");
    h->unhealthy = (uint32_t)schema_i64(t, n, "unhealthy");
    check_path(ld, node_getz(n, "path"));
    read_expect(ld, h, node_getz(n, "expect"));
    for (unsigned i = 0; h->type == HEALTH_TCP && i < ARRAY_LEN(http_only); i++)
        if (node_getz(n, http_only[i]))
            node_error(ld->diag, ld->tree, node_getz(n, http_only[i]), NULL,
                       "`%s` says nothing for type: tcp", http_only[i]);
}

void load_upstream_policy(struct load *ld, struct gw_upstream *u, const struct node *n)
{
    read_balance(ld, &u->balance, node_getz(n, "balance"));
    read_retries(ld, &u->retries, node_getz(n, "retries"));
    read_health(ld, &u->health, node_getz(n, "health"));
    read_ejection(ld, &u->ejection, node_getz(n, "ejection"));
}
