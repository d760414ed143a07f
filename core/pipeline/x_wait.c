/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of exchanges and modules: waits with tokens, timers, and what their continuations' verdicts do. */
#include "pipeline/exchange.h"

#include "base/log.h"

struct loop *_Atomic pl_loops[LOOP_MAX];

static void op_timer(struct loop *, struct timer *);

static struct xop *op_make(struct pl_thread *pt, enum xop_kind kind, sp_fn fn, void *arg)
{
    struct xop *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    op->token = slot_open(&pt->loop->slots, op);
    if (!op->token) {
        free(op);
        return NULL;
    }
    op->kind = (uint8_t)kind;
    op->pt = pt;
    op->fn = fn;
    op->arg = arg;
    timer_init(&op->timer, op_timer);
    return op;
}

struct xop *xop_new_module(struct pl_thread *pt, struct sp_module *m, enum xop_kind kind, sp_fn fn, void *arg)
{
    struct xop *op = op_make(pt, kind, fn, arg);

    if (op) {
        op->mod = m;
        list_push(&pt->module_ops, &op->link);
    }
    return op;
}

struct xop *xop_new(struct exchange *x, enum xop_kind kind, sp_fn fn, void *arg)
{
    struct xop *op = op_make(x->pt, kind, fn, arg);

    if (!op)
        return NULL;
    op->where = x->cur_where;
    op->point = x->cur_point;
    op->x = x;
    op->h = x->cur;
    op->mod = x->cur ? x->cur->e->mod : NULL;
    list_push(&x->ops, &op->link);
    return op;
}

void xop_free(struct xop *op)
{
    struct exchange *x = op->x;

    timer_cancel(&op->timer);
    list_del(&op->link);
    slot_close(&op->pt->loop->slots, op->token);
    if (x && x->req_flow.collect == op)
        x->req_flow.collect = NULL;
    if (x && x->res_flow.collect == op)
        x->res_flow.collect = NULL;
    if (x && x->res_flow.room == op)
        x->res_flow.room = NULL;
    if (op->call)
        xcall_drop(op);
    free(op);
}

void x_cancel_ops(struct exchange *x)
{
    while (!list_empty(&x->ops))
        xop_free(LIST_ITEM(x->ops.next, struct xop, link));
}

static void fire_module(struct xop *op, unsigned event, int status, uint64_t tag, const struct sp_chunk *chunk, bool final)
{
    struct sp_module *m = op->mod;
    struct sp_call call = {.size = sizeof(call), .event = (uint16_t)event, .module = m, .state = m->state};
    sp_fn fn = op->fn;

    call.thread_state = m->thread_state[op->pt->loop->id];
    call.op = op->token;
    call.arg = op->arg;
    call.tag = tag;
    call.status = status;
    call.chunk = chunk;
    if (final && event != SP_EV_CLIENT_DONE)
        xop_free(op);
    fn(&call);
}

/* A continuation's verdict moves on only the place where its hook waits. */
static void route_verdict(struct exchange *x, const struct hook_ref *h, enum x_where where, sp_verdict v)
{
    struct flow *f = where == W_REQ_BODY ? &x->req_flow : &x->res_flow;

    if (v == SP_ABORT && !x->aborted) {
        x_abort(x, "a plugin asked for it");
        return;
    }
    if (where == W_MAIN) {
        if (x->blocked && x->blocked_h == h)
            x_resume_main(x, v);
    } else if (f->blocked && f->at < f->hook_count && f->hooks->v[f->at].h == h) {
        flow_resume(x, f, where, v);
    }
}

void xop_fire(struct xop *op, unsigned event, int status, uint64_t tag, const struct sp_chunk *chunk, bool final)
{
    struct exchange *x = op->x;
    const struct hook_ref *h = op->h;
    enum x_where where = op->where;
    sp_fn fn = op->fn;
    struct sp_call call;

    if (!x) {
        fire_module(op, event, status, tag, chunk, final);
        return;
    }
    x_call_init(x, h, op->point, &call);
    call.event = (uint16_t)event;
    call.op = op->token;
    call.arg = op->arg;
    call.tag = tag;
    call.status = status;
    call.chunk = chunk;
    if (final && event != SP_EV_CLIENT_DONE)
        xop_free(op);
    sp_verdict v = x_call(x, h, fn, where, &call);
    if (!x->ended && !x->aborted)
        route_verdict(x, h, where, v);
    if (x->streaming_local && !x->ended && !x->aborted)
        x_response_pump(x);
}

