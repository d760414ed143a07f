/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 server connections: staging the answer, writing it, what comes behind it. */
#include "http/h1_srv.h"
#include "net/sock.h"

#define IOVS 64u
#define DROP_MAX (64u * 1024)

static struct h1_conn *conn_of(struct srv_stream *st)
{
    return (struct h1_conn *)st->conn;
}

static struct h1_xchg *xchg_of(struct srv_stream *st)
{
    return (struct h1_xchg *)st;
}

static void dirty(struct h1_conn *c)
{
    loop_dirty(c->c.th->loop, &c->flusher);
}

static void abort_answer(struct srv_stream *st)
{
    struct h1_xchg *x = xchg_of(st);
    if (x->ended) return;
    x->aborted = true;
    dirty(conn_of(st));
}

static int stage(struct h1_xchg *x, str text)
{
    return bufq_push(&x->out, (struct slice){.p = text.p, .n = (uint32_t)text.n});
}

static void staged(struct srv_stream *st)
{
    struct h1_xchg *x = xchg_of(st);
    uint64_t more = x->out.bytes - st->out_bytes;
    st->out_bytes = x->out.bytes;
    if (st->out_bytes >= st->conn->conf->high_water) x->was_full = true;
    loop_dirty_more(st->loop, &conn_of(st)->flusher, more);
}

/* May the connection serve on behind this answer? */
static bool may_keep(struct srv_stream *st)
{
    struct h1_xchg *x = xchg_of(st);
    if (x->bad || st->in_error || x->expect_due || st->conn->th->draining || st->last)
        return false;
    if (!st->in_end && x->discarding && x->body.kind == H1_LENGTH && x->body.left > DROP_MAX)
        return false;
    return x->persists;
}

static int informational(struct srv_stream *st, const struct http_res *res)
{
    struct h1_xchg *x = xchg_of(st);
    struct h1_answer w = {.framing = H1_F_NONE};
    str text;
    if (res->status == 101) return E_UNSUP;
    if (x->minor == 0) return 0; /* RFC 9110 15.2: never to HTTP/1.0 */
    int rc = h1_write_response(st->arena, res, &w, &text);
    if (rc == 0) rc = stage(x, text);
    if (res->status == 100) x->expect_due = false;
    staged(st);
    return rc;
}

/* How the answer's body is framed (RFC 9112 6.3). */
static int choose_framing(struct srv_stream *st, const struct http_res *res, bool end,
                          struct h1_answer *w)
{
    struct h1_xchg *x = xchg_of(st);
    bool head_method = st->req.method == M_HEAD;
    x->no_body = head_method || http_status_bodyless(res->status);
    if (x->no_body) {
        bool told =
            head_method ? res->content_length >= 0 : res->status == 304 && res->content_length > 0;
        w->framing = told && res->status != 204 ? H1_F_LENGTH : H1_F_NONE;
        w->length = res->content_length;
    } else if (end || !res->has_body) {
        if (res->has_body && res->content_length > 0) return E_ARG;
        w->framing = H1_F_LENGTH;
        w->length = 0;
    } else if (res->content_length >= 0) {
        w->framing = H1_F_LENGTH;
        w->length = res->content_length;
    } else {
        w->framing = x->minor == 1 ? H1_F_CHUNKED : H1_F_NONE;
        if (w->framing == H1_F_NONE)
            x->keep = false; /* the end of the connection is the end of the body */
    }
    x->framing = (uint8_t)w->framing;
    x->out_left = x->no_body ? 0 : (uint64_t)w->length;
    return 0;
}

