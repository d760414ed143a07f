/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ranges: what is read, what is refused, canonical text. */
#include <arpa/inet.h>

#include "net/addr.h"
#include "unit.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text, *canon; /* NULL: refused */
    } t[] = {
        {"127.0.0.1:80", "127.0.0.1:80"},
        {"[::1]:8080", "[::1]:8080"},
        {"[0:0:0:0:0:0:0:1]:8080", "[::1]:8080"},
        {"[2001:DB8::0]:1", "[2001:db8::]:1"},
        {"*:80", "*:80"},
        {":80", "*:80"},
        {"[::]:80", "*:80"},
        {"0.0.0.0:80", "0.0.0.0:80"},
        {"1.2.3.4:0", "1.2.3.4:0"},
        {"unix:/run/x.sock", "unix:/run/x.sock"},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:65536", NULL},
        {"127.0.0.1:+1", NULL},
        {"127.0.0.1:80 ", NULL},
        {"127.0.0.256:80", NULL},
        {"localhost:80", NULL},
        {"::1:80", NULL},
        {"[::1]80", NULL},
        {"[::1:80", NULL},
        {"[127.0.0.1]:80", NULL},
        {"unix:", NULL},
        {"", NULL},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789", NULL},
    };
    char out[ADDR_TEXT];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct addr a, b;
        const char *why = NULL;
        int rc = addr_parse(&a, str_z(t[i].text), &why);
        if (!t[i].canon) {
            assert_int_equal(rc, E_ARG);
            assert_non_null(why);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_str(str_n(out, addr_text(&a, out)), t[i].canon);
        assert_int_equal(addr_parse(&b, str_z(t[i].canon), &why), 0);
        assert_true(addr_equal(&a, &b));
    }
}

static void test_split(void **state)
{
    str host;
    uint16_t port;
    bool ip;
    (void)state;
    assert_int_equal(addr_split(STR("backend.example:9000"), &host, &port, &ip), 0);
    assert_str(host, "backend.example");
    assert_int_equal(port, 9000);
    assert_false(ip);
    assert_int_equal(addr_split(STR("[::1]:1"), &host, &port, &ip), 0);
    assert_str(host, "::1");
    assert_true(ip);
    assert_int_equal(addr_split(STR("10.0.0.1:65535"), &host, &port, &ip), 0);
    assert_true(ip);
    assert_int_equal(addr_split(STR("a b:1"), &host, &port, &ip), E_ARG);
    assert_int_equal(addr_split(STR("user@host:1"), &host, &port, &ip), E_ARG);
    assert_int_equal(addr_split(STR("host"), &host, &port, &ip), E_ARG);
}

static void test_ip(void **state)
{
    struct addr_ip ip, back;
    struct addr a;
    char out[ADDR_TEXT];
    const char *why;
    (void)state;
    assert_int_equal(addr_parse(&a, STR("192.0.2.7:4711"), &why), 0);
    addr_to_ip(&a, &ip);
    assert_int_equal(ip.family, AF_INET);
    assert_int_equal(ip.port, 4711);
    assert_str(str_n(out, addr_ip_text(&ip, out)), "192.0.2.7");
    addr_from_ip(&a, &ip);
    assert_str(str_n(out, addr_text(&a, out)), "192.0.2.7:4711");
    assert_int_equal(addr_ip_parse(&ip, STR("::ffff:192.0.2.7")), 0);
    assert_int_equal(ip.family, AF_INET);
    assert_str(str_n(out, addr_ip_text(&ip, out)), "192.0.2.7");
    assert_int_equal(addr_ip_parse(&ip, STR("2001:db8::5")), 0);
    addr_from_ip(&a, &ip);
    addr_to_ip(&a, &back);
    assert_memory_equal(&ip, &back, sizeof ip);
    assert_int_equal(addr_ip_parse(&ip, STR("2001:db8::5%eth0")), E_ARG);
    assert_int_equal(addr_ip_parse(&ip, STR("1.2.3")), E_ARG);
}

static void test_cidr(void **state)
{
    static const char *const good[] = {"10.0.0.0/8", "192.0.2.64/26", "::1", "2001:db8::/33",
                                       "1.2.3.4"};
    static const char *const bad[] = {"10.0.0.1/8", "10.0.0.0/33",  "10.0.0.0/",     "::/129", "x",
                                      "",           "10.0.0.0/8/8", "2001:db8::1/32"};
    static const struct {
        const char *ip;
        bool in;
    } t[] = {
        {"10.255.0.1", true},
        {"11.0.0.1", false},
        {"192.0.2.127", true},
        {"192.0.2.128", false},
        {"::1", true},
        {"::2", false},
        {"2001:db8:7fff::1", true},
        {"2001:db8:8000::1", false},
        {"1.2.3.4", true},
        {"1.2.3.5", false},
        {"::ffff:10.1.1.1", true},
    };
    struct cidr set[ARRAY_LEN(good)], c;
    struct addr_ip ip;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(cidr_parse(&set[i], str_z(good[i])), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(cidr_parse(&c, str_z(bad[i])), E_ARG);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        assert_int_equal(addr_ip_parse(&ip, str_z(t[i].ip)), 0);
        assert_int_equal(cidr_match(set, ARRAY_LEN(set), &ip), t[i].in);
    }
    ip.family = AF_UNIX;
    assert_int_equal(cidr_parse(&c, STR("::/0")), 0);
    assert_false(cidr_match(&c, 1, &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_cidr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
