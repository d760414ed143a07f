/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts connections of one listening socket on one thread. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/addr.h"
#include "net/loop.h"

struct listener;
typedef void (*listener_fn)(struct listener *, int fd, const struct addr *peer); /* owns fd */

struct listener {
    struct loop *loop;
    ev_io io;
    struct timer retry; /* descriptors ran out: accept again a little later */
    int fd;
    listener_fn fn;
    bool (*enter)(struct listener *); /* asked before each accept, takes a place; NULL: yes. May pause the listener */
    void (*leave)(struct listener *); /* nobody came: gives the place back; fn does so itself. Set where enter is */
    void (*scarce)(struct listener *); /* descriptors are out; may be NULL */
    void *arg;
    bool paused;
    uint64_t accepted, failed; /* written by the thread, read anywhere for metrics (relaxed) */
};

/* fd is listening already and stays the caller's. */
void listener_start(struct listener *, struct loop *, int fd, listener_fn, void *arg);
void listener_pause(struct listener *, bool pause);
void listener_stop(struct listener *);

#endif
