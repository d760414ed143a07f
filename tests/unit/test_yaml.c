/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the YAML reader: meanings, places, bounds, and the message of everything it refuses. */
#include "read.h"

static void values(void **state)
{
    (void)state;
    static const struct meaning table[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"a", "a"},
        {"'a'", "\"a\""},
        {"\"a\\tb\\u00e9\"", "\"a\tb\xc3\xa9\""},
        {"a: 1\nb: yes\nc: 1.50", "{a:1,b:yes,c:1.50}"},
        {"a:\nb: ~\nc: null\nd: ''\ne: 'null'", "{a:null,b:null,c:null,d:\"\",e:\"null\"}"},
        {"- a\n- - b\n  - c\n-\n", "[a,[b,c],null]"},
        {"a: [1, {b: 2, c: [] }, {}]", "{a:[1,{b:2,c:[]},{}]}"},
        {"a: |\n  x\n   y\n\nb: >-\n  x\n  y\n", "{a:\"x\n y\n\",b:\"x y\"}"},
        {"a: x\n  y", "{a:x y}"},
        {"? a\n: 1\n? b\n", "{a:1,b:null}"},
        {"'<<': 1", "{<<:1}"},
        {"'': 1", "{:1}"},
        {"null: 1\n~: 2", "{null:1,~:2}"},
        {"a: 1 # comment\n# another\nb: 'x # y'", "{a:1,b:\"x # y\"}"},
        {"%YAML 1.1\n---\na: 1\n...\n", "{a:1}"},
        {"%YAML 1.2\n--- {a: 1}\n", "{a:1}"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{a:1}"},
        {"a: 1\r\nb: 2\r\n", "{a:1,b:2}"},
        {"a: &x 1\nb: *x", "{a:1,b:1}"},
        {"a: &x {k: [1, 2]}\nb: *x\nc: [*x, *x]",
         "{a:{k:[1,2]},b:{k:[1,2]},c:[{k:[1,2]},{k:[1,2]}]}"},
        {"a: &x 1\nb: &x 2\nc: *x", "{a:1,b:2,c:2}"},
        {"- &x a\n- {*x : 1}", "[a,{a:1}]"},
        {"- &x null\n- {*x : 1}", "[null,{null:1}]"},
        {"&x ~: 1\nb: *x", "{~:1,b:null}"},
        {"a: !!str 1\nb: !!int '1'\nc: !!null ''\nd: ! 1", "{a:\"1\",b:1,c:null,d:\"1\"}"},
        {"a: !!map {b: !!seq [!!bool yes, !!float 1]}", "{a:{b:[yes,1]}}"},
        {"\"a\": {\"b\":\"c\"}", "{a:{b:\"c\"}}"},
        {"a: http://x:1/{y}?z=#1", "{a:http://x:1/{y}?z=#1}"},
        {"a:\n  b:\t1", "{a:{b:1}}"}, /* a tab that does not indent */
        {"\xc3\xa9: \xf0\x9f\x98\x80", "{\xc3\xa9:\xf0\x9f\x98\x80}"},
    };
    check_good(node_read_yaml, table, ARRAY_LEN(table));
}

static void plain_or_quoted(void **state)
{
    (void)state;
    struct node *root;
    struct node_tree *t =
        read_good(node_read_yaml, STR("a: 1\nb: '1'\nc: \"1\"\nd: |\n  1\ne: ~\n'f': 1"), &root);
    static const struct {
        const char *key;
        uint8_t type, plain;
    } table[] = {{"a", NODE_STRING, 1}, {"b", NODE_STRING, 0}, {"c", NODE_STRING, 0},
                 {"d", NODE_STRING, 0}, {"e", NODE_NULL, 1},   {"f", NODE_STRING, 1}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct node *n = node_getz(root, table[i].key);
        assert_int_equal(n->type, table[i].type);
        assert_int_equal(n->plain, table[i].plain);
        assert_int_equal(n->text.p[n->text.n], 0);
        assert_int_equal(node_key(root, str_z(table[i].key))->type, NODE_STRING);
    }
    assert_int_equal(node_key(root, STR("f"))->plain, 0);
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
    struct node_tree *t = read_good(
        node_read_yaml,
        STR("\xef\xbb\xbf# comment\nlisten:\n  - address: x\n    tls: {key: 'k'}\n"
            "\xc3\xa9\xc3\xa9: [1, \xe2\x82\xac, 3]\nempty:\nlast: &x\n  y: 1\nalias: *x\n"),
        &root);
    check_place(root, 2, 1);
    check_place(node_key(root, STR("listen")), 2, 1);
    const struct node *list = node_getz(root, "listen"), *first = node_at(list, 0);
    check_place(list, 3, 3);
    check_place(first, 3, 5);
    check_place(node_getz(first, "address"), 3, 14);
    check_place(node_getz(node_getz(first, "tls"), "key"), 4, 16);
    list = node_getz(root, "\xc3\xa9\xc3\xa9");
    check_place(list, 5, 5); /* characters, not bytes */
    check_place(node_at(list, 2), 5, 12);
    check_place(node_getz(root, "empty"), 6, 7);
    const struct node *alias = node_getz(root, "alias"); /* stands where the alias stands, */
    check_place(alias, 9, 8);
    check_place(node_getz(alias, "y"), 8, 6); /* its parts where they were written */
    assert_ptr_equal(node_getz(alias, "y")->parent, alias);
    assert_ptr_equal(alias->parent, root);
    node_tree_free(t);
}

