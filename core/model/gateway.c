/* SPDX-License-Identifier: Apache-2.0 */
/* The main conf as data: reads it with all it includes, checks everything, and keeps what the
 * floors above need. */
#include "model/gateway.h"

#include "base/text.h"
#include "model/load.h"
#include "model/route.h"

static struct gateway *gateway_new(struct node_tree *tree)
{
    struct gateway *gw = arena_zalloc(&tree->arena, sizeof(*gw));

    if (gw)
        gw->tree = tree;
    return gw;
}

/* Equal content of every file, equal hash. */
static uint64_t hash_of(const struct gateway *gw)
{
    uint64_t h = node_hash(gw->root);

    for (unsigned i = 0; i < gw->api_count; i++)
        h = (h ^ gw->apis[i]->hash) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 32);
    return h;
}

static void load_all(struct load *ld, const char *path)
{
    struct node *root = load_main(ld, path);

    ld->gw->conf_file = load_str(ld, str_z(path));
    if (!root)
        return;
    ld->gw->root = root;
    load_environ(ld, root);
    schema_check(conf_table, root, ld->tree, ld->diag);
    load_settings(ld);
    load_listeners(ld);
    load_upstreams(ld);
    load_plugins(ld);
    load_order(ld);
    load_apis(ld);
    ld->gw->hash = hash_of(ld->gw);
}

struct gateway *gateway_load(const char *path, struct diag *d)
{
    return gateway_load_keep(path, NULL, d);
}

struct gateway *gateway_load_keep(const char *path, struct keep *keep, struct diag *d)
{
    struct load ld = {.diag = d, .tree = node_tree_new(), .keep = keep};
    unsigned before = d->errors;

    if (!ld.tree) {
        load_nomem(&ld);
        return NULL;
    }
    ld.arena = &ld.tree->arena;
    map_init(&ld.files, false);
    ld.gw = gateway_new(ld.tree);
    if (ld.gw)
        load_all(&ld, path);
    else
        load_nomem(&ld);
    map_fini(&ld.files);
    diag_sort(d);
    if (d->errors == before && !ld.nomem)
        return ld.gw;
    if (ld.gw)
        gateway_free(ld.gw);
    else
        node_tree_free(ld.tree);
    return NULL;
}

void gateway_free(struct gateway *gw)
{
    if (!gw)
        return;
    for (unsigned i = 0; i < gw->api_count; i++)
        api_unref(gw->apis[i]);
    node_tree_free(gw->tree);
}

const struct gw_upstream *gateway_upstream(const struct gateway *gw, str id)
{
    for (unsigned i = 0; i < gw->upstream_count; i++)
        if (str_eq(gw->upstreams[i].id, id))
            return &gw->upstreams[i];
    return NULL;
}

const struct gw_plugin *gateway_plugin(const struct gateway *gw, str id)
{
    for (unsigned i = 0; i < gw->plugin_count; i++)
        if (str_eq(gw->plugins[i].id, id))
            return &gw->plugins[i];
    return NULL;
}

void gateway_dump_schema(struct text *t, bool api_file)
{
    if (api_file)
        schema_dump(api_table, "Sallyport API file", t);
    else
        schema_dump(conf_table, "Sallyport gateway conf", t);
}
