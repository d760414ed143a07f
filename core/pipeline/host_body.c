/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies, for plugins: asking for them, waiting for the whole, giving bytes. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"

static sp_status hb_want(struct sp_exchange *sx, uint32_t side, uint32_t mode, uint64_t max)
{
    struct exchange *x = (struct exchange *)sx;
    unsigned i = side == SP_SIDE_RESPONSE;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if ((side != SP_SIDE_REQUEST && side != SP_SIDE_RESPONSE) || (mode & 0xfu) > SP_BODY_BUFFER || (mode & ~(0xfu | SP_BODY_OBSERVE)))
        return SP_E_ARG;
    if (!x->cur || (i ? x->cur_point != SP_HP_RESPONSE : x->cur_point != SP_HP_STAGE && x->cur_point != SP_HP_REQUEST))
        return SP_E_PHASE;
    if (!module_hook(x->cur->e->mod, i ? SP_HP_RESPONSE_BODY : SP_HP_REQUEST_BODY))
        return SP_E_PHASE;
    x->entries[x->cur->e->index].want[i] = (uint8_t)mode;
    x->entries[x->cur->e->index].want_max[i] = max;
    return SP_OK;
}

static sp_op hb_collect(struct sp_exchange *sx, uint32_t side, uint64_t max, uint32_t timeout_ms, sp_fn fn, void *arg)
{
    struct exchange *x = (struct exchange *)sx;
    struct flow *f = side == SP_SIDE_REQUEST ? &x->req_flow : &x->res_flow;
    bool point_ok;
    struct xop *op;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (side == SP_SIDE_REQUEST)
        point_ok = x->cur_point == SP_HP_STAGE || x->cur_point == SP_HP_REQUEST || x->cur_point == SP_HP_INTEGRATION;
    else
        point_ok = side == SP_SIDE_RESPONSE && x->cur_point == SP_HP_RESPONSE && !x->head_gone;
    if (!point_ok || !fn || timeout_ms == 0 || timeout_ms > 600000 || f->collect) {
        x_misuse(x, x->cur, "collect() with bad arguments, at the wrong hook point, or while another collect waits");
        return 0;
    }
    op = xop_new(x, OP_COLLECT, fn, arg);
    if (!op)
        return 0;
    f->collect = op;
    f->max = max && max < x->unit->max_body ? max : x->unit->max_body;
    timer_set(x->loop, &op->timer, x_bound_timeout(x, timeout_ms));
    if (side == SP_SIDE_RESPONSE)
        x_response_pump(x);
    else
        x_request_pump(x);
    return op->token;
}

/* Where emitted bytes of the calling hook go: the queue, or NULL when it may not emit there. */
static struct bufq *emit_queue(struct exchange *x, uint32_t side)
{
    struct flow *f = side == SP_SIDE_REQUEST ? &x->req_flow : &x->res_flow;
    uint8_t where = side == SP_SIDE_REQUEST ? W_REQ_BODY : W_RES_BODY;

    if (!x->cur)
        return NULL;
    if (x->cur_where == where) {
        if (f->at >= f->hook_count || (!f->running && !f->blocked))
            return NULL;
        return f->hooks->v[f->at].h == x->cur && !(f->hooks->v[f->at].mode & SP_BODY_OBSERVE) ? &f->hooks->gave : NULL;
    }
    return side == SP_SIDE_RESPONSE && x->streaming_local && !f->in_end ? &f->in : NULL;
}

static sp_status push(struct exchange *x, struct bufq *q, const struct sp_slice *v, uint32_t nv)
{
    for (uint32_t i = 0; i < nv; i++) /* all of it or nothing */
        if (v[i].n > UINT32_MAX || (v[i].n && !v[i].p))
            return SP_E_ARG;
    for (uint32_t i = 0; i < nv; i++) {
        int rc = 0;

        if (v[i].n && v[i].buffer)
            rc = bufq_push_ref(q, (struct slice){(struct buf *)v[i].buffer, v[i].p, (uint32_t)v[i].n});
        else if (v[i].n)
            rc = bufq_copy(q, &x->loop->bufs, str_n(v[i].p, v[i].n));
        if (rc)
            return rc;
    }
    return SP_OK;
}

static sp_status hb_emit(struct sp_exchange *sx, uint32_t side, const struct sp_slice *v, uint32_t nv, uint32_t flags)
{
    struct exchange *x = (struct exchange *)sx;
    struct flow *f = side == SP_SIDE_REQUEST ? &x->req_flow : &x->res_flow;
    struct bufq *q;
    sp_status rc;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if ((side != SP_SIDE_REQUEST && side != SP_SIDE_RESPONSE) || (flags & ~(uint32_t)SP_CHUNK_END))
        return SP_E_ARG;
    q = emit_queue(x, side);
    if (!q)
        return SP_E_PHASE;
    if (x->cur_shadow)
        return SP_OK;
    uint64_t before = q->bytes;
    rc = push(x, q, v, nv);
    if (rc)
        return rc;
    if (q == &f->in)
        x->given += q->bytes - before;
    if (f->hooks && q == &f->hooks->gave) {
        f->replaced = true;
        f->cut |= (flags & SP_CHUNK_END) != 0;
    } else if (flags & SP_CHUNK_END) {
        f->in_end = true;
    }
    return q->bytes + x->st->out_bytes >= srv_conf_of(x->st)->high_water ? SP_E_AGAIN : SP_OK;
}

static sp_status hb_hold(struct sp_exchange *sx, uint32_t side)
{
    struct exchange *x = (struct exchange *)sx;
    struct flow *f = side == SP_SIDE_REQUEST ? &x->req_flow : &x->res_flow;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (side != SP_SIDE_REQUEST && side != SP_SIDE_RESPONSE)
        return SP_E_ARG;
    if (!f->hooks || emit_queue(x, side) != &f->hooks->gave)
        return SP_E_PHASE;
    if (!x->cur_shadow)
        f->replaced = true;
    return SP_OK;
}

static sp_op hb_on_room(struct sp_exchange *sx, uint32_t side, sp_fn fn, void *arg)
{
    struct exchange *x = (struct exchange *)sx;
    struct xop *op;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    if (side != SP_SIDE_RESPONSE || !x->streaming_local || !fn || x->res_flow.room || !x->cur || x->ended)
        return 0;
    op = xop_new(x, OP_ROOM, fn, arg);
    if (!op)
        return 0;
    x->res_flow.room = op;
    return op->token;
}

const struct sp_body_api host_body_api = {
    .size = sizeof(struct sp_body_api),
    .want = hb_want,
    .collect = hb_collect,
    .emit = hb_emit,
    .hold = hb_hold,
    .on_room = hb_on_room,
};
