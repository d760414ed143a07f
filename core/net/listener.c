/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts what waits at a listening socket, a bounded number per turn, and pauses while descriptors
 * are out. */
#include "net/listener.h"

#include <errno.h>

#include "base/shortage.h"
#include "net/sock.h"

#define BATCH 64u
#define RETRY_MS 100u

static void count(uint64_t *n)
{
    __atomic_store_n(n, __atomic_load_n(n, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void on_ready(struct ev_loop *ev, ev_io *io, int revents)
{
    struct listener *l = io->data;
    (void)revents;
    for (unsigned i = 0; i < BATCH && !l->paused; i++) {
        struct addr peer;
        enum shortage what;
        if (l->enter && !l->enter(l)) break;
        int fd = sock_accept(l->fd, &peer);
        if (fd < 0 && l->enter) l->leave(l);
        if (fd == -EAGAIN) break;
        if (fd >= 0) {
            count(&l->accepted);
            l->fn(l, fd, &peer);
            continue;
        }
        count(&l->failed);
        if (!shortage_of(-fd, &what))
            continue; /* the peer's trouble: ECONNABORTED and the like, accept(2) */
        ev_io_stop(ev, io);
        timer_set(l->loop, &l->retry, RETRY_MS);
        shortage_note(what, SHORT_AT_ACCEPT, loop_now_ms(l->loop));
        if (what == SHORT_DESCRIPTORS && l->scarce) l->scarce(l);
        break;
    }
    loop_done(l->loop);
}

static void on_retry(struct loop *loop, struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, retry);
    if (!l->paused) ev_io_start(loop->ev, &l->io);
}

void listener_start(struct listener *l, struct loop *loop, int fd, listener_fn fn, void *arg)
{
    *l = (struct listener){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
    timer_init(&l->retry, on_retry);
    sock_nodelay(
        fd); /* inherited by what is accepted, also from sockets that another process made */
    ev_io_init(&l->io, on_ready, fd, EV_READ);
    l->io.data = l;
    ev_io_start(loop->ev, &l->io);
}

void listener_pause(struct listener *l, bool pause)
{
    l->paused = pause;
    timer_cancel(&l->retry);
    if (pause) ev_io_stop(l->loop->ev, &l->io);
    else ev_io_start(l->loop->ev, &l->io);
}

void listener_stop(struct listener *l)
{
    timer_cancel(&l->retry);
    ev_io_stop(l->loop->ev, &l->io);
    l->paused = true; /* ends the batch when fn calls this */
}
