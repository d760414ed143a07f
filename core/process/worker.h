/* SPDX-License-Identifier: Apache-2.0 */
/* The worker: loads the conf, binds, runs the traffic threads. The main thread (loop 0) talks to
 * the master, serves the status listener and compiles; traffic threads (loops 1 to N) see
 * connections only. */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include <pthread.h>

#include "net/listener.h"
#include "pipeline/pipeline.h"
#include "process/chan.h"
#include "process/deposit.h"
#include "process/opt.h"

struct worker;
struct wlistener;
struct status_http;

/* A listening socket as one traffic thread sees it. Between start and stop the thread owns it. */
struct wsocket {
    struct listener l;
    struct wlistener *owner;
    struct wthread *thread;
    bool on;
    struct list gated; /* in the thread's: limits.connections are reached, it accepts nothing for now */
    uint64_t limited; /* how often; written by the thread, read anywhere (relaxed) */
};

/* An address of the conf. Main thread. */
struct wlistener {
    struct list link;
    char text[ADDR_TEXT]; /* canonical */
    bool reuseport, is_new, stays;
    unsigned nfds; /* sockets: 1, or one per thread */
    int fds[LOOP_MAX]; /* one per thread, which closes it when it stops; of one socket, duplicates */
    bool bound[LOOP_MAX]; /* by us, not yet deposited */
    unsigned nsockets;    /* traffic threads */
    struct wsocket *sockets;
};

struct wthread {
    struct worker *w;
    unsigned id; /* of its loop: 1 .. */
    pthread_t tid;
    bool running;
    struct loop *loop;
    /* the thread's own */
    bool started;      /* pipeline_thread_start has succeeded */
    struct list gated; /* struct wsocket: their connection limit is reached */
    struct timer gate; /* and they are looked at again */
    struct timer drain;
    bool draining, closed;
    uint64_t drain_from_ms, drain_until_ms, quiet_since_ms;
    struct mbox_msg drained; /* to the main thread, once */
};

struct apply;

struct worker {
    const struct cli *cli;
    struct loop *loop;
    struct chan chan;
    bool chan_up;
    ev_signal term;
    struct deposits deposits; /* given back by the master, not yet used */
    int kept;                 /* the conf that the worker before us served, or -1 */
    bool from_disk;           /* the master wants it read from the disk all the same */
    bool serves_kept;
    struct pipeline *pipeline;
    unsigned thread_count;
    struct wthread threads[LOOP_MAX];
    struct list listeners; /* struct wlistener */
    struct status_http *status;
    struct apply *applying;
    bool serving, ending;
    bool stop_wanted, stop_fast, draining;
    unsigned drained;
    unsigned drain_ms;
    uint64_t started_ms, loaded_ms; /* wall clock */
    uint64_t restarts, reloads, refused;
    bool last_refused;
    int code;
};

int worker_main(const struct cli *);
/* Tells the master; nothing when it is gone. */
void worker_say(struct worker *, const char *verb, uint64_t id, str text, int fd);
/* For who waits for it: also when there is no memory, then `ok` and little else. */
void worker_answer(struct worker *, const char *verb, uint64_t id, const struct text *, bool ok);
void worker_end(
    struct worker *,
    int code); /* stops the threads, then the main loop. The first code that is not 0 counts */

/* Takes the conf on disk into service. id: of the master's question, 0 at the start. */
void worker_apply(struct worker *, uint64_t id);

/* Runs fn on every traffic thread, then done here. done runs later, always. E_NOMEM: nothing runs.
 */
int worker_each(struct worker *, void (*fn)(struct wthread *, void *),
                void (*done)(struct worker *, void *), void *arg) MUST_USE;
int worker_threads_start(struct worker *, unsigned n) MUST_USE; /* 0 or -errno: none runs then */
/* The loops themselves, when no plugin has a thread left that could still post to one. */
void worker_threads_free(struct worker *);
void worker_threads_join(struct worker *);                      /* they have been told to stop */
unsigned worker_cores(void);

/* Listeners. plan: binds what is new; E_CONF with diags (everything new is closed again), E_NOMEM.
 * commit: on every thread, then in the main thread. */
int worker_listen_plan(struct worker *, const struct gateway *, struct diag *) MUST_USE;
void worker_listen_cancel(struct worker *);
void worker_listen_thread(struct wthread *, void *);
void worker_gate_init(struct wthread *);
void worker_socket_stop(struct wsocket *); /* its thread. And closes it */
void worker_listen_commit(struct worker *);
void worker_listen_close(struct worker *); /* all; the threads have let go of them */
/* One socket from the deposits, or bound anew. -errno. */
int worker_bind(struct worker *, const struct addr *, str key, bool reuseport, bool probe,
                bool *is_new);

/* Stopping. */
void worker_stop(struct worker *, bool fast);

/* Answers to the master. */
void worker_status(struct worker *, struct text *members);
void worker_ask(struct worker *, uint64_t id, str line);
void worker_metrics(void *arg, struct text *);

#endif
