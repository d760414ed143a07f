/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping the worker: no new connections, what runs may finish until timeouts.drain, then
 * everything is taken down in order. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sock.h"
#include "process/worker.h"

#define LOOK_MS 20u /* between looks at what is left */
#define GRACE_MS                                                                                   \
    1000u /* idle connections only: so long they may still ask, and are told to close */
#define CLOSING_MS 2000u /* closed connections need a turn of the loop to go */
#define SWEEP_MAX  4096u

/* On the traffic thread */
static void on_drained(struct loop *l, struct mbox_msg *msg);

static void look(struct loop *l, struct timer *timer)
{
    struct wthread *t = CONTAINER_OF(timer, struct wthread, drain);
    uint64_t now = loop_now_ms(l);
    unsigned left = pipeline_thread_connections(l);
    if (pipeline_thread_exchanges(l) > 0)
        t->quiet_since_ms = now;
    bool quiet = now - t->quiet_since_ms >= GRACE_MS;
    if (left && !t->closed && (quiet || now >= t->drain_until_ms)) {
        t->closed = true;
        t->drain_until_ms = now + CLOSING_MS;
        pipeline_thread_close(l);
        left = pipeline_thread_connections(l);
    }
    if (left && !(t->closed && now >= t->drain_until_ms)) {
        timer_set(l, timer, LOOK_MS);
        return;
    }
    t->drained.fn = on_drained;
    mbox_post(&t->w->loop->mbox, &t->drained);
}

/* What the kernel has accepted for us would be reset by the close. */
static void sweep(struct wthread *t, struct wsocket *s)
{
    for (unsigned i = 0; i < SWEEP_MAX; i++) {
        struct addr peer;
        int fd = sock_accept(s->l.fd, &peer);
        if (fd < 0)
            return;
        pipeline_accept(t->loop, str_z(s->owner->text), fd, &peer);
    }
}

static void thread_drain(struct wthread *t, void *arg)
{
    struct worker *w = t->w;
    (void)arg;
    t->draining = true;
    if (t->gated)
        timer_cancel(&t->gate);
    LIST_EACH(&w->listeners, it)
    {
        struct wsocket *s = &LIST_ITEM(it, struct wlistener, link)->sockets[t->id - 1];
        if (!s->on)
            continue;
        if (!w->stop_fast)
            sweep(t, s);
        listener_stop(&s->l);
        s->on = false;
    }
    pipeline_thread_drain(t->loop);
    t->drain_from_ms = t->quiet_since_ms = loop_now_ms(t->loop);
    t->drain_until_ms = t->drain_from_ms + (w->stop_fast ? 0 : w->drain_ms);
    timer_init(&t->drain, look);
    look(t->loop, &t->drain);
}

/* A second request to stop, and this one is in a hurry. */
static void thread_hurry(struct wthread *t, void *arg)
{
    (void)arg;
    if (t->draining && !t->closed && timer_is_set(&t->drain)) {
        t->drain_until_ms = loop_now_ms(t->loop);
        timer_set(t->loop, &t->drain, 0);
    }
}

/* On the main thread */
static void on_drained(struct loop *l, struct mbox_msg *msg)
{
    struct worker *w = CONTAINER_OF(msg, struct wthread, drained)->w;
    (void)l;
    if (++w->drained == w->thread_count)
        worker_end(w, 0);
}

static void on_draining(struct worker *w, void *arg)
{
    (void)arg;
    worker_listen_close(w);
}

static void on_hurry(struct worker *w, void *arg)
{
    (void)w, (void)arg;
}

void worker_stop(struct worker *w, bool fast)
{
    bool hurry = fast && !w->stop_fast;
    w->stop_wanted = true;
    w->stop_fast |= fast;
    if (w->applying)
        return; /* its end comes here again */
    if (!w->serving) {
        worker_end(w, 0);
        return;
    }
    if (w->draining) {
        if (hurry && w->thread_count && worker_each(w, thread_hurry, on_hurry, NULL) != 0)
            log_error("out of memory");
        return;
    }
    w->draining = true;
    log_info("%s", fast ? "stopping at once" : "draining");
    if (worker_each(w, thread_drain, on_draining, NULL) != 0)
        worker_end(w, 1);
}
