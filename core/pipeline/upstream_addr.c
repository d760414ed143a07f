/* SPDX-License-Identifier: Apache-2.0 */
/* A target's addresses on one thread: asked for, kept fresh by the resolver's TTL, their pools
 * retired when an answer no longer has them. */
#include "pipeline/upstream_int.h"

static void publish_addrs(struct up_seat *s)
{
    atomic_store_explicit(&s->pub_addrs, s->live, memory_order_relaxed);
    atomic_store_explicit(&s->pub_status, s->asked ? s->status : 1, memory_order_relaxed);
}

static void pool_drop(struct up_seat *s, struct up_addr *a)
{
    if (!a->pool)
        return;
    struct cli_pool_stats st = cli_pool_stats(a->pool);
    s->connects += st.connects;
    s->connect_failed += st.connect_failed;
    s->reused += st.reused;
    cli_pool_retire(a->pool);
    a->pool = NULL;
}

static void addr_leave(struct up_seat *s, struct up_addr *a)
{
    up_check_stop(a);
    pool_drop(s, a);
}

/* A place behind the live ones. Past the bound, the one that has been gone for longest is made
 * over, unless a call still shows it. NULL: none, or out of memory. */
static struct up_addr *addr_room(struct up_seat *s)
{
    if (s->count >= UP_ADDRS_KEPT) {
        struct up_addr *oldest = NULL;
        for (unsigned i = 0; i < s->count; i++) {
            struct up_addr *a = s->addrs[i];
            if (!a->live && !a->calls && (!oldest || a->seen_ms < oldest->seen_ms))
                oldest = a;
        }
        return oldest;
    }
    struct up_addr **v = realloc(s->addrs, (s->count + 1) * sizeof *v);
    if (!v)
        return NULL;
    s->addrs = v;
    struct up_addr *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->seat = s;
    return s->addrs[s->count++] = a;
}

static struct up_addr *addr_new(struct up_seat *s, const struct addr_ip *ip)
{
    struct addr_ip full = *ip;
    full.port = s->t->port;
    struct up_peer *p = up_peer_get(s->t, s->local->u, &full);
    struct up_addr *a = p ? addr_room(s) : NULL;
    if (!a) {
        if (p)
            up_peer_put(p);
        return NULL;
    }
    if (a->peer)
        up_peer_put(a->peer);
    a->peer = p;
    a->was_live = false;
    return a;
}

static struct up_addr *addr_known(const struct up_seat *s, const struct addr_ip *ip)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct addr_ip *known = &s->addrs[i]->peer->ip;
        if (known->family == ip->family && memcmp(known->ip, ip->ip, sizeof ip->ip) == 0)
            return s->addrs[i];
    }
    return NULL;
}

static void live_first(struct up_seat *s)
{
    unsigned at = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct up_addr *a = s->addrs[i];
        if (!a->live)
            continue;
        s->addrs[i] = s->addrs[at];
        s->addrs[at++] = a;
    }
    s->live = at;
}

/* The answer's addresses become the live ones; those that are gone retire their pools. */
static void addrs_update(struct up_seat *s, const struct resolve_result *r)
{
    uint64_t now = loop_now_ms(s->local->loop);
    unsigned before = s->live, taken = 0, fresh = 0;
    for (unsigned i = 0; i < s->count; i++) {
        s->addrs[i]->was_live = s->addrs[i]->live;
        s->addrs[i]->live = false;
    }
    for (unsigned i = 0; i < r->count && taken < UP_ADDRS_MAX; i++) {
        struct up_addr *a = addr_known(s, &r->ips[i]);
        if (!a)
            a = addr_new(s, &r->ips[i]);
        if (!a || a->live)
            continue;
        fresh += !a->was_live;
        a->live = true;
        a->seen_ms = now;
        taken++;
    }
    for (unsigned i = 0; i < s->count; i++) {
        struct up_addr *a = s->addrs[i];
        if (a->live)
            up_check_start(a);
        else
            addr_leave(s, a);
        if (a->live && !a->was_live)
            atomic_fetch_add_explicit(&a->peer->live, 1, memory_order_relaxed);
        else if (!a->live && a->was_live)
            atomic_fetch_sub_explicit(&a->peer->live, 1, memory_order_relaxed);
    }
    live_first(s);
    /* The same ones in another order are no change. */
    if (fresh || taken != before)
        s->local->stale = true;
}

static void answered(void *arg, const struct resolve_result *r)
{
    struct up_seat *s = arg;
    uint64_t now = loop_now_ms(s->local->loop);
    s->op = NULL;
    s->asked = true;
    s->asked_ms = now;
    s->status = r->status;
    s->reason = r->error;
    if (r->status == 0) {
        s->good_ms = now;
        addrs_update(s, r);
        if (s->live == 0)
            s->status = E_NONE;
    } else if (r->status == E_NONE) {
        /* The name is gone, says who must know. When nobody answers, the old addresses stay. */
        struct resolve_result none = {0};
        addrs_update(s, &none);
    }
    publish_addrs(s);
    if (r->status != E_ABORT)
        up_local_wake(s->local);
}

static void ask(struct up_seat *s)
{
    struct resolver *res = s->local->thread->resolver;
    if (s->op)
        return;
    if (!res) {
        const struct resolve_result none = {.status = E_NONE,
                                            .error = "this thread has no resolver"};
        answered(s, &none);
        return;
    }
    /* answered() may have run within the call; then there is no operation. */
    struct resolve_op *op = resolve(res, s->t->host, answered, s);
    if (op)
        s->op = op;
}

bool up_seat_refresh(struct up_seat *s, uint64_t now)
{
    if (s->t->is_ip)
        return false;
    if (!s->op && (!s->asked || now - s->asked_ms >= UP_REFRESH_MS))
        ask(s);
    if (!s->op)
        return false;
    return s->live == 0 || now - s->good_ms > UP_STALE_MS;
}

void up_seat_init(struct up_local *l, struct up_seat *s, struct up_target *t)
{
    s->t = t;
    s->local = l;
    if (t->is_ip) {
        struct resolve_result r = {.ips = &t->ip, .count = 1};
        s->asked = true;
        addrs_update(s, &r);
        if (s->live == 0)
            s->status = E_NOMEM;
    }
    publish_addrs(s);
}

void up_seat_down(struct up_seat *s)
{
    if (s->op)
        resolve_cancel(s->op);
    s->op = NULL;
    for (unsigned k = 0; k < s->count; k++) {
        addr_leave(s, s->addrs[k]);
        if (s->addrs[k]->live)
            atomic_fetch_sub_explicit(&s->addrs[k]->peer->live, 1, memory_order_relaxed);
        s->addrs[k]->live = false;
    }
    s->live = 0;
    s->local->stale = true;
}

void up_seat_free(struct up_seat *s)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (s->addrs[k]->peer)
            up_peer_put(s->addrs[k]->peer);
        free(s->addrs[k]);
    }
    free(s->addrs);
}
