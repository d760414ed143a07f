/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of option tables: every type's values, defaults and messages; the JSON Schemas in
 * conf/schema; that the full conf and the manual page name every option. SALLYPORT_TEST_REGENERATE=1
 * writes conf/schema anew. */
#include "model_bed.h"

#include "base/arena.h"
#include "model/scalar.h"
#include "model/schema.h"
#include "model/tables.h"

static const char *const colours[] = {"red", "green", NULL};
static const char *const words[] = {"auto", NULL};
static const struct schema inner[] = {{.key = "deep", .type = S_INT, .flags = S_REQUIRED},
                                      {.key = NULL}};
static const struct schema table[] = {
    {.key = "text", .type = S_STRING, .dflt = "none", .min = 2, .max = 5},
    {.key = "flag", .type = S_BOOL, .dflt = "yes"},
    {.key = "count", .type = S_INT, .dflt = "auto", .min = 1, .max = 10, .names = words},
    {.key = "size", .type = S_SIZE, .dflt = "2KB", .min = 1, .max = 1 << 20},
    {.key = "time", .type = S_DURATION, .dflt = "3s", .min = 0, .max = 60000},
    {.key = "colour", .type = S_ENUM, .dflt = "green", .names = colours},
    {.key = "rate", .type = S_REAL, .dflt = "0.5"},
    {.key = "list",
     .type = S_LIST,
     .flags = S_OR_SCALAR,
     .max = 2,
     .item = &(const struct schema){.type = S_INT}},
    {.key = "dict", .type = S_DICT, .item = &(const struct schema){.type = S_BOOL}},
    {.key = "map", .type = S_MAP, .sub = inner},
    {.key = "any", .type = S_ANY},
    {.key = "key", .type = S_INT, .flags = S_SECRET},
    {.key = "soon", .type = S_ANY, .flags = S_LATER},
    {.key = NULL}};

struct read {
    struct node_tree *tree;
    struct diag diag;
    struct node *root;
};

static void read_init(struct read *r, const char *text)
{
    diag_init(&r->diag);
    r->tree = node_tree_new();
    assert_non_null(r->tree);
    r->root = node_read(r->tree, &r->diag, "t", str_z(text), &NODE_LIMITS_DEFAULT);
    assert_non_null(r->root);
}

static void read_fini(struct read *r)
{
    node_tree_free(r->tree);
    diag_fini(&r->diag);
}

/* want "": accepted. */
static void check(const char *text, const char *want)
{
    struct read r;
    int rc;

    read_init(&r, text);
    rc = schema_check(table, r.root, r.tree, &r.diag);
    diag_sort(&r.diag);
    assert_int_equal(rc, want[0] ? E_CONF : 0);
    if (!str_eqz(diag_text(&r.diag), want))
        fail_msg("%s\ngot  %.*s\nwant %s", text, STR_ARG(diag_text(&r.diag)), want);
    read_fini(&r);
}

static void accepted(void **state)
{
    (void)state;
    check("{}", "");
    check("text: abc", "");
    check("flag: off\ncount: 10\nsize: 1MB\ntime: 1m\ncolour: red\nrate: 1e3\n", "");
    check("count: auto\ntime: 0\nsize: 17\n", "");
    check("list: 5\ndict: {a: true, b: no}\nmap: {deep: 1}\nany: [1, {x: y}]\n", "");
    check("list: [1, 2]\ndict:\nlist2: 1\n",
          "t:3:1: error: list2: unknown key 'list2' (did you mean 'list'?)\n");
    check("{\"flag\": true, \"count\": 3, \"rate\": 0.25, \"size\": \"4KB\", \"time\": \"5s\", "
          "\"colour\": \"red\"}",
          "");
}

