/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, the handlers and the peers that the tests of floor 2 share. */
#include "http_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"

struct xc { /* of an exchange */
    struct kit *k;
    struct srv_stream *st;
    struct bufq body;
    struct cli_call call;
    struct http_res res;
    bool calling, ended;
};

static struct kit *kit_of(struct srv_stream *st)
{
    return srv_conf_of(st)->upper;
}

static struct xc *xc_new(struct srv_stream *st)
{
    struct xc *x = arena_zalloc(st->arena, sizeof *x);
    assert_non_null(x);
    x->k = kit_of(st);
    x->st = st;
    bufq_init(&x->body);
    st->upper = x;
    return x;
}

static void answer(struct srv_stream *st, unsigned status, str body)
{
    struct http_res res = {.status = (uint16_t)status, .has_body = body.n > 0, .local = true};
    struct bufq q;
    res.content_length = (int64_t)body.n;
    bufq_init(&q);
    assert_int_equal(bufq_push(&q, (struct slice){.p = body.p, .n = (uint32_t)body.n}), 0);
    assert_int_equal(srv_head(st, &res, body.n == 0), 0);
    if (body.n) assert_int_equal(srv_body(st, &q, true), 0);
    assert_int_equal(srv_head(st, &res, true), E_PHASE);
}

static str flat(struct arena *a, const struct bufq *q)
{
    char *p = arena_bytes(a, q->bytes + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct slice *s = bufq_at(q, i);
        memcpy(p + n, s->p, s->n);
        n += s->n;
    }
    return str_n(p, n);
}

static void echo_answer(struct xc *x)
{
    struct srv_stream *st = x->st;
    const struct http_req *r = &st->req;
    str body = flat(st->arena, &x->body);
    str text = arena_printf(st->arena, "%.*s %.*s%s%.*s [%.*s] ", STR_ARG(r->method_name),
                            STR_ARG(r->path), r->query.p ? "?" : "", STR_ARG(r->query),
                            STR_ARG(r->authority));
    str parts[] = {text, body};
    text = arena_cat(st->arena, 2, parts);
    for (uint32_t i = 0; i < r->trailers.n; i++) {
        str more[] = {text, STR(" +"), r->trailers.v[i].name, STR("="), r->trailers.v[i].value};
        text = arena_cat(st->arena, 5, more);
    }
    bufq_clear(&x->body);
    answer(st, 200, text);
}

/* Relay: the answer's side. */

static void pump_down(struct xc *x)
{
    struct cli_call *c = &x->call;
    if (!x->st->head_sent || srv_full(x->st, x->k->conf.high_water)) return;
    if (c->in.bytes == 0 && !c->in_end) return;
    if (c->in_end) srv_trailers(x->st, &c->res.trailers);
    int rc = srv_body(x->st, &c->in, c->in_end);
    c->waits = x->st->out_waits;
    if (rc == 0) cli_consumed(c);
    else srv_abort(x->st);
}

static void note_peak(struct xc *x)
{
    uint64_t n = x->st->in.bytes + x->st->out_bytes + x->call.in.bytes + x->call.out_bytes;
    if (n > x->k->peak) x->k->peak = n;
}

static void on_res_head(struct cli_call *c)
{
    struct xc *x = c->upper;
    bool end = !c->res.has_body;
    if (srv_head(x->st, &c->res, end) != 0) srv_abort(x->st);
}

static void on_res_body(struct cli_call *c)
{
    struct xc *x = c->upper;
    note_peak(x);
    pump_down(x);
    note_peak(x);
}

static void on_done(struct cli_call *c)
{
    struct xc *x = c->upper;
    x->calling = false;
    if (c->res.has_body) pump_down(x);
}

