/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 client behind the relay: answers at every split, targets that lie or stall, pools. */
#include <sys/socket.h>
#include <unistd.h>

#include "http_kit.h"
#include "net/sock.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

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

/* A target that lies: 502 while nothing was sent to the client, else a cut answer; never a
 * connection used again. */
static void test_liars(void **state)
{
    static const struct {
        const char *answer, *reason;
        bool closes, cut; /* cut: the head had been passed on */
    } t[] = {
        {"garbage\r\n\r\n", "", false, false},
        {"HTTP/1.1 099 x\r\n\r\n", "status below 100", false, false},
        {"HTTP/1.1 200 OK\nA: b\n\n", "bare LF", false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
         "Content-Length", false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "Content-Length",
         false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n", "Content-Length", false, false},
        {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "fold", false, false},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
         "switched", false, false},
        {"", "closed before an answer", true, false},
        {"HTTP/1.1 200 OK\r\nContent-Le", "closed within the head", true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "closed within the body", true,
         true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "closed within the body",
         true, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
         "closed within the body", true, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk size", false, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "longer",
         false, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        for (size_t step = 1; step < 1000; step += 998) {
            struct kit k;
            int lfd;
            bool closed;
            relay_open(&k, &lfd);
            struct text got = once(&k, lfd, GET, t[i].answer, step, t[i].closes, &closed);
            if (t[i].cut) {
                /* In one piece with its fault, the head was not even sent. */
                if (step == 1) assert_true(str_starts(text_str(&got), STR("HTTP/1.1 200 OK\r\n")));
                else
                    assert_true(got.n == 0 ||
                                str_starts(text_str(&got), STR("HTTP/1.1 200 OK\r\n")));
                assert_true(closed);
                assert_true(str_find(text_str(&got), STR("\r\n0\r\n\r\n")) == got.n);
                assert_true(logged(&k, "end aborted"));
            } else {
                assert_true(str_starts(text_str(&got), STR("HTTP/1.1 502 Bad Gateway\r\n")));
                assert_false(closed);
            }
            if (step > 1) assert_has(text_str(&k.log), t[i].reason);
            struct cli_pool_stats s = cli_pool_stats(k.pool);
            assert_int_equal(s.idle + s.busy, 0);
            text_fini(&got);
            close(lfd);
            kit_close(&k);
        }
    }
}

static void test_endless(void **state)
{
    struct kit k;
    struct text down;
    int lfd, fd, ufd;
    (void)state;
    for (int info = 0; info < 2; info++) {
        relay_open(&k, &lfd);
        text_init(&down);
        fd = kit_connect(&k);
        kit_sendz(&k, fd, GET);
        ufd = kit_target_accept(&k, lfd);
        if (!info) kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 2000 && !k.log.n; i++)
            kit_sendz(&k, ufd, info ? "HTTP/1.1 100 Continue\r\n\r\n" : "X-More: 1\r\n");
        for (int i = 0; i < 2000 && !logged(&k, "fail"); i++)
            kit_sendz(&k, ufd, info ? "HTTP/1.1 100 C\r\n\r\n" : "X-More: 1\r\n");
        kit_recv(fd, &down);
        assert_true(str_starts(text_str(&down), STR("HTTP/1.1 502 ")));
        assert_has(text_str(&k.log), info ? "too many informational answers" : "head too large");
        text_fini(&down);
        close(fd), close(ufd), close(lfd);
        kit_turn(&k);
        kit_close(&k);
    }
}

/* Every way to frame an answer, cut at every byte. */
static void test_answers_every_split(void **state)
{
    static const struct {
        const char *method, *answer, *want;
        bool close_it, reuse;
    } t[] = {
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA:b\r\n\r\nhello",
         "HTTP/1.1 200 OK\r\nA:b\r\nContent-Length: 5\r\n\r\nhello", false, true},
        {"GET",
         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, true},
        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, false},
        {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, true},
        {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, false},
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, true},
        {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
         false, true},
        {"GET", "HTTP/1.1 204 None\r\nA: b\r\n\r\n", "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
         false, true},
        {"GET", "HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, true},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEXTRA",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        size_t n = strlen(t[i].answer);
        for (size_t cut = 1; cut <= n; cut++) {
            struct kit k;
            struct text up, down;
            int lfd, fd, ufd;
            char req[64];
            relay_open(&k, &lfd);
            text_init(&up);
            text_init(&down);
            fd = kit_connect(&k);
            snprintf(req, sizeof req, "%s / HTTP/1.1\r\nHost: h\r\n\r\n", t[i].method);
            kit_sendz(&k, fd, req);
            ufd = kit_target_accept(&k, lfd);
            kit_send(&k, ufd, t[i].answer, cut, cut);
            kit_send(&k, ufd, t[i].answer + cut, n - cut, n);
            kit_expect(&k, fd, &down, "\r\n\r\n");
            kit_turn(&k);
            kit_recv(fd, &down);
            assert_str(kit_no_date(&down), t[i].want);
            assert_int_equal(cli_pool_stats(k.pool).idle, t[i].reuse);
            assert_int_equal(cli_pool_stats(k.pool).busy, 0);
            text_fini(&up);
            text_fini(&down);
            close(fd), close(ufd), close(lfd);
            kit_turn(&k);
            kit_close(&k);
        }
    }
}

