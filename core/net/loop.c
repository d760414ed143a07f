/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a thread: libev on epoll, the clock of the turn, staged output flushed before
 * it sleeps. */
#include "net/loop.h"

#include <time.h>

#include "net/loop_mem.h"

#define ARENA_BLOCK 8192u /* a request and an answer of ordinary size fit */
#define ARENA_KEEP 512u
#define BUFS_KEEP 256u
#define LARGE_KEEP 4u
#define SLOTS_MAX (SLOT_CHUNK * SLOT_CHUNKS / 4)

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t loop_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t loop_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

uint64_t loop_turn_wall_ms(const struct loop *l)
{
    return (uint64_t)(ev_now(l->ev) * 1e3);
}

uint64_t loop_clock_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

str loop_date(struct loop *l)
{
    uint64_t now = (uint64_t)ev_now(l->ev);
    if (UNLIKELY(now != l->date_s)) {
        time_t t = (time_t)now;
        struct tm tm;
        static const char day[] = "SunMonTueWedThuFriSat",
                          mon[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        gmtime_r(&t, &tm);
        snprintf(l->date, sizeof l->date, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                 day + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100u, mon + 3 * tm.tm_mon,
                 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)tm.tm_hour % 100u,
                 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
        l->date_s = now;
    }
    return str_n(l->date, 29);
}

void loop_dirty(struct loop *l, struct flusher *f)
{
    if (!list_empty(&f->link)) return;
    list_push(&l->dirty, &f->link);
    l->dirty_n++;
}

void loop_undirty(struct flusher *f)
{
    list_del(&f->link);
}

void loop_flush(struct loop *l)
{
    if (l->flushing) return; /* the outer call goes on until nothing is left */
    l->flushing = true;
    while (!list_empty(&l->dirty)) {
        struct flusher *f = LIST_ITEM(l->dirty.next, struct flusher, link);
        list_del(&f->link);
        f->flush(f);
    }
    l->dirty_n = 0;
    l->dirty_bytes = 0;
    l->flushing = false;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
    struct loop *l = w->data;
    (void)ev, (void)revents;
    loop_flush(l);
}

static void on_check(struct ev_loop *ev, ev_check *w, int revents)
{
    struct loop *l = w->data;
    (void)ev, (void)revents;
    l->now_ms = clock_ms(CLOCK_MONOTONIC);
    l->stamp_ns = 0;
}

struct loop *loop_new(unsigned id, unsigned long read_block)
{
    if (id >= LOOP_MAX || read_block > UINT32_MAX / 2) return NULL;
    struct loop *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    loop_mem_init();
    l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!l->ev || rng_seed(&l->rng) != 0) {
        if (l->ev) ev_loop_destroy(l->ev);
        free(l);
        return NULL;
    }
    l->magic = LOOP_MAGIC;
    l->id = id;
    list_init(&l->dirty);
    buf_cache_init(&l->bufs, (uint32_t)read_block, BUFS_KEEP);
    buf_cache_init(&l->large, LOOP_LARGE, LARGE_KEEP);
    arena_cache_init(&l->arenas, ARENA_BLOCK, ARENA_KEEP);
    slot_table_init(&l->slots, (uint8_t)id, SLOTS_MAX);
    wheel_init(&l->wheel, l);
    mbox_init(&l->mbox, l);
    ev_prepare_init(&l->prepare, on_prepare);
    l->prepare.data = l;
    ev_prepare_start(l->ev, &l->prepare);
    ev_check_init(&l->check, on_check);
    ev_set_priority(&l->check, EV_MAXPRI); /* the clock before whatever asks for it */
    l->check.data = l;
    ev_check_start(l->ev, &l->check);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l) return;
    CHECK_OBJ(l, LOOP_MAGIC);
    mbox_fini(&l->mbox);
    loop_flush(l);
    wheel_fini(&l->wheel);
    ev_prepare_stop(l->ev, &l->prepare);
    ev_check_stop(l->ev, &l->check);
    slot_table_fini(&l->slots);
    arena_cache_fini(&l->arenas);
    buf_cache_fini(&l->bufs);
    buf_cache_fini(&l->large);
    ev_loop_destroy(l->ev);
    l->magic = 0;
    free(l);
}

void loop_trim(struct loop *l)
{
    arena_cache_trim(&l->arenas);
    buf_cache_trim(&l->bufs);
    buf_cache_trim(&l->large);
}

void loop_run(struct loop *l)
{
    CHECK_OBJ(l, LOOP_MAGIC);
    buf_cache_adopt(&l->bufs);
    buf_cache_adopt(&l->large);
    l->now_ms = clock_ms(CLOCK_MONOTONIC);
    l->running = true;
    while (!atomic_load_explicit(&l->stop, memory_order_acquire)) ev_run(l->ev, 0);
    l->running = false;
    atomic_store_explicit(&l->stop, false, memory_order_release);
    loop_flush(l);
}

void loop_turn(struct loop *l, bool wait)
{
    CHECK_OBJ(l, LOOP_MAGIC);
    buf_cache_adopt(&l->bufs);
    buf_cache_adopt(&l->large);
    l->now_ms = clock_ms(CLOCK_MONOTONIC);
    l->running = true;
    ev_run(l->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
    l->running = false;
    loop_flush(l);
}

void loop_stop(struct loop *l)
{
    CHECK_OBJ(l, LOOP_MAGIC);
    atomic_store_explicit(&l->stop, true, memory_order_release);
    ev_async_send(l->ev, &l->mbox.async);
}