static void refused(void **state)
{
    (void)state;
    check("text: a", "t:1:7: error: text: 'a' is too short, expected a string\n");
    check("text: abcdef", "t:1:7: error: text: 'abcdef' is too long, expected a string\n");
    check("{\"text\": 12}",
          "t:1:10: error: text: '12' is not a quoted string, expected a string\n");
    check("{\"text\": \"a\\u0000b\"}",
          "t:1:10: error: text: 'a' contains a NUL character, expected a string\n");
    check("text: [a]", "t:1:7: error: text: is a list, expected a string\n");
    check("flag: \"yes\"",
          "t:1:7: error: flag: 'yes' is a text in quotes, expected true or false\n");
    check("flag: True", "t:1:7: error: flag: 'True' is not a boolean, expected true or false\n");
    check("count: 0",
          "t:1:8: error: count: '0' is out of range, expected an integer from 1 to 10, or auto\n");
    check("count: 99999999999999999999", "t:1:8: error: count: '99999999999999999999' is out of "
                                         "range, expected an integer from 1 to 10, or auto\n");
    check("count: 1.5", "t:1:8: error: count: '1.5' is not an integer, expected an integer from 1 "
                        "to 10, or auto\n");
    check("count: 0x10", "t:1:8: error: count: '0x10' is not an integer, expected an integer from "
                         "1 to 10, or auto\n");
    check("size: 2MB", "t:1:7: error: size: '2MB' is out of range, expected a size such as 64KB or "
                       "10MB from 1 to 1MB\n");
    check("time: 5", "t:1:7: error: time: '5' has no unit, expected a duration such as 500ms or "
                     "10s from 0 to 1m\n");
    check("colour: gren", "t:1:9: error: colour: 'gren' is not known here, expected one of red, "
                          "green (did you mean 'green'?)\n");
    check("rate: 0x1p3", "t:1:7: error: rate: '0x1p3' is not a number, expected a number\n");
    check("rate: nan", "t:1:7: error: rate: 'nan' is not a number, expected a number\n");
    check("list: [1, x, 3]",
          "t:1:7: error: list: has 3 entries, expected at most 2\n"
          "t:1:11: error: list[1]: 'x' is not an integer, expected an integer\n");
    check("dict: {a: 1}", "t:1:11: error: dict.a: '1' is not a boolean, expected true or false\n");
    check("dict: [a]", "t:1:7: error: dict: is a list, expected a map\n");
    check("map: {}", "t:1:6: error: map: required key 'deep' is missing\n");
    check("map:", "t:1:5: error: map: required key 'deep' is missing\n");
    check("key: hunter2", "t:1:6: error: key: the value is not an integer, expected an integer\n");
    check("soon: 1", "t:1:1: error: soon: `soon` is not supported by this version\n");
    check("zebra: 1", "t:1:1: error: zebra: unknown key 'zebra', expected one of text, flag, "
                      "count, size, time, colour, rate, list, dict, map, any, key\n");
    check("- a", "t:1:1: error: is a list, expected a map\n");
}

static void readers(void **state)
{
    struct read r;

    (void)state;
    read_init(&r, "text: abc\nflag: no\ncount: 7\nsize: 1KB\ntime: 2m\ncolour: red\nrate: 2.5\n");
    assert_str(schema_str(table, r.root, "text"), "abc");
    assert_false(schema_bool(table, r.root, "flag"));
    assert_int_equal(schema_i64(table, r.root, "count"), 7);
    assert_int_equal(schema_i64(table, r.root, "size"), 1024);
    assert_int_equal(schema_i64(table, r.root, "time"), 120000);
    assert_int_equal(schema_i64(table, r.root, "colour"), 0);
    assert_true(schema_real(table, r.root, "rate") == 2.5);
    read_fini(&r);
    read_init(&r, "{}");
    assert_str(schema_str(table, r.root, "text"), "none");
    assert_true(schema_bool(table, r.root, "flag"));
    assert_int_equal(schema_i64(table, r.root, "count"), 0);
    assert_int_equal(schema_i64(table, r.root, "size"), 2048);
    assert_int_equal(schema_i64(table, NULL, "time"), 3000);
    assert_int_equal(schema_i64(table, r.root, "colour"), 1);
    assert_true(schema_real(table, r.root, "rate") == 0.5);
    read_fini(&r);
}

