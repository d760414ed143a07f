/* SPDX-License-Identifier: Apache-2.0 */
/* String hash map, open addressing with linear probing, keyed by SipHash-1-3 so that strangers
 * cannot aim collisions. */
#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#define FIRST   16u
#define CAP_MAX (1u << 30)

/* A slot is free when key.p is NULL: never used (hash 0) or deleted (hash 1). */
enum { NEVER = 0, DELETED = 1 };

/* Written once, before main, and only read afterwards. */
static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void read_seed(void)
{
    char *at = (char *)seed;
    for (size_t have = 0; have < sizeof seed;) {
        ssize_t n = getrandom(at + have, sizeof seed - have, 0);
        if (n > 0)
            have += (size_t)n;
        else if (errno != EINTR)
            BUG("no random bytes for the hash key");
    }
}

/* As a constructor too: a hash must never be taken with two different keys. */
__attribute__((constructor)) void map_seed(void)
{
    pthread_once(&seed_once, read_seed);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int n)
{
    return (x << n) | (x >> (64 - n));
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1, s->v1 = rotl(s->v1, 13), s->v1 ^= s->v0, s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3, s->v3 = rotl(s->v3, 16), s->v3 ^= s->v2;
    s->v0 += s->v3, s->v3 = rotl(s->v3, 21), s->v3 ^= s->v0;
    s->v2 += s->v1, s->v1 = rotl(s->v1, 17), s->v1 ^= s->v2, s->v2 = rotl(s->v2, 32);
}

static inline uint64_t little_endian(uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(x);
#else
    return x;
#endif
}

/* Lower-cases the ASCII letters of eight bytes at once. */
static inline uint64_t fold8(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low7 = x & (0x7f * ones);
    uint64_t above = low7 + (0x7f - 'Z') * ones; /* high bit: above 'Z' */
    uint64_t from = low7 + (0x80 - 'A') * ones;  /* high bit: 'A' and above */
    uint64_t upper = from & ~above & ~x & (0x80 * ones);
    return x | (upper >> 2);
}

uint64_t map_siphash(uint64_t k0, uint64_t k1, str key, bool fold)
{
    struct sip s = {.v0 = UINT64_C(0x736f6d6570736575) ^ k0,
                    .v1 = UINT64_C(0x646f72616e646f6d) ^ k1,
                    .v2 = UINT64_C(0x6c7967656e657261) ^ k0,
                    .v3 = UINT64_C(0x7465646279746573) ^ k1};
    size_t i = 0;
    uint64_t word;
    for (; i + 8 <= key.n; i += 8) {
        memcpy(&word, key.p + i, 8);
        if (fold)
            word = fold8(word);
        word = little_endian(word);
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    word = 0;
    if (i < key.n)
        memcpy(&word, key.p + i, key.n - i);
    if (fold)
        word = fold8(word);
    word = little_endian(word) | (uint64_t)key.n << 56;
    s.v3 ^= word;
    sip_round(&s);
    s.v0 ^= word;
    s.v2 ^= 0xff;
    for (int n = 0; n < 3; n++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t map_hash(str key)
{
    return map_siphash(seed[0], seed[1], key, false);
}

uint64_t map_ihash(str key)
{
    return map_siphash(seed[0], seed[1], key, true);
}

void map_init(struct map *m, bool copy_keys)
{
    map_seed();
    *m = (struct map){.copy = copy_keys, .k0 = seed[0], .k1 = seed[1]};
}

static void key_free(const struct map *m, const struct map_slot *s)
{
    if (m->copy && s->key.p)
        free((void *)(uintptr_t)s->key.p);
}

void map_fini(struct map *m)
{
    for (uint32_t i = 0; i < m->cap; i++)
        key_free(m, &m->slots[i]);
    free(m->slots);
    map_init(m, m->copy);
}

static uint64_t hash_of(const struct map *m, str key)
{
    return map_siphash(m->k0, m->k1, key, false);
}

static struct map_slot *find(const struct map *m, uint64_t hash, str key)
{
    if (m->count == 0)
        return NULL;
    for (uint32_t i = (uint32_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key.p) {
            if (s->hash == NEVER)
                return NULL;
        } else if (s->hash == hash && str_eq(s->key, key)) {
            return s;
        }
    }
}

static struct map_slot *first_free(struct map_slot *slots, uint32_t cap, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (cap - 1);
    while (slots[i].key.p)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

/* Room for one more at a load of at most 3/4; deleted slots vanish on the way. */
static int grow(struct map *m)
{
    if (m->cap && m->used < m->cap - m->cap / 4)
        return 0;
    uint32_t cap = m->cap ? m->cap : FIRST;
    while (m->count >= cap / 2)
        cap *= 2;
    if (cap > CAP_MAX)
        return E_NOMEM;
    struct map_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return E_NOMEM;
    for (uint32_t i = 0; i < m->cap; i++) {
        struct map_slot *s = &m->slots[i];
        if (s->key.p)
            *first_free(slots, cap, s->hash) = *s;
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    m->used = m->count;
    return 0;
}

void *map_get(const struct map *m, str key)
{
    struct map_slot *s = m->count ? find(m, hash_of(m, key), key) : NULL;
    return s ? s->value : NULL;
}

bool map_has(const struct map *m, str key)
{
    return m->count && find(m, hash_of(m, key), key) != NULL;
}

int map_put(struct map *m, str key, void *value, void **old)
{
    uint64_t hash = hash_of(m, key);
    struct map_slot *s = find(m, hash, key);
    if (old)
        *old = s ? s->value : NULL;
    if (s) {
        s->value = value;
        return 0;
    }
    if (grow(m) != 0)
        return E_NOMEM;
    if (m->copy)
        key.p = str_dup(key);
    else if (key.n == 0)
        key.p = ""; /* NULL marks a free slot */
    if (!key.p)
        return E_NOMEM;
    s = first_free(m->slots, m->cap, hash);
    if (s->hash == NEVER)
        m->used++;
    *s = (struct map_slot){.hash = hash, .key = key, .value = value};
    m->count++;
    return 0;
}

void *map_del(struct map *m, str key)
{
    struct map_slot *s = m->count ? find(m, hash_of(m, key), key) : NULL;
    if (!s)
        return NULL;
    void *value = s->value;
    key_free(m, s);
    *s = (struct map_slot){.hash = DELETED};
    m->count--;
    return value;
}

bool map_next(const struct map *m, uint32_t *i, str *key, void **value)
{
    while (*i < m->cap) {
        const struct map_slot *s = &m->slots[(*i)++];
        if (!s->key.p)
            continue;
        if (key)
            *key = s->key;
        if (value)
            *value = s->value;
        return true;
    }
    return false;
}
