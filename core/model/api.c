/* SPDX-License-Identifier: Apache-2.0 */
/* An API file as data: its type, definition, deployments, and the entries of x-sallyport-plugins.
 */
#include "model/api.h"

#include "model/load.h"
#include "model/route.h"

const char *api_type_name(enum api_type t)
{
    static const char *const names[] = {"REST", "HTTP", "WEBSOCKET"};

    return (unsigned)t < ARRAY_LEN(names) ? names[t] : "?";
}

struct api *api_ref(struct api *api)
{
    atomic_fetch_add_explicit(&api->refs, 1, memory_order_relaxed);
    return api;
}

void api_unref(struct api *api)
{
    if (api && atomic_fetch_sub_explicit(&api->refs, 1, memory_order_acq_rel) == 1)
        node_tree_free(api->tree);
}

const struct stage *api_stage(const struct api *api, str name)
{
    for (unsigned i = 0; i < api->stage_count; i++)
        if (str_eq(api->stages[i].name, name))
            return &api->stages[i];
    return NULL;
}

/* Options at a place: a map; nothing: the entry without options there; {enabled: false}: not there.
 */
static bool read_plugin(struct load *ld, const struct node *key, const struct node *value,
                        struct api_plugin *p)
{
    const struct node *enabled = node_getz(value, "enabled");
    int64_t on = 1;

    *p = (struct api_plugin){.node = key, .id = key->text};
    if (load_plugin_index(ld, p->id) < 0) {
        load_plugin_unknown(ld, key, value);
        return false;
    }
    if (value->type == NODE_NULL)
        return true;
    if (value->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, value, "a map of the plugin's options, or {enabled: false}",
                   "is %s", node_article(value));
        return false;
    }
    if (enabled && value->count == 1 &&
        scalar_i64(&(const struct schema){.type = S_BOOL}, enabled, &on) == 0 && !on)
        p->disabled = true;
    else
        p->with = value;
    return true;
}

void load_api_plugins(struct load *ld, const struct node *n, struct api_plugin **out,
                      unsigned *count)
{
    *count = 0;
    *out = NULL;
    if (!n || n->type == NODE_NULL)
        return;
    if (n->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, n, "a map from entries of `plugins` to their options",
                   "is %s", node_article(n));
        return;
    }
    *out = LOAD_NEW(ld, struct api_plugin, n->count);
    for (uint32_t i = 0; *out && i < n->count; i++)
        if (read_plugin(ld, n->keys[i], n->items[i], &(*out)[*count]))
            ++*count;
}

/* The one of definition, openapi, upstream that is there; an error for none and for more than one.
 */
static const struct node *definition(struct load *ld, const struct node *root, const char **which)
{
    static const char *const words[] = {"definition", "openapi", "upstream"};
    const struct node *found = NULL;

    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        const struct node *n = node_getz(root, words[i]);

        if (!n)
            continue;
        if (found) {
            node_error(ld->diag, ld->tree, node_key(root, str_z(words[i])),
                       "one of definition, openapi, upstream", "`%s` stands beside `%s`", words[i],
                       *which);
            continue;
        }
        found = n;
        *which = words[i];
    }
    if (!found)
        node_error(ld->diag, ld->tree, root, "one of definition, openapi, upstream",
                   "the API has no definition");
    return found;
}

static struct deployment *deployment_add(struct load *ld, struct api *api, str id)
{
    struct deployment *d = LOAD_NEW(ld, struct deployment, 1);

    if (!d)
        return NULL;
    d->id = id;
    api->deployments[api->deployment_count++] = d;
    return d;
}

static void load_document(struct load *ld, struct api *api, struct deployment *dep,
                          const struct node *doc)
{
    dep->doc = doc;
    dep->doc_file = str_z(node_file(ld->tree, doc));
    if (doc->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, doc, "an OpenAPI 3 document", "is %s", node_article(doc));
        return;
    }
    load_openapi(ld, api, dep, doc);
}

static void load_definition(struct load *ld, struct api *api, str id, const struct node *name)
{
    struct deployment *dep;
    struct node *doc;
    const char *path;

    if (name->type != NODE_STRING || name->text.n == 0 || !(dep = deployment_add(ld, api, id)))
        return;
    path = load_path(ld, name);
    if (!path)
        return;
    if (map_put(&ld->docs, str_z(path), dep, NULL))
        load_nomem(ld);
    doc = load_file(ld, path, name);
    if (doc)
        load_document(ld, api, dep, doc);
}

static bool deployment_name_ok(str s)
{
    return id_ok(s, true) && !str_eqz(s, "latest");
}

