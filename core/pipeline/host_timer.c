/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of exchanges and of modules. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"
#include "pipeline/self.h"

#define MODULE_TIMER_MAX_MS (30ull * 86400 * 1000)

static sp_op ht_once(struct sp_module *m, struct sp_exchange *sx, uint64_t ms, sp_fn fn, void *arg)
{
    struct exchange *x = (struct exchange *)sx;
    struct pl_thread *pt = pl_self();
    struct xop *op;

    if (!fn || !pt || ms > (x ? 600000 : MODULE_TIMER_MAX_MS))
        return 0;
    if (x && (!x->cur || x->cur_point == SP_HP_LOG || x->cur_point == SP_HP_ATTEMPT)) {
        x_misuse(x, x->cur, "a timer at a synchronous hook point");
        return 0;
    }
    op = x ? xop_new(x, OP_TIMER, fn, arg) : xop_new_module(pt, m, OP_TIMER, fn, arg);
    if (!op)
        return 0;
    timer_set(op->pt->loop, &op->timer, ms);
    return op->token;
}

static sp_op ht_every(struct sp_module *m, uint64_t ms, uint64_t jitter_ms, sp_fn fn, void *arg)
{
    struct pl_thread *pt = pl_self();
    struct xop *op;

    if (!fn || !pt || ms == 0 || ms > MODULE_TIMER_MAX_MS || jitter_ms > MODULE_TIMER_MAX_MS)
        return 0;
    op = xop_new_module(pt, m, OP_TIMER, fn, arg);
    if (!op)
        return 0;
    op->repeat = true;
    op->every_ms = ms;
    op->jitter_ms = jitter_ms;
    timer_set(pt->loop, &op->timer, ms);
    return op->token;
}

static void ht_cancel(sp_op token)
{
    struct pl_thread *pt = pl_self();
    struct xop *op = pt && slot_owner(token) == pt->loop->id ? slot_get(&pt->loop->slots, token) : NULL;

    if (op && op->kind == OP_TIMER)
        xop_free(op);
}

const struct sp_timer_api host_timer_api = {
    .size = sizeof(struct sp_timer_api),
    .once = ht_once,
    .every = ht_every,
    .cancel = ht_cancel,
};