#define NO_KEY_HERE                                                                                \
    "a ':' stands where no key can be, expected a key on a line of its own, or quotes around "     \
    "text that holds ': '"

static void broken_syntax(void **state)
{
    (void)state;
    static const struct broken table[] = {
        {"a: b: c", "1:5: error: " NO_KEY_HERE},
        {"a: 1\n b: 2", "2:3: error: " NO_KEY_HERE},
        {"a: [1, 2\nb: 3\n", "2:2: error: a list in brackets does not go on like this (in the list "
                             "that begins at 1:4), expected ',' or ']'"},
        {"a: {b: 1]", "1:9: error: a map in braces does not go on like this (in the map that "
                      "begins at 1:4), expected ',' or '}'"},
        {"a: [1", "1:6: error: a list in brackets does not go on like this (in the list that "
                  "begins at 1:4), expected ',' or ']'"},
        {"a: [1\n", "2:1: error: a list in brackets does not go on like this (in the list that "
                    "begins at 1:4), expected ',' or ']'"},
        {"a: {b: 1", "1:9: error: a map in braces does not go on like this (in the map that begins "
                     "at 1:4), expected ',' or '}'"},
        {"a: [1]]", "1:7: error: this does not continue the map above (in the map that begins at "
                    "1:1), expected a key at the same indentation as the others"},
        {"a: \"x\nb: 1",
         "1:4: error: the quoted text that begins here does not end, expected a closing quote"},
        {"a: 'x\nb: 1",
         "1:4: error: the quoted text that begins here does not end, expected a closing quote"},
        {"a: 'it's'", "1:8: error: this does not continue the map above (in the map that begins at "
                      "1:1), expected a key at the same indentation as the others"},
        {"a:\n  - 1\n b: 2",
         "3:2: error: this does not continue the map above (in the map that begins at 1:1), "
         "expected a key at the same indentation as the others"},
        {"- 1\nb: 2", "2:1: error: this does not continue the list above (in the list that begins "
                      "at 1:1), expected '- ' at the same indentation as the others"},
        {"a: 1\nfoo\nb: 2", "3:1: error: text that is neither a key nor a value (in the key that "
                            "begins at 2:1), expected 'key: value'"},
        {"a: - b", "1:4: error: a '- ' stands where no list can begin, expected the list on the "
                   "next line, indented"},
        {"a: @x",
         "1:4: error: an unquoted value cannot begin with '@', expected quotes around the value"},
        {"a: `x`",
         "1:4: error: an unquoted value cannot begin with '`', expected quotes around the value"},
        {"\xc3\xa9: %x",
         "1:4: error: an unquoted value cannot begin with '%', expected quotes around the value"},
        {"a:\n\tb: 1", "2:1: error: a tab is used for indentation, expected spaces"},
        {"a:\n  b: 1\n\tc: 1", "3:1: error: a tab is used for indentation, expected spaces"},
        {"a:\n  \tb: 1", "2:3: error: a tab is used for indentation, expected spaces"},
        {"a: |\n\tx", "2:1: error: a tab is used for indentation, expected spaces"},
        {"a: \"\\q\"", "1:5: error: unknown escape in double quotes: backslash and 'q', expected a "
                       "known escape, or single quotes around the text"},
        {"re: \"^\\d+$\"", "1:7: error: unknown escape in double quotes: backslash and 'd', "
                           "expected a known escape, or single quotes around the text"},
        {"a: \"\\ud800\"", "1:7: error: an escape that is no Unicode character (while parsing a "
                           "quoted scalar that begins at 1:4)"},
        {"a: \"\\u12x\"", "1:7: error: a malformed escape (while parsing a quoted scalar that "
                          "begins at 1:4), expected hexadecimal digits"},
        {"a: 1\n...\nb: 1",
         "3:1: error: text behind the end of the document, expected one document per file"},
        {"%YAML 3.0\n---\na: 1", "1:1: error: an unknown YAML version, expected %YAML 1.1 or 1.2"},
        {"a: !x!y z", "1:4: error: a tag with an unknown prefix (while parsing a node that begins "
                      "at 1:4), expected no tag"},
        {"a: & b", "1:4: error: an unquoted '&' begins an anchor, expected a name behind it"},
        {"a: *", "1:4: error: an unquoted '*' begins an alias, expected a name behind it, or "
                 "quotes around the text"},
        {"[a, b", "1:6: error: a list in brackets does not go on like this (in the list that "
                  "begins at 1:1), expected ',' or ']'"},
        {"{: 1}", "1:2: error: a value is missing (while parsing a flow node that begins at 1:2), "
                  "expected a value"},
        {"'",
         "1:1: error: the quoted text that begins here does not end, expected a closing quote"},
    };
    check_broken(node_read_yaml, table, ARRAY_LEN(table));
}

