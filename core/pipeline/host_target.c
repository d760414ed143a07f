/* SPDX-License-Identifier: Apache-2.0 */
/* The integration request's target, the deployment and the answer's status, for plugins. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"

sp_status hx_target_get(struct sp_exchange *sx, uint32_t what, sp_str *out)
{
    struct exchange *x = (struct exchange *)sx;

    switch (what) {
    case SP_TARGET_METHOD:
        *out = x->req.method_name;
        break;
    case SP_TARGET_PATH:
        *out = x->req.path;
        break;
    case SP_TARGET_QUERY:
        *out = x->req.query;
        break;
    case SP_TARGET_HOST:
        *out = x->host_set.n ? x->host_set : x->route->authority.n ? x->route->authority : x->st->req.authority;
        break;
    case SP_TARGET_UPSTREAM:
        *out = x->up_set ? upstream_id(x->up_set) : x->route->up ? upstream_id(x->route->up) : STR_NONE;
        break;
    default:
        return SP_E_ARG;
    }
    return out->p ? SP_OK : SP_E_NONE;
}

static bool visible(str v, const char *not_in)
{
    for (size_t i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] <= 0x20 || (unsigned char)v.p[i] >= 0x7f || strchr(not_in, v.p[i]))
            return false;
    return true;
}

static sp_status set_upstream(struct exchange *x, str id)
{
    if (x->cur_point == SP_HP_ATTEMPT)
        return SP_E_PHASE;
    for (unsigned i = 0; x->unit && i < x->unit->up_count; i++)
        if (str_eq(upstream_id(x->unit->ups[i]), id)) {
            x->up_set = x->unit->ups[i];
            return SP_OK;
        }
    return SP_E_NONE;
}

sp_status hx_target_set(struct sp_exchange *sx, uint32_t what, sp_str value)
{
    struct exchange *x = (struct exchange *)sx;
    bool open = (x->phase <= X_REQ_BUFFER && x->cur_point != SP_HP_STAGE) || x->cur_point == SP_HP_ATTEMPT;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (!open)
        return SP_E_PHASE;
    if ((what == SP_TARGET_METHOD && !hdr_name_ok(value)) ||
        (what == SP_TARGET_PATH && (!value.n || value.p[0] != '/' || !visible(value, "?#"))) ||
        (what == SP_TARGET_QUERY && !visible(value, "#")) || (what == SP_TARGET_HOST && (!value.n || !visible(value, "/?#@\\"))))
        return SP_E_ARG;
    if (x->cur_shadow)
        return SP_OK;
    if (what == SP_TARGET_UPSTREAM)
        return set_upstream(x, value);
    str copy = arena_str(x->arena, value);
    if (!copy.p)
        return SP_E_NOMEM;
    switch (what) {
    case SP_TARGET_METHOD:
        x->req.method_name = copy;
        x->req.method = (uint8_t)http_method_of(copy);
        return SP_OK;
    case SP_TARGET_PATH:
        x->req.path = copy;
        return SP_OK;
    case SP_TARGET_QUERY:
        x->req.query = value.n ? copy : STR_NONE;
        return SP_OK;
    case SP_TARGET_HOST:
        x->host_set = copy;
        return SP_OK;
    default:
        return SP_E_ARG;
    }
}

sp_status hx_choose_deployment(struct sp_exchange *sx, sp_str id)
{
    struct exchange *x = (struct exchange *)sx;

    if (x->phase != X_STAGE || !x->stage)
        return SP_E_PHASE;
    for (unsigned i = 0; i < x->stage->deployment_count; i++)
        if (x->stage->deployments[i].routes && str_eq(x->stage->deployments[i].d->id, id)) {
            if (!x->cur_shadow)
                x->deployment = &x->stage->deployments[i];
            return SP_OK;
        }
    return SP_E_NONE;
}

sp_status hx_status_set(struct sp_exchange *sx, uint32_t status)
{
    struct exchange *x = (struct exchange *)sx;

    if (!x->res_ready || x->head_gone || x->phase < X_RESPONSE)
        return SP_E_PHASE;
    if (status < 200 || status > 599)
        return SP_E_ARG;
    if (!x->cur_shadow)
        x->res.status = (uint16_t)status;
    return SP_OK;
}
