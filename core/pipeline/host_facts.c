/* SPDX-License-Identifier: Apache-2.0 */
/* Facts and numbers of an exchange, for plugins. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"

static str ip_of(struct exchange *x, const struct addr_ip *ip)
{
    char t[ADDR_TEXT];

    return arena_str(x->arena, str_n(t, addr_ip_text(ip, t)));
}

static str fact_request(struct exchange *x, uint32_t fact)
{
    const struct http_req *r = &x->st->req;

    switch (fact) {
    case SP_FACT_REQUEST_ID:
        return str_n(x->request_id, sizeof(x->request_id));
    case SP_FACT_EXTENDED_ID:
        return str_n(x->extended_id, sizeof(x->extended_id));
    case SP_FACT_METHOD:
        return r->method_name;
    case SP_FACT_PATH:
        return r->path;
    case SP_FACT_QUERY:
        return r->query;
    case SP_FACT_RESOURCE_PATH:
        return x->resource_path;
    case SP_FACT_HOST:
        return r->authority;
    case SP_FACT_SCHEME:
        return r->scheme;
    case SP_FACT_CLIENT_IP:
        return ip_of(x, &x->client);
    case SP_FACT_PEER_IP:
        return ip_of(x, srv_peer(x->st));
    case SP_FACT_LISTENER:
        return x->listener->name;
    case SP_FACT_BASE_PATH:
        return x->base_path;
    case SP_FACT_PROTOCOL:
        return r->version_minor ? STR("HTTP/1.1") : STR("HTTP/1.0");
    default:
        return STR_NONE;
    }
}

static str fact_api(struct exchange *x, uint32_t fact)
{
    const struct api_method *m = x->route->method;

    switch (fact) {
    case SP_FACT_API_ID:
        return x->unit ? x->unit->api->id : STR_NONE;
    case SP_FACT_API_TYPE:
        return x->unit ? str_z(api_type_name((enum api_type)x->api_type)) : STR_NONE;
    case SP_FACT_STAGE:
        return x->stage ? x->stage->stage->name : STR_NONE;
    case SP_FACT_DEPLOYMENT:
        return x->deployment ? x->deployment->d->id : STR_NONE;
    case SP_FACT_ROUTE:
        return m ? m->resource->path : STR_NONE;
    case SP_FACT_ROUTE_METHOD:
        return m ? http_method_name((enum http_method)m->method) : STR_NONE;
    case SP_FACT_UPSTREAM:
        return x->upstream_id;
    case SP_FACT_TARGET:
        return x->target;
    case SP_FACT_ERROR_TYPE:
        return x->gw_type ? str_z(gw_name((enum gw_type)x->gw_type)) : STR_NONE;
    case SP_FACT_INTEGRATION_TYPE:
        return m ? m->integration.type : STR_NONE;
    case SP_FACT_INTEGRATION_URI:
        return m && m->integration.uri.n ? m->integration.uri : STR_NONE;
    default:
        return STR_NONE;
    }
}

sp_status hx_fact(struct sp_exchange *sx, uint32_t fact, sp_str *out)
{
    struct exchange *x = (struct exchange *)sx;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    *out = fact_request(x, fact);
    if (!out->p)
        *out = fact_api(x, fact);
    return out->p ? SP_OK : SP_E_NONE;
}

static bool number_time(const struct exchange *x, uint32_t number, int64_t *out)
{
    switch (number) {
    case SP_NUM_T_BEGIN:
        *out = (int64_t)x->t_begin;
        return true;
    case SP_NUM_T_INTEGRATION_BEGIN:
        *out = (int64_t)x->t_int_begin;
        return true;
    case SP_NUM_T_INTEGRATION_HEAD:
        *out = (int64_t)x->t_int_head;
        return true;
    case SP_NUM_T_INTEGRATION_END:
        *out = (int64_t)x->t_int_end;
        return true;
    case SP_NUM_T_END:
        *out = (int64_t)x->t_end;
        return true;
    case SP_NUM_WALL_BEGIN_MS:
        *out = (int64_t)x->wall_ms;
        return true;
    default:
        return false;
    }
}

sp_status hx_number(struct sp_exchange *sx, uint32_t number, int64_t *out)
{
    struct exchange *x = (struct exchange *)sx;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (number_time(x, number, out))
        return SP_OK;
    switch (number) {
    case SP_NUM_STATUS:
        *out = x->res_ready ? x->res.status : 0;
        return SP_OK;
    case SP_NUM_INTEGRATION_STATUS:
        *out = x->int_status;
        return SP_OK;
    case SP_NUM_REQUEST_BYTES:
        *out = (int64_t)x->st->in_total;
        return SP_OK;
    case SP_NUM_RESPONSE_BYTES:
        *out = (int64_t)x->st->out_total;
        return SP_OK;
    case SP_NUM_LOCAL:
        *out = x->res_ready && x->local;
        return SP_OK;
    case SP_NUM_CONTENT_LENGTH:
        *out = x->st->req.has_body ? x->st->req.content_length : 0;
        return SP_OK;
    case SP_NUM_CLIENT_PORT:
        *out = srv_peer(x->st)->port;
        return SP_OK;
    case SP_NUM_END_REASON:
        *out = x->end_reason;
        return SP_OK;
    case SP_NUM_RESPONSE_LENGTH:
        *out = x->ires.has_body ? x->ires.content_length : 0;
        return SP_OK;
    default:
        return SP_E_NONE;
    }
}
