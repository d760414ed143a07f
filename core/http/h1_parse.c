/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds llhttp, collects the header spans, and turns its refusals into statuses. */
#include "http/h1_parse.h"

#include "http/h1_guard.h"

_Static_assert(LLHTTP_STRICT_MODE == 1, "llhttp has to be strict");

static int stop(struct h1_head *p, unsigned status, const char *why)
{
    h1_refuse(p, p->response ? 502 : status, why);
    return HPE_USER;
}

static int on_field(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_head *p = ll->data;
    struct hdrs *h = p->h;
    if (p->open) { /* goes on from the last feed */
        h->v[h->n].name.n += n;
        return 0;
    }
    if (h->n >= p->max_headers) return stop(p, 431, "too many headers");
    struct hdr *e = hdrs_room(h, p->arena);
    if (!e) return stop(p, 431, "no memory for the headers");
    *e = (struct hdr){.name = {at, n}};
    p->open = true;
    return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_head *p = ll->data;
    struct hdr *e = &p->h->v[p->h->n];
    if (!p->open) return stop(p, 400, "header value without a name");
    if (!e->value.p) e->value.p = at;
    else if (e->value.p + e->value.n != at) return stop(p, 400, "folded header line");
    e->value.n += n;
    return 0;
}

static int on_value_complete(llhttp_t *ll)
{
    struct h1_head *p = ll->data;
    if (!p->open) return stop(p, 400, "header value without a name");
    p->h->n++;
    p->open = false;
    return 0;
}

static int on_headers_complete(llhttp_t *ll)
{
    struct h1_head *p = ll->data;
    p->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static void init(struct h1_head *p, bool response, struct arena *a, struct hdrs *h)
{
    memset(p, 0, sizeof *p);
    llhttp_init(&p->ll, response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    p->ll.data = p;
    p->arena = a;
    p->h = h;
    p->response = response;
    p->meta.content_length = -1;
}

void h1_head_request(struct h1_head *p, struct arena *a, struct hdrs *h, uint32_t max_bytes,
                     uint32_t max_url, uint32_t max_headers)
{
    init(p, false, a, h);
    p->max_bytes = max_bytes;
    p->max_url = max_url;
    p->max_headers = max_headers;
}

void h1_head_response(struct h1_head *p, struct arena *a, struct hdrs *h, uint32_t max_bytes)
{
    init(p, true, a, h);
    p->max_bytes = max_bytes;
    p->max_headers = 1000;
}

struct h1_head *h1_head_keep(const struct h1_head *p, struct arena *a)
{
    struct h1_head *kept = arena_alloc(a, sizeof *kept);
    if (!kept) return NULL;
    *kept = *p;
    kept->ll.data = kept;
    return kept;
}

static const char *moved(const char *p, const char *from, const char *to)
{
    return p ? to + (p - from) : NULL;
}

void h1_head_move(struct h1_head *p, const char *to)
{
    const char *from = p->base;
    uint32_t n = p->h->n + (p->open ? 1 : 0);
    p->base = to;
    if (!from || from == to) return;
    for (uint32_t i = 0; i < n; i++) {
        struct hdr *e = &p->h->v[i];
        e->name.p = moved(e->name.p, from, to);
        e->value.p = moved(e->value.p, from, to);
    }
    p->method.p = moved(p->method.p, from, to);
    p->target.p = moved(p->target.p, from, to);
    p->meta.host.p = moved(p->meta.host.p, from, to);
}

/* "HTTP/" and a digit, a dot, a digit, as far as it has come, and not a version of ours. */
static bool other_version(str v)
{
    static const char form[] = "HTTP/#.#";
    if (v.n < 6) return false;
    for (size_t i = 0; i < v.n && i < 8; i++) {
        if (form[i] == '#' ? v.p[i] < '0' || v.p[i] > '9' : v.p[i] != form[i]) return false;
    }
    return v.p[5] != '1' || (v.n >= 8 && v.p[7] > '1');
}

/* Why llhttp stopped, in terms of the first line when it lies there. */
static int refused(struct h1_head *p, llhttp_errno_t err, size_t n)
{
    if (p->bad) return E_PROTO;
    if (p->response) return h1_refuse(p, 502, llhttp_get_error_reason(&p->ll));
    if (err == HPE_PAUSED_H2_UPGRADE)
        return h1_refuse(p, 505, "HTTP/2 preface on an HTTP/1 connection");
    if (!p->line_ok) {
        str method = str_take(str_n(p->base, n), str_chr(str_n(p->base, n), ' '));
        if (h1_guard_method(p, method) != 0) return E_PROTO;
    }
    if (err == HPE_INVALID_METHOD) return h1_refuse(p, 501, "unknown method");
    if (err == HPE_INVALID_VERSION) {
        const char *word = memrchr(p->base, ' ', n);
        return word && other_version(str_n(word + 1, n - (size_t)(word + 1 - p->base)))
                   ? h1_refuse(p, 505, "not HTTP/1.0 or HTTP/1.1")
                   : h1_refuse(p, 400, "malformed HTTP version");
    }
    return h1_refuse(p, 400, llhttp_get_error_reason(&p->ll));
}

/* Bounds while the head is not whole. */
static int check_size(struct h1_head *p, size_t n)
{
    if (!p->line_ok && !p->response) {
        const char *space = memchr(p->base, ' ', n);
        size_t url = space ? n - (size_t)(space - p->base) - 1 : 0;
        if (url > p->max_url) {
            h1_refuse(p, 414, "request target too long");
            return E_LIMIT;
        }
    }
    if (n > p->max_bytes) {
        h1_refuse(p, p->response ? 502 : 431, "head too large");
        return E_LIMIT;
    }
    return 0;
}

/* The length of the first line, looked at once. */
static int first_line(struct h1_head *p, size_t n, size_t *line)
{
    const char *lf = memchr(p->base, '\n', n);
    if (!lf) return 0;
    *line = (size_t)(lf - p->base) + 1;
    if (p->line_ok) return 0;
    int rc = h1_guard_line(p, p->base, *line);
    if (rc != 0) return rc;
    p->line_ok = true;
    if (!p->response && p->target.n > p->max_url) {
        h1_refuse(p, 414, "request target too long");
        return E_LIMIT;
    }
    return 0;
}

int64_t h1_head_feed(struct h1_head *p, const char *base, size_t n)
{
    size_t line = 0;
    h1_head_move(p, base);
    /* A bad first line has better words than llhttp's. */
    int rc = first_line(p, n, &line);
    if (rc != 0) return rc;
    llhttp_errno_t err = llhttp_execute(&p->ll, base + p->fed, n - p->fed);
    p->fed = n;
    if (!p->complete) {
        if (err != HPE_OK) return refused(p, err, n);
        return check_size(p, n);
    }
    int64_t length = h1_guard_lines(p, base, line, n);
    if (length < 0) return length;
    p->lines_ok = true;
    rc = check_size(p, (size_t)length);
    if (rc == 0) rc = h1_guard_meta(p);
    return rc != 0 ? rc : length;
}
