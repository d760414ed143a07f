/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the handle table: states, generations, bounds, and firers racing the owner. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>

#include "base/slot.h"

static void one_life(void **state)
{
    (void)state;
    struct slot_table t;
    int thing;
    uint64_t tag = 0;
    slot_table_init(&t, 7, 100);
    uint64_t token = slot_open(&t, &thing);
    assert_true(token != 0);
    assert_int_equal(slot_owner(token), 7);
    assert_int_equal(t.live, 1);
    assert_ptr_equal(slot_get(&t, token), &thing);
    assert_null(slot_take(&t, token, &tag)); /* not fired yet */
    assert_int_equal(slot_fire(&t, token, 42), 0);
    assert_int_equal(slot_fire(&t, token, 43), E_GONE); /* once */
    assert_ptr_equal(slot_get(&t, token), &thing);
    assert_ptr_equal(slot_take(&t, token, &tag), &thing);
    assert_int_equal(tag, 42);
    assert_null(slot_take(&t, token, &tag));
    assert_null(slot_get(&t, token));
    assert_int_equal(slot_close(&t, token), E_GONE);
    assert_int_equal(slot_fire(&t, token, 1), E_GONE);
    assert_int_equal(t.live, 0);
    slot_table_fini(&t);
}

static void stale_tokens(void **state)
{
    (void)state;
    struct slot_table t;
    int a, b;
    slot_table_init(&t, 1, 100);
    uint64_t first = slot_open(&t, &a);
    assert_int_equal(slot_close(&t, first), 0);
    uint64_t second = slot_open(&t, &b);
    assert_int_equal(first >> 32, second >> 32); /* the same slot ... */
    assert_true(first != second);                /* ... of another generation */
    assert_int_equal(slot_fire(&t, first, 1), E_GONE);
    assert_null(slot_get(&t, first));
    assert_int_equal(slot_close(&t, first), E_GONE);
    assert_ptr_equal(slot_get(&t, second), &b);
    assert_int_equal(slot_fire(&t, second, 2), 0);
    assert_int_equal(slot_close(&t, second), 0); /* fired, not taken: closes too */
    assert_null(slot_take(&t, second, NULL));
    slot_table_fini(&t);
}

static void tokens_never_made(void **state)
{
    (void)state;
    struct slot_table t;
    int a;
    slot_table_init(&t, 3, 100);
    assert_int_equal(slot_fire(&t, 0, 0), E_ARG);
    uint64_t token = slot_open(&t, &a);
    assert_int_equal(slot_fire(&t, token ^ (UINT64_C(1) << 56), 0), E_ARG);   /* another owner's */
    assert_int_equal(slot_fire(&t, token & ~UINT64_C(0xffffffff), 0), E_ARG); /* generation 0 */
    assert_int_equal(slot_fire(&t, token + 1, 0), E_ARG); /* a generation to come */
    assert_int_equal(slot_fire(&t, token | UINT64_C(0xffffff) << 32, 0), E_ARG);
    assert_int_equal(slot_fire(&t, token + (UINT64_C(300) << 32), 0),
                     E_ARG); /* in a chunk not made */
    assert_int_equal(slot_fire(&t, token + (UINT64_C(1) << 32), 0), E_ARG); /* in a slot not used */
    assert_null(slot_get(&t, UINT64_MAX));
    assert_null(slot_get(&t, 0));
    assert_int_equal(slot_close(&t, 0), E_GONE);
    assert_int_equal(slot_fire(&t, token, 0), 0); /* none of it did harm */
    slot_table_fini(&t);
}

static void bounds(void **state)
{
    (void)state;
    struct slot_table t;
    static uint64_t tokens[600];
    slot_table_init(&t, 0, 600);
    for (uintptr_t i = 0; i < 600; i++) {
        tokens[i] = slot_open(&t, (void *)(i + 1));
        assert_true(tokens[i] != 0);
    }
    assert_true(slot_open(&t, &t) == 0);
    for (uintptr_t i = 0; i < 600; i++)
        assert_ptr_equal(slot_get(&t, tokens[i]), (void *)(i + 1));
    assert_int_equal(slot_close(&t, tokens[300]), 0);
    uint64_t again = slot_open(&t, &t);
    assert_true(again != 0 && again != tokens[300]);
    assert_int_equal(t.live, 600);
    slot_table_fini(&t);
    slot_table_init(&t, 0, 0); /* no bound given: the table's own */
    assert_int_equal(t.max, SLOT_CHUNK * SLOT_CHUNKS);
    slot_table_fini(&t);
}

static void generations_wrap_past_zero(void **state)
{
    (void)state;
    struct slot_table t;
    int a;
    slot_table_init(&t, 0, 10);
    uint64_t token = slot_open(&t, &a);
    assert_int_equal(slot_close(&t, token), 0);
    struct slot *s = atomic_load(&t.chunks[0]);
    atomic_store(&s->word, (uint64_t)UINT32_MAX << 2);
    token = slot_open(&t, &a);
    assert_int_equal((uint32_t)token, UINT32_MAX);
    assert_int_equal(slot_close(&t, token), 0);
    uint64_t next = slot_open(&t, &a);
    assert_int_equal((uint32_t)next, 1);
    assert_int_equal(slot_fire(&t, token, 0), E_GONE);
    assert_int_equal(slot_fire(&t, next, 0), 0);
    slot_table_fini(&t);
}

