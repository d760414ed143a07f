/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted blocks of bytes and the per-thread free list of standard blocks. */
#include "base/buf.h"

#include "base/mem.h"

#define BLOCK_DEFAULT 16384u

/* The caches that this thread adopted; its address is the thread's identity. */
static _Thread_local struct buf_cache *own;

void buf_cache_init(struct buf_cache *c, uint32_t block, unsigned max)
{
    *c = (struct buf_cache){.max = max, .block = block ? block : BLOCK_DEFAULT};
}

void buf_cache_adopt(struct buf_cache *c)
{
    if (c->thread == &own)
        return;
    if (c->thread)
        BUG("a buffer cache was adopted by two threads");
    c->thread = &own;
    c->next_own = own;
    own = c;
}

static void block_free(struct buf *b)
{
    mem_free(b, sizeof *b + b->cap);
}

void buf_cache_trim(struct buf_cache *c)
{
    while (c->free) {
        struct buf *b = c->free;
        c->free = b->next;
        block_free(b);
    }
    c->count = 0;
}

void buf_cache_fini(struct buf_cache *c)
{
    for (struct buf_cache **at = &own; *at; at = &(*at)->next_own) {
        if (*at != c)
            continue;
        *at = c->next_own;
        break;
    }
    buf_cache_trim(c);
    c->thread = NULL;
    c->next_own = NULL;
}

static bool is_own(const struct buf_cache *c)
{
    for (const struct buf_cache *o = own; o; o = o->next_own) {
        if (o == c)
            return true;
    }
    return false;
}

static struct buf *block_new(uint32_t n)
{
    struct buf *b = mem_alloc(sizeof *b + n);
    if (!b)
        return NULL;
    *b = (struct buf){.cap = n, .data = (char *)b + sizeof *b};
    return b;
}

struct buf *buf_get(struct buf_cache *c, uint32_t n)
{
    uint32_t block = c ? c->block : BLOCK_DEFAULT;
    /* A request for much less than a block gets its own size: it may be held for long. */
    bool standard = n == 0 || (n <= block && n > block / 2);
    struct buf *b;
    if (standard && c && c->free) {
        b = c->free;
        c->free = b->next;
        c->count--;
        b->len = b->flags = 0;
        b->next = NULL;
    } else {
        b = block_new(standard ? block : n);
        if (!b)
            return NULL;
        b->cache = standard ? c : NULL;
    }
    atomic_init(&b->refs, 1);
    return b;
}

struct buf *buf_wrap(char *data, uint32_t n, void (*release)(void *, struct buf *), void *arg)
{
    struct buf *b = malloc(sizeof *b);
    if (!b)
        return NULL;
    *b = (struct buf){.cap = n, .len = n, .data = data, .release = release, .arg = arg};
    atomic_init(&b->refs, 1);
    return b;
}

void buf_unref(struct buf *b)
{
    if (!b)
        return;
    /* The only holder needs no read-modify-write. */
    if (atomic_load_explicit(&b->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct buf_cache *c = b->cache;
    if (c && is_own(c) && c->count < c->max && b->cap == c->block && !mem_over()) {
        b->next = c->free;
        c->free = b;
        c->count++;
        return;
    }
    if (b->data == (char *)b + sizeof *b) {
        block_free(b);
        return;
    }
    if (b->release)
        b->release(b->arg, b);
    free(b);
}
