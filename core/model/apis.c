/* SPDX-License-Identifier: Apache-2.0 */
/* apis: finds the API files, tells OpenAPI documents that lie beside them from API files, reads
 * each API into a tree of its own, and checks what spans APIs. */
#include "model/load.h"
#include "model/route.h"

struct found {
    const char *path;
    const struct node *named; /* the pattern that led here */
    unsigned line, col;       /* of a document: where it says so; 0: not a document */
};

struct finder {
    struct load *ld;
    struct found *v;
    unsigned n, cap;
    struct map paths; /* every path in v */
};

static void found_add(struct finder *f, const char *path, const struct node *named)
{
    if (map_has(&f->paths, str_z(path)))
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
    f->v[f->n++] = (struct found){path, named, 0, 0};
    if (map_put(&f->paths, str_z(path), f, NULL))
        load_nomem(f->ld);
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

static void check_twice(struct load *ld, const struct api *api)
{
    for (unsigned i = 0; i < ld->gw->api_count; i++) {
        const struct api *o = ld->gw->apis[i];

        if (!str_eq(o->id, api->id))
            continue;
        node_error(ld->diag, api->tree, node_getz(api->node, "api"), "another id",
                   "the API '%.*s' is defined twice, %.*s", STR_ARG(api->id),
                   STR_ARG(load_first_at(ld, o->tree, node_getz(o->node, "api"))));
        return;
    }
}

/* A document, not an API file: it says `openapi: 3.x` or `swagger:` and names no API. */
static bool is_document(const struct node *root, struct found *f)
{
    const struct node *openapi = node_getz(root, "openapi"), *swagger = node_getz(root, "swagger");
    const struct node *says = openapi && node_is_scalar(openapi) ? openapi : swagger;

    if (!says || node_getz(root, "api"))
        return false;
    f->line = root->line, f->col = root->col;
    return true;
}

/* Reads one file into a tree of its own. NULL: a document, or an error that was reported. */
static struct api *read_one(struct load *ld, struct found *f)
{
    struct load main = *ld;
    struct api *api = NULL;
    struct node *root;

    ld->tree = node_tree_new();
    if (!ld->tree) {
        ld->tree = main.tree;
        load_nomem(ld);
        return NULL;
    }
    ld->arena = &ld->tree->arena;
    map_init(&ld->files, false);
    root = load_file(ld, f->path, NULL);
    if (root && !is_document(root, f)) {
        load_subst(ld, root, node_getz(root, "openapi"));
        api = load_api(ld, root);
    }
    if (!api)
        node_tree_free(ld->tree);
    map_fini(&ld->files);
    ld->tree = main.tree, ld->arena = main.arena, ld->files = main.files;
    return api;
}

static void read_found(struct load *ld, struct found *f)
{
    struct api *api = map_has(&ld->docs, str_z(f->path)) ? NULL : read_one(ld, f);

    if (!api)
        return;
    check_twice(ld, api);
    ld->gw->apis[ld->gw->api_count++] = api;
}

/* Does the file's beginning look like a document? Only decides what is read first. */
static bool looks_like_document(const struct load *ld, const char *path)
{
    char head[4096];
    str s;

    if (keep_file_get(ld->keep, str_z(path), &s)) {
        s = str_take(s, sizeof(head));
    } else {
        FILE *in = fopen(path, "re");
        s = str_n(head, in ? fread(head, 1, sizeof(head), in) : 0);
        if (in)
            fclose(in);
    }
    if (str_starts(s, STR("api:")) || str_find(s, STR("\napi:")) < s.n ||
        str_find(s, STR("\"api\"")) < s.n)
        return false;
    return str_find(s, STR("openapi")) < s.n || str_find(s, STR("swagger")) < s.n;
}

/* API files first: a document that one of them names is not read, and complained about, a second
 * time. */
static void read_all(struct load *ld, struct finder *f)
{
    struct gateway *gw = ld->gw;
    bool *later;

    gw->apis = LOAD_NEW(ld, struct api *, f->n);
    later = LOAD_NEW(ld, bool, f->n);
    for (unsigned i = 0; gw->apis && later && i < f->n; i++)
        if (!(later[i] = looks_like_document(ld, f->v[i].path)))
            read_found(ld, &f->v[i]);
    for (unsigned i = 0; gw->apis && later && i < f->n; i++)
        if (later[i])
            read_found(ld, &f->v[i]);
    for (unsigned i = 0; i < f->n; i++)
        if (f->v[i].line && !map_has(&ld->docs, str_z(f->v[i].path)))
            diag_warn(ld->diag, (struct diag_at){f->v[i].path, f->v[i].line, f->v[i].col}, NULL,
                      NULL,
                      "no API file names this OpenAPI document in `definition` or `deployments`; "
                      "it serves nothing");
}

void load_apis(struct load *ld)
{
    const struct node *include = node_getz(node_getz(ld->gw->root, "apis"), "include");
    struct finder f = {.ld = ld};

    map_init(&f.paths, false);
    map_init(&ld->docs, true);
    if (include && include->type == NODE_LIST)
        for (uint32_t i = 0; i < include->count; i++)
            find_pattern(&f, include->items[i]);
    else if (include)
        find_pattern(&f, include);
    read_all(ld, &f);
    map_fini(&ld->docs);
    map_fini(&f.paths);
    if (ld->gw->api_count)
        site_free(site_build(ld->gw->apis, ld->gw->api_count, ld->tree, ld->diag));
}
