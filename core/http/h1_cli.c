/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 client connections: reading answers. Whatever is not exactly an answer ends the call and
 * the connection. */
#include "http/h1_cli.h"

#include "http/h1_guard.h"
#include "http/h1_msg.h"

#define READS 4u
#define INFOS_MAX 16u

static bool must_wait(const struct h1_cli *c)
{
    return c->c.call && c->c.call->in.bytes >= c->conf->high_water;
}

void h1_cli_resume(struct h1_cli *c)
{
    if (!c->stopped || c->state == H1_C_DEAD || must_wait(c)) return;
    c->stopped = false;
    c->read_ms = loop_now_ms(c->loop);
    ev_io_start(c->loop->ev, &c->rd);
    if (UNLIKELY(c->io.pending)) ev_feed_event(c->loop->ev, &c->rd, EV_READ);
    h1_cli_arm(c);
}

/* The answer is whole: connection first, then the event, so that a new call may begin inside it. */
static void done(struct h1_cli *c, bool eof)
{
    struct cli_call *call = c->c.call;
    bool keep = c->may_keep;
    if (!call->req_sent || c->out_dead || eof || h1_in_left(&c->in) || c->io.pending ||
        c->body.kind == H1_CLOSE)
        keep = false;
    call->in_end = true;
    call->conn = NULL;
    c->c.call = NULL;
    h1_in_drop(&c->in);
    c->in.want = 0; /* the next answer may be short; a long one does better with blocks that grow, too */
    if (keep) {
        c->state = H1_C_IDLE;
        c->served = true;
        c->read_ms = loop_now_ms(c->loop);
        h1_cli_resume(c);
        cli_pool_idle(&c->c);
        if (c->state == H1_C_IDLE) h1_cli_arm(c);
    } else {
        h1_cli_close(&c->c);
    }
    call->ev->done(call);
}

/* 1xx: told and forgotten. */
static bool informational(struct h1_cli *c, unsigned status)
{
    struct cli_call *call = c->c.call;
    if (status == 101) {
        h1_cli_fail(c, E_PROTO, "switched protocols without being asked");
        return false;
    }
    if (++c->infos > INFOS_MAX) {
        h1_cli_fail(c, E_PROTO, "too many informational answers");
        return false;
    }
    if (call->ev->info) call->ev->info(call, status);
    return c->c.call == call;
}

/* A whole head of n bytes. */
static bool take_head(struct h1_cli *c, struct h1_head *head, size_t n)
{
    struct cli_call *call = c->c.call;
    if (head->status < 200) {
        c->in.off += (uint32_t)n;
        return informational(c, head->status);
    }
    char *copy = arena_bytes(call->arena, n);
    if (!copy) {
        h1_cli_fail(c, E_NOMEM, "no memory for the answer");
        return false;
    }
    memcpy(copy, h1_in_at(&c->in), n);
    h1_head_move(head, copy);
    c->in.off += (uint32_t)n;
    c->may_keep = h1_persists(head);
    enum h1_body_kind kind = h1_response_of(head, &call->res, c->head_method);
    h1_body_init(&c->body, kind, kind == H1_LENGTH ? (uint64_t)call->res.content_length : 0, 0);
    c->body.text_max = c->conf->max_header;
    c->res_head = true;
    call->ev->head(call);
    return c->c.call == call;
}

static bool more_head(struct h1_cli *c)
{
    struct cli_call *call = c->c.call;
    if (!call->t_first_ns) call->t_first_ns = loop_stamp_ns(c->loop);
    struct h1_head here, *head = c->head;
    if (LIKELY(!head)) {
        head = &here;
        memset(&call->res.h, 0, sizeof call->res.h);
        h1_head_response(head, call->arena, &call->res.h, c->conf->max_header);
    }
    c->head = NULL;
    int64_t n = h1_head_feed(head, h1_in_at(&c->in), h1_in_left(&c->in));
    if (n > 0) return take_head(c, head, (size_t)n);
    if (n < 0) h1_cli_fail(c, n == E_LIMIT ? E_LIMIT : E_PROTO, head->why);
    else if (!(c->head = head == &here ? h1_head_keep(head, call->arena) : head))
        h1_cli_fail(c, E_NOMEM, "no memory for the answer");
    return false;
}

