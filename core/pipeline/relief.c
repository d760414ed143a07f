/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for later is given up for what is wanted now, on every thread: blocks when limits.memory is reached, idle
 * connections to backends when descriptors are short. */
#include "pipeline/relief.h"

#include "base/mem.h"
#include "http/cli.h"
#include "pipeline/thread.h"

/* Not a part of pl_thread: a message may come when that is gone. Loops outlive all threads. */
struct relief {
    struct mbox_msg msg; /* first */
    _Atomic bool posted;
};
static struct relief memory[LOOP_MAX], files[LOOP_MAX];

static void on_memory(struct loop *l, struct mbox_msg *m)
{
    atomic_store_explicit(&((struct relief *)m)->posted, false, memory_order_release);
    loop_trim(l);
}

static void on_files(struct loop *l, struct mbox_msg *m)
{
    (void)l;
    atomic_store_explicit(&((struct relief *)m)->posted, false, memory_order_release);
    (void)cli_pools_yield(CLI_YIELD);
}

static void tell_others(const struct loop *self, struct relief *all, void (*fn)(struct loop *, struct mbox_msg *))
{
    for (unsigned i = 1; i < LOOP_MAX; i++) {
        struct loop *l = atomic_load_explicit(&pl_loops[i], memory_order_acquire);
        struct relief *r = &all[i];

        if (!l || l == self || atomic_exchange_explicit(&r->posted, true, memory_order_acq_rel))
            continue;
        r->msg.fn = fn;
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
    tell_others(l, memory, on_memory);
    return true;
}

void pl_short_of_files(struct loop *l)
{
    if (!cli_pools_yield(CLI_YIELD))
        tell_others(l, files, on_files);
}
