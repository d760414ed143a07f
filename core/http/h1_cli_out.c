/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 client connections: opening, writing requests, timeouts, closing. */
#include <errno.h>

#include "base/shortage.h"
#include "http/h1_cli.h"
#include "net/sock.h"

#define IOVS 64u

static struct h1_cli *h1_of(struct cli_conn *c)
{
    return (struct h1_cli *)c;
}

static void free_conn(struct h1_cli *c)
{
    loop_undirty(&c->flusher);
    c->c.magic = 0;
    free(c);
}

void h1_cli_close(struct cli_conn *conn)
{
    struct h1_cli *c = h1_of(conn);
    if (c->state == H1_C_DEAD) return;
    c->state = H1_C_DEAD;
    ev_io_stop(c->loop->ev, &c->rd);
    ev_io_stop(c->loop->ev, &c->wr);
    timer_cancel(&c->timer);
    stream_close(&c->io);
    h1_in_drop(&c->in);
    bufq_clear(&c->out);
    h1_chunker_fini(&c->chunker);
    loop_dirty(c->loop, &c->flusher); /* the memory goes when no caller is left on the stack */
    cli_pool_leave(conn);
}

void h1_cli_fail(struct h1_cli *c, int err, const char *reason)
{
    struct cli_call *call = c->c.call;
    if (call) {
        struct cli_fail f = {
            .err = err, .reason = reason, .reused = c->served, .untouched = call->t_first_ns == 0};
        f.no_files = c->failed == -EMFILE || c->failed == -ENFILE;
        f.stage = c->state == H1_C_CONNECT ? CLI_CONNECT
                  : c->res_head            ? CLI_BODY
                  : call->req_sent         ? CLI_WAIT_HEAD
                                           : CLI_SEND;
        if (f.stage == CLI_CONNECT) c->c.pool->stats.connect_failed++;
        call->conn = NULL;
        c->c.call = NULL;
        h1_cli_close(&c->c);
        call->ev->fail(call, &f);
    } else {
        h1_cli_close(&c->c);
    }
}

/* Timeouts: one lazy timer. */

static uint64_t nearer(uint64_t a, uint64_t since, uint32_t after)
{
    if (after == 0) return a;
    return a == 0 || since + after < a ? since + after : a;
}

static uint64_t deadline(const struct h1_cli *c, const char **what)
{
    const struct cli_conf *conf = c->conf;
    const struct cli_call *call = c->c.call;
    uint64_t d, total;
    if (c->state == H1_C_IDLE) return nearer(0, c->read_ms, conf->pool_idle_ms);
    if (!call) return 0;
    if (c->state == H1_C_CONNECT) {
        *what = c->io.opening ? "TLS handshake timed out" : "connect timed out";
        d = nearer(0, c->start_ms, conf->t_connect_ms);
    } else if (c->out.bytes) {
        *what = "request not taken in time";
        d = nearer(0, c->mark_ms, conf->t_write_ms);
    } else if (!c->res_head) {
        *what = "no answer in time";
        d = call->req_sent ? nearer(0, c->mark_ms, conf->t_first_byte_ms) : 0;
    } else {
        *what = "answer stalled";
        d = c->stopped ? 0 : nearer(0, c->read_ms, conf->t_idle_ms);
    }
    total = nearer(d, c->start_ms, conf->t_total_ms);
    if (total != d) *what = "call took too long";
    return total;
}

void h1_cli_arm(struct h1_cli *c)
{
    const char *what;
    uint64_t d = deadline(c, &what), now;
    if (d == 0 || (timer_is_set(&c->timer) && c->timer.due_ms <= d)) return;
    now = loop_now_ms(c->loop);
    timer_set(c->loop, &c->timer, d > now ? d - now : 0);
}

static void on_timer(struct loop *l, struct timer *t)
{
    struct h1_cli *c = CONTAINER_OF(t, struct h1_cli, timer);
    const char *what = NULL;
    uint64_t d = deadline(c, &what);
    if (d == 0 || d > loop_now_ms(l)) {
        h1_cli_arm(c);
        return;
    }
    if (c->io.opening) tls_timed_out(&c->io);
    h1_cli_fail(c, E_TIMEOUT, what); /* an idle one is closed */
}

