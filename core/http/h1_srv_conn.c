/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 server connections: their life from accept to close, exchanges' arenas, the lazy timer. */
#include "http/h1_srv.h"

#define DROP_MAX (64u * 1024) /* rest of a body read for the connection's sake */
#define LINGER_MS 2000u

static struct loop *loop_of(const struct h1_conn *c)
{
    return c->c.th->loop;
}

void h1_srv_state(struct h1_conn *c, enum h1_state s)
{
    struct srv_stats *st = &c->c.th->stats;
    bool was = c->state == H1_S_IDLE, is = s == H1_S_IDLE;
    if (was != is) {
        if (is) SRV_COUNT(st->idle, 1), SRV_COUNT(st->active, -1);
        else SRV_COUNT(st->idle, -1), SRV_COUNT(st->active, 1);
    }
    c->state = (uint8_t)s;
}

/* Exchanges. */

struct h1_xchg *h1_srv_xchg_new(struct h1_conn *c)
{
    struct arena a;
    arena_init(&a, &loop_of(c)->arenas);
    struct h1_xchg *x = arena_zalloc(&a, sizeof *x);
    if (!x) {
        arena_fini(&a);
        return NULL;
    }
    x->arena = a;
    x->st = (struct srv_stream){.conn = &c->c, .loop = loop_of(c), .arena = &x->arena};
    bufq_init(&x->st.in);
    bufq_init(&x->out);
    return x;
}

void h1_srv_xchg_free(struct h1_conn *c)
{
    struct h1_xchg *x = c->x;
    if (!x) return;
    c->x = NULL;
    bufq_clear(&x->st.in);
    bufq_clear(&x->out);
    h1_chunker_fini(&x->chunker);
    struct arena a = x->arena; /* x lies in it */
    arena_fini(&a);
}

void h1_srv_end(struct h1_conn *c, enum srv_end why)
{
    struct h1_xchg *x = c->x;
    x->ended = true;
    if (why != SRV_DONE) c->io.cut = true;
    c->c.conf->events->end(&x->st, why);
    h1_srv_xchg_free(c);
}

void h1_srv_free(struct h1_conn *c)
{
    const struct srv_conf *conf = c->c.conf;
    loop_undirty(&c->flusher);
    c->c.magic = 0;
    free(c);
    if (conf->unref) conf->unref(conf);
}

void h1_srv_close(struct h1_conn *c)
{
    struct loop *l = loop_of(c);
    struct srv_stats *st = &c->c.th->stats;
    if (c->state == H1_S_DEAD) return;
    if (c->state == H1_S_IDLE) SRV_COUNT(st->idle, -1);
    else SRV_COUNT(st->active, -1);
    c->state = H1_S_DEAD;
    ev_io_stop(l->ev, &c->rd);
    ev_io_stop(l->ev, &c->wr);
    timer_cancel(&c->timer);
    stream_close(&c->io);
    h1_in_drop(&c->in);
    h1_srv_xchg_free(c);
    list_del(&c->c.link);
    loop_dirty(l, &c->flusher); /* the memory goes when no caller is left on the stack */
}

/* The client may still be sending: a close now could destroy the answer (RFC 9112 9.6). */
void h1_srv_linger(struct h1_conn *c)
{
    if (c->eof) {
        h1_srv_close(c);
        return;
    }
    h1_srv_state(c, H1_S_LINGER);
    stream_shutdown(&c->io);
    h1_in_drop(&c->in);
    c->read_ms = loop_now_ms(loop_of(c));
    c->dropped = 0;
    h1_srv_resume(c);
}

void h1_srv_drop_rest(struct h1_conn *c, const struct h1_body *y)
{
    if ((y->kind == H1_LENGTH && y->left > DROP_MAX) || !(c->x = h1_srv_xchg_new(c))) {
        h1_srv_linger(c);
        return;
    }
    c->x->body = *y;
    c->x->body.text = NULL;
    c->x->body.text_cap = 0;
    c->x->body.limit = 0;
    c->dropped = 0;
    h1_srv_state(c, H1_S_DROP);
}

