/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the strict JSON reader: what it accepts and means, and the message and place of
 * everything it refuses. */
#include "read.h"

static void values(void **state)
{
    (void)state;
    static const struct meaning table[] = {
        {"null", "null"},
        {"true", "true"},
        {" false ", "false"},
        {"0", "0"},
        {"-0", "-0"},
        {"12345678901234567890123456789", "12345678901234567890123456789"},
        {"1.0", "1.0"},
        {"-1.50e+07", "-1.50e+07"},
        {"1E400", "1E400"},
        {"0e-1", "0e-1"},
        {"\"\"", "\"\""},
        {"\"a\"", "\"a\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[[],{}]", "[[],{}]"},
        {"[1,\"a\",true,null,{\"k\":[2]}]", "[1,\"a\",true,null,{k:[2]}]"},
        {"\t\r\n {\"a\" \t: 1 ,\n\"b\":2}\r\n", "{a:1,b:2}"},
        {"{\"\":1}", "{:1}"},
        {"{\"a\":1,\"A\":2}", "{a:1,A:2}"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\"\\/\b\f\n\r\t\""},
        {"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\\uFFFF\\u007f\"", "\"\xef\xbf\xbf\x7f\""},
        {"\"\x7f\xc3\xa9\xf4\x8f\xbf\xbf\"", "\"\x7f\xc3\xa9\xf4\x8f\xbf\xbf\""},
        {"\"before \\n between and much longer \\t behind\"",
         "\"before \n between and much longer \t behind\""},
        {"[\"# no comment\",\"// none\",\",]\"]", "[\"# no comment\",\"// none\",\",]\"]"},
    };
    check_good(node_read_json, table, ARRAY_LEN(table));
}

static void types_and_texts(void **state)
{
    (void)state;
    struct node *root;
    const char text[] = "[null,true,false,1.50,\"1\",\"a\\u0000b\",[],{}]";
    struct node_tree *t = read_good(node_read_json, STR(text), &root);
    static const uint8_t types[] = {NODE_NULL,   NODE_BOOL,   NODE_BOOL, NODE_NUMBER,
                                    NODE_STRING, NODE_STRING, NODE_LIST, NODE_MAP};
    assert_int_equal(root->count, ARRAY_LEN(types));
    for (unsigned i = 0; i < root->count; i++) {
        const struct node *n = node_at(root, i);
        assert_int_equal(n->type, types[i]);
        assert_int_equal(n->plain, i < 4);
        assert_ptr_equal(n->parent, root);
        if (node_is_scalar(n))
            assert_int_equal(n->text.p[n->text.n], 0);
    }
    assert_str(node_at(root, 3)->text, "1.50");
    assert_int_equal(node_at(root, 5)->text.n, 3);
    assert_memory_equal(node_at(root, 5)->text.p, "a\0b", 4);
    assert_null(root->parent);
    assert_int_equal(t->node_count, 9);
    node_tree_free(t);
}

static void check_place(const struct node *n, unsigned line, unsigned col)
{
    assert_non_null(n);
    assert_int_equal(n->line, line);
    assert_int_equal(n->col, col);
}

static void places(void **state)
{
    (void)state;
    struct node *root;
    const char text[] = "{\n  \"a\": 1,\r\n\t\"\xc3\xa9\xf0\x9f\x98\x80\": [ true, "
                        "\"\xe2\x82\xac\", null ],\r\"c\": {\"d\" : {}}}";
    struct node_tree *t = read_good(node_read_json, STR(text), &root);
    check_place(root, 1, 1);
    check_place(node_key(root, STR("a")), 2, 3);
    check_place(node_getz(root, "a"), 2, 8);
    const struct node *list = node_getz(root, "\xc3\xa9\xf0\x9f\x98\x80");
    check_place(list, 3, 8); /* characters, not bytes */
    check_place(node_at(list, 0), 3, 10);
    check_place(node_at(list, 1), 3, 16);
    check_place(node_at(list, 2), 3, 21);
    check_place(node_key(root, STR("c")), 4, 1);
    check_place(node_getz(node_getz(root, "c"), "d"), 4, 13);
    assert_string_equal(node_file(t, root), "good");
    node_tree_free(t);
}

