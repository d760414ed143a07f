/* SPDX-License-Identifier: Apache-2.0 */
/* The core's own integrations: an exchange's request goes to an upstream's target, the answer comes back, each as it flows. */
#include "pipeline/proxy.h"

#include "base/log.h"
#include "base/shortage.h"
#include "pipeline/metric.h"
#include "pipeline/relief.h"

static void attempt(struct exchange *x);
static void picked(void *arg, const struct upstream_picked *p);

/* The call is over, however. */
static void release(struct proxy *p)
{
    if (p->addr)
        upstream_ended(p->addr);
    p->addr = NULL;
    p->calling = false;
}

static void fail(struct exchange *x, enum gw_type type, const char *why)
{
    struct proxy *p = x->proxy;

    log_debug("(%.36s) upstream %.*s target %.*s attempt %u: %s", x->request_id, STR_ARG(x->upstream_id), STR_ARG(x->target),
              x->attempt, why);
    release(p);
    proxy_forget(p);
    x->integration_done = true;
    x->t_int_end = loop_stamp_ns(x->loop);
    timer_cancel(&p->timer);
    x_fail(x, type, why);
}

static void fail_memory(struct exchange *x)
{
    shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(x->loop));
    x->st->last = true;
    fail(x, GW_INTEGRATION_UNREACHABLE, "out of memory");
}

static void wait_no_more(struct proxy *p)
{
    if (LIKELY(!p->spared))
        return;
    timer_cancel(&p->spare.backoff);
    upstream_queue_leave(&p->spare.turn);
}

static void timed_out(struct loop *l, struct timer *t)
{
    struct proxy *p = CONTAINER_OF(t, struct proxy, timer);
    struct exchange *x = p->x;

    if (p->calling && !p->end_sent && x->req.has_body) { /* the client is still sending: its own timeout counts */
        timer_set(l, t, x->route->timeout_ms);
        return;
    }
    if (p->pick)
        upstream_pick_cancel(p->pick), p->pick = NULL;
    wait_no_more(p);
    if (p->calling) {
        upstream_verdict(p->addr, false, "no answer in time");
        cli_cancel(&p->call);
    }
    fail(x, GW_INTEGRATION_LATE, "the integration gave no answer in time");
    loop_done(l);
}

/* One attempt more, now or after a while. */
static void again(struct exchange *x, enum gw_type type, const char *why)
{
    struct proxy *p = x->proxy;
    struct proxy_spare *s = proxy_spare(p);

    s->type = type;
    s->why = why;
    release(p);
    uint64_t wait = proxy_wait(x);
    if (wait)
        timer_set(x->loop, &s->backoff, wait);
    else
        attempt(x);
}

static void waited(struct loop *l, struct timer *t)
{
    attempt(CONTAINER_OF(t, struct proxy, spare.backoff)->x);
    loop_done(l);
}

static void on_head(struct cli_call *c)
{
    struct exchange *x = c->upper;
    struct proxy *p = x->proxy;

    upstream_verdict(p->addr, !upstream_bad_status(p->up, c->res.status), "its answer's status");
    if (UNLIKELY(proxy_again_status(x, c->res.status))) {
        x_trace(x, "attempt %u at %.*s was answered %u", x->attempt, STR_ARG(x->target), c->res.status);
        cli_cancel(c);
        again(x, GW_INTEGRATION_UNREACHABLE, "no further target after a refusing answer");
        return;
    }
    proxy_forget(p);
    timer_cancel(&p->timer);
    x->t_int_head = loop_stamp_ns(x->loop);
    metric_soon(x->pt->pipeline->metrics, x->loop->id, x->counter);
    x->int_status = c->res.status;
    x->ires = c->res;
    x->res = c->res;
    hdrs_share(&x->res.h, &x->ires.h);
    x->res_ready = true;
    if (x->phase >= X_RESPONSE)
        return;
    x->phase = X_RESPONSE;
    x->cursor = 0;
    x->stop_pos = STOP_ALL;
    x_run(x);
}

static void on_body(struct cli_call *c)
{
    x_response_pump(c->upper);
}

static void on_done(struct cli_call *c)
{
    struct exchange *x = c->upper;

    x->integration_done = true;
    release(x->proxy);
    x->t_int_end = loop_stamp_ns(x->loop);
    x->ires.trailers = x->res.trailers = c->res.trailers;
    if (x->res.trailers.n)
        srv_trailers(x->st, &x->res.trailers);
    if (x->head_gone && !x->st->in_end && !x->req_discarded) { /* answered before the request had come whole */
        x->req_discarded = true;
        srv_discard(x->st);
    }
    x_response_pump(x);
}

