/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams on one loop, with a name server of their own: for the tests of the rooms upstream_*. */
#ifndef UNIT_UPSTREAM_RIG_H
#define UNIT_UPSTREAM_RIG_H

#include "unit.h"

#include "dns_stub.h"
#include "pipeline/upstream.h"

static const struct gw_timeouts defaults = {.integration = 29000, .write = 30000};

struct rig {
    struct upstreams *all;
    struct loop *loop;
    struct dns_stub dns;
    struct arena arena;
};

static inline void rig_open(struct rig *r)
{
    dns_start(&r->dns);
    struct resolver_conf conf = {.servers = r->dns.address,
                                 .timeout_ms = 150,
                                 .tries = 1,
                                 .ttl_max_s = 300,
                                 .max_entries = 100};
    assert_non_null(r->all = upstreams_new(1));
    assert_non_null(r->loop = loop_new(1, 16384));
    assert_int_equal(upstreams_thread_start(r->all, r->loop, &conf), 0);
    arena_init(&r->arena, NULL);
}

static inline void rig_close(struct rig *r)
{
    upstreams_thread_stop(r->all, r->loop);
    loop_free(r->loop);
    upstreams_free(r->all);
    arena_fini(&r->arena);
    dns_stop(&r->dns);
}

static inline void late(struct loop *l, struct timer *t)
{
    (void)l;
    (void)t;
}

/* Turns the loop until *done, or for ms. */
static inline void turn(struct rig *r, const bool *done, unsigned ms)
{
    uint64_t end = loop_now_ns() + ms * UINT64_C(1000000);
    struct timer tick;
    timer_init(&tick, late);
    while (!(done && *done) && loop_now_ns() < end) {
        timer_set(r->loop, &tick, 10);
        ev_run(r->loop->ev, EVRUN_ONCE);
    }
    timer_cancel(&tick);
}

/* `like`: its policies; may be NULL. */
static inline struct upstream *make_like(struct rig *r, const char *id, uint64_t hash,
                                         struct gw_target *t, unsigned n,
                                         const struct gw_upstream *like)
{
    struct gw_upstream gu = like ? *like : (struct gw_upstream){0};
    gu.id = str_z(id);
    gu.targets = t;
    gu.target_count = n;
    gu.hash = hash;
    gu.pool_idle = 4;
    gu.pool_idle_ms = 1000;
    struct upstream *u = upstream_get(r->all, &gu, &defaults);
    assert_non_null(u);
    return u;
}

static inline struct upstream *make(struct rig *r, const char *id, uint64_t hash,
                                    struct gw_target *t, unsigned n)
{
    return make_like(r, id, hash, t, n, NULL);
}

static inline struct gw_target target(const char *text, const char *host, uint16_t port,
                                      uint32_t weight)
{
    return (struct gw_target){
        .text = str_z(text), .host = str_z(host), .port = port, .weight = weight};
}

struct got {
    bool done;
    unsigned calls;
    int status;
    struct cli_pool *pool;
    struct up_addr *addr; /* of a call that pick() did not end */
    char target[64];
};

static inline void on_pick(void *arg, const struct upstream_picked *p)
{
    struct got *g = arg;
    g->done = true;
    g->calls++;
    g->status = p->status;
    g->pool = p->pool;
    g->addr = p->addr;
    snprintf(g->target, sizeof g->target, "%.*s", STR_ARG(p->target));
    if (p->status) {
        assert_non_null(p->reason);
        assert_null(p->pool);
        assert_null(p->addr);
    } else {
        assert_non_null(p->pool);
        assert_non_null(p->addr);
    }
}

/* A call begun at once; it lasts. */
static inline struct got call_like(struct rig *r, struct upstream *u,
                                   const struct upstream_want *want)
{
    struct got g = {0};
    assert_null(upstream_pick(u, r->loop, &r->arena, want, on_pick, &g));
    assert_int_equal(g.calls, 1);
    return g;
}

/* A pick that is answered at once; its call is over. */
static inline struct got pick_now(struct rig *r, struct upstream *u)
{
    struct got g = call_like(r, u, NULL);
    if (g.addr)
        upstream_ended(g.addr);
    return g;
}

/* A pick, waited for. */
static inline struct got pick(struct rig *r, struct upstream *u)
{
    struct got g = {0};
    upstream_pick(u, r->loop, &r->arena, NULL, on_pick, &g);
    turn(r, &g.done, 2000);
    assert_int_equal(g.calls, 1);
    if (g.addr)
        upstream_ended(g.addr);
    return g;
}

/* So many calls fail at whatever address has the name. */
static inline void calls_fail(struct rig *r, struct upstream *u, const char *target, unsigned n)
{
    for (unsigned i = 0; n && i < 1000; i++) {
        struct got g = call_like(r, u, NULL);
        assert_int_equal(g.status, 0);
        bool bad = strcmp(g.target, target) == 0;
        if (bad) {
            upstream_verdict(g.addr, false, "connection refused");
            n--;
        }
        upstream_ended(g.addr);
    }
    assert_int_equal(n, 0);
}

#endif
