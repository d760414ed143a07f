/* SPDX-License-Identifier: Apache-2.0 */
/* The answer's way to the client: head, framing, the end of the exchange with its log hooks. */
#include "pipeline/exchange.h"

#include "pipeline/metric.h"

/* The ids that AWS adds to every answer (semantics 0.3). */
static int add_ids(struct exchange *x)
{
    str rid = str_n(x->request_id, sizeof(x->request_id)), eid = str_n(x->extended_id, sizeof(x->extended_id));
    struct hdrs *h = &x->res.h;

    if (x->unit && x->api_type == API_HTTP)
        return hdrs_set(h, x->arena, HDR_APIGW_REQUESTID, hdr_id_name(HDR_APIGW_REQUESTID), eid);
    int rc = hdrs_set(h, x->arena, HDR_X_AMZN_REQUESTID, hdr_id_name(HDR_X_AMZN_REQUESTID), rid);
    return rc ? rc : hdrs_set(h, x->arena, HDR_X_AMZ_APIGW_ID, hdr_id_name(HDR_X_AMZ_APIGW_ID), eid);
}

void x_send_head(struct exchange *x)
{
    struct flow *f = &x->res_flow;
    bool head_method = x->st->req.method == M_HEAD;

    if (http_status_bodyless(x->res.status))
        x->res.has_body = false, x->res.content_length = 0;
    x->bodyless = !x->res.has_body || head_method;
    if (add_ids(x) != 0) {
        x_abort_memory(x);
        return;
    }
    if (!x->bodyless && f->hook_count && f->edits)
        x->res.content_length = f->out_end ? (int64_t)f->out.bytes : BODY_UNKNOWN;
    if (!x->st->in_end && !x->req_flow.in_end && (x->local || x->integration_done)) {
        srv_discard(x->st);
        x->req_discarded = true;
    }
    x->phase = X_SENDING;
    x->head_gone = true;
    if (srv_head(x->st, &x->res, false) != 0) {
        x_abort(x, "the head cannot be written");
        return;
    }
    x_response_pump(x);
}

void x_response_headed(struct exchange *x)
{
    struct flow *f = &x->res_flow;

    if (flow_arm(x, f, W_RES_BODY) != 0) {
        x_abort_memory(x);
        return;
    }
    if (f->whole || (f->edits && f->in_end)) { /* all is here already: its length stays known */
        x->phase = X_RES_BUFFER;
        x_response_pump(x);
        return;
    }
    x_send_head(x);
}

/* exchange_end of every entry that ran. */
static void run_ends(struct exchange *x)
{
    const struct entry_set *es = x->unit->entries;
    struct sp_call call;

    for (unsigned i = 0; i < es->n; i++) {
        const struct entry *e = &es->v[i];
        struct hook_ref h = {.e = e};

        if (!e->has_end || !x->entries[i].ran)
            continue;
        x_call_init(x, &h, 0, &call);
        call.ctx = x->entries[i].ctx;
        x->cur_point = SP_HP_LOG;
        x->pt->crumb = (struct breadcrumb){e, x, SP_HP_LOG};
        e->mod->desc.exchange_end(&call);
    }
    x->pt->crumb = (struct breadcrumb){0};
}

static uint32_t counter_of(struct exchange *x, unsigned cls)
{
    struct route_plan *r = x->route;
    uint32_t s = cls == 2 && x->counter ? x->counter : atomic_load_explicit(&r->counters[cls], memory_order_relaxed);

    if (s)
        return s;
    const char *const classes[] = {"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct api_method *m = r->method;
    str labels[] = {x->unit->api->id, x->stage->stage->name, m ? http_method_name(m->method) : STR(""),
                    m ? m->resource->path : STR(""), str_z(classes[cls])};

    s = metric_counter(x->pt->pipeline->metrics, metric_series(x->pt->pipeline->metrics, x->pt->pipeline->m_requests, labels, ARRAY_LEN(labels)));
    atomic_store_explicit(&r->counters[cls], s, memory_order_relaxed);
    return s;
}

static void count(struct exchange *x)
{
    struct metrics *ms = x->pt->pipeline->metrics;
    unsigned cls = x->head_gone ? x->res.status / 100 : 0;

    if (!x->stage) {
        atomic_fetch_add_explicit(&x->pt->no_api, 1, memory_order_relaxed);
        return;
    }
    metric_count(ms, x->loop->id, counter_of(x, cls < 6 ? cls : 5));
    metric_observe(ms, x->loop->id, x->stage->m_latency, (double)(x->t_end - x->t_begin) / 1e9);
    if (x->t_int_begin && x->t_int_head)
        metric_observe(ms, x->loop->id, x->stage->m_integration, (double)(x->t_int_head - x->t_int_begin) / 1e9);
}

void x_finish(struct exchange *x, enum srv_end reason)
{
    if (x->ended)
        return;
    x->end_reason = (uint8_t)reason;
    x->t_end = loop_stamp_ns(x->loop);
    if (x->proxy)
        proxy_cancel(x);
    x->ended = true;
    x->phase = X_ENDED;
    x_cancel_ops(x);
    if (x->entries) {
        x_log_hooks(x);
        run_ends(x);
    }
    count(x);
    flow_clear(&x->req_flow);
    flow_clear(&x->res_flow);
    if (x->shown)
        bufq_clear(x->shown);
    x_trace(x, "ended: status %u, %llu bytes, reason %u", x->res.status, (unsigned long long)x->st->out_total, x->end_reason);
    atomic_store_explicit(&x->pt->exchanges, atomic_load_explicit(&x->pt->exchanges, memory_order_relaxed) - 1, memory_order_relaxed);
    if (x->unit)
        unit_drop(x->unit, x->loop->id);
}