static enum gw_type type_of(const struct cli_fail *f)
{
    switch (f->err) {
    case E_TIMEOUT:
        return f->stage == CLI_CONNECT ? GW_INTEGRATION_UNREACHABLE : GW_INTEGRATION_LATE;
    case E_PROTO:
        return GW_INTEGRATION_BAD;
    case E_LIMIT:
        return f->stage == CLI_CONNECT ? GW_INTEGRATION_UNREACHABLE : GW_INTEGRATION_BAD;
    default:
        return f->stage == CLI_CONNECT && f->err != E_TLS ? GW_INTEGRATION_UNREACHABLE : GW_INTEGRATION_NETWORK;
    }
}

static void on_fail(struct cli_call *c, const struct cli_fail *f)
{
    struct exchange *x = c->upper;
    struct proxy *p = x->proxy;

    x_trace(x, "attempt %u at %.*s failed: %s", x->attempt, STR_ARG(x->target), f->reason);
    p->calling = false;
    if (f->no_files)
        pl_short_of_files(x->loop);
    if (!x->res_ready && !proxy_stale(f) && f->err != E_NOMEM && !(f->err == E_LIMIT && f->stage == CLI_CONNECT))
        upstream_verdict(p->addr, false, f->reason);
    if (proxy_again(x, f)) {
        again(x, type_of(f), f->reason);
        return;
    }
    if (x->phase >= X_RESPONSE && x->head_gone) {
        log_warn("(%.36s) upstream %.*s target %.*s: the answer broke off: %s", x->request_id, STR_ARG(x->upstream_id),
                 STR_ARG(x->target), f->reason);
        x_abort(x, f->reason);
        return;
    }
    fail(x, type_of(f), f->reason);
}

static void on_room(struct cli_call *c)
{
    x_request_pump(c->upper);
}

/* RFC 9110 15.2: interim answers go on to the client, at once and untouched by hooks. 100 does not: the client's Expect was answered
 * here, when its body was wanted. */
static void on_info(struct cli_call *c, unsigned status)
{
    struct exchange *x = c->upper;
    struct http_res res = {.status = (uint16_t)status, .h = c->res.h};

    if (status != 100 && !x->head_gone && srv_head(x->st, &res, false) != 0)
        x_trace(x, "an interim answer %u could not be passed on", status);
}

static const struct cli_events events = {
    .head = on_head, .body = on_body, .done = on_done, .fail = on_fail, .room = on_room, .info = on_info};

/* ATTEMPT hooks see and edit the request of this attempt only. False: one of them ended the exchange. */
static bool run_attempt_hooks(struct exchange *x)
{
    const struct hook_ref *h = NULL;
    sp_verdict v = x_attempt_hooks(x, &h);

    if (x->ended || x->aborted)
        return false;
    if (v == SP_NEXT)
        return true;
    if (v == SP_ABORT)
        x_abort(x, "a plugin asked for it");
    else
        x_to_response(x, h->e->pos[x->api_type]);
    return false;
}

static int start_call(struct exchange *x, const struct upstream_picked *pk)
{
    struct proxy *p = x->proxy;
    str authority = x->host_set.n ? x->host_set : p->authority.n ? p->authority : x->req.authority;

    p->call = (struct cli_call){.loop = x->loop, .arena = x->arena, .ev = &events, .upper = x};
    int rc = cli_start(&p->call, pk->pool, &x->req, authority, p->fresh);
    if (rc != 0)
        return rc;
    p->calling = true;
    p->idempotent = http_method_idempotent((enum http_method)x->req.method);
    if (x->attempt > 1 && (rc = proxy_replay(x)) != 0)
        cli_cancel(&p->call);
    return rc;
}

/* Could another attempt need the body? */
static bool worth_keeping(const struct exchange *x, bool alone)
{
    const struct gw_retries *r = upstream_retries(x->proxy->up);

    if (r->attempts < 2)
        return false;
    return http_method_idempotent((enum http_method)x->req.method) || ((r->on & RETRY_CONNECT) && (!alone || r->backoff));
}

/* In the line before full pools. */
static void turn_came(void *arg, bool room)
{
    struct exchange *x = arg;

    if (room)
        attempt(x);
    else
        fail(x, GW_INTEGRATION_UNREACHABLE, "no connection to the upstream became free in time");
}

static bool queued(struct exchange *x)
{
    struct proxy *p = x->proxy;

    if (x->attempt > 1 || !upstream_queue(p->up, x->loop, &proxy_spare(p)->turn, turn_came, x))
        return false;
    x->attempt--;
    return true;
}

