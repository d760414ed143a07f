/* SPDX-License-Identifier: Apache-2.0 */
/* Active health: each address of an upstream with `health:` is asked now and then, by one thread
 * for all, over a connection of its own. So many answers in a row change what the process holds of
 * it; the first one decides at once. Until then it is trusted. */
#include "base/log.h"
#include "base/shortage.h"
#include "net/sock.h"
#include "pipeline/upstream_int.h"

#define BODY_MAX (64u << 10) /* read for the sake of an orderly end */

struct up_check {
    struct up_addr *addr;
    struct loop *loop;
    const struct gw_health *conf;
    struct timer next, late;
    struct up_tally tally;
    bool running, over, ok;
    bool unknown; /* the machine had no descriptor for it, which says nothing about the target */
    const char *why;
    struct addr to;
    struct cli_pool *pool; /* http */
    struct cli_call call;
    struct http_req req;
    struct arena arena;
    ev_io io; /* tcp */
    int fd;
};

bool up_health_step(struct up_tally *t, const struct gw_health *c, bool ok)
{
    unsigned need = ok ? c->healthy : c->unhealthy;
    enum up_health to = ok ? UP_HEALTHY : UP_UNHEALTHY;
    t->row = ok == t->last_ok ? t->row + 1 : 1;
    t->last_ok = ok;
    if (t->state == to || (t->state != UP_UNKNOWN && t->row < need))
        return false;
    t->state = to;
    return true;
}

static uint64_t with_jitter(struct up_check *c, uint64_t ms)
{
    return ms - ms / 10 + rng_next(&c->loop->rng) % (ms / 5 + 1);
}

static void tell_state(const struct up_check *c, bool first)
{
    const struct up_peer *p = c->addr->peer;
    str id = p->u->id, target = str_n(p->text, p->text_n);
    if (c->tally.state == UP_UNHEALTHY)
        log_warn("upstream %.*s: target %.*s is unhealthy: %s", STR_ARG(id), STR_ARG(target),
                 c->why);
    else if (first)
        log_debug("upstream %.*s: target %.*s is healthy", STR_ARG(id), STR_ARG(target));
    else
        log_info("upstream %.*s: target %.*s is healthy again", STR_ARG(id), STR_ARG(target));
}

/* The check is over, nothing of it is open any more. */
static void settle(struct up_check *c)
{
    struct up_peer *p = c->addr->peer;
    bool first = c->tally.state == UP_UNKNOWN;
    c->running = false;
    timer_cancel(&c->late);
    if (c->unknown) {
        timer_set(c->loop, &c->next, with_jitter(c, (uint64_t)c->conf->interval));
        return;
    }
    atomic_fetch_add_explicit(c->ok ? &p->t->checks_ok : &p->t->checks_failed, 1,
                              memory_order_relaxed);
    if (up_health_step(&c->tally, c->conf, c->ok)) {
        atomic_store_explicit(&p->health, c->tally.state, memory_order_relaxed);
        tell_state(c, first);
    }
    timer_set(c->loop, &c->next, with_jitter(c, (uint64_t)c->conf->interval));
}

/* HTTP */

static void http_end(struct up_check *c)
{
    bufq_clear(&c->call.in);
    arena_fini(&c->arena);
    settle(c);
}

static void on_head(struct cli_call *call)
{
    struct up_check *c = call->upper;
    c->over = true;
    c->ok = call->res.status >= c->conf->expect_low && call->res.status <= c->conf->expect_high;
    c->why = c->ok ? NULL : "its answer's status";
}

static void on_body(struct cli_call *call)
{
    struct up_check *c = call->upper;
    bufq_clear(&call->in);
    if (call->in_total > BODY_MAX) {
        cli_cancel(call);
        http_end(c);
        return;
    }
    cli_consumed(call);
}

static void on_done(struct cli_call *call)
{
    http_end(call->upper);
}

static void on_fail(struct cli_call *call, const struct cli_fail *f)
{
    struct up_check *c = call->upper;
    if (!c->over)
        c->why = f->reason;
    c->unknown = f->err == E_LIMIT && f->stage == CLI_CONNECT;
    http_end(c);
}

static void on_room(struct cli_call *call)
{
    (void)call; /* there is no body */
}

static const struct cli_events events = {
    .head = on_head, .body = on_body, .done = on_done, .fail = on_fail, .room = on_room};

