/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of live upstreams: found again after a reload by id and content, retired behind
 * their last use. */
#include "pipeline/upstream_int.h"

struct upstreams *upstreams_new(unsigned threads)
{
    struct upstreams *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    if (pthread_mutex_init(&all->lock, NULL)) {
        free(all);
        return NULL;
    }
    map_init(&all->by_id, true);
    all->threads = threads;
    return all;
}

static void upstream_destroy(struct upstream *u)
{
    u->magic = 0;
    tls_cli_free(u->tls);
    arena_fini(&u->arena);
    free(u);
}

void upstreams_free(struct upstreams *all)
{
    if (!all)
        return;
    if (all->by_id.count)
        BUG("upstreams are freed while something still refers to one");
    map_fini(&all->by_id);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static void make_conf(struct cli_conf *c, const struct gw_upstream *gu, const struct gw_timeouts *d)
{
    int64_t write = gu->t_write ? gu->t_write : d->write;
    int64_t first = gu->t_first_byte ? gu->t_first_byte : d->integration;
    *c = (struct cli_conf){
        .t_connect_ms = (uint32_t)(gu->t_connect ? gu->t_connect : 5000),
        .t_first_byte_ms = (uint32_t)first,
        .t_total_ms = (uint32_t)gu->t_total,
        .t_idle_ms = (uint32_t)(gu->t_idle ? gu->t_idle : first),
        .t_write_ms = (uint32_t)write,
        .max_header = 64u << 10,
        .pool_max = (uint32_t)gu->pool_max,
        .pool_idle_max = (uint32_t)gu->pool_idle,
        .pool_idle_ms = (uint32_t)gu->pool_idle_ms,
        .high_water = 256u << 10,
        .low_water = 64u << 10,
    };
    /* Implicit upstreams have no table of options behind them. */
    if (!gu->pool_idle_ms) {
        c->pool_idle_ms = 60000;
        c->pool_idle_max = gu->pool_idle ? (uint32_t)gu->pool_idle : 64;
    }
}

/* What an upstream has that no table of options stands behind. */
static const struct gw_ejection default_ejection = {
    .failures = 3, .percent = 50, .time = 1000, .max_time = 60000};

static const struct gw_retries default_retries = {
    .attempts = 3, .on = RETRY_CONNECT, .percent = 20, .per_second = 3};

static bool copy_str(struct arena *a, str *to, str from)
{
    *to = arena_str(a, from);
    return to->p != NULL;
}

/* A target that stands there twice is one with the weight of both. */
static struct up_target *target_place(struct upstream *u, str text)
{
    for (unsigned i = 0; i < u->target_count; i++)
        if (str_eq(u->targets[i].text, text))
            return &u->targets[i];
    return &u->targets[u->target_count++];
}

/* A check has its own times, and its connection serves for nothing else. */
static bool fill_health(struct upstream *u, const struct gw_health *h)
{
    u->health = *h;
    u->check_conf = u->conf;
    u->check_conf.t_connect_ms = u->check_conf.t_first_byte_ms = (uint32_t)h->timeout;
    u->check_conf.t_total_ms = u->check_conf.t_idle_ms = (uint32_t)h->timeout;
    u->check_conf.pool_max = u->check_conf.pool_idle_max = 0;
    return copy_str(&u->arena, &u->health.path, h->path) &&
           copy_str(&u->arena, &u->health.host, h->host);
}

static bool fill(struct upstream *u, const struct gw_upstream *gu)
{
    bool ok =
        copy_str(&u->arena, &u->id, gu->id) && copy_str(&u->arena, &u->authority, gu->authority);
    u->targets = arena_zalloc(&u->arena, (gu->target_count + 1) * sizeof *u->targets);
    if (!ok || !u->targets || !fill_health(u, &gu->health) ||
        !copy_str(&u->arena, &u->balance.name, gu->balance.name))
        return false;
    for (unsigned i = 0; i < gu->target_count; i++) {
        const struct gw_target *from = &gu->targets[i];
        struct up_target *t = target_place(u, from->text);
        t->weight += from->weight ? from->weight : 1;
        if (t->text.p)
            continue;
        if (!copy_str(&u->arena, &t->text, from->text) ||
            !copy_str(&u->arena, &t->host, from->host))
            return false;
        t->port = from->port;
        t->is_ip = addr_ip_parse(&t->ip, from->host) == 0;
        t->ip.port = from->port;
        u->names = u->names || !t->is_ip;
    }
    return true;
}

static struct upstream *upstream_new(struct upstreams *all, const struct gw_upstream *gu,
                                     const struct cli_conf *conf)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->magic = UPSTREAM_MAGIC;
    arena_init(&u->arena, NULL);
    atomic_init(&u->refs, 1);
    atomic_init(&u->holders, 1);
    u->all = all;
    u->hash = gu->hash;
    u->conf = *conf;
    list_init(&u->peers);
    u->queue_max = (uint32_t)gu->pool_queue;
    u->queue_ms = (uint32_t)gu->pool_queue_ms;
    u->balance = gu->balance;
    u->counts =
        gu->balance.kind == BALANCE_LEAST_CONNECTIONS || gu->balance.kind == BALANCE_RANDOM_TWO;
    u->ejection = gu->ejection.time ? gu->ejection : default_ejection;
    u->retries = gu->retries.attempts ? gu->retries : default_retries;
    if (fill(u, gu) && (!gu->tls || (u->tls = tls_cli_new(gu->tls, &all->tls, NULL))))
        return u;
    upstream_destroy(u);
    return NULL;
}

