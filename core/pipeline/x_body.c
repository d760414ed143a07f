/* SPDX-License-Identifier: Apache-2.0 */
/* What moves body bytes between the client's stream, the flows and the integration, each only as fast as the next can take them. */
#include "pipeline/exchange.h"

/* The chunk that a collect() gets shows everything that is in the flow and leaves it there. */
static void fire_collect(struct exchange *x, struct flow *f, int status)
{
    struct xop *op = f->collect;
    unsigned n = f->in.count;
    struct sp_slice *v = n ? arena_alloc(x->arena, n * sizeof(*v)) : NULL;

    if (n && !v)
        status = E_NOMEM, n = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct slice *s = bufq_at(&f->in, i);
        v[i] = (struct sp_slice){(struct sp_buffer *)s->b, s->p, s->n};
    }
    struct sp_chunk chunk = {.size = sizeof(chunk), .flags = SP_CHUNK_WHOLE | SP_CHUNK_END, .bytes = f->in.bytes, .v = v, .nv = n,
                             .v_stride = sizeof(*v)};
    f->collect = NULL;
    xop_fire(op, SP_EV_COLLECTED, status, 0, status == 0 ? &chunk : NULL, true);
}

bool x_collecting(struct exchange *x, struct flow *f)
{
    if (!f->collect || x->cur)
        return false;
    if (f->in_end)
        fire_collect(x, f, 0);
    else if (f->in.bytes > f->max)
        fire_collect(x, f, E_LIMIT);
    else
        return false;
    return true;
}

/* May more of the request body be taken from the client's stream now? */
static bool request_wanted(const struct exchange *x)
{
    const struct flow *f = &x->req_flow;

    if (f->collect || x->phase == X_REQ_BUFFER)
        return f->in.bytes <= f->max;
    return x->proxy && x->integration_started && !f->blocked && proxy_room(x);
}

static void request_failed(struct exchange *x)
{
    int e = x->st->in_error;

    if (x->head_gone || x->phase >= X_RESPONSE) {
        /* the answer is on its way; the request's rest no longer matters to it unless the integration still reads */
        if (x->proxy && !x->integration_done)
            x_abort(x, "the request body broke off");
        return;
    }
    x_fail(x, e == E_LIMIT ? (enum gw_type)SP_GR_REQUEST_TOO_LARGE : e == E_TIMEOUT ? GW_REQUEST_TIMEOUT : GW_BAD_REQUEST,
           e == E_LIMIT ? "the request body is larger than limits.body" : e == E_TIMEOUT ? "the request body did not come in time"
                                                                              : "the request body's framing is broken");
}

static void fill_request(struct exchange *x)
{
    struct flow *f = &x->req_flow;
    struct srv_stream *st = x->st;

    if (f->in_end || !request_wanted(x))
        return;
    if (bufq_move(&f->in, &st->in) != 0) {
        x_abort_memory(x);
        return;
    }
    f->in_end = st->in_end;
    srv_consumed(st);
}

void x_request_pump(struct exchange *x)
{
    struct flow *f = &x->req_flow;

    if (x->ended || x->aborted)
        return;
    fill_request(x);
    if (x->ended || x->aborted)
        return;
    if (x->st->in_error && !f->in_end) {
        request_failed(x);
        return;
    }
    if (f->collect) {
        if (!x->running && x_collecting(x, f))
            return;
        if (f->collect)
            return;
    }
    if (x->phase == X_REQ_BUFFER) {
        if (f->in.bytes > f->max) {
            x_fail(x, (enum gw_type)SP_GR_REQUEST_TOO_LARGE, "the request body is larger than what is buffered");
            return;
        }
        flow_run(x, f, W_REQ_BODY);
        if (x->phase == X_REQ_BUFFER && f->out_end && !x->ended && !x->aborted) {
            x->phase = X_INTEGRATION;
            x_run(x);
        }
        return;
    }
    if (!x->proxy || !x->integration_started || x->integration_done)
        return;
    flow_run(x, f, W_REQ_BODY);
    if (x->proxy && !x->ended && !x->aborted && (f->out.bytes || f->out_end))
        proxy_send(x, &f->out, f->out_end);
}

static bool response_wanted(const struct exchange *x)
{
    const struct flow *f = &x->res_flow;

    if (f->collect || x->phase == X_RES_BUFFER)
        return f->in.bytes <= f->max;
    return x->phase == X_SENDING && !f->blocked && !srv_full(x->st, srv_conf_of(x->st)->high_water);
}

/* May a streaming plugin give more? */
static bool room_for_more(const struct exchange *x)
{
    const struct flow *f = &x->res_flow;

    if (f->in_end || x->ended || x->aborted)
        return false;
    if (x->phase == X_RES_BUFFER)
        return f->in.bytes <= f->max;
    return x->phase == X_SENDING && f->in.bytes == 0 && !srv_full(x->st, srv_conf_of(x->st)->high_water);
}

/* Who asked for room gets it, again and again while it gives something. */
static void room_check(struct exchange *x)
{
    struct flow *f = &x->res_flow;

    x->rooming = true;
    while (f->room && room_for_more(x)) {
        struct xop *op = f->room;
        uint64_t before = x->given;

        f->room = NULL;
        xop_fire(op, SP_EV_ROOM, 0, 0, NULL, true);
        if (x->given == before)
            break;
    }
    x->rooming = false;
}

/* A streamed answer whose plugin has nothing outstanding any more would never end. */
static void stalled_check(struct exchange *x)
{
    struct flow *f = &x->res_flow;

    if (f->in_end || x->ended || x->aborted || (x->phase != X_SENDING && x->phase != X_RES_BUFFER))
        return;
    LIST_EACH(&x->ops, it) {
        const struct xop *op = LIST_ITEM(it, struct xop, link);

        if (op->kind != OP_ROOM && op->h && op->h->e == x->streamer->e)
            return;
    }
    if (f->room && !room_for_more(x))
        return;
    x_misuse(x, x->streamer, "streams an answer, and neither gives more nor waits for anything");
    x_fail(x, GW_INTERNAL, "a streamed answer that nobody continues");
}

static void response_step(struct exchange *x)
{
    struct flow *f = &x->res_flow;

    if (x->ended || x->aborted || x->phase < X_RESPONSE)
        return;
    if (x->proxy && !f->in_end && response_wanted(x))
        proxy_fill(x);
    if (x->ended || x->aborted)
        return;
    if (f->collect && !x->running && x_collecting(x, f))
        return;
    if (x->phase == X_RES_BUFFER) {
        if (f->in.bytes > f->max) {
            x_fail(x, (enum gw_type)SP_GR_INTEGRATION_FAILURE, "the response body is larger than what is buffered");
            return;
        }
        flow_run(x, f, W_RES_BODY);
        if (x->phase == X_RES_BUFFER && f->out_end && !x->ended && !x->aborted)
            x_send_head(x);
        return;
    }
    if (x->phase != X_SENDING)
        return;
    flow_run(x, f, W_RES_BODY);
    if (x->ended || x->aborted || x->body_ended)
        return;
    if (x->bodyless)
        bufq_clear(&f->out); /* HEAD, 204, 304: read and dropped */
    if (f->out.bytes == 0 && !f->out_end)
        return;
    x->body_ended = f->out_end;
    if (srv_body(x->st, &f->out, f->out_end) != 0)
        x_abort(x, "the body does not fit its declared length");
}

void x_response_pump(struct exchange *x)
{
    response_step(x);
    if (!x->streaming_local || x->cur || x->rooming)
        return;
    room_check(x);
    stalled_check(x);
}
