/* SPDX-License-Identifier: Apache-2.0 */
/* A conf becomes a snapshot: entries, one unit per API (unchanged ones are reused), the index of hosts, the listeners. */
#include "pipeline/snapshot.h"

#include "model/route.h"
#include "model/schema.h"
#include "pipeline/host.h"

/* The published unit of that API, if it would come out the same. */
static struct unit *reusable(const struct snapshot *old, str id, uint64_t hash)
{
    for (unsigned i = 0; old && i < old->unit_count; i++)
        if (old->units[i]->hash == hash && str_eq(old->units[i]->api->id, id) && unit_fresh(old->units[i]))
            return old->units[i];
    return NULL;
}

static void build_units(struct pipeline *p, struct snapshot *s, struct diag *d)
{
    struct gateway *gw = s->gateway;

    for (unsigned i = 0; i < gw->api_count; i++) {
        uint64_t hash = unit_hash_of(gw, gw->apis[i], s->entries);
        struct unit *u = reusable(p->current, gw->apis[i]->id, hash);

        if (u) {
            s->units[i] = unit_ref(u);
            s->reused++;
        } else {
            s->units[i] = unit_compile(p, gw, gw->apis[i], s->entries, hash, d);
        }
        if (s->units[i])
            s->routes += s->units[i]->route_count;
    }
}

/* The index refers to the APIs of the units, which may be older objects with the same content than the conf's own. */
static struct site *build_site(struct snapshot *s, struct diag *d)
{
    s->apis = calloc(s->unit_count + 1, sizeof(struct api *));
    if (!s->apis)
        return NULL;
    for (unsigned i = 0; i < s->unit_count; i++)
        s->apis[i] = s->units[i]->api;
    return site_build(s->apis, s->unit_count, s->gateway->tree, d);
}

/* All of them, so that all that is wrong is told. */
static int build_listeners(struct pipeline *p, struct snapshot *s, struct diag *d)
{
    const struct gateway *gw = s->gateway;
    int rc = 0;

    s->listener_count = gw->listener_count;
    for (unsigned i = 0; i < gw->listener_count && rc != E_NOMEM; i++) {
        int one = pl_listener_new(p, gw, &gw->listeners[i], d, &s->listeners[i]);
        rc = one ? one : rc;
    }
    return rc;
}

static int keep_upstreams(struct pipeline *p, struct snapshot *s)
{
    const struct gateway *gw = s->gateway;

    for (unsigned i = 0; i < gw->upstream_count; i++) {
        s->ups[s->up_count] = upstream_get(p->upstreams, &gw->upstreams[i], &gw->timeouts);
        if (!s->ups[s->up_count])
            return E_NOMEM;
        s->up_count++;
    }
    return 0;
}

static struct snapshot *snapshot_new(struct pipeline *p, struct gateway *gw)
{
    struct snapshot *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->pipeline = p;
    s->gateway = gw;
    s->units = calloc(gw->api_count + 1, sizeof(struct unit *));
    s->listeners = calloc(gw->listener_count + 1, sizeof(struct pl_listener *));
    s->ups = calloc(gw->upstream_count + 1, sizeof(struct upstream *));
    s->unit_count = s->units ? gw->api_count : 0;
    return s;
}

/* Where plugins may send calls of their own. */
static void set_destinations(struct pipeline *p, const struct gateway *gw, struct diag *d)
{
    const struct node *list = node_getz(gw->root, "destinations");
    unsigned bad = 0;

    if (host_upstream_policy(p->modules, gw->destinations, gw->destination_count, &bad) == E_ARG)
        node_error(d, gw->tree, list && list->type == NODE_LIST ? node_at(list, bad) : list, "a host name, *.name, an address or *, with or without :port",
                   "'%.*s' is no destination", STR_ARG(gw->destinations[bad]));
}

static void build(struct pipeline *p, struct snapshot *s, struct diag *d)
{
    unsigned before = d->errors;

    map_fini(&p->refused);
    map_init(&p->refused, true);
    set_destinations(p, s->gateway, d);
    bool ok = s->listeners && s->ups && build_listeners(p, s, d) != E_NOMEM;
    bool tls = true;
    for (unsigned i = 0; i < s->gateway->upstream_count; i++)
        tls = pl_upstream_tls_ok(s->gateway, &s->gateway->upstreams[i], d) && tls;
    if (!tls)
        return; /* routes would tell the same of it again */
    s->entries = entries_build(p, s->gateway, p->current ? p->current->entries : NULL, d);
    if (!ok || !s->entries || !s->units || keep_upstreams(p, s) != 0) {
        if (d->errors == before)
            diag_error(d, (struct diag_at){0}, "", NULL, "out of memory");
        return;
    }
    build_units(p, s, d);
    if (d->errors != before)
        return;
    s->site = build_site(s, d);
    if (!s->site && d->errors == before)
        diag_error(d, (struct diag_at){0}, "", NULL, "out of memory");
}

/* The threads make their resolvers from the first conf; a change takes effect at the next start. */
static void keep_resolver(struct pipeline *p, const struct gateway *gw)
{
    str servers = str_take(gw->resolver_servers, sizeof(p->resolver_servers) - 1);

    if (p->has_resolver)
        return;
    memcpy(p->resolver_servers, servers.n ? servers.p : "", servers.n);
    p->resolver = (struct resolver_conf){.servers = servers.n ? p->resolver_servers : NULL,
                                         .timeout_ms = (unsigned)gw->resolver_timeout,
                                         .tries = (unsigned)gw->resolver_tries,
                                         .ttl_min_s = (unsigned)(gw->resolver_ttl_min / 1000),
                                         .ttl_max_s = (unsigned)(gw->resolver_ttl_max / 1000),
                                         .ttl_negative_s = (unsigned)(gw->resolver_ttl_negative / 1000),
                                         .max_entries = 4096};
    p->has_resolver = true;
}

struct snapshot *snapshot_build(struct pipeline *p, struct gateway *gw, struct diag *d)
{
    struct snapshot *s = snapshot_new(p, gw);
    unsigned before = d->errors;

    if (!s) {
        diag_error(d, (struct diag_at){0}, "", NULL, "out of memory");
        gateway_free(gw);
        return NULL;
    }
    build(p, s, d);
    if (d->errors == before) {
        keep_resolver(p, gw);
        return s;
    }
    snapshot_free(s);
    return NULL;
}

const struct gateway *snapshot_gateway(const struct snapshot *s)
{
    return s->gateway;
}

unsigned snapshot_routes(const struct snapshot *s)
{
    return s->routes;
}

unsigned snapshot_units_reused(const struct snapshot *s)
{
    return s->reused;
}
