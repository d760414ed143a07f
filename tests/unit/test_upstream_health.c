/* SPDX-License-Identifier: Apache-2.0 */
/* What calls tell of an address: out after failures in a row, longer each time, back, never all. */
#include "unit.h"

#include "pipeline/upstream_int.h"
#include "upstream_rig.h"

#define LATE 60 /* ms that the machine may lose between a verdict and a look at it */

static const struct gw_upstream quick = {
    .ejection = {.failures = 3, .percent = 50, .time = 100, .max_time = 350}};

static struct upstream *some(struct rig *r, const char *id, uint64_t hash, unsigned n)
{
    struct gw_target t[] = {
        target("127.0.0.1:9", "127.0.0.1", 9, 1), target("127.0.0.2:9", "127.0.0.2", 9, 1),
        target("127.0.0.3:9", "127.0.0.3", 9, 1), target("127.0.0.4:9", "127.0.0.4", 9, 1)};
    return make_like(r, id, hash, t, n, &quick);
}

/* Of 40 calls. */
static unsigned share(struct rig *r, struct upstream *u, const char *target)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 40; i++)
        n += strcmp(pick_now(r, u).target, target) == 0;
    return n;
}

/* For how long it is out; waits until it is back. */
static unsigned away(struct rig *r, struct upstream *u, const struct up_peer *p)
{
    uint64_t now = loop_now_ms(r->loop), until = p->ejected_ms;
    assert_true(until > now);
    assert_int_equal(share(r, u, p->text), 0);
    while (loop_now_ms(r->loop) < until)
        turn(r, NULL, 5);
    assert_int_not_equal(share(r, u, p->text), 0);
    return (unsigned)(until - now);
}

static const struct up_peer *peer_of(struct rig *r, struct upstream *u, const char *target)
{
    struct got g = pick_now(r, u);
    while (strcmp(g.target, target) != 0)
        g = pick_now(r, u);
    return g.addr->peer;
}

static void verdict(struct rig *r, struct upstream *u, const char *target, bool ok)
{
    for (unsigned i = 0; i < 100; i++) {
        struct got g = call_like(r, u, NULL);
        bool it = strcmp(g.target, target) == 0;
        if (it)
            upstream_verdict(g.addr, ok, "connection reset");
        upstream_ended(g.addr);
        if (it)
            return;
    }
    fail_msg("%s is never chosen", target);
}

static void test_ejected_and_back(void **state)
{
    (void)state;
    struct rig r;
    struct text t;
    rig_open(&r);
    struct upstream *u = some(&r, "orders", 1, 4);
    const char *bad = "127.0.0.2:9";
    const struct up_peer *peer = peer_of(&r, u, bad);
    verdict(&r, u, bad, false);
    verdict(&r, u, bad, false);
    verdict(&r, u, bad, true); /* not in a row */
    verdict(&r, u, bad, false);
    verdict(&r, u, bad, false);
    assert_int_equal(share(&r, u, bad), 10);
    verdict(&r, u, bad, false);
    assert_int_equal(share(&r, u, bad), 0);
    text_init(&t);
    upstreams_metrics(r.all, &t);
    assert_has(text_str(&t),
               "sallyport_upstream_healthy{upstream=\"orders\",target=\"127.0.0.2:9\"} 0\n");
    assert_has(text_str(&t),
               "sallyport_upstream_healthy{upstream=\"orders\",target=\"127.0.0.1:9\"} 1\n");
    assert_has(
        text_str(&t),
        "sallyport_upstream_ejections_total{upstream=\"orders\",target=\"127.0.0.2:9\"} 1\n");
    text_fini(&t);
    assert_in_range(away(&r, u, peer), 100 - LATE, 100);
    /* One failure is enough now, and it is out for twice as long, at most max_time. */
    verdict(&r, u, bad, false);
    assert_in_range(away(&r, u, peer), 200 - LATE, 200);
    verdict(&r, u, bad, false);
    assert_in_range(away(&r, u, peer), 350 - LATE, 350);
    verdict(&r, u, bad, false);
    assert_in_range(away(&r, u, peer), 350 - LATE, 350);
    /* Good for long enough: as if nothing had been. */
    verdict(&r, u, bad, true);
    turn(&r, NULL, 370);
    verdict(&r, u, bad, true);
    verdict(&r, u, bad, false);
    verdict(&r, u, bad, false);
    assert_int_not_equal(share(&r, u, bad), 0);
    verdict(&r, u, bad, false);
    assert_in_range(away(&r, u, peer), 100 - LATE, 100);
    upstream_unref(u);
    rig_close(&r);
}

