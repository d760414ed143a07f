/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: a random mode for each, chunks given on in pieces, bytes held back, waits in the middle.
 * The bytes stay what they are. */
#include "chaos.h"

#define BUFFER_BELOW                                                                               \
    16384 /* larger bodies are never asked for whole: the route's limit would show */
#define PIECES_MAX 8

static const uint32_t sides[2] = {SP_SIDE_REQUEST, SP_SIDE_RESPONSE};

/* side: 0 request, 1 response. */
void chaos_want(const struct sp_call *call, uint32_t side)
{
    const struct chaos *s = (const struct chaos *)call->state;
    const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    uint32_t number = side == 0 ? SP_NUM_CONTENT_LENGTH : SP_NUM_RESPONSE_LENGTH;
    enum chaos_event event = EV_STREAM;
    uint32_t mode = SP_BODY_STREAM;
    int64_t length = -1;

    if (!chaos_chance(c, conf->body))
        return;
    if (s->host->exchange->number(call->x, number, &length) != SP_OK)
        length = -1;
    if (chaos_chance(c, 30)) {
        mode |= SP_BODY_OBSERVE;
        event = EV_OBSERVE;
    } else if (length > 0 && length < BUFFER_BELOW && chaos_chance(c, 40)) {
        mode = SP_BODY_BUFFER;
        event = EV_BUFFER;
    }
    if (s->host->body->want(call->x, sides[side], mode, 0) != SP_OK) {
        chaos_bad(call, "body->want() was refused");
        return;
    }
    c->side[side].mode = mode;
    chaos_count(call, event);
}

/* Has the request been answered while we waited? Then what it brings goes nowhere (body.h, emit). */
static bool answered(const struct sp_call *call)
{
    const struct chaos *s = (const struct chaos *)call->state;
    int64_t status = 0;

    return call->event != SP_EV_HOOK && call->point == SP_HP_REQUEST_BODY &&
           s->host->exchange->number(call->x, SP_NUM_STATUS, &status) == SP_OK && status != 0;
}

static void emit(const struct sp_call *call, uint32_t side, const struct sp_slice *v, uint32_t n)
{
    const struct chaos *s = (const struct chaos *)call->state;
    sp_status st = s->host->body->emit(call->x, sides[side], v, n, 0);

    if (st != SP_OK && st != SP_E_AGAIN && !(st == SP_E_PHASE && answered(call)))
        chaos_bad(call, "body->emit() was refused");
}

/* Gives [from, from+n) of the chunk on, in pieces of random sizes. */
static void give(const struct sp_call *call, uint32_t side, struct sp_slice part)
{
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    unsigned i;

    for (i = 0; i < PIECES_MAX && part.n > 1; i++) {
        struct sp_slice piece = part;
        piece.n = 1 + (size_t)chaos_random(c, part.n - 1);
        emit(call, side, &piece, 1);
        part.p += piece.n;
        part.n -= piece.n;
    }
    if (part.n != 0)
        emit(call, side, &part, 1);
}

void chaos_release(const struct sp_call *call, struct chaos_side *b)
{
    const struct chaos *s = (const struct chaos *)call->state;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    uint32_t side = b == &c->side[0] ? 0 : 1;

    if (b->held_count != 0)
        emit(call, side, b->held, b->held_count);
    chaos_forget((struct chaos *)(uintptr_t)s, b);
}

void chaos_forget(struct chaos *s, struct chaos_side *b)
{
    uint32_t i;

    for (i = 0; i < b->held_count; i++)
        if (b->held[i].buffer != NULL)
            s->host->buffer->unref(b->held[i].buffer);
    b->held_count = 0;
}

/* Keeps bytes beyond the hook's return: a reference to their buffer, or a copy where there is none.
 */
