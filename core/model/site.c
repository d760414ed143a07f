/* SPDX-License-Identifier: Apache-2.0 */
/* Which API and stage a request means: host index, base paths longest first, the stage in the path.
 * Immutable once built. */
#include "base/map.h"
#include "model/route.h"
#include "model/schema.h"

#define HOST_MAX 255

struct site_entry {
    const struct api *api;
    const struct host_mapping *map;
    unsigned index;
};

struct site_host {
    struct site_entry *v; /* longest base path first */
    unsigned n, cap;
};

struct site {
    struct map hosts;     /* "api.example.org" -> site_host */
    struct map suffixes;  /* ".example.org" -> site_host */
    struct map ids;       /* API id -> its place in apis, plus one */
    struct site_host any; /* "*" */
    struct api *const *apis;
    unsigned count;
};

static void complain(struct diag *d, const struct site_entry *e, const struct site_entry *first)
{
    const struct node *n = e->map->node, *o = first->map->node;

    diag_add(d, DIAG_ERROR, node_where(e->api->tree, n), node_path(&d->arena, n),
             arena_printf(&d->arena,
                          "the host '%.*s' with base path '%.*s' is used twice, first at %s:%u:%u",
                          STR_ARG(e->map->name), STR_ARG(e->map->base_path),
                          node_file(first->api->tree, o), o->line, o->col),
             STR("another host or base path"), STR_NONE);
}

static struct site_host *host_of(struct site *s, str name)
{
    struct map *in = str_starts(name, STR("*.")) ? &s->suffixes : &s->hosts;
    struct site_host *h;
    str key = in == &s->suffixes ? str_drop(name, 1) : name;

    if (str_eqz(name, "*"))
        return &s->any;
    h = map_get(in, key);
    if (h)
        return h;
    h = calloc(1, sizeof(*h));
    if (h && map_put(in, key, h, NULL)) {
        free(h);
        return NULL;
    }
    return h;
}

static int host_add(struct site_host *h, struct site_entry e)
{
    unsigned at = h->n;

    if (h->n == h->cap) {
        unsigned cap = h->cap ? h->cap * 2 : 4;
        struct site_entry *v = realloc(h->v, sizeof(*v) * cap);

        if (!v)
            return E_NOMEM;
        h->v = v;
        h->cap = cap;
    }
    while (at > 0 && h->v[at - 1].map->base_path.n < e.map->base_path.n)
        at--;
    memmove(&h->v[at + 1], &h->v[at], sizeof(*h->v) * (h->n - at));
    h->v[at] = e;
    h->n++;
    return 0;
}

static int add_mapping(struct site *s, struct site_entry e, struct diag *d)
{
    struct site_host *h = host_of(s, e.map->name);

    if (!h)
        return E_NOMEM;
    for (unsigned i = 0; i < h->n; i++)
        if (str_eq(h->v[i].map->base_path, e.map->base_path)) {
            complain(d, &e, &h->v[i]);
            return E_CONF;
        }
    return host_add(h, e);
}

static int add_api(struct site *s, unsigned index, struct diag *d)
{
    const struct api *api = s->apis[index];
    int rc = 0;

    if (!api->disable_execute_api &&
        map_put(&s->ids, api->id, (void *)(uintptr_t)(index + 1), NULL))
        return E_NOMEM;
    for (unsigned i = 0; i < api->host_count; i++) {
        int one = add_mapping(s, (struct site_entry){api, &api->hosts[i], index}, d);

        if (one == E_NOMEM)
            return one;
        rc = rc ? rc : one;
    }
    return rc;
}

struct site *site_build(struct api *const *apis, unsigned n, struct node_tree *tree UNUSED,
                        struct diag *d)
{
    struct site *s = calloc(1, sizeof(*s));
    int rc = 0;

    if (!s) {
        diag_error(d, (struct diag_at){NULL, 0, 0}, NULL, NULL,
                   "out of memory while hosts were indexed");
        return NULL;
    }
    map_init(&s->hosts, true);
    map_init(&s->suffixes, true);
    map_init(&s->ids, true);
    s->apis = apis;
    s->count = n;
    for (unsigned i = 0; i < n && rc != E_NOMEM; i++) {
        int one = add_api(s, i, d);

        rc = one == E_NOMEM || !rc ? one : rc;
    }
    if (!rc)
        return s;
    if (rc == E_NOMEM)
        diag_error(d, (struct diag_at){NULL, 0, 0}, NULL, NULL,
                   "out of memory while hosts were indexed");
    site_free(s);
    return NULL;
}