/* Half of them at most, and one always stays. */
static void test_never_all(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *four = some(&r, "four", 1, 4), *two = some(&r, "two", 1, 2),
                    *one = some(&r, "one", 1, 1);
    for (int k = 1; k <= 4; k++) {
        char name[32];
        snprintf(name, sizeof name, "127.0.0.%d:9", k);
        calls_fail(&r, four, name, 5 * (k > 2) + 3 * (k <= 2));
    }
    assert_int_equal(share(&r, four, "127.0.0.1:9") + share(&r, four, "127.0.0.2:9"), 0);
    assert_int_equal(share(&r, four, "127.0.0.3:9"), 20);
    calls_fail(&r, two, "127.0.0.1:9", 3);
    calls_fail(&r, two, "127.0.0.2:9", 9);
    assert_int_equal(share(&r, two, "127.0.0.2:9"), 40);
    calls_fail(&r, one, "127.0.0.1:9", 9);
    assert_int_equal(share(&r, one, "127.0.0.1:9"), 40);
    assert_int_equal(peer_of(&r, one, "127.0.0.1:9")->times, 0);
    upstream_unref(four);
    upstream_unref(two);
    upstream_unref(one);
    rig_close(&r);
}

/* Whatever the share allows, the last one stays. */
static void test_last_stays(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream all = quick;
    all.ejection.percent = 100;
    all.ejection.time = all.ejection.max_time = 60000;
    struct gw_target t[] = {target("127.0.0.1:9", "127.0.0.1", 9, 1),
                            target("127.0.0.2:9", "127.0.0.2", 9, 1),
                            target("127.0.0.3:9", "127.0.0.3", 9, 1)};
    struct upstream *u = make_like(&r, "orders", 1, t, 3, &all);
    calls_fail(&r, u, "127.0.0.1:9", 3);
    calls_fail(&r, u, "127.0.0.2:9", 3);
    calls_fail(&r, u, "127.0.0.3:9", 20);
    assert_int_equal(share(&r, u, "127.0.0.3:9"), 40);
    upstream_unref(u);
    rig_close(&r);
}

/* The name's good addresses go while a bad one is out: better that one than none. */
static void test_only_ejected_left(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    r.dns.first = 20;
    r.dns.count = 2;
    struct gw_upstream slow = quick;
    slow.ejection.time = slow.ejection.max_time = 60000;
    struct gw_target t = target("pets.test:80", "pets.test", 80, 1);
    struct upstream *u = make_like(&r, "pets", 1, &t, 1, &slow);
    pick(&r, u);
    calls_fail(&r, u, "127.0.0.20:80", 3);
    assert_int_equal(share(&r, u, "127.0.0.20:80"), 0);
    r.dns.count = 1;
    turn(&r, NULL, 1050);
    pick_now(&r, u);
    for (int i = 0; i < 100 && share(&r, u, "127.0.0.20:80") < 40; i++)
        turn(&r, NULL, 10);
    assert_int_equal(share(&r, u, "127.0.0.20:80"), 40);
    upstream_unref(u);
    rig_close(&r);
}

