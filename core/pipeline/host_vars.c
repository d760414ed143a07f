/* SPDX-License-Identifier: Apache-2.0 */
/* Names of $context variables and their ids: written on the main thread while plugins load, read by
 * traffic threads without a lock. */
#include "pipeline/host_vars.h"

#include <stdatomic.h>

#include "base/map.h"
#include "pipeline/module.h"

#define SLOTS      (2 * HOST_VARIABLES_MAX) /* a power of two */
#define NAME_BYTES 128

struct var {
    uint64_t hash;
    uint32_t id;
    uint16_t n;
    char name[];
};

/* Entries are published with release and never change: a reader sees a whole entry or none. */
struct host_vars {
    struct var *_Atomic slots[SLOTS];
    struct var *_Atomic by_id[HOST_VARIABLES_MAX + 1];
    _Atomic uint32_t count;
};

struct host_vars *host_vars_new(void)
{
    return calloc(1, sizeof(struct host_vars));
}

void host_vars_free(struct host_vars *v)
{
    if (!v)
        return;
    for (uint32_t i = 1; i <= v->count; i++)
        free(v->by_id[i]);
    free(v);
}

static bool name_ok(str name)
{
    if (name.n == 0 || name.n > NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 0x20 || name.p[i] > 0x7e || strchr("${},\\\"'", name.p[i]))
            return false;
    return true;
}

/* The entry, or NULL with *free_slot where it would stand. */
static const struct var *find(const struct host_vars *v, str name, uint64_t hash,
                              uint32_t *free_slot)
{
    uint32_t at = (uint32_t)hash & (SLOTS - 1);
    for (;; at = (at + 1) & (SLOTS - 1)) {
        const struct var *e = atomic_load_explicit(&v->slots[at], memory_order_acquire);
        if (!e) {
            *free_slot = at;
            return NULL;
        }
        if (e->hash == hash && str_eq(str_n(e->name, e->n), name))
            return e;
    }
}

static uint32_t add(struct host_vars *v, str name, uint64_t hash, uint32_t slot)
{
    uint32_t count = atomic_load_explicit(&v->count, memory_order_relaxed);
    struct var *e = count < HOST_VARIABLES_MAX ? malloc(sizeof *e + name.n) : NULL;
    if (!e)
        return 0;
    *e = (struct var){.hash = hash, .id = count + 1, .n = (uint16_t)name.n};
    memcpy(e->name, name.p, name.n);
    atomic_store_explicit(&v->by_id[e->id], e, memory_order_release);
    atomic_store_explicit(&v->slots[slot], e, memory_order_release);
    atomic_store_explicit(&v->count, e->id, memory_order_release);
    return e->id;
}

uint32_t host_variable_id(struct module_registry *reg, str name)
{
    uint32_t slot;
    if (!name_ok(name))
        return 0;
    uint64_t hash = map_hash(name);
    const struct var *e = find(reg->vars, name, hash, &slot);
    return e ? e->id : add(reg->vars, name, hash, slot);
}

uint32_t host_variable_builtin(struct module_registry *reg, const char *name)
{
    return host_variable_id(reg, str_z(name));
}

uint32_t host_variable_lookup(const struct module_registry *reg, str name)
{
    uint32_t slot;
    if (name.n == 0 || name.n > NAME_BYTES)
        return 0;
    const struct var *e = find(reg->vars, name, map_hash(name), &slot);
    return e ? e->id : 0;
}

str host_variable_name(const struct module_registry *reg, uint32_t id)
{
    if (id == 0 || id > HOST_VARIABLES_MAX)
        return STR_NONE;
    const struct var *e = atomic_load_explicit(&reg->vars->by_id[id], memory_order_acquire);
    return e ? str_n(e->name, e->n) : STR_NONE;
}

uint32_t host_variable_count(const struct module_registry *reg)
{
    return atomic_load_explicit(&reg->vars->count, memory_order_acquire);
}
