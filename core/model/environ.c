/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of the environment that stand over scalar keys of the main conf: SALLYPORT_LOG_LEVEL
 * over log.level; SALLYPORT_LOG_LEVEL_FILE names a file that holds the value (secrets). Only keys
 * below maps have such a name. Relative paths count from the working directory. */
#include "model/load.h"

#define PREFIX    "SALLYPORT_"
#define RESERVED  "SALLYPORT_TEST_" /* for tests of the program: never of the conf */
#define DEPTH_MAX 8u
#define NAMES_MAX 256u
#define SHOWN_MAX 128u /* of a name: longer than any that fits */

extern char **environ;

struct variable {
    str name, value; /* "SALLYPORT_LOG_LEVEL", "debug" */
    uint16_t file;   /* in the tree's table, by the name: messages start with it */
};

/* The way from the conf's root to the key that a variable names. */
struct search {
    str want;
    const struct schema *path[DEPTH_MAX];
    unsigned depth;
    const char *names[NAMES_MAX]; /* passed on the way, for "did you mean" */
    unsigned name_count;
};

static bool has_one_value(const struct schema *s)
{
    return s->type != S_LIST && s->type != S_MAP && s->type != S_DICT && (s->type != S_ANY || s->flags & S_LATER);
}

/* `before`, and the key in capitals. */
static str spelled(struct load *ld, str before, const char *key)
{
    size_t n = strlen(key);
    char *p = arena_bytes(&ld->diag->arena, before.n + n + 1);

    if (!p) {
        load_nomem(ld);
        return STR_NONE;
    }
    memcpy(p, before.p, before.n);
    for (size_t i = 0; i <= n; i++)
        p[before.n + i] = key[i] >= 'a' && key[i] <= 'z' ? (char)(key[i] - 'a' + 'A') : key[i];
    return str_n(p, before.n + n);
}

static bool search(struct load *ld, const struct schema *table, str before, struct search *s)
{
    for (const struct schema *k = table; k->key && s->depth < DEPTH_MAX && !ld->nomem; k++) {
        str name = spelled(ld, before, k->key);

        s->path[s->depth++] = k;
        if (str_eq(name, s->want))
            return true;
        if (k->type == S_MAP && k->sub && search(ld, k->sub, spelled(ld, name, "_"), s))
            return true;
        s->depth--;
        if (name.p && has_one_value(k) && !(k->flags & S_LATER) && s->name_count < NAMES_MAX)
            s->names[s->name_count++] = name.p;
    }
    return false;
}

static bool find(struct load *ld, str want, struct search *s)
{
    *s = (struct search){.want = want};
    return search(ld, conf_table, STR(PREFIX), s);
}

static struct diag_at at_variable(const struct variable *v)
{
    return (struct diag_at){v->name.p, 0, 0};
}

static struct node *node_new(struct load *ld, const struct variable *v, enum node_type type, str text,
                             struct node *parent)
{
    struct node *n = LOAD_NEW(ld, struct node, 1);

    if (n)
        *n = (struct node){.type = (uint8_t)type, .plain = type == NODE_STRING, .file = v->file,
                           .text = text, .parent = parent};
    return n;
}

/* The value at `key` of the map, put there if there is none. */
static struct node *value_at(struct load *ld, const struct variable *v, struct node *map, const char *key)
{
    struct node *there = node_getz(map, key), *name;

    if (there)
        return there;
    there = node_new(ld, v, NODE_NULL, STR(""), map);
    name = node_new(ld, v, NODE_STRING, str_z(key), map);
    if (!there || !name || load_map_append(ld, map, name, there) != 0)
        return NULL;
    return there;
}

static bool by_variable(const struct load *ld, const struct node *n)
{
    return str_starts(str_z(node_file(ld->tree, n)), STR(PREFIX)) && n->line == 0;
}

static void set_value(struct load *ld, struct node *root, const struct variable *v, const struct search *s, str value)
{
    struct node *n = root, *map = NULL;

    for (unsigned i = 0; i < s->depth; i++) {
        if (n->type == NODE_NULL)
            *n = (struct node){.type = NODE_MAP, .file = n->file, .line = n->line, .col = n->col, .parent = n->parent};
        if (n->type != NODE_MAP)
            return; /* the schema reports it */
        map = n;
        n = value_at(ld, v, map, s->path[i]->key);
        if (!n)
            return;
    }
    if (by_variable(ld, n) && n->type == NODE_STRING) {
        node_error(ld->diag, ld->tree, n, NULL, "the value is set twice, by %s too", v->name.p);
        return;
    }
    *n = (struct node){.type = NODE_STRING, .plain = 1 | NODE_SUBSTITUTED, .file = v->file, .text = value, .parent = map};
}

/* What the variable says, or the file that it names. p NULL with a diag. */
static str value_of(struct load *ld, const struct variable *v, bool by_file)
{
    struct node *n = node_new(ld, v, NODE_STRING, v->value, NULL);

    if (!n)
        return STR_NONE;
    if (by_file && n->text.n)
        return load_text(ld, n->text.p, n);
    if (by_file)
        node_error(ld->diag, ld->tree, n, "a file's path", "the path is empty");
    else if (!str_is_utf8(n->text))
        node_error(ld->diag, ld->tree, n, "a text in UTF-8", "the value is not a text");
    else
        return n->text;
    return STR_NONE;
}

static void take_variable(struct load *ld, struct node *root, struct variable *v)
{
    const str suffix = STR("_FILE");
    struct search s, plain;
    bool found = find(ld, v->name, &s);
    bool by_file = !found && str_ends(v->name, suffix) && find(ld, str_take(v->name, v->name.n - suffix.n), &plain);

    if (!found && !by_file) {
        const char *near = diag_nearest(v->name, s.names, s.name_count);

        diag_add(ld->diag, DIAG_ERROR, at_variable(v), STR_NONE, STR("no key of the conf has this environment variable"),
                 STR(PREFIX "KEY or " PREFIX "MAP_KEY of a single value, with _FILE behind it for a file that holds the value"),
                 near ? str_z(near) : STR_NONE);
        return;
    }
    const struct search *to = by_file ? &plain : &s;
    const struct schema *key = to->path[to->depth - 1];

    if (!has_one_value(key)) {
        diag_error(ld->diag, at_variable(v), NULL, "the variable of a key with a single value",
                   "'%s' has more than one value, or keys below it", key->key);
        return;
    }
    int file = node_tree_file(ld->tree, v->name.p);

    if (file < 0) {
        diag_error(ld->diag, at_variable(v), NULL, NULL, file == E_LIMIT ? "too many files and variables" : "out of memory");
        return;
    }
    v->file = (uint16_t)file;
    str value = value_of(ld, v, by_file);

    if (value.p)
        set_value(ld, root, v, to, value);
}

void load_environ(struct load *ld, struct node *root)
{
    for (char **e = environ; *e && !ld->nomem; e++) {
        str text = str_z(*e), name = str_take(text, str_chr(text, '='));
        struct variable v;

        if (!str_starts(name, STR(PREFIX)) || str_starts(name, STR(RESERVED)))
            continue;
        v = (struct variable){.name = load_str(ld, str_take(name, SHOWN_MAX)), .value = load_str(ld, str_drop(text, name.n + 1))};
        take_variable(ld, root, &v);
    }
}
