/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the text buffer and of the JSON writer. */
#include "unit.h"

#include <math.h>

#include "base/text.h"

static void grows(void **state)
{
    (void)state;
    struct text t;
    text_init(&t);
    assert_int_equal(text_str(&t).n, 0);
    text_add(&t, STR_NONE);
    text_addz(&t, "ab");
    text_chr(&t, 'c');
    text_printf(&t, "-%d-", 7);
    assert_str(text_str(&t), "abc-7-");
    assert_int_equal(t.p[t.n], 0);
    for (int i = 0; i < 10000; i++)
        text_chr(&t, (char)('a' + i % 26));
    text_printf(&t, "%*s", 5000, "end"); /* longer than the room */
    assert_int_equal(t.n, 6 + 10000 + 5000);
    assert_true(str_ends(text_str(&t), STR("  end")));
    assert_int_equal(t.p[t.n], 0);
    assert_false(t.failed);
    text_fini(&t);
    assert_int_equal(t.n, 0);
    for (int n = 120; n < 135; n++) { /* around the first size */
        text_printf(&t, "%*s", n, "x");
        assert_int_equal(t.n, n);
        assert_int_equal(t.p[n], 0);
        text_fini(&t);
    }
}

static void is_taken(void **state)
{
    (void)state;
    struct text t;
    size_t n = 99;
    text_init(&t);
    char *p = text_take(&t, &n);
    assert_string_equal(p, "");
    assert_int_equal(n, 0);
    free(p);
    text_addz(&t, "abc");
    p = text_take(&t, &n);
    assert_string_equal(p, "abc");
    assert_int_equal(n, 3);
    assert_null(t.p);
    free(p);
    text_addz(&t, "abc");
    t.failed = true;
    assert_null(text_take(&t, &n));
    assert_null(t.p);
}

static void quoting(void **state)
{
    (void)state;
    static const struct {
        str in;
        const char *want;
    } table[] = {
        {{"", 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x1f\x7f", 3}, "\"\\u0000\\u001f\x7f\""},
        {{"\xc3\xa9\xf0\x9f\x98\x80", 6}, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {{"a\xff"
          "b",
          3},
         "\"a\xef\xbf\xbd"
         "b\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct text t;
        text_init(&t);
        json_quote(&t, table[i].in);
        assert_str(text_str(&t), table[i].want);
        text_fini(&t);
    }
}

static void commas(void **state)
{
    (void)state;
    struct text t;
    text_init(&t);
    json_open(&t, '{');
    json_kv(&t, "a", STR("x"));
    json_kvi(&t, "b", INT64_MIN);
    json_key(&t, "list");
    json_open(&t, '[');
    json_int(&t, 1);
    json_bool(&t, true);
    json_bool(&t, false);
    json_null(&t);
    json_strz(&t, "s");
    json_raw(&t, STR("{\"r\":1}"));
    json_open(&t, '[');
    json_close(&t, ']');
    json_open(&t, '{');
    json_close(&t, '}');
    json_close(&t, ']');
    json_key(&t, "c\n");
    json_str(&t, STR_NONE);
    json_close(&t, '}');
    assert_str(text_str(&t),
               "{\"a\":\"x\",\"b\":-9223372036854775808,\"list\":[1,true,false,null,\"s\","
               "{\"r\":1},[],{}],\"c\\n\":\"\"}");
    text_fini(&t);
}

static void doubles(void **state)
{
    (void)state;
    struct text t;
    text_init(&t);
    json_open(&t, '[');
    json_num(&t, 0.1);
    json_num(&t, 3);
    json_num(&t, -1.5e300);
    json_num(&t, 1.0 / 3);
    json_num(&t, NAN);
    json_num(&t, INFINITY);
    json_close(&t, ']');
    assert_str(text_str(&t), "[0.1,3,-1.5e+300,0.3333333333333333,null,null]");
    text_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),  cmocka_unit_test(is_taken), cmocka_unit_test(quoting),
        cmocka_unit_test(commas), cmocka_unit_test(doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
