/* SPDX-License-Identifier: Apache-2.0 */
/* String hash map with a keyed hash (SipHash-1-3: keys come from strangers). One thread at a time; readers of a
 * map that no longer changes may be many. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot {
    uint64_t hash;
    str key; /* the caller's memory: must outlive the map, unless MAP_COPY */
    void *value;
};

struct map {
    struct map_slot *slots;
    uint32_t cap, count, used; /* used: count and tombstones */
    bool copy;                 /* keys are copied and owned */
    uint64_t k0, k1;
};

/* Process-wide random key, read once from getrandom(2): before main already, a further call changes nothing. */
void map_seed(void);
uint64_t map_hash(str key);
uint64_t map_ihash(str key); /* ASCII case-insensitive */
uint64_t map_siphash(uint64_t k0, uint64_t k1, str key, bool fold); /* SipHash-1-3; fold: as if in lower case */

void map_init(struct map *, bool copy_keys);
void map_fini(struct map *);
void *map_get(const struct map *, str key);
bool map_has(const struct map *, str key);
/* *old (may be NULL) gets the value that was replaced. E_NOMEM. */
int map_put(struct map *, str key, void *value, void **old) MUST_USE;
void *map_del(struct map *, str key); /* the value that was there, or NULL */
/* for (uint32_t i = 0; map_next(&m, &i, &key, &value);) */
bool map_next(const struct map *, uint32_t *i, str *key, void **value);

#endif
