/* SPDX-License-Identifier: Apache-2.0 */
/* The channel between master and worker: messages (a word, a number, a text, at most one
 * descriptor) over a socket pair.
 *
 * Packets of SOCK_SEQPACKET; a message larger than one packet goes out in several. One thread: the
 * loop's. */
#ifndef PROCESS_CHAN_H
#define PROCESS_CHAN_H

#include "net/loop.h"

#define CHAN_TEXT_MAX  (16u << 20) /* bytes of one message */
#define CHAN_QUEUE_MAX (64u << 20) /* bytes waiting for a peer that does not read */
#define CHAN_VERB_MAX  31

struct chan_msg {
    const char *verb;
    uint64_t id; /* of the question that this answers or asks */
    str text;
    int fd; /* -1: none. The receiver owns it; what it leaves here is closed behind fn: set it to -1
               to keep it */
};

struct chan;
struct chan_events {
    void (*msg)(struct chan *, struct chan_msg *);
    void (*closed)(struct chan *, const char *why); /* once; the channel is dead */
};

struct chan_out;
struct chan {
    struct loop *loop;
    int fd; /* -1: dead */
    const struct chan_events *ev;
    void *arg;
    ev_io rd, wr;
    struct chan_out *first, **last; /* queue */
    size_t queued;
    /* a message that is coming in */
    char verb[CHAN_VERB_MAX + 1];
    uint64_t id;
    char *text; /* brief, or its own block */
    char brief[256]; /* orders come through also when there is no memory */
    size_t have, want;
    int in_fd;
    char *packet;
};

/* Two ends, CLOEXEC and NONBLOCK. 0 or -errno. */
int chan_pair(int fds[2]);
/* Takes fd over, also on failure (E_NOMEM). */
int chan_init(struct chan *, struct loop *, int fd, const struct chan_events *, void *arg) MUST_USE;
void chan_fini(struct chan *); /* no closed() */
/* The text is copied, fd (-1: none) stays the caller's. E_GONE: the channel is dead; E_LIMIT,
 * E_NOMEM, E_ARG. */
int chan_send(struct chan *, const char *verb, uint64_t id, str text, int fd);
/* Waits until all has left, at most so long. */
int chan_drain(struct chan *, unsigned timeout_ms);

#endif
