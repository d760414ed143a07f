/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 server side on socket pairs: keep-alive, splits, pipelining, bodies, limits, timeouts, closing. */
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
    static const char req[] = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                              "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX:  y \r\n\r\nhello\r\n"
                              "PUT /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT1: v1\r\nT2:v2\r\n\r\n"
                              "HEAD /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    static const char want[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nGET /1 [h] "
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
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab");
    kit_sendz(&k, fd, "3\r\ncde\r\n1\r\nf\r\n");
    kit_sendz(&k, fd, "0\r\n\r\n");
    kit_recv(fd, &t);
    assert_str(text_str(&t), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n");
    /* HTTP/1.0: the end of the connection ends the body. */
    text_fini(&t);
    close(fd);
    t = ASK(&k, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc");
    check(&t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_streamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
