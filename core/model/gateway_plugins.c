/* SPDX-License-Identifier: Apache-2.0 */
/* plugins:, plugin_dirs: and order: what is loaded, and in which order requests meet it. */
#include "model/load.h"

/* `name: options`, the one key not being a word of the long form. */
static bool short_form(const struct node *n)
{
    return n->count == 1 && !schema_find(plugin_table, n->keys[0]->text);
}

static bool read_short(struct load *ld, const struct node *n, struct gw_plugin *p)
{
    const struct node *name = n->type == NODE_MAP ? n->keys[0] : n;

    p->use = p->id = name->text;
    p->enabled = true;
    if (n->type == NODE_MAP && n->items[0]->type != NODE_NULL)
        p->with = n->items[0];
    if (id_ok(p->use, true))
        return true;
    diag_add(ld->diag, DIAG_ERROR, node_where(ld->tree, name), node_path(&ld->diag->arena, n),
             arena_printf(&ld->diag->arena, "'%.*s' is not a plugin's name",
                          STR_ARG(str_take(p->use, 80))),
             str_z(name_expected), STR_NONE);
    return false;
}

static bool read_long(struct load *ld, const struct node *n, struct gw_plugin *p)
{
    const struct node *path;

    if (schema_check(plugin_table, n, ld->tree, ld->diag))
        return false;
    p->use = schema_str(plugin_table, n, "use");
    p->id = node_getz(n, "id") ? schema_str(plugin_table, n, "id") : p->use;
    p->with = node_getz(n, "with");
    if (p->with && p->with->type == NODE_NULL)
        p->with = NULL;
    p->enabled = schema_bool(plugin_table, n, "enabled");
    p->shadow = schema_i64(plugin_table, n, "mode") == 1;
    p->timeout = schema_i64(plugin_table, n, "timeout");
    if (node_getz(n, "on_error"))
        p->on_error = schema_i64(plugin_table, n, "on_error") == 1 ? 1 : 2;
    p->on_crash = node_getz(n, "on_crash") && schema_i64(plugin_table, n, "on_crash") == 1;
    path = node_getz(n, "path");
    p->path = path ? str_z(load_path(ld, path)) : STR("");
    p->sha256 = schema_str(plugin_table, n, "sha256");
    return true;
}

static bool read_entry(struct load *ld, const struct node *n, struct gw_plugin *p)
{
    p->node = n;
    p->path = p->sha256 = STR("");
    if (n->type == NODE_STRING)
        return read_short(ld, n, p);
    if (n->type == NODE_MAP && short_form(n))
        return read_short(ld, n, p);
    if (n->type == NODE_MAP)
        return read_long(ld, n, p);
    node_error(ld->diag, ld->tree, n,
               "a plugin's name, `name: {options}`, or `{use: name, with: {options}}`", "is %s",
               node_article(n));
    return false;
}

/* Where an entry's id stands in the file. */
static const struct node *id_node(const struct gw_plugin *p)
{
    const struct node *n = p->node;

    if (n->type != NODE_MAP)
        return n;
    if (node_getz(n, "id"))
        return node_getz(n, "id");
    return node_getz(n, "use") ? node_getz(n, "use") : n;
}

static void read_dirs(struct load *ld)
{
    const struct node *n = node_getz(ld->gw->root, "plugin_dirs");
    unsigned count = !n || n->type == NODE_NULL ? 0 : n->type == NODE_LIST ? n->count : 1;

    ld->gw->plugin_dirs = LOAD_NEW(ld, str, count + 1);
    for (unsigned i = 0; ld->gw->plugin_dirs && i < count; i++) {
        const struct node *one = n->type == NODE_LIST ? n->items[i] : n;

        if (one->type == NODE_STRING)
            ld->gw->plugin_dirs[ld->gw->plugin_dir_count++] = str_z(load_path(ld, one));
    }
    if (ld->gw->plugin_dirs)
        ld->gw->plugin_dirs[ld->gw->plugin_dir_count++] = STR(SALLYPORT_PLUGINDIR);
}

static void read_destinations(struct load *ld)
{
    const struct node *n = node_getz(ld->gw->root, "destinations");
    unsigned count = !n || n->type == NODE_NULL ? 0 : n->type == NODE_LIST ? n->count : 1;

    ld->gw->destinations = LOAD_NEW(ld, str, count + 1);
    for (unsigned i = 0; ld->gw->destinations && i < count; i++)
        ld->gw->destinations[ld->gw->destination_count++] = n->type == NODE_LIST ? n->items[i]->text : n->text;
}

