/* SPDX-License-Identifier: Apache-2.0 */
/* A short line before full pools: whose call ends lets the next one in, first come first served, up
 * to a number and a time. Each thread has its own, as it has its own pools. */
#include "pipeline/upstream_int.h"

static void out_of_line(struct upstream_turn *t)
{
    list_del(&t->link);
    timer_cancel(&t->late);
    t->l->line_n--;
    atomic_fetch_sub_explicit(&t->l->u->queued, 1, memory_order_relaxed);
    t->l = NULL;
}

static void on_late(struct loop *loop, struct timer *timer)
{
    struct upstream_turn *t = CONTAINER_OF(timer, struct upstream_turn, late);
    atomic_fetch_add_explicit(&t->l->u->queue_late, 1, memory_order_relaxed);
    out_of_line(t);
    t->fn(t->arg, false);
    loop_flush(loop);
}

bool upstream_queue(struct upstream *u, struct loop *loop, struct upstream_turn *t,
                    void (*fn)(void *, bool), void *arg)
{
    struct up_local *l = up_local_get(u, loop);
    uint64_t now = loop_now_ms(loop);
    bool again = t->until_ms != 0;
    if (!l || l->down || (!again && l->line_n >= u->queue_max) || (again && t->until_ms <= now))
        return false;
    if (!again)
        t->until_ms = now + u->queue_ms;
    t->l = l;
    t->fn = fn;
    t->arg = arg;
    timer_init(&t->late, on_late);
    timer_set(loop, &t->late, t->until_ms - now);
    /* Who was let in and found no room after all keeps its place. */
    if (again)
        list_add(&l->line, &t->link);
    else
        list_push(&l->line, &t->link);
    l->line_n++;
    atomic_fetch_add_explicit(&u->queued, 1, memory_order_relaxed);
    return true;
}

void upstream_queue_leave(struct upstream_turn *t)
{
    if (t->l)
        out_of_line(t);
}

/* At the end of the callback in which calls ended: as many go in. */
static void let_in(struct flusher *f)
{
    struct up_local *l = CONTAINER_OF(f, struct up_local, line_flush);
    unsigned n = l->freed;
    l->freed = 0;
    while (n-- && !list_empty(&l->line)) {
        struct upstream_turn *t = LIST_ITEM(l->line.next, struct upstream_turn, link);
        out_of_line(t);
        l->letting = true;
        t->fn(t->arg, true);
        l->letting = false;
    }
}

void up_line_init(struct up_local *l)
{
    list_init(&l->line);
    list_init(&l->line_flush.link);
    l->line_flush.flush = let_in;
}

void up_line_freed(struct up_local *l)
{
    l->freed++;
    loop_dirty(l->loop, &l->line_flush);
}

void up_line_down(struct up_local *l)
{
    loop_undirty(&l->line_flush);
    while (!list_empty(&l->line)) {
        struct upstream_turn *t = LIST_ITEM(l->line.next, struct upstream_turn, link);
        out_of_line(t);
        t->fn(t->arg, false);
    }
}
