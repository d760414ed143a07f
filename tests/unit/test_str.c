/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of string views, numbers in them, edit distance and UTF-8. */
#include "unit.h"

#include "base/str.h"

static void compare(void **state)
{
    (void)state;
    assert_true(str_eq(STR("abc"), STR("abc")));
    assert_false(str_eq(STR("abc"), STR("abd")));
    assert_false(str_eq(STR("abc"), STR("ab")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eqz(STR_NONE, NULL));
    assert_true(str_ieq(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_ieq(STR("a-b"), STR("a_b")));
    assert_false(str_ieq(STR("@"), STR("`"))); /* differ by 0x20 and are no letters */
    assert_false(str_ieq(STR("["), STR("{")));
    assert_true(str_ieq(STR_NONE, STR_NONE));
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0); /* bytes, not chars */
    assert_int_equal(str_cmp(STR_NONE, STR_NONE), 0);
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_true(str_ends(STR("c"), STR("")));
    assert_true(str_istarts(STR("Bearer x"), STR("bearer ")));
    assert_false(str_istarts(STR("Bear"), STR("bearer ")));
}

static void search(void **state)
{
    (void)state;
    assert_int_equal(str_chr(STR("a=b"), '='), 1);
    assert_int_equal(str_chr(STR("ab"), '='), 2);
    assert_int_equal(str_chr(STR_NONE, '='), 0);
    assert_int_equal(str_find(STR("hello world"), STR("o w")), 4);
    assert_int_equal(str_find(STR("hello"), STR("x")), 5);
    assert_int_equal(str_find(STR("hello"), STR("")), 0);
    assert_int_equal(str_find(STR("ab"), STR("abc")), 2);
    assert_int_equal(str_find(STR_NONE, STR("a")), 0);
    assert_str(str_trim(STR(" \t a b \t"), " \t"), "a b");
    assert_str(str_trim(STR(" \t "), " \t"), "");
    assert_str(str_trim(STR_NONE, " \t"), "");
    assert_str(str_trim(STR("a"), ""), "a");
    str nul = str_n("\0a\0", 3);
    assert_int_equal(str_trim(nul, " ").n, 3); /* NUL is in no set */
}

static void take_and_drop(void **state)
{
    (void)state;
    assert_str(str_drop(STR("abc"), 1), "bc");
    assert_str(str_drop(STR("abc"), 9), "");
    assert_str(str_drop(STR_NONE, 3), "");
    assert_str(str_take(STR("abc"), 2), "ab");
    assert_str(str_take(STR("abc"), 9), "abc");
}

static void cut(void **state)
{
    (void)state;
    str rest = STR("a,,b,");
    const char *want[] = {"a", "", "b", ""};
    unsigned n = 0;
    while (rest.p) {
        assert_true(n < 4);
        assert_str(str_cut(&rest, ','), want[n++]);
    }
    assert_int_equal(n, 4);
    rest = STR("");
    assert_str(str_cut(&rest, ','), "");
    assert_null(rest.p);
    rest = STR("whole");
    assert_str(str_cut(&rest, ','), "whole");
    assert_null(rest.p);
}

static void numbers(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_int_equal(str_u64(STR("0"), &u), 0);
    assert_int_equal(u, 0);
    assert_int_equal(str_u64(STR("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    u = 7;
    const char *bad[] = {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.0", "a"};
    for (size_t k = 0; k < ARRAY_LEN(bad); k++)
        assert_int_equal(str_u64(str_z(bad[k]), &u), E_ARG);
    assert_int_equal(str_u64(STR("18446744073709551616"), &u), E_LIMIT);
    assert_int_equal(str_u64(STR("99999999999999999999999999x"), &u), E_ARG);
    assert_int_equal(u, 7); /* untouched on failure */
    assert_int_equal(str_i64(STR("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(str_i64(STR("9223372036854775807"), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(str_i64(STR("9223372036854775808"), &i), E_LIMIT);
    assert_int_equal(str_i64(STR("-9223372036854775809"), &i), E_LIMIT);
    assert_int_equal(str_i64(STR("-"), &i), E_ARG);
    assert_int_equal(str_i64(STR("--1"), &i), E_ARG);
    assert_int_equal(str_i64(STR("+1"), &i), E_ARG);
    assert_int_equal(str_i64(STR_NONE, &i), E_ARG);
    assert_int_equal(str_i64(STR("-0"), &i), 0);
    assert_true(i == 0);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int64_t ms;
    } good[] = {{"0", 0},        {"250ms", 250},   {"5s", 5000}, {"1m", 60000},
                {"2h", 7200000}, {"1d", 86400000}, {"0s", 0}};
    static const char *const bad[] = {"",     "5",    "s",  "5 s",   "5S", "-1s",
                                      "1.5s", "5sec", "ms", "1h30m", "00"};
    int64_t v = 0;
    for (size_t k = 0; k < ARRAY_LEN(good); k++) {
        assert_int_equal(str_duration(str_z(good[k].in), &v), 0);
        assert_true(v == good[k].ms);
    }
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        assert_int_equal(str_duration(str_z(bad[k]), &v), E_ARG);
    }
    assert_int_equal(str_duration(STR("106751991168d"), &v), E_LIMIT);
    assert_int_equal(str_duration(STR("99999999999999999999s"), &v), E_LIMIT);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int64_t n;
    } good[] = {{"512", 512},     {"0", 0},         {"1B", 1},       {"64KB", 65536},
                {"64K", 65536},   {"64KiB", 65536}, {"64kb", 65536}, {"10MB", 10 << 20},
                {"1GB", 1 << 30}, {"1G", 1 << 30},
                {"2TB", INT64_C(2) << 40}, {"1TiB", INT64_C(1) << 40}};
    static const char *const bad[] = {"", "KB", "-1", "1.5MB", "1 MB", "1PB", "1KBB", "x"};
    int64_t v = 0;
    for (size_t k = 0; k < ARRAY_LEN(good); k++) {
        assert_int_equal(str_size(str_z(good[k].in), &v), 0);
        assert_true(v == good[k].n);
    }
    for (size_t k = 0; k < ARRAY_LEN(bad); k++)
        assert_int_equal(str_size(str_z(bad[k]), &v), E_ARG);
    assert_int_equal(str_size(STR("8589934592GB"), &v), E_LIMIT);
    assert_int_equal(str_size(STR("8589934591GB"), &v), 0);
}

static void distance(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR("listen"), STR("listen"), 3), 0);
    assert_int_equal(str_distance(STR("listn"), STR("listen"), 3), 1);
    assert_int_equal(str_distance(STR("lsiten"), STR("listen"), 3), 1); /* a swap is one step */
    assert_int_equal(str_distance(STR("lixten"), STR("listen"), 3), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3); /* above max: max + 1 */
    assert_int_equal(str_distance(STR(""), STR("abc"), 5), 3);
    assert_int_equal(str_distance(STR_NONE, STR_NONE, 0), 0);
    assert_int_equal(str_distance(STR("a"), STR("abcdefgh"), 2), 3);
    char longer[80], other[80];
    memset(longer, 'a', sizeof longer);
    memset(other, 'a', sizeof other);
    other[0] = 'b';
    assert_int_equal(str_distance(str_n(longer, 80), str_n(other, 80), 4), 5);
    assert_int_equal(str_distance(str_n(longer, 80), str_n(longer, 80), 4), 0);
    assert_int_equal(str_distance(str_n(longer, 64), str_n(other, 64), 4), 1);
}

static void duplicate(void **state)
{
    (void)state;
    char *z = str_dup(STR("abc"));
    assert_string_equal(z, "abc");
    free(z);
    z = str_dup(STR_NONE);
    assert_string_equal(z, "");
    free(z);
}

static void utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain ascii, long enough for words",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       ("12345678\xc3\xa9"
                                        "12345678")};
    static const struct {
        const char *in;
        size_t at;
    } bad[] = {{"\x80", 0},
               {"a\xbf", 1},
               {"\xc0\x80", 0},
               {"\xc1\xbf", 0},
               {"\xc3", 0},
               {"\xc3(", 0},
               {"\xe0\x9f\xbf", 0},
               {"\xed\xa0\x80", 0},
               {"\xed\xbf\xbf", 0},
               {"\xe2\x82", 0},
               {"\xf0\x8f\xbf\xbf", 0},
               {"\xf4\x90\x80\x80", 0},
               {"\xf5\x80\x80\x80", 0},
               {"\xfe", 0},
               {"12345678\xc3\xa9\xff", 10},
               {"\xf0\x9f\x98", 0}};
    for (size_t k = 0; k < ARRAY_LEN(good); k++)
        assert_true(str_is_utf8(str_z(good[k])));
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        assert_false(str_is_utf8(str_z(bad[k].in)));
        assert_int_equal(str_utf8_valid(str_z(bad[k].in)), bad[k].at);
    }
    assert_true(str_is_utf8(STR_NONE));
    assert_true(str_is_utf8(str_n("a\0b", 3)));
    assert_int_equal(str_utf8_len("\xe2\x82\xac", 3), 3);
    assert_int_equal(str_utf8_len("\xe2\x82\xac", 2), 0);
    assert_int_equal(str_utf8_len("", 0), 0);
    assert_int_equal(str_ascii_len(STR("12345678901\xc3\xa9")), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare), cmocka_unit_test(search),   cmocka_unit_test(take_and_drop),
        cmocka_unit_test(cut),     cmocka_unit_test(numbers),  cmocka_unit_test(durations),
        cmocka_unit_test(sizes),   cmocka_unit_test(distance), cmocka_unit_test(duplicate),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
