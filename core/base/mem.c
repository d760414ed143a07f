/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what traffic holds. */
#include "base/mem.h"

#include <stdlib.h>

struct mem_count mem_count;

void *mem_alloc(size_t n)
{
    void *p = malloc(n);
    if (p)
        atomic_fetch_add_explicit(&mem_count.held, n, memory_order_relaxed);
    return p;
}

void mem_free(void *p, size_t n)
{
    if (!p)
        return;
    free(p);
    atomic_fetch_sub_explicit(&mem_count.held, n, memory_order_relaxed);
}

void mem_bound(size_t bytes)
{
    atomic_store_explicit(&mem_count.bound, bytes, memory_order_relaxed);
}
