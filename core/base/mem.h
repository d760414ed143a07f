/* SPDX-License-Identifier: Apache-2.0 */
/* What traffic holds: the blocks of exchanges and bodies, counted over the whole process, with a bound (limits.memory). Blocks that threads
 * keep for reuse count as held, so the count changes only where malloc is called anyway. Any thread. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/cc.h"

struct mem_count {
    _Atomic size_t held, bound; /* bytes; bound 0: none */
};
extern struct mem_count mem_count;

/* As malloc and free; n is the size that was asked for. */
void *mem_alloc(size_t n) MUST_USE;
void mem_free(void *, size_t n);
void mem_bound(size_t bytes);

static inline size_t mem_held(void) { return atomic_load_explicit(&mem_count.held, memory_order_relaxed); }
/* Is more held than may be? What asks then starts nothing new, and keeps nothing for reuse. */
static inline bool mem_over(void)
{
    size_t bound = atomic_load_explicit(&mem_count.bound, memory_order_relaxed);
    return UNLIKELY(bound != 0) && mem_held() > bound;
}

#endif
