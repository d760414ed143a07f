/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of `plugins:`: their modules are loaded, their options checked, their places in the order found. */
#include "model/schema.h"
#include "pipeline/metric.h"
#include "pipeline/thread.h"

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)p)[i]) * 0x100000001b3ull;
    return h;
}

static uint64_t mix_str(uint64_t h, str s)
{
    return mix(mix(h, &s.n, sizeof(s.n)), s.p, s.n);
}

static uint64_t entries_hash(const struct gateway *gw)
{
    uint64_t h = 0xcbf29ce484222325ull;

    for (unsigned i = 0; i < gw->plugin_count; i++) {
        const struct gw_plugin *g = &gw->plugins[i];
        uint64_t parts[] = {g->with ? node_hash(g->with) : 0, (uint64_t)g->timeout, g->shadow, g->on_error, g->on_crash, g->enabled};

        h = mix_str(mix_str(mix_str(mix_str(h, g->use), g->id), g->path), g->sha256);
        h = mix(h, parts, sizeof(parts));
    }
    for (unsigned t = 0; t < API_TYPES; t++)
        h = mix(mix(h, &gw->order_count[t], sizeof(unsigned)), gw->order[t], gw->order_count[t] * sizeof(unsigned));
    return h;
}

static void check_policy(const struct gateway *gw, const struct gw_plugin *g, const struct sp_module *m, struct diag *d)
{
    const struct node *on_error = node_getz(g->node, "on_error"), *on_crash = node_getz(g->node, "on_crash");

    if (g->on_crash == 1)
        node_error(d, gw->tree, on_crash, "`fail`", "`on_crash: skip` is not supported by this version");
    if (!(m->desc.flags & SP_PLUGIN_GUARD))
        return;
    if (g->on_error == 1)
        node_error(d, gw->tree, on_error, "`close`", "`on_error: allow` is refused for the guard `%.*s`", STR_ARG(g->use));
}

static int fill_entry(struct pipeline *p, struct entry_set *es, struct entry *e, struct gateway *gw, unsigned i, struct diag *d)
{
    const struct gw_plugin *g = &gw->plugins[i];
    const char *file = node_file(gw->tree, g->node);

    e->id = arena_str(&es->arena, g->id);
    e->file = arena_str(&es->arena, str_z(file));
    if (!e->id.p || !e->file.p)
        return E_NOMEM;
    e->line = g->node->line;
    e->index = (uint16_t)(e - es->v);
    e->timeout_ms = (uint32_t)g->timeout;
    e->shadow = g->shadow;
    e->allow = g->on_error == 1;
    for (unsigned t = 0; t < API_TYPES; t++) {
        e->pos[t] = ENTRY_UNORDERED;
        for (unsigned k = 0; k < gw->order_count[t]; k++)
            if (gw->order[t][k] == i)
                e->pos[t] = (uint16_t)k;
    }
    char *path = g->path.n ? arena_strz(&es->arena, g->path) : NULL;
    e->mod = module_load(p->modules, g->use, path, g->sha256, gw->plugin_dirs, gw->plugin_dir_count, gw->tree, g->node, d);
    if (!e->mod)
        return E_CONF;
    e->ctx_size = e->mod->desc.ctx_size;
    e->has_end = e->mod->desc.exchange_end != NULL;
    check_policy(gw, g, e->mod, d);
    if (g->with)
        module_check_options(e->mod, g->with, gw->tree, d);
    str labels[] = {g->use, g->id};
    e->m_misuse = metric_series(p->metrics, p->m_misuse, labels, 2);
    e->m_shadow = metric_series(p->metrics, p->m_shadow, labels, 2);
    e->m_allowed = metric_series(p->metrics, p->m_allowed, labels, 2);
    return 0;
}

struct entry_set *entries_build(struct pipeline *p, struct gateway *gw, struct entry_set *old, struct diag *d)
{
    uint64_t hash = entries_hash(gw);
    unsigned before = d->errors;

    if (old && old->hash == hash)
        return entries_ref(old);
    struct entry_set *es = calloc(1, sizeof(*es));
    if (!es)
        return NULL;
    arena_init(&es->arena, NULL);
    atomic_init(&es->refs, 1);
    es->hash = hash;
    es->v = arena_zalloc(&es->arena, (gw->plugin_count + 1) * sizeof(*es->v));
    for (unsigned i = 0; es->v && i < gw->plugin_count; i++) {
        if (!gw->plugins[i].enabled)
            continue;
        int rc = fill_entry(p, es, &es->v[es->n], gw, i, d);
        if (rc == E_NOMEM)
            diag_error(d, node_where(gw->tree, gw->plugins[i].node), "plugins", NULL, "out of memory");
        if (rc == 0)
            es->n++;
    }
    if (es->v && d->errors == before)
        return es;
    entries_unref(es);
    return NULL;
}

struct entry_set *entries_ref(struct entry_set *es)
{
    atomic_fetch_add_explicit(&es->refs, 1, memory_order_relaxed);
    return es;
}

void entries_unref(struct entry_set *es)
{
    if (!es || atomic_fetch_sub_explicit(&es->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_fini(&es->arena);
    free(es);
}

const struct entry *entries_find(const struct entry_set *es, str id)
{
    for (unsigned i = 0; i < es->n; i++)
        if (str_eq(es->v[i].id, id))
            return &es->v[i];
    return NULL;
}
