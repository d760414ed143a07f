/* SPDX-License-Identifier: Apache-2.0 */
/* Writes HTTP/1 heads, chunk lines and trailers. */
#include "http/h1_write.h"

#include "http/h1_parse.h"

#define FRAME_BLOCK 896u /* with its header still in malloc's thread cache */

/* Never copied from message to message: framing and connection headers are ours. */
enum { SKIP_REQ = 1, SKIP_RES = 2, SKIP = 3 };
static const uint8_t skips[HDR_KNOWN] = {
    [HDR_CONNECTION] = SKIP,
    [HDR_CONTENT_LENGTH] = SKIP,
    [HDR_HTTP2_SETTINGS] = SKIP,
    [HDR_KEEP_ALIVE] = SKIP,
    [HDR_TE] = SKIP,
    [HDR_PROXY_CONNECTION] = SKIP,
    [HDR_UPGRADE] = SKIP,
    [HDR_TRANSFER_ENCODING] = SKIP,
    [HDR_HOST] = SKIP_REQ,
    [HDR_EXPECT] = SKIP_REQ,
};

struct filter {
    const struct hdrs *h;
    uint8_t mask;
    bool named; /* Connection names headers: those that came with it are dropped */
};

static struct filter filter_of(const struct hdrs *h, uint8_t mask)
{
    struct filter f = {.h = h, .mask = mask};
    if (!(h->seen & hdr_bit(HDR_CONNECTION))) return f;
    for (uint32_t i = 0; i < h->n && !f.named; i++) {
        if (h->v[i].id != HDR_CONNECTION || h->v[i].flags & HDR_F_REMOVED) continue;
        for (str rest = h->v[i].value; rest.p;) {
            str t = str_trim(str_cut(&rest, ','), " \t");
            if (t.n && !str_ieq(t, STR("close")) && !str_ieq(t, STR("keep-alive"))) f.named = true;
        }
    }
    return f;
}

static inline bool passes(const struct filter *f, const struct hdr *e)
{
    if (e->flags & HDR_F_REMOVED) return false;
    if (e->id < HDR_KNOWN && skips[e->id] & f->mask) return false;
    return !(UNLIKELY(f->named) && e->proto & H1_CAME &&
             hdrs_has_token(f->h, HDR_CONNECTION, e->name));
}

static inline char *put(char *at, str s)
{
    if (s.n) memcpy(at, s.p, s.n);
    return at + s.n;
}
#define PUT(at, lit) put(at, STR(lit))

/* The table's own spelling of the name needs no look. */
static inline bool canonical(const struct hdr *e)
{
    str own = hdr_id_name(e->id);
    return e->name.p && e->name.p == own.p && e->name.n == own.n;
}

/* Bytes that the headers take; E_ARG when one cannot be a line. */
static int measure(const struct filter *f, size_t *size)
{
    for (uint32_t i = 0; i < f->h->n; i++) {
        const struct hdr *e = &f->h->v[i];
        if (!passes(f, e)) continue;
        if (e->proto & H1_RAW) {
            *size += (size_t)(e->value.p + e->value.n - e->name.p) + 2;
            continue;
        }
        if ((!canonical(e) && !hdr_name_ok(e->name)) || !hdr_value_ok(e->value)) return E_ARG;
        *size += e->name.n + e->value.n + 4;
    }
    return 0;
}

static char *put_headers(char *at, const struct filter *f)
{
    const char *from = NULL, *to = NULL; /* run of lines that stand one behind the other */
    for (uint32_t i = 0; i < f->h->n; i++) {
        const struct hdr *e = &f->h->v[i];
        if (!passes(f, e)) continue;
        bool raw = e->proto & H1_RAW;
        if (raw && e->name.p == to) {
            to = e->value.p + e->value.n + 2;
            continue;
        }
        if (from) at = put(at, str_n(from, (size_t)(to - from)));
        from = to = NULL;
        if (raw) {
            from = e->name.p;
            to = e->value.p + e->value.n + 2;
        } else {
            at = PUT(put(at, e->name), ": ");
            at = PUT(put(at, e->value), "\r\n");
        }
    }
    return from ? put(at, str_n(from, (size_t)(to - from))) : at;
}

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    unsigned i = sizeof digits;
    do digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    return put(at, str_n(digits + i, sizeof digits - i));
}

static char *put_framing(char *at, enum h1_framing framing, int64_t length)
{
    if (framing == H1_F_CHUNKED) return PUT(at, "Transfer-Encoding: chunked\r\n");
    if (framing == H1_F_NONE) return at;
    at = put_number(PUT(at, "Content-Length: "), (uint64_t)length);
    return PUT(at, "\r\n");
}

/* Nothing that ends the first line or splits it. */
static bool word_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f) return false;
    }
    return true;
}

static enum h1_framing request_framing(const struct http_req *req)
{
    if (req->has_body) return req->content_length == BODY_UNKNOWN ? H1_F_CHUNKED : H1_F_LENGTH;
    /* A method that means a body says that there is none (RFC 9110 8.6). */
    return req->method == M_POST || req->method == M_PUT || req->method == M_PATCH ? H1_F_LENGTH
                                                                                   : H1_F_NONE;
}

