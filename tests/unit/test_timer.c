/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel: in time, never early, over all levels (on a clock that the test sets), cancelled
 * and moved. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "net/loop.h"
#include "unit.h"

#define TIMERS 2000

struct probe {
    struct timer t;
    uint64_t due;
    unsigned fired;
};

static struct probe probes[TIMERS];
static unsigned fired_total;
static uint64_t worst;

static void on_fire(struct loop *l, struct timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, t);
    uint64_t now = loop_now_ms(l);
    assert_true(now >= p->due);
    if (now - p->due > worst) worst = now - p->due;
    p->fired++;
    fired_total++;
}

/* The clock stands still but for this. */
static void go_to(struct loop *l, uint64_t ms)
{
    l->now_ms = ms;
    l->wheel.armed = 0;
    l->wheel.ev.cb(l->ev, &l->wheel.ev, EV_TIMER);
}

static uint64_t rnd(uint64_t *s, uint64_t below)
{
    *s = *s * UINT64_C(6364136223846793005) + 1;
    return (*s >> 20) % below;
}

static void set(struct loop *l, struct probe *p, uint64_t delay)
{
    p->due = loop_now_ms(l) + delay;
    timer_set(l, &p->t, delay);
}

static void test_virtual(void **state)
{
    static const uint64_t spans[] = {10, 600, 40000, 3000000, 200000000}; /* up to 55 hours */
    struct loop *l = loop_new(0, 4096);
    uint64_t seed = 42;
    (void)state;
    l->running = true;
    l->now_ms = loop_now_ns() / 1000000;
    worst = 0;
    for (unsigned round = 0; round < 3; round++) {
        fired_total = 0;
        for (unsigned i = 0; i < TIMERS; i++) {
            timer_init(&probes[i].t, on_fire);
            probes[i].fired = 0;
            set(l, &probes[i], rnd(&seed, spans[i % 5]));
        }
        unsigned cancelled = 0;
        for (unsigned i = 0; i < TIMERS; i += 7) {
            if (i % 2) timer_cancel(&probes[i].t), cancelled++;
            else set(l, &probes[i], rnd(&seed, spans[(i / 7) % 5]));
        }
        unsigned steps = 0;
        while (fired_total + cancelled < TIMERS) {
            assert_true(l->wheel.armed != 0);
            uint64_t to = l->wheel.armed << 3;
            if (to < l->now_ms) to = l->now_ms;
            go_to(l, to + (steps % 3 == 0 ? rnd(&seed, 3) : 0));
            assert_true(++steps < 100000);
        }
        for (unsigned i = 0; i < TIMERS; i++) {
            bool was_cancelled = i % 7 == 0 && i % 2;
            assert_int_equal(probes[i].fired, was_cancelled ? 0 : 1);
        }
    }
    assert_true(worst <= 12);
    l->running = false;
    loop_free(l);
}

/* A loop that was away for long fires everything that is due, in one turn. */
static void test_late(void **state)
{
    struct loop *l = loop_new(0, 4096);
    (void)state;
    l->running = true;
    l->now_ms = 1000000;
    l->wheel.at = 1000000 >> 3;
    fired_total = 0;
    for (unsigned i = 0; i < 100; i++) {
        timer_init(&probes[i].t, on_fire);
        set(l, &probes[i], i * 1000);
    }
    go_to(l, 1000000 + 200000);
    assert_int_equal(fired_total, 100);
    l->running = false;
    loop_free(l);
}

static void on_again(struct loop *l, struct timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, t);
    if (++p->fired < 5) timer_set(l, t, 20);
    else loop_stop(l);
}

static void on_real(struct loop *l, struct timer *t)
{
    on_fire(l, t);
    if (fired_total == 20) loop_stop(l);
}

/* A bare thread on the same processor, which sleeps a millisecond again and again: how late the machine lets it run. */
struct bare {
    pthread_t thread;
    _Atomic bool stop;
    uint64_t late_ms;
};

static void *bare_run(void *arg)
{
    struct bare *b = arg;
    while (!b->stop) {
        const struct timespec ms = {.tv_nsec = 1000000};
        uint64_t before = loop_now_ns();
        nanosleep(&ms, NULL);
        uint64_t late = (loop_now_ns() - before) / 1000000 - 1;
        if (late > b->late_ms) b->late_ms = late;
    }
    return NULL;
}

static void bare_start(struct bare *b, cpu_set_t *all)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((unsigned)sched_getcpu(), &here);
    assert_int_equal(sched_getaffinity(0, sizeof *all, all), 0);
    assert_int_equal(sched_setaffinity(0, sizeof here, &here), 0); /* the new thread inherits it */
    assert_int_equal(pthread_create(&b->thread, NULL, bare_run, b), 0);
}

static uint64_t bare_stop(struct bare *b, const cpu_set_t *all)
{
    b->stop = true;
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    assert_int_equal(sched_setaffinity(0, sizeof *all, all), 0);
    return b->late_ms;
}

/* On the real clock. */
static void test_real(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct probe p = {.fired = 0};
    struct bare bare = {.stop = false};
    cpu_set_t all;
    (void)state;
    bare_start(&bare, &all);
    timer_init(&p.t, on_again);
    uint64_t start = loop_now_ns();
    timer_set(l, &p.t, 0);
    loop_run(l);
    uint64_t took = (loop_now_ns() - start) / 1000000;
    worst = fired_total = 0;
    for (unsigned i = 0; i < 20; i++) {
        timer_init(&probes[i].t, on_real);
        set(l, &probes[i], 5 + i * 37);
    }
    loop_run(l);
    uint64_t late = bare_stop(&bare, &all);
    assert_true(took >= 80 && took < 400 + 5 * late);
    assert_int_equal(fired_total, 20);
    assert_true(worst <= 100 + late); /* 20 on a quiet machine */
    loop_free(l);
}

static void test_cancel_inside(void **state)
{
    struct loop *l = loop_new(0, 4096);
    (void)state;
    l->running = true;
    l->now_ms = 80000;
    l->wheel.at = 10000;
    fired_total = 0;
    for (unsigned i = 0; i < 3; i++) {
        timer_init(&probes[i].t, on_fire);
        set(l, &probes[i], 100);
    }
    assert_true(timer_is_set(&probes[1].t));
    timer_cancel(&probes[1].t);
    timer_cancel(&probes[1].t);
    assert_false(timer_is_set(&probes[1].t));
    go_to(l, 80200);
    assert_int_equal(fired_total, 2);
    set(l, &probes[1], UINT64_MAX); /* never */
    go_to(l, 90000);
    assert_int_equal(fired_total, 2);
    l->running = false;
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_cancel_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