static void test_idle(void **state)
{
    struct kit k;
    struct text down;
    int lfd, fd, ufd;
    (void)state;
    relay_open(&k, &lfd);
    text_init(&down);
    fd = kit_connect(&k);
    /* Bytes that nobody asked for close an idle connection. */
    kit_sendz(&k, fd, GET);
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    kit_expect(&k, fd, &down, "ok");
    assert_int_equal(cli_pool_stats(k.pool).idle, 1);
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    kit_turn(&k);
    assert_int_equal(cli_pool_stats(k.pool).idle, 0);
    close(ufd);
    /* Closed right behind the next request: told apart from a fresh connection's failure. */
    down.n = 0;
    kit_sendz(&k, fd, GET);
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    kit_expect(&k, fd, &down, "ok");
    down.n = 0;
    assert_int_equal(send(fd, GET, sizeof GET - 1, 0), sizeof GET - 1);
    loop_turn(k.l, false);
    close(ufd);
    kit_expect(&k, fd, &down, "upstream");
    assert_true(logged(&k, "reused=1 untouched=1"));
    /* Not used for long. */
    k.cli_conf.pool_idle_ms = 100;
    down.n = 0;
    kit_sendz(&k, fd, GET);
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    kit_expect(&k, fd, &down, "ok");
    kit_sleep(&k, 250);
    assert_int_equal(cli_pool_stats(k.pool).idle, 0);
    close(ufd);
    close(fd), close(lfd);
    kit_turn(&k);
    text_fini(&down);
    kit_close(&k);
}

