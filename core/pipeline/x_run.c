/* SPDX-License-Identifier: Apache-2.0 */
/* The run loop: a cursor over the hook chains of an exchange, and what each verdict does. */
#include "pipeline/exchange.h"

#include <stdarg.h>

#include "base/log.h"
#include "pipeline/metric.h"

const char *hook_point_name(unsigned point)
{
    static const char *const names[HOOK_POINTS] = {"-",       "STAGE",    "REQUEST",       "REQUEST_BODY", "INTEGRATION",
                                                   "ATTEMPT", "RESPONSE", "RESPONSE_BODY", "LOG"};

    return point < HOOK_POINTS ? names[point] : "?";
}

void x_trace(struct exchange *x, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if (!x->traced)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    log_debug("(%.36s) %s", x->request_id, line);
}

bool x_outstanding(const struct exchange *x, const struct entry *e, enum x_where where)
{
    LIST_EACH(&x->ops, it) {
        const struct xop *op = LIST_ITEM(it, struct xop, link);

        if (op->h && op->h->e == e && op->where == where)
            return true;
    }
    return false;
}

void x_call_init(struct exchange *x, const struct hook_ref *h, unsigned point, struct sp_call *c)
{
    struct sp_module *m = h->e->mod;

    *c = (struct sp_call){.size = sizeof(*c), .point = (uint16_t)point, .x = (struct sp_exchange *)x};
    c->module = m;
    c->conf = h->conf;
    c->state = m->state;
    c->thread_state = m->thread_state[x->loop->id];
    c->attempt = x->attempt;
}

/* The entry's zeroed memory of this exchange, made when its first hook runs. */
static bool call_ctx(struct exchange *x, const struct entry *e, struct sp_call *c)
{
    struct entry_state *es = &x->entries[e->index];

    if (e->ctx_size && !es->ctx) {
        es->ctx = arena_zalloc(x->arena, e->ctx_size);
        if (!es->ctx)
            return false;
    }
    es->ran = 1;
    c->ctx = es->ctx;
    return true;
}

static sp_verdict internal_error(struct exchange *x, const struct hook_ref *h, enum x_where where, const char *why)
{
    if (x->cur_point == SP_HP_LOG)
        return SP_NEXT;
    if (x_allows(x, h, where, x->cur_point)) {
        x_pass_over(x, h, where, x->cur_point, why);
        return SP_NEXT;
    }
    x_set_gateway_response(x, GW_INTERNAL, STR_NONE);
    x->error_detail = str_z(why);
    return SP_ERROR;
}

/* A verdict other than a plain NEXT: is it legal here? Returns the one that counts. */
static sp_verdict verdict_check(struct exchange *x, const struct hook_ref *h, enum x_where where, sp_verdict v)
{
    if (h->e->shadow && v != SP_NEXT && v != SP_PENDING) {
        metric_add(x->pt->pipeline->metrics, x->loop->id, h->e->m_shadow, 1);
        x_trace(x, "entry %.*s (shadow) would have ended the request", STR_ARG(h->e->id));
        return SP_NEXT;
    }
    switch (v) {
    case SP_NEXT:
        if (!x->responded)
            return SP_NEXT;
        x_misuse(x, h, "answered and returned NEXT; the answer counts");
        return x->res_ready && !x->aborted ? SP_RESPOND : SP_NEXT;
    case SP_RESPOND:
    case SP_ERROR:
        if (x->responded)
            return v;
        if (v == SP_ERROR && x_allows(x, h, where, x->cur_point)) {
            x_pass_over(x, h, where, x->cur_point, "it failed");
            return SP_NEXT;
        }
        x_misuse(x, h, "returned %s without an answer", v == SP_RESPOND ? "RESPOND" : "ERROR");
        return internal_error(x, h, where, "a plugin returned an answer that it did not give");
    case SP_PENDING:
        if (x->cur_point == SP_HP_LOG || x->cur_point == SP_HP_ATTEMPT) {
            x_misuse(x, h, "returned PENDING where hooks are synchronous");
            return internal_error(x, h, where, "a plugin returned PENDING at a synchronous hook point");
        }
        if (x_outstanding(x, h->e, where))
            return SP_PENDING;
        x_misuse(x, h, "returned PENDING with nothing outstanding");
        return internal_error(x, h, where, "a plugin waits for nothing");
    case SP_ABORT:
        return SP_ABORT;
    default:
        x_misuse(x, h, "returned verdict %d, which does not exist", (int)v);
        return internal_error(x, h, where, "a plugin returned an unknown verdict");
    }
}

bool x_waits(const struct exchange *x, const struct hook_ref *h, enum x_where where)
{
    const struct flow *f = where == W_REQ_BODY ? &x->req_flow : &x->res_flow;

    if (where == W_MAIN)
        return x->blocked && x->blocked_h == h;
    return f->blocked && f->at < f->hook_count && f->hooks->v[f->at].h == h;
}