static str slurp(struct arena *a, const char *name)
{
    static char buf[262144];
    const char *top = getenv("top_srcdir");
    char path[512];
    size_t n;
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
    in = fopen(path, "r");
    if (!in)
        fail_msg("cannot read %s", path);
    n = fread(buf, 1, sizeof(buf), in);
    fclose(in);
    return arena_str(a, str_n(buf, n));
}

/* Two spaces per level: a file that people look at. */
static void pretty(struct text *out, const struct node *n, unsigned depth)
{
    if (node_is_scalar(n)) {
        if (n->type == NODE_STRING)
            json_quote(out, n->text);
        else
            text_add(out, n->text);
        return;
    }
    text_chr(out, n->type == NODE_MAP ? '{' : '[');
    for (unsigned i = 0; i < n->count; i++) {
        text_printf(out, "%s\n%*s", i ? "," : "", (int)(2 * depth + 2), "");
        if (n->type == NODE_MAP) {
            json_quote(out, n->keys[i]->text);
            text_addz(out, ": ");
        }
        pretty(out, n->items[i], depth + 1);
    }
    if (n->count)
        text_printf(out, "\n%*s", (int)(2 * depth), "");
    text_chr(out, n->type == NODE_MAP ? '}' : ']');
}

static void schema_file(const char *name, bool api)
{
    struct text raw, out;
    struct arena a;
    struct read r;

    text_init(&raw);
    text_init(&out);
    arena_init(&a, NULL);
    gateway_dump_schema(&raw, api);
    text_chr(&raw, '\0');
    read_init(&r, raw.p); /* it is sound JSON */
    pretty(&out, r.root, 0);
    text_chr(&out, '\n');
    if (getenv("SALLYPORT_TEST_REGENERATE")) {
        char path[512];
        FILE *to;

        snprintf(path, sizeof(path), "%s/%s", getenv("top_srcdir"), name);
        to = fopen(path, "w");
        assert_non_null(to);
        fwrite(out.p, 1, out.n, to);
        fclose(to);
    }
    if (!str_eq(slurp(&a, name), text_str(&out)))
        fail_msg("%s is not what the tables say: run this test with SALLYPORT_TEST_REGENERATE=1", name);
    read_fini(&r);
    arena_fini(&a);
    text_fini(&raw);
    text_fini(&out);
}

static void json_schemas(void **state)
{
    (void)state;
    schema_file("conf/schema/sallyport.schema.json", false);
    schema_file("conf/schema/api.schema.json", true);
}

/* Every option of the tables stands in the text, as "key:" or bold in the manual page. */
static void each_key(const struct schema *t, str text, const char *before, const char *after,
                     const char *file)
{
    for (const struct schema *s = t; s->key; s++) {
        char want[128];

        if (s->flags & S_LATER)
            continue;
        snprintf(want, sizeof(want), "%s%s%s", before, s->key, after);
        if (str_find(text, str_z(want)) == text.n)
            fail_msg("%s does not name \"%s\"", file, want);
        if (!s->doc)
            fail_msg("the option %s has no sentence", s->key);
        if (s->sub)
            each_key(s->sub, text, before, after, file);
        if (s->item && s->item->sub)
            each_key(s->item->sub, text, before, after, file);
    }
}

static void all_documented(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, NULL);
    each_key(conf_table, slurp(&a, "packaging/man/sallyport.yaml.5"), "\\fB", "\\fR",
             "sallyport.yaml.5");
    each_key(api_table, slurp(&a, "packaging/man/sallyport.yaml.5"), "\\fB", "\\fR",
             "sallyport.yaml.5");
    each_key(conf_table, slurp(&a, "conf/sallyport.full.yaml"), "", ":", "sallyport.full.yaml");
    each_key(api_table, slurp(&a, "conf/full/full.api.yaml"), "", ":", "full.api.yaml");
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),     cmocka_unit_test(refused),        cmocka_unit_test(readers),
        cmocka_unit_test(json_schemas), cmocka_unit_test(all_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
