/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client side connected to a relay: keep-alive on both sides, bodies both ways,
 * backpressure, broken targets. */
#include <sys/socket.h>
#include <unistd.h>

#include "http_kit.h"
#include "net/listener.h"

static void test_keepalive(void **state)
{
    struct kit k;
    struct text up, down;
    (void)state;
    kit_open(&k);
    k.mode = KIT_RELAY;
    int lfd = kit_target(&k), fd = kit_connect(&k), ufd = -1;
    text_init(&up);
    text_init(&down);
    for (int i = 0; i < 3; i++) {
        up.n = down.n = 0;
        kit_sendz(&k, fd,
                  "GET /x HTTP/1.1\r\nHost: h\r\nA: 1\r\nConnection: keep-alive, B\r\nB: 2\r\nC:3 "
                  "\r\n\r\n");
        if (ufd < 0) ufd = kit_target_accept(&k, lfd);
        kit_expect(&k, ufd, &up, "\r\n\r\n");
        assert_str(text_str(&up), "GET /x HTTP/1.1\r\nHost: h\r\nA: 1\r\nC: 3\r\n\r\n");
        kit_sendz(&k, ufd,
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: "
                  "2\r\n\r\nok");
        kit_expect(&k, fd, &down, "ok");
        assert_str(kit_no_date(&down), "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok");
    }
    struct cli_pool_stats s = cli_pool_stats(k.pool);
    assert_int_equal(s.connects, 1);
    assert_int_equal(s.reused, 2);
    assert_int_equal(s.idle, 1);
    text_fini(&up);
    text_fini(&down);
    close(fd), close(ufd), close(lfd);
    kit_turn(&k);
    assert_int_equal(cli_pool_stats(k.pool).idle, 0);
    kit_close(&k);
}


static void relay_open(struct kit *k, int *lfd)
{
    kit_open(k);
    k->mode = KIT_RELAY;
    *lfd = kit_target(k);
}

static bool logged(struct kit *k, const char *part)
{
    return str_find(text_str(&k->log), str_z(part)) < k->log.n;
}

/* One request; the target answers with `answer`, `step` bytes at a time, and closes if told to.
 * What the client gets. */
