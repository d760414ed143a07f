/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's view of an upstream: picks and those that wait for an address, pools, what calls
 * tell. */
#include "pipeline/upstream_int.h"

/* Locals */

static struct up_local *local_new(struct upstream *u, struct upstreams_thread *th)
{
    struct up_local *l = calloc(1, sizeof *l + u->target_count * sizeof l->seats[0]);
    if (!l)
        return NULL;
    l->u = u;
    l->loop = th->loop;
    l->thread = th;
    l->stale = true;
    l->seat_count = u->target_count;
    list_init(&l->waiters);
    up_line_init(l);
    for (unsigned i = 0; i < u->target_count; i++)
        up_seat_init(l, &l->seats[i], &u->targets[i]);
    list_push(&th->locals, &l->link);
    atomic_fetch_add_explicit(&u->holders, 1, memory_order_relaxed);
    pthread_mutex_lock(&u->all->lock);
    atomic_store_explicit(&u->local[th->loop->id], l, memory_order_relaxed);
    pthread_mutex_unlock(&u->all->lock);
    return l;
}

struct up_local *up_local_get(struct upstream *u, struct loop *loop)
{
    struct up_local *l = atomic_load_explicit(&u->local[loop->id], memory_order_relaxed);
    if (LIKELY(l != NULL))
        return l;
    struct upstreams_thread *th = &u->all->thread[loop->id];
    return th->loop == loop ? local_new(u, th) : NULL;
}

void up_local_publish(struct up_local *l)
{
    for (unsigned i = 0; i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        struct cli_pool_stats sum = {
            .connects = s->connects, .connect_failed = s->connect_failed, .reused = s->reused};
        for (unsigned k = 0; k < s->live; k++) {
            if (!s->addrs[k]->pool)
                continue;
            struct cli_pool_stats st = cli_pool_stats(s->addrs[k]->pool);
            sum.busy += st.busy;
            sum.idle += st.idle;
            sum.connects += st.connects;
            sum.connect_failed += st.connect_failed;
            sum.reused += st.reused;
        }
        atomic_store_explicit(&s->pub_connects, sum.connects, memory_order_relaxed);
        atomic_store_explicit(&s->pub_connect_failed, sum.connect_failed, memory_order_relaxed);
        atomic_store_explicit(&s->pub_reused, sum.reused, memory_order_relaxed);
        atomic_store_explicit(&s->pub_busy, sum.busy, memory_order_relaxed);
        atomic_store_explicit(&s->pub_idle, sum.idle, memory_order_relaxed);
    }
}

static void tell(struct upstream_pick *p, const struct upstream_picked *what)
{
    list_del(&p->link);
    p->fn(p->arg, what);
}

void up_local_down(struct up_local *l)
{
    if (l->down)
        return;
    l->down = true;
    list_del(&l->link);
    for (unsigned i = 0; i < l->seat_count; i++)
        up_seat_down(&l->seats[i]);
    up_line_down(l);
    while (!list_empty(&l->waiters)) {
        const struct upstream_picked end = {.status = E_ABORT, .reason = "the thread is ending"};
        tell(LIST_ITEM(l->waiters.next, struct upstream_pick, link), &end);
    }
}

void up_local_free(struct up_local *l)
{
    for (unsigned i = 0; i < l->seat_count; i++)
        up_seat_free(&l->seats[i]);
    up_balance_fini(&l->balance);
    free(l);
}

/* Picks */

/* Every pool of an upstream's connections is made here. */
struct cli_pool *up_pool_new(struct up_addr *a, const struct addr *to, const struct cli_conf *conf)
{
    const struct upstream *u = a->seat->local->u;
    struct cli_pool *p = cli_pool_new(a->seat->local->loop, to, conf);

    if (p && u->tls)
        cli_pool_tls(p, u->tls, a->peer->t->host);
    return p;
}

static struct cli_pool *pool_of(struct up_local *l, struct up_addr *a)
{
    struct addr to;
    if (LIKELY(a->pool != NULL))
        return a->pool;
    addr_from_ip(&to, &a->peer->ip);
    a->pool = up_pool_new(a, &to, &l->u->conf);
    return a->pool;
}

/* Why there is nobody. */
static void nobody(const struct up_local *l, const struct upstream_want *w,
                   struct upstream_picked *out)
{
    *out = (struct upstream_picked){.status = E_NONE, .reason = "no address"};
    if (l->line_n || up_balance_full(l)) {
        *out = (struct upstream_picked){.status = E_LIMIT,
                                        .reason = "the upstream's connection pool is full"};
        atomic_fetch_add_explicit(&l->u->full, 1, memory_order_relaxed);
        return;
    }
    if (l->balance.count) {
        out->reason = w && w->tried_n ? "no other target" : "no healthy target";
        return;
    }
    for (unsigned i = 0; i < l->seat_count; i++) {
        if (!l->seats[i].status)
            continue;
        out->status = l->seats[i].status;
        out->reason = l->seats[i].reason ? l->seats[i].reason : "no address";
    }
}

