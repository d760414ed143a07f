/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator on a chain of blocks; standard blocks are recycled through a per-thread cache. */
#include "base/arena.h"

#include <sys/mman.h>

#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(ARENA_ASAN)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN       16u
#define BLOCK_FIRST 4096u   /* without a cache: blocks grow from this ... */
#define BLOCK_LAST  262144u /* ... to this, by the bytes already held */
/* What has grown so large is conf that requests look things up in, here and there: with small pages they would pay more for finding the
 * page than for what is on it. */
#define BLOCK_HUGE ((size_t)2 << 20)

/* Header of a block; the bytes follow. */
struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
};
_Static_assert(sizeof(struct arena_block) == ALIGN, "the bytes behind the header are aligned");

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*fn)(void *);
    void *arg;
};

static char *block_bytes(struct arena_block *b)
{
    return (char *)b + sizeof *b;
}

void arena_cache_init(struct arena_cache *c, size_t block, unsigned max)
{
    if (block < 256)
        block = 256;
    *c = (struct arena_cache){.max = max, .block = (block + ALIGN - 1) & ~(size_t)(ALIGN - 1)};
}

void arena_cache_trim(struct arena_cache *c)
{
    while (c->free) {
        struct arena_block *b = c->free;
        c->free = b->next;
        SHOW(block_bytes(b), b->size - sizeof *b);
        mem_free(b, b->size);
    }
    c->count = 0;
}

void arena_cache_fini(struct arena_cache *c)
{
    arena_cache_trim(c);
}

static void block_free(struct arena_cache *c, struct arena_block *b)
{
    if (c && b->size == c->block && c->count < c->max && !mem_over()) {
        HIDE(block_bytes(b), b->size - sizeof *b);
        b->next = c->free;
        c->free = b;
        c->count++;
        return;
    }
    SHOW(block_bytes(b), b->size - sizeof *b);
    if (c) /* traffic's; others' are not counted */
        mem_free(b, b->size);
    else
        free(b);
}

static void *huge_alloc(size_t size)
{
    void *p = aligned_alloc(BLOCK_HUGE, size);
    if (p)
        (void)madvise(p, size, MADV_HUGEPAGE);
    return p;
}

/* A block of `size` bytes, header counted; NULL past the arena's limit or without memory. */
static struct arena_block *block_new(struct arena *a, size_t size)
{
    struct arena_cache *c = a->cache;
    struct arena_block *b;
    if (a->limit && (a->used >= a->limit || size > a->limit - a->used))
        return NULL;
    if (c && size == c->block && c->free) {
        b = c->free;
        c->free = b->next;
        c->count--;
    } else {
        b = c ? mem_alloc(size) : size % BLOCK_HUGE == 0 ? huge_alloc(size) : malloc(size);
        if (!b)
            return NULL;
        b->size = size;
        HIDE(block_bytes(b), size - sizeof *b);
    }
    b->next = NULL;
    a->used += size;
    return b;
}

static size_t standard_size(const struct arena *a)
{
    if (a->cache)
        return a->cache->block;
    size_t size = BLOCK_FIRST;
    while (size < a->used && size < BLOCK_LAST)
        size *= 2;
    /* Close to the limit a smaller block is better than a refusal. */
    if (a->limit && size > BLOCK_FIRST && size > a->limit - a->used)
        size = BLOCK_FIRST;
    return size;
}

void arena_init(struct arena *a, struct arena_cache *cache)
{
    *a = (struct arena){.cache = cache};
}

void arena_fini(struct arena *a)
{
    while (a->cleanups) {
        struct arena_cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        block_free(a->cache, b);
    }
    a->at = a->end = NULL;
    a->used = 0;
}

/* The size of a block for n bytes that the current one has no room for. *keep: that one goes on being filled. */
static size_t size_for(const struct arena *a, size_t n, bool *keep)
{
    size_t size = standard_size(a), own = n + sizeof(struct arena_block);
    if (!a->cache && !a->limit && (a->used >= BLOCK_HUGE || n >= BLOCK_HUGE / 2)) {
        size = (own + BLOCK_HUGE - 1) & ~(BLOCK_HUGE - 1);
        *keep = a->blocks && size - own < (size_t)(a->end - a->at);
        return size;
    }
    bool large = n > (size - sizeof(struct arena_block)) / 4;
    *keep = large && a->blocks;
    return large ? own : size;
}

static char *alloc_slow(struct arena *a, size_t n)
{
    bool keep;
    if (n > SIZE_MAX / 4)
        return NULL;
    struct arena_block *b = block_new(a, size_for(a, n, &keep));
    if (!b)
        return NULL;
    if (keep) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
        a->at = block_bytes(b) + n;
        a->end = (char *)b + b->size;
    }
    SHOW(block_bytes(b), n);
    return block_bytes(b);
}

void *arena_alloc(struct arena *a, size_t n)
{
    uintptr_t at = ((uintptr_t)a->at + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    if (n == 0)
        n = 1;
    if (UNLIKELY(!a->at || at > (uintptr_t)a->end || n > (uintptr_t)a->end - at)) {
        return alloc_slow(a, n);
    }
    char *p = a->at + (at - (uintptr_t)a->at);
    a->at = p + n;
    SHOW(p, n);
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p)
        memset(p, 0, n);
    return p;
}

void *arena_lines(struct arena *a, size_t n)
{
    char *p = n < SIZE_MAX - CACHE_LINE ? arena_zalloc(a, n + CACHE_LINE - ALIGN) : NULL;
    return p ? p + (-(uintptr_t)p & (CACHE_LINE - 1)) : NULL;
}

char *arena_bytes(struct arena *a, size_t n)
{
    if (n == 0)
        n = 1;
    if (UNLIKELY(!a->at || n > (size_t)(a->end - a->at)))
        return alloc_slow(a, n);
    char *p = a->at;
    a->at += n;
    SHOW(p, n);
    return p;
}

str arena_str(struct arena *a, str s)
{
    char *p = s.n < SIZE_MAX ? arena_bytes(a, s.n + 1) : NULL;
    if (!p)
        return STR_NONE;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return str_n(p, s.n);
}

str arena_cat(struct arena *a, unsigned n, const str *parts)
{
    size_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].n > SIZE_MAX / 2 - total)
            return STR_NONE;
        total += parts[i].n;
    }
    char *p = arena_bytes(a, total + 1), *at = p;
    if (!p)
        return STR_NONE;
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    *at = '\0';
    return str_n(p, total);
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    str out = STR_NONE;
    if (n >= 0 && (size_t)n < sizeof small) {
        out = arena_str(a, str_n(small, (size_t)n));
    } else if (n >= 0) {
        char *p = arena_bytes(a, (size_t)n + 1);
        if (p && vsnprintf(p, (size_t)n + 1, fmt, again) == n)
            out = str_n(p, (size_t)n);
    }
    va_end(again);
    return out;
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str out = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return out;
}

char *arena_strz(struct arena *a, str s)
{
    char *p = s.n < SIZE_MAX ? arena_bytes(a, s.n + 1) : NULL;
    if (!p)
        return NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

int arena_cleanup(struct arena *a, void (*fn)(void *), void *arg)
{
    struct arena_cleanup *c = arena_alloc(a, sizeof *c);
    if (!c)
        return E_NOMEM;
    *c = (struct arena_cleanup){.next = a->cleanups, .fn = fn, .arg = arg};
    a->cleanups = c;
    return 0;
}
