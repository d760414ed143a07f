/* SPDX-License-Identifier: Apache-2.0 */
/* What upstreams tell of themselves: status JSON, metrics, readiness. Main thread; counters are
 * read relaxed. */
#include "pipeline/metric.h"
#include "pipeline/upstream_int.h"

struct sums { /* of one target over the threads */
    uint64_t ok, failed, connects, connect_failed, reused, ejections;
    uint32_t busy, idle, addrs; /* addrs: of the thread that knows most */
    unsigned asked, threads;
    int status; /* of a thread without an address; 0: none such */
    uint64_t checks_ok, checks_failed;
    unsigned known, good, ejected,
        unhealthy; /* addresses that some thread has now; those that are used */
};

/* Under the lock. */
static void sum_peers(const struct upstream *u, const struct up_target *t, struct sums *out)
{
    uint64_t now = loop_now_ns() / 1000000;
    LIST_EACH(&u->peers, it)
    {
        const struct up_peer *p = LIST_ITEM(it, struct up_peer, link);
        if (p->t != t || atomic_load_explicit(&p->live, memory_order_relaxed) == 0)
            continue;
        bool ejected = up_peer_ejected(p, now), unhealthy = up_peer_unhealthy(p);
        out->known++;
        out->ejected += ejected;
        out->unhealthy += unhealthy;
        out->good += !ejected && !unhealthy;
    }
}

/* Not known to be out of order: one that nobody has looked at yet is trusted. */
static bool healthy(const struct up_target *t, const struct sums *s)
{
    return s->good || (s->known == 0 && t->is_ip);
}

/* Under the lock. */
static struct sums sum(const struct upstream *u, unsigned target)
{
    const struct up_target *of = &u->targets[target];
    struct sums t = {.ejections = atomic_load_explicit(&of->ejections, memory_order_relaxed),
                     .checks_ok = atomic_load_explicit(&of->checks_ok, memory_order_relaxed),
                     .checks_failed =
                         atomic_load_explicit(&of->checks_failed, memory_order_relaxed)};
    sum_peers(u, of, &t);
    for (unsigned i = 0; i < LOOP_MAX; i++) {
        struct up_local *l = atomic_load_explicit(&u->local[i], memory_order_relaxed);
        if (!l)
            continue;
        struct up_seat *s = &l->seats[target];
        t.threads++;
        t.ok += atomic_load_explicit(&s->pub_ok, memory_order_relaxed);
        t.failed += atomic_load_explicit(&s->pub_failed, memory_order_relaxed);
        t.connects += atomic_load_explicit(&s->pub_connects, memory_order_relaxed);
        t.connect_failed += atomic_load_explicit(&s->pub_connect_failed, memory_order_relaxed);
        t.reused += atomic_load_explicit(&s->pub_reused, memory_order_relaxed);
        t.busy += atomic_load_explicit(&s->pub_busy, memory_order_relaxed);
        t.idle += atomic_load_explicit(&s->pub_idle, memory_order_relaxed);
        uint32_t addrs = atomic_load_explicit(&s->pub_addrs, memory_order_relaxed);
        int status = atomic_load_explicit(&s->pub_status, memory_order_relaxed);
        t.asked += status != 1;
        t.addrs = addrs > t.addrs ? addrs : t.addrs;
        if (!addrs && status < 0)
            t.status = status;
    }
    return t;
}

static const char *trouble(int status)
{
    switch (status) {
    case E_NONE:
        return "no such name";
    case E_TIMEOUT:
        return "no name server answered in time";
    case E_NOMEM:
        return "out of memory";
    default:
        return "the name server failed";
    }
}

/* Counters of a whole upstream. */
enum up_counter { UC_RETRIED, UC_DENIED, UC_FULL, UC_QUEUED, UC_LATE };

static uint64_t counter_of(const struct upstream *u, enum up_counter c)
{
    const _Atomic uint64_t *const of[] = {[UC_RETRIED] = &u->retried,
                                          [UC_DENIED] = &u->retry_denied,
                                          [UC_FULL] = &u->full,
                                          [UC_QUEUED] = &u->queued,
                                          [UC_LATE] = &u->queue_late};
    return atomic_load_explicit(of[c], memory_order_relaxed);
}

static void target_json(const struct upstream *u, unsigned i, struct text *t)
{
    struct sums s = sum(u, i);
    json_open(t, '{');
    json_kv(t, "target", u->targets[i].text);
    json_kvi(t, "weight", u->targets[i].weight);
    json_kvi(t, "addresses", u->targets[i].is_ip ? 1 : s.addrs);
    json_key(t, "healthy");
    json_bool(t, healthy(&u->targets[i], &s));
    json_kvi(t, "ejected", s.ejected);
    json_kvi(t, "unhealthy", s.unhealthy);
    if (!s.addrs && s.status)
        json_kv(t, "problem", str_z(trouble(s.status)));
    json_kvi(t, "calls", (int64_t)(s.ok + s.failed));
    json_kvi(t, "failed", (int64_t)s.failed);
    json_kvi(t, "connects", (int64_t)s.connects);
    json_kvi(t, "connects_failed", (int64_t)s.connect_failed);
    json_kvi(t, "reused", (int64_t)s.reused);
    json_kvi(t, "busy", s.busy);
    json_kvi(t, "idle", s.idle);
    json_kvi(t, "ejections", (int64_t)s.ejections);
    if (u->health.type != HEALTH_NONE) {
        json_kvi(t, "checks_ok", (int64_t)s.checks_ok);
        json_kvi(t, "checks_failed", (int64_t)s.checks_failed);
    }
    json_close(t, '}');
}

