/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of messages: their form, order, bounds, JSON, suggestions. */
#include "unit.h"

#include "base/diag.h"

static struct diag d;

static int setup(void **state)
{
    (void)state;
    diag_init(&d);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diag_fini(&d);
    return 0;
}

static struct diag_at at(const char *file, unsigned line, unsigned col)
{
    return (struct diag_at){file, line, col};
}

static void form(void **state)
{
    (void)state;
    static const struct {
        struct diag_at at;
        enum diag_level level;
        const char *where, *what, *expected, *suggest, *want;
    } table[] = {
        {{"c.yaml", 3, 7},
         DIAG_ERROR,
         "listen[0].address",
         "value '70000' is out of range",
         "a port from 1 to 65535",
         NULL,
         "c.yaml:3:7: error: listen[0].address: value '70000' is out of range, expected a port "
         "from 1 to 65535"},
        {{"c.yaml", 3, 7},
         DIAG_ERROR,
         "",
         "unknown key 'lisen'",
         NULL,
         "listen",
         "c.yaml:3:7: error: unknown key 'lisen' (did you mean 'listen'?)"},
        {{"c.yaml", 3, 7},
         DIAG_ERROR,
         "a",
         "w",
         "e",
         "s",
         "c.yaml:3:7: error: a: w, expected e (did you mean 's'?)"},
        {{"c.yaml", 0, 0}, DIAG_WARNING, NULL, "w", NULL, NULL, "c.yaml: warning: w"},
        {{NULL, 0, 0}, DIAG_NOTE, "a", "w", NULL, NULL, "note: a: w"},
        {{NULL, 2, 4}, DIAG_ERROR, NULL, "w", NULL, NULL, "line 2:4: error: w"},
        {{"c", 1, 1},
         DIAG_ERROR,
         NULL,
         "a\nb\x1b[0m\t\x7f\xc2\x9b\xff\xc3\xa9",
         NULL,
         NULL,
         "c:1:1: error: a\\nb\\x1b[0m\\t\\x7f\\xc2\\x9b\\xff\xc3\xa9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        diag_add(&d, table[i].level, table[i].at, str_z(table[i].where), str_z(table[i].what),
                 str_z(table[i].expected), str_z(table[i].suggest));
        assert_int_equal(d.count, i + 1);
        assert_str(diag_line(&d.arena, &d.items[i]), table[i].want);
    }
    assert_int_equal(d.errors, 5);
    assert_int_equal(d.warnings, 1);
}

static void all_is_copied(void **state)
{
    (void)state;
    char file[] = "f", text[] = "text";
    diag_add(&d, DIAG_ERROR, at(file, 1, 1), str_z(text), str_z(text), str_z(text), str_z(text));
    diag_error(&d, at(file, 2, 2), text, "x", "%s-%d", text, 5);
    diag_warn(&d, at(file, 3, 3), NULL, NULL, "%s", text);
    memset(file, 'X', 1);
    memset(text, 'X', 4);
    assert_str(diag_text(&d), "f:1:1: error: text: text, expected text (did you mean 'text'?)\n"
                              "f:2:2: error: text: text-5, expected x\n"
                              "f:3:3: warning: text\n");
    assert_str(diag_text(&d), diag_text(&d).p); /* again, the same */
    char longer[2000];
    memset(longer, 'l', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    diag_error(&d, at(file, 4, 4), NULL, NULL, "%s", longer);
    assert_str(d.items[3].what, longer);
}

static void order(void **state)
{
    (void)state;
    diag_error(&d, at("b", 2, 1), NULL, NULL, "4");
    diag_error(&d, at("a", 1, 1), NULL, NULL, "7");
    diag_error(&d, at("b", 1, 9), NULL, NULL, "3");
    diag_error(&d, at("b", 1, 2), NULL, NULL, "1");
    diag_error(&d, at("b", 1, 2), NULL, NULL, "2");
    diag_error(&d, at("b", 10, 1), NULL, NULL, "5");
    diag_error(&d, at("a", 0, 0), NULL, NULL, "6");
    for (int round = 0; round < 2; round++) { /* sorting the sorted changes nothing */
        diag_sort(&d);
        for (unsigned i = 0; i < d.count; i++)
            assert_int_equal(d.items[i].what.p[0], '1' + i);
    }
    diag_error(&d, at("c", 1, 1), NULL, NULL, "8");
    diag_sort(&d);
    assert_str(d.items[7].what, "8");
}

static void json(void **state)
{
    (void)state;
    assert_str(diag_json(&d), "[]");
    assert_str(diag_text(&d), "");
    diag_add(&d, DIAG_ERROR, at("c.yaml", 3, 7), STR("a.b"), STR("say \"no\""), STR("yes"),
             STR("ja"));
    diag_add(&d, DIAG_WARNING, at(NULL, 0, 0), STR_NONE, STR("w"), STR_NONE, STR_NONE);
    assert_str(
        diag_json(&d),
        "[{\"level\":\"error\",\"file\":\"c.yaml\",\"line\":3,\"column\":7,\"where\":\"a.b\","
        "\"message\":\"say \\\"no\\\"\",\"expected\":\"yes\",\"suggestion\":\"ja\"},"
        "{\"level\":\"warning\",\"message\":\"w\"}]");
}

static void bounded(void **state)
{
    (void)state;
    d.max = 10;
    for (unsigned i = 0; i < 25; i++)
        diag_error(&d, at("f", i + 1, 1), NULL, NULL, "e");
    assert_int_equal(d.count, 10);
    assert_int_equal(d.errors, 25);
    assert_int_equal(d.dropped, 15);
    assert_has(diag_text(&d), "f:10:1: error: e\nnote: 15 further messages are not shown\n");
    assert_has(diag_json(&d),
               ",{\"level\":\"note\",\"message\":\"15 further messages are not shown\"}]");
}

static void nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"listen", "address", "timeouts", "Method", "tls"};
    const unsigned n = ARRAY_LEN(names);
    static const struct {
        const char *got, *want;
    } table[] = {
        {"listn", "listen"},
        {"LISTEN", "listen"},
        {"adress", "address"},
        {"Adress", "address"},
        {"timeout", "timeouts"},
        {"method", "Method"},
        {"metod", "Method"},
        {"tsl", "tls"},
        {"tl", "tls"},
        {"xyz", NULL},
        {"", NULL},
        {"listening-port", NULL},
        {"tlsx", "tls"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *got = diag_nearest(str_z(table[i].got), names, n);
        if (!table[i].want)
            assert_null(got);
        else
            assert_string_equal(got, table[i].want);
    }
    assert_null(diag_nearest(STR("x"), NULL, 0));
    char longer[100];
    memset(longer, 'a', sizeof longer);
    assert_null(diag_nearest(str_n(longer, 100), names, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(form, setup, teardown),
        cmocka_unit_test_setup_teardown(all_is_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(order, setup, teardown),
        cmocka_unit_test_setup_teardown(json, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(nearest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
