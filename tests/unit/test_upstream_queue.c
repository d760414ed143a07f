/* SPDX-License-Identifier: Apache-2.0 */
/* The line before full pools: order, bounds, time, who leaves, the thread's end. */
#include "unit.h"

#include "pipeline/upstream_int.h"
#include "upstream_rig.h"

struct guest {
    struct upstream_turn turn;
    unsigned came;
    bool room;
    unsigned place; /* in which it was let in */
};
static unsigned places;

static void come(void *arg, bool room)
{
    struct guest *g = arg;
    g->came++;
    g->room = room;
    g->place = ++places;
}

static bool enter(struct rig *r, struct upstream *u, struct guest *g)
{
    return upstream_queue(u, r->loop, &g->turn, come, g);
}

static struct upstream *with_line(struct rig *r, int64_t length, int64_t ms)
{
    struct gw_upstream like = {.pool_max = 1, .pool_queue = length, .pool_queue_ms = ms};
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    places = 0;
    return make_like(r, "orders", 1, &t, 1, &like);
}

static void test_order(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = with_line(&r, 3, 5000);
    struct guest g[4] = {0};
    struct got one = call_like(&r, u, NULL), two = call_like(&r, u, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(enter(&r, u, &g[i]));
    assert_false(enter(&r, u, &g[3]));
    assert_int_equal(u->queued, 3);
    assert_int_equal(call_like(&r, u, NULL).status, E_LIMIT); /* nobody overtakes */
    upstream_queue_leave(&g[1].turn);
    upstream_queue_leave(&g[1].turn);
    assert_int_equal(u->queued, 2);
    upstream_ended(one.addr);
    assert_int_equal(g[0].came, 0); /* not inside the call */
    turn(&r, NULL, 20);
    assert_true(g[0].came == 1 && g[0].room && g[0].place == 1);
    assert_int_equal(g[2].came, 0);
    /* The room was taken by somebody else: back to the first place. */
    assert_true(enter(&r, u, &g[3]));
    assert_true(enter(&r, u, &g[0]));
    upstream_ended(two.addr);
    turn(&r, NULL, 20);
    assert_true(g[0].came == 2 && g[0].place == 2 && g[2].came == 0);
    upstream_queue_leave(&g[2].turn);
    upstream_queue_leave(&g[3].turn);
    assert_int_equal(g[1].came + g[2].came + g[3].came, 0);
    assert_int_equal(u->queued, 0);
    assert_int_equal(call_like(&r, u, NULL).status, 0);
    upstream_unref(u);
    rig_close(&r);
}

static void test_late(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = with_line(&r, 2, 50);
    struct guest g[2] = {0};
    assert_true(enter(&r, u, &g[0]));
    turn(&r, NULL, 10);
    assert_true(enter(&r, u, &g[1]));
    turn(&r, NULL, 200);
    assert_true(g[0].came == 1 && !g[0].room && g[0].place == 1);
    assert_true(g[1].came == 1 && !g[1].room);
    assert_int_equal(u->queue_late, 2);
    assert_int_equal(u->queued, 0);
    assert_false(enter(&r, u, &g[0])); /* its time was up for good */
    upstream_unref(u);
    rig_close(&r);
}

static void test_no_line(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = with_line(&r, 0, 1000);
    struct guest g = {0};
    assert_false(enter(&r, u, &g));
    assert_int_equal(call_like(&r, u, NULL).status, 0);
    upstream_unref(u);
    rig_close(&r);
}

/* The thread ends, or the upstream does, while a call has just ended. */
static void test_end(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = with_line(&r, 2, 5000);
    struct guest g[2] = {0};
    struct got one = call_like(&r, u, NULL);
    assert_true(enter(&r, u, &g[0]));
    assert_true(enter(&r, u, &g[1]));
    upstream_ended(one.addr);
    upstreams_thread_stop(r.all, r.loop);
    assert_true(g[0].came == 1 && !g[0].room);
    assert_true(g[1].came == 1 && !g[1].room);
    assert_int_equal(u->queued, 0);
    upstream_unref(u);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_no_line),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