sp_verdict x_call(struct exchange *x, const struct hook_ref *h, sp_fn fn, enum x_where where, struct sp_call *c)
{
    unsigned point = c->point;
    const struct hook_ref *outer = x->cur;
    uint8_t outer_where = x->cur_where, outer_point = x->cur_point;
    bool outer_shadow = x->cur_shadow, outer_live = x->cur_live;
    struct breadcrumb crumb = x->pt->crumb;
    sp_verdict v;

    x->cur = h;
    x->cur_where = (uint8_t)where;
    x->cur_point = (uint8_t)point;
    x->cur_shadow = h->e->shadow;
    x->cur_live = c->event == SP_EV_HOOK || x_waits(x, h, where);
    x->responded = false;
    x->pt->crumb = (struct breadcrumb){h->e, x, point};
    if (UNLIKELY(!call_ctx(x, h->e, c)))
        x->responded = !x_allows(x, h, where, point), v = internal_error(x, h, where, "out of memory for a plugin's context");
    else
        v = fn(c);
    if (UNLIKELY(!x->cur_live))
        v = SP_NEXT; /* its hook had gone on: nobody waits for this verdict */
    else if (UNLIKELY(v != SP_NEXT || x->responded))
        v = verdict_check(x, h, where, v);
    x->responded = false;
    x->cur = outer;
    x->cur_where = outer_where;
    x->cur_point = outer_point;
    x->cur_shadow = outer_shadow;
    x->cur_live = outer_live;
    x->pt->crumb = crumb;
    loop_restamp(x->loop); /* it may have taken long */
    return v;
}

void x_to_response(struct exchange *x, unsigned stop_pos)
{
    if (x->ended)
        return;
    if (x->head_gone) {
        x_abort(x, "an answer came after the head had left");
        return;
    }
    if (x->proxy)
        proxy_cancel(x);
    x->blocked = false;
    x->blocked_h = NULL;
    x->phase = X_RESPONSE;
    x->cursor = 0;
    x->stop_pos = stop_pos;
    flow_clear(&x->req_flow);
    x->req_flow.out_end = true;
    x_run(x);
}

/* What a verdict of the hook at the cursor of the main chain does. Returns false when the chain stops here. */
static bool apply_main(struct exchange *x, const struct hook_ref *h, unsigned point, sp_verdict v)
{
    switch (v) {
    case SP_NEXT:
        if (point == SP_HP_INTEGRATION) {
            x_misuse(x, h, "an integration returned NEXT without an answer");
            x_fail(x, GW_INTERNAL, "the integration gave no answer");
            return false;
        }
        x->cursor++;
        return true;
    case SP_PENDING:
        x->blocked = true;
        x->blocked_h = h;
        return false;
    case SP_RESPOND:
    case SP_ERROR:
        if (point == SP_HP_RESPONSE) { /* replaced: the outer ones see the new one */
            x->stop_pos = h->e->pos[x->api_type];
            x->cursor++;
            return true;
        }
        if (point == SP_HP_INTEGRATION)
            x->integration_done = true;
        x_to_response(x, point == SP_HP_INTEGRATION ? STOP_ALL : h->e->pos[x->api_type]);
        return false;
    default:
        x_abort(x, "a plugin asked for it");
        return false;
    }
}

static inline void chain_begin(struct exchange *x, unsigned point, struct sp_call *c)
{
    *c = (struct sp_call){.size = sizeof(*c), .point = (uint16_t)point, .x = (struct sp_exchange *)x};
    c->attempt = x->attempt;
}

/* A hook of the main chain, where nothing else of the exchange runs: what x_call does, without what only nesting needs. */
static inline sp_verdict chain_call(struct exchange *x, const struct hook_ref *h, struct sp_call *c)
{
    const struct entry *e = h->e;
    struct sp_module *m = e->mod;
    sp_verdict v;

    c->module = m;
    c->conf = h->conf;
    c->state = m->state;
    c->thread_state = m->thread_state[x->loop->id];
    c->ctx = NULL;
    if (UNLIKELY((e->ctx_size || e->has_end) && !call_ctx(x, e, c)))
        return x_call(x, h, h->fn, W_MAIN, c); /* reports it */
    x->cur = h;
    x->cur_point = (uint8_t)c->point;
    x->cur_where = W_MAIN;
    x->cur_shadow = e->shadow;
    x->cur_live = true;
    x->pt->crumb.entry = e;
    v = h->fn(c);
    if (UNLIKELY(v != SP_NEXT || x->responded))
        v = verdict_check(x, h, W_MAIN, v);
    x->responded = false;
    return v;
}

static inline void chain_end(struct exchange *x)
{
    x->cur = NULL;
    x->cur_point = 0;
    x->cur_shadow = false;
    x->cur_live = false;
    x->pt->crumb.entry = NULL;
    loop_restamp(x->loop);
}

