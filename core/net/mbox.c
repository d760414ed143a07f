/* SPDX-License-Identifier: Apache-2.0 */
/* Mailbox of a thread: senders push on a lock-free stack, the owner takes it whole and turns it
 * round. */
#include "net/mbox.h"

#include "net/loop.h"

static unsigned deliver(struct mbox *m)
{
    struct mbox_msg *taken = atomic_exchange_explicit(&m->head, NULL, memory_order_acquire),
                    *first = NULL;
    unsigned n = 0;
    while (taken) { /* newest first: turn it round */
        struct mbox_msg *next = atomic_load_explicit(&taken->next, memory_order_relaxed);
        atomic_store_explicit(&taken->next, first, memory_order_relaxed);
        first = taken;
        taken = next;
    }
    while (first) {
        struct mbox_msg *next = atomic_load_explicit(&first->next, memory_order_relaxed);
        first->fn(m->loop, first);
        first = next;
        n++;
    }
    return n;
}

static void on_async(struct ev_loop *ev, ev_async *w, int revents)
{
    struct mbox *m = w->data;
    (void)revents;
    deliver(m);
    loop_done(m->loop);
    if (atomic_load_explicit(&m->loop->stop, memory_order_acquire)) ev_break(ev, EVBREAK_ALL);
}

void mbox_init(struct mbox *m, struct loop *l)
{
    atomic_init(&m->head, NULL);
    atomic_init(&m->closed, false);
    m->loop = l;
    ev_async_init(&m->async, on_async);
    m->async.data = m;
    ev_async_start(l->ev, &m->async);
}

void mbox_fini(struct mbox *m)
{
    atomic_store_explicit(&m->closed, true, memory_order_release);
    while (deliver(m) > 0) {
    }
    ev_async_stop(m->loop->ev, &m->async);
}

void mbox_post(struct mbox *m, struct mbox_msg *msg)
{
    struct mbox_msg *head = atomic_load_explicit(&m->head, memory_order_relaxed);
    do {
        atomic_store_explicit(&msg->next, head, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&m->head, &head, msg, memory_order_release,
                                                    memory_order_relaxed));
    /* Whoever found the stack empty wakes the owner; later senders ride along. */
    if (!head && !atomic_load_explicit(&m->closed, memory_order_acquire)) {
        ev_async_send(m->loop->ev, &m->async);
    }
}
