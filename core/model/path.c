/* SPDX-License-Identifier: Apache-2.0 */
/* Path templates of resources and routes: /pets/{id}/{proxy+}. AWS: Resource.pathPart, route keys.
 */
#include "model/openapi.h"
#include "model/route.h"

#define PATH_MAX_BYTES 2048

bool path_segment(str *rest, str *seg)
{
    size_t end;

    if (rest->n == 0)
        return false;
    *rest = str_drop(*rest, 1);
    end = str_chr(*rest, '/');
    *seg = str_take(*rest, end);
    *rest = str_drop(*rest, end);
    return true;
}

str path_var(str seg, bool *greedy)
{
    if (seg.n < 3 || seg.p[0] != '{' || seg.p[seg.n - 1] != '}')
        return STR_NONE;
    seg = str_n(seg.p + 1, seg.n - 2);
    *greedy = seg.n > 1 && seg.p[seg.n - 1] == '+';
    return *greedy ? str_take(seg, seg.n - 1) : seg;
}

bool path_has_param(str path, str name)
{
    bool greedy;
    str seg;

    while (path_segment(&path, &seg))
        if (path_var(seg, &greedy).p && str_eq(path_var(seg, &greedy), name))
            return true;
    return false;
}

static bool word_ok(str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (c == 0 || !strchr(more, c)))
            return false;
    }
    return s.n > 0;
}

static void path_error(struct load *ld, const struct node *key, const struct node *value,
                       const char *expected, str what)
{
    diag_add(ld->diag, DIAG_ERROR, node_where(ld->tree, key), node_path(&ld->diag->arena, value),
             what, str_z(expected), STR_NONE);
}

static bool variable_ok(struct load *ld, const struct node *key, const struct node *value, str name)
{
    str rest = key->text, seg;
    unsigned same = 0;
    bool greedy;

    if (!word_ok(name, "._$-")) {
        path_error(ld, key, value, "letters, digits and . _ $ -",
                   arena_printf(&ld->diag->arena, "'{%.*s}' is not a path variable",
                                STR_ARG(str_take(name, 60))));
        return false;
    }
    while (path_segment(&rest, &seg))
        same += path_var(seg, &greedy).p && str_eq(path_var(seg, &greedy), name);
    if (same < 2)
        return true;
    path_error(
        ld, key, value, "each variable once",
        arena_printf(&ld->diag->arena, "the path has the variable '{%.*s}' twice", STR_ARG(name)));
    return false;
}

static bool literal_ok(struct load *ld, enum api_type type, const struct node *key,
                       const struct node *value, str seg)
{
    /* REST: AWS's words. HTTP APIs take what RFC 3986 3.3 calls pchar. */
    if (type == API_REST ? word_ok(seg, "_-.,:") : word_ok(seg, "_-.,:~!$&'()*+;=@%"))
        return true;
    if (seg.n == 0)
        path_error(ld, key, value, "a name or {variable} between two '/'",
                   STR("the path has an empty segment"));
    else if (type == API_REST)
        path_error(ld, key, value, NULL,
                   STR("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path "
                       "variable and curly braces at the "
                       "beginning and the end"));
    else
        path_error(ld, key, value, "letters, digits, -._~!$&'()*+,;=:@ and %XX, or {variable}",
                   arena_printf(&ld->diag->arena, "'%.*s' is not a path segment",
                                STR_ARG(str_take(seg, 60))));
    return false;
}

static bool segments_ok(struct load *ld, enum api_type type, const struct node *key,
                        const struct node *value)
{
    str rest = key->text, seg;
    unsigned vars = 0;

    while (path_segment(&rest, &seg)) {
        bool greedy = false, last = rest.n == 0;
        str name = path_var(seg, &greedy);

        if (name.p && greedy && !last) {
            path_error(ld, key, value, NULL,
                       arena_printf(
                           &ld->diag->arena,
                           "Cannot create a child of a resource with a greedy path variable: %.*s",
                           STR_ARG(seg)));
            return false;
        }
        if (name.p ? !variable_ok(ld, key, value, name)
                   : !(last && seg.n == 0 && type == API_HTTP) &&
                         !literal_ok(ld, type, key, value, seg))
            return false;
        vars += name.p != NULL;
    }
    if (vars > ROUTE_PARAMS_MAX)
        path_error(ld, key, value, "at most 32",
                   arena_printf(&ld->diag->arena, "the path has %u variables", vars));
    return vars <= ROUTE_PARAMS_MAX;
}

bool path_check(struct load *ld, enum api_type type, const struct node *key,
                const struct node *value)
{
    str path = key->text;

    if (path.n == 0 || path.p[0] != '/') {
        path_error(
            ld, key, value, "a path that starts with '/'",
            arena_printf(&ld->diag->arena, "'%.*s' is not a path", STR_ARG(str_take(path, 60))));
        return false;
    }
    if (path.n > PATH_MAX_BYTES) {
        path_error(ld, key, value, "at most 2048 bytes",
                   arena_printf(&ld->diag->arena, "the path has %zu bytes", path.n));
        return false;
    }
    return path.n == 1 || segments_ok(ld, type, key, value);
}
