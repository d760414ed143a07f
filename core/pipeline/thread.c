/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline on a traffic thread: start, accept, drain, stop. */
#include "pipeline/thread.h"

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/shortage.h"
#include "pipeline/exchange.h"
#include "pipeline/host.h"
#include "pipeline/relief.h"
#include "pipeline/self.h"
#include "pipeline/snapshot.h"

static _Thread_local struct pl_thread *self;

struct pl_thread *pl_self(void)
{
    return self;
}

int pipeline_thread_start(struct pipeline *p, struct loop *l)
{
    struct pl_thread *pt = calloc(1, sizeof(*pt));

    if (!pt)
        return E_NOMEM;
    pt->magic = PL_THREAD_MAGIC;
    pt->loop = l;
    pt->pipeline = p;
    list_init(&pt->module_ops);
    pt->srv = srv_thread_new(l);
    if (!pt->srv || upstreams_thread_start(p->upstreams, l, p->has_resolver ? &p->resolver : NULL) != 0) {
        if (pt->srv)
            srv_thread_free(pt->srv);
        free(pt);
        return E_NOMEM;
    }
    l->upper = pt;
    self = pt;
    host_thread_enter(p->metrics, l->id);
    atomic_store_explicit(&pl_loops[l->id], l, memory_order_release);
    p->loops[l->id] = l;
    p->thr[l->id] = pt;
    return 0;
}

static void stop_modules(struct pl_thread *pt)
{
    struct module_registry *r = pt->pipeline->modules;

    while (!list_empty(&pt->module_ops))
        xop_free(LIST_ITEM(pt->module_ops.next, struct xop, link));
    for (unsigned i = r->count; i-- > 0;)
        if (r->v[i]->thread_started[pt->loop->id])
            module_thread_stop(r->v[i], pt->loop);
    while (!list_empty(&pt->module_ops))
        xop_free(LIST_ITEM(pt->module_ops.next, struct xop, link));
}

void pipeline_thread_stop(struct pipeline *p, struct loop *l)
{
    struct pl_thread *pt = pl_thread_of(l);
    struct snapshot *s = pt->snap;

    srv_thread_close(pt->srv);
    stop_modules(pt);
    atomic_store_explicit(&pl_loops[l->id], NULL, memory_order_release);
    p->thr[l->id] = NULL;
    for (unsigned i = 0; s && i < s->unit_count; i++)
        unit_drop(s->units[i], l->id);
    pt->snap = NULL;
    snapshot_unref(s);
    srv_thread_free(pt->srv);
    upstreams_thread_stop(p->upstreams, l);
    host_thread_leave();
    self = NULL;
    l->upper = NULL;
    free(pt);
}

static struct pl_listener *find_listener(const struct snapshot *s, str text)
{
    for (unsigned i = 0; s && i < s->listener_count; i++)
        if (str_eq(s->listeners[i]->text, text))
            return s->listeners[i];
    return NULL;
}

static bool take(struct conn_gate *g, uint32_t max)
{
    unsigned open = atomic_load_explicit(&g->open, memory_order_relaxed);

    do
        if (open >= max)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&g->open, &open, open + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void give_back(struct conn_gate *g)
{
    atomic_fetch_sub_explicit(&g->open, 1, memory_order_relaxed);
}

int pipeline_enter(struct loop *l, str listener)
{
    struct pl_thread *pt = pl_thread_of(l);
    const struct pl_listener *pl = find_listener(pt->snap, listener);

    if (!pl)
        return 0;
    if (pl_short_of_memory(l))
        return E_NOMEM;
    if (!take(pl->own, pl->max_own))
        return E_LIMIT;
    if (!take(pl->all, pl->max_all)) {
        give_back(pl->own);
        return E_LIMIT;
    }
    pt->entered = pl;
    return 0;
}

void pipeline_bound(struct pipeline *p, uint32_t connections)
{
    p->max_connections = connections;
}

void pipeline_leave(struct loop *l)
{
    struct pl_thread *pt = pl_thread_of(l);

    if (!pt->entered)
        return;
    give_back(pt->entered->own);
    give_back(pt->entered->all);
    pt->entered = NULL;
}

unsigned pipeline_listener_open(const struct pipeline *p, str listener)
{
    const struct pl_listener *pl = find_listener(p->current, listener);

    return pl ? atomic_load_explicit(&pl->own->open, memory_order_relaxed) : 0;
}

void pipeline_accept(struct loop *l, str listener, int fd, const struct addr *peer)
{
    const struct pl_listener *pl = find_listener(pl_thread_of(l)->snap, listener);

    if (!pl)
        close(fd);
    else if (srv_accept(l, fd, peer, &pl->conf) != 0)
        shortage_note(SHORT_HEAP, SHORT_AT_ACCEPT, loop_now_ms(l));
}

void pipeline_thread_drain(struct loop *l)
{
    srv_thread_drain(pl_thread_of(l)->srv);
}

unsigned pipeline_thread_connections(struct loop *l)
{
    return srv_thread_active(pl_thread_of(l)->srv);
}

unsigned pipeline_thread_exchanges(struct loop *l)
{
    return atomic_load_explicit(&pl_thread_of(l)->exchanges, memory_order_relaxed);
}

void pipeline_thread_close(struct loop *l)
{
    srv_thread_close(pl_thread_of(l)->srv);
}
