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
#define LOOP_LARGE (1u << 20)
#define LOOP_BATCH 64u            /* flushers ... */
#define LOOP_BATCH_BYTES (64u << 10) /* ... or staged bytes that wait at most: bodies are still in the processor's cache when they leave */
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
    unsigned dirty_n;
    uint64_t dirty_bytes;
    ev_prepare prepare;
    ev_check check;
    void *upper; /* the pipeline's per-thread state */
    void *srv;   /* the HTTP server's per-thread state */
    uint64_t now_ms;   /* as of this turn */
    uint64_t stamp_ns; /* loop_stamp_ns of this callback; 0: not asked yet */
    _Atomic bool stop;
    bool running, flushing;
    char date[32]; /* IMF-fixdate of date_s, 29 bytes, refreshed once a second */
    uint64_t date_s;
};

/* Something with staged output: flushed when LOOP_BATCH of them wait, at the latest before the loop sleeps. Sends that follow each
 * other wake their peers once; and what the callbacks of one turn stage for one peer leaves together. */
struct flusher {
    struct list link; /* in loop->dirty, or empty */
    void (*flush)(struct flusher *);
};
void loop_dirty(struct loop *, struct flusher *);
static inline void loop_dirty_more(struct loop *l, struct flusher *f, uint64_t bytes)
{
    l->dirty_bytes += bytes;
    loop_dirty(l, f);
}
void loop_undirty(struct flusher *);
/* Flushes all of it now. */
void loop_flush(struct loop *);
/* Gives up what waits for reuse. */
void loop_trim(struct loop *);

struct loop *loop_new(unsigned id, unsigned long read_block) MUST_USE;
void loop_free(struct loop *);
void loop_run(struct loop *);  /* until loop_stop */
void loop_stop(struct loop *); /* any thread */
/* One turn, for who has a loop of his own around it: handles what is due; wait: sleeps until something is. */
void loop_turn(struct loop *, bool wait);
/* Milliseconds, CLOCK_MONOTONIC, as of this turn of the loop (never a syscall on the hot path). */
uint64_t loop_clock_ms(void); /* the same, now */
static inline uint64_t loop_now_ms(const struct loop *l) { return LIKELY(l->running) ? l->now_ms : loop_clock_ms(); }
/* Nanoseconds, CLOCK_MONOTONIC, now. */
uint64_t loop_now_ns(void);
/* The same, read once per I/O callback and after code that is not ours: what the core does between two such points takes
 * microseconds, and the clock is not free. */
static inline uint64_t loop_stamp_ns(struct loop *l)
{
    if (UNLIKELY(!l->running)) return loop_now_ns();
    return l->stamp_ns ? l->stamp_ns : (l->stamp_ns = loop_now_ns());
}
static inline void loop_restamp(struct loop *l) { l->stamp_ns = 0; }
/* Is a batch complete? */
static inline bool loop_full(const struct loop *l)
{
    return l->dirty_n >= LOOP_BATCH || l->dirty_bytes >= LOOP_BATCH_BYTES;
}
/* Every I/O callback calls this last. */
static inline void loop_done(struct loop *l)
{
    loop_restamp(l);
    if (loop_full(l)) loop_flush(l);
}
/* Milliseconds since 1970, now; as of this turn of the loop. */
uint64_t loop_wall_ms(void);
uint64_t loop_turn_wall_ms(const struct loop *);
/* IMF-fixdate (RFC 9110 5.6.7), 29 bytes. */
str loop_date(struct loop *);

#endif