static int http_begin(struct up_check *c)
{
    const struct upstream *u = c->addr->peer->u;
    size_t q = str_chr(c->conf->path, '?');
    str host = c->conf->host.n  ? c->conf->host
               : u->authority.n ? u->authority
                                : c->addr->peer->t->text;
    if (!c->pool)
        c->pool = up_pool_new(c->addr, &c->to, &u->check_conf);
    if (!c->pool)
        return E_NOMEM;
    arena_init(&c->arena, &c->loop->arenas);
    c->req = (struct http_req){.method = M_GET,
                               .method_name = STR("GET"),
                               .version_minor = 1,
                               .scheme = STR("http"),
                               .path = str_take(c->conf->path, q)};
    if (q < c->conf->path.n)
        c->req.query = str_drop(c->conf->path, q + 1);
    c->call = (struct cli_call){.loop = c->loop, .arena = &c->arena, .ev = &events, .upper = c};
    int rc =
        hdrs_add(&c->req.h, &c->arena, HDR_USER_AGENT, STR("User-Agent"), STR("sallyport-health"));
    if (rc == 0)
        rc = cli_start(&c->call, c->pool, &c->req, host, true);
    if (rc != 0)
        arena_fini(&c->arena);
    return rc;
}

/* TCP */

static void tcp_close(struct up_check *c)
{
    if (c->fd < 0)
        return;
    ev_io_stop(c->loop->ev, &c->io);
    close(c->fd);
    c->fd = -1;
}

static void tcp_end(struct up_check *c, int err)
{
    enum shortage what;
    tcp_close(c);
    c->ok = err == 0;
    c->unknown = shortage_of(-err, &what);
    if (c->unknown)
        shortage_note(what, SHORT_AT_CONNECT, loop_now_ms(c->loop));
    c->why = err ? cli_connect_error(err) : NULL;
    settle(c);
}

static void on_connected(struct ev_loop *ev, ev_io *io, int revents)
{
    struct up_check *c = io->data;
    struct loop *l = c->loop;
    (void)ev, (void)revents;
    tcp_end(c, sock_error(c->fd));
    loop_flush(l);
}

static void tcp_begin(struct up_check *c)
{
    bool now = false;
    c->fd = sock_connect(&c->to, &now);
    if (c->fd < 0 || now) {
        int err = c->fd < 0 ? c->fd : 0;
        if (err == 0)
            close(c->fd);
        c->fd = -1;
        tcp_end(c, err);
        return;
    }
    ev_io_init(&c->io, on_connected, c->fd, EV_WRITE);
    c->io.data = c;
    ev_io_start(c->loop->ev, &c->io);
}

/* When */

static void stop_running(struct up_check *c)
{
    if (!c->running)
        return;
    c->running = false;
    timer_cancel(&c->late);
    if (c->conf->type == HEALTH_TCP) {
        tcp_close(c);
        return;
    }
    cli_cancel(&c->call);
    bufq_clear(&c->call.in);
    arena_fini(&c->arena);
}

static void on_late(struct loop *l, struct timer *t)
{
    struct up_check *c = CONTAINER_OF(t, struct up_check, late);
    stop_running(c);
    if (!c->over)
        c->why = "no answer in time";
    settle(c);
    loop_flush(l);
}

static void on_next(struct loop *l, struct timer *t)
{
    struct up_check *c = CONTAINER_OF(t, struct up_check, next);
    c->running = true;
    c->over = c->ok = c->unknown = false;
    timer_set(l, &c->late, (uint64_t)c->conf->timeout);
    if (c->conf->type == HEALTH_TCP) {
        tcp_begin(c);
    } else if (http_begin(c) != 0) {
        /* No memory here says nothing about the target. */
        c->running = false;
        timer_cancel(&c->late);
        timer_set(l, &c->next, with_jitter(c, (uint64_t)c->conf->interval));
    }
    loop_flush(l);
}

void up_check_start(struct up_addr *a)
{
    struct upstream *u = a->peer->u;
    struct loop *l = a->seat->local->loop;
    if (a->check || u->health.type == HEALTH_NONE || l->id != UP_CHECK_THREAD)
        return;
    struct up_check *c = calloc(1, sizeof *c);
    if (!c)
        return; /* it is trusted, as before a first check */
    struct addr_ip ip = a->peer->ip;
    if (u->health.port)
        ip.port = u->health.port;
    addr_from_ip(&c->to, &ip);
    c->addr = a;
    c->loop = l;
    c->conf = &u->health;
    c->fd = -1;
    c->tally.state = (enum up_health)atomic_load_explicit(&a->peer->health, memory_order_relaxed);
    timer_init(&c->next, on_next);
    timer_init(&c->late, on_late);
    a->check = c;
    /* The first one soon, but not all in the same moment. */
    uint64_t soon = (uint64_t)u->health.interval < 200 ? (uint64_t)u->health.interval : 200;
    timer_set(l, &c->next, rng_next(&l->rng) % (soon + 1));
}

void up_check_stop(struct up_addr *a)
{
    struct up_check *c = a->check;
    if (!c)
        return;
    a->check = NULL;
    stop_running(c);
    timer_cancel(&c->next);
    if (c->pool)
        cli_pool_retire(c->pool);
    free(c);
}