static void picked(void *arg, const struct upstream_picked *pk)
{
    struct exchange *x = arg;
    struct proxy *p = x->proxy;
    struct http_req before = x->req;
    struct hdrs shown = x->req.h;

    p->pick = NULL;
    if (pk->status == E_LIMIT && queued(x))
        return;
    if (pk->status == E_NOMEM)
        shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(x->loop));
    if (pk->status != 0) {
        if (x->attempt > 1) /* what the one before ended with says more */
            fail(x, proxy_spare(p)->type, proxy_spare(p)->why);
        else
            fail(x, GW_INTEGRATION_UNREACHABLE, pk->reason ? pk->reason : "no target");
        return;
    }
    p->addr = pk->addr;
    x->target = arena_str(x->arena, pk->target); /* log hooks may ask when the address is long gone */
    if (x->attempt == 1)
        p->keeping = x->req.has_body && worth_keeping(x, pk->alone);
    if (x->chains->at[SP_HP_ATTEMPT].n) { /* copy on write: the next attempt begins from the same request */
        hdrs_share(&x->req.h, &shown);
        if (!run_attempt_hooks(x))
            return;
    }
    int rc = start_call(x, pk);
    x->req = before;
    x->req.h = shown;
    if (rc == E_NOMEM)
        fail_memory(x);
    else if (rc != 0)
        fail(x, GW_INTERNAL, "the upstream call cannot begin");
    else
        x_request_pump(x);
}

static void attempt(struct exchange *x)
{
    struct proxy *p = x->proxy;

    x->attempt++;
    p->pick = NULL;
    p->picking = true;
    struct upstream_pick *pick = upstream_pick(p->up, x->loop, x->arena, &p->want, picked, x);
    if (p->picking && pick)
        p->pick = pick;
    p->picking = false;
}

struct proxy_spare *proxy_spare(struct proxy *p)
{
    if (!p->spared) {
        p->spare = (struct proxy_spare){.type = GW_INTERNAL};
        timer_init(&p->spare.backoff, waited);
        bufq_init(&p->spare.kept);
        p->spared = true;
    }
    return &p->spare;
}

void proxy_start(struct exchange *x)
{
    const struct route_plan *r = x->route;
    struct proxy *p;

    if (UNLIKELY(x->req.method == M_OPTIONS || x->req.method == M_OTHER) && x_last_hop(x))
        return;
    p = arena_alloc(x->arena, sizeof(*p));
    if (!p) {
        x_fail_memory(x);
        return;
    }
    memset(p, 0, offsetof(struct proxy, want.tried)); /* the rest few exchanges touch */
    p->x = x;
    p->up = x->up_set ? x->up_set : r->up;
    p->authority = x->up_set ? upstream_authority(x->up_set) : r->authority;
    x->upstream_id = upstream_id(p->up);
    timer_init(&p->timer, timed_out);
    x->proxy = p;
    proxy_key(x);
    if (x->req_flow.hook_count && x->req.has_body && x->req_flow.edits)
        x->req.content_length = x->req_flow.out_end ? (int64_t)x->req_flow.out.bytes : BODY_UNKNOWN;
    timer_set(x->loop, &p->timer, r->timeout_ms);
    attempt(x);
}

void proxy_cancel(struct exchange *x)
{
    struct proxy *p = x->proxy;

    if (!p)
        return;
    timer_cancel(&p->timer);
    wait_no_more(p);
    if (p->pick)
        upstream_pick_cancel(p->pick);
    p->pick = NULL;
    if (p->calling)
        cli_cancel(&p->call);
    release(p);
    proxy_forget(p);
    if (!x->t_int_end)
        x->t_int_end = loop_stamp_ns(x->loop);
    x->integration_done = true;
    bufq_clear(&p->call.in);
    x->proxy = NULL;
}

bool proxy_room(const struct exchange *x)
{
    const struct proxy *p = x->proxy;

    return p->calling && !cli_full(&p->call, upstream_conf(p->up)->high_water);
}

void proxy_send(struct exchange *x, struct bufq *q, bool end)
{
    struct proxy *p = x->proxy;

    if (x->integration_done || p->end_sent || !x->req.has_body) {
        bufq_clear(q);
        return;
    }
    if (!p->calling)
        return; /* it waits for the next attempt */
    proxy_keep(x, q);
    p->end_sent = end;
    if (end && x->st->req.trailers.n)
        cli_trailers(&p->call, &x->st->req.trailers);
    int rc = cli_send(&p->call, q, end);
    if (rc == 0)
        return;
    cli_cancel(&p->call);
    if (rc == E_NOMEM)
        fail_memory(x);
    else
        fail(x, GW_INTERNAL, "the request body does not fit its declared length");
}

void proxy_fill(struct exchange *x)
{
    struct proxy *p = x->proxy;
    struct cli_call *c = &p->call;

    if (bufq_move(&x->res_flow.in, &c->in) != 0) {
        x_abort_memory(x);
        return;
    }
    x->res_flow.in_end = c->in_end;
    c->waits = x->st->out_waits;
    if (p->calling)
        cli_consumed(c);
}
