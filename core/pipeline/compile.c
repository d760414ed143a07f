/* SPDX-License-Identifier: Apache-2.0 */
/* One API becomes a unit: stages, deployments and routes with their chains, upstreams and limits. */
#include "model/schema.h"
#include "pipeline/metric.h"
#include "pipeline/thread.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 31);
}

uint64_t unit_hash_of(const struct gateway *gw, const struct api *a, const struct entry_set *es)
{
    uint64_t h = mix(mix(a->hash, es->hash), gw->aws_strict);

    h = mix(mix(h, (uint64_t)gw->limits.body), (uint64_t)gw->timeouts.integration);
    for (unsigned i = 0; i < gw->upstream_count; i++)
        h = mix(h, gw->upstreams[i].hash);
    return h;
}

bool unit_fresh(const struct unit *u)
{
    for (unsigned i = 0; i < u->conf_count; i++)
        if (!conf_fresh(u->confs[i]))
            return false;
    return true;
}

/* The unit keeps one reference of each upstream; the caller's is taken over. */
static struct upstream *keep_upstream(struct unit *u, struct upstream *up)
{
    if (!up)
        return NULL;
    for (unsigned i = 0; i < u->up_count; i++)
        if (u->ups[i] == up) {
            upstream_unref(up);
            return up;
        }
    if (u->up_count == u->up_cap) {
        unsigned cap = u->up_cap ? u->up_cap * 2 : 8;
        struct upstream **v = realloc(u->ups, cap * sizeof(struct upstream *));
        if (!v) {
            upstream_unref(up);
            return NULL;
        }
        u->ups = v;
        u->up_cap = cap;
    }
    u->ups[u->up_count++] = up;
    return up;
}

static struct upstream *named_upstream(struct compiler *c, str id)
{
    const struct gw_upstream *g = gateway_upstream(c->gw, id);

    return g ? keep_upstream(c->u, upstream_get(c->p->upstreams, g, &c->gw->timeouts)) : NULL;
}

/* The upstream of an integration's own URI: one per scheme and authority. */
static struct upstream *implicit_upstream(struct compiler *c, const struct integration *in, const struct stage *s, str *authority)
{
    struct api *a = c->u->api;
    struct gw_target t = {.weight = 1};
    struct gw_upstream g = {.targets = &t, .target_count = 1};
    str scheme;

    if (integration_authority(in, s, &c->u->arena, &scheme, authority) != 0) {
        node_error(c->diag, a->tree, in->node, "http://host[:port]/...",
                   "the integration's URI has no valid authority in stage `%.*s`", STR_ARG(s->name));
        return NULL;
    }
    static const struct tls_cli_conf verified = {.verify = true};
    bool tls = str_eq(scheme, STR("https"));
    g.tls = tls ? &verified : NULL;
    bool has_port = str_chr(*authority, ':') < authority->n && authority->p[authority->n - 1] != ']';
    t.text = has_port ? *authority : arena_printf(&c->u->arena, "%.*s:%u", STR_ARG(*authority), tls ? 443 : 80);
    if (addr_split(t.text, &t.host, &t.port, &t.is_ip) != 0) {
        node_error(c->diag, a->tree, in->node, "http://host[:port]/...", "`%.*s` is no host and port", STR_ARG(*authority));
        return NULL;
    }
    g.id = arena_printf(&c->u->arena, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(t.text));
    g.authority = *authority;
    g.hash = map_hash(g.id);
    struct upstream *up = keep_upstream(c->u, upstream_get(c->p->upstreams, &g, &c->gw->timeouts));
    if (up && str_eq(upstream_authority(up), *authority))
        *authority = upstream_authority(up); /* one text for all routes */
    return up;
}

/* A VPC link's URI says https, and its upstream would send in the clear. */
static void check_link(struct compiler *c, const struct integration *in, str scheme)
{
    const struct gw_upstream *g = gateway_upstream(c->gw, in->upstream);
    const struct node *uri = node_getz(in->node, "uri");

    if (g && !g->tls && str_eq(scheme, STR("https")))
        node_error(c->diag, c->u->api->tree, uri ? uri : in->node, "an http:// URI, or `tls: {}` at the upstream",
                   "the URI is https, but the VPC link's upstream `%.*s` speaks no TLS", STR_ARG(in->upstream));
}

