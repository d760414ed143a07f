/* SPDX-License-Identifier: Apache-2.0 */
/* A body on its way through the body hooks of one side: chunk by chunk, or once when a hook asked for the whole. */
#include "pipeline/exchange.h"

#define SLICES_ON_STACK 16

void flow_init(struct flow *f)
{
    bufq_init(&f->in);
    bufq_init(&f->out);
}

void flow_clear(struct flow *f)
{
    bufq_clear(&f->in);
    bufq_clear(&f->out);
    if (f->hooks) {
        bufq_clear(&f->hooks->cur);
        bufq_clear(&f->hooks->gave);
    }
    f->blocked = false;
}

static struct flow_hooks *hooks_new(struct arena *a, unsigned n)
{
    struct flow_hooks *h = arena_zalloc(a, sizeof(*h) + n * sizeof(h->v[0]));

    if (h) {
        bufq_init(&h->cur);
        bufq_init(&h->gave);
    }
    return h;
}

int flow_arm(struct exchange *x, struct flow *f, enum x_where where)
{
    unsigned side = where == W_REQ_BODY ? 0 : 1;
    const struct chain *c = &x->chains->at[where == W_REQ_BODY ? SP_HP_REQUEST_BODY : SP_HP_RESPONSE_BODY];

    f->armed = true;
    f->max = x->unit ? x->unit->max_body : 0;
    for (unsigned i = 0; i < c->n; i++) {
        const struct entry_state *es = &x->entries[c->v[i].e->index];
        unsigned mode = es->want[side] & 0xfu;

        if (mode == SP_BODY_SKIP || (side == 1 && c->v[i].e->pos[x->api_type] >= x->stop_pos))
            continue; /* behind the entry that gave this answer nobody sees it */
        if (!f->hooks) {
            f->hooks = hooks_new(x->arena, c->n - i);
            if (!f->hooks)
                return E_NOMEM;
        }
        f->hooks->v[f->hook_count++] = (struct body_hook){.h = &c->v[i], .mode = es->want[side]};
        f->edits |= !(es->want[side] & SP_BODY_OBSERVE) && !c->v[i].e->shadow;
        if (mode == SP_BODY_BUFFER) {
            f->whole = true;
            if (es->want_max[side] && es->want_max[side] < f->max)
                f->max = es->want_max[side];
        }
    }
    return 0;
}

/* Shows the queue as a chunk and runs one hook on it. */
static sp_verdict show(struct exchange *x, struct flow *f, struct body_hook *bh, enum x_where where)
{
    struct sp_slice few[SLICES_ON_STACK], *v = few;
    struct sp_call call;
    unsigned point = where == W_REQ_BODY ? SP_HP_REQUEST_BODY : SP_HP_RESPONSE_BODY;
    const struct bufq *cur = &f->hooks->cur;
    unsigned n = cur->count;

    if (n > SLICES_ON_STACK && !(v = malloc(n * sizeof(*v)))) {
        x_set_gateway_response(x, GW_INTERNAL, STR_NONE);
        return SP_ERROR;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct slice *s = bufq_at(cur, i);
        v[i] = (struct sp_slice){(struct sp_buffer *)s->b, s->p, s->n};
    }
    struct sp_chunk chunk = {.size = sizeof(chunk), .offset = bh->offset, .bytes = cur->bytes, .v = v, .nv = n,
                             .v_stride = sizeof(*v)};
    chunk.flags = (f->at_end ? SP_CHUNK_END : 0u) | (f->whole && f->at_end && bh->offset == 0 ? SP_CHUNK_WHOLE : 0u);
    bh->offset += cur->bytes;
    bh->finished |= f->at_end;
    f->replaced = false;
    x_call_init(x, bh->h, point, &call);
    call.chunk = &chunk;
    f->running = true;
    sp_verdict verdict = x_call(x, bh->h, bh->h->fn, where, &call);
    f->running = false;
    if (v != few)
        free(v);
    return verdict;
}

/* The hook is done with its chunk: what goes on stands in cur. */
static bool pass_on(struct flow *f)
{
    if (!f->replaced)
        return true;
    f->hooks->v[f->at].edited = true;
    bufq_clear(&f->hooks->cur);
    if (bufq_move(&f->hooks->cur, &f->hooks->gave) != 0)
        return false;
    f->replaced = false;
    if (f->cut)
        f->at_end = true;
    return true;
}

/* A body hook that does not go on: an answer while the head is here, else the end. */
static void verdict_ends(struct exchange *x, struct flow *f, const struct hook_ref *h, sp_verdict v)
{
    f->blocked = false;
    if (v == SP_ABORT) {
        x_abort(x, "a plugin asked for it");
        return;
    }
    if (x->head_gone) {
        x_abort(x, "a body hook failed after the head had left");
        return;
    }
    if (f == &x->req_flow) { /* the other side holds the new answer already */
        flow_clear(f);
        f->out_end = true;
    }
    x_to_response(x, h->e->pos[x->api_type]);
}

/* Runs hooks from f->at on with the chunk in cur; false: blocked, or the exchange is ending. */
static bool run_hooks(struct exchange *x, struct flow *f, enum x_where where)
{
    for (; f->at < f->hook_count; f->at++) {
        struct body_hook *bh = &f->hooks->v[f->at];

        if ((f->hooks->cur.bytes == 0 && !f->at_end) || bh->finished)
            continue;
        sp_verdict v = show(x, f, bh, where);
        if (x->ended || x->aborted)
            return false;
        if (v == SP_PENDING) {
            f->blocked = true;
            return false;
        }
        if (v != SP_NEXT) {
            verdict_ends(x, f, bh->h, v);
            return false;
        }
        if (!pass_on(f)) {
            x_abort_memory(x);
            return false;
        }
    }
    if (f->hooks && bufq_move(&f->out, &f->hooks->cur) != 0) {
        x_abort_memory(x);
        return false;
    }
    f->out_end |= f->at_end;
    return true;
}

void flow_run(struct exchange *x, struct flow *f, enum x_where where)
{
    while (!f->blocked && !f->running && !f->out_end) {
        if (f->in.bytes == 0 && !f->in_end)
            return;
        if (f->whole && !f->in_end)
            return;
        if (f->hook_count == 0) {
            if (bufq_move(&f->out, &f->in) != 0)
                x_abort_memory(x);
            f->out_end = f->in_end;
            return;
        }
        if (bufq_move(&f->hooks->cur, &f->in) != 0) {
            x_abort_memory(x);
            return;
        }
        f->at = 0;
        f->at_end = f->in_end;
        if (!run_hooks(x, f, where))
            return;
    }
    if (f->out_end)
        bufq_clear(&f->in); /* a hook ended the body early */
}

void flow_resume(struct exchange *x, struct flow *f, enum x_where where, sp_verdict v)
{
    if (v == SP_PENDING || x->ended || x->aborted || !f->hooks)
        return;
    f->blocked = false;
    if (v != SP_NEXT) {
        verdict_ends(x, f, f->hooks->v[f->at].h, v);
        return;
    }
    if (!pass_on(f)) {
        x_abort_memory(x);
        return;
    }
    f->at++;
    if (run_hooks(x, f, where))
        flow_run(x, f, where);
    if (x->ended || x->aborted)
        return;
    if (where == W_REQ_BODY)
        x_request_pump(x);
    else
        x_response_pump(x);
}
