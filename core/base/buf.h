/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted blocks of bytes and queues of slices into them: how bodies travel without copies.
 *
 * A block's count is atomic, so that a slice may be handed to another thread; its bytes are written only by
 * its one filler (the connection that reads into it) and are constant once a slice shows them. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdatomic.h>

#include "base/str.h"

struct iovec;

struct buf {
    _Atomic uint32_t refs;
    uint32_t cap;
    uint32_t len;                             /* bytes filled so far */
    uint32_t flags;                           /* BUF_* */
    struct buf_cache *cache;                  /* where a standard block goes back to (owner thread only), or NULL */
    struct buf *next;                         /* in a cache */
    char *data;                               /* behind this header, or foreign memory */
    void (*release)(void *arg, struct buf *); /* foreign memory: called when the last reference goes */
    void *arg;
};

/* Free list of standard blocks of one thread. */
struct buf_cache {
    struct buf *free;
    unsigned count, max;
    uint32_t block; /* data bytes of a standard block */
    void *thread;   /* identity of the owner: a block released elsewhere goes to free() instead */
    struct buf_cache *next_own; /* the owner's caches */
};

void buf_cache_init(struct buf_cache *, uint32_t block, unsigned max);
/* On the owner's thread, or after that thread has ended. Blocks that are still out go to free() when they are released:
 * a block's `cache` is compared with the caches that the releasing thread owns, and never followed otherwise. */
void buf_cache_fini(struct buf_cache *);
/* Gives up the blocks that wait for reuse. On the owner's thread. */
void buf_cache_trim(struct buf_cache *);
/* Call once on the thread that will use the cache, before its first buf_get. */
void buf_cache_adopt(struct buf_cache *);

/* One reference, owned by the caller; NULL when memory is out. n 0: a standard block of the cache. */
struct buf *buf_get(struct buf_cache *, uint32_t n) MUST_USE;
/* Shows foreign memory; release runs on whichever thread drops the last reference. */
struct buf *buf_wrap(char *data, uint32_t n, void (*release)(void *, struct buf *), void *arg) MUST_USE;
static inline struct buf *buf_ref(struct buf *b) { atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); return b; }
void buf_unref(struct buf *);

/* A view of bytes that keeps its block alive. b NULL: constant memory that outlives everyone. */
struct slice {
    struct buf *b;
    const char *p;
    uint32_t n;
};

/* FIFO of slices. Small queues live in place, larger ones in one heap ring. Not to be copied: v may point inside. */
#define BUFQ_INLINE 2
struct bufq {
    struct slice *v; /* ring; == in_place while small */
    uint32_t cap, head, count;
    uint64_t bytes; /* sum of the slices' n */
    struct slice in_place[BUFQ_INLINE];
};

static inline void bufq_init(struct bufq *q)
{
    q->v = q->in_place;
    q->cap = BUFQ_INLINE;
    q->head = q->count = 0;
    q->bytes = 0;
}
void bufq_drop(struct bufq *); /* bufq_clear, where there is something to do */
/* Drops every slice and the heap ring. */
static inline void bufq_clear(struct bufq *q)
{
    if (q->count || q->v != q->in_place)
        bufq_drop(q);
}
/* Takes over s.b's reference on success; on E_NOMEM the caller still holds it. Empty slices are dropped. */
int bufq_push(struct bufq *, struct slice s) MUST_USE;
/* As bufq_push, with a reference of its own. */
int bufq_push_ref(struct bufq *, struct slice s) MUST_USE;
/* Copies the bytes into blocks of the cache, filling the last block further where nobody else holds it. On E_NOMEM
 * nothing was copied. */
int bufq_copy(struct bufq *, struct buf_cache *, str bytes) MUST_USE;
/* Moves every slice of `from` to the end of `to`; on E_NOMEM none. */
int bufq_move(struct bufq *to, struct bufq *from) MUST_USE;
/* Fills at most max iovecs with the first bytes; returns how many. */
unsigned bufq_iov(const struct bufq *, struct iovec *v, unsigned max);
/* Forgets the first n bytes, n <= bytes. */
void bufq_drain(struct bufq *, uint64_t n);
/* First slice without removing it; false when empty. */
bool bufq_peek(const struct bufq *, struct slice *out);
/* Takes the first slice out; the caller owns its reference. */
bool bufq_pop(struct bufq *, struct slice *out);
/* The i-th slice (0 first). */
const struct slice *bufq_at(const struct bufq *, uint32_t i);

#endif
