/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the resources of a deployment into a trie, and refuses what cannot stand side by side.
 */
#include "model/route.h"

#include "model/openapi.h"
#include "model/trie.h"

struct draft { /* of an edge */
    uint32_t parent, child; /* child 0: empty */
    str text;
};

struct builder {
    struct deployment *dep;
    struct route_trie *t;
    enum api_type type;
    struct node_tree *tree;
    struct diag *diag;
    struct arena *arena;
    struct trie_node *nodes;
    struct draft *edges; /* of all nodes */
    struct trie_leaf *leaves;
    uint32_t node_count, edge_mask, leaf_count, name_count;
    str *vars;         /* per node: the variable below it as written, "{id}"; REST allows one */
    uint32_t *parents; /* per node */
    bool *by_param;    /* per node: it is its parent's {x} */
    int rc;
};

static void complain(struct builder *b, const struct api_resource *res, str what,
                     const char *expected)
{
    diag_add(b->diag, DIAG_ERROR, node_where(b->tree, res->node),
             node_path(&b->diag->arena, res->node), what, str_z(expected), STR_NONE);
    b->rc = E_CONF;
}

static uint32_t node_add(struct builder *b, uint32_t parent, bool by_param)
{
    uint32_t n = b->node_count++;

    b->parents[n] = parent;
    b->by_param[n] = by_param;
    return n;
}

static void count_literal(struct trie_node *n, uint32_t child, str seg)
{
    bool only = n->literal == 0 && seg.n && seg.n <= sizeof(n->only_text);

    n->literal = only ? (uint8_t)seg.n : TRIE_MANY;
    if (!only)
        return;
    n->only = child;
    memcpy(n->only_text, seg.p, seg.n);
}

static uint32_t literal_child(struct builder *b, uint32_t at, str seg)
{
    uint32_t i = trie_edge_at(b->edge_mask, at, trie_seg_hash(seg));

    for (; b->edges[i].child; i = (i + 1) & b->edge_mask)
        if (b->edges[i].parent == at && str_eq(b->edges[i].text, seg))
            return b->edges[i].child;
    b->edges[i] = (struct draft){at, node_add(b, at, false), seg};
    count_literal(&b->nodes[at], b->edges[i].child, seg);
    if (seg.n > b->t->longest)
        b->t->longest = (uint32_t)seg.n;
    return b->edges[i].child;
}

/* REST: one variable below a resource, and everybody calls it the same. */
static bool sibling_ok(struct builder *b, const struct api_resource *res, uint32_t at, str seg)
{
    if (b->type != API_REST || !b->vars[at].p || str_eq(b->vars[at], seg)) {
        b->vars[at] = seg;
        return true;
    }
    complain(b, res,
             arena_printf(&b->diag->arena,
                          "A sibling (%.*s) of this resource already has a variable path part -- "
                          "only one is allowed",
                          STR_ARG(b->vars[at])),
             NULL);
    return false;
}

/* The resource's methods, which stand side by side. */
static unsigned run_of(const struct builder *b, const struct api_resource *res, uint32_t *first)
{
    const struct api_method *at = NULL;
    unsigned mask = 0;

    for (unsigned m = 0; m <= M_PUT; m++) {
        const struct api_method *have = res->methods[m ? m : M_ANY];

        if (!have)
            continue;
        if (at && have != at + 1)
            BUG("methods of a resource out of order");
        if (!at)
            *first = (uint32_t)(have - b->dep->methods);
        at = have;
        mask |= 1u << m;
    }
    return mask;
}

/* What ends there becomes a leaf, so that others can join. */
static struct trie_leaf *leaf_of(struct builder *b, struct trie_node *n, enum trie_end e)
{
    unsigned mask = n->mask[e];
    uint32_t next = n->end[e];

    if (!mask && n->end[e])
        return &b->leaves[n->end[e] - 1];
    struct trie_leaf *l = &b->leaves[b->leaf_count++];
    n->end[e] = b->leaf_count;
    n->mask[e] = 0;
    for (unsigned m = 0; m <= M_PUT; m++)
        if (mask & 1u << m)
            l->m[m] = ++next;
    return l;
}

static void join(struct builder *b, const struct api_resource *res, struct trie_leaf *leaf)
{
    const struct api_method *methods = b->dep->methods;

    for (unsigned m = 0; m <= M_PUT; m++) {
        const struct api_method *own = res->methods[m ? m : M_ANY];
        const struct api_method *other = leaf->m[m] ? &methods[leaf->m[m] - 1] : NULL;

        if (own && other)
            complain(b, res,
                     arena_printf(&b->diag->arena, "the route matches what '%.*s' matches, line %u",
                                  STR_ARG(other->resource->path), other->resource->node->line),
                     "each method once");
        else if (own)
            leaf->m[m] = (uint32_t)(own - methods) + 1;
    }
}

