/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the resources of a deployment into a trie, and refuses what cannot stand side by side.
 */
#include "model/route.h"

#include "model/openapi.h"
#include "model/trie.h"

struct builder {
    struct deployment *dep;
    struct route_trie *t;
    enum api_type type;
    struct node_tree *tree;
    struct diag *diag;
    struct arena *arena;
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
    uint32_t n = b->t->node_count++;

    b->parents[n] = parent;
    b->by_param[n] = by_param;
    return n;
}

static uint32_t literal_child(struct builder *b, uint32_t at, str seg)
{
    struct route_trie *t = b->t;
    uint32_t i = trie_edge_at(t, at, trie_seg_hash(seg));

    for (; t->edges[i].child; i = (i + 1) & t->edge_mask)
        if (t->edges[i].parent == at &&
            str_eq(str_n(trie_edge_text(t, &t->edges[i]), t->edges[i].len), seg))
            return t->edges[i].child;
    struct trie_edge *e = &t->edges[i];
    *e = (struct trie_edge){at, node_add(b, at, false), (uint32_t)seg.n, {{0}}};
    if (seg.n <= sizeof(e->u.text)) {
        memcpy(e->u.text, seg.p, seg.n);
    } else {
        e->u.off = t->pool_used;
        memcpy(t->pool + t->pool_used, seg.p, seg.n);
        t->pool_used += (uint32_t)seg.n;
    }
    t->nodes[at].literals = 1;
    if (seg.n > t->longest)
        t->longest = (uint32_t)seg.n;
    return e->child;
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

/* The first of a node's two leaves lies in the node. */
static struct trie_leaf *leaf_of(struct builder *b, struct trie_node *n, bool greedy)
{
    uint32_t *slot = greedy ? &n->greedy : &n->leaf, other = greedy ? n->leaf : n->greedy;

    if (!*slot)
        *slot = other == TRIE_HERE ? ++b->t->leaf_count : TRIE_HERE;
    return *slot == TRIE_HERE ? &n->here : &b->t->leaves[*slot - 1];
}

static void leaf_fill(struct builder *b, const struct api_resource *res, uint32_t at, bool greedy)
{
    struct trie_leaf *leaf = leaf_of(b, &b->t->nodes[at], greedy);
    const struct api_method *methods = b->dep->methods;

    for (unsigned m = 1; m <= M_ANY; m++) {
        uint32_t *to = &leaf->m[m == M_ANY ? M_OTHER : m];

        if (!res->methods[m])
            continue;
        if (*to)
            complain(b, res,
                     arena_printf(&b->diag->arena, "the route matches what '%.*s' matches, line %u",
                                  STR_ARG(methods[*to - 1].resource->path),
                                  methods[*to - 1].resource->node->line),
                     "each method once");
        else
            *to = (uint32_t)(res->methods[m] - methods) + 1;
        b->t->nodes[at].methods |= m == M_ANY ? 0xfe : (uint8_t)(1u << m);
    }
}

static void names_add(struct builder *b, uint32_t resource, str name)
{
    struct route_trie *t = b->t;

    t->name_pool[t->name_count++] = name;
    t->names[resource].count++;
}

static void insert(struct builder *b, uint32_t resource)
{
    const struct api_resource *res = &b->dep->resources[resource];
    str rest = res->path, seg;
    uint32_t at = 0, depth = 0;
    bool greedy = false;

    b->t->names[resource].first = b->t->name_count;
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
        if (!b->t->nodes[at].param)
            b->t->nodes[at].param = node_add(b, at, true);
        at = b->t->nodes[at].param;
    }
    if (depth > b->t->depth)
        b->t->depth = depth;
    leaf_fill(b, res, at, greedy);
}

/* The most nodes that one request can visit: at each node the dearest literal child and, behind it,
 * the variable one. Backtracking would be exponential in the depth if this had no bound. */
static void check_steps(struct builder *b, uint64_t *steps)
{
    struct route_trie *t = b->t;

    for (uint32_t n = t->node_count; n-- > 0;) {
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
        t->nodes[b->parents[n]].methods |= t->nodes[n].methods;
    }
}

/* Upper bounds, so that nothing moves while the trie grows: segments, literal ones among them,
 * bytes of paths. */
struct bounds {
    uint32_t segments, literals, bytes;
};

static struct bounds measure(const struct deployment *dep)
{
    struct bounds n = {1, 1, 1};

    for (unsigned i = 0; i < dep->resource_count; i++) {
        str rest = dep->resources[i].path, seg;
        bool greedy;

        n.bytes += (uint32_t)rest.n;
        while (path_segment(&rest, &seg)) {
            n.segments++;
            n.literals += !path_var(seg, &greedy).p;
        }
    }
    return n;
}

static int allocate(struct builder *b)
{
    struct bounds n = measure(b->dep);
    size_t resources = b->dep->resource_count + 1, slots = 4;
    struct route_trie *t = b->t = arena_zalloc(b->arena, sizeof(*t));

    if (!t)
        return E_NOMEM;
    while (slots < n.literals + n.literals / 2)
        slots *= 2;
    t->dep = b->dep;
    t->edge_mask = (uint32_t)slots - 1;
    t->nodes = arena_lines(b->arena, sizeof(*t->nodes) * (n.segments + 1));
    t->edges = arena_lines(b->arena, sizeof(*t->edges) * slots);
    t->pool = arena_zalloc(b->arena, n.bytes);
    t->leaves = arena_zalloc(b->arena, sizeof(*t->leaves) * resources);
    t->names = arena_zalloc(b->arena, sizeof(*t->names) * resources);
    t->name_pool = arena_zalloc(b->arena, sizeof(*t->name_pool) * (n.segments + 1));
    t->size = sizeof(*t) + (sizeof(*t->nodes) + sizeof(*t->name_pool)) * (n.segments + 1) +
              sizeof(*t->edges) * slots + n.bytes +
              (sizeof(*t->leaves) + sizeof(*t->names)) * resources;
    b->vars = calloc(n.segments + 1, sizeof(*b->vars));
    b->parents = calloc(n.segments + 1, sizeof(*b->parents));
    b->by_param = calloc(n.segments + 1, sizeof(*b->by_param));
    if (!t->nodes || !t->edges || !t->pool || !t->leaves || !t->names || !t->name_pool)
        return E_NOMEM;
    return b->vars && b->parents && b->by_param ? 0 : E_NOMEM;
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
    steps = calloc(2 * (size_t)b->t->node_count, sizeof(*steps));
    if (!steps)
        return E_NOMEM;
    check_steps(b, steps);
    free(steps);
    b->dep->routes = b->t;
    return b->rc;
}

int route_trie_build(struct deployment *dep, enum api_type type, struct node_tree *tree,
                     struct diag *d)
{
    struct builder b = {.dep = dep, .type = type, .tree = tree, .diag = d, .arena = &tree->arena};
    int rc = build(&b);

    free(b.vars);
    free(b.parents);
    free(b.by_param);
    return rc;
}

size_t route_trie_size(const struct route_trie *t)
{
    return t->size;
}