/* Writing. */

static void write_out(struct h1_cli *c)
{
    while (c->out.bytes) {
        struct iovec v[IOVS];
        uint64_t bytes = 0;
        unsigned n = bufq_iov(&c->out, v, IOVS);
        for (unsigned i = 0; i < n; i++) bytes += v[i].iov_len;
        ssize_t sent = stream_sendv(&c->io, v, n);
        if (sent < 0 &&
            sent != -EAGAIN) { /* an answer may have come before the reset: reading tells */
            c->out_dead = true;
            bufq_clear(&c->out);
            break;
        }
        if (sent > 0) bufq_drain(&c->out, (uint64_t)sent);
        if (sent > 0 || !h1_cli_blocked(c)) c->mark_ms = loop_now_ms(c->loop);
        if (sent < 0 || (uint64_t)sent < bytes) {
            ev_io_start(c->loop->ev, &c->wr);
            break;
        }
    }
    if (c->out.bytes == 0 && h1_cli_blocked(c)) ev_io_stop(c->loop->ev, &c->wr);
    c->c.call->out_bytes = c->out.bytes;
}

static void after_write(struct h1_cli *c)
{
    struct cli_call *call = c->c.call;
    if (c->out.bytes == 0 && c->req_ended && !c->out_dead && !call->req_sent) {
        call->req_sent = true;
        call->t_sent_ns = loop_stamp_ns(c->loop);
        c->mark_ms = loop_now_ms(c->loop);
    }
    if (c->was_full && c->out.bytes <= c->conf->low_water && !c->req_ended) {
        c->was_full = false;
        call->ev->room(call);
    }
}

const char *cli_connect_error(int err)
{
    switch (-err) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "connect timed out";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "no route to the target";
    case EMFILE:
    case ENFILE:
        return "no file descriptors left";
    case ENOENT:
        return "no such socket";
    case EACCES:
    case EPERM:
        return "connect not permitted";
    case EADDRNOTAVAIL:
        return "no local port left";
    default:
        return "connect failed";
    }
}

/* What the machine lacks is not the target's fault. */
static int connect_code(const struct h1_cli *c, int err)
{
    enum shortage what;
    if (!shortage_of(-err, &what)) return E_IO;
    shortage_note(what, SHORT_AT_CONNECT, loop_now_ms(c->loop));
    return E_LIMIT;
}

void h1_cli_connected(struct h1_cli *c)
{
    if (c->c.pool->tls && !c->io.ops) { /* TCP alone */
        if (h1_cli_secure(c)) h1_cli_handshake(c);
        return;
    }
    c->state = H1_C_BUSY;
    c->c.call->t_connected_ns = loop_stamp_ns(c->loop);
    ev_io_start(c->loop->ev, &c->rd);
}

static void on_flush(struct flusher *f)
{
    struct h1_cli *c = CONTAINER_OF(f, struct h1_cli, flusher);
    if (c->state == H1_C_DEAD) {
        free_conn(c);
        return;
    }
    if (c->state == H1_C_CONNECT && c->failed) {
        h1_cli_fail(c, connect_code(c, c->failed), cli_connect_error(c->failed));
        return;
    }
    if (c->at_once) {
        c->at_once = false;
        h1_cli_connected(c);
    }
    if (c->state == H1_C_BUSY && c->c.call) {
        if (!h1_cli_blocked(c)) write_out(c);
        after_write(c);
    }
    if (c->state != H1_C_DEAD) h1_cli_arm(c);
}

static void on_writable(struct ev_loop *ev, ev_io *io, int revents)
{
    struct h1_cli *c = io->data;
    struct loop *l = c->loop;
    (void)revents;
    if (UNLIKELY(c->io.opening)) {
        h1_cli_handshake(c);
    } else if (c->state == H1_C_CONNECT) {
        int err = sock_error(c->io.fd);
        ev_io_stop(ev, io);
        if (err) h1_cli_fail(c, connect_code(c, err), cli_connect_error(err));
        else h1_cli_connected(c), loop_dirty(l, &c->flusher);
    } else if (!c->c.call) {
        ev_io_stop(ev, io);
    } else {
        write_out(c);
        loop_dirty(l, &c->flusher);
    }
    loop_done(l);
}