static struct text once(struct kit *k, int lfd, const char *req, const char *answer, size_t step,
                        bool close_it, bool *closed)
{
    struct text up, down;
    int fd = kit_connect(k), ufd;
    text_init(&up);
    text_init(&down);
    kit_sendz(k, fd, req);
    ufd = kit_target_accept(k, lfd);
    kit_expect(k, ufd, &up, "\r\n\r\n");
    kit_send(k, ufd, answer, strlen(answer), step);
    if (close_it) close(ufd);
    kit_turn(k);
    *closed = kit_recv(fd, &down);
    if (!close_it) close(ufd);
    close(fd);
    kit_turn(k);
    text_fini(&up);
    return down;
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

/* Chunked and close-delimited bodies, with trailers for who asks. */
static void test_unknown_length(void **state)
{
    struct kit k;
    int lfd;
    bool closed;
    (void)state;
    relay_open(&k, &lfd);
    struct text t = once(&k, lfd, "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: "
                         "T\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n",
                         1000, false, &closed);
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: "
                                "chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: v\r\n\r\n");
    text_fini(&t);
    t = once(&k, lfd, GET, "HTTP/1.0 200 OK\r\n\r\nuntil the end", 1000, true, &closed);
    assert_str(
        kit_no_date(&t),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n");
    assert_false(closed);
    text_fini(&t);
    t = once(&k, lfd, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil the end", 1000, true,
             &closed);
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
    assert_true(closed);
    text_fini(&t);
    close(lfd);
    kit_close(&k);
}

/* Answered while the request still comes: the answer counts, the connection to the target is not
 * used again. */
static void test_early_answer(void **state)
{
    static char body[100000];
    struct kit k;
    struct text up, down;
    int lfd, fd, ufd;
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        relay_open(&k, &lfd);
        text_init(&up);
        text_init(&down);
        fd = kit_connect(&k);
        kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
        ufd = kit_target_accept(&k, lfd);
        kit_send(&k, fd, body, 1000, 1000);
        kit_expect(&k, ufd, &up, "\r\n\r\n");
        kit_sendz(&k, ufd, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
        if (closes) close(ufd);
        kit_expect(&k, fd, &down, "no");
        assert_true(str_starts(text_str(&down), STR("HTTP/1.1 403 ")));
        assert_int_equal(cli_pool_stats(k.pool).busy + cli_pool_stats(k.pool).idle, 0);
        if (!closes) close(ufd);
        close(fd), close(lfd);
        kit_turn(&k);
        text_fini(&up);
        text_fini(&down);
        kit_close(&k);
    }
}

/* The client goes away: the target's connection too. */
static void test_client_gone(void **state)
{
    struct kit k;
    struct text t;
    int lfd, fd, ufd;
    (void)state;
    relay_open(&k, &lfd);
    text_init(&t);
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    ufd = kit_target_accept(&k, lfd);
    close(fd);
    kit_turn(&k);
    kit_recv(ufd, &t);
    assert_true(kit_recv(ufd, &t));
    assert_true(logged(&k, "end gone"));
    assert_int_equal(cli_pool_stats(k.pool).busy, 0);
    close(ufd), close(lfd);
    text_fini(&t);
    kit_close(&k);
}

/* Large bodies both ways, the receiver slow: what the relay holds stays small. */
static void move(struct kit *k, int from, int to, size_t total, const char *block, size_t size)
{
    static char sink[262144];
    size_t sent = 0, got = 0;
    for (int i = 0; i < 200 && sent < total; i++) { /* nobody reads */
        ssize_t n = send(from, block, total - sent < size ? total - sent : size,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += (size_t)n;
        kit_turn(k);
    }
    assert_true(sent < total);
    for (int i = 0; i < 100000 && got < total; i++) {
        ssize_t n = 0;
        if (sent < total)
            n = send(from, block, total - sent < size ? total - sent : size,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += (size_t)n;
        kit_turn(k);
        n = recv(to, sink, sizeof sink, MSG_DONTWAIT);
        if (n > 0) got += (size_t)n;
    }
    assert_int_equal(sent, total);
    assert_int_equal(got, total);
}

static void test_backpressure(void **state)
{
    static char block[65536];
    struct kit k;
    struct text t;
    int lfd, fd, ufd;
    (void)state;
    relay_open(&k, &lfd);
    text_init(&t);
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 16777216\r\n\r\n");
    ufd = kit_target_accept(&k, lfd);
    kit_expect(&k, ufd, &t, "\r\n\r\n");
    move(&k, fd, ufd, 16777216, block, sizeof block);
    assert_true(k.peak < 1200000); /* two high-water marks and two large reads */
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n");
    t.n = 0;
    kit_expect(&k, fd, &t, "\r\n\r\n");
    k.peak = 0;
    move(&k, ufd, fd, 16777216, block, sizeof block);
    assert_true(k.peak < 2700000); /* blocks of backends grow further, while nothing is known to wait: two of a megabyte */
    kit_turn(&k);
    assert_int_equal(cli_pool_stats(k.pool).idle, 1);
    close(fd), close(ufd), close(lfd);
    kit_turn(&k);
    text_fini(&t);
    kit_close(&k);
}

/* Through the relay to a server of this floor, in random pieces: the answers of the server without
 * the relay. */
static void on_target(struct listener *ls, int fd, const struct addr *peer)
{
    struct kit *target = ls->arg;
    assert_int_equal(srv_accept(target->l, fd, peer, &target->conf), 0);
}

static void make_requests(struct text *t, struct kit_rand *r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned n = kit_rand(r, 20) ? kit_rand(r, 2000) : kit_rand(r, 200000),
                 kind = kit_rand(r, 3);
        text_printf(t, "%s /%u?q HTTP/1.1\r\nHost: h%u\r\nX-Fill: %0*u\r\n%s",
                    kind == 2 ? "GET" : "PUT", i, n, (int)kit_rand(r, 500), 7u,
                    kit_rand(r, 2) ? "Connection: keep-alive\r\n" : "");
        if (kind == 0) {
            text_printf(t, "Content-Length: %u\r\n\r\n", n);
            for (unsigned b = 0; b < n; b++) text_chr(t, (char)('a' + b % 26));
        } else if (kind == 1) {
            text_addz(t, "Transfer-Encoding: chunked\r\n\r\n");
            for (unsigned left = n; left;) {
                unsigned c = 1 + kit_rand(r, left);
                text_printf(t, "%x;e=%u\r\n", c, c);
                for (unsigned b = 0; b < c; b++) text_chr(t, (char)('A' + b % 26));
                text_addz(t, "\r\n");
                left -= c;
            }
            text_addz(t, "0\r\n\r\n");
        } else {
            text_addz(t, "\r\n");
        }
    }
    text_addz(t, "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

static void test_random(void **state)
{
    struct kit k, target;
    struct listener ls;
    struct text req, want, got;
    struct kit_rand r = {.s = 77};
    int lfd;
    (void)state;
    text_init(&req);
    make_requests(&req, &r, 60);
    kit_open(&k);
    want = kit_ask(&k, req.p, req.n, req.n);
    kit_no_date(&want);
    kit_close(&k);
    for (int round = 0; round < 10; round++) {
        relay_open(&k, &lfd);
        target = k; /* the same loop and thread, another listener */
        target.mode = KIT_ECHO;
        target.conf.upper = &target;
        text_init(&target.log);
        listener_start(&ls, k.l, lfd, on_target, &target);
        text_init(&got);
        int fd = kit_connect(&k);
        for (size_t at = 0; at < req.n;) {
            size_t n = 1 + kit_rand(&r, round % 2 ? 100000 : 3000);
            if (n > req.n - at) n = req.n - at;
            kit_send(&k, fd, req.p + at, n, n);
            kit_recv(fd, &got);
            at += n;
        }
        for (int i = 0; i < 3000 && !kit_recv(fd, &got); i++) kit_turn(&k);
        kit_no_date(&got);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        assert_int_equal(k.heads, 61);
        assert_int_equal(target.heads, 61);
        assert_int_equal(cli_pool_stats(k.pool).connects, 1);
        close(fd);
        text_fini(&got);
        listener_stop(&ls);
        close(lfd);
        text_fini(&target.log);
        kit_close(&k);
    }
    text_fini(&req);
    text_fini(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_unknown_length),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