static int send_head(struct srv_stream *st, const struct http_res *res, bool end)
{
    struct h1_xchg *x = xchg_of(st);
    struct h1_answer w = {.length = 0};
    str text;
    if (x->ended || x->aborted) return E_GONE;
    if (st->head_sent) return E_PHASE;
    if (res->status < 200) return res->status >= 100 ? informational(st, res) : E_ARG;
    x->keep = may_keep(st);
    int rc = choose_framing(st, res, end, &w);
    if (rc != 0) return rc;
    w.date = loop_date(st->loop);
    if (!x->keep) w.connection = STR("close");
    else if (x->minor == 0) w.connection = STR("keep-alive");
    rc = h1_write_response(st->arena, res, &w, &text);
    if (rc == 0) rc = stage(x, text);
    if (rc != 0) return rc;
    st->head_sent = true;
    x->answered = end;
    staged(st);
    return 0;
}

/* The bytes of q in the framing of the answer. */
static int stage_body(struct h1_xchg *x, struct bufq *q, bool end)
{
    uint64_t n = q ? q->bytes : 0;
    if (x->framing == H1_F_CHUNKED) {
        int rc = n ? h1_chunk(&x->chunker, &x->out, q) : 0;
        const struct hdrs *t = x->trailers && hdrs_has_token(&x->st.req.h, HDR_TE, STR("trailers"))
                                   ? x->trailers
                                   : NULL;
        return rc == 0 && end ? h1_chunk_end(&x->arena, &x->out, t) : rc;
    }
    if (x->framing == H1_F_LENGTH) x->out_left -= n;
    return n ? bufq_move(&x->out, q) : 0;
}

static int send_body(struct srv_stream *st, struct bufq *q, bool end)
{
    struct h1_xchg *x = xchg_of(st);
    uint64_t n = q ? q->bytes : 0;
    if (x->ended || x->aborted) return E_GONE;
    if (!st->head_sent || x->answered) return E_PHASE;
    if (x->no_body) {
        if (q) bufq_clear(q);
        x->answered = end;
        staged(st);
        return 0;
    }
    if (x->framing == H1_F_LENGTH && n > x->out_left) return E_LIMIT;
    if (x->framing == H1_F_LENGTH && end && n < x->out_left) {
        abort_answer(st);
        return E_PROTO;
    }
    int rc = stage_body(x, q, end);
    if (rc != 0) {
        abort_answer(st);
        return rc;
    }
    st->out_total += n;
    x->answered = end;
    staged(st);
    return 0;
}

static void set_trailers(struct srv_stream *st, const struct hdrs *h)
{
    xchg_of(st)->trailers = h;
}

static void consumed(struct srv_stream *st)
{
    struct h1_xchg *x = xchg_of(st);
    if (x->ended || x->aborted) return;
    if (x->expect_due && !st->head_sent && !st->in_end) {
        x->expect_due = false;
        conn_of(st)->read_ms = loop_now_ms(st->loop); /* the client's time starts now */
        if (stage(x, STR("HTTP/1.1 100 Continue\r\n\r\n")) != 0) abort_answer(st);
        else staged(st);
    }
    h1_srv_resume(conn_of(st));
}

static void discard(struct srv_stream *st)
{
    struct h1_xchg *x = xchg_of(st);
    if (x->ended || x->discarding) return;
    x->discarding = true;
    bufq_clear(&st->in);
    h1_srv_resume(conn_of(st));
}

static void local_addr(struct srv_conn *c, struct addr *a)
{
    if (sock_local(((struct h1_conn *)c)->io.fd, a) != 0) memset(a, 0, sizeof *a);
}

static const struct stream *stream_of(const struct srv_conn *c)
{
    return &((const struct h1_conn *)c)->io;
}

static void close_now(struct srv_conn *sc)
{
    struct h1_conn *c = (struct h1_conn *)sc;
    if (c->state == H1_S_LIVE) h1_srv_end(c, SRV_SHUTDOWN);
    h1_srv_close(c);
}

const struct srv_proto h1_srv_proto = {
    .head = send_head,
    .body = send_body,
    .trailers = set_trailers,
    .consumed = consumed,
    .discard = discard,
    .abort = abort_answer,
    .local = local_addr,
    .stream = stream_of,
    .close = close_now,
};

/* Writes what is staged. 0: all of it, or the socket is full and the watcher armed; else the client
 * is gone. */
