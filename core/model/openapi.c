/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI 3 documents (3.0, 3.1) with AWS's extensions: paths and operations become resources and
 * methods. */
#include "model/openapi.h"

#include <stdarg.h>

#include "base/enc.h"

#define REFS_MAX 16

static const char *const doc_words[] = {
    "openapi",  "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components",
    "security", "tags", "externalDocs",      NULL};
static const char *const path_words[] = {"$ref", "summary", "description", "servers", "parameters",
                                         "get",  "put",     "post",        "delete",  "options",
                                         "head", "patch",   "trace",       NULL};
static const char *const op_words[] = {"tags",        "summary",    "description", "externalDocs",
                                       "operationId", "parameters", "requestBody", "responses",
                                       "callbacks",   "deprecated", "security",    "servers",
                                       NULL};

#define ANY_METHOD "x-amazon-apigateway-any-method"

void doc_key_error(struct doc *doc, const struct node *key, const struct node *value,
                   const char *expected, const char *fmt, ...)
{
    struct diag *d = doc->ld->diag;
    va_list ap;
    str what;

    va_start(ap, fmt);
    what = arena_vprintf(&d->arena, fmt, ap);
    va_end(ap);
    diag_add(d, DIAG_ERROR, node_where(doc->ld->tree, key), node_path(&d->arena, value), what,
             str_z(expected), STR_NONE);
}

static const struct node *ref_target(struct doc *doc, const struct node *ref)
{
    str pointer = ref->text;
    const struct node *to;

    if (ref->type != NODE_STRING || !str_starts(pointer, STR("#"))) {
        node_error(doc->ld->diag, doc->ld->tree, ref,
                   "a reference into this document, such as #/components/parameters/x",
                   "'%.*s' leads out of the document", STR_ARG(str_take(pointer, 100)));
        return NULL;
    }
    pointer = dec_percent(&doc->ld->diag->arena, str_drop(pointer, 1), false);
    to = pointer.p ? node_resolve(doc->root, pointer) : NULL;
    if (!to)
        node_error(doc->ld->diag, doc->ld->tree, ref, "a place in this document",
                   "'%.*s' leads nowhere", STR_ARG(str_take(ref->text, 100)));
    return to;
}

const struct node *doc_deref(struct doc *doc, const struct node *n)
{
    for (unsigned i = 0; i < REFS_MAX; i++) {
        const struct node *ref = node_getz(n, "$ref");

        if (!ref)
            return n;
        n = ref_target(doc, ref);
        if (!n)
            return NULL;
    }
    node_error(doc->ld->diag, doc->ld->tree, n, "a reference that ends at an object",
               "references lead in a circle");
    return NULL;
}

static enum http_method method_of(str key)
{
    static const struct {
        const char *key;
        enum http_method m;
    } all[] = {{"get", M_GET},         {"put", M_PUT},   {"post", M_POST},   {"delete", M_DELETE},
               {"options", M_OPTIONS}, {"head", M_HEAD}, {"patch", M_PATCH}, {ANY_METHOD, M_ANY}};

    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        if (str_eqz(key, all[i].key))
            return all[i].m;
    return M_OTHER;
}

bool doc_is_operation(str key)
{
    return method_of(key) != M_OTHER;
}

/* isDefaultRoute belongs to the any-method of /$default of an HTTP API, and is what makes it one.
 */
static void check_default_route(struct doc *doc, const struct api_method *m, const struct node *op)
{
    const struct node *flag = node_getz(op, "isDefaultRoute");
    bool is_default = str_eqz(m->resource->path, "$default");
    int64_t on = 0;

    if (flag && scalar_i64(&(const struct schema){.type = S_BOOL}, flag, &on))
        node_error(doc->ld->diag, doc->ld->tree, flag, "true or false", "is not a boolean");
    else if (on && !is_default)
        node_error(doc->ld->diag, doc->ld->tree, flag, "the path /$default of an HTTP API",
                   "this path is not the default route");
    else if (is_default && m->method != M_ANY)
        doc_key_error(doc, m->node, op, ANY_METHOD, "the default route takes every method");
}

