/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of further attempts: a share of the calls, saved up by each thread for itself, and
 * beyond it so many a second for the whole process. It keeps an upstream that is down from being
 * asked for several times as much. */
#include "pipeline/upstream_int.h"

#define SAVED_MAX (100u * 100u) /* of 100 attempts */
#define SECOND_US UINT64_C(1000000)

const struct gw_retries *upstream_retries(const struct upstream *u)
{
    return &u->retries;
}

void up_retry_earn(uint32_t *saved, uint32_t percent)
{
    *saved = *saved + percent < SAVED_MAX ? *saved + percent : SAVED_MAX;
}

bool up_retry_spend(uint32_t *saved, _Atomic uint64_t *next_us, uint32_t per_second,
                    uint64_t now_us)
{
    if (*saved >= 100) {
        *saved -= 100;
        return true;
    }
    if (per_second == 0)
        return false;
    /* One every `gap`, up to a second's worth at once. */
    uint64_t gap = SECOND_US / per_second;
    uint64_t next = atomic_load_explicit(next_us, memory_order_relaxed);
    for (;;) {
        uint64_t from = next > now_us ? next : now_us;
        if (from + gap > now_us + SECOND_US)
            return false;
        if (atomic_compare_exchange_weak_explicit(next_us, &next, from + gap, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}

bool upstream_retry_take(struct up_addr *a)
{
    struct up_local *l = a->seat->local;
    struct upstream *u = l->u;
    bool ok = up_retry_spend(&l->saved, &u->retry_next_us, u->retries.per_second,
                             loop_now_ms(l->loop) * 1000);
    atomic_fetch_add_explicit(ok ? &u->retried : &u->retry_denied, 1, memory_order_relaxed);
    return ok;
}