#define VALUE     "expected a value: a map, a list, a string, a number, true, false or null"
#define WORD      "expected true, false, null, or text in double quotes"
#define ESCAPES   "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
#define IN_STRING "expected an escape such as \\n, or '\"'"

static const struct broken broken_table[] = {
    {"", "1:1: error: the document is empty, " VALUE},
    {" \n ", "2:2: error: the document is empty, " VALUE},
    {"tru", "1:1: error: unknown word 'tru', " WORD},
    {"True", "1:1: error: unknown word 'True', " WORD},
    {"nulll", "1:1: error: unknown word 'nulll', " WORD},
    {"NaN", "1:1: error: unknown word 'NaN', " WORD},
    {"-Infinity", "1:2: error: 'I' inside a number, expected a digit"},
    {"+1", "1:1: error: unexpected '+', " VALUE},
    {".5", "1:1: error: unexpected '.', " VALUE},
    {"-", "1:2: error: the end of the document inside a number, expected a digit"},
    {"[-]", "1:3: error: ']' inside a number, expected a digit"},
    {"01", "1:1: error: a number begins with a needless 0, expected a first digit from 1 to 9"},
    {"[-012]", "1:2: error: a number begins with a needless 0, expected a first digit from 1 to 9"},
    {"1.", "1:3: error: the end of the document inside a number, expected a digit"},
    {"[1.,2]", "1:4: error: ',' inside a number, expected a digit"},
    {"1e", "1:3: error: the end of the document inside a number, expected a digit"},
    {"1e+", "1:4: error: the end of the document inside a number, expected a digit"},
    {"[1.5e-x]", "1:7: error: 'x' inside a number, expected a digit"},
    {"0x10", "1:2: error: 'x' behind the end of the document"},
    {"[0x10]", "1:3: error: unexpected 'x', expected ',' or ']'"},
    {"1 2", "1:3: error: '2' behind the end of the document"},
    {"{} x", "1:4: error: 'x' behind the end of the document"},
    {"[]]", "1:3: error: ']' behind the end of the document"},
    {"[", "1:2: error: the document ends inside the list that begins at 1:1, expected a value, "
          "or ']'"},
    {"[1", "1:3: error: the document ends inside the list that begins at 1:1, expected ',' or ']'"},
    {"[1,", "1:4: error: the document ends inside the list that begins at 1:1, expected a value"},
    {"[\n[1",
     "2:3: error: the document ends inside the list that begins at 2:1, expected ',' or ']'"},
    {"{", "1:2: error: the document ends inside the map that begins at 1:1, expected a key in "
          "double quotes, or '}'"},
    {"{\"a\"", "1:5: error: the document ends inside the map that begins at 1:1, expected ':' "
               "behind the key"},
    {"{\"a\":", "1:6: error: the document ends inside the map that begins at 1:1, " VALUE},
    {"{\"a\":1",
     "1:7: error: the document ends inside the map that begins at 1:1, expected ',' or '}'"},
    {"{\"a\":1,", "1:8: error: the document ends inside the map that begins at 1:1, expected a "
                  "key in double quotes"},
    {"[1,]", "1:3: error: a comma before ']', expected a further value, or no comma"},
    {"{\"a\":1 ,\n}", "1:8: error: a comma before '}', expected a further key, or no comma"},
    {"[,1]", "1:2: error: unexpected ',', expected a value, or ']'"},
    {"[1,,2]", "1:4: error: unexpected ',', expected a value"},
    {"[1 2]", "1:4: error: unexpected '2', expected ',' or ']'"},
    {"[1}", "1:3: error: unexpected '}', expected ',' or ']'"},
    {"{\"a\":1]", "1:7: error: unexpected ']', expected ',' or '}'"},
    {"{\"a\":1 \"b\":2}", "1:8: error: unexpected '\"', expected ',' or '}'"},
    {"{\"a\" 1}", "1:6: error: unexpected '1', expected ':' behind the key"},
    {"{\"a\"=1}", "1:5: error: unexpected '=', expected ':' behind the key"},
    {"{\"a\":}", "1:6: error: unexpected '}', " VALUE},
    {"{a:1}", "1:2: error: unexpected 'a', expected a key in double quotes, or '}'"},
    {"{1:1}", "1:2: error: unexpected '1', expected a key in double quotes, or '}'"},
    {"{\"a\":1,null:2}", "1:8: error: unexpected 'n', expected a key in double quotes"},
    {"{'a':1}", "1:2: error: a string in single quotes, expected double quotes"},
    {"['a']", "1:2: error: a string in single quotes, expected double quotes"},
    {"// no\n1", "1:1: error: comments are not allowed in JSON, " VALUE},
    {"[1, /* no */ 2]", "1:5: error: comments are not allowed in JSON, expected a value"},
    {"[1 # no\n]", "1:4: error: comments are not allowed in JSON, expected ',' or ']'"},
    {"{\"a\":/1}", "1:6: error: unexpected '/', " VALUE},
    {"\"abc", "1:1: error: the string that begins here does not end, expected '\"'"},
    {"[\"abc\\\"]", "1:2: error: the string that begins here does not end, expected '\"'"},
    {"\"abc\\", "1:6: error: the document ends inside a string, expected '\"'"},
    {"\"a\nb\"", "1:3: error: the end of the line inside a string, " IN_STRING},
    {"\"a\tb\"", "1:3: error: a tab inside a string, " IN_STRING},
    {"\"12345678\x1f\"", "1:10: error: control character 0x1f inside a string, " IN_STRING},
    {"\"\\q\"", "1:2: error: unknown escape: backslash and 'q', " ESCAPES},
    {"\"\xc3\xa9\\\xc3\xa9\"", "1:3: error: unknown escape: backslash and '\xc3\xa9', " ESCAPES},
    {"\"\\'\"", "1:2: error: unknown escape: backslash and ''', " ESCAPES},
    {"\"\\x41\"", "1:2: error: unknown escape: backslash and 'x', " ESCAPES},
    {"\"\\U0041\"", "1:2: error: unknown escape: backslash and 'U', " ESCAPES},
    {"\"\\u12\"", "1:2: error: a malformed \\u escape, expected four hexadecimal digits"},
    {"\"\\u12G4\"", "1:2: error: a malformed \\u escape, expected four hexadecimal digits"},
    {"\"\\u", "1:2: error: a malformed \\u escape, expected four hexadecimal digits"},
    {"\"ab\\ud800\"", "1:4: error: a high surrogate escape that stands alone, expected a low "
                      "surrogate behind it"},
    {"\"\\ud800\\u0041\"", "1:2: error: a high surrogate escape that stands alone, expected a "
                           "low surrogate behind it"},
    {"\"\\ud800\\ud800\"", "1:2: error: a high surrogate escape that stands alone, expected a "
                           "low surrogate behind it"},
    {"\"\\ud800x12345678\"", "1:2: error: a high surrogate escape that stands alone, expected "
                             "a low surrogate behind it"},
    {"\"\\udc00\"", "1:2: error: a low surrogate escape that stands alone, expected a high "
                    "surrogate before it"},
    {"\xef\xbb\xbf{}", "1:1: error: a JSON document must not begin with a byte order mark"},
    {"[\"\xc3\xa9\",\n \"\xc3\xa9\xff\"]", "2:4: error: byte 0xff is not valid UTF-8"},
    {"\"\xed\xa0\x80\"", "1:2: error: byte 0xed is not valid UTF-8"},
    {"\"\xc0\x80\"", "1:2: error: byte 0xc0 is not valid UTF-8"},
    {"\"\xe2\x82\"", "1:2: error: byte 0xe2 is not valid UTF-8"},
    {"\xff\xfe{", "1:1: error: byte 0xff is not valid UTF-8"},
    {"\xc2\xa0[]", "1:1: error: unexpected '\xc2\xa0', " VALUE},
    {"[\x01]", "1:2: error: unexpected control character 0x01, expected a value, or ']'"},
    {"[\f]", "1:2: error: unexpected control character 0x0c, expected a value, or ']'"},
    {"{\"\xf0\x9f\x98\x80\":[1,x]}", "1:9: error: unknown word 'x', " WORD},
    {"{\"a\":\n\"\xc3\xa9\",\n\"b\":+}", "3:5: error: unexpected '+', " VALUE},
};