int load_plugin_index(const struct load *ld, str id)
{
    for (unsigned i = 0; i < ld->gw->plugin_count; i++)
        if (str_eq(ld->gw->plugins[i].id, id))
            return (int)i;
    return -1;
}

void load_plugins(struct load *ld)
{
    const struct node *list = node_getz(ld->gw->root, "plugins");
    struct gateway *gw = ld->gw;

    read_dirs(ld);
    read_destinations(ld);
    if (!list || list->type != NODE_LIST)
        return;
    gw->plugins = LOAD_NEW(ld, struct gw_plugin, list->count);
    for (unsigned i = 0; gw->plugins && i < list->count; i++) {
        struct gw_plugin *p = &gw->plugins[gw->plugin_count];
        int first;

        memset(p, 0, sizeof(*p));
        if (!read_entry(ld, list->items[i], p))
            continue;
        first = load_plugin_index(ld, p->id);
        if (first < 0) {
            gw->plugin_count++;
            continue;
        }
        node_error(ld->diag, ld->tree, id_node(p), "an `id:` of its own for each entry",
                   "the plugin entry '%.*s' is defined twice, %.*s", STR_ARG(p->id),
                   STR_ARG(load_first_at(ld, ld->tree, id_node(&gw->plugins[first]))));
    }
}

/* Reports an entry id that is not in plugins:. `at` is where the name stands, `value` the place. */
void load_plugin_unknown(struct load *ld, const struct node *at, const struct node *value)
{
    unsigned count = ld->gw->plugin_count;
    const char **names = LOAD_NEW(ld, const char *, count);

    for (unsigned i = 0; names && i < count; i++)
        names[i] = ld->gw->plugins[i].id.p;
    if (names)
        node_unknown(ld->diag, ld->tree, at, value, "plugin entry", names, count);
}

static void order_entry(struct load *ld, unsigned type, const struct node *n)
{
    struct gateway *gw = ld->gw;
    unsigned at = gw->order_count[type];
    int index = n->type == NODE_STRING ? load_plugin_index(ld, n->text) : -1;

    if (index < 0) {
        if (n->type == NODE_STRING && n->text.n)
            load_plugin_unknown(ld, n, n);
        return;
    }
    for (unsigned i = 0; i < at; i++)
        if (gw->order[type][i] == (unsigned)index) {
            node_error(ld->diag, ld->tree, n, "each entry once", "'%.*s' is named twice, %.*s",
                       STR_ARG(n->text),
                       STR_ARG(load_first_at(ld, ld->tree, gw->order_node[type][i])));
            return;
        }
    gw->order[type][at] = (unsigned)index;
    gw->order_node[type][at] = n;
    gw->order_count[type]++;
}

static void order_missing(struct load *ld, unsigned type, const struct node *list)
{
    const struct gateway *gw = ld->gw;

    for (unsigned p = 0; p < gw->plugin_count; p++) {
        bool there = false;

        for (unsigned i = 0; i < gw->order_count[type]; i++)
            there |= gw->order[type][i] == p;
        if (!there && gw->plugins[p].enabled)
            node_error(ld->diag, ld->tree, list,
                       "every entry of `plugins` in it, or no list for this API type",
                       "the plugin entry '%.*s' (line %u) is missing", STR_ARG(gw->plugins[p].id),
                       id_node(&gw->plugins[p])->line);
    }
}

/* No list for this API type: the order of `plugins`. */
static void order_default(struct load *ld, unsigned type)
{
    struct gateway *gw = ld->gw;

    gw->order[type] = LOAD_NEW(ld, unsigned, gw->plugin_count);
    gw->order_node[type] = LOAD_NEW(ld, const struct node *, gw->plugin_count);
    for (unsigned i = 0; gw->order[type] && gw->order_node[type] && i < gw->plugin_count; i++) {
        gw->order[type][i] = i;
        gw->order_node[type][i] = gw->plugins[i].node;
        gw->order_count[type] = i + 1;
    }
}

void load_order(struct load *ld)
{
    struct gateway *gw = ld->gw;
    const struct node *order = node_getz(gw->root, "order");

    for (unsigned t = 0; t < API_TYPES; t++) {
        const struct node *list = node_getz(order, api_type_name(t));

        if (!list) {
            order_default(ld, t);
            continue;
        }
        if (list->type != NODE_LIST)
            continue;
        gw->order[t] = LOAD_NEW(ld, unsigned, list->count);
        gw->order_node[t] = LOAD_NEW(ld, const struct node *, list->count);
        if (!gw->order[t] || !gw->order_node[t])
            return;
        for (unsigned i = 0; i < list->count; i++)
            order_entry(ld, t, list->items[i]);
        order_missing(ld, t, list);
    }
}