/* A reference more, unless the last has gone already. */
static bool revive(struct upstream *u)
{
    uint32_t n = atomic_load_explicit(&u->refs, memory_order_relaxed);
    while (n)
        if (atomic_compare_exchange_weak_explicit(&u->refs, &n, n + 1, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* Under the lock. */
static struct upstream *find_same(const struct upstreams *all, const struct gw_upstream *gu,
                                  const struct cli_conf *conf)
{
    struct upstream *u = map_get(&all->by_id, gu->id);
    for (; u; u = u->older)
        if (u->hash == gu->hash && memcmp(&u->conf, conf, sizeof *conf) == 0 && revive(u))
            return u;
    return NULL;
}

/* Under the lock: an id's upstreams are a chain, newest first. */
static void chain_remove(struct upstreams *all, struct upstream *u)
{
    struct upstream *first = map_get(&all->by_id, u->id);
    if (first == u) {
        if (!u->older)
            map_del(&all->by_id, u->id);
        else if (map_put(&all->by_id, u->id, u->older, NULL)) /* replacing takes no memory */
            BUG("no room for an upstream where one was");
        return;
    }
    while (first && first->older != u)
        first = first->older;
    if (first)
        first->older = u->older;
}

struct upstream *upstream_get(struct upstreams *all, const struct gw_upstream *gu,
                              const struct gw_timeouts *defaults)
{
    struct cli_conf conf;
    memset(&conf, 0, sizeof conf); /* it is compared byte by byte */
    make_conf(&conf, gu, defaults);
    pthread_mutex_lock(&all->lock);
    struct upstream *u = find_same(all, gu, &conf);
    if (!u && (u = upstream_new(all, gu, &conf))) {
        u->older = map_get(&all->by_id, u->id);
        if (map_put(&all->by_id, u->id, u, NULL)) {
            upstream_destroy(u);
            u = NULL;
        }
    }
    pthread_mutex_unlock(&all->lock);
    return u;
}

const struct tls_stats *upstreams_tls(const struct upstreams *all)
{
    return &all->tls;
}

struct upstream *upstream_find(struct upstreams *all, str id)
{
    pthread_mutex_lock(&all->lock);
    struct upstream *u = map_get(&all->by_id, id);
    while (u && !revive(u))
        u = u->older;
    pthread_mutex_unlock(&all->lock);
    return u;
}

struct upstream *upstream_ref(struct upstream *u)
{
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
    return u;
}

bool upstream_bad_status(const struct upstream *u, unsigned status)
{
    return (gw_status_bit(status) & u->ejection.statuses) != 0;
}

const struct gw_balance *upstream_hashes(const struct upstream *u)
{
    return u->balance.kind == BALANCE_HASH ? &u->balance : NULL;
}

static void let_go(struct upstream *u)
{
    if (atomic_fetch_sub_explicit(&u->holders, 1, memory_order_acq_rel) == 1)
        upstream_destroy(u);
}

/* The thread's part of a retirement. */
static void retire(struct loop *loop, struct mbox_msg *msg)
{
    struct up_local *l = CONTAINER_OF(msg, struct up_local, msg);
    struct upstream *u = l->u;
    up_local_down(l);
    pthread_mutex_lock(&u->all->lock);
    atomic_store_explicit(&u->local[loop->id], NULL, memory_order_relaxed);
    pthread_mutex_unlock(&u->all->lock);
    up_local_free(l);
    let_go(u);
}

void upstream_unref(struct upstream *u)
{
    if (!u)
        return;
    CHECK_OBJ(u, UPSTREAM_MAGIC);
    if (atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct upstreams *all = u->all;
    pthread_mutex_lock(&all->lock);
    chain_remove(all, u);
    for (unsigned i = 0; i < LOOP_MAX; i++) {
        struct up_local *l = atomic_load_explicit(&u->local[i], memory_order_relaxed);
        if (!l)
            continue;
        l->posted = true;
        l->msg.fn = retire;
        mbox_post(&l->loop->mbox, &l->msg);
    }
    pthread_mutex_unlock(&all->lock);
    let_go(u);
}

str upstream_id(const struct upstream *u)
{
    return u->id;
}

str upstream_authority(const struct upstream *u)
{
    return u->authority;
}

const struct cli_conf *upstream_conf(const struct upstream *u)
{
    return &u->conf;
}

/* Threads */

static void publish_fire(struct loop *loop, struct timer *t)
{
    struct upstreams_thread *th = CONTAINER_OF(t, struct upstreams_thread, publish);
    bool open = false;
    LIST_EACH(&th->locals, it)
    {
        struct up_local *l = LIST_ITEM(it, struct up_local, link);
        up_local_publish(l);
        open = up_local_freshen(l) || open;
        for (unsigned i = 0; i < l->seat_count && !open; i++)
            open = atomic_load_explicit(&l->seats[i].pub_busy, memory_order_relaxed) ||
                   atomic_load_explicit(&l->seats[i].pub_idle, memory_order_relaxed);
    }
    /* A thread without connections, and without a name that is yet to be found, is left to sleep;
     * its next pick sets the timer. */
    if (open)
        timer_set(loop, t, UP_PUBLISH_MS);
}

int upstreams_thread_start(struct upstreams *all, struct loop *loop,
                           const struct resolver_conf *conf)
{
    if (loop->id >= LOOP_MAX)
        return E_ARG;
    struct upstreams_thread *th = &all->thread[loop->id];
    if (th->loop)
        return E_EXISTS;
    if (conf && !(th->resolver = resolver_new(loop, conf)))
        return E_NOMEM;
    th->all = all;
    list_init(&th->locals);
    timer_init(&th->publish, publish_fire);
    th->loop = loop;
    return 0;
}

void upstreams_thread_stop(struct upstreams *all, struct loop *loop)
{
    struct upstreams_thread *th = &all->thread[loop->id];
    if (!th->loop)
        return;
    while (!list_empty(&th->locals)) {
        struct up_local *l = LIST_ITEM(th->locals.next, struct up_local, link);
        struct upstream *u = l->u;
        up_local_down(l);
        pthread_mutex_lock(&all->lock);
        bool mine = !l->posted; /* else its message frees it when the mailbox is emptied */
        if (mine)
            atomic_store_explicit(&u->local[loop->id], NULL, memory_order_relaxed);
        pthread_mutex_unlock(&all->lock);
        if (mine) {
            up_local_free(l);
            let_go(u);
        }
    }
    timer_cancel(&th->publish);
    if (th->resolver)
        resolver_free(th->resolver);
    th->resolver = NULL;
    th->loop = NULL;
}
