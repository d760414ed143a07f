/* SPDX-License-Identifier: Apache-2.0 */
/* FIFO queues of slices: how bodies wait between two sockets. */
#include <sys/uio.h>

#include "base/buf.h"

#define SLOTS_MAX (1u << 24)

static uint32_t place(const struct bufq *q, uint32_t i)
{
    return (q->head + i) & (q->cap - 1); /* cap is a power of two */
}

void bufq_drop(struct bufq *q)
{
    for (uint32_t i = 0; i < q->count; i++)
        buf_unref(q->v[place(q, i)].b);
    if (q->v != q->in_place)
        free(q->v);
    bufq_init(q);
}

/* Room for `more` further slices. */
static int reserve(struct bufq *q, uint64_t more)
{
    uint64_t need = q->count + more;
    if (need <= q->cap)
        return 0;
    if (need > SLOTS_MAX)
        return E_NOMEM;
    uint32_t cap = q->cap;
    while (cap < need)
        cap *= 2;
    struct slice *v = malloc(cap * sizeof *v);
    if (!v)
        return E_NOMEM;
    for (uint32_t i = 0; i < q->count; i++)
        v[i] = q->v[place(q, i)];
    if (q->v != q->in_place)
        free(q->v);
    q->v = v;
    q->cap = cap;
    q->head = 0;
    return 0;
}

static void append(struct bufq *q, struct slice s)
{
    q->v[place(q, q->count)] = s;
    q->count++;
    q->bytes += s.n;
}

int bufq_push(struct bufq *q, struct slice s)
{
    if (s.n == 0) {
        buf_unref(s.b);
        return 0;
    }
    if (reserve(q, 1) != 0)
        return E_NOMEM;
    append(q, s);
    return 0;
}

int bufq_push_ref(struct bufq *q, struct slice s)
{
    if (s.n == 0)
        return 0;
    if (reserve(q, 1) != 0)
        return E_NOMEM;
    if (s.b)
        buf_ref(s.b);
    append(q, s);
    return 0;
}

/* The last slice, if its block can be filled further: ours alone, our memory, and the slice ends
 * where the bytes end. */
static struct slice *open_end(struct bufq *q)
{
    if (q->count == 0)
        return NULL;
    struct slice *s = &q->v[place(q, q->count - 1)];
    struct buf *b = s->b;
    if (!b || b->release || b->data != (char *)b + sizeof *b)
        return NULL;
    if (atomic_load_explicit(&b->refs, memory_order_acquire) != 1)
        return NULL;
    return s->p + s->n == b->data + b->len ? s : NULL;
}

/* Adds what fits of *bytes to the slice and its block. */
static void fill(struct bufq *q, struct slice *s, str *bytes)
{
    struct buf *b = s->b;
    size_t n = b->cap - b->len < bytes->n ? b->cap - b->len : bytes->n;
    if (n)
        memcpy(b->data + b->len, bytes->p, n);
    b->len += (uint32_t)n;
    s->n += (uint32_t)n;
    q->bytes += n;
    *bytes = str_drop(*bytes, n);
}

static void drop_chain(struct buf *b)
{
    while (b) {
        struct buf *next = b->next;
        b->next = NULL;
        buf_unref(b);
        b = next;
    }
}

int bufq_copy(struct bufq *q, struct buf_cache *cache, str bytes)
{
    if (bytes.n == 0)
        return 0;
    struct slice *end = open_end(q);
    size_t room = end ? end->b->cap - end->b->len : 0;
    /* All memory first, so that a failure copies nothing. */
    struct buf *chain = NULL, **tail = &chain;
    uint64_t blocks = 0;
    for (size_t have = room; have < bytes.n; blocks++) {
        struct buf *b = buf_get(cache, 0);
        if (!b)
            goto nomem;
        have += b->cap;
        *tail = b;
        tail = &b->next;
    }
    if (reserve(q, blocks) != 0)
        goto nomem;
    end = open_end(q); /* the ring may have moved */
    if (end)
        fill(q, end, &bytes);
    while (chain) {
        struct buf *b = chain;
        chain = b->next;
        b->next = NULL;
        append(q, (struct slice){.b = b, .p = b->data, .n = 0});
        fill(q, &q->v[place(q, q->count - 1)], &bytes);
    }
    return 0;
nomem:
    drop_chain(chain);
    return E_NOMEM;
}

int bufq_move(struct bufq *to, struct bufq *from)
{
    if (reserve(to, from->count) != 0)
        return E_NOMEM;
    struct slice s;
    while (bufq_pop(from, &s))
        append(to, s);
    return 0;
}

unsigned bufq_iov(const struct bufq *q, struct iovec *v, unsigned max)
{
    unsigned n = q->count < max ? q->count : max;
    for (unsigned i = 0; i < n; i++) {
        const struct slice *s = &q->v[place(q, i)];
        v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)s->p, .iov_len = s->n};
    }
    return n;
}

void bufq_drain(struct bufq *q, uint64_t n)
{
    if (n > q->bytes)
        BUG("more bytes drained than the queue has");
    q->bytes -= n;
    while (n) {
        struct slice *s = &q->v[q->head];
        if (n < s->n) {
            s->p += n;
            s->n -= (uint32_t)n;
            return;
        }
        n -= s->n;
        buf_unref(s->b);
        q->head = place(q, 1);
        q->count--;
    }
}

bool bufq_peek(const struct bufq *q, struct slice *out)
{
    if (q->count == 0)
        return false;
    *out = q->v[q->head];
    return true;
}

bool bufq_pop(struct bufq *q, struct slice *out)
{
    if (!bufq_peek(q, out))
        return false;
    q->head = place(q, 1);
    q->count--;
    q->bytes -= out->n;
    return true;
}

const struct slice *bufq_at(const struct bufq *q, uint32_t i)
{
    return i < q->count ? &q->v[place(q, i)] : NULL;
}
