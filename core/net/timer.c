/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchical timer wheel: four levels of 64 slots, ticks of 8 ms; a timer moves down a level as
 * its time comes near. */
#include "net/timer.h"

#include "net/loop.h"

#define TICK_SHIFT 3 /* 8 ms */
#define LEVEL_BITS 6
#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define SPAN_BITS (WHEEL_LEVELS * LEVEL_BITS)

static uint64_t tick_of(uint64_t due_ms)
{
    return (due_ms + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT; /* never early */
}

static void place(struct wheel *w, struct timer *t)
{
    uint64_t tick = tick_of(t->due_ms);
    if (tick <= w->at) tick = w->at + 1;
    /* Too far away: the last slot that can be reached, where it is placed anew. */
    if ((tick ^ w->at) >> SPAN_BITS) tick = w->at | ((UINT64_C(1) << SPAN_BITS) - 1);
    if (tick == w->at)
        tick = w->at + 1; /* the span ends here: the next one begins with this tick */
    uint64_t diff = tick ^ w->at;
    unsigned level = (63u - (unsigned)__builtin_clzll(diff)) / LEVEL_BITS;
    if (level >= WHEEL_LEVELS) level = WHEEL_LEVELS - 1;
    unsigned slot = (unsigned)(tick >> (level * LEVEL_BITS)) & SLOT_MASK;
    list_push(&w->slots[level][slot], &t->link);
    w->occupied[level] |= UINT64_C(1) << slot;
}

/* Tick at which the next occupied slot is to be looked at; 0: the wheel is empty. */
static uint64_t next_tick(struct wheel *w)
{
    uint64_t best = 0;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        unsigned shift = level * LEVEL_BITS, now = (unsigned)(w->at >> shift) & SLOT_MASK;
        uint64_t occ = w->occupied[level];
        if (!occ) continue;
        /* Slots behind the current one, counted onwards from it; the current one counts as a whole
         * turn away. */
        unsigned turn = (now + 1) & SLOT_MASK;
        uint64_t rot = turn ? (occ >> turn) | (occ << (WHEEL_SLOTS - turn)) : occ;
        uint64_t steps = 1 + (uint64_t)__builtin_ctzll(rot);
        uint64_t tick = ((w->at >> shift) + steps) << shift;
        if (!best || tick < best) best = tick;
    }
    return best;
}

static void arm(struct wheel *w)
{
    uint64_t tick = next_tick(w);
    /* Armed too early is harmless: the wheel looks and arms anew. */
    if (!tick || (w->armed && w->armed <= tick)) return;
    ev_timer_stop(w->loop->ev, &w->ev);
    w->armed = tick;
    uint64_t due = tick << TICK_SHIFT, now = loop_now_ms(w->loop);
    /* The clock of the loop is cut to whole ms: one more, or the timer comes a little too soon. */
    ev_timer_set(&w->ev, due > now ? (double)(due - now + 1) / 1000.0 : 0.0, 0.0);
    ev_timer_start(w->loop->ev, &w->ev);
}

/* Handles the slots that `tick` opens: fires level 0, moves the others down. */
static void turn(struct wheel *w, uint64_t tick, uint64_t now_ms)
{
    struct list due;
    list_init(&due);
    w->at = tick;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (level && tick & ((UINT64_C(1) << (level * LEVEL_BITS)) - 1)) break;
        unsigned slot = (unsigned)(tick >> (level * LEVEL_BITS)) & SLOT_MASK;
        struct list *from = &w->slots[level][slot];
        w->occupied[level] &= ~(UINT64_C(1) << slot);
        while (!list_empty(from)) {
            struct list *it = from->next;
            list_del(it);
            list_push(&due, it);
        }
    }
    while (!list_empty(&due)) { /* fn may cancel or set any timer, those in `due` too */
        struct timer *t = LIST_ITEM(due.next, struct timer, link);
        list_del(&t->link);
        if (t->due_ms > now_ms && tick_of(t->due_ms) > tick) place(w, t);
        else loop_restamp(w->loop), t->fn(w->loop, t);
    }
}

/* Time has passed without a slot to look at: the shorter the way to a new timer's slot. */
static void catch_up(struct wheel *w, uint64_t now)
{
    if (w->at >= now) return;
    uint64_t tick = next_tick(w);
    if (!tick || tick > now) w->at = now;
}

static void on_timer(struct ev_loop *ev, ev_timer *e, int revents)
{
    struct wheel *w = e->data;
    uint64_t now_ms = loop_now_ms(w->loop), now = now_ms >> TICK_SHIFT;
    (void)ev, (void)revents;
    w->turning = true;
    for (;;) {
        uint64_t tick = next_tick(w);
        if (!tick || tick > now) break;
        turn(w, tick, now_ms);
    }
    w->turning = false;
    catch_up(w, now);
    w->armed = 0;
    arm(w);
    loop_done(w->loop);
}

void wheel_init(struct wheel *w, struct loop *l)
{
    *w = (struct wheel){.loop = l};
    for (unsigned i = 0; i < WHEEL_LEVELS; i++) {
        for (unsigned k = 0; k < WHEEL_SLOTS; k++) list_init(&w->slots[i][k]);
    }
    w->at = loop_now_ms(l) >> TICK_SHIFT;
    ev_timer_init(&w->ev, on_timer, 0.0, 0.0);
    w->ev.data = w;
}

void wheel_fini(struct wheel *w)
{
    for (unsigned i = 0; i < WHEEL_LEVELS; i++) {
        for (unsigned k = 0; k < WHEEL_SLOTS; k++) {
            struct list *slot = &w->slots[i][k];
            while (!list_empty(slot)) list_del(slot->next);
        }
    }
    ev_timer_stop(w->loop->ev, &w->ev);
}

void timer_init(struct timer *t, void (*fn)(struct loop *, struct timer *))
{
    list_init(&t->link);
    t->due_ms = 0;
    t->fn = fn;
}

void timer_set(struct loop *l, struct timer *t, uint64_t delay_ms)
{
    struct wheel *w = &l->wheel;
    list_del(&t->link);
    uint64_t now = loop_now_ms(l);
    t->due_ms = delay_ms < UINT64_MAX / 2 ? now + delay_ms : UINT64_MAX / 2;
    catch_up(w, now >> TICK_SHIFT);
    place(w, t);
    if (!w->turning) arm(w);
}

void timer_cancel(struct timer *t)
{
    list_del(
        &t->link); /* its slot's bit may stay: an empty slot is passed over when its tick comes */
}