static void broken_documents(void **state)
{
    (void)state;
    check_broken(node_read_json, broken_table, ARRAY_LEN(broken_table));
}

static void duplicates(void **state)
{
    (void)state;
    static const struct broken table[] = {
        {"{\"a\":1,\"a\":2}", "1:8: error: duplicate key 'a', first at line 1"},
        {"{\"a\":1,\n\"\\u0061\":2,\n\"a\":3}",
         "2:1: error: duplicate key 'a', first at line 1\n3:1: error: duplicate key 'a', first at "
         "line 1"},
        {"[{\"x\":{\"b\":1,\"b\":1}},\n{\"c\":1,\"c\":1}]",
         "1:14: error: duplicate key 'b', first at line 1\n2:8: error: duplicate key 'c', first at "
         "line 2"},
        /* A later mistake does not hide them. */
        {"{\"a\":1,\"a\":2,\"x\":[{\"b\":1,\"b\":2,\n}",
         "1:8: error: duplicate key 'a', first at line 1\n1:26: error: duplicate key 'b', first at "
         "line 1\n"
         "1:31: error: a comma before '}', expected a further key, or no comma"},
    };
    check_broken(node_read_json, table, ARRAY_LEN(table));
}

static void big_maps_are_indexed(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct text t;
    struct node *root;
    char key[32];
    text_init(&t);
    text_chr(&t, '{');
    for (int i = 0; i < N; i++)
        text_printf(&t, "%s\"key-%d\":%d", i ? "," : "", i, i);
    text_chr(&t, '}');
    struct node_tree *tree = read_good(node_read_json, text_str(&t), &root);
    assert_non_null(root->index);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_str(node_getz(root, key)->text, key + 4);
    }
    assert_null(node_getz(root, "key-5000"));
    assert_null(node_key(root, STR("")));
    node_tree_free(tree);
    t.n--; /* the bracket */
    text_addz(&t, ",\n\"key-77\":0,\n\"key-4999\":0}");
    char *got = read_broken(node_read_json, text_str(&t), NULL);
    assert_string_equal(got, "2:1: error: duplicate key 'key-77', first at line 1\n"
                             "3:1: error: duplicate key 'key-4999', first at line 1");
    free(got);
    text_fini(&t);
}