static void bind_upstream(struct compiler *c, struct route_plan *r, const struct stage *s)
{
    const struct integration *in = &r->method->integration;
    str scheme;

    if (in->kind == INT_PLUGIN || in->kind == INT_NONE)
        return;
    if (integration_prefix(in, s, &c->u->arena, &r->prefix) != 0)
        r->prefix = STR_NONE;
    if (in->kind == INT_UPSTREAM || in->vpc_link) {
        r->up = named_upstream(c, in->upstream);
        if (r->up && in->vpc_link && integration_authority(in, s, &c->u->arena, &scheme, &r->authority) != 0)
            r->authority = STR_NONE;
        else if (r->up && in->vpc_link)
            check_link(c, in, scheme);
        if (r->up && !r->authority.n)
            r->authority = upstream_authority(r->up);
    } else {
        r->up = implicit_upstream(c, in, s, &r->authority);
        if (!r->up)
            return;
    }
    if (!r->up)
        node_error(c->diag, c->u->api->tree, in->node ? in->node : r->method->node, "an id of `upstreams:`",
                   "the upstream `%.*s` cannot be set up", STR_ARG(in->upstream));
}

/* Nothing at the route itself: then it has the chains of its deployment. */
static bool plain_route(const struct compiler *c, const struct api_method *m)
{
    if (m->plugin_count || m->resource->plugin_count || (m->needs && m->needs[0]))
        return false;
    for (unsigned i = 0; i < c->u->entries->n; i++)
        if (c->u->entries->v[i].mod->desc.flags & SP_PLUGIN_PER_PLACE)
            return false;
    return true;
}

static int compile_routes(struct compiler *c, struct stage_plan *sp, struct deployment_plan *dp)
{
    const struct stage *s = sp->stage;
    const struct chains *base = NULL;
    struct unit *u = c->u;
    struct hook_ref unused = {0};

    dp->routes = arena_lines(&u->arena, (dp->d->method_count + 1) * sizeof(*dp->routes));
    if (!dp->routes)
        return E_NOMEM;
    for (unsigned i = 0; i < dp->d->method_count; i++) {
        struct route_plan *r = &dp->routes[i];
        struct place pl = {s, dp->d, &dp->d->methods[i]};

        r->method = pl.method;
        r->timeout_ms = (uint32_t)(pl.method->integration.timeout_ms ? pl.method->integration.timeout_ms : c->gw->timeouts.integration);
        if (plain_route(c, pl.method)) {
            if (!base)
                base = chains_of(c, &pl, &unused);
            r->chains = base;
        } else {
            r->chains = chains_of(c, &pl, &r->integration);
        }
        if (!r->chains)
            return E_NOMEM;
        bind_upstream(c, r, s);
        if (target_compile(&u->arena, r, s, u->api->type, dp->d->routes) != 0)
            return E_NOMEM;
        u->route_count++;
    }
    return 0;
}

/* A deployment that the stage does not name: plugins may choose it where it fits the stage (its variables, its capabilities); where it
 * does not, the stage does not have it. */
static int compile_other(struct compiler *c, struct stage_plan *sp, struct deployment_plan *dp)
{
    struct diag aside, *kept = c->diag;
    bool wanted = false;
    int rc = 0;

    for (unsigned i = 0; i < c->u->entries->n; i++)
        wanted |= module_hook(c->u->entries->v[i].mod, SP_HP_STAGE) != NULL;
    if (!wanted)
        return 0;
    diag_init(&aside);
    c->diag = &aside;
    rc = compile_routes(c, sp, dp);
    c->diag = kept;
    if (aside.errors)
        dp->routes = NULL;
    diag_fini(&aside);
    return rc;
}

