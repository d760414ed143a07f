/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 server side on socket pairs: keep-alive, splits, pipelining, bodies, limits, timeouts,
 * closing. */
#include <sys/socket.h>
#include <unistd.h>

#include "http_kit.h"

#define ASK(k, lit) kit_ask(k, lit, sizeof(lit) - 1, sizeof(lit))

static void check(struct text *t, const char *want)
{
    assert_str(kit_no_date(t), want);
    text_fini(t);
}

static void test_plain(void **state)
{
    struct kit k;
    (void)state;
    kit_open(&k);
    struct text t = ASK(&k, "GET /a?b=c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    check(&t, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\nGET /a?b=c [h] ");
    assert_str(text_str(&k.log), "head GET /a\nend done\n");
    kit_close(&k);
}

/* Three requests on one connection, cut at every byte: the same answers, whatever the cut. */
static void test_every_split(void **state)
{
    static const char req[] =
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX:  y \r\n\r\nhello\r\n"
        "PUT /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT1: v1\r\nT2:v2\r\n\r\n"
        "HEAD /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    static const char want[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nGET /1 [h] "
        "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nPOST /2 [h] hello"
        "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\nPUT /3 [h] abc0123456789 +T1=v1 +T2=v2"
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
    struct kit k;
    (void)state;
    for (size_t cut = 1; cut < sizeof req; cut++) {
        kit_open(&k);
        int fd = kit_connect(&k);
        struct text t;
        text_init(&t);
        kit_send(&k, fd, req, cut, cut);
        kit_send(&k, fd, req + cut, sizeof req - 1 - cut, sizeof req);
        kit_turn(&k);
        assert_true(kit_recv(fd, &t));
        check(&t, want);
        close(fd);
        kit_close(&k);
    }
    kit_open(&k);
    struct text t = kit_ask(&k, req, sizeof req - 1, 1);
    check(&t, want);
    assert_int_equal(srv_thread_stats(k.th)->requests, 4);
    kit_close(&k);
}