static int write_out(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    struct loop *l = c->c.th->loop;
    while (x->out.bytes) {
        struct iovec v[IOVS];
        uint64_t bytes = 0;
        unsigned n = bufq_iov(&x->out, v, IOVS);
        for (unsigned i = 0; i < n; i++) bytes += v[i].iov_len;
        ssize_t sent = stream_sendv(&c->io, v, n);
        if (sent < 0 && sent != -EAGAIN) return (int)sent;
        if (sent > 0) {
            bufq_drain(&x->out, (uint64_t)sent);
            SRV_COUNT(c->c.th->stats.bytes_out, (uint64_t)sent);
        }
        if (sent < 0 || (uint64_t)sent < bytes) { /* full: no further try before it is writable */
            if (sent > 0 || !h1_srv_blocked(c)) c->mark_ms = loop_now_ms(l);
            ev_io_start(l->ev, &c->wr);
            break;
        }
    }
    x->st.out_bytes = x->out.bytes;
    if (x->out.bytes == 0 && h1_srv_blocked(c)) ev_io_stop(l->ev, &c->wr);
    x->st.out_waits = h1_srv_blocked(c);
    return 0;
}

/* The whole answer has left. */
static void finish(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    struct h1_body body = x->body;
    bool whole = x->st.in_end && !x->bad, broken = x->bad || x->st.in_error,
         keep = x->keep && !broken;
    bool asked = x->close || x->minor == 0; /* the client sends no more */
    h1_srv_end(c, SRV_DONE);
    c->read_ms = loop_now_ms(c->c.th->loop);
    if (!keep) {
        if (whole && asked && h1_in_left(&c->in) == 0) h1_srv_close(c);
        else h1_srv_linger(c);
        return;
    }
    if (whole) h1_srv_state(c, H1_S_IDLE);
    else if (c->eof) h1_srv_close(c);
    else h1_srv_drop_rest(c, &body);
    if (c->state == H1_S_DEAD || c->state == H1_S_LINGER) return;
    h1_srv_process(c);
    h1_srv_resume(c);
}

static void after_write(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    if (x->was_full && x->out.bytes <= c->c.conf->low_water && !x->answered) {
        x->was_full = false;
        c->c.conf->events->room(&x->st);
    }
    if (x->answered && x->out.bytes == 0 && !x->aborted) finish(c);
}

/* Would a cut answer look whole, because its end is the connection's end? */
static bool cut_unseen(const struct h1_xchg *x)
{
    return x->st.head_sent && x->framing == H1_F_NONE && !x->no_body;
}

static void end_and_close(struct h1_conn *c, enum srv_end why)
{
    h1_srv_end(c, why);
    h1_srv_close(c);
}

void h1_srv_flush(struct flusher *f)
{
    struct h1_conn *c = CONTAINER_OF(f, struct h1_conn, flusher);
    if (c->state == H1_S_DEAD) {
        h1_srv_free(c);
        return;
    }
    if (c->state == H1_S_LIVE) {
        if (c->x->aborted) {
            if (cut_unseen(c->x)) sock_reset(c->io.fd);
            end_and_close(c, SRV_ABORTED);
            return;
        }
        if (!h1_srv_blocked(c) && write_out(c) != 0) {
            end_and_close(c, SRV_CLIENT_GONE);
            return;
        }
        after_write(c);
    }
    if (c->state != H1_S_DEAD) h1_srv_arm(c);
}

void h1_srv_writable(struct ev_loop *ev, ev_io *io, int revents)
{
    struct h1_conn *c = io->data;
    struct loop *l = c->c.th->loop;
    (void)revents;
    if (UNLIKELY(c->io.opening)) {
        h1_srv_open_writable(c);
    } else if (c->state != H1_S_LIVE) {
        ev_io_stop(ev, io);
    } else if (write_out(c) != 0) {
        end_and_close(c, SRV_CLIENT_GONE);
    } else {
        loop_dirty(l, &c->flusher); /* room, the end, the timer */
    }
    loop_done(l);
}
