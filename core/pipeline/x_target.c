/* SPDX-License-Identifier: Apache-2.0 */
/* The integration request's target: method, path and query from the integration's URI, the path's parameters, the stage's variables and
 * requestParameters (semantics 1.7, 2.2, 2.7, 7.2). */
#include "base/text.h"
#include "pipeline/exchange.h"

/* The value of a requestParameters mapping; p NULL: absent, and then the parameter is left out. */
static str source(struct exchange *x, const struct param_map *m)
{
    const str *pv;
    const struct stage_var *sv;
    const struct hdr *h = NULL;
    str v = STR_NONE;

    switch (m->from_place) {
    case P_STATIC:
        return m->from;
    case P_PATH:
        pv = x_path_param(x, m->from);
        return pv ? *pv : STR_NONE;
    case P_STAGE_VAR:
        sv = x_stage_var(x, m->from);
        return sv ? sv->value : STR_NONE;
    case P_QUERY:
        return x_query_get(x, m->from, &v) ? v : STR_NONE;
    case P_HEADER: /* the last one */
        for (unsigned i = 0; hdrs_get(&x->st->req.h, HDR_OTHER, m->from, i); i++)
            h = hdrs_get(&x->st->req.h, HDR_OTHER, m->from, i);
        return h ? h->value : STR_NONE;
    default:
        v = var_text(x, var_id_of(x, m->from));
        return v.n ? v : STR_NONE;
    }
}

static str path_value(struct exchange *x, const struct integration *in, str name)
{
    for (unsigned i = 0; i < in->param_count; i++)
        if (in->params[i].to_place == P_PATH && str_eq(in->params[i].to, name))
            return source(x, &in->params[i]);
    const str *value = x_path_param(x, name);
    return value ? *value : STR_NONE;
}

/* Bytes that would end the path, or the request line, are escaped; what the client had escaped stays so. */
static char *put_path(char *at, str v)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];

        if (c > 0x20 && c < 0x7f && c != '?' && c != '#') {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    return at;
}

static void add_path(struct exchange *x, struct text *t, str v)
{
    char *p = arena_bytes(x->arena, 3 * v.n);

    if (p)
        text_add(t, str_n(p, (size_t)(put_path(p, v) - p)));
    else
        t->failed = true;
}

static void add_uri(struct exchange *x, const struct integration *in, struct text *t)
{
    text_add(t, x->route->prefix);
    for (unsigned i = 0; i < in->part_count; i++) {
        const struct uri_part *p = &in->parts[i];
        const struct stage_var *sv;

        if (p->kind == URI_TEXT)
            text_add(t, p->text);
        else if (p->kind == URI_PATH_PARAM)
            add_path(x, t, path_value(x, in, p->text));
        else if ((sv = x_stage_var(x, p->text)))
            text_add(t, sv->value);
    }
}

static void add_pair(struct exchange *x, struct text *t, str name, str value)
{
    if (t->n)
        text_chr(t, '&');
    text_add(t, enc_percent(x->arena, name, false));
    text_chr(t, '=');
    text_add(t, enc_percent(x->arena, value, false));
}

/* The URI's own query, the client's, then what requestParameters add. */
static int set_query(struct exchange *x, const struct integration *in, str own)
{
    struct text t;
    str client = x->st->req.query;
    bool any = own.p != NULL;
    int rc = 0;

    for (unsigned i = 0; i < in->param_count && !any; i++)
        any = in->params[i].to_place == P_QUERY;
    if (!any) {
        x->req.query = client;
        return 0;
    }
    text_init(&t);
    text_add(&t, own);
    if (client.n) {
        if (t.n)
            text_chr(&t, '&');
        text_add(&t, client);
    }
    for (unsigned i = 0; i < in->param_count; i++) {
        const struct param_map *m = &in->params[i];
        str v = m->to_place == P_QUERY ? source(x, m) : STR_NONE;
        if (v.p)
            add_pair(x, &t, m->to, v);
    }
    str q = text_str(&t);
    x->req.query = q.n ? arena_str(x->arena, q) : STR_NONE;
    if (t.failed || (q.n && !x->req.query.p))
        rc = E_NOMEM;
    text_fini(&t);
    return rc;
}

static int set_headers(struct exchange *x, const struct integration *in)
{
    for (unsigned i = 0; i < in->param_count; i++) {
        const struct param_map *m = &in->params[i];
        str v = m->to_place == P_HEADER ? source(x, m) : STR_NONE;
        int rc;

        if (!v.n)
            continue;
        if (!hdr_value_ok(v))
            return E_ARG;
        rc = hdrs_set(&x->req.h, x->arena, hdr_id_of(m->to), m->to, v);
        if (rc)
            return rc;
    }
    return 0;
}

static int http_target(struct exchange *x, const struct integration *in)
{
    struct text t;
    str whole, path, own = STR_NONE;

    text_init(&t);
    add_uri(x, in, &t);
    whole = text_str(&t);
    size_t q = str_chr(whole, '?');
    path = str_take(whole, q);
    if (q < whole.n)
        own = arena_str(x->arena, str_drop(whole, q + 1));
    if (x->api_type == API_HTTP && str_eq(x->route->method->resource->path, STR("$default"))) {
        const str parts[] = {str_ends(path, STR("/")) ? str_take(path, path.n - 1) : path,
                             x->resource_path.n ? x->resource_path : STR("/")};
        x->req.path = arena_cat(x->arena, 2, parts); /* the full path goes behind the URI (semantics 7.2) */
    } else {
        x->req.path = path.n && path.p[0] == '/' ? arena_str(x->arena, path) : arena_printf(x->arena, "/%.*s", STR_ARG(path));
    }
    bool failed = t.failed || !x->req.path.p || (q < whole.n && !own.p);
    text_fini(&t);
    if (failed)
        return E_NOMEM;
    int rc = set_query(x, in, own);
    return rc ? rc : set_headers(x, in);
}

/* The path alone, as target_compile() has laid it out. */
static int short_target(struct exchange *x, const struct target *t)
{
    size_t size = 2;

    for (unsigned i = 0; i < t->count; i++)
        size += t->v[i].param < 0 ? t->v[i].n : 3 * x->params[t->v[i].param].n;
    char *p = arena_bytes(x->arena, size), *at = p + 1;
    const char *from = (const char *)&t->v[t->count];
    if (!p)
        return E_NOMEM;
    for (unsigned i = 0; i < t->count; i++) {
        if (t->v[i].param >= 0) {
            at = put_path(at, x->params[t->v[i].param]);
        } else {
            memcpy(at, from, t->v[i].n);
            at += t->v[i].n;
            from += t->v[i].n;
        }
    }
    if (at > p + 1 && p[1] == '/')
        p++;
    else
        p[0] = '/';
    x->req.path = str_n(p, (size_t)(at - p));
    x->req.query = x->st->req.query;
    return 0;
}

int x_target(struct exchange *x)
{
    const struct route_plan *r = x->route;

    if (r->own_method) {
        x->req.method_name = r->method_id != M_OTHER ? http_method_name((enum http_method)r->method_id) : r->method_name;
        x->req.method = r->method_id;
    }
    if (r->unchanged) {
        x->req.path = x->resource_path.n ? x->resource_path : STR("/");
        return 0;
    }
    const struct target *t = route_target(r);
    return t ? short_target(x, t) : http_target(x, &r->method->integration);
}
