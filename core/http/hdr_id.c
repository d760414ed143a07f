/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of header names: an open-addressed table, filled with the known names before main() and by
 * plugins while they load. */
#include "http/hdr.h"

#include <stdatomic.h>

#define SLOTS 4096u /* four times the ids: short probes */
#define NAME_MAX_LEN 256u

struct id_name {
    str name;
    uint32_t hash;
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

static inline uint32_t hash_name(str s)
{
    uint64_t a = s.n >= 8 ? load8(s.p) : load_part(s.p, s.n);
    uint64_t b = s.n >= 8 ? load8(s.p + s.n - 8) : 0;
    uint64_t h =
        lower8(a) * UINT64_C(0x9e3779b97f4a7c15) ^ (lower8(b) + s.n) * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

static inline bool same_name(str a, str b)
{
    if (a.n != b.n) return false;
    if (a.n < 8) return lower8(load_part(a.p, a.n)) == lower8(load_part(b.p, b.n));
    for (size_t i = 0; i + 8 < a.n; i += 8) {
        if (lower8(load8(a.p + i)) != lower8(load8(b.p + i))) return false;
    }
    return lower8(load8(a.p + a.n - 8)) == lower8(load8(b.p + b.n - 8));
}

static void insert(uint16_t id)
{
    uint32_t i = names[id].hash & (SLOTS - 1);
    while (atomic_load_explicit(&slots[i], memory_order_relaxed)) i = (i + 1) & (SLOTS - 1);
    atomic_store_explicit(&slots[i], id, memory_order_release);
}

__attribute__((constructor)) static void fill_known(void)
{
    for (uint16_t id = HDR_OTHER + 1; id < HDR_KNOWN; id++) {
        names[id].hash = hash_name(names[id].name);
        insert(id);
    }
}

uint16_t hdr_id_of(str name)
{
    if (name.n == 0) return HDR_OTHER;
    uint32_t h = hash_name(name);
    for (uint32_t i = h & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
        uint16_t id = atomic_load_explicit(&slots[i], memory_order_acquire);
        if (id == 0) return HDR_OTHER;
        if (names[id].hash == h && same_name(names[id].name, name)) return id;
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
    names[id] = (struct id_name){.name = {copy, name.n}, .hash = hash_name(name)};
    atomic_store_explicit(&name_count, count + 1, memory_order_release);
    insert(id);
    return id;
}
