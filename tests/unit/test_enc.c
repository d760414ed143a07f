/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of hex, base64, percent encoding, constant-time comparison and random ids. */
#include "unit.h"

#include "base/enc.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

static void hex(void **state)
{
    (void)state;
    char out[8];
    enc_hex(out, "\x00\x0f\xa5\xff", 4);
    assert_str(str_n(out, 8), "000fa5ff");
}

/* RFC 4648 section 10 and the letters 62, 63. */
static const struct {
    const char *plain, *base64, *url;
} vectors[] = {{"", "", ""},
               {"f", "Zg==", "Zg"},
               {"fo", "Zm8=", "Zm8"},
               {"foo", "Zm9v", "Zm9v"},
               {"foob", "Zm9vYg==", "Zm9vYg"},
               {"fooba", "Zm9vYmE=", "Zm9vYmE"},
               {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
               {"\xfb\xff\xbf", "+/+/", "-_-_"}};

static void base64(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        str plain = str_z(vectors[i].plain);
        assert_str(enc_base64(&a, plain), vectors[i].base64);
        assert_str(enc_base64url(&a, plain), vectors[i].url);
        assert_str(dec_base64(&a, str_z(vectors[i].base64)), vectors[i].plain);
        assert_str(dec_base64url(&a, str_z(vectors[i].url)), vectors[i].plain);
        assert_non_null(dec_base64(&a, str_z(vectors[i].base64)).p);
    }
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (size_t n = 0; n <= 256; n++) {
        assert_true(str_eq(dec_base64(&a, enc_base64(&a, str_n(all, n))), str_n(all, n)));
        assert_true(str_eq(dec_base64url(&a, enc_base64url(&a, str_n(all, n))), str_n(all, n)));
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",        "Zg",     "Zg=",  "Zm9",  "Zm9v=", "Zg==\n",
                                      " Zg==",    "Zh==",   "Zm9=", "Z===", "====",  "=",
                                      "Zg==Zg==", "Zm9vYg", "-_-_", "Zm 9", "Zg=a"};
    static const char *const bad_url[] = {
        "Z", "Zg==", "Zh", "Zm9=", "+/+/", "Zm9v\n", "Zm9", "Zm9vZ"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (dec_base64(&a, str_z(bad[i])).p)
            fail_msg("base64 accepts '%s'", bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_url); i++) {
        if (dec_base64url(&a, str_z(bad_url[i])).p)
            fail_msg("base64url accepts '%s'", bad_url[i]);
    }
}

static void percent(void **state)
{
    (void)state;
    assert_str(enc_percent(&a, STR("aZ09-._~"), false), "aZ09-._~");
    assert_str(enc_percent(&a, STR("a b/c+\xc3\xa9%"), false), "a%20b%2Fc%2B%C3%A9%25");
    assert_str(enc_percent(&a, STR("a/b c"), true), "a/b%20c");
    assert_str(enc_percent(&a, STR_NONE, true), "");
    assert_str(dec_percent(&a, STR("a%20b%2fc%2B+"), false), "a b/c++");
    assert_str(dec_percent(&a, STR("a+b"), true), "a b");
    assert_int_equal(dec_percent(&a, STR("%00"), false).n, 1);
    assert_str(dec_percent(&a, STR("%41"), false), "A"); /* an escape at the very end */
    assert_non_null(dec_percent(&a, STR(""), false).p);
    static const char *const bad[] = {"%", "%4", "a%", "%zz", "%4g", "%%41", "% 41", "%-1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(dec_percent(&a, str_z(bad[i]), false).p);
}

static void constant_time(void **state)
{
    (void)state;
    assert_true(enc_ct_equal(STR("secret"), STR("secret")));
    assert_true(enc_ct_equal(STR_NONE, STR("")));
    assert_false(enc_ct_equal(STR("secret"), STR("secreT")));
    assert_false(enc_ct_equal(STR("Secret"), STR("secret")));
    assert_false(enc_ct_equal(STR("secret"), STR("secre")));
}

static void ids(void **state)
{
    (void)state;
    struct rng r, known = {{1, 2, 3, 4}};
    char uuid[36], other[36], id[16];
    /* First outputs of the published generator for the state 1, 2, 3, 4. */
    assert_true(rng_next(&known) == 11520);
    assert_true(rng_next(&known) == 0);
    assert_true(rng_next(&known) == 1509978240);
    assert_int_equal(rng_seed(&r), 0);
    for (int i = 0; i < 1000; i++) {
        rng_uuid(&r, uuid);
        for (int k = 0; k < 36; k++) {
            bool dash = k == 8 || k == 13 || k == 18 || k == 23;
            assert_true(dash ? uuid[k] == '-' : strchr("0123456789abcdef", uuid[k]) != NULL);
        }
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        rng_extended_id(&r, id);
        assert_int_equal(id[15], '=');
        assert_int_equal(dec_base64(&a, str_n(id, 16)).n, 11); /* canonical */
    }
    rng_uuid(&r, other);
    assert_memory_not_equal(uuid, other, 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex),
        cmocka_unit_test(base64),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(percent),
        cmocka_unit_test(constant_time),
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