static void on_fail(struct cli_call *c, const struct cli_fail *f)
{
    struct xc *x = c->upper;
    x->calling = false;
    text_printf(&x->k->log, "fail %d stage=%d reused=%d untouched=%d %s\n", f->err, (int)f->stage,
                f->reused, f->untouched, f->reason);
    if (x->st->head_sent) srv_abort(x->st);
    else
        answer(x->st,
               f->err == E_TIMEOUT       ? 504
               : f->stage == CLI_CONNECT ? 503
                                         : 502,
               STR("upstream"));
}

static void pump_up(struct xc *x)
{
    struct srv_stream *st = x->st;
    note_peak(x);
    if (!x->calling || cli_full(&x->call, x->k->cli_conf.high_water)) return;
    if (st->in.bytes || st->in_end) {
        cli_trailers(&x->call, &st->req.trailers);
        int rc = cli_send(&x->call, &st->in, st->in_end);
        assert_true(rc == 0);
    }
    srv_consumed(st);
    note_peak(x);
}

static void on_cli_room(struct cli_call *c)
{
    pump_up(c->upper);
}

static void on_info(struct cli_call *c, unsigned status)
{
    struct xc *x = c->upper;
    text_printf(&x->k->log, "info %u\n", status);
}

static const struct cli_events relay_events = {
    .head = on_res_head,
    .body = on_res_body,
    .done = on_done,
    .fail = on_fail,
    .room = on_cli_room,
    .info = on_info,
};

static void relay_begin(struct xc *x)
{
    struct cli_call *c = &x->call;
    struct srv_stream *st = x->st;
    c->loop = st->loop;
    c->arena = st->arena;
    c->ev = &relay_events;
    c->upper = x;
    int rc = cli_start(c, x->k->pool, &st->req, st->req.authority, false);
    if (rc != 0) {
        answer(st, 503, STR("pool"));
        return;
    }
    x->calling = true;
    if (st->req.expect_continue) srv_consumed(st);
}

/* The server's side. */

static void on_head(struct srv_stream *st)
{
    struct xc *x = xc_new(st);
    struct kit *k = x->k;
    k->heads++;
    text_printf(&k->log, "head %.*s %.*s\n", STR_ARG(st->req.method_name), STR_ARG(st->req.path));
    switch (k->mode) {
    case KIT_ECHO:
        if (st->in_end) echo_answer(x);
        else if (st->req.expect_continue) srv_consumed(st);
        break;
    case KIT_STREAM: {
        struct http_res res = {.status = 200, .has_body = true, .content_length = BODY_UNKNOWN};
        assert_int_equal(srv_head(st, &res, false), 0);
        if (st->in_end) assert_int_equal(srv_body(st, NULL, true), 0);
        break;
    }
    case KIT_HOLD:
        k->held = st;
        break;
    case KIT_EARLY:
        answer(st, 403, STR("early"));
        if (k->discard) srv_discard(st);
        break;
    case KIT_RELAY:
        relay_begin(x);
        break;
    }
}

static void on_bad(struct srv_stream *st, const struct srv_bad *bad)
{
    struct xc *x = xc_new(st);
    x->k->bads++;
    text_printf(&x->k->log, "bad %u %s\n", bad->status, bad->reason);
    answer(st, bad->status, str_z(bad->reason));
}

static void on_body(struct srv_stream *st)
{
    struct xc *x = st->upper;
    struct kit *k = x->k;
    if (st->in_error) {
        text_printf(&k->log, "in_error %d\n", st->in_error);
        if (x->calling) cli_cancel(&x->call), x->calling = false;
        if (st->head_sent) srv_abort(st);
        else
            answer(st,
                   st->in_error == E_LIMIT     ? 413
                   : st->in_error == E_TIMEOUT ? 408
                                               : 400,
                   STR("body"));
        return;
    }
    switch (k->mode) {
    case KIT_ECHO:
        assert_int_equal(bufq_move(&x->body, &st->in), 0);
        srv_consumed(st);
        if (st->in_end) echo_answer(x);
        break;
    case KIT_STREAM:
        if (!srv_full(st, k->conf.high_water)) {
            assert_int_equal(srv_body(st, &st->in, st->in_end), 0);
            srv_consumed(st);
        }
        break;
    case KIT_RELAY:
        pump_up(x);
        break;
    default:
        break;
    }
}

