/* SPDX-License-Identifier: Apache-2.0 */
/* What a request would meet: listener, API, stage, route, upstream and hooks, each with the conf line that put it there. */
#include "model/route.h"
#include "model/schema.h"
#include "pipeline/exchange.h"
#include "pipeline/snapshot.h"

struct explain {
    const struct snapshot *s;
    struct text *out;
    bool json;
    str host, path, query;
    enum http_method method;
    str method_name;
};

static void origin(struct explain *e, const struct node_tree *t, const struct node *n)
{
    const char *file = n ? node_file(t, n) : NULL;

    if (!file)
        return;
    if (e->json) {
        json_key(e->out, "at");
        struct text at;
        text_init(&at);
        text_printf(&at, "%s:%u:%u", file, n->line, n->col);
        json_str(e->out, text_str(&at));
        text_fini(&at);
    } else {
        text_printf(e->out, "  (%s:%u:%u)", file, n->line, n->col);
    }
}

/* "label      value  (file:line:col)" or "label":{"id":value,"at":...} */
static void line(struct explain *e, const char *label, str value, const struct node_tree *t, const struct node *n)
{
    if (e->json) {
        json_key(e->out, label);
        json_open(e->out, '{');
        json_kv(e->out, "id", value);
        origin(e, t, n);
        json_close(e->out, '}');
        return;
    }
    text_printf(e->out, "%-12s %.*s", label, STR_ARG(value));
    origin(e, t, n);
    text_addz(e->out, "\n");
}

static void answer(struct explain *e, const char *what, enum gw_type type, enum gw_style style, bool strict)
{
    struct gw_def d = gw_lookup(type, style, strict);

    if (e->json) {
        json_key(e->out, "answer");
        json_open(e->out, '{');
        json_kvi(e->out, "status", d.status);
        json_kv(e->out, "type", str_z(gw_name(type)));
        json_kv(e->out, "reason", str_z(what));
        json_close(e->out, '}');
    } else {
        text_printf(e->out, "%-12s %u %s: %s\n", "answer", d.status, gw_name(type), what);
    }
}

static void listener(struct explain *e, const struct gw_listener *l)
{
    const struct gateway *gw = e->s->gateway;

    if (!e->json) {
        line(e, l->tls ? "listener TLS" : "listener", l->text, gw->tree, l->node);
        return;
    }
    json_key(e->out, "listener");
    json_open(e->out, '{');
    json_kv(e->out, "id", l->text);
    json_kv(e->out, "scheme", l->tls ? STR("https") : STR("http"));
    origin(e, gw->tree, l->node);
    json_close(e->out, '}');
}

/* The listeners that the URL's port could mean; all of them when it names none that is there. */
static void listeners(struct explain *e, str authority)
{
    const struct gateway *gw = e->s->gateway;
    str host;
    uint16_t port = 0;
    bool ip, any = false;

    if (addr_split(authority, &host, &port, &ip) != 0)
        port = 0;
    for (int pass = 0; pass < 2 && !any; pass++)
        for (unsigned i = 0; i < gw->listener_count; i++) {
            struct addr_ip a;
            addr_to_ip(&gw->listeners[i].addr, &a);
            if (pass == 0 && (!port || a.port != port))
                continue;
            any = true;
            listener(e, &gw->listeners[i]);
            if (e->json)
                return;
        }
}

