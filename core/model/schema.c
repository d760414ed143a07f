/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a node tree against option tables: unknown keys, missing ones, types and bounds, all of
 * them in one pass. */
#include "model/schema.h"

#include <stdarg.h>

#include "model/scalar.h"

#define KEYS_SHOWN 14

struct diag_at node_where(const struct node_tree *t, const struct node *n)
{
    if (!n)
        return (struct diag_at){NULL, 0, 0};
    return (struct diag_at){t ? node_file(t, n) : NULL, n->line, n->col};
}

static void at_node(struct diag *d, enum diag_level level, const struct node_tree *t,
                    const struct node *n, const char *expected, const char *fmt, va_list ap)
{
    str what = arena_vprintf(&d->arena, fmt, ap);
    str where = n ? node_path(&d->arena, n) : STR_NONE;

    if (!what.p)
        what = STR("out of memory");
    diag_add(d, level, node_where(t, n), where, what, str_z(expected), STR_NONE);
}

void node_error(struct diag *d, const struct node_tree *t, const struct node *n,
                const char *expected, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    at_node(d, DIAG_ERROR, t, n, expected, fmt, ap);
    va_end(ap);
}

void node_warn(struct diag *d, const struct node_tree *t, const struct node *n,
               const char *expected, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    at_node(d, DIAG_WARNING, t, n, expected, fmt, ap);
    va_end(ap);
}

/* "a list", for messages. */
const char *node_article(const struct node *n)
{
    static const char *const names[] = {"empty",    "a boolean", "a number",
                                        "a string", "a list",    "a map"};

    return names[n->type];
}

const struct schema *schema_find(const struct schema *table, str key)
{
    for (const struct schema *s = table; s->key; s++)
        if (str_eqz(key, s->key))
            return s;
    return NULL;
}

void node_unknown(struct diag *d, const struct node_tree *t, const struct node *key,
                  const struct node *value, const char *kind, const char *const *names,
                  unsigned count)
{
    str got = key->text;
    const char *near = diag_nearest(got, names, count);
    str what =
        arena_printf(&d->arena, "unknown %s '%.*s'", kind, (int)(got.n > 80 ? 80 : got.n), got.p);
    str expected = STR_NONE;

    if (key->plain & NODE_BROKEN)
        return;
    if (!near && count == 0) {
        expected = arena_printf(&d->arena, "none: no %s is defined", kind);
    } else if (!near && count <= KEYS_SHOWN) {
        expected = STR("one of ");
        for (unsigned i = 0; i < count && expected.p; i++)
            expected =
                arena_cat(&d->arena, 3, (str[]){expected, str_z(i ? ", " : ""), str_z(names[i])});
    }
    diag_add(d, DIAG_ERROR, node_where(t, key), node_path(&d->arena, value), what, expected,
             str_z(near));
}

static void unknown_key(const struct schema *table, const struct node *key,
                        const struct node *value, struct node_tree *t, struct diag *d)
{
    const char *names[64];
    unsigned n = 0;

    for (const struct schema *s = table; s->key && n < ARRAY_LEN(names); s++)
        if (!(s->flags & S_LATER))
            names[n++] = s->key;
    node_unknown(d, t, key, value, "key", names, n);
}

/* A bound as people write it: 64KB, 10s. */
static str bound(struct arena *a, const struct schema *s, int64_t v)
{
    static const struct {
        const char *unit;
        int64_t n;
    } sizes[] = {{"TB", INT64_C(1) << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}},
      times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    const char *unit = s->type == S_DURATION ? "ms" : "";

    for (unsigned i = 0; v && s->type != S_INT && i < ARRAY_LEN(sizes); i++) {
        int64_t n = s->type == S_SIZE ? sizes[i].n : times[i].n;

        if (v % n == 0)
            return arena_printf(a, "%lld%s", (long long)(v / n),
                                s->type == S_SIZE ? sizes[i].unit : times[i].unit);
    }
    return arena_printf(a, "%lld%s", (long long)v, v ? unit : "");
}

static str expected_number(struct arena *a, const struct schema *s, str word)
{
    str low, high, out = word;

    if (s->min || s->max) {
        low = bound(a, s, s->min);
        high = bound(a, s, s->max);
        out = arena_cat(a, 5, (str[]){word, STR(" from "), low, STR(" to "), high});
    }
    if (s->type == S_INT && s->names && out.p)
        out = arena_cat(a, 3, (str[]){out, STR(", or "), str_z(s->names[0])});
    return out;
}

