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

static void on_task(struct loop *l, struct mbox_msg *msg)
{
    struct task *t = CONTAINER_OF(msg, struct task, msg);
    (void)l;
    t->each->fn(t->thread, t->each->arg);
    msg->fn = on_done;
    mbox_post(&t->each->w->loop->mbox, msg);
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