static void read_method(struct doc *doc, struct api_resource *res, const struct node *key,
                        const struct node *op)
{
    struct api_method *m = &doc->dep->methods[doc->dep->method_count];
    const struct node *id = node_getz(op, "operationId");

    if (op->type != NODE_MAP) {
        node_error(doc->ld->diag, doc->ld->tree, op, "an operation", "is %s", node_article(op));
        return;
    }
    *m = (struct api_method){.node = key,
                             .resource = res,
                             .method = (uint8_t)method_of(key->text),
                             .index = doc->dep->method_count};
    doc->dep->method_count++;
    res->methods[m->method] = m;
    m->operation_id = id && id->type == NODE_STRING ? id->text : STR("");
    doc_check_keys(doc, op, op_words, EXT_METHOD);
    check_default_route(doc, m, op);
    doc_read_params(doc, op);
    doc_read_integration(doc, m, op, key);
    doc_method_needs(doc, m, op);
    load_api_plugins(doc->ld, node_getz(op, "x-sallyport-plugins"), &m->plugins, &m->plugin_count);
}

/* The any-method first, the others as enum http_method has them: a resource's methods stand in this order, whatever the document's is. */
static void read_methods(struct doc *doc, struct api_resource *res, const struct node *item)
{
    const struct node *of[M_ANY + 1] = {0}, *keys[M_ANY + 1] = {0};

    for (uint32_t i = 0; i < item->count; i++) {
        const struct node *key = item->keys[i];

        if (doc_is_operation(key->text)) {
            of[method_of(key->text)] = item->items[i];
            keys[method_of(key->text)] = key;
        } else if (str_eqz(key->text, "trace")) {
            doc_key_error(doc, key, item->items[i],
                          "get, put, post, delete, options, head, patch or " ANY_METHOD,
                          "the method TRACE is not supported");
        }
    }
    if (of[M_ANY])
        read_method(doc, res, keys[M_ANY], of[M_ANY]);
    for (unsigned m = 1; m <= M_PUT; m++)
        if (of[m])
            read_method(doc, res, keys[m], of[m]);
}

static bool is_default_path(const struct doc *doc, str path)
{
    return doc->api->type == API_HTTP && (str_eqz(path, "/$default") || str_eqz(path, "$default"));
}

static void read_resource(struct doc *doc, const struct node *key, const struct node *value)
{
    struct api_resource *res = &doc->dep->resources[doc->dep->resource_count];
    const struct node *item;

    if (!is_default_path(doc, key->text) && !path_check(doc->ld, doc->api->type, key, value))
        return;
    item = doc_deref(doc, value);
    if (!item)
        return;
    if (item->type != NODE_MAP) {
        node_error(doc->ld->diag, doc->ld->tree, item, "a path item", "is %s", node_article(item));
        return;
    }
    *res = (struct api_resource){
        .node = key, .path = is_default_path(doc, key->text) ? STR("$default") : key->text};
    doc->dep->resource_count++;
    doc_check_keys(doc, item, path_words, EXT_PATH);
    doc_read_params(doc, item);
    if (item != value && value->count > 1)
        node_error(doc->ld->diag, doc->ld->tree, value, "`$ref` alone",
                   "there are keys beside `$ref`");
    load_api_plugins(doc->ld, node_getz(item, "x-sallyport-plugins"), &res->plugins,
                     &res->plugin_count);
    read_methods(doc, res, item);
}

/* How many operations at most, so that methods keep their addresses while they are read. */
static unsigned count_methods(struct doc *doc, const struct node *paths)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < paths->count; i++) {
        const struct node *item = paths->items[i], *ref;

        for (unsigned hop = 0; hop < REFS_MAX && (ref = node_getz(item, "$ref")) != NULL; hop++) {
            str to = dec_percent(&doc->ld->diag->arena, str_drop(ref->text, 1), false);
            item = to.p ? node_resolve(doc->root, to) : NULL;
        }
        for (uint32_t k = 0; item && item->type == NODE_MAP && k < item->count; k++)
            n += doc_is_operation(item->keys[k]->text);
    }
    return n;
}

