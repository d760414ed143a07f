/* SPDX-License-Identifier: Apache-2.0 */
/* Read blocks and the body decoders: length, chunked, to the end. */
#include "http/h1_body.h"

#include "base/mem.h"
#include "http/h1_guard.h"

#define BLOCK_LARGE (1024u * 1024)
#define SMALL_PIECE 512u /* chunks up to this share a slice */
#define LINE_MAX 1024u   /* a chunk-size line with its extensions */
#define EXTENSIONS_MAX 65536u /* of a whole body */
#define TEXT_FIRST 256u

void h1_in_drop(struct h1_in *in)
{
    buf_unref(in->b);
    in->b = NULL;
    in->off = 0;
}

static bool only_ours(struct buf *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

/* A block of `size` bytes at least. */
static struct buf *get_block(struct buf_cache *cache, struct buf_cache *large, uint32_t size)
{
    if (large && size > large->block / 2 && size <= large->block) return buf_get(large, 0);
    return buf_get(cache, size > cache->block ? size : 0);
}

int h1_in_space(struct h1_in *in, struct buf_cache *cache, struct buf_cache *large,
                struct buf **old, char **p, size_t *n)
{
    struct buf *b = in->b;
    *old = NULL;
    if (in->want && mem_over()) in->want = 0;
    if (b) {
        size_t left = b->len - in->off;
        if (left == 0 && only_ours(b) && b->cap >= in->want) in->off = b->len = 0;
        if (b->cap - b->len < b->cap / 8) {
            uint32_t size = in->want;
            if (left > cache->block / 2 && size < left * 2) size = (uint32_t)left * 2;
            struct buf *to = get_block(cache, large, size);
            if (!to) return E_NOMEM;
            if (left) memcpy(to->data, b->data + in->off, left);
            to->len = (uint32_t)left;
            *old = b;
            in->b = b = to;
            in->off = 0;
        }
    } else {
        in->b = b = get_block(cache, large, in->want);
        if (!b) return E_NOMEM;
        in->off = 0;
    }
    *p = b->data + b->len;
    *n = b->cap - b->len;
    return 0;
}

void h1_in_filled(struct h1_in *in, size_t room, size_t n)
{
    struct buf *b = in->b;
    b->len += (uint32_t)n;
    if (n == room && room > b->cap / 2)
        in->want = b->cap < BLOCK_LARGE / 8 ? b->cap * 8 : BLOCK_LARGE;
    else if (n < b->cap / 4) in->want = 0;
}

enum { SIZE_FIRST = 0, SIZE, SIZE_WS, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, WHOLE };

void h1_body_init(struct h1_body *y, enum h1_body_kind kind, uint64_t length, uint64_t limit)
{
    *y = (struct h1_body){
        .kind = (uint8_t)kind, .limit = limit, .text_max = 16384, .max_headers = 100};
    if (kind == H1_LENGTH) y->left = length;
    if (kind == H1_NONE || (kind == H1_LENGTH && length == 0)) y->state = WHOLE;
}

static int refuse(struct h1_body *y, int rc, const char *why)
{
    y->why = why;
    return rc;
}

/* Body bytes at p, in block b: onto the last slice where they follow it, also over framing bytes
 * that nobody needs. */
static int put(struct h1_body *y, struct bufq *q, struct buf *b, char *p, uint32_t n)
{
    struct slice *last = q->count ? (struct slice *)(uintptr_t)bufq_at(q, q->count - 1) : NULL;
    if (last && last->b == b && last->p + last->n == y->end) {
        char *end = b->data + (last->p - b->data) + last->n;
        if (end != p && end < p && n <= SMALL_PIECE) {
            memmove(end, p, n);
            p = end;
        }
        if (end == p) {
            last->n += n;
            q->bytes += n;
            y->end = p + n;
            return 0;
        }
    }
    y->end = p + n;
    return bufq_push_ref(q, (struct slice){.b = b, .p = p, .n = n});
}

/* At most `max` bytes of what is there. */
static int take(struct h1_body *y, struct h1_in *in, struct bufq *out, uint64_t max)
{
    uint64_t n = h1_in_left(in);
    if (n > max) n = max;
    if (n == 0) return 0;
    if (y->limit && n > y->limit - y->total) return refuse(y, E_LIMIT, "body larger than allowed");
    if (out) {
        int rc = put(y, out, in->b, h1_in_at(in), (uint32_t)n);
        if (rc != 0) return refuse(y, rc, "no memory for the body");
    }
    in->off += (uint32_t)n;
    y->total += n;
    if (y->kind != H1_CLOSE) y->left -= n;
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = chr_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_digit(struct h1_body *y, char c)
{
    int v = hex_value(c);
    if (v >= 0) {
        if (y->left >> 58) return refuse(y, E_PROTO, "chunk size too large");
        if (++y->digits > 32) return refuse(y, E_PROTO, "chunk size line too long");
        y->left = y->left << 4 | (uint64_t)v;
        y->state = SIZE;
        return 0;
    }
    if (y->state == SIZE_FIRST) return refuse(y, E_PROTO, "malformed chunk size");
    if (c == ';') y->state = EXTENSION;
    else if (c == ' ' || c == '\t') y->state = SIZE_WS; /* RFC 9112 7.1.1: BWS */
    else if (c == '\r') y->state = SIZE_LF;
    else
        return refuse(y, E_PROTO,
                      c == '\n' ? "bare LF behind a chunk size" : "malformed chunk size");
    return 0;
}

static int size_end(struct h1_body *y)
{
    if (y->limit && y->left > y->limit - y->total)
        return refuse(y, E_LIMIT, "body larger than allowed");
    y->state = y->left ? DATA : TRAILER;
    y->line = y->digits = 0;
    return 0;
}

/* One byte of framing. */
static int framing(struct h1_body *y, char c)
{
    if (y->state <= SIZE_LF && ++y->line > LINE_MAX)
        return refuse(y, E_PROTO, "chunk size line too long");
    switch (y->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_digit(y, c);
    case SIZE_WS: /* an extension has to follow */
        if (c == ';') y->state = EXTENSION;
        return c == ';' || c == ' ' || c == '\t' ? 0 : refuse(y, E_PROTO, "malformed chunk size");
    case EXTENSION:
        if (c == '\r') y->state = SIZE_LF;
        else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f) {
            return refuse(y, E_PROTO, "invalid byte in a chunk extension");
        } else if (++y->extensions > EXTENSIONS_MAX) {
            return refuse(y, E_PROTO, "too many chunk extensions");
        }
        return 0;
    case SIZE_LF:
        return c == '\n' ? size_end(y) : refuse(y, E_PROTO, "bare CR behind a chunk size");
    case DATA_CR:
        if (c != '\r') return refuse(y, E_PROTO, "chunk longer than its size");
        y->state = DATA_LF;
        return 0;
    default: /* DATA_LF */
        if (c != '\n') return refuse(y, E_PROTO, "bare CR behind a chunk");
        y->state = SIZE_FIRST;
        return 0;
    }
}

static int keep_trailer_byte(struct h1_body *y, struct arena *a, char c)
{
    if (y->text_n == y->text_cap) {
        uint32_t cap = y->text_cap ? y->text_cap * 2 : TEXT_FIRST;
        char *text = arena_bytes(a, cap);
        if (!text) return refuse(y, E_NOMEM, "no memory for trailers");
        if (y->text_n) memcpy(text, y->text, y->text_n);
        y->text = text;
        y->text_cap = cap;
    }
    y->text[y->text_n] = c;
    return 0;
}

/* Up to the empty line. `line` counts the bytes of the current line here, `digits` says that a CR was
 * the last; the text is kept only for who wants trailers. */
static int trailer(struct h1_body *y, struct h1_in *in, struct arena *a, struct hdrs *h)
{
    while (h1_in_left(in)) {
        char c = *h1_in_at(in);
        in->off++;
        if (y->text_n >= y->text_max) return refuse(y, E_LIMIT, "trailers too large");
        if (h) {
            int rc = keep_trailer_byte(y, a, c);
            if (rc != 0) return rc;
        }
        y->text_n++;
        y->line++;
        bool cr = y->digits; /* before this byte */
        y->digits = c == '\r';
        if (c != '\n') continue;
        if (!cr) return refuse(y, E_PROTO, "bare LF in trailers");
        bool end = y->line == 2;
        y->line = 0;
        if (!end) continue;
        y->state = WHOLE;
        if (!h || y->text_n == 2) return 1;
        int rc = h1_guard_trailers(h, a, str_n(y->text, y->text_n), y->max_headers);
        return rc == 0 ? 1 : refuse(y, rc == E_NOMEM ? rc : E_PROTO, "malformed trailers");
    }
    return 0;
}

static int chunked(struct h1_body *y, struct h1_in *in, struct bufq *out, struct arena *a,
                   struct hdrs *h)
{
    while (h1_in_left(in)) {
        int rc;
        if (y->state == TRAILER) return trailer(y, in, a, h);
        if (y->state == DATA) {
            rc = take(y, in, out, y->left);
            if (rc == 0 && y->left == 0) y->state = DATA_CR;
        } else {
            rc = framing(y, *h1_in_at(in));
            in->off++;
        }
        if (rc != 0) return rc;
    }
    return 0;
}

int h1_body_feed(struct h1_body *y, struct h1_in *in, struct bufq *out, struct arena *a,
                 struct hdrs *trailers)
{
    int rc;
    if (y->state == WHOLE) return 1;
    switch (y->kind) {
    case H1_LENGTH:
        rc = take(y, in, out, y->left);
        if (rc != 0) return rc;
        if (y->left == 0) y->state = WHOLE;
        return y->left == 0;
    case H1_CHUNKED:
        return chunked(y, in, out, a, trailers);
    case H1_CLOSE:
        return take(y, in, out, UINT64_MAX);
    default:
        return 1;
    }
}
