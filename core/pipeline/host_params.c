/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and $context variables, for plugins. */
#include "pipeline/exchange.h"
#include "pipeline/host.h"
#include "pipeline/host_x.h"

sp_status hx_param_get(struct sp_exchange *sx, uint32_t kind, sp_str name, sp_str *out)
{
    struct exchange *x = (struct exchange *)sx;
    const str *value;
    const struct stage_var *sv;

    switch (kind) {
    case SP_PARAM_PATH:
        value = x_path_param(x, name);
        *out = value ? *value : STR_NONE;
        return value ? SP_OK : SP_E_NONE;
    case SP_PARAM_QUERY:
        return x_query_get(x, name, out) ? SP_OK : SP_E_NONE;
    case SP_PARAM_STAGE_VARIABLE:
        sv = x_stage_var(x, name);
        *out = sv ? sv->value : STR_NONE;
        return sv ? SP_OK : SP_E_NONE;
    default:
        return SP_E_ARG;
    }
}

sp_status hx_param_next(struct sp_exchange *sx, uint32_t kind, uint32_t *cursor, struct sp_param *out)
{
    struct exchange *x = (struct exchange *)sx;
    const struct stage *s = x->stage ? x->stage->stage : NULL;
    unsigned count;

    switch (kind) {
    case SP_PARAM_PATH:
        if (*cursor >= x->param_count)
            return SP_E_NONE;
        out->name = route_names(x->deployment->d->routes, x->route->method, &count)[*cursor];
        out->value = x->params[(*cursor)++];
        return SP_OK;
    case SP_PARAM_QUERY:
        return x_query_next(x, cursor, &out->name, &out->value) ? SP_OK : SP_E_NONE;
    case SP_PARAM_STAGE_VARIABLE:
        if (!s || *cursor >= s->var_count)
            return SP_E_NONE;
        out->name = s->vars[*cursor].name;
        out->value = s->vars[(*cursor)++].value;
        return SP_OK;
    default:
        return SP_E_ARG;
    }
}

sp_status hx_var_get(struct sp_exchange *sx, uint32_t id, struct sp_value *out)
{
    return var_get((struct exchange *)sx, id, out) ? SP_OK : SP_E_NONE;
}

sp_status hx_var_find(struct sp_exchange *sx, sp_str name, struct sp_value *out)
{
    struct exchange *x = (struct exchange *)sx;

    return var_get(x, var_id_of(x, name), out) ? SP_OK : SP_E_NONE;
}

static uint32_t builtin_count(void)
{
    uint32_t n = 0;

    while (var_builtin_names[n])
        n++;
    return n;
}

sp_status hx_var_set(struct sp_exchange *sx, uint32_t id, const struct sp_value *v)
{
    struct exchange *x = (struct exchange *)sx;
    struct xvar *var;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (id == 0 || id > host_variable_count(x->pt->pipeline->modules) || v->type > SP_VAL_JSON)
        return SP_E_ARG;
    if (id <= builtin_count())
        return SP_E_DENIED;
    if (x->cur_shadow)
        return SP_OK;
    for (var = x->vars; var && var->id != id; var = var->next)
        ;
    struct sp_value copy = *v;
    if (v->type == SP_VAL_STR || v->type == SP_VAL_JSON) {
        copy.str = arena_str(x->arena, v->str);
        if (!copy.str.p)
            return SP_E_NOMEM;
    }
    if (!var) {
        var = arena_zalloc(x->arena, sizeof(*var));
        if (!var)
            return SP_E_NOMEM;
        var->id = id;
        var->next = x->vars;
        x->vars = var;
    }
    var->v = copy;
    return SP_OK;
}