static void free_hosts(struct map *m)
{
    uint32_t i = 0;
    void *h;
    str key;

    while (map_next(m, &i, &key, &h)) {
        free(((struct site_host *)h)->v);
        free(h);
    }
    map_fini(m);
}

void site_free(struct site *s)
{
    if (!s)
        return;
    free_hosts(&s->hosts);
    free_hosts(&s->suffixes);
    map_fini(&s->ids);
    free(s->any.v);
    free(s);
}

/* Lower case, without port and without the dot at the end. False: not a host at all. */
static bool normal_host(str host, char *to, str *out)
{
    size_t n = host.n && host.p[0] == '[' ? str_chr(host, ']') + 1 : str_chr(host, ':');

    if (n > host.n || n > HOST_MAX)
        return false;
    if (n < host.n && host.p[n] != ':')
        return false;
    if (n && host.p[n - 1] == '.')
        n--;
    for (size_t i = 0; i < n; i++)
        to[i] = chr_lower(host.p[i]);
    *out = str_n(to, n);
    return n > 0;
}

static const struct site_host *find_suffix(const struct site *s, str host)
{
    if (s->suffixes.count == 0)
        return NULL;
    for (size_t i = 1; i < host.n; i++) {
        const struct site_host *h =
            host.p[i] == '.' ? map_get(&s->suffixes, str_drop(host, i)) : NULL;

        if (h)
            return h;
    }
    return NULL;
}

/* {api-id}.execute-api.<rest>: the API's place plus one, or 0. */
static unsigned find_execute(const struct site *s, str host)
{
    size_t dot = str_chr(host, '.');
    str rest = str_drop(host, dot);

    if (!str_starts(rest, STR(".execute-api.")) || rest.n == sizeof(".execute-api.") - 1)
        return 0;
    return (unsigned)(uintptr_t)map_get(&s->ids, str_take(host, dot));
}

/* Slashes in front count as one. */
static str collapse(str path)
{
    while (path.n > 1 && path.p[0] == '/' && path.p[1] == '/')
        path = str_drop(path, 1);
    return path;
}

static bool cut_base(str path, str base, str *rest)
{
    if (base.n == 0) {
        *rest = path;
        return true;
    }
    path = collapse(path);
    if (!str_starts(path, base) || (path.n > base.n && path.p[base.n] != '/'))
        return false;
    *rest = str_drop(path, base.n);
    return true;
}

/* The stage in the first segment; an HTTP API's $default stage takes what names no other. */
static void stage_of_path(struct site_match *m, str path)
{
    str at = collapse(path), seg = str_drop(at, 1);

    seg = str_take(seg, str_chr(seg, '/'));
    m->stage = seg.n && seg.p[0] != '$' ? api_stage(m->api, seg) : NULL;
    m->path = str_drop(at, seg.n + 1);
    if (m->api->type == API_REST) {
        m->path = collapse(m->path);
        return;
    }
    if (m->stage)
        return;
    m->stage = api_stage(m->api, STR("$default"));
    m->path = path;
}

static bool match_host(const struct site_host *h, str path, struct site_match *m)
{
    for (unsigned i = 0; i < h->n; i++) {
        const struct site_entry *e = &h->v[i];
        str rest;

        if (!cut_base(path, e->map->base_path, &rest))
            continue;
        m->api = e->api;
        m->map = e->map;
        m->api_index = e->index;
        m->base_path = e->map->base_path;
        m->stage = NULL;
        m->path = rest;
        if (e->map->stage.n)
            m->stage = api_stage(e->api, e->map->stage);
        else
            stage_of_path(m, rest);
        return true;
    }
    return false;
}

bool site_find(const struct site *s, str host, str path, struct site_match *out)
{
    const struct site_host *h = NULL;
    char lower[HOST_MAX];
    unsigned execute = 0;
    str name;

    *out = (struct site_match){0};
    if (normal_host(host, lower, &name)) {
        h = map_get(&s->hosts, name);
        if (!h)
            execute = find_execute(s, name);
        if (!h && !execute)
            h = find_suffix(s, name);
    }
    if (execute) {
        out->api = s->apis[execute - 1];
        out->api_index = execute - 1;
        out->base_path = STR("");
        stage_of_path(out, path);
        return true;
    }
    return match_host(h ? h : &s->any, path, out);
}
