/* SPDX-License-Identifier: Apache-2.0 */
/* The master: supervises the worker, keeps its listening sockets, answers the control socket.
 * Parses no conf, loads no plugin, sees no traffic. One thread (and the log's writer). */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include "process/chan.h"
#include "process/child.h"
#include "process/ctl.h"
#include "process/deposit.h"
#include "process/notify.h"
#include "process/opt.h"
#include "process/trial.h"

enum worker_state { WORKER_NONE = 0, WORKER_STARTING, WORKER_READY };

struct master;

/* A question that the worker is to answer. */
struct master_ask {
    struct list link;
    struct master *master;
    uint64_t id;
    uint64_t ticket; /* of the control client; 0: nobody */
    struct timer timeout;
    /* Once. status 0: answer is there; E_GONE: the worker died; E_TIMEOUT. */
    void (*fn)(struct master *, uint64_t ticket, int status, str answer);
};

struct master_waiter { /* for a reload or for the end */
    struct list link;
    uint64_t ticket;
};

struct master_reload {
    bool running, wait_ready; /* wait_ready: a worker that starts anyway brings the new conf */
    struct trial *trial;
    struct list now,
        next; /* struct master_waiter: answered by the one that runs; by the one behind it */
    bool ok;
    uint64_t at_ms; /* wall clock of the last one; 0: none yet */
    uint64_t done, failed;
    char message[256];
};

struct master {
    const struct cli *cli;
    struct loop *loop;
    struct children children;
    struct notify notify;
    struct ctl_lock lock;
    struct ctl_server *ctl;
    char socket[CTL_PATH_MAX];
    ev_signal signals[5];
    struct deposits deposits;
    int kept;       /* the conf in service (kept.h), or -1 */
    bool from_disk; /* this worker was told to read the disk */
    bool disk_next; /* so will the next one: it cannot start with the kept one */
    struct trial *first_trial;

    enum worker_state state;
    struct child worker;
    struct chan chan;
    bool chan_up, ever_ready;
    bool told_why; /* the worker said why it could not start */
    struct timer restart, deadline;
    uint64_t ready_ms;
    unsigned failures; /* ends in a row, for the backoff */
    uint64_t restarts;
    struct list asks;
    uint64_t last_id;

    struct master_reload reload;
    bool stopping, fast;
    struct list stop_waiters;
    unsigned drain_ms;
    uint64_t started_ms; /* wall clock */
    int code;
};

int master_run(const struct cli *);
void master_stop(struct master *, bool fast, uint64_t ticket);
void master_finish(struct master *, int code); /* ends the loop */

/* The worker process. */
void master_worker_init(struct master *);
int master_worker_start(struct master *);
void master_worker_kick(struct master *); /* a restart that waits happens now */
/* Asks the worker; fn is called later, always. E_GONE: there is none, fn is not called. */
int master_worker_ask(struct master *, const char *verb, str text, uint64_t ticket,
                      unsigned timeout_ms, void (*fn)(struct master *, uint64_t, int, str));
void master_worker_stop(struct master *);
void master_worker_fini(struct master *);

/* Reload. ticket 0: by signal. */
void master_reload_request(struct master *, uint64_t ticket);
void master_reload_ready(struct master *); /* a new worker is serving */
void master_reload_died(struct master *,
                        const char *why); /* the worker that was to serve has gone */
void master_reload_fini(struct master *);
/* What the trial says of the log. */
void master_log_conf(str answer);

/* Control socket. */
void master_ctl_line(void *arg, uint64_t ticket, str line);
void master_ctl_fail(struct master *, uint64_t ticket, const char *fmt, ...) PRINTF(3, 4);

#endif
