/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: chunked bodies. The verdict and the bytes do not depend on the pieces; what we write
 * reads back the same. */
#include "base/text.h"
#include "head_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct read {
    struct arena a;
    struct hdrs trailers;
    struct h1_body y;
    struct text out;
    size_t used;
    int rc;
};

static void read_body(struct read *r, const char *p, size_t n, size_t step, uint64_t limit)
{
    struct buf_cache cache;
    struct h1_in in = {.b = NULL};
    struct bufq q;
    size_t at = 0;
    memset(r, 0, sizeof *r);
    arena_init(&r->a, NULL);
    text_init(&r->out);
    buf_cache_init(&cache, 512, 4);
    bufq_init(&q);
    h1_body_init(&r->y, H1_CHUNKED, 0, limit);
    while (r->rc == 0 && at < n) {
        struct buf *old;
        char *to;
        size_t room, part;
        MUST(h1_in_space(&in, &cache, NULL, &old, &to, &room) == 0 && room > 0);
        buf_unref(old);
        part = step < room ? step : room;
        if (part > n - at) part = n - at;
        memcpy(to, p + at, part);
        h1_in_filled(&in, room, part);
        at += part;
        r->rc = h1_body_feed(&r->y, &in, &q, &r->a, &r->trailers);
        MUST(r->rc != 0 || h1_in_left(&in) == 0);
    }
    r->used = at - h1_in_left(&in);
    for (uint32_t i = 0; i < q.count; i++)
        text_add(&r->out, str_n(bufq_at(&q, i)->p, bufq_at(&q, i)->n));
    MUST(q.bytes == r->out.n && r->y.total == r->out.n);
    MUST(limit == 0 || r->out.n <= limit);
    MUST(r->rc >= 0 || r->y.why);
    bufq_clear(&q);
    h1_in_drop(&in);
    buf_cache_fini(&cache);
}

static void read_done(struct read *r)
{
    text_fini(&r->out);
    arena_fini(&r->a);
}

static void write_and_read(const struct read *r)
{
    struct h1_chunker c = {.frame = NULL};
    struct bufq out, q;
    struct arena a;
    struct text wire;
    struct read back;
    arena_init(&a, NULL);
    bufq_init(&out);
    bufq_init(&q);
    text_init(&wire);
    for (size_t at = 0; at < r->out.n; at += 100) {
        str part = str_take(str_drop(text_str(&r->out), at), 100);
        MUST(bufq_push(&q, (struct slice){.p = part.p, .n = (uint32_t)part.n}) == 0);
        MUST(h1_chunk(&c, &out, &q) == 0);
    }
    MUST(h1_chunk_end(&a, &out, &r->trailers) == 0);
    for (uint32_t i = 0; i < out.count; i++)
        text_add(&wire, str_n(bufq_at(&out, i)->p, bufq_at(&out, i)->n));
    read_body(&back, wire.p, wire.n, 33, 0);
    MUST(back.rc == 1 && back.used == wire.n && str_eq(text_str(&back.out), text_str(&r->out)));
    MUST(back.trailers.n == r->trailers.n);
    read_done(&back);
    bufq_clear(&out);
    bufq_clear(&q);
    h1_chunker_fini(&c);
    text_fini(&wire);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct read whole, pieces;
    if (n < 3) return 0;
    size_t step = data[0] ? data[0] : 1;
    uint64_t limit = data[1];
    const char *p = (const char *)data + 2;
    n -= 2;
    read_body(&whole, p, n, 512, limit);
    for (int i = 0; i < 2; i++) {
        read_body(&pieces, p, n, i ? 1 : step, limit);
        MUST(pieces.rc == whole.rc &&
             (pieces.rc < 0 || str_eq(text_str(&pieces.out), text_str(&whole.out))));
        MUST(pieces.rc < 0 || (pieces.used == whole.used && pieces.trailers.n == whole.trailers.n));
        read_done(&pieces);
    }
    if (whole.rc == 1) write_and_read(&whole);
    read_done(&whole);
    return 0;
}
