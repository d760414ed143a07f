/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the budget of further attempts. */
#include "unit.h"

#include "pipeline/upstream_int.h"
#include "upstream_rig.h"

#define MS UINT64_C(1000)

static void test_share(void **state)
{
    (void)state;
    uint32_t saved = 0;
    _Atomic uint64_t next = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < 1000; i++) {
        up_retry_earn(&saved, 20);
        n += up_retry_spend(&saved, &next, 0, 0);
    }
    assert_int_equal(n, 200);
    /* What is saved has a bound. */
    for (unsigned i = 0; i < 100000; i++)
        up_retry_earn(&saved, 20);
    for (n = 0; up_retry_spend(&saved, &next, 0, 0); n++)
        assert_true(n < 1000);
    assert_int_equal(n, 100);
}

static void test_floor(void **state)
{
    (void)state;
    uint32_t saved = 0;
    _Atomic uint64_t next = 0;
    uint64_t now = 1000000 * MS;
    unsigned n = 0;
    for (unsigned i = 0; i < 50; i++)
        n += up_retry_spend(&saved, &next, 3, now);
    assert_int_equal(n, 3); /* a second's worth at once */
    n = 0;
    for (unsigned i = 0; i < 10000; i++, now += MS) /* ten seconds */
        n += up_retry_spend(&saved, &next, 3, now);
    assert_in_range(n, 29, 31);
    now += 60000 * MS; /* a long pause saves no more than a second's worth */
    for (n = 0; up_retry_spend(&saved, &next, 3, now); n++)
        assert_true(n < 10);
    assert_int_equal(n, 3);
    assert_false(up_retry_spend(&saved, &next, 0, now));
}

/* The share is used before the floor is. */
static void test_both(void **state)
{
    (void)state;
    uint32_t saved = 250;
    _Atomic uint64_t next = 0;
    unsigned n = 0;
    while (up_retry_spend(&saved, &next, 2, 5000 * MS))
        n++;
    assert_int_equal(n, 4);
    assert_int_equal(saved, 50);
}

static void test_taken(void **state)
{
    (void)state;
    struct rig r;
    struct text t;
    rig_open(&r);
    struct gw_upstream like = {
        .retries = {.attempts = 2, .on = RETRY_CONNECT, .percent = 50, .per_second = 0}};
    struct gw_target targets[] = {target("127.0.0.1:9", "127.0.0.1", 9, 1),
                                  target("127.0.0.2:9", "127.0.0.2", 9, 1)};
    struct upstream *u = make_like(&r, "orders", 1, targets, 2, &like);
    assert_int_equal(upstream_retries(u)->attempts, 2);
    struct got g = {0};
    for (int i = 0; i < 4; i++)
        g = pick_now(&r, u);
    assert_true(upstream_retry_take(g.addr));
    assert_true(upstream_retry_take(g.addr));
    assert_false(upstream_retry_take(g.addr));
    /* Further attempts earn nothing. */
    struct upstream_want again = {0};
    upstream_tried(&again, g.addr);
    for (int i = 0; i < 4; i++)
        upstream_ended(call_like(&r, u, &again).addr);
    assert_false(upstream_retry_take(g.addr));
    text_init(&t);
    upstreams_metrics(r.all, &t);
    assert_has(text_str(&t), "sallyport_upstream_retries_total{upstream=\"orders\"} 2\n");
    assert_has(text_str(&t),
               "sallyport_upstream_retry_budget_exhausted_total{upstream=\"orders\"} 2\n");
    text_fini(&t);
    upstream_unref(u);
    rig_close(&r);
}

/* Upstreams that no conf names have policies too. */
static void test_defaults(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    struct upstream *u = make(&r, "implicit", 1, &t, 1);
    const struct gw_retries *c = upstream_retries(u);
    assert_int_equal(c->attempts, 3);
    assert_int_equal(c->on, RETRY_CONNECT);
    assert_int_equal(c->percent, 20);
    assert_int_equal(c->per_second, 3);
    assert_null(upstream_hashes(u));
    upstream_unref(u);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share), cmocka_unit_test(test_floor),    cmocka_unit_test(test_both),
        cmocka_unit_test(test_taken), cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
