/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of header names: an open-addressed table, filled with the known names before main() and by
 * plugins while they load. */
#include "http/hdr.h"

#include <stdatomic.h>

#define SLOTS 4096u /* four times the ids: short probes */
#define NAME_MAX_LEN 256u

/* A name's first and last eight bytes in lower case: up to 16 bytes they are the whole of it. */
struct key {
    uint64_t first, last;
};

struct id_name {
    str name;
    struct key key;
};

/* Written by the main thread while plugins load, which a reload does beside the traffic: a name
 * stands whole before its slot and the count are published with release, and never changes
 * afterwards. */
static struct id_name names[HDR_ID_MAX] = {
#define HDR(sym, text) [HDR_##sym] = {.name = {text, sizeof(text) - 1}},
#include "http/hdr_names.h"
#undef HDR
};
static _Atomic uint16_t slots[SLOTS];
static _Atomic uint32_t name_count = HDR_KNOWN;

/* ASCII lower case of eight bytes at once; bytes of other kinds stay as they are. */
static inline uint64_t lower8(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low7 = x & (ones * 0x7f);
    uint64_t above_z = low7 + ones * (0x7f - 'Z'), from_a = low7 + ones * (0x80 - 'A');
    uint64_t upper = ~x & (from_a ^ above_z) & (ones * 0x80);
    return x | (upper >> 2);
}

static inline uint64_t load8(const char *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline uint32_t load4(const char *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* 1 to 7 bytes, each of them at least once: for texts of one length, equal numbers are equal texts. */
static inline uint64_t load_part(const char *p, size_t n)
{
    if (n >= 4) return (uint64_t)load4(p) << 32 | load4(p + n - 4);
    return (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
}

static inline struct key key_of(str s)
{
    if (s.n < 8) return (struct key){.first = lower8(load_part(s.p, s.n))};
    return (struct key){lower8(load8(s.p)), lower8(load8(s.p + s.n - 8))};
}

static inline uint32_t slot_of(struct key k, size_t n)
{
    uint64_t h = k.first * UINT64_C(0x9e3779b97f4a7c15) ^ (k.last + n) * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32) & (SLOTS - 1);
}

static inline bool same_name(const struct id_name *a, str name, struct key k)
{
    if (a->name.n != name.n || a->key.first != k.first || a->key.last != k.last) return false;
    for (size_t i = 8; i + 8 < name.n; i += 8) {
        if (lower8(load8(a->name.p + i)) != lower8(load8(name.p + i))) return false;
    }
    return true;
}

static void insert(uint16_t id)
{
    uint32_t i = slot_of(names[id].key, names[id].name.n);
    while (atomic_load_explicit(&slots[i], memory_order_relaxed)) i = (i + 1) & (SLOTS - 1);
    atomic_store_explicit(&slots[i], id, memory_order_release);
}

__attribute__((constructor)) static void fill_known(void)
{
    for (uint16_t id = HDR_OTHER + 1; id < HDR_KNOWN; id++) {
        names[id].key = key_of(names[id].name);
        insert(id);
    }
}

uint16_t hdr_id_of(str name)
{
    if (name.n == 0) return HDR_OTHER;
    struct key k = key_of(name);
    for (uint32_t i = slot_of(k, name.n);; i = (i + 1) & (SLOTS - 1)) {
        uint16_t id = atomic_load_explicit(&slots[i], memory_order_acquire);
        if (id == 0) return HDR_OTHER;
        if (same_name(&names[id], name, k)) return id;
    }
}

str hdr_id_name(uint16_t id)
{
    return id > HDR_OTHER && id < atomic_load_explicit(&name_count, memory_order_acquire)
               ? names[id].name
               : STR_NONE;
}

uint16_t hdr_intern(str name)
{
    if (name.n > NAME_MAX_LEN || !hdr_name_ok(name)) return HDR_OTHER;
    uint16_t id = hdr_id_of(name);
    if (id != HDR_OTHER) return id;
    uint32_t count = atomic_load_explicit(&name_count, memory_order_relaxed);
    if (count >= HDR_ID_MAX) return HDR_OTHER;
    char *copy = str_dup(name); /* kept to the end of the process, as the id is */
    if (!copy) return HDR_OTHER;
    id = (uint16_t)count;
    names[id] = (struct id_name){.name = {copy, name.n}, .key = key_of(name)};
    atomic_store_explicit(&name_count, count + 1, memory_order_release);
    insert(id);
    return id;
}
