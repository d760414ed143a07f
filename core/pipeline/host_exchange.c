/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange's table: memory, answers, waits, trace; and the host's tables together. */
#include <stdarg.h>

#include "base/log.h"
#include "pipeline/exchange.h"
#include "pipeline/host.h"
#include "pipeline/host_x.h"

#define ALLOC_MAX ((size_t)16 << 20) /* one piece for a plugin */

static void *hx_alloc(struct sp_exchange *sx, size_t n)
{
    struct exchange *x = (struct exchange *)sx;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    return n > ALLOC_MAX ? NULL : arena_alloc(x->arena, n);
}

/* May an answer be given now? */
static bool may_answer(struct exchange *x, const char *call)
{
    if (x->cur_shadow)
        return true;
    if (!x->cur_live) {
        x_misuse(x, x->cur, "%s() from a continuation whose hook had gone on", call);
        return false;
    }
    if (x->cur_point == SP_HP_LOG || x->ended) {
        x_misuse(x, x->cur, "%s() at LOG", call);
        return false;
    }
    return !x->head_gone;
}

static sp_status add_slices(struct exchange *x, const struct sp_response *r)
{
    struct flow *f = &x->res_flow;
    uint64_t total = 0;

    for (uint32_t i = 0; i < r->nslices; i++) {
        const struct sp_slice *s = (const void *)((const char *)r->slices + (size_t)i * r->slice_stride);
        int rc = 0;

        if (s->n > UINT32_MAX)
            return SP_E_LIMIT;
        if (s->n && !s->p)
            return SP_E_ARG;
        if (s->buffer)
            rc = bufq_push_ref(&f->in, (struct slice){(struct buf *)s->buffer, s->p, (uint32_t)s->n});
        else
            rc = bufq_copy(&f->in, &x->loop->bufs, str_n(s->p, s->n));
        if (rc)
            return rc;
        total += s->n;
    }
    if (x->res.has_body)
        x->res.content_length = (int64_t)total;
    return SP_OK;
}

static sp_verdict hx_respond(struct sp_exchange *sx, const struct sp_response *r)
{
    struct exchange *x = (struct exchange *)sx;
    sp_status rc;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (!may_answer(x, "respond"))
        return SP_ABORT;
    x->responded = true;
    if (x->cur_shadow)
        return SP_RESPOND;
    if (r->status < 200 || r->status > 599 || (r->content_type.n && !hdr_value_ok(r->content_type))) {
        x_misuse(x, x->cur, "respond() with status %u or a malformed content type", r->status);
        if (x_allows(x, x->cur, x->cur_where, x->cur_point)) {
            x->responded = false;
            return SP_ERROR;
        }
        x_set_gateway_response(x, GW_INTERNAL, STR_NONE);
        return SP_ERROR;
    }
    if (x->proxy)
        proxy_cancel(x);
    rc = x_set_local(x, r->status, r->content_type, r->body);
    if (rc == 0 && r->nslices)
        rc = add_slices(x, r);
    if (rc == 0 && (r->flags & SP_RESPONSE_STREAM) && x->res.has_body) {
        x->streaming_local = true;
        x->streamer = x->cur;
        x->res_flow.in_end = false;
        x->res.content_length = BODY_UNKNOWN;
    }
    if (rc != 0) {
        x_set_gateway_response(x, GW_INTERNAL, STR_NONE);
        return SP_ERROR;
    }
    if (x->cur_point == SP_HP_INTEGRATION) {
        x->int_status = (uint16_t)r->status;
        x->t_int_head = x->t_int_end = loop_now_ns();
    }
    return SP_RESPOND;
}

static sp_verdict fail_v(struct exchange *x, uint32_t type, str message, const char *fmt, va_list ap)
{
    CHECK_OBJ(x, EXCHANGE_MAGIC);
    bool allowed = x->cur_live && !x->cur_shadow && x->cur_point != SP_HP_LOG && x_allows(x, x->cur, x->cur_where, x->cur_point);
    if (!allowed && !may_answer(x, "fail"))
        return SP_ABORT;
    str detail = arena_vprintf(x->arena, fmt, ap);
    if (allowed) { /* nothing that is there is replaced */
        log_warn("plugin %s (entry %.*s), request %.36s: %s: %.*s", x->cur->e->mod->desc.name, STR_ARG(x->cur->e->id), x->request_id,
                 gw_name((enum gw_type)type), STR_ARG(detail));
        return SP_ERROR;
    }
    x->responded = true;
    x_trace(x, "%s by entry %.*s: %.*s", gw_name((enum gw_type)type), STR_ARG(x->cur->e->id), STR_ARG(detail));
    if (x->cur_shadow)
        return SP_ERROR;
    if (type == 0 || type > (uint32_t)GW_ABI_LAST) {
        x_misuse(x, x->cur, "fail() with type %u, which does not exist", type);
        type = GW_INTERNAL;
    }
    x->error_detail = detail;
    if (x->proxy)
        proxy_cancel(x);
    x_set_gateway_response(x, (enum gw_type)type, message);
    return SP_ERROR;
}