/* "an integer from 1 to 65535": what a message and the option reference say of a value. */
str schema_expected(struct arena *a, const struct schema *s)
{
    static const char *const words[] = {[S_STRING] = "a string",
                                        [S_BOOL] = "true or false",
                                        [S_INT] = "an integer",
                                        [S_SIZE] = "a size such as 64KB or 10MB",
                                        [S_DURATION] = "a duration such as 500ms or 10s",
                                        [S_ENUM] = "one of ",
                                        [S_ADDRESS] = "an address such as 127.0.0.1:8080",
                                        [S_LIST] = "a list",
                                        [S_MAP] = "a map",
                                        [S_DICT] = "a map",
                                        [S_ANY] = "a value",
                                        [S_REAL] = "a number",
                                        [S_FILE] = "a file's path"};
    str out = str_z(words[s->type]);

    if (s->expected)
        return str_z(s->expected);
    if (s->type == S_INT || s->type == S_SIZE || s->type == S_DURATION)
        return expected_number(a, s, out);
    for (unsigned i = 0; s->type == S_ENUM && s->names[i] && out.p; i++)
        out = arena_cat(a, 3, (str[]){out, str_z(i ? ", " : ""), str_z(s->names[i])});
    return out;
}

void scalar_error(struct diag *d, const struct node_tree *t, const struct node *n,
                  const char *expected, const char *problem)
{
    str s = str_take(n->text, 80);

    if (n->plain & NODE_SUBSTITUTED)
        node_error(d, t, n, expected, "the value %s", problem);
    else
        node_error(d, t, n, expected, "'%.*s%s' %s", STR_ARG(s), s.n < n->text.n ? "..." : "",
                   problem);
}

static void value_error(const struct schema *s, const struct node *n, struct node_tree *t,
                        struct diag *d, const char *problem, const char *suggest)
{
    bool hide = (s->flags & S_SECRET) || (n->plain & NODE_SUBSTITUTED);
    str what;

    if (!node_is_scalar(n) || n->type == NODE_NULL)
        what = n->type == NODE_NULL ? STR("is empty")
                                    : arena_printf(&d->arena, "is %s", node_article(n));
    else if (hide)
        what = arena_printf(&d->arena, "the value %s", problem);
    else
        what = arena_printf(&d->arena, "'%.*s' %s", (int)(n->text.n > 80 ? 80 : n->text.n),
                            n->text.p, problem);
    diag_add(d, DIAG_ERROR, node_where(t, n), node_path(&d->arena, n), what,
             schema_expected(&d->arena, s), hide ? STR_NONE : str_z(suggest));
}

/* Why a scalar is not of its type. */
static const char *type_problem(const struct schema *s, const struct node *n)
{
    int64_t v;

    switch (s->type) {
    case S_ENUM:
        return "is not known here";
    case S_REAL:
        return "is not a number";
    case S_BOOL:
        return n->type == NODE_STRING && !n->plain ? "is a text in quotes" : "is not a boolean";
    case S_DURATION:
        return str_i64(n->text, &v) == 0 ? "has no unit" : "is not a duration";
    case S_SIZE:
        return "is not a size";
    default:
        return n->type == NODE_STRING && !n->plain && str_i64(n->text, &v) == 0
                   ? "is a text in quotes"
                   : "is not an integer";
    }
}

static const char *scalar_problem(const struct schema *s, const struct node *n, int64_t *v)
{
    double real;
    int rc;

    if (n->type == NODE_NULL || !node_is_scalar(n))
        return "";
    if (s->type == S_REAL)
        return scalar_real(n, &real) ? type_problem(s, n) : NULL;
    rc = scalar_i64(s, n, v);
    if (rc == E_LIMIT)
        return "is out of range";
    if (rc)
        return type_problem(s, n);
    if (s->type != S_ENUM && s->type != S_BOOL && (s->min || s->max) &&
        (*v < s->min || *v > s->max) && !scalar_is_word(s, n))
        return "is out of range";
    return NULL;
}

static int check_scalar(const struct schema *s, const struct node *n, struct node_tree *t,
                        struct diag *d)
{
    int64_t v = 0;
    const char *problem = scalar_problem(s, n, &v), *suggest = NULL;
    unsigned count = 0;

    if (!problem)
        return 0;
    if (s->type == S_ENUM && node_is_scalar(n)) {
        while (s->names[count])
            count++;
        suggest = diag_nearest(n->text, s->names, count);
    }
    value_error(s, n, t, d, problem, suggest);
    return E_CONF;
}

static int check_string(const struct schema *s, const struct node *n, struct node_tree *t,
                        struct diag *d)
{
    const char *problem = NULL;

