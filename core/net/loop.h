/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop per thread with everything that is private to the thread: clock, timers, memory caches, mailbox, tokens. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <ev.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/list.h"
#include "base/slot.h"
#include "net/mbox.h"
#include "net/timer.h"

#define LOOP_MAGIC 0x4c4f4f50u
#define LOOP_LARGE 262144u
#define LOOP_MAX 64 /* threads, the main one counted */

struct loop {
    uint32_t magic;
    unsigned id; /* 0: the worker's main thread; 1..N: traffic threads */
    struct ev_loop *ev;
    struct mbox mbox;
    struct wheel wheel;
    struct buf_cache bufs;     /* blocks of `read_block` bytes */
    struct buf_cache large;    /* blocks of LOOP_LARGE bytes, for long bodies */
    struct arena_cache arenas; /* blocks for exchanges */
    struct slot_table slots;   /* tokens of this thread; owner = id */
    struct rng rng;
    struct list dirty; /* struct flusher: what has staged output */
    ev_prepare prepare;
    ev_check check;
    void *upper; /* the pipeline's per-thread state */
    void *srv;   /* the HTTP server's per-thread state */
    uint64_t now_ms;
    _Atomic bool stop;
    bool running, flushing;
    char date[32]; /* IMF-fixdate of date_s, 29 bytes, refreshed once a second */
    uint64_t date_s;
};

/* Something with staged output: flushed at the end of the I/O callback that staged it, at the latest before the loop sleeps. */
struct flusher {
    struct list link; /* in loop->dirty, or empty */
    void (*flush)(struct flusher *);
};
void loop_dirty(struct loop *, struct flusher *);
void loop_undirty(struct flusher *);
/* Every I/O callback calls this last. */
void loop_flush(struct loop *);

struct loop *loop_new(unsigned id, unsigned long read_block) MUST_USE;
void loop_free(struct loop *);
void loop_run(struct loop *);  /* until loop_stop */
void loop_stop(struct loop *); /* any thread */
/* One turn, for who has a loop of his own around it: handles what is due; wait: sleeps until something is. */
void loop_turn(struct loop *, bool wait);
/* Milliseconds, CLOCK_MONOTONIC, as of this turn of the loop (never a syscall on the hot path). */
uint64_t loop_now_ms(const struct loop *);
/* Nanoseconds, CLOCK_MONOTONIC, now. */
uint64_t loop_now_ns(void);
/* Milliseconds since 1970, now. */
uint64_t loop_wall_ms(void);
/* IMF-fixdate (RFC 9110 5.6.7), 29 bytes. */
str loop_date(struct loop *);

#endif
