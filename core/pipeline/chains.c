/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks that apply at one place: effective options of every entry, compiled confs, capabilities; equal chains are shared. */
#include "model/schema.h"
#include "pipeline/thread.h"

static void overlay(struct effective *ef, const struct api_plugin *v, unsigned n, str id, struct node_tree *tree)
{
    for (unsigned i = 0; i < n; i++) {
        if (!str_eq(v[i].id, id))
            continue;
        ef->here = true;
        ef->disabled = v[i].disabled;
        if (v[i].with)
            ef->node = v[i].with, ef->tree = tree;
    }
}

/* The innermost options win whole; plugins never merge. */
struct effective chains_effective(const struct gateway *gw, const struct api *a, const struct entry *e, const struct place *pl)
{
    const struct gw_plugin *g = gateway_plugin(gw, e->id);
    struct effective ef = {.node = g->with, .tree = gw->tree, .entry_node = g->node};

    overlay(&ef, a->plugins, a->plugin_count, e->id, a->tree);
    overlay(&ef, pl->stage->plugins, pl->stage->plugin_count, e->id, a->tree);
    if (pl->deployment)
        overlay(&ef, pl->deployment->plugins, pl->deployment->plugin_count, e->id, a->tree);
    if (pl->method) {
        overlay(&ef, pl->method->resource->plugins, pl->method->resource->plugin_count, e->id, a->tree);
        overlay(&ef, pl->method->plugins, pl->method->plugin_count, e->id, a->tree);
    }
    return ef;
}

void chains_check_names(struct compiler *c, const struct api_plugin *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct entry *e = entries_find(c->u->entries, v[i].id);
        const char *names[256];
        unsigned count = 0;

        if (e) {
            if (v[i].with)
                module_check_options(e->mod, v[i].with, c->u->api->tree, c->diag);
            continue;
        }
        for (unsigned k = 0; k < c->u->entries->n && count < 256; k++)
            names[count++] = c->u->entries->v[k].id.p;
        const char *near = diag_nearest(v[i].id, names, count);
        struct diag_at at = node_where(c->u->api->tree, v[i].node);
        str what = arena_printf(&c->u->arena, "no entry of `plugins:` has the id `%.*s`", STR_ARG(v[i].id));
        diag_add(c->diag, DIAG_ERROR, at, STR("x-sallyport-plugins"), what, STR("the id of a loaded plugin"), near ? str_z(near) : STR_NONE);
    }
}

static int keep_conf(struct unit *u, struct conf_obj *o)
{
    if (u->conf_count == u->conf_cap) {
        unsigned cap = u->conf_cap ? u->conf_cap * 2 : 16;
        struct conf_obj **v = realloc(u->confs, cap * sizeof(*v));
        if (!v)
            return E_NOMEM;
        u->confs = v;
        u->conf_cap = cap;
    }
    u->confs[u->conf_count++] = o;
    return 0;
}

struct need_list {
    struct sp_need v[16];
    unsigned n;
    bool met[16];
};

static void needs_of(const struct place *pl, struct need_list *nl)
{
    const char *const *names = (const char *const *)(pl->method ? pl->method->needs : pl->stage->needs);
    const struct node **nodes = pl->method ? pl->method->needs_node : pl->stage->needs_node;

    nl->n = 0;
    for (unsigned i = 0; names && names[i] && nl->n < ARRAY_LEN(nl->v); i++) {
        nl->met[nl->n] = false;
        nl->v[nl->n++] = (struct sp_need){names[i], (const struct sp_node *)nodes[i], NULL};
    }
}

/* Those of the place's needs that this entry is the first to provide. */
static unsigned provided_by(const struct entry *e, struct need_list *nl, struct sp_need *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nl->n; i++)
        if (!nl->met[i] && module_provides(e->mod, nl->v[i].capability)) {
            nl->met[i] = true;
            out[n++] = nl->v[i];
        }
    return n;
}

static void append(struct chain *ch, unsigned max, struct hook_ref h)
{
    if (ch->n < max)
        ch->v[ch->n++] = h;
}

static void reverse(struct chain *ch)
{
    for (unsigned i = 0; i < ch->n / 2; i++) {
        struct hook_ref t = ch->v[i];
        ch->v[i] = ch->v[ch->n - 1 - i];
        ch->v[ch->n - 1 - i] = t;
    }
}

static uint64_t chains_hash(const struct chains *c)
{
    uint64_t h = 14695981039346656037ull;

    for (unsigned p = 1; p < HOOK_POINTS; p++) {
        h = (h ^ c->at[p].n) * 0x100000001b3ull;
        for (unsigned i = 0; i < c->at[p].n; i++)
            h = (h ^ (uintptr_t)c->at[p].v[i].conf ^ ((uintptr_t)c->at[p].v[i].e << 7)) * 0x100000001b3ull;
    }
    return h;
}