static void test_pool_limits(void **state)
{
    struct kit k;
    struct text down;
    int lfd, fd[4], ufd[4];
    (void)state;
    relay_open(&k, &lfd);
    text_init(&down);
    k.cli_conf.pool_max = 3;
    k.cli_conf.pool_idle_max = 2;
    for (int i = 0; i < 4; i++) {
        fd[i] = kit_connect(&k);
        kit_sendz(&k, fd[i], GET);
        if (i < 3) ufd[i] = kit_target_accept(&k, lfd);
    }
    kit_expect(&k, fd[3], &down, "pool"); /* the fourth had to go without */
    assert_int_equal(cli_pool_stats(k.pool).busy, 3);
    for (int i = 0; i < 3; i++) {
        down.n = 0;
        kit_sendz(&k, ufd[i], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        kit_expect(&k, fd[i], &down, "ok");
    }
    struct cli_pool_stats s = cli_pool_stats(k.pool);
    assert_int_equal(s.busy, 0);
    assert_int_equal(s.idle, 2);
    /* Retired: idle ones go at once, busy ones with their call. */
    kit_sendz(&k, fd[0], GET);
    kit_turn(&k);
    assert_int_equal(cli_pool_stats(k.pool).busy, 1);
    cli_pool_retire(k.pool);
    down.n = 0;
    for (int i = 1; i < 3; i++)
        kit_sendz(&k, ufd[i],
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); /* one of them waits */
    kit_expect(&k, fd[0], &down, "ok");
    k.pool = NULL;
    for (int i = 0; i < 4; i++) close(fd[i]);
    for (int i = 0; i < 3; i++) close(ufd[i]);
    close(lfd);
    kit_turn(&k);
    text_fini(&down);
    kit_close(&k);
}

static void test_refused_and_slow(void **state)
{
    struct kit k;
    struct text down;
    int lfd, fd, ufd;
    (void)state;
    relay_open(&k, &lfd);
    text_init(&down);
    close(lfd);
    fd = kit_connect(&k);
    kit_sendz(&k, fd, GET);
    kit_expect(&k, fd, &down, "upstream");
    assert_true(str_starts(text_str(&down), STR("HTTP/1.1 503 ")));
    assert_true(logged(&k, "stage=0 reused=0 untouched=1 connection refused"));
    assert_int_equal(cli_pool_stats(k.pool).connect_failed, 1);
    close(fd);
    kit_turn(&k);
    kit_close(&k);
    static const char *const part[] = {"", "HTTP/1.1 200 OK\r\nConte",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"};
    for (int i = 0; i < 3; i++) { /* silent before, within and behind the head */
        relay_open(&k, &lfd);
        k.cli_conf.t_first_byte_ms = 100;
        k.cli_conf.t_idle_ms = 100;
        down.n = 0;
        fd = kit_connect(&k);
        kit_sendz(&k, fd, GET);
        ufd = kit_target_accept(&k, lfd);
        kit_sendz(&k, ufd, part[i]);
        kit_sleep(&k, 250);
        bool closed = kit_recv(fd, &down);
        assert_true(
            str_starts(text_str(&down), i < 2 ? STR("HTTP/1.1 504 ") : STR("HTTP/1.1 200 ")));
        assert_int_equal(closed, i == 2);
        assert_true(logged(&k, i < 2 ? "fail -12 stage=2" : "fail -12 stage=3"));
        close(fd), close(ufd), close(lfd);
        kit_turn(&k);
        kit_close(&k);
    }
    relay_open(&k, &lfd); /* an answer that drips for ever */
    k.cli_conf.t_total_ms = 300; /* longer than the silence that would end it first */
    k.cli_conf.t_idle_ms = 250;
    fd = kit_connect(&k);
    kit_sendz(&k, fd, GET);
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 25; i++) kit_sendz(&k, ufd, "x"), kit_sleep(&k, 20);
    assert_true(logged(&k, "call took too long"));
    close(fd), close(ufd), close(lfd);
    kit_turn(&k);
    text_fini(&down);
    kit_close(&k);
}

/* A target that takes no connection, and one that takes no bytes. */
static void test_stuck(void **state)
{
    static char body[65536];
    struct kit k;
    struct text down;
    int lfd, fd, ufd, fill[8];
    bool done;
    (void)state;
    kit_open(&k);
    k.mode = KIT_RELAY;
    k.cli_conf.t_connect_ms = 100;
    struct addr a;
    const char *why;
    assert_int_equal(addr_parse(&a, STR("127.0.0.1:0"), &why), 0);
    lfd = sock_listen(&a, false, 0); /* a queue of one: further connects hang */
    assert_int_equal(sock_local(lfd, &a), 0);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) fill[i] = sock_connect(&a, &done);
    kit_sleep(&k, 20);
    k.pool = cli_pool_new(k.l, &a, &k.cli_conf);
    text_init(&down);
    fd = kit_connect(&k);
    kit_sendz(&k, fd, GET);
    kit_sleep(&k, 200);
    kit_recv(fd, &down);
    assert_true(str_starts(text_str(&down), STR("HTTP/1.1 504 ")));
    assert_true(logged(&k, "fail -12 stage=0 reused=0 untouched=1 connect timed out"));
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) close(fill[i]);
    close(fd), close(lfd);
    kit_turn(&k);
    kit_close(&k);

    relay_open(&k, &lfd);
    k.cli_conf.t_write_ms = 100;
    fd = kit_connect(&k);
    kit_sendz(&k, fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
    ufd = kit_target_accept(&k, lfd);
    for (int i = 0; i < 2000 && !logged(&k, "fail"); i++) {
        (void)send(fd, body, sizeof body, MSG_NOSIGNAL);
        kit_sleep(&k, 1);
    }
    assert_true(logged(&k, "fail -12 stage=1 reused=0 untouched=1 request not taken in time"));
    down.n = 0;
    kit_recv(fd, &down);
    assert_true(str_starts(text_str(&down), STR("HTTP/1.1 504 ")));
    close(fd), close(ufd), close(lfd);
    kit_turn(&k);
    text_fini(&down);
    kit_close(&k);
}

/* Calls without the relay: a fresh connection on demand, cancelling at every stage, a unix socket.
 */
struct direct {
    struct cli_call c;
    struct arena a;
    unsigned heads, dones, fails;
    bool cancel_in_head;
};

static void d_head(struct cli_call *c)
{
    struct direct *d = c->upper;
    d->heads++;
    if (d->cancel_in_head) cli_cancel(c);
}

static void d_body(struct cli_call *c)
{
    bufq_clear(&c->in);
    cli_consumed(c);
}