static void on_room(struct srv_stream *st)
{
    struct xc *x = st->upper;
    if (x->k->mode == KIT_RELAY) {
        pump_down(x);
    } else if (x->k->mode == KIT_STREAM) {
        assert_int_equal(srv_body(st, &st->in, st->in_end), 0);
        srv_consumed(st);
    } else {
        text_printf(&x->k->log, "room\n");
    }
}

static void on_end(struct srv_stream *st, enum srv_end why)
{
    static const char *const names[] = {"done", "gone", "aborted", "timeout", "shutdown"};
    struct xc *x = st->upper;
    assert_false(x->ended);
    x->ended = true;
    x->k->ended++;
    text_printf(&x->k->log, "end %s\n", names[why]);
    if (x->k->held == st) x->k->held = NULL;
    bufq_clear(&x->body);
    if (x->calling) cli_cancel(&x->call);
    bufq_clear(&x->call.in);
}

void kit_open(struct kit *k)
{
    static const struct srv_events events = {
        .head = on_head, .bad = on_bad, .body = on_body, .room = on_room, .end = on_end};
    memset(k, 0, sizeof *k);
    k->l = loop_new(1, 32768);
    assert_non_null(k->l);
    k->th = srv_thread_new(k->l);
    assert_non_null(k->th);
    text_init(&k->log);
    k->conf = (struct srv_conf){
        .events = &events, .upper = k, .scheme = STR("http"), .max_header = 8192, .max_url = 4096,
        .max_body = 0, .max_headers = 50, .t_header_ms = 5000, .t_idle_ms = 5000, .t_body_ms = 5000,
        .t_write_ms = 5000, .high_water = 65536, .low_water = 16384};
    k->cli_conf = (struct cli_conf){.t_connect_ms = 2000,
                                    .t_first_byte_ms = 5000,
                                    .t_total_ms = 20000,
                                    .t_idle_ms = 5000,
                                    .t_write_ms = 5000,
                                    .max_header = 8192,
                                    .pool_max = 0,
                                    .pool_idle_max = 8,
                                    .pool_idle_ms = 5000,
                                    .high_water = 65536,
                                    .low_water = 16384};
}

void kit_close(struct kit *k)
{
    srv_thread_close(k->th);
    assert_int_equal(srv_thread_active(k->th), 0);
    assert_int_equal(k->ended, k->heads + k->bads);
    if (k->pool) cli_pool_retire(k->pool);
    loop_flush(k->l);
    srv_thread_free(k->th);
    loop_free(k->l);
    text_fini(&k->log);
}

void kit_answer(struct kit *k, unsigned status, const char *body)
{
    assert_non_null(k->held);
    answer(k->held, status, str_z(body));
    loop_flush(k->l);
}

