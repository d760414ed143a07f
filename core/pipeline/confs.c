/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled confs of plugins: made once per distinct content, shared by places and across reloads. Main thread. */
#include <sys/stat.h>

#include "model/schema.h"
#include "pipeline/host.h"
#include "pipeline/thread.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v;
    h *= 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 29);
}

static uint64_t mix_str(uint64_t h, str s)
{
    uint64_t v = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < s.n; i++)
        v = (v ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
    return mix(mix(h, v), s.n);
}

static uint64_t key_of(const struct conf_place *pl)
{
    uint64_t h = mix(pl->entry->mod->index + 1u, pl->node ? node_hash(pl->node) : 0);

    if (!(pl->entry->mod->desc.flags & SP_PLUGIN_PER_PLACE) && !pl->need_count)
        return h;
    h = mix_str(mix(h, pl->api->hash), pl->entry->id);
    h = mix(mix(h, pl->stage->index), pl->method ? pl->method->index + 1u : 0);
    return mix_str(h, pl->deployment ? pl->deployment->id : STR(""));
}

static void add_stamp(struct conf_obj *o, const char *path)
{
    struct conf_stamp *v = realloc(o->stamps, (o->stamp_count + 1) * sizeof(*v));
    struct stat st = {0};

    if (!v)
        return;
    o->stamps = v;
    (void)!stat(path, &st);
    v[o->stamp_count++] = (struct conf_stamp){strdup(path), st.st_mtim, st.st_ino, st.st_size};
}

/* The file that a scalar names, as the plugin will find it. */
static void stamp_file(struct conf_obj *o, const struct conf_place *pl, const struct node *n)
{
    struct diag unused;
    struct sp_errors errors = {&unused, pl->tree, pl->entry_node};
    struct sp_conf c = {.size = sizeof(c), .module = o->mod, .node = (const struct sp_node *)pl->node, .errors = &errors};
    char *path = n->text.n ? host_conf_api.path(&c, (const struct sp_node *)n, n->text) : NULL;

    if (path)
        add_stamp(o, path);
    free(path);
}

static void stamp_option(struct conf_obj *o, const struct conf_place *pl, const struct sp_option *opt, const struct node *n, unsigned depth)
{
    size_t stride = sizeof(struct sp_option);

    if (!n || depth > 12)
        return;
    if (opt->type == SP_OPT_FILE && node_is_scalar(n)) {
        stamp_file(o, pl, n);
    } else if (opt->type == SP_OPT_LIST || opt->type == SP_OPT_DICT) {
        for (unsigned i = 0; opt->sub && (n->type == NODE_LIST || n->type == NODE_MAP) && i < n->count; i++)
            stamp_option(o, pl, opt->sub, n->items[i], depth + 1);
    } else if (opt->type == SP_OPT_MAP) {
        for (const struct sp_option *s = opt->sub; s && s->key; s = (const void *)((const char *)s + stride))
            stamp_option(o, pl, s, node_getz(n, s->key), depth + 1);
    }
}

static void stamp(struct conf_obj *o, const struct conf_place *pl)
{
    for (unsigned i = 0; pl->node && i < o->mod->desc.noptions; i++) {
        const struct sp_option *opt = &o->mod->options[i];

        if (opt->key)
            stamp_option(o, pl, opt, node_getz(pl->node, opt->key), 0);
    }
}

bool conf_fresh(const struct conf_obj *o)
{
    for (unsigned i = 0; i < o->stamp_count; i++) {
        const struct conf_stamp *s = &o->stamps[i];
        struct stat st = {0};

        (void)!stat(s->path, &st);
        if (st.st_ino != s->ino || st.st_size != s->size || st.st_mtim.tv_sec != s->mtime.tv_sec ||
            st.st_mtim.tv_nsec != s->mtime.tv_nsec)
            return false;
    }
    return true;
}

static void conf_destroy(struct conf_obj *o)
{
    struct sp_module *m = o->mod;
    struct sp_conf c = {.size = sizeof(c), .module = m, .state = m->state, .conf = o->conf};

    if (!o->declined && m->desc.conf_free && m->desc.conf_create)
        m->desc.conf_free(&c);
    for (unsigned i = 0; i < o->stamp_count; i++)
        free(o->stamps[i].path);
    free(o->stamps);
    free(o);
}

static struct sp_place place_of(const struct conf_place *pl)
{
    bool per = (pl->entry->mod->desc.flags & SP_PLUGIN_PER_PLACE) || pl->need_count;
    struct sp_place s = {.size = sizeof(s), .api_type = pl->api->type, .entry = pl->entry->id};

