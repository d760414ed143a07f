/* SPDX-License-Identifier: Apache-2.0 */
/* Path parameters, query parameters and stage variables of an exchange. */
#include "pipeline/exchange.h"

const struct stage_var *x_stage_var(const struct exchange *x, str name)
{
    return stage_var(x->stage ? x->stage->stage : NULL, name);
}

const str *x_path_param(const struct exchange *x, str name)
{
    int i = x->param_count ? route_name_index(x->deployment->d->routes, x->route->method, name) : -1;

    return i < 0 ? NULL : &x->params[i];
}

/* A malformed escape is left as it came: AWS does not refuse it. */
static str decoded(struct exchange *x, str raw)
{
    if (str_chr(raw, '%') == raw.n && str_chr(raw, '+') == raw.n)
        return raw;
    str d = dec_percent(x->arena, raw, true);
    return d.p ? d : raw;
}

bool x_query_next(struct exchange *x, uint32_t *cursor, str *name, str *value)
{
    str q = x->st->req.query;

    while (*cursor < q.n) {
        str rest = str_drop(q, *cursor);
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '&' && rest.p[n] != ';') /* ';' separates too (semantics 1.2) */
            n++;
        str pair = str_take(rest, n);
        *cursor += (uint32_t)n + 1;
        if (pair.n == 0)
            continue;
        size_t eq = str_chr(pair, '=');
        *name = decoded(x, str_take(pair, eq));
        *value = eq < pair.n ? decoded(x, str_drop(pair, eq + 1)) : STR("");
        return true;
    }
    return false;
}

bool x_query_get(struct exchange *x, str name, str *value)
{
    uint32_t cursor = 0;
    str n, v;
    bool found = false;

    while (x_query_next(x, &cursor, &n, &v))
        if (str_eq(n, name))
            *value = v, found = true;
    return found;
}
