/* SPDX-License-Identifier: Apache-2.0 */
/* PENDING in all the ways there are: by another thread, by a timer, by both at once, beside a token
 * that is never resumed. */
#include "chaos.h"

#define FOREVER_MS 600000

/* Begun operations of one wait carry its serial; only the first to come back for the wait that is
 * on counts. */
static sp_verdict come_back(const struct sp_call *call)
{
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    const struct chaos_wait *w = (const struct chaos_wait *)call->arg;

    if (call->event != SP_EV_RESUME && call->event != SP_EV_TIMER && call->event != SP_EV_TIMEOUT)
        chaos_bad(call, "a continuation ran for an event that nobody asked for");
    if (call->event == SP_EV_RESUME && call->tag != w->serial)
        chaos_bad(call, "resume() brought another tag than it was given");
    if (c->awaits[w->where] !=
        w->serial) /* the other operation of a race, or of a wait long over */
        return c->awaits[w->where] != 0 ? SP_PENDING : SP_NEXT;
    c->awaits[w->where] = 0;
    if (w->where != CHAOS_MAIN)
        chaos_release(call, &c->side[w->where - 1]);
    return SP_NEXT;
}

static bool by_timer(const struct sp_call *call, struct chaos_wait *w)
{
    const struct chaos *s = (const struct chaos *)call->state;
    const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    uint64_t ms = 1 + chaos_random(c, (uint64_t)conf->delay_ms);

    return s->host->timer->once(call->module, call->x, ms, come_back, w) != 0;
}

static bool by_thread(const struct sp_call *call, struct chaos_wait *w, bool twice)
{
    const struct chaos *s = (const struct chaos *)call->state;
    const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    struct chaos_job job = {.tag = w->serial, .twice = twice};

    /* The thread may find itself short of time on a loaded machine: what the client sees may not
     * depend on it. */
    job.token = s->host->exchange->suspend(call->x, FOREVER_MS, SP_WAIT_NOTIFY, come_back, w);
    job.due_us = chaos_now_us() + chaos_random(c, (uint64_t)conf->delay_ms * 1000 + 1);
    return job.token != 0 && chaos_thread_add(s->thread, &job);
}

static bool beside_stale(const struct sp_call *call, struct chaos_wait *w)
{
    const struct chaos *s = (const struct chaos *)call->state;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    sp_token token;

    if (!by_timer(call, w))
        return false;
    if (c->stale_count == CHAOS_STALE)
        return true;
    token = s->host->exchange->suspend(call->x, FOREVER_MS, SP_WAIT_NOTIFY, come_back, w);
    if (token != 0)
        c->stale[c->stale_count++] = token;
    return true;
}

sp_verdict chaos_wait(const struct sp_call *call, uint32_t where)
{
    const struct chaos *s = (const struct chaos *)call->state;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    struct chaos_wait *w = (struct chaos_wait *)s->host->exchange->alloc(call->x, sizeof(*w));
    enum chaos_event event = (enum chaos_event)chaos_random(c, 4);
    bool begun, also;

    if (w == NULL)
        return SP_NEXT;
    w->serial = ++c->serial;
    w->where = where;
    if (event == EV_SUSPEND) {
        begun = by_thread(call, w, chaos_chance(c, 50));
    } else if (event == EV_RACE) {
        also = by_timer(call, w);
        begun = by_thread(call, w, false) || also;
    } else {
        begun = event == EV_STALE ? beside_stale(call, w) : by_timer(call, w);
    }
    if (!begun)
        return SP_NEXT;
    c->awaits[where] = w->serial;
    chaos_count(call, event);
    return SP_PENDING;
}
