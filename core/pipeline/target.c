/* SPDX-License-Identifier: Apache-2.0 */
/* What a route's integration request needs, laid out while the conf is compiled. */
#include "pipeline/plan.h"

struct part {
    const char *text;
    struct target_part as;
};

static void fill_text(struct part *p, str text)
{
    *p = (struct part){text.p, {.n = (uint32_t)text.n, .param = -1}};
}

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
                      struct part *p)
{
    if (u->kind == URI_PATH_PARAM)
        return fill_param(t, r->method, u->text, &p->as);
    str text = u->kind == URI_TEXT ? u->text : stage_var_value(s, u->text);
    fill_text(p, text);
    return str_chr(text, '?') == text.n;
}

static int pack(struct arena *a, struct route_plan *r, const struct part *v, unsigned n)
{
    struct target *t = (struct target *)(void *)r->target.room;
    size_t bytes = sizeof(*t) + n * sizeof(v[0].as);

    for (unsigned i = 0; i < n; i++)
        bytes += v[i].as.n;
    if (bytes > sizeof(r->target.room)) {
        t = arena_lines(a, bytes);
        if (!t)
            return E_NOMEM;
        r->target.far = t;
        r->far_target = true;
    }
    char *at = (char *)&t->v[n];
    t->count = n;
    for (unsigned i = 0; i < n; i++) {
        t->v[i] = v[i].as;
        if (v[i].as.n)
            memcpy(at, v[i].text, v[i].as.n);
        at += v[i].as.n;
    }
    r->has_target = true;
    return 0;
}

static int lay_out(struct arena *a, struct route_plan *r, const struct stage *s, const struct route_trie *t)
{
    const struct integration *in = &r->method->integration;
    struct part *v = calloc(in->part_count + 1, sizeof(*v));
    bool known = true;
    unsigned n = 0;

    if (!v)
        return E_NOMEM;
    if (r->prefix.n)
        fill_text(&v[n++], r->prefix);
    for (unsigned i = 0; i < in->part_count && known; i++)
        known = fill_part(t, r, s, &in->parts[i], &v[n++]);
    int rc = known ? pack(a, r, v, n) : 0;
    free(v);
    return rc;
}

int target_compile(struct arena *a, struct route_plan *r, const struct stage *s, enum api_type type, const struct route_trie *t)
{
    const struct integration *in = &r->method->integration;

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
    return lay_out(a, r, s, t);
}