static void read_paths(struct doc *doc, const struct node *paths)
{
    struct deployment *dep = doc->dep;
    unsigned errors = doc->ld->diag->errors;

    dep->resources = LOAD_NEW(doc->ld, struct api_resource, paths->count);
    dep->methods = LOAD_NEW(doc->ld, struct api_method, count_methods(doc, paths));
    if (!dep->resources || !dep->methods)
        return;
    for (uint32_t i = 0; i < paths->count; i++) {
        const struct node *key = paths->keys[i];

        if (!str_starts(key->text, STR("x-")))
            read_resource(doc, key, paths->items[i]);
    }
    if (dep->method_count == 0 && doc->ld->diag->errors == errors)
        node_error(doc->ld->diag, doc->ld->tree, paths,
                   "at least one operation with an integration",
                   "The %s API doesn't contain any methods", api_type_name(doc->api->type));
}

static bool version_ok(struct doc *doc)
{
    const struct node *swagger = node_getz(doc->root, "swagger"),
                      *v = node_getz(doc->root, "openapi");
    struct load *ld = doc->ld;

    if (swagger) {
        node_error(ld->diag, ld->tree, swagger, "an OpenAPI 3.0 or 3.1 document",
                   "Swagger 2.0 documents are not supported by this version");
        return false;
    }
    if (!v) {
        node_error(ld->diag, ld->tree, doc->root, "`openapi: 3.0.1` or the like",
                   "required key 'openapi' is missing");
        return false;
    }
    if (node_is_scalar(v) && (str_starts(v->text, STR("3.0")) || str_starts(v->text, STR("3.1"))))
        return true;
    node_error(ld->diag, ld->tree, v, "3.0.x or 3.1.x",
               "'%.*s' is not a supported version of OpenAPI", STR_ARG(str_take(v->text, 20)));
    return false;
}

void load_openapi(struct load *ld, struct api *api, struct deployment *dep, const struct node *root)
{
    struct doc doc = {.ld = ld, .api = api, .dep = dep, .root = root};
    const struct node *paths = node_getz(root, "paths");

    if (!version_ok(&doc))
        return;
    doc_check_keys(&doc, root, doc_words, EXT_DOC);
    doc_read_needs(&doc);
    load_api_plugins(ld, node_getz(root, "x-sallyport-plugins"), &dep->plugins, &dep->plugin_count);
    if (!paths)
        node_error(ld->diag, ld->tree, root, NULL, "required key 'paths' is missing");
    else if (paths->type != NODE_MAP)
        node_error(ld->diag, ld->tree, paths, "a map of paths", "is %s", node_article(paths));
    else
        read_paths(&doc, paths);
}

/* upstream: every path and method goes to one group of backends. */
void load_plain(struct load *ld, struct api *api, struct deployment *dep,
                const struct node *upstream)
{
    static const char *const paths[] = {"/{proxy+}", "/", "$default"};
    unsigned n = api->type == API_HTTP ? 3 : 2;

    dep->doc = api->node;
    dep->doc_file = api->file;
    if (!gateway_upstream(ld->gw, upstream->text)) {
        load_upstream_unknown(ld, upstream);
        return;
    }
    dep->resources = LOAD_NEW(ld, struct api_resource, n);
    dep->methods = LOAD_NEW(ld, struct api_method, n);
    for (unsigned i = 0; dep->resources && dep->methods && i < n; i++) {
        struct api_resource *res = &dep->resources[i];
        struct api_method *m = &dep->methods[i];

        *res = (struct api_resource){.node = upstream, .path = str_z(paths[i])};
        *m = (struct api_method){.node = upstream, .resource = res, .method = M_ANY, .index = i};
        m->operation_id = m->integration.uri = m->integration.http_method = STR("");
        m->integration.node = upstream;
        m->integration.kind = INT_UPSTREAM;
        m->integration.type = STR("UPSTREAM");
        m->integration.upstream = upstream->text;
        m->integration.timeout_ms = schema_i64(api_table, api->node, "timeout");
        needs_take(ld, &(struct needs){0}, &m->needs, &m->needs_node);
        res->methods[M_ANY] = m;
        dep->resource_count = dep->method_count = i + 1;
    }
}