static void end_at(struct builder *b, const struct api_resource *res, uint32_t at, enum trie_end e)
{
    struct trie_node *n = &b->nodes[at];
    uint32_t first = 0;
    unsigned mask = run_of(b, res, &first);

    if (!mask)
        return;
    if (!n->mask[e] && !n->end[e]) {
        n->end[e] = first;
        n->mask[e] = (uint8_t)mask;
    } else {
        join(b, res, leaf_of(b, n, e));
    }
    n->methods |= mask & 1 ? 0xfe : (uint8_t)mask;
}

static void names_add(struct builder *b, uint32_t resource, str name)
{
    struct route_trie *t = b->t;

    t->name_pool[b->name_count++] = name;
    t->names[resource].count++;
}

static void insert(struct builder *b, uint32_t resource)
{
    const struct api_resource *res = &b->dep->resources[resource];
    str rest = res->path, seg;
    uint32_t at = 0, depth = 0;
    bool greedy = false;

    b->t->names[resource].first = b->name_count;
    if (rest.n == 1)
        rest.n = 0; /* "/" is the root itself */
    while (path_segment(&rest, &seg)) {
        str name = path_var(seg, &greedy);

        if (++depth > ROUTE_DEPTH_MAX) {
            complain(b, res, STR("the path has too many segments"), "at most 128");
            return;
        }
        if (!name.p) {
            at = literal_child(b, at, seg);
            continue;
        }
        if (b->t->names[resource].count == ROUTE_PARAMS_MAX) {
            complain(b, res, STR("the path has too many variables"), "at most 32");
            return;
        }
        if (!sibling_ok(b, res, at, seg))
            return;
        names_add(b, resource, name);
        if (greedy)
            break;
        if (!b->nodes[at].param)
            b->nodes[at].param = node_add(b, at, true);
        at = b->nodes[at].param;
    }
    if (depth > b->t->depth)
        b->t->depth = depth;
    end_at(b, res, at, greedy ? TRIE_GREEDY : TRIE_LEAF);
}

/* The most nodes that one request can visit: at each node the dearest literal child and, behind it,
 * the variable one. Backtracking would be exponential in the depth if this had no bound. */
static void check_steps(struct builder *b, uint64_t *steps)
{
    struct route_trie *t = b->t;

    for (uint32_t n = b->node_count; n-- > 0;) {
        uint64_t own = 1 + steps[2 * n] + steps[2 * n + 1];
        uint64_t *up = &steps[2 * b->parents[n] + (b->by_param[n] ? 1 : 0)];

        if (n == 0) {
            if (own > ROUTE_STEPS_MAX && t->dep->resource_count)
                complain(
                    b, &t->dep->resources[0],
                    arena_printf(
                        &b->diag->arena,
                        "the document's paths overlap so much that one request may need %llu steps",
                        (unsigned long long)own),
                    "at most 4096");
            return;
        }
        if (own > UINT32_MAX)
            own = UINT32_MAX;
        if (own > *up)
            *up = own;
        b->nodes[b->parents[n]].methods |= b->nodes[n].methods;
    }
}

/* Upper bounds, so that nothing moves while the trie grows. */
struct bounds {
    uint32_t segments, literals;
};

static struct bounds measure(const struct deployment *dep)
{
    struct bounds n = {1, 1};

    for (unsigned i = 0; i < dep->resource_count; i++) {
        str rest = dep->resources[i].path, seg;
        bool greedy;

        while (path_segment(&rest, &seg)) {
            n.segments++;
            n.literals += !path_var(seg, &greedy).p;
        }
    }
    return n;
}

static uint32_t slots_for(uint32_t edges)
{
    uint32_t slots = 4;

    while (slots < edges + edges / 2)
        slots *= 2;
    return slots;
}