static bool chains_equal(const struct chains *a, const struct chains *b)
{
    for (unsigned p = 1; p < HOOK_POINTS; p++) {
        if (a->at[p].n != b->at[p].n)
            return false;
        for (unsigned i = 0; i < a->at[p].n; i++)
            if (a->at[p].v[i].conf != b->at[p].v[i].conf || a->at[p].v[i].e != b->at[p].v[i].e)
                return false;
    }
    return true;
}

/* The unit's own copy, or an equal one that it has. */
static const struct chains *intern(struct unit *u, struct chains *made)
{
    made->hash = chains_hash(made);
    for (struct chains *c = u->chains; c; c = c->next)
        if (c->hash == made->hash && chains_equal(c, made))
            return c;
    struct chains *c = arena_zalloc(&u->arena, sizeof(*c));
    if (!c)
        return NULL;
    c->hash = made->hash;
    for (unsigned p = 1; p < HOOK_POINTS; p++) {
        size_t bytes = made->at[p].n * sizeof(struct hook_ref);
        if (!bytes)
            continue;
        c->at[p].v = arena_alloc(&u->arena, bytes);
        if (!c->at[p].v)
            return NULL;
        memcpy(c->at[p].v, made->at[p].v, bytes);
        c->at[p].n = made->at[p].n;
    }
    c->next = u->chains;
    u->chains = c;
    return c;
}

/* One entry at one place. */
static int place_entry(struct compiler *c, const struct entry *e, const struct place *pl, struct need_list *nl, struct chains *made,
                       struct hook_ref *integration)
{
    struct sp_need mine[16];
    struct effective ef = chains_effective(c->gw, c->u->api, e, pl);
    struct conf_place cp = {.entry = e, .api = c->u->api, .stage = pl->stage, .deployment = pl->deployment, .method = pl->method,
                            .node = ef.node, .tree = ef.tree, .entry_node = ef.entry_node, .needs = mine};

    if (ef.disabled)
        return 0;
    cp.need_count = provided_by(e, nl, mine);
    struct conf_obj *o = conf_obtain(c->p, &cp, c->diag);
    if (!o)
        return E_CONF;
    if (keep_conf(c->u, o) != 0) {
        conf_release(c->p, o);
        return E_NOMEM;
    }
    if (o->declined) {
        for (unsigned i = 0; i < cp.need_count; i++)
            node_error(c->diag, c->u->api->tree, (const struct node *)mine[i].node, NULL,
                       "the plugin `%s` declined the capability `%s` asked for here", e->mod->desc.name, mine[i].capability);
        return 0;
    }
    for (unsigned p = 1; p < HOOK_POINTS; p++) {
        const struct sp_hook *h = module_hook(e->mod, p);
        struct hook_ref ref = {h ? h->fn : NULL, o->conf, e};
        if (!h)
            continue;
        if (p != SP_HP_INTEGRATION)
            append(&made->at[p], c->u->entries->n, ref);
        else
            for (unsigned i = 0; i < cp.need_count; i++)
                if (!strncmp(mine[i].capability, "integration:", 12))
                    *integration = ref;
    }
    return 0;
}

static void report_unmet(struct compiler *c, const struct need_list *nl)
{
    for (unsigned i = 0; i < nl->n; i++)
        if (!nl->met[i])
            node_error(c->diag, c->u->api->tree, (const struct node *)nl->v[i].node, "a plugin that provides it, loaded and in `order:`",
                       "needs the capability `%s`, which no loaded plugin provides", nl->v[i].capability);
}

const struct chains *chains_of(struct compiler *c, const struct place *pl, struct hook_ref *integration)
{
    const struct entry_set *es = c->u->entries;
    enum api_type type = c->u->api->type;
    struct chains made = {0};
    struct need_list nl;
    struct hook_ref *room = calloc((es->n + 1) * HOOK_POINTS, sizeof(*room));
    int rc = room ? 0 : E_NOMEM;

    for (unsigned p = 1; p < HOOK_POINTS && room; p++)
        made.at[p].v = room + (size_t)p * es->n;
    needs_of(pl, &nl);
    for (unsigned pos = 0; pos < es->n + c->gw->plugin_count && rc != E_NOMEM; pos++)
        for (unsigned i = 0; i < es->n && rc != E_NOMEM; i++)
            if (es->v[i].pos[type] == pos)
                rc = place_entry(c, &es->v[i], pl, &nl, &made, integration);
    report_unmet(c, &nl);
    reverse(&made.at[SP_HP_RESPONSE]);
    reverse(&made.at[SP_HP_RESPONSE_BODY]);
    const struct chains *out = rc == E_NOMEM ? NULL : intern(c->u, &made);
    free(room);
    if (!out)
        diag_error(c->diag, (struct diag_at){0}, "", NULL, "out of memory");
    return out;
}
