/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a line per route template, an empty line, then a request path. What the trie finds
 * is compared with a plain matcher that tries every template: found exactly when one of them fits,
 * and then by one that fits. */
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/node.h"
#include "model/route.h"

#define ROUTES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct set {
    struct deployment dep;
    struct api_resource res[ROUTES_MAX];
    struct api_method methods[ROUTES_MAX];
    struct node node;
};

static bool template_ok(str s)
{
    bool greedy = false;

    if (s.n == 0 || s.p[0] != '/' || s.n > 200)
        return false;
    for (str rest = str_drop(s, 1); rest.p;) {
        str seg = str_cut(&rest, '/');

        if (greedy || (seg.n == 0 && s.n > 1))
            return false;
        greedy = seg.n > 3 && seg.p[0] == '{' && str_ends(seg, STR("+}"));
    }
    return true;
}

/* Does the template fit the path, both as segments, slash for slash? */
static bool fits(str t, str path)
{
    t = str_drop(t, 1);
    path = str_drop(path, 1);
    for (;;) {
        str seg = str_cut(&t, '/'), has;
        bool var = seg.n >= 3 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}';

        if (var && seg.n > 3 && seg.p[seg.n - 2] == '+') {
            for (size_t i = 0; i < path.n; i++)
                if (path.p[i] != '/')
                    return true;
            return false;
        }
        has = str_cut(&path, '/');
        if (var ? has.n == 0 : !str_eq(seg, has))
            return false;
        if (!t.p || !path.p)
            return !t.p && !path.p;
    }
}

static void compare(const struct set *s, enum api_type type, str path)
{
    struct route_match m;
    bool any = false;
    str plain = path;

    if (type == API_REST) { /* slashes in front count as one, one at the end as none */
        while (plain.n > 1 && plain.p[0] == '/' && plain.p[1] == '/')
            plain = str_drop(plain, 1);
        if (plain.n > 1 && plain.p[plain.n - 1] == '/')
            plain.n--;
    }
    for (unsigned i = 0; i < s->dep.resource_count; i++)
        any |= fits(s->res[i].path, plain);
    if ((route_find(s->dep.routes, type, path, M_GET, &m) == ROUTE_FOUND) != any)
        abort();
    if (any && !fits(m.method->resource->path, plain))
        abort();
    if (route_find(s->dep.routes, type, path, M_PUT, &m) == ROUTE_FOUND)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_tree *tree = node_tree_new();
    struct set *s = calloc(1, sizeof(*s));
    str rest = str_n((const char *)data, size);
    struct diag d;

    if (!tree || !s)
        abort();
    diag_init(&d);
    node_tree_file(tree, "fuzz");
    s->dep.resources = s->res;
    s->dep.methods = s->methods;
    while (rest.p && s->dep.resource_count < ROUTES_MAX) {
        str line = str_cut(&rest, '\n');
        unsigned i = s->dep.resource_count;

        if (line.n == 0)
            break;
        if (!template_ok(line))
            continue;
        s->res[i].node = s->methods[i].node = &s->node;
        s->res[i].path = line;
        s->methods[i].resource = &s->res[i];
        s->methods[i].method = M_GET;
        s->res[i].methods[M_GET] = &s->methods[i];
        s->dep.resource_count = s->dep.method_count = i + 1;
    }
    for (unsigned type = API_REST; type <= API_HTTP; type++)
        if (route_trie_build(&s->dep, (enum api_type)type, tree, &d) == 0 && rest.p && rest.n &&
            rest.p[0] == '/')
            compare(s, (enum api_type)type, rest);
    diag_fini(&d);
    node_tree_free(tree);
    free(s);
    return 0;
}
