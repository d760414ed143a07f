/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners, limits, timeouts and the other single settings of the main conf. */
#include "model/load.h"

/* AWS's quotas (API Gateway developer guide, quotas of REST and HTTP APIs). */
static const struct gw_limits aws_quota = {.header_block = 10240,
                                           .url = 10240,
                                           .body = 10 << 20,
                                           .connections = INT64_MAX,
                                           .headers = INT64_MAX};
#define AWS_INTEGRATION_MS 29000

static void strict_one(struct load *ld, const struct node *map, const char *key, int64_t *v,
                       int64_t quota, const char *expected)
{
    const struct node *n = node_getz(map, key);

    if (!ld->gw->aws_strict || (*v <= quota && *v != 0))
        return;
    if (n && *v != quota)
        scalar_error(ld->diag, ld->tree, n, expected,
                     "is above AWS's quota (limits_mode: aws-strict)");
    *v = quota;
}

static void strict_limits(struct load *ld, const struct node *map, struct gw_limits *l)
{
    strict_one(ld, map, "header_block", &l->header_block, aws_quota.header_block, "at most 10KB");
    strict_one(ld, map, "url", &l->url, aws_quota.url, "at most 10KB");
    strict_one(ld, map, "body", &l->body, aws_quota.body, "at most 10MB");
}

static void read_limits(struct load *ld, const struct node *map)
{
    struct gw_limits *l = &ld->gw->limits;

    l->header_block = schema_i64(limits_table, map, "header_block");
    l->url = schema_i64(limits_table, map, "url");
    l->body = schema_i64(limits_table, map, "body");
    l->headers = schema_i64(limits_table, map, "headers");
    l->connections = schema_i64(limits_table, map, "connections");
    l->memory = schema_i64(limits_table, map, "memory");
    strict_limits(ld, map, l);
}

static void read_timeouts(struct load *ld, const struct node *map)
{
    struct gw_timeouts *t = &ld->gw->timeouts;

    t->header = schema_i64(timeouts_table, map, "header");
    t->idle = schema_i64(timeouts_table, map, "idle");
    t->body = schema_i64(timeouts_table, map, "body");
    t->write = schema_i64(timeouts_table, map, "write");
    t->half_closed = schema_i64(timeouts_table, map, "half_closed");
    t->integration = schema_i64(timeouts_table, map, "integration");
    t->drain = schema_i64(timeouts_table, map, "drain");
    strict_one(ld, map, "integration", &t->integration, AWS_INTEGRATION_MS, "at most 29s");
}

/* The listener's own value, or what is there already. */
static void override(const struct schema *table, const struct node *map, const char *key,
                     int64_t *v)
{
    if (node_getz(map, key))
        *v = schema_i64(table, map, key);
}

static void override_all(struct load *ld, struct gw_listener *l)
{
    const struct node *limits = node_getz(l->node, "limits"),
                      *times = node_getz(l->node, "timeouts");

    l->limits = ld->gw->limits;
    l->timeouts = ld->gw->timeouts;
    override(limits_table, limits, "header_block", &l->limits.header_block);
    override(limits_table, limits, "url", &l->limits.url);
    override(limits_table, limits, "body", &l->limits.body);
    override(limits_table, limits, "headers", &l->limits.headers);
    override(limits_table, limits, "connections", &l->limits.connections);
    override(timeouts_table, times, "header", &l->timeouts.header);
    override(timeouts_table, times, "idle", &l->timeouts.idle);
    override(timeouts_table, times, "body", &l->timeouts.body);
    override(timeouts_table, times, "write", &l->timeouts.write);
    override(timeouts_table, times, "half_closed", &l->timeouts.half_closed);
    strict_limits(ld, limits, &l->limits);
}

static bool read_address(struct load *ld, const struct node *map, struct addr *a, str *text,
                         const struct node **at)
{
    const struct node *n = node_getz(map, "address");
    char canonical[ADDR_TEXT];
    const char *why;

    if (!n || n->type != NODE_STRING || addr_parse(a, n->text, &why))
        return false; /* the schema's check reports it */
    *text = load_str(ld, str_n(canonical, addr_text(a, canonical)));
    *at = n;
    return true;
}

/* A list, or a single value that stands for one. */
static unsigned list_of(const struct node *n)
{
    return !n || n->type == NODE_NULL ? 0 : n->type == NODE_LIST ? n->count : 1;
}

static const struct node *list_item(const struct node *n, unsigned i)
{
    return n->type == NODE_LIST ? n->items[i] : n;
}

static struct cidr *read_networks(struct load *ld, const struct node *n, unsigned *count)
{
    unsigned all = list_of(n);
    struct cidr *set = LOAD_NEW(ld, struct cidr, all);

    *count = 0;
    for (unsigned i = 0; set && i < all; i++)
        if (cidr_parse(&set[*count], list_item(n, i)->text) == 0)
            ++*count;
    return set;
}

/* Who may say whose connection it is: the listener's own list, else the trusted proxies. */
static void read_proxied(struct load *ld, struct gw_listener *l)
{
    const struct node *from = node_getz(l->node, "proxy_protocol_from"),
                      *mode = node_getz(l->node, "proxy_protocol");

    l->proxied = (uint8_t)schema_i64(listen_table, l->node, "proxy_protocol");
    l->proxied_from = ld->gw->trusted;
    l->proxied_from_count = ld->gw->trusted_count;
    if (from)
        l->proxied_from = read_networks(ld, from, &l->proxied_from_count);
    if (l->proxied && list_of(from) == 0 && list_of(node_getz(ld->gw->root, "trusted_proxies")) == 0)
        node_error(ld->diag, ld->tree, mode, "proxy_protocol_from or trusted_proxies",
                   "nobody may send the PROXY header");
    if (from && !l->proxied)
        node_error(ld->diag, ld->tree, from, "proxy_protocol: required or trusted",
                   "proxy_protocol_from without proxy_protocol");
}