    if (n->type != NODE_STRING)
        problem = n->type == NODE_NUMBER || n->type == NODE_BOOL ? "is not a quoted string" : "";
    else if (memchr(n->text.p, 0, n->text.n))
        problem = "contains a NUL character";
    else if ((int64_t)n->text.n < s->min)
        problem = n->text.n ? "is too short" : "is empty";
    else if (s->max && (int64_t)n->text.n > s->max)
        problem = "is too long";
    else if ((s->type == S_FILE || s->type == S_ADDRESS) && n->text.n == 0)
        problem = "is empty";
    if (!problem)
        return 0;
    value_error(s, n, t, d, problem, NULL);
    return E_CONF;
}

static int check_list(const struct schema *s, const struct node *n, struct node_tree *t,
                      struct diag *d)
{
    int rc = 0;

    if (n->type != NODE_LIST && n->type != NODE_NULL) {
        if (s->flags & S_OR_SCALAR)
            return s->item ? schema_check_value(s->item, n, t, d) : 0;
        value_error(s, n, t, d, "is not a list", NULL);
        return E_CONF;
    }
    if ((int64_t)n->count < s->min || (s->max && (int64_t)n->count > s->max)) {
        bool few = (int64_t)n->count < s->min;
        str what = arena_printf(&d->arena, "has %u entries", n->count);
        str expected = arena_printf(&d->arena, "at %s %lld", few ? "least" : "most",
                                    (long long)(few ? s->min : s->max));

        diag_add(d, DIAG_ERROR, node_where(t, n), node_path(&d->arena, n), what, expected,
                 STR_NONE);
        rc = E_CONF;
    }
    for (unsigned i = 0; s->item && i < n->count; i++)
        if (schema_check_value(s->item, n->items[i], t, d))
            rc = E_CONF;
    return rc;
}

static int check_dict(const struct schema *s, const struct node *n, struct node_tree *t,
                      struct diag *d)
{
    int rc = 0;

    if (n->type == NODE_NULL)
        return 0;
    if (n->type != NODE_MAP) {
        value_error(s, n, t, d, "is not a map", NULL);
        return E_CONF;
    }
    for (unsigned i = 0; s->item && i < n->count; i++)
        if (schema_check_value(s->item, n->items[i], t, d))
            rc = E_CONF;
    return rc;
}

static int check_map(const struct schema *s, const struct node *n, struct node_tree *t,
                     struct diag *d)
{
    if (n->type != NODE_NULL && n->type != NODE_MAP) {
        value_error(s, n, t, d, "is not a map", NULL);
        return E_CONF;
    }
    return schema_check(s->sub, n, t, d);
}

int schema_check_value(const struct schema *s, const struct node *n, struct node_tree *t,
                       struct diag *d)
{
    unsigned before = d->errors;
    int rc = 0;

    if (n->plain & NODE_BROKEN)
        return E_CONF;
    switch (s->type) {
    case S_STRING:
    case S_ADDRESS:
    case S_FILE:
        rc = check_string(s, n, t, d);
        break;
    case S_LIST:
        rc = check_list(s, n, t, d);
        break;
    case S_MAP:
        rc = check_map(s, n, t, d);
        break;
    case S_DICT:
        rc = check_dict(s, n, t, d);
        break;
    case S_ANY:
        break;
    default:
        rc = check_scalar(s, n, t, d);
    }
    if (s->check && (rc == 0 || s->type == S_MAP || s->type == S_DICT || s->type == S_LIST))
        s->check(s, n, t, d);
    return rc || d->errors > before ? E_CONF : 0;
}

static int check_key(const struct schema *table, const struct node *map, unsigned i,
                     struct node_tree *t, struct diag *d)
{
    const struct node *key = map->keys[i], *value = map->items[i];
    const struct schema *s = schema_find(table, key->text);

    if (!s) {
        unknown_key(table, key, value, t, d);
        return E_CONF;
    }
    if (s->flags & S_LATER) {
        str what = arena_printf(&d->arena, "`%s` is not supported by this version", s->key);

        diag_add(d, DIAG_ERROR, node_where(t, key), node_path(&d->arena, value), what, STR_NONE,
                 STR_NONE);
        return E_CONF;
    }
    return schema_check_value(s, value, t, d);
}

int schema_check(const struct schema *table, const struct node *map, struct node_tree *t,
                 struct diag *d)
{
    int rc = 0;

    if (map->type != NODE_MAP && map->type != NODE_NULL) {
        node_error(d, t, map, "a map", "is %s", node_article(map));
        return E_CONF;
    }
    for (unsigned i = 0; i < map->count; i++)
        if (check_key(table, map, i, t, d))
            rc = E_CONF;
    for (const struct schema *s = table; s->key; s++) {
        if (!(s->flags & S_REQUIRED) || node_getz(map, s->key))
            continue;
        node_error(d, t, map, NULL, "required key '%s' is missing", s->key);
        rc = E_CONF;
    }
    return rc;
}
