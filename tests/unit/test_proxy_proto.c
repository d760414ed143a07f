/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol headers: what is read, what is refused, and that pieces make no difference. */
#include "net/proxy_proto.h"
#include "unit.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4  "\xc0\x00\x02\x01\x7f\x00\x00\x01\x30\x39\x00\x50"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                   \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"                                                           \
    "\x30\x39\x01\xbb"

static str text_of(const struct addr *a, char out[ADDR_TEXT])
{
    return str_n(out, addr_text(a, out));
}

/* Every prefix asks for more, the whole and more than it have the same length. */
static void accepts(const char *p, size_t n, const char *src, const char *dst)
{
    struct proxy_proto h;
    const char *why = NULL;
    char out[ADDR_TEXT], more[5000];
    for (size_t k = 0; k < n; k++) assert_int_equal(proxy_proto_parse(&h, p, k, &why), 0);
    memcpy(more, p, n);
    memcpy(more + n, "GET / HTTP/1.1\r\n", 16);
    for (size_t k = n; k <= n + 16; k++) {
        assert_int_equal(proxy_proto_parse(&h, more, k, &why), n);
        assert_int_equal(h.told, src != NULL);
        if (!src) continue;
        assert_str(text_of(&h.src, out), src);
        assert_str(text_of(&h.dst, out), dst);
    }
    assert_null(why);
}

/* Refused, at the latest with its last byte, and with everything that may follow. */
static void refuses(const char *p, size_t n)
{
    struct proxy_proto h;
    const char *why = NULL;
    int rc = 0;
    for (size_t k = 0; k <= n; k++) {
        int now = proxy_proto_parse(&h, p, k, &why);
        assert_true(now == 0 || now == E_PROTO);
        assert_true(rc == 0 || now == E_PROTO); /* no second thoughts */
        rc = now;
    }
    assert_int_equal(rc, E_PROTO);
    assert_non_null(why);
}

#define ACCEPTS(lit, src, dst) accepts(lit, sizeof(lit) - 1, src, dst)
#define REFUSES(lit)           refuses(lit, sizeof(lit) - 1)

static void test_v1(void **state)
{
    (void)state;
    ACCEPTS("PROXY TCP4 192.0.2.1 127.0.0.1 12345 80\r\n", "192.0.2.1:12345", "127.0.0.1:80");
    ACCEPTS("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
            "255.255.255.255:65535");
    ACCEPTS("PROXY TCP4 192.0.2.1 127.0.0.1 0 0\r\n", "192.0.2.1:0", "127.0.0.1:0");
    ACCEPTS("PROXY TCP6 2001:db8::1 ::1 12345 443\r\n", "[2001:db8::1]:12345", "[::1]:443");
    ACCEPTS("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    ACCEPTS("PROXY UNKNOWN\r\n", NULL, NULL);
    ACCEPTS("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", NULL, NULL);
}

static void test_v1_refused(void **state)
{
    char line[120];
    (void)state;
    REFUSES("GET / HTTP/1.1\r\n");
    REFUSES("PROXY  TCP4 192.0.2.1 127.0.0.1 1 2\r\n");
    REFUSES("proxy TCP4 192.0.2.1 127.0.0.1 1 2\r\n");
    REFUSES("PROXY\tTCP4 192.0.2.1 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP5 192.0.2.1 127.0.0.1 1 2\r\n");
    REFUSES("PROXY UDP4 192.0.2.1 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4\r\n");
    REFUSES("PROXY \r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1 2 3\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1 2 \r\n");
    REFUSES("PROXY TCP4 192.0.2.1  127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.256 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.01 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4 ::1 ::1 1 2\r\n");
    REFUSES("PROXY TCP6 127.0.0.1 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP6 ::1%lo ::1 1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1\0 127.0.0.1 1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 65536 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 +1 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 01 2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1 0x2\r\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1 2\n");
    REFUSES("PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\r\n");
    REFUSES("PROXY UNKNOWN\n\r\n");
    REFUSES("PROXY UNKNOWNS\r\n");
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    refuses(line, sizeof line);
    memcpy(line + 105, "\r\n", 2);
    accepts(line, 107, NULL, NULL);
    line[105] = 'x';
    memcpy(line + 106, "\r\n", 2);
    refuses(line, 108);
}

static void test_v2(void **state)
{
    char unix_block[16 + 216] = SIG "\x21\x31\x00\xd8/run/a", big[PROXY_PROTO_MAX] = {0};
    (void)state;
    ACCEPTS(SIG "\x21\x11\x00\x0c" V4, "192.0.2.1:12345", "127.0.0.1:80");
    ACCEPTS(SIG "\x21\x21\x00\x24" V6, "[2001:db8::1]:12345", "[::1]:443");
    ACCEPTS(SIG "\x21\x11\x00\x14" V4 "\x04\x00\x05hello", "192.0.2.1:12345", "127.0.0.1:80");
    ACCEPTS(SIG "\x21\x11\x00\x12" V4 "\x04\x00\x00\xea\x00\x00", "192.0.2.1:12345",
            "127.0.0.1:80");
    ACCEPTS(SIG "\x20\x00\x00\x00", NULL, NULL);
    ACCEPTS(SIG "\x20\x11\x00\x0c" V4, NULL, NULL);
    ACCEPTS(SIG "\x20\xff\x00\x03xyz", NULL, NULL); /* of LOCAL nothing is looked at */
    ACCEPTS(SIG "\x21\x00\x00\x00", NULL, NULL);
    ACCEPTS(SIG "\x21\x00\x00\x03\x04\x00\x00", NULL, NULL);
    accepts(unix_block, sizeof unix_block, "unix:", "unix:");
    memcpy(big, SIG "\x21\x11\x0f\xf0" V4 "\x04\x0f\xe1", 31);
    accepts(big, sizeof big, "192.0.2.1:12345", "127.0.0.1:80");
}

static void test_v2_refused(void **state)
{
    (void)state;
    REFUSES("\r\n\r\n\0\r\nQUIT\r");
    REFUSES("\r\n\r\n\1");
    REFUSES(SIG "\x11\x11\x00\x0c" V4); /* version 1 in binary */
    REFUSES(SIG "\x31\x11\x00\x0c" V4);
    REFUSES(SIG "\x22\x11\x00\x0c" V4); /* no such command */
    REFUSES(SIG "\x21\x12\x00\x0c" V4); /* datagrams */
    REFUSES(SIG "\x21\x10\x00\x0c" V4);
    REFUSES(SIG "\x21\x41\x00\x0c" V4);
    REFUSES(SIG "\x21\x01\x00\x0c" V4);
    REFUSES(SIG "\x21\x11\x00\x0b" V4); /* shorter than its addresses */
    REFUSES(SIG "\x21\x21\x00\x0c" V4);
    REFUSES(SIG "\x21\x11\x00\x00");
    REFUSES(SIG "\x21\x11\x00\x0d" V4 "\x04"); /* a TLV that does not fit */
    REFUSES(SIG "\x21\x11\x00\x0f" V4 "\x04\x00\x01");
    REFUSES(SIG "\x21\x11\x00\x13" V4 "\x04\x00\x05hell");
    REFUSES(SIG "\x21\x11\x0f\xf1"); /* a byte above the bound */
    REFUSES(SIG "\x21\x11\xff\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1),
        cmocka_unit_test(test_v1_refused),
        cmocka_unit_test(test_v2),
        cmocka_unit_test(test_v2_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
