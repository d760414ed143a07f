/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes: order per sender, nothing lost between threads, what is left is delivered at the end;
 * loops start and stop. */
#include <pthread.h>

#include "net/loop.h"
#include "unit.h"

#define SENDERS 4
#define EACH 20000

struct note {
    struct mbox_msg m;
    unsigned sender, n;
};

static unsigned next_of[SENDERS], received;
static bool in_order = true;

static void on_note(struct loop *l, struct mbox_msg *m)
{
    struct note *t = CONTAINER_OF(m, struct note, m);
    if (next_of[t->sender] != t->n) in_order = false;
    next_of[t->sender]++;
    free(t);
    if (++received == SENDERS * EACH) loop_stop(l);
}

struct sender {
    struct loop *to;
    unsigned id;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (unsigned i = 0; i < EACH; i++) {
        struct note *t = malloc(sizeof *t);
        if (!t) abort();
        *t = (struct note){.sender = s->id, .n = i};
        t->m.fn = on_note;
        mbox_post(&s->to->mbox, &t->m);
    }
    return NULL;
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void test_threads(void **state)
{
    struct loop *l = loop_new(3, 4096);
    struct sender s[SENDERS];
    pthread_t t[SENDERS], runner;
    (void)state;
    assert_non_null(l);
    assert_int_equal(pthread_create(&runner, NULL, run, l), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        s[i] = (struct sender){.to = l, .id = i};
        assert_int_equal(pthread_create(&t[i], NULL, send_all, &s[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS; i++) pthread_join(t[i], NULL);
    pthread_join(runner, NULL);
    assert_int_equal(received, SENDERS * EACH);
    assert_true(in_order);
    loop_free(l);
}

static unsigned left;

static void on_left(struct loop *l, struct mbox_msg *m)
{
    struct note *t = CONTAINER_OF(m, struct note, m);
    if (t->n > 0) { /* a message that posts another */
        t->n--;
        mbox_post(&l->mbox, m);
        return;
    }
    left++;
    free(t);
}

static void test_left_over(void **state)
{
    struct loop *l = loop_new(0, 4096);
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct note *t = malloc(sizeof *t);
        assert_non_null(t);
        *t = (struct note){.n = i};
        t->m.fn = on_left;
        mbox_post(&l->mbox, &t->m);
    }
    loop_free(l);
    assert_int_equal(left, 3);
}

static unsigned flushed;

static void on_flush(struct flusher *f)
{
    (void)f;
    flushed++;
}

static void test_flush(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct flusher f = {.flush = on_flush}, g = {.flush = on_flush};
    (void)state;
    list_init(&f.link);
    list_init(&g.link);
    loop_dirty(l, &f);
    loop_dirty(l, &f);
    loop_dirty(l, &g);
    loop_undirty(&g);
    loop_flush(l);
    assert_int_equal(flushed, 1);
    loop_dirty(l, &f); /* without a callback: before the loop sleeps */
    loop_stop(l);
    loop_run(l);
    assert_int_equal(flushed, 2);
    assert_int_equal(loop_date(l).n, 29);
    assert_true(str_ends(loop_date(l), STR(" GMT")));
    assert_true(loop_wall_ms() > UINT64_C(1500000000000));
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