static void refused_features(void **state)
{
    (void)state;
    static const struct broken table[] = {
        {"a: 1\n---\nb: 1",
         "2:1: error: a second document begins here, expected one document per file"},
        {"a: &x [*x]", "1:8: error: alias '*x' stands inside the value that it names"},
        {"a: &x {b: {c: *x}}", "1:15: error: alias '*x' stands inside the value that it names"},
        {"a: *x\nb: &x 1",
         "1:4: error: unknown alias '*x', expected an anchor that is defined above"},
        {"a: !Sub x", "1:4: error: unknown tag '!Sub', expected no tag"},
        {"a: !!binary x", "1:4: error: unknown tag '!!binary', expected no tag"},
        {"a: !!map x", "1:4: error: unknown tag '!!map', expected no tag"},
        {"a: !!seq {b: 1}", "1:4: error: unknown tag '!!seq', expected no tag"},
        {"a: !!set {b}", "1:4: error: unknown tag '!!set', expected no tag"},
        {"a: !!null x", "1:4: error: tag '!!null' on a value, expected nothing, ~ or null"},
        {"b: &x {c: 1}\na:\n  <<: *x",
         "3:3: error: merge keys ('<<') are not supported, expected the keys themselves"},
        {"[1]: 2", "1:1: error: a list or a map as a key, expected text"},
        {"? {a: 1}\n: 2", "1:3: error: a list or a map as a key, expected text"},
        {"- &x [1]\n- {*x : 2}", "2:4: error: a list or a map as a key, expected text"},
        {"?\n: 2", "1:2: error: a key is missing, expected a key before ':'"},
        {"a: \"x\\0y\"", "1:4: error: a NUL character (\\0) in a value"},
    };
    check_broken(node_read_yaml, table, ARRAY_LEN(table));
}

static void bytes(void **state)
{
    (void)state;
    static const struct broken table[] = {
        {"a: \x01", "1:4: error: control character U+0001"},
        {"a: 1\n\xc3\xa9: \x1b[0m", "2:4: error: control character U+001B"},
        {"a: \x7f", "1:4: error: control character U+007F"},
        {"a: \xc2\x9b", "1:4: error: control character U+009B"},
        {"a: \xef\xbb\xbf", "1:4: error: control character U+FEFF"},
        {"a: \xef\xbf\xbf", "1:4: error: control character U+FFFF"},
        {"a: 1\r\nb: \xff", "2:4: error: byte 0xff is not valid UTF-8"},
        {"a: \xed\xa0\x80", "1:4: error: byte 0xed is not valid UTF-8"},
        {"\xff\xfe"
         "a",
         "1:1: error: byte 0xff is not valid UTF-8, expected UTF-8, not UTF-16"},
    };
    check_broken(node_read_yaml, table, ARRAY_LEN(table));
    char *got = read_broken(node_read_yaml, str_n("a: x\0y", 6), NULL);
    assert_string_equal(got, "1:5: error: a NUL byte");
    free(got);
}

static void duplicates(void **state)
{
    (void)state;
    static const struct broken table[] = {
        {"a: 1\nlisten: 1\nb: {c: 1, c: 2}\nlisten: 2",
         "3:11: error: duplicate key 'c', first at line 3\n4:1: error: duplicate key 'listen', "
         "first at line 2"},
        {"a: 1\n'a': 2\n\"\\x61\": 3", "2:1: error: duplicate key 'a', first at line 1\n3:1: "
                                       "error: duplicate key 'a', first at line 1"},
        {"x:\n  a: 1\n  a: 2\ny: @",
         "3:3: error: duplicate key 'a', first at line 2\n"
         "4:4: error: an unquoted value cannot begin with '@', expected quotes around the value"},
        {"a: 1\na: 2\ny: !no x", "2:1: error: duplicate key 'a', first at line 1\n3:4: error: "
                                 "unknown tag '!no', expected no tag"},
        {"- &x a\n- a: 1\n  *x : 2", "3:3: error: duplicate key 'a', first at line 2"},
    };
    check_broken(node_read_yaml, table, ARRAY_LEN(table));
}

