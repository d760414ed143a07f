/* SPDX-License-Identifier: Apache-2.0 */
/* For the fuzz targets of HTTP/1 heads: reading one in pieces, and what must hold for every head
 * that was accepted. */
#ifndef FUZZ_HEAD_CHECK_H
#define FUZZ_HEAD_CHECK_H

#include "http/h1_guard.h"
#include "http/h1_msg.h"
#include "http/h1_write.h"

#define MUST(x) \
    do { \
        if (!(x)) BUG("must hold: " #x); \
    } while (0)

struct one {
    struct arena a;
    struct hdrs h;
    struct h1_head head;
    char *text;
    int64_t n;
};

/* `step` bytes at a time, each time at another place. */
static inline void one_read(struct one *o, const char *p, size_t n, bool response, size_t step)
{
    memset(o, 0, sizeof *o);
    arena_init(&o->a, NULL);
    if (response) h1_head_response(&o->head, &o->a, &o->h, 4096);
    else h1_head_request(&o->head, &o->a, &o->h, 4096, 1024, 30);
    for (size_t have = step < n ? step : n; n; have = n - have < step ? n : have + step) {
        char *copy = malloc(have);
        if (!copy) abort();
        memcpy(copy, p, have);
        o->n = h1_head_feed(&o->head, copy, have);
        free(o->text);
        o->text = copy;
        if (o->n != 0 || have == n) break;
    }
    MUST(o->n >= 0 || (o->head.bad >= 400 && o->head.why));
}

static inline void one_done(struct one *o)
{
    free(o->text);
    arena_fini(&o->a);
}

/* No line ends but CRLF, no NUL, no folding, nothing in front of a colon, one Host, one framing. */
static inline void check_accepted(const struct one *o, const char *p)
{
    unsigned lengths = 0, codings = 0, hosts = 0;
    size_t n = (size_t)o->n;
    MUST(n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') MUST(i > 0 && p[i - 1] == '\r');
        if (p[i] == '\r') MUST(p[i + 1] == '\n');
        MUST(p[i] != '\0');
        if (p[i] == '\n' && i + 1 < n) MUST(p[i + 1] != ' ' && p[i + 1] != '\t');
    }
    for (uint32_t i = 0; i < o->h.n; i++) {
        const struct hdr *e = &o->h.v[i];
        MUST(hdr_name_ok(e->name) && hdr_value_ok(e->value));
        MUST(e->name.p[e->name.n] == ':');
        MUST(e->value.n == 0 || (strchr(" \t", e->value.p[0]) == NULL &&
                                 strchr(" \t", e->value.p[e->value.n - 1]) == NULL));
        MUST(!(e->proto & H1_RAW) || memcmp(e->value.p + e->value.n, "\r\n", 2) == 0);
        lengths += e->id == HDR_CONTENT_LENGTH;
        codings += e->id == HDR_TRANSFER_ENCODING;
        hosts += e->id == HDR_HOST;
    }
    MUST(lengths <= 1 && codings <= 1 && lengths + codings <= 1);
    MUST(o->head.response || hosts <= 1);
    MUST(codings == (o->head.meta.chunked ? 1 : 0));
}

/* In pieces of any size the verdict is the same. */
static inline void check_pieces(const struct one *whole, const char *p, size_t n, bool response,
                                size_t step)
{
    struct one o;
    one_read(&o, p, n, response, step ? step : 1);
    MUST((o.n > 0) == (whole->n > 0) && (o.n <= 0 || o.n == whole->n));
    MUST(o.n <= 0 || o.h.n == whole->h.n);
    one_done(&o);
}

#endif