static void test_streamed(void **state)
{
    struct kit k;
    (void)state;
    kit_open(&k);
    k.mode = KIT_STREAM;
    int fd = kit_connect(&k);
    struct text t;
    text_init(&t);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    kit_sendz(&k, fd, "2\r\nab\r\n");
    kit_recv(fd, &t);
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    kit_sendz(&k, fd, "3\r\ncde\r\n1\r\nf\r\n");
    kit_sendz(&k, fd, "0\r\n\r\n");
    kit_recv(fd, &t);
    assert_str(
        text_str(&t),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n");
    /* HTTP/1.0: the end of the connection ends the body. */
    text_fini(&t);
    close(fd);
    t = ASK(&k, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc");
    check(&t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    kit_close(&k);
}


/* Pipelined requests wait their turn; what waits is bounded. */
static void test_pipeline(void **state)
{
    static const char one[] = "GET /n HTTP/1.1\r\nHost: h\r\n\r\n";
    struct kit k;
    struct text all, t;
    (void)state;
    kit_open(&k);
    k.mode = KIT_HOLD;
    text_init(&all);
    text_init(&t);
    for (int i = 0; i < 20000; i++) text_add(&all, STR(one));
    int fd = kit_connect(&k);
    size_t sent = 0;
    for (int i = 0; i < 200; i++) {
        ssize_t n = send(fd, all.p + sent, all.n - sent, MSG_NOSIGNAL);
        if (n > 0) sent += (size_t)n;
        kit_turn(&k);
    }
    assert_int_equal(k.heads, 1);
    assert_true(srv_thread_stats(k.th)->bytes_in <= 32768);
    assert_true(sent < all.n);
    k.mode = KIT_ECHO;
    kit_answer(&k, 200, "");
    for (int i = 0; i < 20000 && k.ended < 20000; i++) {
        if (sent == all.n) {
            kit_turn(&k);
            kit_recv(fd, &t);
            continue;
        }
        ssize_t n = send(fd, all.p + sent, all.n - sent, MSG_NOSIGNAL);
        if (n > 0) sent += (size_t)n;
        kit_turn(&k);
        kit_recv(fd, &t);
    }
    kit_turn(&k);
    kit_recv(fd, &t);
    assert_int_equal(sent, all.n);
    assert_int_equal(k.heads, 20000);
    assert_int_equal(k.ended, 20000);
    close(fd);
    kit_turn(&k);
    text_fini(&all);
    text_fini(&t);
    kit_close(&k);
}

static void test_versions(void **state)
{
    struct kit k;
    (void)state;
    kit_open(&k);
    struct text t = ASK(&k, "GET /a HTTP/1.0\r\n\r\n");
    check(&t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nGET /a [] ");
    t = ASK(&k, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\nConnection: "
                "keep-alive, close\r\n\r\n");
    check(&t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\nGET /a [] "
              "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nGET /b [] ");
    t = ASK(&k, "\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    check(&t, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\nOPTIONS * [h] ");
    t = ASK(&k, "GET http://A.b:80?q HTTP/1.1\r\nHost: a.B\r\nConnection: close\r\n\r\n");
    check(&t,
          "HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\nGET /?q [A.b:80] ");
    srv_thread_drain(k.th);
    t = ASK(&k, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    check(&t, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nGET /a [h] ");
    kit_close(&k);
}

/* The same conversation in random pieces, with one seed: the same bytes back. */
static void test_random_pieces(void **state)
{
    struct kit k;
    struct text req, want;
    struct kit_rand r = {.s = 20240607};
    (void)state;
    text_init(&req);
    for (int i = 0; i < 60; i++) {
        unsigned n = kit_rand(&r, 3000), kind = kit_rand(&r, 3);
        text_printf(&req, "POST /%d HTTP/1.1\r\nHost: h%u\r\nX-Fill: %0*u\r\n", i, n,
                    (int)kit_rand(&r, 300), 7u);
        if (kind == 0) {
            text_printf(&req, "Content-Length: %u\r\n\r\n", n);
            for (unsigned b = 0; b < n; b++) text_chr(&req, (char)('a' + b % 26));
        } else if (kind == 1) {
            text_addz(&req, "Transfer-Encoding: chunked\r\n\r\n");
            for (unsigned left = n; left;) {
                unsigned c = 1 + kit_rand(&r, left);
                text_printf(&req, "%x\r\n", c);
                for (unsigned b = 0; b < c; b++) text_chr(&req, (char)('A' + b % 26));
                text_addz(&req, "\r\n");
                left -= c;
            }
            text_addz(&req, "0\r\n\r\n");
        } else {
            text_addz(&req, "\r\n");
        }
    }
    text_addz(&req, "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    kit_open(&k);
    want = kit_ask(&k, req.p, req.n, req.n);
    kit_no_date(&want);
    assert_int_equal(k.heads, 61);
    kit_close(&k);
    for (int round = 0; round < 20; round++) {
        struct text got;
        kit_open(&k);
        int fd = kit_connect(&k);
        text_init(&got);
        for (size_t at = 0; at < req.n;) {
            size_t n = 1 + kit_rand(&r, round % 2 ? 50 : 5000);
            if (n > req.n - at) n = req.n - at;
            kit_send(&k, fd, req.p + at, n, n);
            kit_recv(fd, &got);
            at += n;
        }
        kit_turn(&k);
        assert_true(kit_recv(fd, &got));
        kit_no_date(&got);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        close(fd);
        text_fini(&got);
        kit_close(&k);
    }
    text_fini(&want);
    text_fini(&req);
}

/* A client that sends without reading what comes back: the server stops reading, and goes on when
 * there is room. */
static void test_backpressure(void **state)
{
    static char body[65536];
    struct kit k;
    struct text t;
    size_t sent = 0, total = 4u << 20;
    (void)state;
    kit_open(&k);
    k.mode = KIT_STREAM;
    text_init(&t);
    int fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        size_t part = total - sent < sizeof body ? total - sent : sizeof body;
        ssize_t n = part ? send(fd, body, part, MSG_NOSIGNAL) : 0;
        if (n > 0) sent += (size_t)n;
        kit_turn(&k);
    }
    assert_true(sent < total); /* stuck: sockets' buffers, both high-water marks and a read each */
    assert_true(srv_thread_stats(k.th)->bytes_in < (2u << 20));
    for (int i = 0; i < 10000 && t.n < total; i++) {
        size_t part = total - sent < sizeof body ? total - sent : sizeof body;
        ssize_t n = part ? send(fd, body, part, MSG_NOSIGNAL) : 0;
        if (n > 0) sent += (size_t)n;
        kit_turn(&k);
        kit_recv(fd, &t);
    }
    assert_int_equal(sent, total);
    assert_true(t.n > total);
    assert_true(str_ends(text_str(&t), STR("\r\n0\r\n\r\n")));
    close(fd);
    kit_turn(&k);
    text_fini(&t);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_streamed),
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_random_pieces),
        cmocka_unit_test(test_backpressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