/* false: nothing more to do for now. */
static bool more_body(struct h1_cli *c, bool eof)
{
    struct cli_call *call = c->c.call;
    uint64_t before = c->body.total;
    int rc = h1_body_feed(&c->body, &c->in, &call->in, call->arena, &call->res.trailers);
    call->in_total = c->body.total;
    if (rc < 0) {
        h1_cli_fail(c, rc, c->body.why);
        return false;
    }
    if (rc == 1 || (eof && c->body.kind == H1_CLOSE)) {
        done(c, eof);
        return false;
    }
    if (c->body.total != before) call->ev->body(call);
    return false;
}

static void process(struct h1_cli *c)
{
    while (c->c.call && !c->res_head && h1_in_left(&c->in) > 0) {
        if (!more_head(c)) break;
    }
    if (c->c.call && c->res_head) more_body(c, false);
}

/* cut: without the stream's own end, which a body without a length needs. */
static void on_eof(struct h1_cli *c, bool cut)
{
    struct cli_call *call = c->c.call;
    if (!call) {
        h1_cli_close(&c->c); /* closed while idle */
    } else if (!call->t_first_ns) {
        h1_cli_fail(c, E_IO, "connection closed before an answer");
    } else if (!c->res_head) {
        h1_cli_fail(c, E_PROTO, "connection closed within the head");
    } else if (c->body.kind == H1_CLOSE && !cut) {
        more_body(c, true);
    } else {
        h1_cli_fail(c, E_PROTO, "connection closed within the body");
    }
}

void h1_cli_readable(struct ev_loop *ev, ev_io *io, int revents)
{
    struct h1_cli *c = io->data;
    struct loop *l = c->loop;
    (void)revents;
    if (UNLIKELY(c->io.opening)) {
        h1_cli_handshake(c);
        loop_flush(l);
        return;
    }
    for (unsigned i = 0; (i < READS || c->io.pending) && c->state != H1_C_DEAD; i++) {
        struct buf *old;
        char *p;
        size_t room;
        if (must_wait(c)) {
            c->stopped = true;
            ev_io_stop(ev, io);
            break;
        }
        if (c->c.call && c->c.call->waits) c->in.want = 0;
        if (h1_in_space(&c->in, &l->bufs, &l->large, &old, &p, &room) != 0) {
            h1_cli_fail(c, E_NOMEM, "no memory to read into");
            break;
        }
        if (old) {
            if (c->head) h1_head_move(c->head, h1_in_at(&c->in));
            buf_unref(old);
        }
        ssize_t n = stream_recv(&c->io, p, room);
        if (n == -EAGAIN) break;
        if (n == 0 || n == STREAM_CUT) {
            on_eof(c, n != 0);
            break;
        }
        if (n < 0) {
            if (n == -EPROTO) h1_cli_fail(c, E_TLS, tls_reason(&c->io));
            else h1_cli_fail(c, E_IO, "connection reset");
            break;
        }
        if (!c->c.call) { /* nothing was asked */
            h1_cli_close(&c->c);
            break;
        }
        h1_in_filled(&c->in, room, (size_t)n);
        c->read_ms = loop_now_ms(l);
        process(c);
        if (!c->io.pending && ((size_t)n < room || loop_full(l))) break; /* what is staged leaves while it is warm */
    }
    if (c->state != H1_C_DEAD) {
        bool filling = c->c.call && c->res_head;
        h1_in_rest(&c->in, filling);
        h1_cli_arm(c);
    }
    loop_done(l);
}
