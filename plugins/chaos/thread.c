/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that resumes waits of exchanges from outside their threads: in time, twice, and too
 * late. */
#include "chaos.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define JOBS_MAX 16384

struct chaos_thread {
    struct chaos *chaos;
    pthread_t id;
    pthread_mutex_t lock; /* guards what follows; a leaf: nothing is called while it is held */
    pthread_cond_t wake;
    bool stop;
    uint32_t count;
    struct chaos_job jobs[JOBS_MAX]; /* a heap, the next due first */
};

uint64_t chaos_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void swap(struct chaos_thread *t, uint32_t a, uint32_t b)
{
    struct chaos_job job = t->jobs[a];

    t->jobs[a] = t->jobs[b];
    t->jobs[b] = job;
}

static void heap_push(struct chaos_thread *t, const struct chaos_job *job)
{
    uint32_t i = t->count++;

    t->jobs[i] = *job;
    while (i != 0 && t->jobs[(i - 1) / 2].due_us > t->jobs[i].due_us) {
        swap(t, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct chaos_job heap_pop(struct chaos_thread *t)
{
    struct chaos_job first = t->jobs[0];
    uint32_t i = 0;

    t->jobs[0] = t->jobs[--t->count];
    for (;;) {
        uint32_t least = i, child = 2 * i + 1;
        if (child < t->count && t->jobs[child].due_us < t->jobs[least].due_us)
            least = child;
        if (child + 1 < t->count && t->jobs[child + 1].due_us < t->jobs[least].due_us)
            least = child + 1;
        if (least == i)
            return first;
        swap(t, i, least);
        i = least;
    }
}

bool chaos_thread_add(struct chaos_thread *t, const struct chaos_job *job)
{
    bool room;

    pthread_mutex_lock(&t->lock);
    room = t->count < JOBS_MAX && !t->stop;
    if (room) {
        heap_push(t, job);
        pthread_cond_signal(&t->wake);
    }
    pthread_mutex_unlock(&t->lock);
    return room;
}

static void count(struct chaos *c, enum chaos_event event)
{
    __atomic_fetch_add(&c->elsewhere[event], 1, __ATOMIC_RELAXED);
}

static void refused(struct chaos *c, sp_status st, enum chaos_event event, const char *what)
{
    if (st == SP_E_GONE) {
        count(c, event);
        return;
    }
    count(c, EV_BAD);
    c->host->core->log(c->module, NULL, SP_LOG_ERROR,
                       "BUG: a %s resume() answered %d, not SP_E_GONE", what, (int)st);
}

static void run(struct chaos *c, const struct chaos_job *job)
{
    sp_status st = c->host->exchange->resume(job->token, job->tag);

    if (job->late) {
        refused(c, st, EV_LATE, "late");
        return;
    }
    if (st == SP_OK) {
        count(c, EV_RESUMED);
    } else {
        refused(c, st, EV_GONE, "first");
    }
    if (job->twice)
        refused(c, c->host->exchange->resume(job->token, job->tag + 1), EV_DOUBLE, "second");
}

static void wait_until(struct chaos_thread *t, uint64_t due_us)
{
    struct timespec at = {(time_t)(due_us / 1000000), (long)(due_us % 1000000) * 1000};

    pthread_cond_timedwait(&t->wake, &t->lock, &at);
}

static void *work(void *arg)
{
    struct chaos_thread *t = (struct chaos_thread *)arg;

    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        if (t->count == 0) {
            pthread_cond_wait(&t->wake, &t->lock);
        } else if (t->jobs[0].due_us > chaos_now_us()) {
            wait_until(t, t->jobs[0].due_us);
        } else {
            struct chaos_job job = heap_pop(t);
            pthread_mutex_unlock(&t->lock);
            run(t->chaos, &job);
            pthread_mutex_lock(&t->lock);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static int start(struct chaos_thread *t)
{
    sigset_t all, old;
    int failed;

    /* signals belong to the gateway's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&t->id, NULL, work, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

struct chaos_thread *chaos_thread_new(struct chaos *c)
{
    struct chaos_thread *t = (struct chaos_thread *)calloc(1, sizeof(*t));
    pthread_condattr_t attr;

    if (t == NULL)
        return NULL;
    t->chaos = c;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (start(t) != 0) {
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        free(t);
        return NULL;
    }
    return t;
}

void chaos_thread_free(struct chaos_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->id, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
