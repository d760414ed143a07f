/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 server connections: reading, requests to events, what timeouts and closed clients mean. */
#include "http/h1_srv.h"

#include "base/shortage.h"
#include "http/h1_guard.h"
#include "http/h1_msg.h"

#define READS 4u               /* of one readiness event, while they fill their room */
#define DROP_MAX (64u * 1024)  /* rest of a body read for the connection's sake */
#define BLANK_MAX 8u           /* empty lines before a request */
#define LINGER_MAX (1u << 20)  /* bytes */

static struct loop *loop_of(const struct h1_conn *c)
{
    return c->c.th->loop;
}

/* Reading: when to stop, when to go on. */

static bool must_wait(const struct h1_conn *c)
{
    const struct h1_xchg *x = c->x;
    if (c->state != H1_S_LIVE || x->bad || x->st.in_error || x->discarding) return false;
    if (!x->st.in_end) return x->st.in.bytes >= c->c.conf->high_water;
    return h1_in_left(&c->in) > 0 &&
           c->in.b->cap - c->in.b->len < c->in.b->cap / 8; /* the next requests have to wait */
}

void h1_srv_resume(struct h1_conn *c)
{
    if (!c->stopped || c->eof || c->state == H1_S_DEAD || must_wait(c)) return;
    c->stopped = false;
    c->read_ms = loop_now_ms(loop_of(c));
    ev_io_start(loop_of(c)->ev, &c->rd);
    if (UNLIKELY(c->io.pending)) ev_feed_event(loop_of(c)->ev, &c->rd, EV_READ);
    loop_dirty(loop_of(c), &c->flusher); /* arms the timer */
}

static void stop_reading(struct h1_conn *c)
{
    c->stopped = true;
    ev_io_stop(loop_of(c)->ev, &c->rd);
}

/* Requests. */

static void refuse(struct h1_conn *c, unsigned status, const char *why)
{
    struct h1_xchg *x = c->x;
    struct srv_bad bad = {.status = status, .reason = why};
    struct srv_stats *st = &c->c.th->stats;
    SRV_COUNT(st->bad[srv_bad_index(status)], 1);
    x->bad = true;
    x->st.in_end = true;
    h1_srv_state(c, H1_S_LIVE);
    c->in.off = c->in.b ? c->in.b->len : 0; /* nothing behind it has a meaning */
    c->c.conf->events->bad(&x->st, &bad);
}

/* What is asked for later, when the head is gone. */
static void take_options(struct h1_xchg *x, const struct h1_head *head)
{
    x->minor = head->minor;
    x->close = head->meta.close;
    x->persists = h1_persists(head);
}

/* The head was refused: what is known of it is kept for the log. */
static void refuse_head(struct h1_conn *c, struct h1_head *head, unsigned status, const char *why)
{
    struct h1_xchg *x = c->x;
    size_t n = h1_in_left(&c->in);
    char *copy = n ? arena_bytes(&x->arena, n) : NULL;
    if (copy) {
        memcpy(copy, h1_in_at(&c->in), n);
        h1_head_move(head, copy);
    } else {
        head->line_ok = false;
        head->method = STR_NONE;
    }
    head->bad = status;
    (void)h1_request_of(head, &x->st.req, c->c.conf->scheme);
    if (!copy || !head->lines_ok) x->st.req.h.n = 0;
    take_options(x, head);
    refuse(c, status, why);
}

static void begin_body(struct h1_conn *c, bool chunked)
{
    struct h1_xchg *x = c->x;
    const struct srv_conf *conf = c->c.conf;
    struct http_req *req = &x->st.req;
    enum h1_body_kind kind = chunked ? H1_CHUNKED : req->has_body ? H1_LENGTH : H1_NONE;
    h1_body_init(&x->body, kind, kind == H1_LENGTH ? (uint64_t)req->content_length : 0,
                 conf->max_body);
    x->body.text_max = conf->max_header;
    x->body.max_headers = conf->max_headers;
    x->st.in_end = kind == H1_NONE;
    x->expect_due = req->expect_continue;
}

static void no_memory(struct h1_conn *c)
{
    shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(loop_of(c)));
    h1_srv_close(c);
}