static int allocate(struct builder *b)
{
    struct bounds n = measure(b->dep);
    size_t resources = b->dep->resource_count + 1, names = n.segments - n.literals + 1, slots = slots_for(n.literals);
    struct route_trie *t = b->t = arena_zalloc(b->arena, sizeof(*t));

    if (!t)
        return E_NOMEM;
    b->edge_mask = (uint32_t)slots - 1;
    b->nodes = calloc(n.segments + 1, sizeof(*b->nodes));
    b->edges = calloc(slots, sizeof(*b->edges));
    b->leaves = calloc(resources, sizeof(*b->leaves));
    b->vars = calloc(n.segments + 1, sizeof(*b->vars));
    b->parents = calloc(n.segments + 1, sizeof(*b->parents));
    b->by_param = calloc(n.segments + 1, sizeof(*b->by_param));
    t->dep = b->dep;
    t->names = arena_zalloc(b->arena, sizeof(*t->names) * resources);
    t->name_pool = arena_zalloc(b->arena, sizeof(*t->name_pool) * names);
    t->size = sizeof(*t) + sizeof(*t->name_pool) * names + sizeof(*t->names) * resources;
    return b->nodes && b->edges && b->leaves && b->vars && b->parents && b->by_param && t->names && t->name_pool ? 0 : E_NOMEM;
}

/* Does it go into the table? Only literal children stand in their parents. */
static bool tabled(const struct builder *b, const struct draft *d)
{
    return d->child && b->nodes[d->parent].literal == TRIE_MANY;
}

static void put_edge(struct route_trie *t, const struct draft *d, uint32_t *pool_used)
{
    uint32_t i = trie_edge_at(t->edge_mask, d->parent, trie_seg_hash(d->text));

    while (t->edges[i].child)
        i = (i + 1) & t->edge_mask;
    struct trie_edge *e = &t->edges[i];
    *e = (struct trie_edge){d->parent, d->child, (uint32_t)d->text.n, {{0}}};
    if (d->text.n > sizeof(e->u.text)) {
        e->u.off = *pool_used;
        memcpy(t->pool + *pool_used, d->text.p, d->text.n);
        *pool_used += (uint32_t)d->text.n;
    } else if (d->text.n) {
        memcpy(e->u.text, d->text.p, d->text.n);
    }
}

/* As small as it can be, now that all is known. */
static int settle(struct builder *b)
{
    struct route_trie *t = b->t;
    uint32_t edges = 0, bytes = 0, slots, used = 0;

    for (uint32_t i = 0; i <= b->edge_mask; i++) {
        const struct draft *d = &b->edges[i];

        if (!tabled(b, d))
            continue;
        edges++;
        bytes += d->text.n > sizeof(t->edges->u.text) ? (uint32_t)d->text.n : 0;
    }
    slots = slots_for(edges);
    t->edge_mask = slots - 1;
    t->nodes = arena_lines(b->arena, sizeof(*t->nodes) * b->node_count);
    t->edges = arena_lines(b->arena, sizeof(*t->edges) * slots);
    t->leaves = arena_lines(b->arena, sizeof(*t->leaves) * b->leaf_count);
    t->pool = arena_bytes(b->arena, bytes);
    t->size += sizeof(*t->nodes) * b->node_count + sizeof(*t->edges) * slots + sizeof(*t->leaves) * b->leaf_count + bytes;
    if (!t->nodes || !t->edges || !t->leaves || !t->pool)
        return E_NOMEM;
    memcpy(t->nodes, b->nodes, sizeof(*t->nodes) * b->node_count);
    memcpy(t->leaves, b->leaves, sizeof(*t->leaves) * b->leaf_count);
    for (uint32_t i = 0; i <= b->edge_mask; i++)
        if (tabled(b, &b->edges[i]))
            put_edge(t, &b->edges[i], &used);
    b->dep->routes = t;
    return b->rc;
}

static int build(struct builder *b)
{
    uint64_t *steps;
    int rc = allocate(b);

    if (rc)
        return rc;
    node_add(b, 0, false);
    for (uint32_t i = 0; i < b->dep->resource_count; i++) {
        const struct api_resource *res = &b->dep->resources[i];

        if (!str_eqz(res->path, "$default"))
            insert(b, i);
        else if (b->t->catch_all)
            complain(b, res, STR("the default route is defined twice"), NULL);
        else
            b->t->catch_all = res->methods[M_ANY];
    }
    steps = calloc(2 * (size_t)b->node_count, sizeof(*steps));
    if (!steps)
        return E_NOMEM;
    check_steps(b, steps);
    free(steps);
    return settle(b);
}

int route_trie_build(struct deployment *dep, enum api_type type, struct node_tree *tree,
                     struct diag *d)
{
    struct builder b = {.dep = dep, .type = type, .tree = tree, .diag = d, .arena = &tree->arena};
    int rc = build(&b);

    free(b.nodes);
    free(b.edges);
    free(b.leaves);
    free(b.vars);
    free(b.parents);
    free(b.by_param);
    return rc;
}

size_t route_trie_size(const struct route_trie *t)
{
    return t->size;
}