/* A firer stands still between its two steps: the closed slot is kept back until it went on. */
static void closed_while_being_fired(void **state)
{
    (void)state;
    struct slot_table t;
    int a, b, c;
    slot_table_init(&t, 0, 10);
    uint64_t token = slot_open(&t, &a);
    struct slot *s = atomic_load(&t.chunks[0]);
    uint64_t generation = (uint32_t)token;
    atomic_store(&s->word, generation << 2 | 3); /* as the firer's first step leaves it */
    assert_null(slot_take(&t, token, NULL));     /* its message cannot be here yet */
    assert_ptr_equal(slot_get(&t, token), &a);
    assert_int_equal(slot_fire(&t, token, 1), E_GONE);
    assert_int_equal(slot_close(&t, token), 0);
    assert_int_equal(t.live, 0);
    assert_null(slot_get(&t, token));
    assert_int_equal(slot_close(&t, token), E_GONE);
    uint64_t second = slot_open(&t, &b); /* another slot meanwhile */
    assert_true(second >> 32 != token >> 32);
    s->tag = 99;
    atomic_store(&s->word, generation << 2 | 2); /* the second step */
    assert_null(slot_take(&t, token, NULL));
    uint64_t third = slot_open(&t, &c);
    assert_int_equal(third >> 32, token >> 32);
    assert_int_equal((uint32_t)third, generation + 1);
    assert_int_equal(slot_fire(&t, token, 1), E_GONE);
    assert_ptr_equal(slot_get(&t, third), &c);
    assert_ptr_equal(slot_get(&t, second), &b);
    slot_table_fini(&t);
}

/* Firers race the owner, who closes, reopens and takes. Every token carries a number that only its
 * own firing may carry. */

enum { FIRERS = 3, SHELVES = 16, ROUNDS = 60000 };

struct race {
    struct slot_table table;
    _Atomic uint64_t shelf[SHELVES]; /* tokens on show for the firers */
    _Atomic uint64_t mail[ROUNDS];   /* accepted tokens, as a message queue */
    _Atomic unsigned posted, accepted, start;
    _Atomic bool done;
};

static void *firer(void *arg)
{
    struct race *r = arg;
    unsigned i = 0;
    atomic_fetch_add(&r->start, 1);
    while (!atomic_load(&r->done)) {
        uint64_t token = atomic_load_explicit(&r->shelf[i++ % SHELVES], memory_order_relaxed);
        if (token == 0)
            continue;
        int rc = slot_fire(&r->table, token, token ^ 0x5a5a);
        if (rc == 0) {
            atomic_fetch_add(&r->accepted, 1);
            atomic_store(&r->mail[atomic_fetch_add(&r->posted, 1)], token);
        } else if (rc != E_GONE) {
            abort(); /* every token on a shelf was made */
        }
    }
    return NULL;
}

static void firers_race_the_owner(void **state)
{
    (void)state;
    static struct race r;
    static uintptr_t number[SHELVES];
    pthread_t t[FIRERS];
    unsigned taken = 0, lost = 0, read = 0;
    uint64_t tag;
    slot_table_init(&r.table, 5, SHELVES);
    for (int i = 0; i < FIRERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, firer, &r), 0);
    while (atomic_load(&r.start) < FIRERS)
        sched_yield();
    for (uintptr_t i = 0; i < ROUNDS; i++) {
        unsigned k = (unsigned)(i % SHELVES);
        uint64_t before = atomic_load(&r.shelf[k]);
        if (before && i % 3 == 0)
            sched_yield();
        if (before)
            slot_close(&r.table, before); /* or it was taken */
        number[k] = i + 1;
        uint64_t token = slot_open(&r.table, (void *)number[k]);
        if (token == 0) { /* a firer is still within a closed slot: bounded by the firers */
            atomic_store(&r.shelf[k], 0);
            continue;
        }
        atomic_store(&r.shelf[k], token);
        for (; read < atomic_load(&r.posted); read++) {
            uint64_t mail = atomic_load(&r.mail[read]);
            if (mail == 0)
                break; /* posted, not written yet */
            bool live = slot_get(&r.table, mail) != NULL;
            void *ptr = slot_take(&r.table, mail, &tag);
            assert_int_equal(live, ptr != NULL);
            if (!ptr) {
                lost++; /* closed in between */
                continue;
            }
            assert_true(tag == (mail ^ 0x5a5a));
            taken++;
        }
    }
    atomic_store(&r.done, true);
    for (int i = 0; i < FIRERS; i++)
        pthread_join(t[i], NULL);
    for (; read < atomic_load(&r.posted); read++) {
        if (!slot_take(&r.table, atomic_load(&r.mail[read]), &tag)) {
            lost++;
            continue;
        }
        assert_true(tag == (atomic_load(&r.mail[read]) ^ 0x5a5a));
        taken++;
    }
    assert_int_equal(taken + lost, atomic_load(&r.accepted));
    assert_true(atomic_load(&r.accepted) > 0);
    assert_true(r.table.live <= SHELVES);
    slot_table_fini(&r.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_life),
        cmocka_unit_test(stale_tokens),
        cmocka_unit_test(tokens_never_made),
        cmocka_unit_test(bounds),
        cmocka_unit_test(generations_wrap_past_zero),
        cmocka_unit_test(closed_while_being_fired),
        cmocka_unit_test(firers_race_the_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