static int compile_stage(struct compiler *c, struct stage_plan *sp, const struct stage *s)
{
    const struct api *a = c->u->api;
    struct place pl = {s, NULL, NULL};
    struct hook_ref unused = {0};
    str labels[] = {a->id, s->name};

    sp->stage = s;
    sp->unit = c->u;
    sp->deployment_count = a->deployment_count;
    sp->deployments = arena_zalloc(&c->u->arena, a->deployment_count * sizeof(*sp->deployments));
    if (!sp->deployments)
        return E_NOMEM;
    sp->none.chains = chains_of(c, &pl, &unused);
    sp->m_latency = metric_series(c->p->metrics, c->p->m_latency, labels, 2);
    sp->m_integration = metric_series(c->p->metrics, c->p->m_integration, labels, 2);
    if (!sp->none.chains)
        return E_NOMEM;
    for (unsigned i = 0; i < a->deployment_count; i++) {
        sp->deployments[i].d = a->deployments[i];
        if (a->deployments[i] == s->deployment)
            sp->main = &sp->deployments[i];
        int rc = a->deployments[i] == s->deployment ? compile_routes(c, sp, &sp->deployments[i]) : compile_other(c, sp, &sp->deployments[i]);
        if (rc)
            return rc;
    }
    return sp->main ? 0 : E_ARG;
}

static void check_names(struct compiler *c)
{
    const struct api *a = c->u->api;

    chains_check_names(c, a->plugins, a->plugin_count);
    for (unsigned i = 0; i < a->stage_count; i++)
        chains_check_names(c, a->stages[i].plugins, a->stages[i].plugin_count);
    for (unsigned i = 0; i < a->deployment_count; i++) {
        const struct deployment *d = a->deployments[i];

        chains_check_names(c, d->plugins, d->plugin_count);
        for (unsigned k = 0; k < d->resource_count; k++)
            chains_check_names(c, d->resources[k].plugins, d->resources[k].plugin_count);
        for (unsigned k = 0; k < d->method_count; k++)
            chains_check_names(c, d->methods[k].plugins, d->methods[k].plugin_count);
    }
}

struct unit *unit_compile(struct pipeline *p, struct gateway *gw, struct api *a, struct entry_set *es, uint64_t hash, struct diag *d)
{
    struct unit *u = calloc(1, sizeof(*u));
    struct compiler c = {p, gw, u, d, d->errors};
    int rc = 0;

    if (!u)
        return NULL;
    u->magic = UNIT_MAGIC;
    atomic_init(&u->refs, 1);
    arena_init(&u->arena, NULL);
    u->pipeline = p;
    u->api = api_ref(a);
    u->entries = entries_ref(es);
    u->hash = hash;
    u->max_body = gw->limits.body ? (uint64_t)gw->limits.body : UINT64_MAX;
    u->aws_strict = gw->aws_strict;
    atomic_fetch_add(&p->units_live, 1);
    u->stages = arena_zalloc(&u->arena, (a->stage_count + 1) * sizeof(*u->stages));
    for (unsigned i = 0; i < gw->upstream_count && u->stages; i++) /* named ones: plugins may choose any of them */
        if (!named_upstream(&c, gw->upstreams[i].id))
            rc = E_NOMEM;
    check_names(&c);
    for (unsigned i = 0; i < a->stage_count && u->stages && rc == 0 && d->errors == c.errors_before; i++)
        rc = compile_stage(&c, &u->stages[i], &a->stages[i]);
    if (rc == E_NOMEM || !u->stages)
        diag_error(d, (struct diag_at){0}, "", NULL, "out of memory");
    if (rc == 0 && u->stages && d->errors == c.errors_before)
        return u;
    unit_destroy(u);
    return NULL;
}

void unit_destroy(struct unit *u)
{
    struct pipeline *p = u->pipeline;

    for (unsigned i = u->conf_count; i-- > 0;)
        conf_release(p, u->confs[i]);
    for (unsigned i = 0; i < u->up_count; i++)
        upstream_unref(u->ups[i]);
    free(u->confs);
    free(u->ups);
    entries_unref(u->entries);
    api_unref(u->api);
    arena_fini(&u->arena);
    atomic_fetch_sub(&p->units_live, 1);
    free(u);
}
