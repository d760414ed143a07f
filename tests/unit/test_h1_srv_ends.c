/* SPDX-License-Identifier: Apache-2.0 */
/* How exchanges of the HTTP/1 server end: refused, cut, timed out, by clients that go, lingering. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_kit.h"

#define ASK(k, lit) kit_ask(k, lit, sizeof(lit) - 1, sizeof(lit))

static bool has_bad(struct kit *k, const char *line)
{
    return str_find(text_str(&k->log), str_z(line)) < k->log.n;
}

/* What breaks the framing: answered, closed, and nothing behind it is looked at. */
static void test_hostile(void **state)
{
    static const struct {
        const char *req, *status;
    } t[] = {
        {"GET / HTTP/1.1\nHost: h\n\n", "400 Bad Request"},
        {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported"},
        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "501 Not Implemented"},
        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: 2\r\n\r\nab",
         "417 Expectation Failed"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", "413 Content Too Large"},
        {"\x16\x03\x01\x02", "400 Bad Request"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        for (size_t step = 1; step < 2000; step += 1999) {
            struct kit k;
            struct text req;
            char want[64];
            kit_open(&k);
            k.conf.max_body = 100;
            text_init(&req);
            text_printf(&req, "%sGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", t[i].req);
            struct text got = kit_ask(&k, req.p, req.n, step);
            snprintf(want, sizeof want, "HTTP/1.1 %s\r\n", t[i].status);
            assert_true(str_starts(text_str(&got), str_z(want)));
            assert_has(text_str(&got), "\r\nConnection: close\r\n");
            assert_true(str_find(str_drop(text_str(&got), 5), STR("HTTP/1.1 ")) == got.n - 5);
            assert_int_equal(k.heads, 0);
            assert_int_equal(k.bads, 1);
            text_fini(&req);
            text_fini(&got);
            kit_close(&k);
        }
    }
}

static void test_body_errors(void **state)
{
    struct kit k;
    (void)state;
    kit_open(&k);
    k.conf.max_body = 10;
    struct text t = ASK(
        &k,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n");
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 413 ")));
    text_fini(&t);
    t = ASK(
        &k,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n");
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 400 ")));
    text_fini(&t);
    assert_str(text_str(&k.log),
               "head POST /\nin_error -4\nend done\nhead POST /\nin_error -13\nend done\n");
    kit_close(&k);
}

/* The client goes on sending what nobody wants: it still gets to read the answer. */
static void test_linger(void **state)
{
    static char junk[4096];
    struct kit k;
    struct text t;
    (void)state;
    kit_open(&k);
    k.conf.max_body = 10;
    text_init(&t);
    int fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(send(fd, junk, sizeof junk, MSG_NOSIGNAL), sizeof junk);
        kit_turn(&k);
    }
    kit_recv(fd, &t);
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 413 ")));
    assert_int_equal(srv_thread_active(k.th), 1);
    for (int i = 0; i < 1000 && srv_thread_active(k.th);
         i++) { /* more than it is ready to swallow */
        (void)send(fd, junk, sizeof junk, MSG_NOSIGNAL);
        kit_turn(&k);
    }
    assert_int_equal(srv_thread_active(k.th), 0);
    close(fd);
    fd = kit_connect(&k); /* it closes: so do we, at once */
    kit_sendz(&k, fd, "BAD\r\n\r\n");
    assert_int_equal(srv_thread_active(k.th), 1);
    close(fd);
    kit_turn(&k);
    assert_int_equal(srv_thread_active(k.th), 0);
    text_fini(&t);
    kit_close(&k);
}

static void test_expect(void **state)
{
    struct kit k;
    struct text t;
    (void)state;
    kit_open(&k);
    text_init(&t);
    int fd = kit_connect(&k);
    kit_sendz(&k, fd,
              "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    kit_recv(fd, &t);
    assert_str(text_str(&t), "HTTP/1.1 100 Continue\r\n\r\n");
    t.n = 0;
    kit_sendz(&k, fd, "ab");
    kit_recv(fd, &t);
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nPOST / [h] ab");
    /* The body is there already: no 100. */
    t.n = 0;
    k.mode = KIT_HOLD;
    kit_sendz(&k, fd,
              "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nab");
    srv_consumed(k.held);
    loop_flush(k.l);
    kit_recv(fd, &t);
    assert_int_equal(t.n, 0);
    kit_answer(&k, 200, "");
    /* Answered without wanting the body: the client may still send it, so the connection ends. */
    k.mode = KIT_EARLY;
    kit_sendz(&k, fd,
              "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    kit_turn(&k);
    assert_true(kit_recv(fd, &t));
    assert_has(text_str(&t), "HTTP/1.1 403 Forbidden\r\n");
    assert_has(text_str(&t), "Connection: close\r\n");
    assert_true(str_find(text_str(&t), STR("100 Continue")) == t.n);
    close(fd);
    text_fini(&t);
    kit_close(&k);
}

/* Answered before the body has come: a short rest is swallowed and the connection goes on, a long
 * one ends it. */
static void test_rest_of_body(void **state)
{
    static char body[200000];
    struct kit k;
    struct text t;
    (void)state;
    memset(body, 'x', sizeof body);
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int discard = 0; discard < 2; discard++) {
            kit_open(&k);
            k.mode = KIT_EARLY;
            k.discard = discard;
            text_init(&t);
            int fd = kit_connect(&k);
            kit_sendz(
                &k, fd,
                chunked
                    ? "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n"
                    : "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n");
            kit_send(&k, fd, body, 30000, 1000);
            if (chunked) kit_sendz(&k, fd, "\r\n0\r\nA: b\r\n\r\n");
            kit_sendz(&k, fd, "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            kit_turn(&k);
            assert_true(kit_recv(fd, &t));
            assert_str(
                kit_no_date(&t),
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nearly"
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly");
            close(fd);
            text_fini(&t);
            kit_close(&k);
        }
        kit_open(&k);
        k.mode = KIT_EARLY;
        text_init(&t);
        int fd = kit_connect(&k);
        kit_sendz(&k, fd,
                  chunked
                      ? "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n"
                      : "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
        kit_send(&k, fd, body, sizeof body, 10000);
        kit_turn(&k);
        assert_true(kit_recv(fd, &t));
        assert_int_equal(k.heads, 1);
        close(fd);
        text_fini(&t);
        kit_turn(&k);
        kit_close(&k);
    }
}

/* A shut side is not a closed connection. */
static void test_half_closed(void **state)
{
    struct kit k;
    struct text t;
    (void)state;
    kit_open(&k);
    k.mode = KIT_HOLD;
    text_init(&t);
    int fd = kit_connect(&k);
    kit_sendz(&k, fd,
              "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HT");
    shutdown(fd, SHUT_WR);
    kit_turn(&k);
    kit_answer(&k, 200, "one");
    kit_answer(&k, 200, "two");
    kit_turn(&k);
    assert_true(kit_recv(fd, &t));
    assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 "
                                "OK\r\nContent-Length: 3\r\n\r\ntwo");
    assert_int_equal(k.heads, 2);
    close(fd);
    /* In the middle of a body it is the end. */
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    shutdown(fd, SHUT_WR);
    kit_turn(&k);
    assert_true(has_bad(&k, "head POST /4\nend gone\n"));
    close(fd);
    /* Gone altogether: noticed when the answer cannot be written. */
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "GET /5 HTTP/1.1\r\nHost: h\r\n\r\n");
    close(fd);
    kit_turn(&k);
    kit_answer(&k, 200, "five");
    assert_true(has_bad(&k, "head GET /5\nend gone\n"));
    text_fini(&t);
    kit_close(&k);
}

static void test_timeouts(void **state)
{
    struct kit k;
    struct text t;
    (void)state;
    kit_open(&k);
    k.conf.t_header_ms = 100;
    k.conf.t_idle_ms = 120;
    k.conf.t_body_ms = 140;
    k.conf.t_write_ms = 160;
    text_init(&t);
    int fd[5];
    for (int i = 0; i < 5; i++) fd[i] = kit_connect(&k);
    kit_sendz(&k, fd[1], "GET / HTTP/1.1\r\nHo");
    kit_sendz(&k, fd[2], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    kit_sendz(&k, fd[3], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    k.mode = KIT_HOLD;
    kit_sendz(&k, fd[4], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    k.mode = KIT_ECHO;
    kit_recv(fd[2], &t);
    t.n = 0;
    kit_sleep(&k, 300);
    assert_true(kit_recv(fd[0], &t)); /* not a byte since accept */
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 408 Request Timeout\r\n")));
    t.n = 0;
    assert_true(kit_recv(fd[1], &t));
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 408 Request Timeout\r\n")));
    t.n = 0;
    assert_true(kit_recv(fd[2], &t)); /* idle: closed, not a word */
    assert_int_equal(t.n, 0);
    assert_true(kit_recv(fd[3], &t));
    assert_true(str_starts(text_str(&t), STR("HTTP/1.1 408 Request Timeout\r\n")));
    assert_false(kit_recv(fd[4], &t)); /* waiting for us: no timeout here */
    const struct srv_stats *s = srv_thread_stats(k.th);
    assert_int_equal(s->timeouts_header, 2);
    assert_int_equal(s->timeouts_idle, 1);
    assert_int_equal(s->timeouts_body, 1);
    /* The client does not read. */
    struct http_res res = {.status = 200, .has_body = true, .content_length = BODY_UNKNOWN};
    static char big[1 << 20];
    struct bufq q;
    bufq_init(&q);
    assert_int_equal(srv_head(k.held, &res, false), 0);
    assert_int_equal(bufq_push(&q, (struct slice){.p = big, .n = sizeof big}), 0);
    assert_int_equal(srv_body(k.held, &q, false), 0);
    loop_flush(k.l);
    kit_sleep(&k, 250);
    assert_true(has_bad(&k, "end timeout\n"));
    assert_int_equal(s->timeouts_write, 1);
    assert_int_equal(srv_thread_active(k.th),
                     3); /* answered, waiting a little for the client to close */
    for (int i = 0; i < 5; i++) close(fd[i]);
    kit_turn(&k);
    assert_int_equal(srv_thread_active(k.th), 0);
    text_fini(&t);
    kit_close(&k);
}

/* Slow but alive: no timeout strikes. */
static void test_slow(void **state)
{
    struct kit k;
    struct text t;
    (void)state;
    kit_open(&k);
    k.conf.t_header_ms = 1000;
    k.conf.t_body_ms = 150;
    k.conf.t_idle_ms = 150;
    text_init(&t);
    int fd = kit_connect(&k);
    for (int r = 0; r < 2; r++) {
        t.n = 0;
        kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n");
        for (int i = 0; i < 4; i++) {
            kit_sleep(&k, 80);
            kit_sendz(&k, fd, "x");
        }
        kit_recv(fd, &t);
        assert_str(kit_no_date(&t), "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nPOST / [h] xxxx");
        kit_sleep(&k, 80);
    }
    close(fd);
    kit_turn(&k);
    text_fini(&t);
    kit_close(&k);
}

/* The rules of the answer's side. */
static void test_answer_rules(void **state)
{
    struct kit k;
    struct text t;
    struct bufq q;
    struct http_res res = {.status = 200, .has_body = true, .content_length = 5};
    (void)state;
    kit_open(&k);
    k.mode = KIT_HOLD;
    text_init(&t);
    bufq_init(&q);
    int fd = kit_connect(&k);
    kit_sendz(&k, fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(srv_body(k.held, NULL, true), E_PHASE);
    struct http_res early = {.status = 103}, sw = {.status = 101};
    assert_int_equal(srv_head(k.held, &early, false), 0);
    assert_int_equal(srv_head(k.held, &sw, false), E_UNSUP);
    assert_int_equal(srv_head(k.held, &res, true), E_ARG); /* five bytes and none */
    assert_int_equal(srv_head(k.held, &res, false), 0);
    assert_int_equal(bufq_push(&q, (struct slice){.p = "123456", .n = 6}), 0);
    assert_int_equal(srv_body(k.held, &q, false), E_LIMIT);
    assert_int_equal(q.bytes, 6);
    bufq_drain(&q, 2);
    assert_int_equal(srv_body(k.held, &q, false), 0);
    assert_int_equal(srv_body(k.held, NULL, true), E_PROTO); /* one is missing: cut */
    assert_int_equal(srv_body(k.held, NULL, true), E_GONE);
    loop_flush(k.l);
    assert_true(kit_recv(fd, &t));
    assert_true(has_bad(&k, "end aborted\n"));
    close(fd);
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    srv_abort(k.held);
    srv_abort(k.held);
    assert_non_null(k.held); /* not inside the call */
    loop_flush(k.l);
    assert_null(k.held);
    close(fd);
    /* No body where none may be. */
    static const unsigned none[] = {204, 304};
    for (int i = 0; i < 2; i++) {
        t.n = 0;
        fd = kit_connect(&k);
        kit_sendz(&k, fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        res.status = (uint16_t)none[i];
        assert_int_equal(srv_head(k.held, &res, false), 0);
        assert_int_equal(bufq_push(&q, (struct slice){.p = "12345", .n = 5}), 0);
        assert_int_equal(srv_body(k.held, &q, true), 0);
        assert_int_equal(q.bytes, 0);
        loop_flush(k.l);
        kit_recv(fd, &t);
        assert_str(kit_no_date(&t), i ? "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
                                      : "HTTP/1.1 204 No Content\r\n\r\n");
        close(fd);
        kit_turn(&k);
    }
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_non_null(srv_local(k.held));
    assert_ptr_equal(srv_conf_of(k.held), &k.conf);
    assert_int_equal(srv_peer(k.held)->family, AF_UNIX);
    srv_thread_close(k.th);
    assert_true(has_bad(&k, "end shutdown\n"));
    close(fd);
    text_fini(&t);
    kit_close(&k);
}

/* Over TCP: a reset is noticed at once, and an answer that only the connection's end would end is
 * reset when it is cut. */
static void test_resets(void **state)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct http_res res = {.status = 200, .has_body = true, .content_length = BODY_UNKNOWN};
    struct bufq q;
    struct kit k;
    char b[512];
    (void)state;
    kit_open(&k);
    k.mode = KIT_HOLD;
    bufq_init(&q);
    int fd = kit_connect_tcp(&k);
    kit_sendz(&k, fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    kit_sleep(&k, 20);
    assert_non_null(k.held);
    assert_int_equal(srv_peer(k.held)->family, AF_INET);
    assert_int_equal(srv_local(k.held)->u.sa.sa_family, AF_INET);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    kit_sleep(&k, 20);
    assert_true(has_bad(&k, "head GET /1\nend gone\n"));
    for (int minor = 0; minor < 2; minor++) {
        fd = kit_connect_tcp(&k);
        kit_sendz(&k, fd, minor ? "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /2 HTTP/1.0\r\n\r\n");
        kit_sleep(&k, 20);
        assert_int_equal(srv_head(k.held, &res, false), 0);
        assert_int_equal(bufq_push(&q, (struct slice){.p = "part", .n = 4}), 0);
        assert_int_equal(srv_body(k.held, &q, false), 0);
        loop_flush(k.l);
        kit_sleep(&k, 20);
        srv_abort(k.held);
        loop_flush(k.l);
        ssize_t n = recv(fd, b, sizeof b, 0);
        if (n > 0) n = recv(fd, b, sizeof b, 0);
        assert_int_equal(n, minor ? 0 : -1);
        assert_true(minor || errno == ECONNRESET);
        close(fd);
    }
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_body_errors),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_rest_of_body),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_answer_rules),
        cmocka_unit_test(test_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