static void hook(struct explain *e, unsigned point, const struct hook_ref *h, const struct unit *u, const struct place *pl, unsigned nth)
{
    struct effective ef = chains_effective(e->s->gateway, u->api, h->e, pl);
    const struct sp_module *m = h->e->mod;

    if (e->json) {
        json_open(e->out, '{');
        json_kv(e->out, "point", str_z(hook_point_name(point)));
        json_kv(e->out, "entry", h->e->id);
        json_kv(e->out, "plugin", str_z(m->desc.name));
        json_kv(e->out, "version", str_z(m->desc.version));
        json_key(e->out, "shadow");
        json_bool(e->out, h->e->shadow);
        origin(e, e->s->gateway->tree, ef.entry_node);
        if (ef.here && ef.node) {
            struct text at;
            text_init(&at);
            text_printf(&at, "%s:%u:%u", node_file(ef.tree, ef.node), ef.node->line, ef.node->col);
            json_kv(e->out, "options_at", text_str(&at));
            text_fini(&at);
        }
        json_close(e->out, '}');
        return;
    }
    text_printf(e->out, "  %2u. %-13s %.*s", nth, hook_point_name(point), STR_ARG(h->e->id));
    if (!str_eqz(h->e->id, m->desc.name))
        text_printf(e->out, " [%s]", m->desc.name);
    if (h->e->shadow)
        text_addz(e->out, " (shadow)");
    origin(e, e->s->gateway->tree, ef.entry_node);
    if (ef.here && ef.node)
        text_printf(e->out, ", options (%s:%u:%u)", node_file(ef.tree, ef.node), ef.node->line, ef.node->col);
    text_addz(e->out, "\n");
}

static void hooks(struct explain *e, const struct unit *u, const struct chains *stage, const struct chains *route, const struct place *pl)
{
    static const unsigned points[] = {SP_HP_STAGE, SP_HP_REQUEST, SP_HP_REQUEST_BODY, SP_HP_ATTEMPT, SP_HP_RESPONSE, SP_HP_RESPONSE_BODY,
                                      SP_HP_LOG};
    struct place at_stage = {pl->stage, NULL, NULL};
    unsigned nth = 0;

    if (e->json) {
        json_key(e->out, "hooks");
        json_open(e->out, '[');
    } else {
        text_addz(e->out, "hooks\n");
    }
    for (unsigned k = 0; k < ARRAY_LEN(points); k++) {
        bool first = points[k] == SP_HP_STAGE;
        const struct chain *c = &(first ? stage : route)->at[points[k]];
        for (unsigned i = 0; i < c->n; i++)
            hook(e, points[k], &c->v[i], u, first ? &at_stage : pl, ++nth);
    }
    if (e->json)
        json_close(e->out, ']');
    else if (nth == 0)
        text_addz(e->out, "  none\n");
}

static void integration(struct explain *e, const struct unit *u, const struct route_plan *r)
{
    const struct integration *in = &r->method->integration;
    const struct gw_upstream *g = r->up ? gateway_upstream(e->s->gateway, upstream_id(r->up)) : NULL;

    line(e, "integration", in->uri.n ? arena_printf(&((struct unit *)u)->arena, "%.*s %.*s", STR_ARG(in->type), STR_ARG(in->uri)) : in->type,
         u->api->tree, in->node);
    if (r->up)
        line(e, "upstream", upstream_id(r->up), g ? e->s->gateway->tree : u->api->tree, g ? g->node : in->node);
    if (r->integration.fn)
        line(e, "answered_by", r->integration.e->id, NULL, NULL);
}

static int route(struct explain *e, const struct unit *u, const struct site_match *m)
{
    const struct stage_plan *sp = &u->stages[m->stage->index];
    enum api_type type = u->api->type;
    struct route_match rm;

    line(e, "deployment", sp->main->d->id, u->api->tree, sp->main->d->doc);
    if (route_find(sp->main->d->routes, type, m->path, e->method, &rm) != ROUTE_FOUND) {
        answer(e, "no resource and method match", type == API_REST ? (enum gw_type)SP_GR_MISSING_AUTHENTICATION_TOKEN : GW_NO_ROUTE,
               type == API_REST ? GW_STYLE_REST : GW_STYLE_HTTP, u->aws_strict);
        return E_NONE;
    }
    const struct route_plan *r = &sp->main->routes[rm.method->index];
    struct place pl = {m->stage, sp->main->d, rm.method};
    str label = arena_printf(&((struct unit *)u)->arena, "%.*s %.*s", STR_ARG(http_method_name((enum http_method)rm.method->method)),
                             STR_ARG(rm.method->resource->path));
    line(e, "route", label, u->api->tree, rm.method->node);
    unsigned count;
    const str *names = route_names(sp->main->d->routes, rm.method, &count);
    for (unsigned i = 0; i < rm.param_count && !e->json; i++)
        text_printf(e->out, "  {%.*s} = %.*s\n", STR_ARG(names[i]), STR_ARG(rm.values[i]));
    integration(e, u, r);
    hooks(e, u, sp->none.chains, r->chains, &pl);
    return 0;
}

