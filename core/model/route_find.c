/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the trie for a request: literal before {x} before {x+}, method-aware with backtracking. No
 * allocation. */
#include "model/trie.h"

struct seg {
    uint32_t off, len; /* in the path; off is behind the '/' */
    uint64_t hash;
};

struct walk {
    const struct route_trie *t;
    str path;
    unsigned method;
    bool greedy;   /* {x+} counts */
    bool any;      /* any method will do: was it the path or the method? */
    unsigned segs; /* of the path, at most the trie's depth + 1 */
    unsigned vals;
    struct seg seg[ROUTE_DEPTH_MAX + 1];
    str val[ROUTE_PARAMS_MAX];
};

/* Segments as far as the trie is deep; what lies deeper only a greedy variable takes, as a whole.
 */
static void cut(struct walk *w)
{
    size_t at = 0;

    w->segs = 0;
    while (at < w->path.n && w->segs <= w->t->depth) {
        struct seg *s = &w->seg[w->segs++];
        str rest = str_drop(w->path, at + 1);

        s->off = (uint32_t)at + 1;
        s->len = (uint32_t)str_chr(rest, '/');
        if (s->len <= w->t->longest)
            s->hash = trie_seg_hash(str_take(rest, s->len));
        at = s->off + s->len;
    }
}

static uint32_t in_leaf(const struct walk *w, const struct trie_leaf *l)
{
    uint32_t found = 0;

    if (!w->any)
        return l->m[w->method] ? l->m[w->method] : l->m[M_OTHER];
    for (unsigned m = 0; m < ARRAY_LEN(l->m) && !found; m++)
        found = l->m[m];
    return found;
}

static const struct api_method *pick(const struct walk *w, const struct trie_node *n, enum trie_end e)
{
    const struct api_method *methods = w->t->dep->methods;
    unsigned mask = n->mask[e];

    if (!n->end[e] && !mask)
        return NULL;
    if (!w->any && w->method == M_OTHER)
        return NULL; /* ANY stands for the seven methods that AWS knows */
    if (!mask) {
        uint32_t found = in_leaf(w, &w->t->leaves[n->end[e] - 1]);
        return found ? &methods[found - 1] : NULL;
    }
    if (w->any)
        return &methods[n->end[e]];
    if (!(mask & 1u << w->method))
        return mask & 1 ? &methods[n->end[e]] : NULL;
    unsigned before = mask & ((1u << w->method) - 1);
    return &methods[n->end[e] + (before ? (unsigned)__builtin_popcount(before) : 0)];
}

static uint32_t literal(const struct walk *w, uint32_t at, const struct seg *s)
{
    const struct route_trie *t = w->t;
    const struct trie_node *n = &t->nodes[at];
    const char *text = w->path.p + s->off;

    if (n->literal != TRIE_MANY)
        return n->literal && n->literal == s->len && memcmp(n->only_text, text, s->len) == 0 ? n->only : 0;
    if (s->len > t->longest)
        return 0;
    for (uint32_t i = trie_edge_at(t->edge_mask, at, s->hash); t->edges[i].child; i = (i + 1) & t->edge_mask) {
        const struct trie_edge *e = &t->edges[i];

        if (e->parent != at || e->len != s->len || memcmp(trie_edge_text(t, e), text, s->len) != 0)
            continue;
        __builtin_prefetch(&t->nodes[e->child] + 2); /* what mostly stands below it */
        return e->child;
    }
    return 0;
}

/* {x+} takes one segment at least: something that is not a slash. */
static const struct api_method *greedy(struct walk *w, const struct trie_node *n, const struct seg *s)
{
    str rest = str_drop(w->path, s->off);
    const struct api_method *m = pick(w, n, TRIE_GREEDY);
    size_t i = 0;

    while (i < rest.n && rest.p[i] == '/')
        i++;
    if (!m || i == rest.n)
        return NULL;
    w->val[w->vals++] = rest;
    return m;
}

/* Recursion is as deep as the trie, and visits at most ROUTE_STEPS_MAX nodes: the builder has seen
 * to both. */
static const struct api_method *walk(struct walk *w, uint32_t at, unsigned depth)
{
    const struct trie_node *n = &w->t->nodes[at];
    const struct api_method *m;
    const struct seg *s;
    uint32_t child;

    if (!w->any && !(n->methods & 1u << w->method))
        return NULL;
    if (depth == w->segs)
        return pick(w, n, TRIE_LEAF);
    s = &w->seg[depth];
    child = literal(w, at, s);
    if (child && (m = walk(w, child, depth + 1)) != NULL)
        return m;
    if (n->param && s->len) {
        w->val[w->vals++] = str_n(w->path.p + s->off, s->len);
        m = walk(w, n->param, depth + 1);
        if (m)
            return m;
        w->vals--;
    }
    return w->greedy ? greedy(w, n, s) : NULL;
}

/* REST: slashes in front count as one, one at the end as none. */
static str trim(str path)
{
    while (path.n > 1 && path.p[0] == '/' && path.p[1] == '/')
        path = str_drop(path, 1);
    if (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

/* REST: deepest literal first, its greedy resources with it. HTTP APIs: any full match before any
 * greedy one. */
static const struct api_method *search(struct walk *w, enum api_type type)
{
    const struct api_method *m = NULL;

    w->vals = 0;
    w->greedy = type == API_REST;
    m = walk(w, 0, 0);
    if (m || w->greedy)
        return m;
    w->vals = 0;
    w->greedy = true;
    return walk(w, 0, 0);
}

static void fill(const struct walk *w, const struct api_method *m, struct route_match *out)
{
    out->method = m;
    out->param_count = w->vals;
    memcpy(out->values, w->val, w->vals * sizeof(w->val[0]));
}

const str *route_names(const struct route_trie *t, const struct api_method *m, unsigned *count)
{
    const struct trie_names *names = &t->names[m->resource - t->dep->resources];

    *count = names->count;
    return t->name_pool + names->first;
}

int route_name_index(const struct route_trie *t, const struct api_method *m, str name)
{
    unsigned count;
    const str *names = route_names(t, m, &count);

    for (unsigned i = 0; i < count; i++)
        if (str_eq(names[i], name))
            return (int)i;
    return -1;
}

enum route_result route_find(const struct route_trie *t, enum api_type type, str path,
                             enum http_method method, struct route_match *out)
{
    struct walk w;
    const struct api_method *m;

    w.t = t;
    w.method = method <= M_PUT ? method : M_OTHER;
    w.any = false;
    w.path = type == API_REST ? trim(path) : path;
    if (w.path.n == 1)
        w.path.n = 0;
    out->method = NULL;
    out->param_count = 0;
    if (w.path.n && (w.path.p[0] != '/' || w.path.n > UINT32_MAX / 2))
        return ROUTE_NO_PATH;
    cut(&w);
    m = search(&w, type);
    if (m) {
        fill(&w, m, out);
        return ROUTE_FOUND;
    }
    if (t->catch_all) {
        out->method = t->catch_all;
        return ROUTE_FOUND;
    }
    w.any = true;
    return search(&w, type) ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
