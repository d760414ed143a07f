/* SPDX-License-Identifier: Apache-2.0 */
/* The header table and the ids of names; methods and statuses. */
#include "http/msg.h"
#include "unit.h"

static void test_ids(void **state)
{
    static const struct {
        uint16_t id;
        const char *name;
    } known[] = {
#define HDR(sym, name) {HDR_##sym, name},
#include "http/hdr_names.h"
#undef HDR
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char up[64], low[64];
        str name = str_z(known[i].name);
        for (size_t k = 0; k < name.n; k++) {
            low[k] = chr_lower(name.p[k]);
            up[k] = low[k] >= 'a' && low[k] <= 'z' ? (char)(low[k] - 32) : low[k];
        }
        assert_int_equal(hdr_id_of(name), known[i].id);
        assert_int_equal(hdr_id_of(str_n(low, name.n)), known[i].id);
        assert_int_equal(hdr_id_of(str_n(up, name.n)), known[i].id);
        assert_int_equal(hdr_id_of(str_n(up, name.n - 1)), hdr_id_of(str_n(low, name.n - 1)));
        assert_str(hdr_id_name(known[i].id), known[i].name);
        /* Every single bit that is not the case of a letter matters. */
        for (size_t k = 0; k < name.n; k++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                char c = low[k];
                low[k] = (char)(c ^ (1 << bit));
                bool same = chr_lower(low[k]) == c;
                assert_int_equal(hdr_id_of(str_n(low, name.n)) == known[i].id, same);
                low[k] = c;
            }
        }
    }
    assert_int_equal(hdr_id_of(STR("X-Unknown-Header")), HDR_OTHER);
    assert_int_equal(hdr_id_of(STR("")), HDR_OTHER);
    assert_int_equal(hdr_id_name(HDR_OTHER).n, 0);
    assert_int_equal(hdr_id_name(60000).n, 0);
}

static void test_intern(void **state)
{
    (void)state;
    uint16_t a = hdr_intern(STR("X-Mine")), b = hdr_intern(STR("x-MINE"));
    assert_true(a >= HDR_KNOWN);
    assert_int_equal(a, b);
    assert_int_equal(hdr_intern(STR("host")), HDR_HOST);
    assert_str(hdr_id_name(a), "X-Mine");
    assert_int_equal(hdr_intern(STR("bad name")), 0);
    assert_int_equal(hdr_intern(STR("")), 0);
    unsigned n = 0;
    for (unsigned i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "x-filler-%u", i);
        if (hdr_intern(str_z(name))) n++;
    }
    assert_int_equal(n + a + 1, HDR_ID_MAX);
    assert_int_not_equal(hdr_id_of(STR("X-FILLER-0")), 0);
    assert_int_equal(hdr_id_of(STR("x-filler-1999")), 0);
}

static void test_chars(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool token =
            c &&
            strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                   (int)c);
        bool text = c == '\t' || (c >= 0x20 && c != 0x7f);
        for (size_t n = 1; n < 20; n++) { /* at every place of a word */
            char v[20];
            memset(v, 'a', sizeof v);
            v[n - 1] = (char)c;
            assert_int_equal(hdr_name_ok(str_n(v, n)), token);
            assert_int_equal(hdr_value_ok(str_n(v, n)), text);
            assert_int_equal(hdr_value_ok(str_n(v, sizeof v)), text);
        }
    }
    assert_false(hdr_name_ok(STR("")));
    assert_true(hdr_value_ok(STR("")));
}