/* Another conf of the same upstream: what is known of its addresses holds. */
static void test_inherited(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *old = some(&r, "orders", 1, 2);
    calls_fail(&r, old, "127.0.0.1:9", 3);
    struct upstream *next = some(&r, "orders", 2, 3), *foreign = some(&r, "else", 1, 2);
    assert_ptr_not_equal(old, next);
    assert_int_equal(share(&r, next, "127.0.0.1:9"), 0);
    assert_int_equal(share(&r, foreign, "127.0.0.1:9"), 20);
    upstream_unref(old);
    upstream_unref(next);
    upstream_unref(foreign);
    rig_close(&r);
}

static void test_off(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream off = quick;
    off.ejection.failures = 0;
    off.ejection.statuses = STATUS_503;
    struct gw_target t[] = {target("127.0.0.1:9", "127.0.0.1", 9, 1),
                            target("127.0.0.2:9", "127.0.0.2", 9, 1)};
    struct upstream *u = make_like(&r, "orders", 1, t, 2, &off);
    calls_fail(&r, u, "127.0.0.1:9", 50);
    assert_int_equal(share(&r, u, "127.0.0.1:9"), 20);
    assert_true(upstream_bad_status(u, 503));
    assert_false(upstream_bad_status(u, 502));
    assert_false(upstream_bad_status(u, 200));
    upstream_unref(u);
    rig_close(&r);
}

/* Active checks: o good, x bad; what the state is behind each. */
static void steps(enum up_health from, const char *results, const char *states)
{
    const struct gw_health c = {.healthy = 2, .unhealthy = 3};
    struct up_tally t = {.state = from};
    for (unsigned i = 0; results[i]; i++) {
        enum up_health before = t.state;
        bool changed = up_health_step(&t, &c, results[i] == 'o');
        assert_int_equal(changed, before != t.state);
        if ("?ou"[t.state] != states[i])
            fail_msg("%s: %c behind check %u", results, "?ou"[t.state], i);
    }
}

static void test_health_steps(void **state)
{
    (void)state;
    steps(UP_UNKNOWN, "ooxxoxxxoxo", "ooooooouuuu");
    steps(UP_UNKNOWN, "xoxoo", "uuuuo");
    steps(UP_UNKNOWN, "xxxxoo", "uuuuuo");
    steps(UP_HEALTHY, "xxoxxx", "ooooou");
    steps(UP_UNHEALTHY, "oxooxxx", "uuuooou");
}

/* Unhealthy ones are never chosen; when there is no other the pick says so. */
static void test_unhealthy(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = some(&r, "orders", 1, 2);
    struct got g = pick_now(&r, u);
    struct up_addr *first = g.addr;
    char name[64];
    snprintf(name, sizeof name, "%s", g.target);
    first->peer->health = UP_UNHEALTHY;
    assert_int_equal(share(&r, u, name), 0);
    while (g.addr == first)
        g = pick_now(&r, u);
    g.addr->peer->health = UP_UNHEALTHY;
    assert_int_equal(pick_now(&r, u).status, E_NONE);
    struct text t;
    text_init(&t);
    assert_false(upstreams_ready(r.all, &t));
    assert_str(text_str(&t), "[-] upstream orders: 0 of 2 targets usable (unhealthy)\n");
    first->peer->health = UP_HEALTHY;
    text_fini(&t);
    text_init(&t);
    assert_true(upstreams_ready(r.all, &t));
    assert_str(text_str(&t), "[+] upstream orders: 1 of 2 targets usable (unhealthy)\n");
    text_fini(&t);
    assert_int_equal(share(&r, u, name), 40);
    upstream_unref(u);
    struct upstream *one = some(&r, "one", 1, 1);
    pick_now(&r, one).addr->peer->health = UP_UNHEALTHY;
    assert_int_equal(pick_now(&r, one).status, E_NONE);
    upstream_unref(one);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ejected_and_back), cmocka_unit_test(test_never_all),
        cmocka_unit_test(test_last_stays),       cmocka_unit_test(test_only_ejected_left),
        cmocka_unit_test(test_inherited),        cmocka_unit_test(test_off),
        cmocka_unit_test(test_health_steps),     cmocka_unit_test(test_unhealthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