/* The head is whole, n bytes of it. false: out of memory, the connection is closed. */
static bool take_head(struct h1_conn *c, struct h1_head *head, size_t n)
{
    struct h1_xchg *x = c->x;
    const struct srv_conf *conf = c->c.conf;
    struct http_req *req = &x->st.req;
    char *copy = arena_bytes(&x->arena, n);
    if (!copy) {
        no_memory(c);
        return false;
    }
    memcpy(copy, h1_in_at(&c->in), n); /* so that a waiting exchange holds no read block */
    h1_head_move(head, copy);
    c->in.off += (uint32_t)n;
    take_options(x, head);
    if (h1_request_of(head, req, conf->scheme) != 0) {
        refuse(c, head->bad, head->why);
    } else if (conf->max_body && req->content_length > 0 &&
               (uint64_t)req->content_length > conf->max_body) {
        refuse(c, 413, "Content-Length above the limit");
    } else {
        begin_body(c, head->meta.chunked);
        SRV_COUNT(c->c.th->stats.requests, 1);
        h1_srv_state(c, H1_S_LIVE);
        conf->events->head(&x->st);
    }
    return true;
}

/* IDLE with bytes at hand. false: wait for more. */
static bool begin(struct h1_conn *c)
{
    const char *p = h1_in_at(&c->in);
    size_t n = h1_in_left(&c->in);
    if (p[0] == '\r') { /* RFC 9112 2.2: an empty line before the request line */
        if (n == 1) return false;
        if (p[1] == '\n' && c->blank < BLANK_MAX) {
            c->blank++;
            c->in.off += 2;
            return true;
        }
    }
    struct h1_xchg *x = c->x = h1_srv_xchg_new(c);
    if (!x) {
        no_memory(c);
        return false;
    }
    x->st.t_first_ns = loop_stamp_ns(loop_of(c));
    c->mark_ms = loop_now_ms(loop_of(c));
    c->fresh = false;
    c->blank = 0;
    h1_srv_state(c, H1_S_HEAD);
    return true;
}

static bool more_head(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    const struct srv_conf *conf = c->c.conf;
    struct h1_head here, *head = x->head;
    if (LIKELY(!head)) {
        head = &here;
        h1_head_request(head, &x->arena, &x->st.req.h, conf->max_header, conf->max_url, conf->max_headers);
    }
    int64_t n = h1_head_feed(head, h1_in_at(&c->in), h1_in_left(&c->in));
    if (n > 0) return take_head(c, head, (size_t)n);
    if (n < 0) refuse_head(c, head, head->bad, head->why);
    else if (c->eof) h1_srv_close(c);
    else if (head == &here && !(x->head = h1_head_keep(head, &x->arena))) no_memory(c);
    return n < 0;
}

/* The body will never be whole. */
static void body_bad(struct h1_conn *c, int err)
{
    unsigned status = err == E_PROTO ? 400 : err == E_LIMIT ? 413 : 408;
    SRV_COUNT(c->c.th->stats.bad[srv_bad_index(status)], 1);
    c->x->st.in_error = err;
}

static bool more_body(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    struct srv_stream *st = &x->st;
    if (x->bad || st->in_error) {
        c->in.off = c->in.b->len;
        return false;
    }
    if (st->in_end) return false; /* the next request waits */
    uint64_t before = x->body.total;
    int rc = h1_body_feed(&x->body, &c->in, x->discarding ? NULL : &st->in, &x->arena,
                          &st->req.trailers);
    st->in_total = x->body.total;
    if (rc == 1) st->in_end = true;
    else if (rc < 0) body_bad(c, rc == E_PROTO ? E_PROTO : E_LIMIT);
    if (x->expect_due && st->in_total) x->expect_due = false;
    if (!x->discarding && (rc != 0 || x->body.total != before)) c->c.conf->events->body(st);
    return st->in_error != 0; /* once more: what is left is dropped */
}

static bool more_drop(struct h1_conn *c)
{
    uint32_t before = c->in.off;
    int rc = h1_body_feed(&c->x->body, &c->in, NULL, &c->x->arena, NULL);
    c->dropped += c->in.off - before;
    if (rc < 0 || c->dropped > DROP_MAX) {
        h1_srv_xchg_free(c);
        h1_srv_linger(c);
        return false;
    }
    if (rc == 0) return false;
    h1_srv_xchg_free(c);
    h1_srv_state(c, H1_S_IDLE);
    return true;
}