/* draining: a conf before the current one made it, and calls or their connections still hold it. */
static void upstream_json(const struct upstream *u, bool draining, struct text *t)
{
    json_open(t, '{');
    json_kv(t, "id", u->id);
    if (draining) {
        json_key(t, "draining");
        json_bool(t, true);
    }
    json_kvi(t, "retries", (int64_t)counter_of(u, UC_RETRIED));
    json_kvi(t, "retries_denied", (int64_t)counter_of(u, UC_DENIED));
    json_kvi(t, "pool_full", (int64_t)counter_of(u, UC_FULL));
    json_kvi(t, "queued", (int64_t)counter_of(u, UC_QUEUED));
    json_key(t, "targets");
    json_open(t, '[');
    for (unsigned k = 0; k < u->target_count; k++)
        target_json(u, k, t);
    json_close(t, ']');
    json_close(t, '}');
}

void upstreams_status(struct upstreams *all, struct text *t)
{
    uint32_t i = 0;
    str id;
    void *v;
    json_open(t, '[');
    pthread_mutex_lock(&all->lock);
    while (map_next(&all->by_id, &i, &id, &v))
        for (const struct upstream *u = v; u; u = u->older)
            upstream_json(u, u != v, t);
    pthread_mutex_unlock(&all->lock);
    json_close(t, ']');
}

enum column {
    C_OK,
    C_FAILED,
    C_CONNECTS,
    C_CONNECT_FAILED,
    C_REUSED,
    C_BUSY,
    C_IDLE,
    C_ADDRS,
    C_EJECTIONS,
    C_CHECKS_OK,
    C_CHECKS_FAILED
};

static double column_of(const struct sums *s, enum column c)
{
    switch (c) {
    case C_OK:
        return (double)s->ok;
    case C_FAILED:
        return (double)s->failed;
    case C_CONNECTS:
        return (double)s->connects;
    case C_CONNECT_FAILED:
        return (double)s->connect_failed;
    case C_REUSED:
        return (double)s->reused;
    case C_BUSY:
        return s->busy;
    case C_IDLE:
        return s->idle;
    case C_CHECKS_OK:
        return (double)s->checks_ok;
    case C_CHECKS_FAILED:
        return (double)s->checks_failed;
    case C_EJECTIONS:
        return (double)s->ejections;
    default:
        return s->addrs;
    }
}

/* One sample per target of the conf, never per address: labels stay bounded. label, value: one
 * further pair or NULL. */
static void samples(const struct upstreams *all, const char *name, enum column c, const char *label,
                    const char *value, struct text *t)
{
    uint32_t i = 0;
    str id;
    void *v;
    while (map_next(&all->by_id, &i, &id, &v)) {
        const struct upstream *u = v;
        bool checks = c == C_CHECKS_OK || c == C_CHECKS_FAILED;
        if (checks && u->health.type == HEALTH_NONE)
            continue;
        for (unsigned k = 0; k < u->target_count; k++) {
            struct sums s = sum(u, k);
            const char *labels[] = {"upstream", u->id.p, "target", u->targets[k].text.p,
                                    label,      value,   NULL};
            metric_sample(t, name, column_of(&s, c), labels);
        }
    }
}

static void healthy_samples(const struct upstreams *all, const char *name, struct text *t)
{
    uint32_t i = 0;
    str id;
    void *v;
    while (map_next(&all->by_id, &i, &id, &v)) {
        const struct upstream *u = v;
        for (unsigned k = 0; k < u->target_count; k++) {
            struct sums s = sum(u, k);
            const char *labels[] = {"upstream", u->id.p, "target", u->targets[k].text.p, NULL};
            metric_sample(t, name, healthy(&u->targets[k], &s), labels);
        }
    }
}

static void upstream_samples(const struct upstreams *all, const char *name, enum up_counter c,
                             struct text *t)
{
    uint32_t i = 0;
    str id;
    void *v;
    while (map_next(&all->by_id, &i, &id, &v)) {
        const struct upstream *u = v;
        const char *labels[] = {"upstream", u->id.p, NULL};
        metric_sample(t, name, (double)counter_of(u, c), labels);
    }
}