int kit_connect(struct kit *k)
{
    int sv[2];
    struct addr peer = {.len = 0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
    peer.u.sa.sa_family = AF_UNIX;
    assert_int_equal(srv_accept(k->l, sv[1], &peer, &k->conf), 0);
    return sv[0];
}

int kit_connect_tcp(struct kit *k)
{
    struct addr a, peer;
    const char *why;
    bool done;
    assert_int_equal(addr_parse(&a, STR("127.0.0.1:0"), &why), 0);
    int lfd = sock_listen(&a, false, 4);
    assert_true(lfd >= 0);
    assert_int_equal(sock_local(lfd, &a), 0);
    int fd = sock_connect(&a, &done), in;
    assert_true(fd >= 0);
    while ((in = sock_accept(lfd, &peer)) < 0) usleep(100);
    close(lfd);
    assert_int_equal(srv_accept(k->l, in, &peer, &k->conf), 0);
    return fd;
}

void kit_turn(struct kit *k)
{
    for (int i = 0; i < 3; i++) loop_turn(k->l, false);
}

bool kit_until(struct kit *k, bool (*done)(void *), void *arg, unsigned ms)
{
    uint64_t end = loop_now_ns() + ms * UINT64_C(1000000);
    while (!done(arg)) {
        if (loop_now_ns() > end) return false;
        loop_turn(k->l, false);
        if (!done(arg)) usleep(200);
    }
    return true;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void kit_sleep(struct kit *k, unsigned ms)
{
    (void)kit_until(k, never, NULL, ms);
}

void kit_send(struct kit *k, int fd, const char *p, size_t n, size_t step)
{
    uint64_t end = loop_now_ns() + UINT64_C(2000000000);
    while (n && loop_now_ns() < end) {
        size_t part = n < step ? n : step;
        ssize_t sent = send(fd, p, part, MSG_NOSIGNAL);
        if (sent > 0) p += sent, n -= (size_t)sent;
        else if (errno != EAGAIN) return; /* the server has closed: that is for the test to see */
        kit_turn(k);
    }
}

void kit_sendz(struct kit *k, int fd, const char *z)
{
    kit_send(k, fd, z, strlen(z), strlen(z));
}

bool kit_recv(int fd, struct text *t)
{
    char b[65536];
    for (;;) {
        ssize_t n = recv(fd, b, sizeof b, MSG_DONTWAIT);
        if (n == 0) return true;
        if (n < 0) return errno != EAGAIN;
        text_add(t, str_n(b, (size_t)n));
    }
}

void kit_talk(struct kit *k, const char *req, size_t n, size_t step, size_t want, struct text *out)
{
    int fd = kit_connect(k);
    uint64_t end = loop_now_ns() + UINT64_C(2000000000);
    kit_send(k, fd, req, n, step);
    while (loop_now_ns() < end) {
        if (kit_recv(fd, out) || (want && out->n >= want)) break;
        loop_turn(k->l, false);
    }
    close(fd);
    kit_turn(k);
}

struct text kit_ask(struct kit *k, const char *req, size_t n, size_t step)
{
    struct text t;
    text_init(&t);
    kit_talk(k, req, n, step, 0, &t);
    return t;
}

int kit_target(struct kit *k)
{
    struct addr a;
    const char *why;
    assert_int_equal(addr_parse(&a, STR("127.0.0.1:0"), &why), 0);
    int lfd = sock_listen(&a, false, 64);
    assert_true(lfd >= 0);
    assert_int_equal(sock_local(lfd, &a), 0);
    k->pool = cli_pool_new(k->l, &a, &k->cli_conf);
    assert_non_null(k->pool);
    return lfd;
}

struct accepting {
    int lfd, fd;
};

static bool accepted(void *arg)
{
    struct accepting *a = arg;
    struct addr peer;
    a->fd = sock_accept(a->lfd, &peer);
    return a->fd >= 0;
}

int kit_target_accept(struct kit *k, int lfd)
{
    struct accepting a = {.lfd = lfd, .fd = -1};
    assert_true(kit_until(k, accepted, &a, 2000));
    kit_turn(k);
    return a.fd;
}

void kit_expect(struct kit *k, int fd, struct text *t, const char *part)
{
    uint64_t end = loop_now_ns() + UINT64_C(2000000000);
    while (str_find(text_str(t), str_z(part)) == t->n && loop_now_ns() < end) {
        bool closed = kit_recv(fd, t);
        kit_turn(k);
        if (closed) break;
    }
    assert_has(text_str(t), part);
}

str kit_no_date(struct text *t)
{
    size_t at = str_find(text_str(t), STR("Date: "));
    while (at < t->n) {
        size_t line = str_chr(str_drop(text_str(t), at), '\n') + 1;
        memmove(t->p + at, t->p + at + line, t->n - at - line);
        t->n -= line;
        at = str_find(text_str(t), STR("Date: "));
    }
    return text_str(t);
}

uint32_t kit_rand(struct kit_rand *r, uint32_t below)
{
    r->s = r->s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(r->s >> 33) % below;
}