static sp_verdict hx_fail(struct sp_exchange *sx, uint32_t type, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sp_verdict v = fail_v((struct exchange *)sx, type, STR_NONE, fmt, ap);
    va_end(ap);
    return v;
}

static sp_verdict hx_fail_message(struct sp_exchange *sx, uint32_t type, sp_str message, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sp_verdict v = fail_v((struct exchange *)sx, type, message, fmt, ap);
    va_end(ap);
    return v;
}

static sp_token hx_suspend(struct sp_exchange *sx, uint32_t timeout_ms, uint32_t flags, sp_fn fn, void *arg)
{
    struct exchange *x = (struct exchange *)sx;
    struct xop *op;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (!x->cur || !fn || timeout_ms == 0 || timeout_ms > 600000 || (flags & ~(uint32_t)SP_WAIT_NOTIFY) ||
        x->cur_point == SP_HP_LOG || x->cur_point == SP_HP_ATTEMPT) {
        x_misuse(x, x->cur, "suspend() with bad arguments or at a synchronous hook point");
        return 0;
    }
    op = xop_new(x, OP_WAIT, fn, arg);
    if (!op)
        return 0;
    op->notify = flags & SP_WAIT_NOTIFY;
    timer_set(x->loop, &op->timer, x_bound_timeout(x, timeout_ms));
    return op->token;
}

static sp_status hx_resume(sp_token token, uint64_t tag)
{
    return x_resume_token(token, tag);
}

static int32_t hx_traced(struct sp_exchange *sx)
{
    return ((struct exchange *)sx)->traced;
}

static void hx_trace(struct sp_exchange *sx, const char *fmt, ...)
{
    struct exchange *x = (struct exchange *)sx;
    char line[768];
    va_list ap;

    if (!x->traced)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    x_trace(x, "%.*s: %s", STR_ARG(x->cur ? x->cur->e->id : STR("-")), line);
}

static void *hx_thread_state(struct sp_exchange *sx, struct sp_module *m)
{
    return m->thread_state[((struct exchange *)sx)->loop->id];
}

const struct sp_exchange_api host_exchange_api = {
    .size = sizeof(struct sp_exchange_api),
    .alloc = hx_alloc,
    .fact = hx_fact,
    .number = hx_number,
    .header_get = hx_header_get,
    .header_find = hx_header_find,
    .header_next = hx_header_next,
    .header_set = hx_header_set,
    .header_add = hx_header_add,
    .header_del = hx_header_del,
    .param_get = hx_param_get,
    .param_next = hx_param_next,
    .var_get = hx_var_get,
    .var_find = hx_var_find,
    .var_set = hx_var_set,
    .target_get = hx_target_get,
    .target_set = hx_target_set,
    .choose_deployment = hx_choose_deployment,
    .status_set = hx_status_set,
    .respond = hx_respond,
    .fail = hx_fail,
    .fail_message = hx_fail_message,
    .suspend = hx_suspend,
    .resume = hx_resume,
    .traced = hx_traced,
    .trace = hx_trace,
    .thread_state = hx_thread_state,
};

const struct sp_host *host_tables(const char *version)
{
    static struct sp_host host = {
        .size = sizeof(struct sp_host),
        .abi_major = SP_ABI_MAJOR,
        .abi_minor = SP_ABI_MINOR,
        .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE | SP_TABLE_BODY | SP_TABLE_BUFFER | SP_TABLE_CLIENT |
                  SP_TABLE_TIMER | SP_TABLE_METRIC | SP_TABLE_COMMAND | SP_TABLE_UPSTREAM,
        .core = &host_core_api,
        .conf = &host_conf_api,
        .exchange = &host_exchange_api,
        .body = &host_body_api,
        .buffer = &host_buffer_api,
        .client = &host_client_api,
        .timer = &host_timer_api,
        .metric = &host_metric_api,
        .command = &host_command_api,
        .upstream = &host_upstream_api,
    };

    host.version = version;
    return &host;
}
