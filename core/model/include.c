/* SPDX-License-Identifier: Apache-2.0 */
/* include: in the main conf. Maps merge key by key, lists are appended, a value that two files set
 * is an error. */
#include "model/load.h"

static void merge_map(struct load *ld, const struct schema *table, struct node *into,
                      const struct node *from);

int load_map_append(struct load *ld, struct node *map, struct node *key, struct node *value)
{
    struct node **keys = LOAD_NEW(ld, struct node *, map->count + 1);
    struct node **items = LOAD_NEW(ld, struct node *, map->count + 1);

    if (!keys || !items)
        return E_NOMEM;
    if (map->count) {
        memcpy(keys, map->keys, sizeof(*keys) * map->count);
        memcpy(items, map->items, sizeof(*items) * map->count);
    }
    keys[map->count] = key;
    items[map->count] = value;
    map->keys = keys, map->items = items;
    map->count++;
    map->index = NULL; /* looked up one by one from now on: these maps are small */
    return 0;
}

/* Lists are joined into `into`; a single value counts as a list of one. */
static void list_append(struct load *ld, struct node *into, struct node *from)
{
    unsigned a = into->type == NODE_LIST ? into->count : into->type != NODE_NULL;
    unsigned b = from->type == NODE_LIST ? from->count : from->type != NODE_NULL;
    struct node **items = LOAD_NEW(ld, struct node *, a + b);
    struct node *self = LOAD_NEW(ld, struct node, 1);

    if (!items || !self)
        return;
    *self = *into;
    self->parent = into;
    for (unsigned i = 0; i < a; i++)
        items[i] = into->type == NODE_LIST ? into->items[i] : self;
    for (unsigned i = 0; i < b; i++)
        items[a + i] = from->type == NODE_LIST ? from->items[i] : from;
    into->type = NODE_LIST;
    into->items = items;
    into->count = a + b;
}

static void merge_value(struct load *ld, const struct schema *s, struct node *into,
                        struct node *from, const struct node *from_key)
{
    if (s && s->type == S_LIST) {
        list_append(ld, into, from);
        return;
    }
    if (s && (s->type == S_MAP || s->type == S_DICT) && from->type == NODE_NULL)
        return;
    if (s && (s->type == S_MAP || s->type == S_DICT) && from->type == NODE_MAP &&
        into->type == NODE_MAP) {
        merge_map(ld, s->type == S_MAP ? s->sub : NULL, into, from);
        return;
    }
    diag_add(ld->diag, DIAG_ERROR, node_where(ld->tree, from_key),
             node_path(&ld->diag->arena, from),
             arena_printf(&ld->diag->arena, "'%.*s' is set twice, %.*s", STR_ARG(from_key->text),
                          STR_ARG(load_first_at(ld, ld->tree, into))),
             STR_NONE, STR_NONE);
}

static void merge_map(struct load *ld, const struct schema *table, struct node *into,
                      const struct node *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct node *there = node_get(into, from->keys[i]->text);
        const struct schema *s = table ? schema_find(table, from->keys[i]->text) : NULL;

        if (there)
            merge_value(ld, s, there, from->items[i], from->keys[i]);
        else if (load_map_append(ld, into, from->keys[i], from->items[i]))
            return;
    }
}

static void include_file(struct load *ld, struct node *root, const char *path,
                         const struct node *named)
{
    struct node *part, *inner;

    if (map_has(&ld->files, str_z(path))) {
        node_error(ld->diag, ld->tree, named, NULL, "'%s' is included twice", path);
        return;
    }
    part = load_file(ld, path, named);
    if (!part || part->type == NODE_NULL)
        return;
    if (part->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, part, "a map", "the file is %s", node_article(part));
        return;
    }
    inner = node_getz(part, "include");
    if (inner) {
        node_error(ld->diag, ld->tree, node_key(part, STR("include")), NULL,
                   "an included file cannot include further ones; name them in %s",
                   node_file(ld->tree, root));
        return;
    }
    load_subst(ld, part, NULL);
    merge_map(ld, conf_table, root, part);
}

static void include_pattern(struct load *ld, struct node *root, const struct node *pattern)
{
    const char **paths;
    unsigned n;

    if (pattern->type != NODE_STRING || pattern->text.n == 0)
        return; /* the schema reports it */
    paths = load_glob(ld, pattern, &n);
    for (unsigned i = 0; i < n; i++)
        include_file(ld, root, paths[i], pattern);
}

struct node *load_main(struct load *ld, const char *path)
{
    struct node *root = load_file(ld, path, NULL), *include;

    if (!root)
        return NULL;
    if (root->type != NODE_MAP) {
        node_error(ld->diag, ld->tree, root, "a map with at least `listen`", "the conf is %s",
                   node_article(root));
        return NULL;
    }
    load_subst(ld, root, NULL);
    include = node_getz(root, "include");
    if (include && include->type == NODE_LIST)
        for (uint32_t i = 0; i < include->count; i++)
            include_pattern(ld, root, include->items[i]);
    else if (include)
        include_pattern(ld, root, include);
    return root;
}