static int find(struct explain *e)
{
    struct site_match m;

    listeners(e, e->host);
    if (!site_find(e->s->site, e->host, e->path, &m)) {
        answer(e, "no API answers this host", GW_FORBIDDEN, GW_STYLE_REST, false);
        return E_NONE;
    }
    const struct unit *u = e->s->units[m.api_index];
    line(e, "api", u->api->id, u->api->tree, u->api->node);
    if (m.map)
        line(e, "host", m.map->name, u->api->tree, m.map->node);
    if (!m.stage) {
        answer(e, "no such stage", u->api->type == API_REST ? GW_FORBIDDEN : GW_NO_ROUTE,
               u->api->type == API_REST ? GW_STYLE_REST : GW_STYLE_HTTP, false);
        return E_NONE;
    }
    line(e, "stage", m.stage->name, u->api->tree, m.stage->node);
    return route(e, u, &m);
}

/* "http://host/path?query", or "/path?query" with a Host header. */
static void parse_url(struct explain *e, str url, const str *headers, unsigned n)
{
    size_t scheme = str_find(url, STR("://"));

    if (scheme < url.n) {
        str rest = str_drop(url, scheme + 3);
        size_t slash = str_chr(rest, '/');
        e->host = str_take(rest, slash);
        url = slash < rest.n ? str_drop(rest, slash) : STR("/");
    }
    size_t q = str_chr(url, '?');
    e->path = str_take(url, q);
    e->query = q < url.n ? str_drop(url, q + 1) : STR_NONE;
    for (unsigned i = 0; i < n; i++) {
        size_t colon = str_chr(headers[i], ':');
        if (colon < headers[i].n && str_ieq(str_take(headers[i], colon), STR("host")))
            e->host = str_trim(str_drop(headers[i], colon + 1), " \t");
    }
}

int pipeline_explain(const struct snapshot *s, str method, str url, const str *headers, unsigned nheaders, bool json, struct text *out)
{
    struct explain e = {.s = s, .out = out, .json = json, .method = http_method_of(method), .method_name = method};
    int rc;

    parse_url(&e, url, headers, nheaders);
    if (json)
        json_open(out, '{');
    rc = find(&e);
    if (json)
        json_close(out, '}');
    return rc;
}

void pipeline_plugins(const struct pipeline *p, bool json, struct text *out)
{
    const struct entry_set *es = p->current ? p->current->entries : NULL;

    if (json)
        json_open(out, '[');
    for (unsigned i = 0; es && i < es->n; i++) {
        const struct entry *e = &es->v[i];
        const struct sp_plugin *d = &e->mod->desc;

        if (!json) {
            text_printf(out, "%-20.*s %-16s %-10s ABI %u.%u  %s  (%.*s:%u)%s\n", STR_ARG(e->id), d->name, d->version, d->abi_major,
                        d->abi_minor, e->mod->path, STR_ARG(e->file), e->line, module_stale(e->mod) ? "  file changed: needs an upgrade" : "");
            continue;
        }
        json_open(out, '{');
        json_kv(out, "entry", e->id);
        json_kv(out, "plugin", str_z(d->name));
        json_kv(out, "version", str_z(d->version));
        json_kv(out, "path", str_z(e->mod->path));
        json_kv(out, "sha256", str_z(e->mod->sha256));
        json_key(out, "stale");
        json_bool(out, module_stale(e->mod));
        json_close(out, '}');
    }
    if (json)
        json_close(out, ']');
}
