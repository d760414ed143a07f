/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's view of an upstream: its addresses, kept fresh, its pools, and whose turn it is. */
#include "pipeline/upstream_int.h"

/* Addresses */

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

static void addr_set(struct up_addr *a, const struct addr_ip *ip, uint16_t port)
{
    char text[ADDR_TEXT];
    a->ip = *ip;
    a->ip.port = port;
    int n = (int)addr_ip_text(&a->ip, text);
    a->failures = 0;
    a->avoid_ms = 0;
    n = snprintf(a->text, sizeof a->text, ip->family == AF_INET6 ? "[%.*s]:%u" : "%.*s:%u", n, text,
                 port);
    a->text_n = n > 0 ? (size_t)n : 0;
}

/* A place for a new address behind the live ones. Past the bound, the one that has been gone for
 * longest is made over. NULL: out of memory. */
static struct up_addr *addr_room(struct up_seat *s)
{
    if (s->count >= UP_ADDRS_KEPT) {
        struct up_addr *oldest = s->addrs[s->live];
        for (unsigned i = s->live; i < s->count; i++)
            if (s->addrs[i]->seen_ms < oldest->seen_ms)
                oldest = s->addrs[i];
        return oldest;
    }
    struct up_addr **v = realloc(s->addrs, (s->count + 1) * sizeof *v);
    if (!v)
        return NULL;
    s->addrs = v;
    struct up_addr *a = calloc(1, sizeof *a);
    if (a)
        s->addrs[s->count++] = a;
    return a;
}

static struct up_addr *addr_known(const struct up_seat *s, const struct addr_ip *ip)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->addrs[i]->ip.family == ip->family &&
            memcmp(s->addrs[i]->ip.ip, ip->ip, sizeof ip->ip) == 0)
            return s->addrs[i];
    return NULL;
}

/* Live ones first, IPv4 before IPv6 among them. */
static void addrs_order(struct up_seat *s)
{
    unsigned at = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = at; i < s->count; i++) {
            struct up_addr *a = s->addrs[i];
            if (!a->live || (pass == 0 && a->ip.family != AF_INET))
                continue;
            s->addrs[i] = s->addrs[at];
            s->addrs[at++] = a;
        }
    }
    s->live = at;
}

/* The answer's addresses become the live ones; those that are gone retire their pools. */
static void addrs_update(struct up_seat *s, const struct resolve_result *r)
{
    uint64_t now = loop_now_ms(s->local->loop);
    for (unsigned i = 0; i < s->count; i++)
        s->addrs[i]->live = false;
    for (unsigned i = 0, taken = 0; i < r->count && taken < UP_ADDRS_MAX; i++) {
        struct up_addr *a = addr_known(s, &r->ips[i]);
        if (!a && (a = addr_room(s)))
            addr_set(a, &r->ips[i], s->t->port);
        if (!a || a->live)
            continue;
        a->live = true;
        a->seen_ms = now;
        taken++;
    }
    for (unsigned i = 0; i < s->count; i++)
        if (!s->addrs[i]->live)
            pool_drop(s, s->addrs[i]);
    addrs_order(s);
}

/* Questions */

static void wake(struct up_local *);

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
        wake(s->local);
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

/* Asks when it is time. Must a pick wait for the answer? */
static bool refresh(struct up_seat *s, uint64_t now)
{
    if (s->t->is_ip)
        return false;
    if (!s->op && (!s->asked || now - s->asked_ms >= UP_REFRESH_MS))
        ask(s);
    if (!s->op)
        return false;
    return s->live == 0 || now - s->good_ms > UP_STALE_MS;
}

/* Locals */

static void seat_init(struct up_local *l, struct up_seat *s, const struct up_target *t)
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

