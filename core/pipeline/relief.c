/* SPDX-License-Identifier: Apache-2.0 */
/* When limits.memory is reached: every thread gives up the blocks that it keeps for reuse. */
#include "pipeline/relief.h"

#include "base/mem.h"
#include "pipeline/thread.h"

/* Not a part of pl_thread: a message may come when that is gone. Loops outlive all threads. */
static struct relief {
    struct mbox_msg msg; /* first */
    _Atomic bool posted;
} reliefs[LOOP_MAX];

static void on_relief(struct loop *l, struct mbox_msg *m)
{
    atomic_store_explicit(&((struct relief *)m)->posted, false, memory_order_release);
    loop_trim(l);
}

static void tell_others(const struct loop *self)
{
    for (unsigned i = 1; i < LOOP_MAX; i++) {
        struct loop *l = atomic_load_explicit(&pl_loops[i], memory_order_acquire);
        struct relief *r = &reliefs[i];

        if (!l || l == self || atomic_exchange_explicit(&r->posted, true, memory_order_acq_rel))
            continue;
        r->msg.fn = on_relief;
        mbox_post(&l->mbox, &r->msg);
    }
}

bool pl_short_of_memory(struct loop *l)
{
    if (!mem_over())
        return false;
    loop_trim(l);
    if (!mem_over())
        return false;
    tell_others(l);
    return true;
}