    if (!per)
        return s;
    s.api = pl->api->id;
    s.stage = pl->stage->name;
    s.api_node = (const struct sp_node *)pl->api->node;
    s.stage_node = (const struct sp_node *)pl->stage->node;
    if (pl->method) {
        s.method = http_method_name((enum http_method)pl->method->method);
        s.route = pl->method->resource->path;
        s.method_node = (const struct sp_node *)pl->method->node;
    }
    s.needs = pl->needs;
    s.nneeds = pl->need_count;
    s.need_stride = sizeof(*pl->needs);
    return s;
}

/* What the option table refuses was told when the entries and the API were read; the plugin is not
 * asked about it. */
static bool options_ok(const struct sp_module *m, const struct conf_place *pl)
{
    struct diag told;

    diag_init(&told);
    int rc = pl->node ? module_check_options(m, pl->node, pl->tree, &told) : 0;
    diag_fini(&told);
    return rc == 0;
}

/* SP_OK, SP_DECLINE, or E_CONF with at least one error in the diag. */
static int create(struct pipeline *p, struct conf_obj *o, const struct conf_place *pl, struct diag *d)
{
    struct sp_module *m = o->mod;
    struct sp_place place = place_of(pl);
    struct sp_errors errors = {d, pl->tree, pl->node ? pl->node : pl->entry_node};
    struct sp_conf c = {.size = sizeof(c), .module = m, .state = m->state, .node = (const struct sp_node *)pl->node, .place = &place,
                        .errors = &errors};
    unsigned before = d->errors + d->repeated;
    char where[512];

    if (!options_ok(m, pl))
        return E_CONF;
    if (!m->desc.conf_create)
        return SP_OK;
    snprintf(where, sizeof(where), "%s:%u", node_file(pl->tree, errors.entry), errors.entry->line);
    if (p->breadcrumb)
        p->breadcrumb(m->desc.name, where);
    sp_status rc = m->desc.conf_create(&c);
    if (p->breadcrumb)
        p->breadcrumb(NULL, NULL);
    if (rc == SP_OK || rc == SP_DECLINE) {
        o->conf = rc == SP_OK ? c.conf : NULL;
        if (d->errors + d->repeated == before)
            return rc;
        if (rc == SP_OK && m->desc.conf_free)
            m->desc.conf_free(&c);
        return E_CONF;
    }
    if (d->errors + d->repeated == before)
        node_error(d, pl->tree, errors.entry, NULL, "the plugin `%s` refused its options (status %d) without saying why", m->desc.name,
                   (int)rc);
    return E_CONF;
}

static str key_view(const struct conf_obj *o)
{
    return str_n((const char *)&o->key, sizeof(o->key));
}

struct conf_obj *conf_obtain(struct pipeline *p, const struct conf_place *pl, struct diag *d)
{
    uint64_t key = key_of(pl);
    struct conf_obj *o = map_get(&p->confs, str_n((const char *)&key, sizeof(key)));
    int rc;

    if (o && o->mod == pl->entry->mod && conf_fresh(o)) {
        o->refs++;
        return o;
    }
    if (map_has(&p->refused, str_n((const char *)&key, sizeof(key))))
        return NULL;
    if (o)
        map_del(&p->confs, key_view(o)); /* stale: its users keep it, new ones get a new one */
    o = calloc(1, sizeof(*o));
    if (!o) {
        node_error(d, pl->tree, pl->entry_node, NULL, "out of memory");
        return NULL;
    }
    o->refs = 1;
    o->mod = pl->entry->mod;
    o->key = key;
    stamp(o, pl);
    rc = pl->node ? 0 : module_check_entry(o->mod, NULL, pl->entry_node, pl->tree, d); /* required options that nobody gave */
    if (rc == 0)
        rc = create(p, o, pl, d);
    o->declined = rc != SP_OK;
    if (rc < 0 || map_put(&p->confs, key_view(o), o, NULL) != 0) {
        if (rc >= 0 || map_put(&p->refused, key_view(o), o, NULL) != 0)
            node_error(d, pl->tree, pl->entry_node, NULL, "out of memory");
        conf_destroy(o);
        return NULL;
    }
    return o;
}

void conf_release(struct pipeline *p, struct conf_obj *o)
{
    if (--o->refs)
        return;
    if (map_get(&p->confs, key_view(o)) == o)
        map_del(&p->confs, key_view(o));
    conf_destroy(o);
}
