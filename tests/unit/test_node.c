/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the node tree: looking up, naming places, hashing, comparing; choosing a reader; reading
 * files. */
#include "read.h"

#include <sys/stat.h>
#include <unistd.h>

static struct node_tree *parse(const char *text, struct node **root)
{
    return read_good(node_read, str_z(text), root);
}

static void lookup(void **state)
{
    (void)state;
    struct node *root;
    struct node_tree *t = parse("a: {b: [1, {c: x}]}\nn:\n", &root);
    assert_str(node_getz(node_at(node_getz(node_getz(root, "a"), "b"), 1), "c")->text, "x");
    assert_null(node_getz(root, "z"));
    assert_null(node_getz(node_getz(root, "n"), "x")); /* not a map */
    assert_null(node_getz(NULL, "x"));
    assert_null(node_key(NULL, STR("x")));
    assert_null(node_at(root, 0)); /* a map is no list */
    assert_null(node_at(NULL, 0));
    assert_null(node_at(node_getz(node_getz(root, "a"), "b"), 2));
    assert_true(node_is_scalar(node_getz(root, "n")));
    assert_false(node_is_scalar(root));
    assert_false(node_is_scalar(NULL));
    node_tree_free(t);
    node_tree_free(NULL);
}

static void type_names(void **state)
{
    (void)state;
    static const char *const want[] = {"null", "boolean", "number", "string", "list", "map"};
    struct node *root;
    struct node_tree *t = parse("[null,true,1,\"\",[],{}]", &root);
    for (unsigned i = 0; i < root->count; i++)
        assert_string_equal(node_type_name(node_at(root, i)), want[i]);
    assert_string_equal(node_type_name(NULL), "nothing");
    node_tree_free(t);
}

static void paths_and_pointers(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *path;
    } table[] = {
        {"", ""},
        {"/listen", "listen"},
        {"/listen/0/tls/key", "listen[0].tls.key"},
        {"/paths/~1pets~1{id}/get", "paths['/pets/{id}'].get"},
        {"/~1top~0", "['/top~']"},
        {"/it's", "['it\\'s']"},
        {"/0", "['0']"},
        {"/m/x-amazon-apigateway-integration/$ref", "m.x-amazon-apigateway-integration.$ref"},
        {"/m//1/2", "m[''][1][2]"},
    };
    struct node *root;
    struct node_tree *t = parse(
        "{\"listen\":[{\"tls\":{\"key\":1}}],\"paths\":{\"/pets/{id}\":{\"get\":1}},"
        "\"/top~\":1,\"it's\":1,\"0\":1,\"m\":{\"x-amazon-apigateway-integration\":{\"$ref\":1},"
        "\"\":[0,[0,1,2]]}}",
        &root);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct node *n = node_resolve(root, str_z(table[i].pointer));
        assert_non_null(n);
        assert_str(node_pointer(&t->arena, n), table[i].pointer);
        assert_str(node_path(&t->arena, n), table[i].path);
    }
    const struct node *key = node_key(node_getz(root, "m"), STR(""));
    assert_str(node_path(&t->arena, key), "m['']"); /* a key's place is its value's */
    static const char *const nowhere[] = {"listen",     "/",
                                          "/x",         "/listen/1",
                                          "/listen/00", "/listen/-",
                                          "/listen/0/", "/listen/a",
                                          "/it's/x",    "/~2top",
                                          "/~",         "/paths/~1pets~1{id}/get/",
                                          "/listen/-1", "/listen/18446744073709551616"};
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
        assert_null(node_resolve(root, str_z(nowhere[i])));
    node_tree_free(t);
}

static void long_pointer_tokens(void **state)
{
    (void)state;
    struct node *root;
    struct text doc, pointer;
    text_init(&doc);
    text_init(&pointer);
    text_addz(&doc, "{\"");
    text_addz(&pointer, "/");
    for (int i = 0; i < 300; i++) {
        text_addz(&doc, "/~");
        text_addz(&pointer, "~1~0");
    }
    text_addz(&doc, "\":5}");
    struct node_tree *t = parse(doc.p, &root);
    assert_str(node_resolve(root, text_str(&pointer))->text, "5");
    text_addz(&pointer, "~");
    assert_null(node_resolve(root, text_str(&pointer)));
    text_addz(&pointer, "3");
    assert_null(node_resolve(root, text_str(&pointer)));
    text_fini(&doc);
    text_fini(&pointer);
    node_tree_free(t);
}

static void hash_and_equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } table[] = {
        {"{\"a\": [1, 2]}", "{ \"a\" :\n[1,2]}", true}, /* places do not count */
        {"a: [x, y]", "a:\n- x\n- y", true},
        {"a: ~", "a:", true},
        {"a: 1", "a: '1'", false}, /* the schema reads these differently */
        {"a: 1\nb: 2", "b: 2\na: 1", false},
        {"[1,2]", "[1,2,3]", false},
        {"[[1],2]", "[[1,2]]", false},
        {"[\"ab\",\"c\"]", "[\"a\",\"bc\"]", false},
        {"[1]", "[\"1\"]", false},
        {"[]", "{}", false},
        {"[true]", "[false]", false},
        {"[null]", "[\"null\"]", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"a: &x {k: 1}\nb: *x", "a: {k: 1}\nb: {k: 1}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct node *a, *b;
        struct node_tree *ta = parse(table[i].a, &a), *tb = parse(table[i].b, &b);
        assert_int_equal(node_equal(a, b), table[i].equal);
        assert_int_equal(node_hash(a) == node_hash(b), table[i].equal);
        assert_true(node_equal(a, a));
        node_tree_free(ta);
        node_tree_free(tb);
    }
    assert_true(node_equal(NULL, NULL));
    struct node *root;
    struct node_tree *t = parse("[]", &root);
    assert_false(node_equal(root, NULL));
    assert_true(node_hash(NULL) == 0);
    node_tree_free(t);
}