/* Timeouts: one lazy timer. Which deadline is next follows from the state. */

static uint64_t nearer(uint64_t a, uint64_t since, uint32_t after)
{
    if (after == 0) return a;
    return a == 0 || since + after < a ? since + after : a;
}

static uint64_t read_deadline(const struct h1_conn *c)
{
    const struct srv_conf *conf = c->c.conf;
    const struct h1_xchg *x = c->x;
    switch (c->state) {
    case H1_S_IDLE:
        return nearer(0, c->read_ms, c->fresh ? conf->t_header_ms : conf->t_idle_ms);
    case H1_S_HEAD:
        return nearer(0, c->mark_ms, conf->t_header_ms);
    case H1_S_LIVE:
        if (c->eof) return x->st.head_sent ? 0 : nearer(0, c->read_ms, conf->t_half_ms);
        if (x->st.in_end || x->st.in_error || c->stopped || x->expect_due) return 0;
        return nearer(0, c->read_ms, conf->t_body_ms);
    case H1_S_DROP:
        return nearer(0, c->read_ms, conf->t_body_ms ? conf->t_body_ms : LINGER_MS);
    case H1_S_LINGER:
        return nearer(0, c->read_ms, LINGER_MS);
    default:
        return 0;
    }
}

static bool write_waits(const struct h1_conn *c)
{
    return c->state == H1_S_LIVE && h1_srv_blocked(c);
}

static uint64_t deadline(const struct h1_conn *c)
{
    uint64_t d = read_deadline(c);
    return write_waits(c) ? nearer(d, c->mark_ms, c->c.conf->t_write_ms) : d;
}

void h1_srv_arm(struct h1_conn *c)
{
    uint64_t d = deadline(c), now;
    if (d == 0 || (timer_is_set(&c->timer) && c->timer.due_ms <= d)) return;
    now = loop_now_ms(loop_of(c));
    timer_set(loop_of(c), &c->timer, d > now ? d - now : 0);
}

static void on_timer(struct loop *l, struct timer *t)
{
    struct h1_conn *c = CONTAINER_OF(t, struct h1_conn, timer);
    uint64_t now = loop_now_ms(l);
    if (write_waits(c) && c->c.conf->t_write_ms && c->mark_ms + c->c.conf->t_write_ms <= now) {
        SRV_COUNT(c->c.th->stats.timeouts_write, 1);
        h1_srv_end(c, SRV_TIMEOUT);
        h1_srv_close(c);
        return;
    }
    uint64_t d = read_deadline(c);
    if (d && d <= now) h1_srv_read_timeout(c);
    if (c->state != H1_S_DEAD) h1_srv_arm(c);
}

int h1_srv_accept(struct srv_thread *th, int fd, const struct addr *peer, const struct addr *local,
                  const struct srv_conf *conf)
{
    struct loop *l = th->loop;
    struct h1_conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return E_NOMEM;
    }
    c->c =
        (struct srv_conn){.magic = SRV_CONN_MAGIC, .proto = &h1_srv_proto, .conf = conf, .th = th};
    addr_to_ip(peer, &c->c.peer);
    if (local) addr_to_ip(local, &c->c.local);
    c->io.fd = fd;
    if (conf->tls && tls_accept(&c->io, conf->tls) != 0) {
        close(fd);
        free(c);
        return E_NOMEM;
    }
    c->fresh = true;
    c->state = H1_S_IDLE;
    c->read_ms = loop_now_ms(l);
    if (conf->ref) conf->ref(conf);
    list_push(&th->conns, &c->c.link);
    list_init(&c->flusher.link);
    c->flusher.flush = h1_srv_flush;
    timer_init(&c->timer, on_timer);
    ev_io_init(&c->rd, h1_srv_readable, fd, EV_READ);
    ev_io_init(&c->wr, h1_srv_writable, fd, EV_WRITE);
    c->rd.data = c->wr.data = c;
    ev_io_start(l->ev, &c->rd);
    SRV_COUNT(th->stats.connections, 1);
    SRV_COUNT(th->stats.idle, 1);
    h1_srv_arm(c);
    return 0;
}
