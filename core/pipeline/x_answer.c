/* SPDX-License-Identifier: Apache-2.0 */
/* Local answers: what a plugin responds, and gateway responses with their bodies. */
#include "pipeline/exchange.h"

#include "base/text.h"

/* The chunk that a hook was given is its to read until it returns, also behind an answer of its own that may be made of it. */
static void keep_shown(struct exchange *x, struct flow *f)
{
    struct bufq *const queues[] = {&f->in, f->hooks ? &f->hooks->cur : NULL, f->hooks ? &f->hooks->gave : NULL, &f->out};

    if (!x->shown) {
        x->shown = arena_alloc(x->arena, sizeof(*x->shown));
        if (!x->shown)
            return;
        bufq_init(x->shown);
    }
    for (unsigned i = 0; i < ARRAY_LEN(queues); i++)
        if (queues[i] && bufq_move(x->shown, queues[i]) != 0)
            return;
}

void x_drop_response(struct exchange *x)
{
    struct flow *f = &x->res_flow;

    if (x->cur)
        keep_shown(x, f);
    flow_clear(f);
    f->in_end = f->out_end = f->at_end = f->cut = f->replaced = f->whole = f->edits = false;
    f->hooks = NULL; /* the hooks of the next response are counted in anew */
    f->hook_count = f->at = 0;
    x->streaming_local = false;
    x->res_ready = false;
    x->res = (struct http_res){0};
}

int x_set_local(struct exchange *x, unsigned status, str content_type, str body)
{
    struct flow *f = &x->res_flow;

    if (x->proxy)
        proxy_cancel(x);
    x_drop_response(x);
    x->local = x->cur_point != SP_HP_INTEGRATION;
    x->res.local = x->local;
    x->res.status = (uint16_t)status;
    x->res.has_body = !http_status_bodyless(status);
    x->res.content_length = x->res.has_body ? (int64_t)body.n : 0;
    if (content_type.n) {
        str ct = arena_str(x->arena, content_type);
        if (!ct.p || hdrs_add(&x->res.h, x->arena, HDR_CONTENT_TYPE, hdr_id_name(HDR_CONTENT_TYPE), ct) != 0)
            return E_NOMEM;
    }
    if (x->res.has_body && body.n && bufq_copy(&f->in, &x->loop->bufs, body) != 0)
        return E_NOMEM;
    f->in_end = true;
    x->res_ready = true;
    x->integration_done = true;
    return 0;
}

static enum gw_style style_of(const struct exchange *x)
{
    if (x->route && x->route->method && x->route->method->integration.kind == INT_UPSTREAM)
        return GW_STYLE_UPSTREAM;
    return x->unit && x->api_type == API_HTTP ? GW_STYLE_HTTP : GW_STYLE_REST;
}

/* AWS: ACCESS_DENIED of REST APIs says "Message", the authorizers' own trouble a null message. */
static void body_text(struct text *t, enum gw_type type, enum gw_style style, const char *message, str custom)
{
    text_addz(t, style == GW_STYLE_REST && (int)type == SP_GR_ACCESS_DENIED ? "{\"Message\":" : "{\"message\":");
    if (custom.n)
        json_quote(t, custom);
    else if (message)
        json_quote(t, str_z(message));
    else
        text_addz(t, "null");
    text_addz(t, "}");
}

void x_set_gateway_response(struct exchange *x, enum gw_type type, str message)
{
    enum gw_style style = style_of(x);
    struct gw_def d = gw_lookup(type, style, x->unit && x->unit->aws_strict);
    struct text t;

    text_init(&t);
    body_text(&t, type, style, d.message, message);
    x->gw_type = (uint16_t)type;
    x->error_message = message.n ? arena_str(x->arena, message) : str_z(d.message);
    x->local = true;
    if (t.failed || x_set_local(x, d.status, STR("application/json"), text_str(&t)) != 0)
        x_drop_response(x), x->res.status = d.status, x->res_ready = true, x->res_flow.in_end = true;
    text_fini(&t);
    x->local = x->res.local = true;
    if (d.error_type && hdrs_set(&x->res.h, x->arena, HDR_X_AMZN_ERRORTYPE, hdr_id_name(HDR_X_AMZN_ERRORTYPE), str_z(d.error_type)) != 0)
        x->res.h.n = 0;
}