static struct up_local *local_new(struct upstream *u, struct upstreams_thread *th)
{
    struct up_local *l = calloc(1, sizeof *l + u->target_count * sizeof l->seats[0]);
    if (!l)
        return NULL;
    l->u = u;
    l->loop = th->loop;
    l->thread = th;
    l->seat_count = u->target_count;
    list_init(&l->waiters);
    for (unsigned i = 0; i < u->target_count; i++)
        seat_init(l, &l->seats[i], &u->targets[i]);
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
        for (unsigned k = 0; k < s->count; k++) {
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
    for (unsigned i = 0; i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        if (s->op)
            resolve_cancel(s->op);
        s->op = NULL;
        for (unsigned k = 0; k < s->count; k++)
            pool_drop(s, s->addrs[k]);
    }
    while (!list_empty(&l->waiters)) {
        const struct upstream_picked end = {.status = E_ABORT, .reason = "the thread is ending"};
        tell(LIST_ITEM(l->waiters.next, struct upstream_pick, link), &end);
    }
}

/* Turns */

/* Smooth weighted round robin over the targets that have an address: no target gets its turns in a
 * row. */
static struct up_seat *next_seat(struct up_local *l)
{
    struct up_seat *best = NULL;
    int64_t total = 0;
    if (l->seat_count == 1)
        return l->seats[0].live ? &l->seats[0] : NULL;
    for (unsigned i = 0; i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        if (!s->live)
            continue;
        s->current += s->t->weight;
        total += s->t->weight;
        if (!best || s->current > best->current)
            best = s;
    }
    if (best)
        best->current -= total;
    return best;
}

/* The next of `family` (0: any) that is not to be avoided; NULL: none. */
static struct up_addr *next_addr_of(struct up_seat *s, int family, uint64_t now)
{
    for (unsigned i = 0; i < s->live; i++) {
        struct up_addr *a = s->addrs[(s->turn + i) % s->live];
        if ((family && a->ip.family != family) || a->avoid_ms > now)
            continue;
        s->turn = (s->turn + i + 1) % s->live;
        return a;
    }
    return NULL;
}

static struct up_addr *next_addr(struct up_seat *s, uint64_t now)
{
    if (s->live == 1)
        return s->addrs[0];
    struct up_addr *a = next_addr_of(s, AF_INET, now);
    if (!a)
        a = next_addr_of(s, 0, now);
    return a ? a : next_addr_of(s, 0, UINT64_MAX);
}

static void picked(struct up_local *l, struct upstream_picked *out)
{
    *out = (struct upstream_picked){.status = E_NONE, .reason = "no address"};
    struct up_seat *s = next_seat(l);
    if (!s) {
        for (unsigned i = 0; i < l->seat_count; i++) {
            if (!l->seats[i].status)
                continue;
            out->status = l->seats[i].status;
            out->reason = l->seats[i].reason ? l->seats[i].reason : "no address";
        }
        return;
    }
    struct up_addr *a = next_addr(s, loop_now_ms(l->loop));
    if (UNLIKELY(!a->pool)) {
        struct addr to;
        addr_from_ip(&to, &a->ip);
        a->pool = cli_pool_new(l->loop, &to, &l->u->conf);
        if (!a->pool) {
            *out = (struct upstream_picked){.status = E_NOMEM, .reason = "out of memory"};
            return;
        }
        if (l->u->tls)
            cli_pool_tls(a->pool, l->u->tls, s->t->host);
    }
    *out = (struct upstream_picked){.pool = a->pool, .target = str_n(a->text, a->text_n)};
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
static void wake(struct up_local *l)
{
    struct list due;
    if (list_empty(&l->waiters) || (!has_addr(l) && asking(l)))
        return;
    /* Their own list: what their callbacks begin anew waits for the next answer. */
    due = l->waiters;
    due.next->prev = due.prev->next = &due;
    list_init(&l->waiters);
    while (!list_empty(&due)) {
        struct upstream_picked out;
        picked(l, &out);
        tell(LIST_ITEM(due.next, struct upstream_pick, link), &out);
    }
}

/* Must the pick wait? */
static bool freshen(struct up_local *l)
{
    uint64_t now = loop_now_ms(l->loop);
    bool wait = false, ready = false;
    for (unsigned i = 0; i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        bool seat_waits = refresh(s, now);
        wait = wait || seat_waits;
        ready = ready || (s->live && !seat_waits);
    }
    return wait && !ready;
}

struct upstream_pick *upstream_pick(struct upstream *u, struct loop *loop, struct arena *arena,
                                    upstream_pick_fn fn, void *arg)
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
    if (UNLIKELY(freshen(l))) {
        struct upstream_pick *p = arena_alloc(arena, sizeof *p);
        if (p) {
            p->fn = fn;
            p->arg = arg;
            list_push(&l->waiters, &p->link);
            return p;
        }
    } else {
        picked(l, &out);
    }
    fn(arg, &out);
    return NULL;
}

void upstream_pick_cancel(struct upstream_pick *p)
{
    if (p)
        list_del(&p->link);
}

void upstream_warm(struct upstream *u, struct loop *loop)
{
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    struct up_local *l = up_local_get(u, loop);
    if (l)
        freshen(l);
}

static struct up_addr *addr_shown(struct up_seat *s, str target)
{
    /* Picks gave out the very text: almost always the first comparison tells. */
    for (unsigned i = 0; i < s->count; i++) {
        struct up_addr *a = s->addrs[i];
        if (a->text == target.p ||
            (a->text_n == target.n && memcmp(a->text, target.p, target.n) == 0))
            return a;
    }
    return NULL;
}

static void judge(struct up_addr *a, bool ok, uint64_t now)
{
    if (ok) {
        a->failures = 0;
        a->avoid_ms = 0;
        return;
    }
    uint64_t wait = (uint64_t)1000 << (a->failures < 5 ? a->failures : 5);
    a->avoid_ms = now + (wait < UP_FAIL_MAX_MS ? wait : UP_FAIL_MAX_MS);
    if (a->failures < UINT8_MAX)
        a->failures++;
}

void upstream_report(struct upstream *u, struct loop *loop, str target, bool ok)
{
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    struct up_local *l = up_local_get(u, loop);
    for (unsigned i = 0; l && i < l->seat_count; i++) {
        struct up_seat *s = &l->seats[i];
        struct up_addr *a = addr_shown(s, target);
        if (!a)
            continue;
        _Atomic uint64_t *n = ok ? &s->pub_ok : &s->pub_failed;
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        judge(a, ok, loop_now_ms(loop));
        return;
    }
}