static int send_body(struct cli_conn *conn, struct bufq *q, bool end)
{
    struct h1_cli *c = h1_of(conn);
    struct cli_call *call = conn->call;
    uint64_t n = q ? q->bytes : 0;
    int rc = 0;
    if (c->req_ended) return n ? E_PHASE : 0;
    if (c->framing == H1_F_LENGTH && n > c->out_left) return E_LIMIT;
    if (c->framing == H1_F_LENGTH && end && n < c->out_left) return E_PROTO;
    if (c->out_dead) {
        if (q) bufq_clear(q);
    } else if (c->framing == H1_F_CHUNKED) {
        if (n) rc = h1_chunk(&c->chunker, &c->out, q);
        if (rc == 0 && end) rc = h1_chunk_end(call->arena, &c->out, c->trailers);
    } else if (n) {
        rc = bufq_move(&c->out, q);
    }
    if (rc != 0) return rc;
    c->out_left -= c->framing == H1_F_LENGTH ? n : 0;
    call->out_total += n;
    call->out_bytes = c->out.bytes;
    if (call->out_bytes >= c->conf->high_water) c->was_full = true;
    c->req_ended = end;
    loop_dirty_more(c->loop, &c->flusher, n);
    return 0;
}

static void set_trailers(struct cli_conn *conn, const struct hdrs *h)
{
    h1_of(conn)->trailers = h;
}

static void consumed(struct cli_conn *conn)
{
    h1_cli_resume(h1_of(conn));
}

static const struct cli_proto h1_cli_proto = {
    .send = send_body,
    .trailers = set_trailers,
    .consumed = consumed,
    .close = h1_cli_close,
};

struct cli_conn *h1_cli_open(struct cli_pool *p)
{
    struct h1_cli *c = calloc(1, sizeof *c);
    bool now = false;
    if (!c) return NULL;
    c->c.magic = CLI_CONN_MAGIC;
    c->c.proto = &h1_cli_proto;
    c->loop = p->loop;
    c->conf = p->conf;
    bufq_init(&c->out);
    list_init(&c->flusher.link);
    c->flusher.flush = on_flush;
    timer_init(&c->timer, on_timer);
    c->io.fd = sock_connect(&p->target, &now);
    if (UNLIKELY((c->io.fd == -EMFILE || c->io.fd == -ENFILE) && cli_pools_yield(CLI_YIELD)))
        c->io.fd = sock_connect(&p->target, &now);
    if (c->io.fd < 0) c->failed = c->io.fd;
    ev_io_init(&c->rd, h1_cli_readable, c->io.fd, EV_READ);
    ev_io_init(&c->wr, on_writable, c->io.fd, EV_WRITE);
    c->rd.data = c->wr.data = c;
    c->state = now ? H1_C_BUSY : H1_C_CONNECT;
    cli_pool_add(p, &c->c);
    p->stats.connects++;
    return &c->c;
}

void h1_cli_begin(struct cli_conn *conn, struct cli_call *call, const struct http_req *req,
                  str head)
{
    struct h1_cli *c = h1_of(conn);
    c->framing = H1_F_NONE;
    c->out_left = 0;
    if (req->has_body) {
        c->framing = req->content_length == BODY_UNKNOWN ? H1_F_CHUNKED : H1_F_LENGTH;
        c->out_left = c->framing == H1_F_LENGTH ? (uint64_t)req->content_length : 0;
    }
    c->req_ended = !req->has_body;
    c->head_method = req->method == M_HEAD;
    c->was_full = c->res_head = false;
    c->infos = 0;
    c->head = NULL;
    c->trailers = NULL;
    c->start_ms = c->mark_ms = c->read_ms = loop_now_ms(c->loop);
    if (bufq_push(&c->out, (struct slice){.p = head.p, .n = (uint32_t)head.n}) != 0)
        BUG("an empty queue takes a slice");
    call->out_bytes = c->out.bytes;
    if (c->state == H1_C_IDLE) c->state = H1_C_BUSY;
    else if (c->state == H1_C_BUSY) c->at_once = true; /* a unix socket */
    else if (!c->failed) ev_io_start(c->loop->ev, &c->wr);
    loop_dirty(c->loop, &c->flusher);
}