static void twice(struct load *ld, const struct node *n, const char *what, const struct node *first)
{
    node_error(ld->diag, ld->tree, n, NULL, "%s '%.*s' is used twice, %.*s", what, STR_ARG(n->text),
               STR_ARG(load_first_at(ld, ld->tree, first)));
}

static void check_listener(struct load *ld, unsigned i, const struct node *at)
{
    const struct gw_listener *l = &ld->gw->listeners[i];

    for (unsigned k = 0; k < i; k++) {
        const struct gw_listener *o = &ld->gw->listeners[k];

        if (str_eq(o->text, l->text))
            twice(ld, at, "the address", node_getz(o->node, "address"));
        else if (str_eq(o->name, l->name) && node_getz(l->node, "name"))
            twice(ld, node_getz(l->node, "name"), "the name", o->node);
    }
}

static void read_status(struct load *ld)
{
    struct gateway *gw = ld->gw;
    const struct node *map = node_getz(gw->root, "status"), *at;

    if (!map || !read_address(ld, map, &gw->status_addr, &gw->status_text, &at))
        return;
    gw->has_status = true;
    for (unsigned i = 0; i < gw->listener_count; i++)
        if (str_eq(gw->listeners[i].text, gw->status_text))
            twice(ld, at, "the address", node_getz(gw->listeners[i].node, "address"));
}

void load_listeners(struct load *ld)
{
    struct gateway *gw = ld->gw;
    const struct node *list = node_getz(gw->root, "listen"), *at;

    if (list && list->type == NODE_LIST) {
        gw->listeners = LOAD_NEW(ld, struct gw_listener, list->count);
        for (unsigned i = 0; gw->listeners && i < list->count; i++) {
            struct gw_listener *l = &gw->listeners[gw->listener_count];

            l->node = list->items[i];
            if (!read_address(ld, l->node, &l->addr, &l->text, &at))
                continue;
            l->name = schema_str(listen_table, l->node, "name");
            if (l->name.n == 0)
                l->name = at->text;
            l->reuseport = schema_bool(listen_table, l->node, "reuseport");
            override_all(ld, l);
            read_proxied(ld, l);
            l->tls = load_listener_tls(ld, node_getz(l->node, "tls"), l->text);
            check_listener(ld, gw->listener_count++, at);
        }
    }
    read_status(ld);
}

static void read_trusted(struct load *ld)
{
    ld->gw->trusted =
        read_networks(ld, node_getz(ld->gw->root, "trusted_proxies"), &ld->gw->trusted_count);
}

static void read_forwarded(struct load *ld)
{
    const struct node *map = node_getz(ld->gw->root, "forwarded");

    ld->gw->forwarded_send = (uint8_t)schema_i64(forwarded_table, map, "send");
    ld->gw->forwarded_read = (uint8_t)schema_i64(forwarded_table, map, "read");
    ld->gw->via = schema_str(forwarded_table, map, "via");
}

static void read_resolver(struct load *ld)
{
    struct gateway *gw = ld->gw;
    const struct node *map = node_getz(gw->root, "resolver"), *servers = node_getz(map, "servers");

    gw->resolver_servers = STR("");
    for (unsigned i = 0; i < list_of(servers); i++) {
        str one = list_item(servers, i)->text;
        str joined =
            arena_cat(ld->arena, 3, (str[]){gw->resolver_servers, i ? STR(",") : STR(""), one});

        if (!joined.p) {
            load_nomem(ld);
            return;
        }
        gw->resolver_servers = joined;
    }
    gw->resolver_timeout = schema_i64(resolver_table, map, "timeout");
    gw->resolver_tries = schema_i64(resolver_table, map, "tries");
    gw->resolver_ttl_min = schema_i64(resolver_table, map, "ttl_min");
    gw->resolver_ttl_max = schema_i64(resolver_table, map, "ttl_max");
    gw->resolver_ttl_negative = schema_i64(resolver_table, map, "ttl_negative");
    if (gw->resolver_ttl_min > gw->resolver_ttl_max)
        node_error(ld->diag, ld->tree,
                   node_getz(map, node_getz(map, "ttl_min") ? "ttl_min" : "ttl_max"),
                   "ttl_min at most ttl_max", "ttl_min of %lldms is above ttl_max of %lldms",
                   (long long)gw->resolver_ttl_min, (long long)gw->resolver_ttl_max);
}

void load_settings(struct load *ld)
{
    struct gateway *gw = ld->gw;
    const struct node *log = node_getz(gw->root, "log"), *aws = node_getz(gw->root, "aws");

    gw->threads = (unsigned)schema_i64(conf_table, gw->root, "threads");
    gw->aws_strict = schema_i64(conf_table, gw->root, "limits_mode") == 1;
    read_limits(ld, node_getz(gw->root, "limits"));
    read_timeouts(ld, node_getz(gw->root, "timeouts"));
    gw->ticket_rotation = schema_i64(tls_table, node_getz(gw->root, "tls"), "ticket_rotation");
    gw->log_level = schema_str(log_table, log, "level");
    gw->log_format = schema_str(log_table, log, "format");
    gw->log_to = schema_str(log_table, log, "to");
    gw->aws_region = schema_str(aws_table, aws, "region");
    gw->aws_account = schema_str(aws_table, aws, "account_id");
    read_trusted(ld);
    read_forwarded(ld);
    read_resolver(ld);
}
