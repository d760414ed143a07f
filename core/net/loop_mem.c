/* SPDX-License-Identifier: Apache-2.0 */
/* libev aborts when it gets no memory, and it asks while it serves: its tables grow with the highest
 * descriptor and with the events of a turn. So some address space is set aside for that case. It takes
 * no memory until it is used, is never given back, and suffices for tens of thousands of descriptors. */
#include "net/loop_mem.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/shortage.h"
#include "net/loop.h"

#define SPARE ((size_t)4 << 20)
#define ALIGN 16u

static char *spare; /* NULL: none could be had */
static _Atomic size_t taken;

/* Pieces of the spare: their size stands in front of them. */
static bool is_spare(const void *p)
{
    return spare && (uintptr_t)p - (uintptr_t)spare < SPARE;
}

static size_t size_of(void *p)
{
    size_t n;
    if (!is_spare(p)) return malloc_usable_size(p);
    memcpy(&n, (char *)p - ALIGN, sizeof n);
    return n;
}

static void *from_spare(size_t n)
{
    size_t whole = (n + 2 * ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!spare || n > SPARE / 2) return NULL;
    size_t at = atomic_fetch_add_explicit(&taken, whole, memory_order_relaxed);
    if (at > SPARE - whole) return NULL;
    memcpy(spare + at, &n, sizeof n);
    return spare + at + ALIGN;
}

static void release(void *p)
{
    if (!is_spare(p)) free(p);
}

void *loop_mem_grow(void *p, long bytes)
{
    size_t n = (size_t)bytes;
    if (n == 0) {
        release(p);
        return NULL;
    }
    void *new = is_spare(p) ? malloc(n) : realloc(p, n);
    if (new && !is_spare(p)) return new;
    if (!new) {
        new = from_spare(n);
        if (!new) return NULL;
        shortage_note(SHORT_HEAP, SHORT_AT_LOOP, loop_clock_ms());
    }
    if (p) {
        size_t old = size_of(p);
        memcpy(new, p, old < n ? old : n);
        release(p);
    }
    return new;
}

static void init(void)
{
    void *p = mmap(NULL, SPARE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    spare = p == MAP_FAILED ? NULL : p;
    ev_set_allocator(loop_mem_grow);
}

void loop_mem_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init);
}
