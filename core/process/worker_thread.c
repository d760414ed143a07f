/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic threads: one loop each; work is handed to them by their mailboxes and comes back by the
 * main thread's. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "process/worker.h"

#define READ_BLOCK 32768u

struct each;
struct task {
    struct mbox_msg msg;
    struct each *each;
    struct wthread *thread;
    struct task *next; /* owed */
    unsigned turn;     /* of the thread's loop, in which it was done */
};
struct each {
    struct worker *w;
    void (*fn)(struct wthread *, void *);
    void (*done)(struct worker *, void *);
    void *arg;
    unsigned left; /* main thread */
    struct task tasks[];
};

static void on_done(struct loop *l, struct mbox_msg *msg)
{
    struct each *e = CONTAINER_OF(msg, struct task, msg)->each;
    (void)l;
    if (--e->left)
        return;
    e->done(e->w, e->arg);
    free(e);
}

static void report(struct wthread *t, struct mbox_msg *msg)
{
    msg->fn = on_done;
    mbox_post(&t->w->loop->mbox, msg);
}

/* Tasks of earlier turns, or all. */
static void report_owed(struct wthread *t, bool all)
{
    unsigned now = ev_iteration(t->loop->ev);
    while (t->owed && (all || t->owed->turn != now)) {
        struct task *task = t->owed;
        t->owed = task->next;
        if (!t->owed)
            t->owed_end = &t->owed;
        report(t, &task->msg);
    }
    if (!t->owed)
        ev_check_stop(t->loop->ev, &t->settled);
}

static void on_settled(struct ev_loop *ev, ev_check *check, int revents)
{
    (void)ev, (void)revents;
    report_owed(check->data, false);
}

/* libev tells the kernel of a watcher that was stopped when it polls next; before that nobody may
 * close its descriptor. So the main thread hears of it behind the next poll. */
static void on_task(struct loop *l, struct mbox_msg *msg)
{
    struct task *t = CONTAINER_OF(msg, struct task, msg);
    struct wthread *thread = t->thread;
    t->each->fn(thread, t->each->arg);
    t->next = NULL;
    t->turn = ev_iteration(l->ev);
    *thread->owed_end = t;
    thread->owed_end = &t->next;
    if (atomic_load_explicit(&l->stop, memory_order_acquire)) { /* it polls no more */
        report_owed(thread, true);
        return;
    }
    ev_check_start(l->ev, &thread->settled);
    loop_wake(l); /* which is now */
}

int worker_each(struct worker *w, void (*fn)(struct wthread *, void *),
                void (*done)(struct worker *, void *), void *arg)
{
    unsigned n = w->thread_count ? w->thread_count : 1;
    struct each *e = calloc(1, sizeof *e + n * sizeof e->tasks[0]);
    if (!e)
        return E_NOMEM;
    *e = (struct each){.w = w, .fn = fn, .done = done, .arg = arg, .left = n};
    for (unsigned i = 0; i < n; i++) {
        struct task *t = &e->tasks[i];
        t->each = e;
        t->thread = &w->threads[i];
        t->msg.fn = w->thread_count ? on_task : on_done;
        mbox_post(w->thread_count ? &t->thread->loop->mbox : &w->loop->mbox, &t->msg);
    }
    return 0;
}

static void *thread_main(void *arg)
{
    struct wthread *t = arg;
    loop_run(t->loop);
    return NULL;
}

static int start_one(struct wthread *t)
{
    char name[16];
    sigset_t all, old;
    t->loop = loop_new(t->id, READ_BLOCK);
    if (!t->loop)
        return -ENOMEM;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&t->tid, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return -rc;
    snprintf(name, sizeof name, "traffic-%u", t->id);
    (void)pthread_setname_np(t->tid, name);
    t->running = true;
    return 0;
}

int worker_threads_start(struct worker *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct wthread *t = &w->threads[i];
        t->w = w;
        t->id = i + 1;
        worker_gate_init(t);
        ev_check_init(&t->settled, on_settled);
        t->settled.data = t;
        t->owed_end = &t->owed;
        int rc = start_one(t);
        if (rc == 0)
            continue;
        loop_free(t->loop);
        t->loop = NULL;
        w->thread_count = i;
        for (unsigned k = 0; k < i; k++)
            loop_stop(w->threads[k].loop);
        worker_threads_join(w);
        return rc;
    }
    w->thread_count = n;
    return 0;
}

void worker_threads_join(struct worker *w)
{
    for (unsigned i = 0; i < w->thread_count; i++) {
        struct wthread *t = &w->threads[i];
        if (t->running)
            pthread_join(t->tid, NULL);
        t->running = false;
    }
    w->thread_count = 0;
}

void worker_threads_free(struct worker *w)
{
    for (unsigned i = 0; i < ARRAY_LEN(w->threads); i++) {
        loop_free(w->threads[i].loop);
        w->threads[i].loop = NULL;
    }
}

unsigned worker_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOP_MAX - 1 ? LOOP_MAX - 1 : (unsigned)n;
}
