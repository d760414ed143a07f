/* SPDX-License-Identifier: Apache-2.0 */
/* What upstreams tell of themselves: status JSON, metrics, readiness. Main thread; counters are
 * read relaxed. */
#include "pipeline/metric.h"
#include "pipeline/upstream_int.h"

struct sums { /* of one target over the threads */
    uint64_t ok, failed, connects, connect_failed, reused;
    uint32_t busy, idle, addrs; /* addrs: of the thread that knows most */
    unsigned asked, threads;
    int status; /* of a thread without an address; 0: none such */
};

/* Under the lock. */
static struct sums sum(const struct upstream *u, unsigned target)
{
    struct sums t = {0};
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

static void target_json(const struct upstream *u, unsigned i, struct text *t)
{
    struct sums s = sum(u, i);
    json_open(t, '{');
    json_kv(t, "target", u->targets[i].text);
    json_kvi(t, "weight", u->targets[i].weight);
    json_kvi(t, "addresses", u->targets[i].is_ip ? 1 : s.addrs);
    if (!s.addrs && s.status)
        json_kv(t, "problem", str_z(trouble(s.status)));
    json_kvi(t, "calls", (int64_t)(s.ok + s.failed));
    json_kvi(t, "failed", (int64_t)s.failed);
    json_kvi(t, "connects", (int64_t)s.connects);
    json_kvi(t, "connects_failed", (int64_t)s.connect_failed);
    json_kvi(t, "reused", (int64_t)s.reused);
    json_kvi(t, "busy", s.busy);
    json_kvi(t, "idle", s.idle);
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

enum column { C_OK, C_FAILED, C_CONNECTS, C_CONNECT_FAILED, C_REUSED, C_BUSY, C_IDLE, C_ADDRS };

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
        for (unsigned k = 0; k < u->target_count; k++) {
            struct sums s = sum(u, k);
            const char *labels[] = {"upstream", u->id.p, "target", u->targets[k].text.p,
                                    label,      value,   NULL};
            metric_sample(t, name, column_of(&s, c), labels);
        }
    }
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
    }
    pthread_mutex_unlock(&all->lock);
}

static bool upstream_ready(const struct upstream *u, struct text *why)
{
    int status = 0;
    unsigned asked = 0;
    for (unsigned k = 0; k < u->target_count; k++) {
        struct sums s = sum(u, k);
        if (s.addrs || u->targets[k].is_ip)
            return true;
        asked += s.asked;
        status = s.status ? s.status : status;
    }
    /* Nobody has needed it yet, or the first answer is on its way. */
    if (!asked || !status)
        return true;
    if (why)
        text_printf(why, "upstream %.*s has no address: %s\n", STR_ARG(u->id), trouble(status));
    return false;
}

bool upstreams_ready(struct upstreams *all, struct text *why)
{
    uint32_t i = 0;
    bool ready = true;
    str id;
    void *v;
    pthread_mutex_lock(&all->lock);
    while (map_next(&all->by_id, &i, &id, &v))
        ready = upstream_ready(v, why) && ready;
    pthread_mutex_unlock(&all->lock);
    return ready;
}