static void policy_metrics(const struct upstreams *all, struct text *t)
{
    metric_head(t, "sallyport_upstream_healthy", "gauge",
                "1: the target has an address that may be used now.");
    healthy_samples(all, "sallyport_upstream_healthy", t);
    metric_head(t, "sallyport_upstream_ejections_total", "counter",
                "Addresses left out for a time after failed calls.");
    samples(all, "sallyport_upstream_ejections_total", C_EJECTIONS, NULL, NULL, t);
    metric_head(t, "sallyport_upstream_checks_total", "counter",
                "Active health checks by what came of them.");
    samples(all, "sallyport_upstream_checks_total", C_CHECKS_OK, "result", "ok", t);
    samples(all, "sallyport_upstream_checks_total", C_CHECKS_FAILED, "result", "failed", t);
    metric_head(t, "sallyport_upstream_pool_full_total", "counter",
                "Calls that found no target with room in its pool.");
    upstream_samples(all, "sallyport_upstream_pool_full_total", UC_FULL, t);
    metric_head(t, "sallyport_upstream_queued", "gauge", "Calls that wait for room in a pool now.");
    upstream_samples(all, "sallyport_upstream_queued", UC_QUEUED, t);
    metric_head(t, "sallyport_upstream_queue_timeouts_total", "counter",
                "Calls for which no connection became free in time.");
    upstream_samples(all, "sallyport_upstream_queue_timeouts_total", UC_LATE, t);
    metric_head(t, "sallyport_upstream_retries_total", "counter",
                "Further attempts out of the budget.");
    upstream_samples(all, "sallyport_upstream_retries_total", UC_RETRIED, t);
    metric_head(t, "sallyport_upstream_retry_budget_exhausted_total", "counter",
                "Further attempts that the budget did not allow.");
    upstream_samples(all, "sallyport_upstream_retry_budget_exhausted_total", UC_DENIED, t);
}

void upstreams_metrics(struct upstreams *all, struct text *t)
{
    pthread_mutex_lock(&all->lock);
    if (all->by_id.count) {
        metric_head(t, "sallyport_upstream_calls_total", "counter",
                    "Calls by target and whether they got an answer.");
        samples(all, "sallyport_upstream_calls_total", C_OK, "result", "ok", t);
        samples(all, "sallyport_upstream_calls_total", C_FAILED, "result", "failed", t);
        metric_head(t, "sallyport_upstream_connects_total", "counter", "Connections begun.");
        samples(all, "sallyport_upstream_connects_total", C_CONNECTS, NULL, NULL, t);
        metric_head(t, "sallyport_upstream_connects_failed_total", "counter",
                    "Connections that were not established.");
        samples(all, "sallyport_upstream_connects_failed_total", C_CONNECT_FAILED, NULL, NULL, t);
        metric_head(t, "sallyport_upstream_reused_total", "counter",
                    "Calls on a connection that had served before.");
        samples(all, "sallyport_upstream_reused_total", C_REUSED, NULL, NULL, t);
        metric_head(t, "sallyport_upstream_connections", "gauge",
                    "Open connections, busy or kept for reuse.");
        samples(all, "sallyport_upstream_connections", C_BUSY, "state", "busy", t);
        samples(all, "sallyport_upstream_connections", C_IDLE, "state", "idle", t);
        metric_head(t, "sallyport_upstream_addresses", "gauge",
                    "Addresses that the target's name has now.");
        samples(all, "sallyport_upstream_addresses", C_ADDRS, NULL, NULL, t);
        policy_metrics(all, t);
    }
    pthread_mutex_unlock(&all->lock);
}

/* Of the targets: how many may be used, and what is wrong with the first of the others. */
static unsigned usable_targets(const struct upstream *u, const char **wrong)
{
    unsigned n = 0;
    *wrong = NULL;
    for (unsigned k = 0; k < u->target_count; k++) {
        struct sums s = sum(u, k);
        bool ok = healthy(&u->targets[k], &s);
        /* Nobody has needed it yet, or the first answer is on its way. */
        ok = ok || (s.known == 0 && !s.status);
        n += ok;
        if (ok || *wrong)
            continue;
        *wrong = s.known == 0 ? trouble(s.status) : s.unhealthy ? "unhealthy" : "ejected";
    }
    return n;
}

static bool upstream_ready(const struct upstream *u, struct text *verbose)
{
    const char *wrong;
    unsigned n = usable_targets(u, &wrong);
    if (!verbose)
        return n > 0;
    text_printf(verbose, "[%c] upstream %.*s: %u of %u targets usable", n ? '+' : '-',
                STR_ARG(u->id), n, u->target_count);
    if (wrong)
        text_printf(verbose, " (%s)", wrong);
    text_chr(verbose, '\n');
    return n > 0;
}

bool upstreams_ready(struct upstreams *all, struct text *verbose)
{
    uint32_t i = 0;
    bool ready = true;
    str id;
    void *v;
    pthread_mutex_lock(&all->lock);
    while (map_next(&all->by_id, &i, &id, &v))
        ready = upstream_ready(v, verbose) && ready;
    pthread_mutex_unlock(&all->lock);
    return ready;
}
