/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator: everything allocated from an arena is freed together. One thread at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>

#include "base/str.h"

struct arena_block;

/* Recycles arena blocks of one thread, so that an exchange costs no malloc. */
struct arena_cache {
    struct arena_block *free;
    unsigned count, max; /* blocks held now; blocks held at most */
    size_t block;        /* bytes of a standard block */
};

struct arena {
    char *at, *end;             /* free range of the current block */
    struct arena_block *blocks; /* newest first */
    struct arena_cache *cache;  /* or NULL: straight from malloc */
    size_t used;                /* bytes held, all blocks: the high-water mark */
    size_t limit;               /* refuse to hold more than this; 0: none */
    struct arena_cleanup *cleanups;
};

void arena_cache_init(struct arena_cache *, size_t block, unsigned max);
void arena_cache_fini(struct arena_cache *);
void arena_cache_trim(struct arena_cache *); /* gives up what waits for reuse */

void arena_init(struct arena *, struct arena_cache *cache);
/* Runs the cleanups (newest first), frees all. The arena may be used again. */
void arena_fini(struct arena *);

/* 16-byte aligned, not cleared. NULL when memory is out or the limit is reached. */
void *arena_alloc(struct arena *, size_t n) MUST_USE;
void *arena_zalloc(struct arena *, size_t n) MUST_USE;
/* At the beginning of a cache line, cleared: for what requests look up all over. */
#define CACHE_LINE 64u
void *arena_lines(struct arena *, size_t n) MUST_USE;
/* Not aligned, for text. */
char *arena_bytes(struct arena *, size_t n) MUST_USE;
/* Copies; the result has a NUL behind it that is not counted. p is NULL when memory is out (also for empty input p is non-NULL). */
str arena_str(struct arena *, str s) MUST_USE;
str arena_cat(struct arena *, unsigned n, const str *parts) MUST_USE;
str arena_printf(struct arena *, const char *fmt, ...) PRINTF(2, 3) MUST_USE;
str arena_vprintf(struct arena *, const char *fmt, va_list ap) MUST_USE;
char *arena_strz(struct arena *, str s) MUST_USE;
/* fn(arg) at arena_fini. */
int arena_cleanup(struct arena *, void (*fn)(void *), void *arg) MUST_USE;

#endif
