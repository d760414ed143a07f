/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of the environment that stand over scalar keys of the main conf: SALLYPORT_LOG_LEVEL
 * over log.level; SALLYPORT_LOG_LEVEL_FILE names a file that holds the value (secrets). Only keys
 * below maps have such a name. Relative paths count from the working directory. */
#include "model/load.h"

#define PREFIX   "SALLYPORT_"
#define RESERVED "SALLYPORT_TEST_" /* for tests of the program: never of the conf */
#define FILE_MAX_BYTES (1u << 20)
#define DEPTH_MAX 8u

extern char **environ;

/* From the conf's root to one key. */
struct steps {
    const struct schema *v[DEPTH_MAX];
    unsigned n;
};

struct variable {
    str name, value; /* "SALLYPORT_LOG_LEVEL", "debug" */
    uint16_t file;   /* in the tree's table, by the name: messages start with it */
};

static bool is_scalar(const struct schema *s)
{
    return s->type != S_LIST && s->type != S_MAP && s->type != S_DICT && (s->type != S_ANY || s->flags & S_LATER);
}

/* "log" at the start of "LOG_LEVEL": how many bytes, or 0. */
static size_t leads(const char *key, str rest)
{
    size_t n = strlen(key);

    if (n > rest.n || (n < rest.n && rest.p[n] != '_'))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (rest.p[i] != (key[i] >= 'a' && key[i] <= 'z' ? key[i] - 32 : key[i]))
            return 0;
    return n;
}

/* The key that `rest` spells out, whole. Keys have underscores too: every way is tried. */
static bool find_steps(const struct schema *table, str rest, struct steps *out)
{
    for (const struct schema *s = table; s->key; s++) {
        size_t n = leads(s->key, rest);

        if (!n || out->n == DEPTH_MAX)
            continue;
        out->v[out->n++] = s;
        if (n == rest.n || (s->type == S_MAP && s->sub && find_steps(s->sub, str_drop(rest, n + 1), out)))
            return true;
        out->n--;
    }
    return false;
}

static struct diag_at at_variable(const struct variable *v)
{
    return (struct diag_at){v->name.p, 0, 0};
}

/* The names that there are, for "did you mean". */
struct names {
    const char **v;
    unsigned n;
};

static void all_names(struct load *ld, const struct schema *table, str before, struct names *out)
{
    for (const struct schema *s = table; s->key; s++) {
        str name = arena_cat(&ld->diag->arena, 2, (str[]){before, str_z(s->key)});

        if (!name.p)
            return;
        for (size_t i = before.n; i < name.n; i++)
            if (name.p[i] >= 'a' && name.p[i] <= 'z')
                ((char *)name.p)[i] -= 32;
        if (s->type == S_MAP && s->sub) {
            all_names(ld, s->sub, arena_cat(&ld->diag->arena, 2, (str[]){name, STR("_")}), out);
        } else if (is_scalar(s) && !(s->flags & S_LATER)) {
            const char **more = arena_alloc(&ld->diag->arena, (out->n + 1) * sizeof(*more));

            if (!more)
                return;
            if (out->n)
                memcpy(more, out->v, out->n * sizeof(*more));
            more[out->n] = name.p;
            out->v = more;
            out->n++;
        }
    }
}

static void unknown(struct load *ld, const struct variable *v)
{
    struct names names = {0};
    const char *near;

    all_names(ld, conf_table, STR(PREFIX), &names);
    near = diag_nearest(v->name, names.v, names.n);
    diag_add(ld->diag, DIAG_ERROR, at_variable(v), STR_NONE, STR("no key of the conf has this environment variable"),
             STR(PREFIX "KEY or " PREFIX "MAP_KEY of a single value, with _FILE behind it for a file that holds the value"),
             near ? str_z(near) : STR_NONE);
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

static void set_value(struct load *ld, struct node *root, const struct variable *v, const struct steps *path, str value)
{
    struct node *n = root, *map = NULL;

    for (unsigned i = 0; i < path->n; i++) {
        if (n->type == NODE_NULL)
            *n = (struct node){.type = NODE_MAP, .file = n->file, .line = n->line, .col = n->col, .parent = n->parent};
        if (n->type != NODE_MAP)
            return; /* the schema reports it */
        map = n;
        n = value_at(ld, v, map, path->v[i]->key);
        if (!n)
            return;
    }
    if (by_variable(ld, n) && n->type == NODE_STRING) {
        diag_add(ld->diag, DIAG_ERROR, at_variable(v), node_path(&ld->diag->arena, n),
                 arena_printf(&ld->diag->arena, "the value is set twice, first by %s", node_file(ld->tree, n)), STR_NONE,
                 STR_NONE);
        return;
    }
    *n = (struct node){.type = NODE_STRING, .plain = 1 | NODE_SUBSTITUTED, .file = v->file, .text = value, .parent = map};
}

/* What the file that the variable names holds, without the newline at its end. */
static str file_value(struct load *ld, const struct variable *v)
{
    struct node *from = node_new(ld, v, NODE_STRING, v->value, NULL);
    str bytes = from && v->value.n ? load_bytes(ld, v->value.p, from, FILE_MAX_BYTES) : STR_NONE;

    if (!v->value.n)
        diag_error(ld->diag, at_variable(v), NULL, "a file's path", "the path is empty");
    if (str_ends(bytes, STR("\n")))
        bytes.n--;
    if (str_ends(bytes, STR("\r")))
        bytes.n--;
    return bytes.p ? load_str(ld, bytes) : STR_NONE;
}

static void take_variable(struct load *ld, struct node *root, const struct variable *v)
{
    const str suffix = STR("_FILE");
    str key = str_drop(v->name, sizeof(PREFIX) - 1), value = v->value;
    struct steps path = {.n = 0};
    bool found = find_steps(conf_table, key, &path);

    if (!found && str_ends(key, suffix) && find_steps(conf_table, str_take(key, key.n - suffix.n), &path)) {
        found = true;
        value = is_scalar(path.v[path.n - 1]) ? file_value(ld, v) : STR("");
        if (!value.p)
            return;
    }
    if (!found) {
        unknown(ld, v);
        return;
    }
    if (!is_scalar(path.v[path.n - 1])) {
        diag_error(ld->diag, at_variable(v), NULL, "the variable of a key with a single value",
                   "'%s' has more than one value, or keys below it", path.v[path.n - 1]->key);
        return;
    }
    if (str_chr(value, '\0') < value.n || !str_is_utf8(value)) {
        diag_error(ld->diag, at_variable(v), NULL, "a text in UTF-8", "the value is not a text");
        return;
    }
    set_value(ld, root, v, &path, value);
}

void load_environ(struct load *ld, struct node *root)
{
    for (char **e = environ; *e; e++) {
        str text = str_z(*e), name = str_take(text, str_chr(text, '='));
        struct variable v;
        int file;

        if (!str_starts(name, STR(PREFIX)) || str_starts(name, STR(RESERVED)))
            continue;
        v.name = load_str(ld, name);
        v.value = load_str(ld, str_drop(text, name.n + 1));
        file = node_tree_file(ld->tree, v.name.p);
        if (file < 0) {
            load_nomem(ld);
            return;
        }
        v.file = (uint16_t)file;
        take_variable(ld, root, &v);
    }
}