static void picked(struct up_local *l, const struct upstream_want *w, struct upstream_picked *out)
{
    *out = (struct upstream_picked){.status = E_NOMEM, .reason = "out of memory"};
    if (UNLIKELY(l->stale) && up_balance_build(l) != 0)
        return;
    /* Nobody overtakes those who wait for room. */
    bool behind = UNLIKELY(l->line_n) && !l->letting;
    struct up_addr *a = behind ? NULL : up_balance_choose(l, w, loop_now_ms(l->loop));
    if (!a) {
        nobody(l, w, out);
        return;
    }
    struct cli_pool *pool = pool_of(l, a);
    if (!pool)
        return;
    if (!w || w->tried_n == 0)
        up_retry_earn(&l->saved, l->u->retries.percent);
    a->calls++;
    if (l->u->counts)
        atomic_fetch_add_explicit(&a->peer->calls, 1, memory_order_relaxed);
    *out = (struct upstream_picked){.pool = pool,
                                    .addr = a,
                                    .target = str_n(a->peer->text, a->peer->text_n),
                                    .alone = l->balance.count == 1};
}

static bool has_addr(const struct up_local *l)
{
    for (unsigned i = 0; i < l->seat_count; i++)
        if (l->seats[i].live)
            return true;
    return false;
}

static bool asking(const struct up_local *l)
{
    for (unsigned i = 0; i < l->seat_count; i++)
        if (l->seats[i].op)
            return true;
    return false;
}

/* Somebody answered: those who wait go on when there is an address, or when nobody is left to
 * answer. */
void up_local_wake(struct up_local *l)
{
    struct list due;
    if (list_empty(&l->waiters) || (!has_addr(l) && asking(l)))
        return;
    /* Their own list: what their callbacks begin anew waits for the next answer. */
    due = l->waiters;
    due.next->prev = due.prev->next = &due;
    list_init(&l->waiters);
    while (!list_empty(&due)) {
        struct upstream_pick *p = LIST_ITEM(due.next, struct upstream_pick, link);
        struct upstream_picked out;
        picked(l, p->want, &out);
        tell(p, &out);
    }
}

/* Must the pick wait? */
static bool freshen(struct up_local *l)
{
    uint64_t now = loop_now_ms(l->loop);
    bool wait = false, ready = false;
    for (unsigned i = 0; i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        bool seat_waits = up_seat_refresh(s, now);
        wait = wait || seat_waits;
        ready = ready || (s->live && !seat_waits);
    }
    return wait && !ready;
}

struct upstream_pick *upstream_pick(struct upstream *u, struct loop *loop, struct arena *arena,
                                    const struct upstream_want *want, upstream_pick_fn fn,
                                    void *arg)
{
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    struct upstream_picked out = {.status = E_NOMEM, .reason = "out of memory"};
    struct up_local *l = up_local_get(u, loop);
    if (UNLIKELY(!l)) {
        fn(arg, &out);
        return NULL;
    }
    if (!timer_is_set(&l->thread->publish))
        timer_set(loop, &l->thread->publish, UP_PUBLISH_MS);
    if (u->names && UNLIKELY(freshen(l))) {
        struct upstream_pick *p = arena_alloc(arena, sizeof *p);
        if (p) {
            *p = (struct upstream_pick){.want = want, .fn = fn, .arg = arg};
            list_push(&l->waiters, &p->link);
            return p;
        }
    } else {
        picked(l, want, &out);
    }
    fn(arg, &out);
    return NULL;
}

void upstream_pick_cancel(struct upstream_pick *p)
{
    if (p)
        list_del(&p->link);
}

bool up_local_freshen(struct up_local *l)
{
    bool lost = false;
    if (!l->u->names)
        return false;
    freshen(l);
    for (unsigned i = 0; i < l->seat_count; i++)
        lost = lost || l->seats[i].live == 0;
    return lost;
}

void upstream_warm(struct upstream *u, struct loop *loop)
{
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    struct up_local *l = up_local_get(u, loop);
    if (l && up_local_freshen(l) && !timer_is_set(&l->thread->publish))
        timer_set(loop, &l->thread->publish, UP_PUBLISH_MS);
}

/* Calls */

void upstream_tried(struct upstream_want *w, const struct up_addr *a)
{
    for (unsigned i = 0; i < w->tried_n; i++)
        if (w->tried[i] == a)
            return;
    if (w->tried_n < UPSTREAM_TRIED_MAX)
        w->tried[w->tried_n++] = a;
}

static void one_more(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void upstream_verdict(struct up_addr *a, bool ok, const char *why)
{
    struct up_seat *s = a->seat;
    struct up_local *l = s->local;
    uint64_t now = loop_now_ms(l->loop);
    one_more(ok ? &s->pub_ok : &s->pub_failed);
    if (LIKELY(ok)) {
        up_peer_good(a->peer, now);
        return;
    }
    struct up_share share = up_balance_share(l, now);
    up_peer_bad(a->peer, &share, now, why);
}

void upstream_ended(struct up_addr *a)
{
    struct up_local *l = a->seat->local;
    a->calls--;
    if (UNLIKELY(l->line_n))
        up_line_freed(l);
    if (l->u->counts)
        atomic_fetch_sub_explicit(&a->peer->calls, 1, memory_order_relaxed);
}