static void check_limit(const char *text, struct node_limits limits, const char *want)
{
    char *got = read_broken(node_read_json, str_z(text), &limits);
    assert_string_equal(got, want);
    free(got);
}

static void limits(void **state)
{
    (void)state;
    struct node_limits small = {.depth = 3, .nodes = 6, .bytes = 40};
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    assert_non_null(node_read_json(t, &d, "x", STR("[[[1,2,3]]]"), &small));
    assert_non_null(
        node_read_json(t, &d, "x", STR("\"38 bytes are just as many as may be.\""), &small));
    assert_int_equal(d.count, 0);
    diag_fini(&d);
    node_tree_free(t);
    check_limit("[[[[1]]]]", small,
                "1:4: error: lists and maps are nested too deeply, expected at most 3 levels");
    check_limit("[1,2,3,4,5,6]", small,
                "1:12: error: the document has too many values, expected at most 6");
    check_limit("{\"a\":1,\"b\":2,\"c\":3}", small,
                "1:18: error: the document has too many values, expected at most 6");
    check_limit("\"12345678901234567890123456789012345678901\"", small,
                "error: the document is too large, expected at most 40 bytes");
    char deep[100001];
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    check_limit(deep, (struct node_limits){0, 0, 0},
                "1:65: error: lists and maps are nested too deeply, expected at most 64 levels");
    check_limit(
        deep, (struct node_limits){.depth = UINT32_MAX},
        "1:1001: error: lists and maps are nested too deeply, expected at most 1000 levels");
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    const char text[] = "{\"a\\u00e9\":[1.5e+3,\"\\ud83d\\ude00\",true,null,{\"\xc3\xa9\":-0}]}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *copy = malloc(n + 1); /* so that reading too far is seen */
        assert_non_null(copy);
        memcpy(copy, text, n);
        free(read_broken(node_read_json, str_n(copy, n), NULL));
        free(copy);
    }
    struct node *root;
    node_tree_free(read_good(node_read_json, STR(text), &root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(types_and_texts),
        cmocka_unit_test(places),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(big_maps_are_indexed),
        cmocka_unit_test(limits),
        cmocka_unit_test(broken_documents),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
