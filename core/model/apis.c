/* SPDX-License-Identifier: Apache-2.0 */
/* apis: finds the API files, tells OpenAPI documents that lie beside them from API files, and
 * checks what spans APIs. */
#include "model/load.h"
#include "model/route.h"

struct found {
    const char *path;
    struct node *root;
    const struct node *named; /* the pattern that led here */
};

struct finder {
    struct load *ld;
    struct found *v;
    unsigned n, cap;
};

static void found_add(struct finder *f, const char *path, const struct node *named)
{
    for (unsigned i = 0; i < f->n; i++)
        if (strcmp(f->v[i].path, path) == 0)
            return; /* two patterns may meet in one file */
    if (f->n == f->cap) {
        struct found *v = LOAD_NEW(f->ld, struct found, f->cap * 2 + 8);

        if (!v)
            return;
        if (f->n)
            memcpy(v, f->v, sizeof(*v) * f->n);
        f->v = v;
        f->cap = f->cap * 2 + 8;
    }
    f->v[f->n++] = (struct found){path, NULL, named};
}

static void find_pattern(struct finder *f, const struct node *pattern)
{
    const char **paths;
    unsigned n;

    if (pattern->type != NODE_STRING || pattern->text.n == 0)
        return;
    paths = load_glob(f->ld, pattern, &n);
    for (unsigned i = 0; i < n; i++)
        found_add(f, paths[i], pattern);
}

/* A document, not an API file: it says `openapi: 3.x` or `swagger:` and names no API. */
static bool is_document(const struct node *root)
{
    const struct node *openapi = node_getz(root, "openapi");

    if (node_getz(root, "api"))
        return false;
    return (openapi && node_is_scalar(openapi)) || node_getz(root, "swagger");
}

static void check_twice(struct load *ld, const struct api *api)
{
    for (unsigned i = 0; i < ld->gw->api_count; i++) {
        const struct api *o = ld->gw->apis[i];

        if (o == api || !str_eq(o->id, api->id))
            continue;
        node_error(ld->diag, ld->tree, node_getz(api->node, "api"), "another id",
                   "the API '%.*s' is defined twice, %.*s", STR_ARG(api->id),
                   STR_ARG(load_first_at(ld, node_getz(o->node, "api"))));
        return;
    }
}

static void load_found(struct load *ld, struct finder *f)
{
    struct gateway *gw = ld->gw;

    gw->apis = LOAD_NEW(ld, struct api *, f->n);
    for (unsigned i = 0; gw->apis && i < f->n; i++) {
        struct node *root = f->v[i].root = load_file(ld, f->v[i].path, f->v[i].named);
        struct api *api;

        if (!root || is_document(root))
            continue;
        load_subst(ld, root, node_getz(root, "openapi"));
        api = load_api(ld, root);
        if (!api)
            continue;
        check_twice(ld, api);
        gw->apis[gw->api_count++] = api;
    }
    for (unsigned i = 0; gw->apis && i < f->n; i++)
        if (f->v[i].root && is_document(f->v[i].root) && !map_has(&ld->docs, str_z(f->v[i].path)))
            node_warn(ld->diag, ld->tree, f->v[i].root, NULL,
                      "no API file names this OpenAPI document in `definition:` or `deployments:`; "
                      "it serves nothing");
}

void load_apis(struct load *ld)
{
    const struct node *include = node_getz(node_getz(ld->gw->root, "apis"), "include");
    struct finder f = {.ld = ld};
    struct site *site;

    if (include && include->type == NODE_LIST)
        for (uint32_t i = 0; i < include->count; i++)
            find_pattern(&f, include->items[i]);
    else if (include)
        find_pattern(&f, include);
    load_found(ld, &f);
    if (!ld->gw->api_count)
        return;
    site = site_build(ld->gw->apis, ld->gw->api_count, ld->tree, ld->diag);
    site_free(site);
}
