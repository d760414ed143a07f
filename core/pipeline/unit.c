/* SPDX-License-Identifier: Apache-2.0 */
/* References to units, snapshots and listeners; the last one sends the object home to the main thread. */
#include "model/route.h"
#include "model/schema.h"
#include "pipeline/exchange.h"
#include "pipeline/self.h"
#include "pipeline/snapshot.h"
#include "pipeline/thread.h"

struct unit *unit_ref(struct unit *u)
{
    CHECK_OBJ(u, UNIT_MAGIC);
    atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
    return u;
}

static void unit_home(struct loop *l, struct mbox_msg *m)
{
    (void)l;
    unit_destroy(CONTAINER_OF(m, struct unit, retire));
}

void unit_unref(struct unit *u)
{
    CHECK_OBJ(u, UNIT_MAGIC);
    if (atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
        return;
    u->retire.fn = unit_home;
    if (u->pipeline->main)
        mbox_post(&u->pipeline->main->mbox, &u->retire);
    else
        unit_destroy(u);
}

static void snapshot_destroy(struct snapshot *s)
{
    for (unsigned i = 0; i < s->unit_count; i++)
        if (s->units[i])
            unit_unref(s->units[i]);
    for (unsigned i = 0; i < s->listener_count; i++)
        if (s->listeners[i])
            pl_listener_unref(s->listeners[i]);
    for (unsigned i = 0; i < s->up_count; i++)
        upstream_unref(s->ups[i]);
    if (s->site)
        site_free(s->site);
    free(s->apis);
    entries_unref(s->entries);
    gateway_free(s->gateway);
    free(s->units);
    free(s->listeners);
    free(s->ups);
    free(s);
}

static void snapshot_home(struct loop *l, struct mbox_msg *m)
{
    (void)l;
    snapshot_destroy(CONTAINER_OF(m, struct snapshot, retire));
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    s->retire.fn = snapshot_home;
    if (s->pipeline->main)
        mbox_post(&s->pipeline->main->mbox, &s->retire);
    else
        snapshot_destroy(s);
}

void snapshot_free(struct snapshot *s)
{
    if (s)
        snapshot_destroy(s);
}

void pl_listener_unref(struct pl_listener *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    conn_gate_unref(l->own);
    conn_gate_unref(l->all);
    tls_srv_free(l->tls);
    free(l->memory);
    free(l->trusted);
    free(l);
}

struct conn_gate *conn_gate_new(void)
{
    struct conn_gate *g = calloc(1, sizeof(*g));

    if (g)
        atomic_init(&g->refs, 1);
    return g;
}

static struct conn_gate *gate_ref(struct conn_gate *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void conn_gate_unref(struct conn_gate *g)
{
    if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
        free(g);
}

/* The address's gate, which its connections of earlier generations count in too. */
static struct conn_gate *gate_of(const struct pipeline *p, str text)
{
    for (unsigned i = 0; p->current && i < p->current->listener_count; i++)
        if (str_eq(p->current->listeners[i]->text, text))
            return gate_ref(p->current->listeners[i]->own);
    return conn_gate_new();
}

/* A connection begins, a connection has ended. */
static void listener_ref_conf(const struct srv_conf *c)
{
    struct pl_listener *l = (struct pl_listener *)c->upper;
    struct pl_thread *pt = pl_self();

    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    if (pt->entered == l) { /* the accept has taken a place already */
        pt->entered = NULL;
        return;
    }
    atomic_fetch_add_explicit(&l->own->open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->all->open, 1, memory_order_relaxed);
}

static void listener_unref_conf(const struct srv_conf *c)
{
    struct pl_listener *l = (struct pl_listener *)c->upper;

    atomic_fetch_sub_explicit(&l->own->open, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&l->all->open, 1, memory_order_relaxed);
    pl_listener_unref(l);
}

static uint32_t bounded(int64_t v)
{
    return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

struct pl_said {
    const struct gateway *gw;
    struct diag *diag;
};

static void tls_said(void *arg, const void *at, bool warning, const char *expected, const char *what)
{
    const struct pl_said *s = arg;

    if (warning)
        node_warn(s->diag, s->gw->tree, at, expected, "%s", what);
    else if (at)
        node_error(s->diag, s->gw->tree, at, expected, "%s", what);
    else
        diag_error(s->diag, (struct diag_at){0}, "", expected, "%s", what);
}

bool pl_upstream_tls_ok(const struct gateway *gw, const struct gw_upstream *g, struct diag *d)
{
    struct pl_said said = {gw, d};
    struct tls_report report = {tls_said, &said};
    struct tls_stats unused;
    struct tls_cli *c = g->tls ? tls_cli_new(g->tls, &unused, &report) : NULL;

    tls_cli_free(c);
    return c || !g->tls;
}

int pl_listener_new(struct pipeline *p, const struct gateway *gw, const struct gw_listener *g, struct diag *d, struct pl_listener **out)
{
    struct pl_said said = {gw, d};
    struct tls_report report = {tls_said, &said};
    struct pl_listener *l = calloc(1, sizeof(*l));
    char *memory = malloc(g->text.n + g->name.n + gw->via.n + 2);
    struct cidr *trusted = calloc(gw->trusted_count + g->proxied_from_count + 1, sizeof(*trusted));
    struct conn_gate *own = gate_of(p, g->text);

    if (!l || !memory || !trusted || !own) {
        free(l), free(memory), free(trusted), conn_gate_unref(own);
        return E_NOMEM;
    }
    if (g->tls && !(l->tls = tls_srv_new(g->tls, p->tickets, &p->tls, &report))) {
        free(l), free(memory), free(trusted), conn_gate_unref(own);
        return E_CONF;
    }
    memcpy(memory, g->text.p, g->text.n);
    memcpy(memory + g->text.n, g->name.p, g->name.n);
    if (gw->via.n)
        memcpy(memory + g->text.n + g->name.n, gw->via.p, gw->via.n);
    memcpy(trusted, gw->trusted, gw->trusted_count * sizeof(*trusted));
    l->memory = memory;
    l->text = str_n(memory, g->text.n);
    l->name = str_n(memory + g->text.n, g->name.n);
    l->via = str_n(memory + g->text.n + g->name.n, gw->via.n);
    l->forwarded_send = gw->forwarded_send;
    l->forwarded_read = gw->forwarded_read;
    l->trusted = trusted;
    l->trusted_count = gw->trusted_count;
    l->own = own;
    l->all = gate_ref(p->gate);
    l->max_own = bounded(g->limits.connections);
    l->max_all = bounded(gw->limits.connections);
    if (p->max_connections && l->max_all > p->max_connections)
        l->max_all = p->max_connections;
    memcpy(trusted + gw->trusted_count, g->proxied_from, g->proxied_from_count * sizeof(*trusted));
    atomic_init(&l->refs, 1);
    l->conf = (struct srv_conf){
        .events = &exchange_events,
        .upper = l,
        .scheme = l->tls ? STR("https") : STR("http"),
        .tls = l->tls,
        .max_header = bounded(g->limits.header_block),
        .max_url = bounded(g->limits.url),
        .max_body = (uint64_t)g->limits.body,
        .max_headers = bounded(g->limits.headers),
        .t_header_ms = bounded(g->timeouts.header),
        .t_idle_ms = bounded(g->timeouts.idle),
        .t_body_ms = bounded(g->timeouts.body),
        .t_write_ms = bounded(g->timeouts.write),
        .t_half_ms = bounded(g->timeouts.half_closed),
        .high_water = 256 * 1024,
        .low_water = 64 * 1024,
        .ref = listener_ref_conf,
        .unref = listener_unref_conf,
        .proxied = g->proxied,
        .proxied_from = trusted + gw->trusted_count,
        .proxied_from_count = g->proxied_from_count,
    };
    *out = l;
    return 0;
}
