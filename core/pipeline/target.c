/* SPDX-License-Identifier: Apache-2.0 */
/* What a route's integration request needs, laid out while the conf is compiled. */
#include "pipeline/plan.h"

/* What stands for {name} in the URI. False: only the request tells. */
static bool fill_param(const struct route_trie *t, const struct api_method *method, str name, struct target_part *p)
{
    const struct integration *in = &method->integration;

    for (unsigned i = 0; i < in->param_count; i++) {
        const struct param_map *m = &in->params[i];

        if (m->to_place != P_PATH || !str_eq(m->to, name))
            continue;
        if (m->from_place != P_PATH)
            return false;
        name = m->from;
        break;
    }
    p->param = route_name_index(t, method, name);
    return true;
}

static bool fill_part(const struct route_trie *t, const struct route_plan *r, const struct stage *s, const struct uri_part *u,
                      struct target_part *p)
{
    const struct stage_var *sv;

    *p = (struct target_part){.param = -1};
    if (u->kind == URI_PATH_PARAM)
        return fill_param(t, r->method, u->text, p);
    str text = u->text;
    if (u->kind != URI_TEXT) {
        sv = stage_var(s, u->text);
        text = sv ? sv->value : STR("");
    }
    p->p = text.p;
    p->n = (uint32_t)text.n;
    return str_chr(text, '?') == text.n;
}

/* Text behind the parts, in the same block. */
static int pack(struct arena *a, const struct target_part *v, unsigned n, const struct target **out)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += v[i].n;
    struct target *t = arena_lines(a, sizeof(*t) + n * sizeof(*v) + bytes);
    if (!t)
        return E_NOMEM;
    char *at = (char *)&t->v[n];
    t->count = n;
    for (unsigned i = 0; i < n; i++) {
        t->v[i] = v[i];
        if (v[i].n)
            memcpy(at, v[i].p, v[i].n);
        t->v[i].p = at;
        at += v[i].n;
    }
    *out = t;
    return 0;
}

int target_compile(struct arena *a, struct route_plan *r, const struct stage *s, enum api_type type, const struct route_trie *t)
{
    const struct integration *in = &r->method->integration;
    unsigned n = 0;

    r->kind = (uint8_t)in->kind;
    r->unchanged = in->kind == INT_UPSTREAM && !in->part_count;
    if (in->http_method.n && !str_eq(in->http_method, STR("ANY"))) {
        r->own_method = true;
        r->method_name = in->http_method;
        r->method_id = (uint8_t)http_method_of(in->http_method);
    }
    if (r->unchanged || in->kind == INT_PLUGIN || in->kind == INT_NONE)
        return 0;
    if (type == API_HTTP && str_eq(r->method->resource->path, STR("$default")))
        return 0;
    for (unsigned i = 0; i < in->param_count; i++)
        if (in->params[i].to_place != P_PATH)
            return 0;
    struct target_part *v = arena_alloc(a, (in->part_count + 1) * sizeof(*v));
    if (!v)
        return E_NOMEM;
    if (r->prefix.n)
        v[n++] = (struct target_part){.p = r->prefix.p, .n = (uint32_t)r->prefix.n, .param = -1};
    for (unsigned i = 0; i < in->part_count; i++)
        if (!fill_part(t, r, s, &in->parts[i], &v[n++]))
            return 0;
    return pack(a, v, n, &r->target);
}