int h1_write_request(struct arena *a, const struct http_req *req, str authority, str *out)
{
    struct filter f = filter_of(&req->h, SKIP_REQ);
    size_t size = req->method_name.n + req->path.n + req->query.n + authority.n + 192;
    if (!hdr_name_ok(req->method_name) || req->path.n == 0 || !word_ok(req->path)) return E_ARG;
    if (!word_ok(req->query) || !word_ok(authority) || measure(&f, &size) != 0) return E_ARG;
    char *p = arena_bytes(a, size), *at = p;
    if (!p) return E_NOMEM;
    at = put(PUT(put(at, req->method_name), " "), req->path);
    if (req->query.p) at = put(PUT(at, "?"), req->query);
    at = PUT(at, " HTTP/1.1\r\nHost: ");
    at = PUT(put(at, authority), "\r\n");
    at = put_headers(at, &f);
    enum h1_framing framing = request_framing(req);
    at = put_framing(at, framing, req->has_body ? req->content_length : 0);
    const struct hdr *te = hdrs_first(&req->h, HDR_TE);
    if (te && hdrs_has_token(&req->h, HDR_TE, STR("trailers")))
        at = PUT(at, "TE: trailers\r\nConnection: TE\r\n");
    at = PUT(at, "\r\n");
    *out = str_n(p, (size_t)(at - p));
    return 0;
}

int h1_write_response(struct arena *a, const struct http_res *res, const struct h1_answer *w,
                      str *out)
{
    struct filter f = filter_of(&res->h, SKIP_RES);
    str text = str_z(http_status_text(res->status));
    size_t size = text.n + w->date.n + w->connection.n + 160;
    if (res->status < 100 || res->status > 999 || measure(&f, &size) != 0) return E_ARG;
    char *p = arena_bytes(a, size), *at = p;
    if (!p) return E_NOMEM;
    at = put_number(PUT(at, "HTTP/1.1 "), res->status);
    at = PUT(put(PUT(at, " "), text), "\r\n");
    if (w->date.n && !hdrs_first(&res->h, HDR_DATE))
        at = PUT(put(PUT(at, "Date: "), w->date), "\r\n");
    at = put_headers(at, &f);
    at = put_framing(at, w->framing, w->length);
    if (w->connection.n) at = PUT(put(PUT(at, "Connection: "), w->connection), "\r\n");
    at = PUT(at, "\r\n");
    *out = str_n(p, (size_t)(at - p));
    return 0;
}

static bool only_ours(struct buf *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

/* A line of framing in the frame block, queued. */
static int put_line(struct h1_chunker *c, struct bufq *out, str line)
{
    if (c->frame && only_ours(c->frame)) c->frame->len = 0;
    if (c->frame && c->frame->cap - c->frame->len < line.n) h1_chunker_fini(c);
    if (!c->frame) {
        c->frame = buf_get(NULL, FRAME_BLOCK);
        if (!c->frame) return E_NOMEM;
    }
    struct buf *b = c->frame;
    char *at = b->data + b->len;
    int rc = bufq_push_ref(out, (struct slice){.b = b, .p = at, .n = (uint32_t)line.n});
    if (rc != 0) return rc;
    memcpy(at, line.p, line.n);
    b->len += (uint32_t)line.n;
    return 0;
}

int h1_chunk(struct h1_chunker *c, struct bufq *out, struct bufq *q)
{
    char line[24], hex[16], *at = line;
    unsigned i = sizeof hex;
    uint64_t n = q->bytes;
    if (n == 0) return 0;
    do hex[--i] = "0123456789abcdef"[n & 15];
    while (n >>= 4);
    at = PUT(put(at, str_n(hex + i, sizeof hex - i)), "\r\n");
    int rc = put_line(c, out, str_n(line, (size_t)(at - line)));
    if (rc != 0) return rc;
    rc = bufq_move(out, q);
    /* Behind each chunk at once: who waits for its end must not wait for the next one. */
    return rc == 0 ? bufq_push(out, (struct slice){.p = "\r\n", .n = 2}) : rc;
}

int h1_chunk_end(struct arena *a, struct bufq *out, const struct hdrs *trailers)
{
    str end = STR("0\r\n\r\n");
    struct filter f = {.h = trailers, .mask = SKIP};
    size_t size = 16;
    if (trailers && trailers->n && measure(&f, &size) == 0) {
        char *p = arena_bytes(a, size), *at = p;
        if (!p) return E_NOMEM;
        at = put_headers(put(at, str_take(end, end.n - 2)), &f);
        at = PUT(at, "\r\n");
        end = str_n(p, (size_t)(at - p));
    }
    return bufq_push(out, (struct slice){.p = end.p, .n = (uint32_t)end.n});
}

void h1_chunker_fini(struct h1_chunker *c)
{
    buf_unref(c->frame);
    c->frame = NULL;
}