static void check_limit(str text, struct node_limits limits, const char *want)
{
    char *got = read_broken(node_read_yaml, text, &limits);
    assert_string_equal(got, want);
    free(got);
}

static void limits(void **state)
{
    (void)state;
    struct node_limits small = {.depth = 3, .nodes = 6, .bytes = 40};
    check_limit(STR("[[[[1]]]]"), small,
                "1:4: error: lists and maps are nested too deeply, expected at most 3 levels");
    check_limit(STR("- &x [1]\n- [[*x]]"), (struct node_limits){.depth = 3},
                "2:5: error: lists and maps are nested too deeply, expected at most 3 levels");
    check_limit(STR("[1,2,3,4,5,6]"), small,
                "1:12: error: the document has too many values, expected at most 6");
    check_limit(STR("- &x [1, 2]\n- *x"), small,
                "2:3: error: the document has too many values, expected at most 6");
    check_limit(STR("a: 12345678901234567890123456789012345678"), small,
                "error: the document is too large, expected at most 40 bytes");
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    assert_non_null(node_read_yaml(t, &d, "x", STR("- &x 1\n- [[*x, 2]]"), &small));
    assert_int_equal(t->node_count, 6);
    diag_fini(&d);
    node_tree_free(t);
    char deep[20001];
    memset(deep, '[', 20000);
    deep[20000] = '\0';
    check_limit(str_n(deep, 20000), (struct node_limits){0, 0, 0},
                "1:65: error: lists and maps are nested too deeply, expected at most 64 levels");
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(deep + i, "- ", 2);
    check_limit(str_n(deep, 20000), (struct node_limits){0, 0, 0},
                "1:129: error: lists and maps are nested too deeply, expected at most 64 levels");
}

static void billion_laughs(void **state)
{
    (void)state;
    struct text t;
    struct diag d;
    struct node_tree *tree = node_tree_new();
    text_init(&t);
    text_addz(&t, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        text_printf(&t, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            text_printf(&t, "%s*a%d", k ? ", " : "", i - 1);
        text_addz(&t, "]\n");
    }
    diag_init(&d);
    assert_null(node_read_yaml(tree, &d, "x", text_str(&t), &(struct node_limits){.nodes = 20000}));
    assert_has(diag_text(&d), "error: the document has too many values, expected at most 20000");
    assert_true(tree->node_count <= 20000);
    assert_true(tree->arena.used < 4 << 20);
    diag_fini(&d);
    node_tree_free(tree);
    text_fini(&t);
}

static void directives_are_bounded(void **state)
{
    (void)state;
    struct text t;
    struct node *root;
    text_init(&t);
    for (int i = 0; i < 32; i++)
        text_printf(&t, "%%TAG !t%d! tag:x,\n", i);
    size_t n = t.n;
    text_addz(&t, "---\na: x %TAG\n");
    node_tree_free(read_good(node_read_yaml, text_str(&t), &root));
    t.n = n;
    text_addz(&t, "%TAG !x! tag:x,\n---\n");
    char *got = read_broken(node_read_yaml, text_str(&t), NULL);
    assert_string_equal(got, "33:1: error: too many %TAG directives, expected at most 32");
    free(got);
    text_fini(&t);
}

static void prefixes_never_crash(void **state)
{
    (void)state;
    const char text[] = "%YAML 1.2\n---\na: &x {b: [1, \"\\u00e9\", 'q']}\n? c\n: |+\n  text\n\n"
                        "d: !!str *x\n\xc3\xa9: >-\n  f\n- g\n";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct diag d;
        struct node_tree *t = node_tree_new();
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, text, n);
        diag_init(&d);
        bool good = node_read_yaml(t, &d, "x", str_n(copy, n), NULL) != NULL;
        assert_int_equal(good, d.errors == 0);
        diag_fini(&d);
        node_tree_free(t);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(plain_or_quoted),
        cmocka_unit_test(places),
        cmocka_unit_test(broken_syntax),
        cmocka_unit_test(refused_features),
        cmocka_unit_test(bytes),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(limits),
        cmocka_unit_test(billion_laughs),
        cmocka_unit_test(directives_are_bounded),
        cmocka_unit_test(prefixes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