void h1_srv_process(struct h1_conn *c)
{
    bool on = true;
    while (on && h1_in_left(&c->in) > 0) {
        switch (c->state) {
        case H1_S_IDLE:
            on = begin(c);
            break;
        case H1_S_HEAD:
            on = more_head(c);
            break;
        case H1_S_LIVE:
            on = more_body(c);
            break;
        case H1_S_DROP:
            on = more_drop(c);
            break;
        default: /* LINGER */
            c->dropped += h1_in_left(&c->in);
            c->in.off = c->in.b->len;
            if (c->dropped > LINGER_MAX) h1_srv_close(c);
            on = false;
        }
    }
    if (c->state == H1_S_DEAD || h1_in_left(&c->in) > 0) return;
    /* A block is held only where more of the same is to be filled in. */
    bool filling = c->state == H1_S_LIVE && !c->x->st.in_end && !c->x->st.in_error;
    h1_in_rest(&c->in, filling);
    if (c->eof && c->state == H1_S_IDLE) h1_srv_close(c);
}

/* The client is gone, or has shut its side: what that means depends on where we are. */
static void on_gone(struct h1_conn *c, bool reset)
{
    struct h1_xchg *x = c->x;
    c->eof = true;
    stop_reading(c);
    if (c->state == H1_S_LIVE) {
        if (!reset && (x->st.in_end || x->st.in_error || x->answered)) {
            c->read_ms = loop_now_ms(loop_of(c));
            return; /* the answer still goes out */
        }
        h1_srv_end(c, SRV_CLIENT_GONE);
    }
    h1_srv_close(c);
}

void h1_srv_readable(struct ev_loop *ev, ev_io *io, int revents)
{
    struct h1_conn *c = io->data;
    struct loop *l = loop_of(c);
    (void)ev, (void)revents;
    if (UNLIKELY(c->io.opening) && !h1_srv_open(c)) {
        loop_flush(l);
        return;
    }
    for (unsigned i = 0; (i < READS || c->io.pending) && c->state != H1_S_DEAD; i++) {
        struct buf *old;
        char *p;
        size_t room;
        if (must_wait(c)) {
            stop_reading(c);
            break;
        }
        if (h1_in_space(&c->in, &l->bufs, &l->large, &old, &p, &room) != 0) {
            if (c->state == H1_S_LIVE) h1_srv_end(c, SRV_ABORTED);
            no_memory(c);
            break;
        }
        if (old) {
            if (c->state == H1_S_HEAD) h1_head_move(c->x->head, h1_in_at(&c->in));
            buf_unref(old);
        }
        ssize_t n = stream_recv(&c->io, p, room);
        if (n <= 0) {
            if (h1_in_left(&c->in) == 0) h1_in_drop(&c->in);
            if (n != -EAGAIN) on_gone(c, n < 0 && n != STREAM_CUT);
            break;
        }
        h1_in_filled(&c->in, room, (size_t)n);
        if (c->in.want > H1_IN_UPLOAD_MAX) c->in.want = H1_IN_UPLOAD_MAX;
        c->read_ms = loop_now_ms(l);
        SRV_COUNT(c->c.th->stats.bytes_in, (uint64_t)n);
        h1_srv_process(c);
        if (!c->io.pending && ((size_t)n < room || loop_full(l))) break; /* what is staged leaves while it is warm */
    }
    if (c->state != H1_S_DEAD) h1_srv_arm(c);
    loop_done(l);
}

void h1_srv_read_timeout(struct h1_conn *c)
{
    struct srv_stats *st = &c->c.th->stats;
    struct h1_xchg *x = c->x;
    struct h1_head none;
    switch (c->state) {
    case H1_S_IDLE:
        if (c->io.opening) {
            h1_srv_open_timeout(c);
            break;
        }
        if (!c->fresh) {
            SRV_COUNT(st->timeouts_idle, 1);
            h1_srv_close(c);
            break;
        }
        x = c->x = h1_srv_xchg_new(c);
        if (!x) {
            no_memory(c);
            break;
        }
        x->st.t_first_ns = loop_stamp_ns(loop_of(c));
        /* fallthrough */
    case H1_S_HEAD:
        SRV_COUNT(st->timeouts_header, 1);
        h1_head_request(&none, &x->arena, &x->st.req.h, 0, 0, 0);
        refuse_head(c, x->head ? x->head : &none, 408, "request head not whole in time");
        break;
    case H1_S_LIVE:
        if (c->eof) { /* most likely it has closed altogether: what nobody waits for is not worth a call */
            SRV_COUNT(st->timeouts_half, 1);
            h1_srv_end(c, SRV_CLIENT_GONE);
            h1_srv_close(c);
            break;
        }
        SRV_COUNT(st->timeouts_body, 1);
        body_bad(c, E_TIMEOUT);
        if (!x->discarding) c->c.conf->events->body(&x->st);
        break;
    default: /* DROP, LINGER */
        h1_srv_close(c);
    }
}