static void load_older(struct load *ld, struct api *api, const struct node *map, const char *which)
{
    if (map && which && strcmp(which, "upstream") == 0) {
        node_error(ld->diag, ld->tree, map, NULL,
                   "an API with `upstream` has no further deployments");
        return;
    }
    for (uint32_t i = 0; map && map->type == NODE_MAP && i < map->count; i++) {
        if (!deployment_name_ok(map->keys[i]->text))
            node_error(ld->diag, ld->tree, map->keys[i], name_expected,
                       str_eqz(map->keys[i]->text, "latest")
                           ? "'%.*s' is the name of the file's own definition"
                           : "'%.*s' is not a valid name",
                       STR_ARG(str_take(map->keys[i]->text, 80)));
        else
            load_definition(ld, api, map->keys[i]->text, map->items[i]);
    }
}

static void load_deployments(struct load *ld, struct api *api, const char *which,
                             const struct node *def)
{
    const struct node *older = node_getz(api->node, "deployments");
    const struct node *timeout = node_getz(api->node, "timeout");
    struct deployment *dep;

    if (timeout && def && strcmp(which, "upstream") != 0)
        node_error(ld->diag, ld->tree, timeout, "timeoutInMillis in the document's integrations",
                   "`timeout` belongs to `upstream`");

    api->deployments = LOAD_NEW(ld, struct deployment *, 1 + (older ? older->count : 0));
    if (!api->deployments)
        return;
    if (def && strcmp(which, "definition") == 0) {
        load_definition(ld, api, STR("latest"), def);
    } else if (def && (dep = deployment_add(ld, api, STR("latest")))) {
        if (strcmp(which, "openapi") == 0)
            load_document(ld, api, dep, def);
        else if (def->type == NODE_STRING && def->text.n)
            load_plain(ld, api, dep, def);
    }
    load_older(ld, api, older, which);
    for (unsigned i = 0; i < api->deployment_count; i++)
        if (route_trie_build(api->deployments[i], api->type, ld->tree, ld->diag) == E_NOMEM)
            load_nomem(ld);
}

static void read_type(struct load *ld, struct api *api, const char *which)
{
    const struct node *n = node_getz(api->node, "type");

    api->type = which && strcmp(which, "upstream") == 0 ? API_HTTP : API_REST;
    if (n)
        api->type = (enum api_type)schema_i64(api_table, api->node, "type");
    if (api->type == API_WEBSOCKET) {
        node_error(ld->diag, ld->tree, n, "REST or HTTP",
                   "WebSocket APIs are not supported by this version");
        api->type = API_HTTP;
    }
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + UINT64_C(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2);
    return h * UINT64_C(0xff51afd7ed558ccd);
}

/* Of all that the API's unit is made of: its file, its documents, and the upstreams behind its VPC
 * links. */
static uint64_t api_hash(const struct api *api)
{
    uint64_t h = node_hash(api->node);

    for (unsigned i = 0; i < api->deployment_count; i++) {
        const struct deployment *dep = api->deployments[i];

        h = mix(h, dep->doc ? node_hash(dep->doc) : 0);
        for (unsigned m = 0; m < dep->method_count; m++)
            if (dep->methods[m].integration.vpc_link)
                h = mix(h, map_hash(dep->methods[m].integration.upstream));
    }
    return h;
}

struct api *load_api(struct load *ld, struct node *root)
{
    struct api *api = LOAD_NEW(ld, struct api, 1);
    const char *which = NULL;
    const struct node *def;
    unsigned errors = ld->diag->errors;
    bool sure;

    if (!api)
        return NULL;
    api->tree = ld->tree;
    atomic_init(&api->refs, 1);
    api->node = root;
    api->file = str_z(node_file(ld->tree, root));
    if (root->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, root,
                   "an API file: a map with `api` and one of definition, openapi, upstream",
                   "the file is %s", node_article(root));
        return NULL;
    }
    schema_check(api_table, root, ld->tree, ld->diag);
    api->id = schema_str(api_table, root, "api");
    def = definition(ld, root, &which);
    read_type(ld, api, which);
    sure = ld->diag->errors == errors;
    api->disable_execute_api = schema_bool(api_table, root, "disableExecuteApiEndpoint");
    load_api_plugins(ld, node_getz(root, "x-sallyport-plugins"), &api->plugins, &api->plugin_count);
    load_deployments(ld, api, which, def);
    load_stages(ld, api, sure);
    load_hosts(ld, api);
    stage_check_uris(ld, api);
    api->hash = api_hash(api);
    return api->id.n ? api : NULL;
}
