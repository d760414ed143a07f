/* SPDX-License-Identifier: Apache-2.0 */
/* Header values: what compiles, into which parts, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sallyport/sugar.h>
#include <stdlib.h>

#include "value.h"

static bool has_geo(const struct value_names *names, sp_str name)
{
    (void)names;
    return sp_equal(name, SP_STR("geo.country"));
}

static void expect_part(const struct value *v, uint32_t i, uint32_t source, const char *text)
{
    assert_in_range(i, 0, v->count - 1);
    assert_int_equal(v->parts[i].source, source);
    assert_int_equal(v->parts[i].text.n, strlen(text));
    if (text[0] != '\0')
        assert_memory_equal(v->parts[i].text.p, text, strlen(text));
}

static void compile_good(struct value *v, const char *text, uint32_t parts)
{
    struct value_error why;

    if (value_compile(v, sp_of(text), true, NULL, &why) != SP_OK)
        fail_msg("%s: %s", text, why.text);
    assert_int_equal(v->count, parts);
}

static void test_text(void **state)
{
    struct value v;

    (void)state;
    compile_good(&v, "plain text, 100 %", 1);
    assert_true(v.constant);
    expect_part(&v, 0, VALUE_TEXT, "plain text, 100 %");
    value_free(&v);
    compile_good(&v, "", 0);
    assert_true(v.constant);
    value_free(&v);
    compile_good(&v, "US$$ 5 {x}", 1);
    expect_part(&v, 0, VALUE_TEXT, "US$ 5 {x}");
    value_free(&v);
    compile_good(&v, "$${context.requestId}", 1);
    expect_part(&v, 0, VALUE_TEXT, "${context.requestId}");
    value_free(&v);
}

static void test_references(void **state)
{
    struct value v;

    (void)state;
    compile_good(&v, "a ${context.identity.sourceIp}-${stageVariables.version}", 4);
    assert_false(v.constant);
    expect_part(&v, 0, VALUE_TEXT, "a ");
    expect_part(&v, 1, VALUE_CONTEXT, "identity.sourceIp");
    expect_part(&v, 2, VALUE_TEXT, "-");
    expect_part(&v, 3, VALUE_STAGE_VARIABLE, "version");
    value_free(&v);
    compile_good(
        &v, "${request.header.X-A}${request.querystring.q}${request.path}${request.path.id}", 4);
    expect_part(&v, 0, VALUE_HEADER, "X-A");
    expect_part(&v, 1, VALUE_QUERY, "q");
    expect_part(&v, 2, VALUE_PATH, "");
    expect_part(&v, 3, VALUE_PATH_PARAM, "id");
    value_free(&v);
    compile_good(&v, "${response.header.ETag}", 1);
    assert_false(v.constant);
    expect_part(&v, 0, VALUE_RESPONSE_HEADER, "ETag");
    value_free(&v);
    compile_good(&v, "$context.requestId", 1);
    expect_part(&v, 0, VALUE_CONTEXT, "requestId");
    value_free(&v);
    compile_good(&v, "$context.authorizer.claims.cognito:username", 1);
    expect_part(&v, 0, VALUE_CONTEXT, "authorizer.claims.cognito:username");
    value_free(&v);
}

static void test_refused(void **state)
{
    static const struct bad {
        const char *text, *why;
    } bad[] = {
        {"US$ 5", "a lone '$' at byte 3, expected ${...}, or $$ for a dollar sign"},
        {"5$", "a lone '$' at byte 2, expected ${...}, or $$ for a dollar sign"},
        {"$", "a lone '$' at byte 1, expected ${...}, or $$ for a dollar sign"},
        {"a ${context.requestId", "'${' without '}'"},
        {"${}", "unknown reference '', expected context.NAME"},
        {"${requestId}", "unknown reference 'requestId', expected context.NAME"},
        {"$context.requestId rest", "${context.requestId rest}: malformed name"},
        {"${context.}", "${context.}: malformed name behind 'context.'"},
        {"${context.requestID}", "there is no $context.requestID (did you mean 'requestId'?)"},
        {"${context.identity.sourceip}", "(did you mean 'identity.sourceIp'?)"},
        {"${context.qqqqqqqqqqqq}", "there is no $context.qqqqqqqqqqqq"},
        {"${context.authorizer.}", "there is no $context.authorizer."},
        {"${stageVariables.a-b}", "${stageVariables.a-b}: malformed name behind 'stageVariables.'"},
        {"${request.header.a b}", "${request.header.a b}: malformed name behind 'request.header.'"},
        {"a\r\nb", "control character 0x0d, expected text that fits a header"},
        {"a\x7f", "control character 0x7f, expected text that fits a header"},
        {" a", "white space at its begin or end"},
        {"a\t", "white space at its begin or end"},
    };
    struct value_error why;
    struct value v;
    size_t i;

    (void)state;
    for (i = 0; i < SP_COUNT(bad); i++) {
        assert_int_equal(value_compile(&v, sp_of(bad[i].text), true, NULL, &why), SP_E_ARG);
        if (strstr(why.text, bad[i].why) == NULL)
            fail_msg("'%s': got \"%s\", expected \"%s\"", bad[i].text, why.text, bad[i].why);
        assert_null(v.parts);
    }
    assert_int_equal(value_compile(&v, SP_STR("${response.header.ETag}"), false, NULL, &why),
                     SP_E_ARG);
    assert_string_equal(why.text, "${response.header.ETag}: a request has no response yet");
}

static void test_bounds(void **state)
{
    char text[VALUE_MAX + 2];
    struct value_error why;
    struct value v;
    size_t i;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(value_compile(&v, (sp_str){text, VALUE_MAX}, false, NULL, &why), SP_OK);
    assert_int_equal(v.parts[0].text.n, VALUE_MAX);
    value_free(&v);
    assert_int_equal(value_compile(&v, (sp_str){text, VALUE_MAX + 1}, false, NULL, &why), SP_E_ARG);
    assert_string_equal(why.text, "8193 bytes, expected at most 8192");
    for (i = 0; i < VALUE_PARTS + 1; i++)
        memcpy(text + i * 15, "${request.path}", 15);
    assert_int_equal(value_compile(&v, (sp_str){text, VALUE_PARTS * 15}, false, NULL, &why), SP_OK);
    assert_int_equal(v.count, VALUE_PARTS);
    value_free(&v);
    assert_int_equal(value_compile(&v, (sp_str){text, (VALUE_PARTS + 1) * 15}, false, NULL, &why),
                     SP_E_ARG);
    assert_string_equal(why.text, "more than 32 parts, expected fewer references");
}

/* Whatever the bytes: an answer, and nothing lost or overrun (sanitizers watch). */
static void test_any_bytes(void **state)
{
    static const char alphabet[] = "$${}.acontextrequesthead stageVariables.\r\x80";
    uint32_t seed = 1;
    int round;

    (void)state;
    for (round = 0; round < 20000; round++) {
        struct value_error why;
        struct value v;
        char *text = (char *)malloc(64);
        size_t n = round % 64, i;
        assert_non_null(text);
        for (i = 0; i < n; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        if (value_compile(&v, (sp_str){text, n}, round % 2 == 0, NULL, &why) == SP_OK)
            value_free(&v);
        else
            assert_true(why.text[0] != '\0');
        free(text);
    }
}

static void test_names_of_plugins(void **state)
{
    const struct value_names names = {has_geo, NULL, NULL};
    struct value_error why;
    struct value v;

    (void)state;
    assert_int_equal(value_compile(&v, SP_STR("$context.geo.country"), false, NULL, &why),
                     SP_E_ARG);
    assert_int_equal(value_compile(&v, SP_STR("$context.geo.country"), false, &names, &why), SP_OK);
    value_free(&v);
    assert_int_equal(value_compile(&v, SP_STR("$context.geo.city"), false, &names, &why), SP_E_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_references),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_any_bytes), cmocka_unit_test(test_names_of_plugins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