/* A wait that nobody resumed in time ends the exchange with a 504 that names the plugin, unless it asked to be told. */
static void wait_expired(struct xop *op)
{
    struct exchange *x = op->x;
    const struct hook_ref *h = op->h;

    if (op->notify) {
        xop_fire(op, SP_EV_TIMEOUT, E_TIMEOUT, 0, NULL, true);
        return;
    }
    enum x_where where = op->where;
    if (x_waits(x, h, where) && x_allows(x, h, where, op->point)) {
        x_pass_over(x, h, where, op->point, "no resume in time");
        xop_free(op);
        route_verdict(x, h, where, SP_NEXT);
        return;
    }
    log_warn("plugin %s (entry %.*s) at %s, request %.36s: no resume in time", h->e->mod->desc.name, STR_ARG(h->e->id),
             hook_point_name(op->point), x->request_id);
    xop_free(op);
    x_fail(x, (enum gw_type)SP_GR_INTEGRATION_TIMEOUT, "a plugin's wait ran out of time");
}

static void op_timer(struct loop *l, struct timer *t)
{
    struct xop *op = CONTAINER_OF(t, struct xop, timer);

    switch (op->kind) {
    case OP_WAIT:
        wait_expired(op);
        break;
    case OP_COLLECT:
        xop_fire(op, SP_EV_COLLECTED, E_TIMEOUT, 0, NULL, true);
        break;
    case OP_TIMER:
        if (op->repeat) {
            uint64_t jitter = op->jitter_ms ? rng_next(&l->rng) % (op->jitter_ms + 1) : 0;
            timer_set(l, &op->timer, op->every_ms + jitter);
            xop_fire(op, SP_EV_TIMER, 0, 0, NULL, false);
        } else {
            xop_fire(op, SP_EV_TIMER, 0, 0, NULL, true);
        }
        break;
    case OP_CLIENT:
        xcall_timer(op);
        break;
    default:
        break;
    }
    loop_flush(l);
}

uint32_t x_bound_timeout(const struct exchange *x, uint64_t ms)
{
    uint64_t bound = x->cur && x->cur->e->timeout_ms ? x->cur->e->timeout_ms : 600000;

    return (uint32_t)(ms < bound ? ms : bound);
}

struct resume_msg {
    struct mbox_msg msg;
    sp_token token;
};

static void resumed(struct loop *l, struct mbox_msg *m)
{
    struct resume_msg *r = CONTAINER_OF(m, struct resume_msg, msg);
    struct xop *op = slot_get(&l->slots, r->token);

    if (op) {
        uint64_t tag = 0;

        /* the slot is closed by the take; the operation keeps a dead token from here on */
        if (slot_take(&l->slots, r->token, &tag) == op)
            xop_fire(op, SP_EV_RESUME, 0, tag, NULL, true);
    }
    free(r);
    loop_flush(l);
}

int x_resume_token(sp_token token, uint64_t tag)
{
    unsigned owner = slot_owner(token);
    struct loop *l = owner < LOOP_MAX ? atomic_load_explicit(&pl_loops[owner], memory_order_acquire) : NULL;
    struct resume_msg *r;

    if (!l) /* nobody's, or of a thread that has ended */
        return E_GONE;
    r = malloc(sizeof(*r));
    if (!r)
        return E_NOMEM;
    *r = (struct resume_msg){.msg.fn = resumed, .token = token};
    int rc = slot_fire(&l->slots, token, tag);
    if (rc != 0) {
        free(r);
        return E_GONE; /* forged ones too: what never was is not there now */
    }
    mbox_post(&l->mbox, &r->msg);
    return 0;
}