/* Runs the chain of a point from the cursor on; true: it is through. */
static bool run_chain(struct exchange *x, unsigned point)
{
    const struct chain *c = &x->chains->at[point];
    struct sp_call call;

    if (x->cursor >= c->n)
        return true;
    chain_begin(x, point, &call);
    x->pt->crumb.x = x;
    x->pt->crumb.point = point;
    x->responded = false;
    while (x->cursor < c->n) {
        const struct hook_ref *h = &c->v[x->cursor];

        if (point == SP_HP_RESPONSE && h->e->pos[x->api_type] >= x->stop_pos) {
            x->cursor++;
            continue;
        }
        sp_verdict v = chain_call(x, h, &call);
        if (LIKELY(v == SP_NEXT && !x->aborted)) {
            x->cursor++;
            continue;
        }
        chain_end(x);
        if (x->aborted || x->ended || !apply_main(x, h, point, v))
            return false;
    }
    chain_end(x);
    return true;
}

sp_verdict x_attempt_hooks(struct exchange *x, const struct hook_ref **stopped)
{
    const struct chain *c = &x->chains->at[SP_HP_ATTEMPT];
    sp_verdict v = SP_NEXT;
    struct sp_call call;

    chain_begin(x, SP_HP_ATTEMPT, &call);
    x->pt->crumb.x = x;
    x->pt->crumb.point = SP_HP_ATTEMPT;
    x->responded = false;
    for (unsigned i = 0; i < c->n && v == SP_NEXT && !x->aborted; i++) {
        *stopped = &c->v[i];
        v = chain_call(x, &c->v[i], &call);
    }
    chain_end(x);
    return v;
}

void x_log_hooks(struct exchange *x)
{
    const struct chain *c = &x->chains->at[SP_HP_LOG];
    struct sp_call call;

    chain_begin(x, SP_HP_LOG, &call);
    x->pt->crumb.x = x;
    x->pt->crumb.point = SP_HP_LOG;
    x->responded = false;
    for (unsigned i = 0; i < c->n; i++)
        chain_call(x, &c->v[i], &call);
    chain_end(x);
}

static void run_integration(struct exchange *x)
{
    const struct route_plan *r = x->route;
    struct sp_call call;

    x->integration_started = true;
    x->t_int_begin = loop_stamp_ns(x->loop);
    if (r->kind == INT_PLUGIN && r->integration.fn) {
        x_call_init(x, &r->integration, SP_HP_INTEGRATION, &call);
        sp_verdict v = x_call(x, &r->integration, r->integration.fn, W_MAIN, &call);
        if (!x->aborted && !x->ended)
            apply_main(x, &r->integration, SP_HP_INTEGRATION, v);
        return;
    }
    proxy_start(x);
}

static void request_through(struct exchange *x)
{
    if (flow_arm(x, &x->req_flow, W_REQ_BODY) != 0) {
        x_fail_memory(x);
        return;
    }
    bool here = x->req_flow.edits && x->st->in_end; /* all has come already: its length stays known */
    x->phase = x->req_flow.whole || here ? X_REQ_BUFFER : X_INTEGRATION;
    if (x->phase == X_REQ_BUFFER)
        x_request_pump(x);
}

/* One step of the machine; false: nothing more to do now. */
static bool step(struct exchange *x)
{
    switch (x->phase) {
    case X_STAGE:
        if (run_chain(x, SP_HP_STAGE))
            x_match_route(x);
        return true;
    case X_REQUEST:
        if (run_chain(x, SP_HP_REQUEST))
            request_through(x);
        return true;
    case X_INTEGRATION:
        if (x->integration_started)
            return false;
        run_integration(x);
        return true;
    case X_RESPONSE:
        if (run_chain(x, SP_HP_RESPONSE))
            x_response_headed(x);
        return true;
    default:
        return false;
    }
}

void x_run(struct exchange *x)
{
    if (x->running)
        return;
    x->running = true;
    while (!x->aborted && !x->ended) {
        if (x->blocked) {
            /* a body that had come already satisfies a collect at once */
            if (!x_collecting(x, &x->req_flow) && !x_collecting(x, &x->res_flow))
                break;
            continue;
        }
        if (!step(x))
            break;
    }
    x->running = false;
}

void x_resume_main(struct exchange *x, sp_verdict v)
{
    const struct hook_ref *h = x->blocked_h;
    unsigned point = x->phase == X_STAGE     ? SP_HP_STAGE
                     : x->phase == X_REQUEST ? SP_HP_REQUEST
                     : x->phase == X_RESPONSE ? SP_HP_RESPONSE
                                              : SP_HP_INTEGRATION;

    if (x->aborted || x->ended)
        return;
    if (v != SP_PENDING) {
        x->blocked = false;
        x->blocked_h = NULL;
        apply_main(x, h, point, v);
    }
    x_run(x); /* also for PENDING: what it waits for may be here already */
}
