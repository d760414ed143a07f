/* SPDX-License-Identifier: Apache-2.0 */
/* Timer wheel of a thread: O(1) to set and cancel, one ev_timer for all. Fires never early, at most 20 ms late on an idle loop.
 * Lazy use: keep a deadline stamp, and when the timer fires too soon, set it again. */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <ev.h>

#include "base/list.h"

struct loop;

struct timer {
    struct list link; /* empty: not set */
    uint64_t due_ms;  /* loop_now_ms scale */
    void (*fn)(struct loop *, struct timer *);
};

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 64

struct wheel {
    struct loop *loop;
    ev_timer ev;
    uint64_t at;     /* tick handled last */
    uint64_t armed;  /* tick that ev is set for, 0: none */
    bool turning;    /* timers are being fired */
    uint64_t occupied[WHEEL_LEVELS]; /* bit per slot */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *, struct loop *);
void wheel_fini(struct wheel *);
void timer_init(struct timer *, void (*fn)(struct loop *, struct timer *));
void timer_set(struct loop *, struct timer *, uint64_t delay_ms); /* moves it when it was set */
void timer_cancel(struct timer *);
static inline bool timer_is_set(const struct timer *t) { return !list_empty(&t->link); }

#endif