static bool keep(const struct sp_call *call, struct chaos_side *b, struct sp_slice part)
{
    const struct chaos *s = (const struct chaos *)call->state;
    sp_str bytes = {part.p, part.n};

    if (b->held_count == CHAOS_HELD)
        return false;
    if (part.buffer != NULL) {
        s->host->buffer->ref(part.buffer);
    } else {
        bytes = sp_join(s->host->exchange, call->x, &bytes, 1);
        if (bytes.n == 0)
            return false;
        part.p = bytes.p;
    }
    b->held[b->held_count++] = part;
    return true;
}

/* The first `give_bytes` of the chunk go on now, the rest is held. Bytes that cannot be held go on
 * too. */
static void divide(const struct sp_call *call, uint32_t side, uint64_t give_bytes)
{
    const struct sp_chunk *chunk = call->chunk;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    struct chaos_side *b = &c->side[side];
    bool holding = false;
    uint32_t i;

    for (i = 0; i < chunk->nv; i++) {
        struct sp_slice now = chunk->v[i], later;
        if (now.n > give_bytes)
            now.n = (size_t)give_bytes;
        give_bytes -= now.n;
        give(call, side, now);
        later = chunk->v[i];
        later.p += now.n;
        later.n -= now.n;
        if (later.n == 0)
            continue;
        holding = keep(call, b, later);
        if (!holding) { /* no room: everything goes, in order */
            chaos_release(call, b);
            give(call, side, later);
            give_bytes = UINT64_MAX;
        }
    }
}

static void check_chunk(const struct sp_call *call, struct chaos_side *b)
{
    const struct sp_chunk *chunk = call->chunk;
    uint64_t sum = 0;
    uint32_t i;

    for (i = 0; i < chunk->nv; i++)
        sum += chunk->v[i].n;
    if (sum != chunk->bytes || chunk->v_stride != sizeof(struct sp_slice))
        chaos_bad(call, "a chunk's numbers do not fit its slices");
    if (b->mode == SP_BODY_SKIP)
        chaos_bad(call, "a body hook ran that did not ask");
    if (b->ended)
        chaos_bad(call, "a body hook ran behind SP_CHUNK_END");
    if (chunk->offset != b->offset)
        chaos_bad(call, "a chunk has a wrong offset");
    if (b->mode == SP_BODY_BUFFER &&
        (chunk->flags & (SP_CHUNK_WHOLE | SP_CHUNK_END)) != (SP_CHUNK_WHOLE | SP_CHUNK_END))
        chaos_bad(call, "SP_BODY_BUFFER gave a part of a body");
    b->offset += chunk->bytes;
    b->ended = (chunk->flags & SP_CHUNK_END) != 0;
}

sp_verdict chaos_body(const struct sp_call *call)
{
    const struct chaos *s = (const struct chaos *)call->state;
    const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
    struct chaos_ctx *c = chaos_begin(call);
    uint32_t side = call->point == SP_HP_REQUEST_BODY ? 0 : 1;
    struct chaos_side *b = &c->side[side];
    bool hold, wait = chaos_chance(c, conf->pending), edits = (b->mode & SP_BODY_OBSERVE) == 0;

    check_chunk(call, b);
    hold = edits && call->chunk->bytes != 0 && chaos_chance(c, conf->hold) &&
           (wait || (conf->across != 0 && !b->ended));
    if (b->held_count != 0 || hold ||
        (edits && call->chunk->bytes != 0 && chaos_chance(c, conf->split))) {
        if (s->host->body->hold(call->x, sides[side]) != SP_OK)
            chaos_bad(call, "body->hold() was refused");
        chaos_release(call, b); /* what an earlier chunk left */
        divide(call, side, hold ? chaos_random(c, call->chunk->bytes) : UINT64_MAX);
        chaos_count(call, hold ? EV_HOLD : EV_SPLIT);
    }
    if (!wait)
        return SP_NEXT;
    if (chaos_wait(call, side + 1) == SP_PENDING) {
        chaos_count(call, EV_BODY_WAIT);
        return SP_PENDING;
    }
    chaos_release(call, b); /* nothing would bring us back */
    return SP_NEXT;
}