static void test_edit(void **state)
{
    struct arena a;
    struct hdrs h = {.n = 0}, view;
    (void)state;
    arena_init(&a, NULL);
    for (int i = 0; i < 40; i++)
        assert_int_equal(hdrs_add(&h, &a, HDR_OTHER, STR("X-Many"), STR("v")), 0);
    assert_int_equal(hdrs_add(&h, &a, HDR_OTHER, STR("cookie"), STR("1")), 0);
    assert_int_equal(hdrs_add(&h, &a, HDR_COOKIE, STR("Cookie"), STR("2")), 0);
    h.v[0].proto = h.v[1].proto = 3;
    assert_int_equal(h.v[40].id, HDR_COOKIE); /* looked up */
    assert_str(hdrs_get(&h, HDR_COOKIE, STR_NONE, 1)->value, "2");
    assert_null(hdrs_get(&h, HDR_COOKIE, STR_NONE, 2));
    assert_str(hdrs_get(&h, HDR_OTHER, STR("COOKIE"), 0)->value, "1");
    assert_non_null(hdrs_get(&h, HDR_OTHER, STR("x-many"), 39));
    hdrs_share(&view, &h);
    assert_ptr_equal(view.v, h.v);
    assert_int_equal(hdrs_set(&view, &a, HDR_OTHER, STR("x-many"), STR("one")), 0);
    assert_ptr_not_equal(view.v, h.v); /* a copy at the first edit */
    assert_str(hdrs_get(&view, HDR_OTHER, STR("X-Many"), 0)->value, "one");
    assert_null(hdrs_get(&view, HDR_OTHER, STR("X-Many"), 1));
    assert_int_equal(view.v[0].proto, 0);
    assert_int_equal(view.v[1].proto, 0);
    assert_non_null(hdrs_get(&h, HDR_OTHER, STR("X-Many"), 39));
    assert_int_equal(h.v[0].proto, 3);
    assert_int_equal(hdrs_del(&view, &a, HDR_COOKIE, STR_NONE), 2);
    assert_int_equal(hdrs_del(&view, &a, HDR_COOKIE, STR_NONE), 0);
    assert_null(hdrs_first(&view, HDR_COOKIE));
    assert_non_null(hdrs_first(&h, HDR_COOKIE));
    assert_int_equal(hdrs_set(&view, &a, HDR_COOKIE, STR("Cookie"), STR("3")), 0);
    assert_str(hdrs_first(&view, HDR_COOKIE)->value, "3");
    a.limit = 1;
    hdrs_share(&view, &h);
    assert_int_equal(hdrs_del(&view, &a, HDR_COOKIE, STR_NONE), E_NOMEM);
    assert_int_equal(hdrs_set(&view, &a, HDR_COOKIE, STR("Cookie"), STR("3")), E_NOMEM);
    assert_str(hdrs_first(&h, HDR_COOKIE)->value, "1");
    arena_fini(&a);
}

static void test_tokens(void **state)
{
    struct arena a;
    struct hdrs h = {.n = 0};
    (void)state;
    arena_init(&a, NULL);
    assert_int_equal(
        hdrs_add(&h, &a, HDR_CONNECTION, STR("Connection"), STR(" keep-alive ,X-A\t,,")), 0);
    assert_int_equal(hdrs_add(&h, &a, HDR_CONNECTION, STR("connection"), STR("Upgrade")), 0);
    assert_true(hdrs_has_token(&h, HDR_CONNECTION, STR("Keep-Alive")));
    assert_true(hdrs_has_token(&h, HDR_CONNECTION, STR("x-a")));
    assert_true(hdrs_has_token(&h, HDR_CONNECTION, STR("upgrade")));
    assert_false(hdrs_has_token(&h, HDR_CONNECTION, STR("x-")));
    assert_false(hdrs_has_token(&h, HDR_CONNECTION, STR("close")));
    arena_fini(&a);
}

static void test_msg(void **state)
{
    (void)state;
    for (int m = M_DELETE; m <= M_PUT; m++) {
        assert_int_equal(http_method_of(http_method_name((enum http_method)m)), m);
        assert_int_equal(http_method_idempotent((enum http_method)m), m != M_POST && m != M_PATCH);
    }
    assert_int_equal(http_method_of(STR("get")), M_OTHER);
    assert_int_equal(http_method_of(STR("PROPFIND")), M_OTHER);
    assert_false(http_method_idempotent(M_OTHER));
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(99), "Unknown");
    assert_string_equal(http_status_text(599), "Unknown");
    assert_string_equal(http_status_text(70000), "Unknown");
    assert_true(http_hop_by_hop(HDR_TE));
    assert_false(http_hop_by_hop(HDR_HOST));
    assert_true(http_status_bodyless(204));
    assert_false(http_status_bodyless(200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),  cmocka_unit_test(test_chars),  cmocka_unit_test(test_edit),
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_msg), cmocka_unit_test(test_intern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