static void d_done(struct cli_call *c)
{
    struct direct *d = c->upper;
    d->dones++;
    bufq_clear(&c->in);
    assert_int_equal(cli_send(c, NULL, true), E_GONE);
    cli_cancel(c); /* nothing to cancel */
}

static void d_fail(struct cli_call *c, const struct cli_fail *f)
{
    struct direct *d = c->upper;
    (void)f;
    d->fails++;
    bufq_clear(&c->in);
}

static int d_start(struct kit *k, struct direct *d, bool fresh)
{
    static const struct cli_events ev = {
        .head = d_head, .body = d_body, .done = d_done, .fail = d_fail};
    struct http_req req = {.method = M_GET, .method_name = STR("GET"), .path = STR("/")};
    memset(d, 0, sizeof *d);
    arena_init(&d->a, NULL);
    d->c = (struct cli_call){.loop = k->l, .arena = &d->a, .ev = &ev, .upper = d};
    return cli_start(&d->c, k->pool, &req, STR("h"), fresh);
}

static void test_direct(void **state)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct kit k;
    struct direct d;
    int lfd, ufd, ufd2;
    (void)state;
    relay_open(&k, &lfd);
    k.cli_conf.pool_max = 1;
    assert_int_equal(d_start(&k, &d, false), 0);
    ufd = kit_target_accept(&k, lfd);
    struct direct second;
    assert_int_equal(d_start(&k, &second, false), E_LIMIT);
    arena_fini(&second.a);
    kit_sendz(&k, ufd, ok);
    kit_sleep(&k, 10);
    assert_int_equal(d.heads + d.dones, 2);
    assert_true(d.c.t_connected_ns && d.c.t_sent_ns >= d.c.t_connected_ns &&
                d.c.t_first_ns >= d.c.t_sent_ns);
    arena_fini(&d.a);
    /* The idle one has to go for a fresh one: the pool holds one only. */
    assert_int_equal(d_start(&k, &d, true), 0);
    ufd2 = kit_target_accept(&k, lfd);
    assert_int_equal(cli_pool_stats(k.pool).connects, 2);
    /* Cancelled while it waits for the answer. */
    cli_cancel(&d.c);
    cli_cancel(&d.c);
    arena_fini(&d.a);
    close(ufd), close(ufd2);
    /* Cancelled before the connection is there. */
    assert_int_equal(d_start(&k, &d, false), 0);
    cli_cancel(&d.c);
    arena_fini(&d.a);
    kit_turn(&k);
    close(kit_target_accept(&k, lfd));
    /* Cancelled inside an event. */
    assert_int_equal(d_start(&k, &d, false), 0);
    d.cancel_in_head = true;
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, ok);
    kit_sleep(&k, 10);
    assert_int_equal(d.heads, 1);
    assert_int_equal(d.dones + d.fails, 0);
    assert_int_equal(cli_pool_stats(k.pool).busy + cli_pool_stats(k.pool).idle, 0);
    arena_fini(&d.a);
    close(ufd), close(lfd);
    cli_pool_retire(k.pool);
    /* A unix socket: connected at once. */
    char path[64];
    struct addr a;
    const char *why;
    snprintf(path, sizeof path, "unix:/tmp/sallyport-test-%ld.cli", (long)getpid());
    unlink(path + 5);
    assert_int_equal(addr_parse(&a, str_z(path), &why), 0);
    lfd = sock_listen(&a, false, 4);
    assert_true(lfd >= 0);
    k.pool = cli_pool_new(k.l, &a, &k.cli_conf);
    assert_int_equal(d_start(&k, &d, false), 0);
    ufd = kit_target_accept(&k, lfd);
    kit_sendz(&k, ufd, ok);
    assert_int_equal(d.dones, 1);
    arena_fini(&d.a);
    close(ufd), close(lfd);
    unlink(path + 5);
    kit_turn(&k);
    assert_int_equal(d_start(&k, &d, false), 0); /* nobody there: told later, not inside the call */
    assert_int_equal(d.fails, 0);
    loop_flush(k.l);
    assert_int_equal(d.fails, 1);
    arena_fini(&d.a);
    /* Bytes that would break the request. */
    struct http_req bad = {
        .method = M_GET, .method_name = STR("GET"), .path = STR("/ HTTP/1.1\r\nX: y")};
    arena_init(&d.a, NULL);
    d.c.arena = &d.a;
    assert_int_equal(cli_start(&d.c, k.pool, &bad, STR("h"), false), E_ARG);
    arena_fini(&d.a);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_liars),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_answers_every_split),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_pool_limits),
        cmocka_unit_test(test_refused_and_slow),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_direct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