static struct node *read_as(struct node_tree *t, struct diag *d, const char *name, const char *text)
{
    return node_read(t, d, name, str_z(text), NULL);
}

static void which_reader(void **state)
{
    (void)state;
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    assert_int_equal(read_as(t, &d, "a.yaml", "{\"a\":1}")->items[0]->type,
                     NODE_NUMBER); /* by its brace */
    assert_int_equal(read_as(t, &d, "a.yaml", " \r\n\t[1]")->items[0]->type, NODE_NUMBER);
    assert_int_equal(read_as(t, &d, "a.yaml", "\xef\xbb\xbf{\"a\":1}")->items[0]->type,
                     NODE_NUMBER);
    assert_int_equal(read_as(t, &d, "a.json", "\"x\"")->type, NODE_STRING);
    assert_int_equal(read_as(t, &d, "a.yaml", "a: 1")->items[0]->type, NODE_STRING);
    assert_int_equal(read_as(t, &d, "a.yaml", "")->type, NODE_NULL);
    assert_null(read_as(t, &d, "a.json", "a: 1"));
    assert_has(diag_text(&d), "a.json:1:1: error: unknown word 'a'");
    assert_int_equal(t->file_count, 7);
    assert_string_equal(t->files[6], "a.json");
    diag_fini(&d);
    node_tree_free(t);
}

static char folder[64];

static const char *file_with(const char *name, str text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    if (text.n)
        assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void check_file_error(const char *path, const struct node_limits *limits, const char *want)
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    assert_null(node_read_file(t, &d, path, limits));
    assert_int_equal(d.errors, 1);
    assert_str(d.items[0].file, path);
    str line = diag_line(&d.arena, &d.items[0]);
    assert_str(str_drop(line, strlen(path)), want);
    diag_fini(&d);
    node_tree_free(t);
}

static void files(void **state)
{
    (void)state;
    struct diag d;
    struct node_tree *t = node_tree_new();
    char fifo[128];
    snprintf(folder, sizeof folder, "/tmp/sallyport-node-XXXXXX");
    assert_non_null(mkdtemp(folder));
    diag_init(&d);
    struct node *root = node_read_file(t, &d, file_with("a.yaml", STR("a: 1\n")), NULL);
    assert_non_null(root);
    assert_true(str_ends(str_z(node_file(t, root)), STR("/a.yaml")));
    struct text big;
    text_init(&big);
    for (int i = 0; i < 5000; i++)
        text_printf(&big, "- item number %d\n", i);
    root = node_read_file(t, &d, file_with("a.yaml", text_str(&big)), NULL);
    assert_non_null(root);
    assert_int_equal(root->count, 5000);
    assert_int_equal(d.count, 0);
    check_file_error(file_with("a.yaml", text_str(&big)), &(struct node_limits){.bytes = 1000},
                     ": error: the document is too large, expected at most 1000 bytes");
    text_fini(&big);
    root = node_read_file(t, &d, file_with("a.yaml", STR_NONE), NULL);
    assert_int_equal(root->type, NODE_NULL);
    check_file_error(
        file_with("a.json", STR_NONE), NULL,
        ":1:1: error: the document is empty, expected a value: a map, a list, a string, a number, "
        "true, false or null");
    check_file_error(
        file_with("a.yaml", STR("a: @")), NULL,
        ":1:4: error: an unquoted value cannot begin with '@', expected quotes around the value");
    check_file_error(folder, NULL, ": error: this is a directory, expected a regular file");
    check_file_error("/nonexistent/x.yaml", NULL,
                     ": error: cannot open the file: No such file or directory");
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    check_file_error(
        fifo, NULL, ": error: this is not a file, expected a regular file"); /* and does not hang */
    unlink(fifo);
    static const char *const names[] = {"a.yaml", "a.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(file_with(names[i], STR_NONE));
    assert_int_equal(rmdir(folder), 0);
    diag_fini(&d);
    node_tree_free(t);
}

static void many_files(void **state)
{
    (void)state;
    struct node_tree *t = node_tree_new();
    for (int i = 0; i <= UINT16_MAX; i++)
        assert_int_equal(node_tree_file(t, "x"), i);
    assert_int_equal(node_tree_file(t, "x"), E_LIMIT);
    struct diag d;
    diag_init(&d);
    assert_null(node_read(t, &d, "x", STR("a"), NULL));
    assert_str(diag_text(&d), "x: error: too many files, expected at most 65536\n");
    diag_fini(&d);
    node_tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup),
        cmocka_unit_test(type_names),
        cmocka_unit_test(paths_and_pointers),
        cmocka_unit_test(long_pointer_tokens),
        cmocka_unit_test(hash_and_equality),
        cmocka_unit_test(which_reader),
        cmocka_unit_test(files),
        cmocka_unit_test(many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
