/* SPDX-License-Identifier: Apache-2.0 */
/* Live upstreams: found again after a reload, whose turn it is, names that change, retirement on
 * every thread. */
#include "unit.h"

#include "upstream_rig.h"

static void test_found_again(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    struct upstream *a = make(&r, "orders", 1, &t, 1);
    struct cli_pool *pool = pick_now(&r, a).pool;
    struct upstream *again = make(&r, "orders", 1, &t, 1);
    assert_ptr_equal(a, again);
    upstream_unref(a);
    assert_ptr_equal(pick_now(&r, again).pool, pool);

    struct upstream *changed = make(&r, "orders", 2, &t, 1);
    assert_ptr_not_equal(changed, again);
    assert_ptr_not_equal(pick_now(&r, changed).pool, pool);
    struct upstream *found = upstream_find(r.all, STR("orders"));
    assert_ptr_equal(found, changed);
    upstream_unref(found);
    upstream_unref(changed);
    turn(&r, NULL, 30);
    found = upstream_find(r.all, STR("orders"));
    assert_ptr_equal(found, again);
    assert_ptr_equal(pick_now(&r, found).pool, pool);
    upstream_unref(found);
    upstream_unref(again);
    assert_null(upstream_find(r.all, STR("orders")));
    turn(&r, NULL, 30);
    rig_close(&r);
}

/* Other timeouts by default make another upstream, for pools read them. */
static void test_defaults_count(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    struct gw_upstream gu = {.id = STR("x"),
                             .targets = &t,
                             .target_count = 1,
                             .hash = 7,
                             .authority = STR("api.example"),
                             .t_connect = 1500};
    struct gw_timeouts slow = {.integration = 50000, .write = 30000};
    struct upstream *a = upstream_get(r.all, &gu, &defaults), *b = upstream_get(r.all, &gu, &slow);
    assert_ptr_not_equal(a, b);
    assert_int_equal(upstream_conf(a)->t_connect_ms, 1500);
    assert_int_equal(upstream_conf(a)->t_first_byte_ms, 29000);
    assert_int_equal(upstream_conf(b)->t_first_byte_ms, 50000);
    assert_true(upstream_conf(a)->pool_idle_max > 0);
    assert_str(upstream_authority(a), "api.example");
    assert_str(upstream_id(b), "x");
    upstream_unref(a);
    upstream_unref(b);
    rig_close(&r);
}

static void test_name(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    r.dns.first = 10;
    r.dns.count = 3;
    struct gw_target t = target("pets.test:80", "pets.test", 80, 1);
    struct upstream *u = make(&r, "pets", 1, &t, 1);
    struct got a = {0}, b = {0};
    assert_non_null(upstream_pick(u, r.loop, &r.arena, NULL, on_pick, &a));
    assert_non_null(upstream_pick(u, r.loop, &r.arena, NULL, on_pick, &b));
    turn(&r, &b.done, 2000);
    assert_int_equal(a.calls + b.calls, 2);
    assert_int_equal(r.dns.asked, 1);
    struct got c = pick_now(&r, u);
    assert_string_not_equal(a.target, b.target);
    assert_string_not_equal(b.target, c.target);
    assert_string_not_equal(a.target, c.target);
    assert_string_equal(pick_now(&r, u).target, a.target);
    assert_int_equal(r.dns.asked, 1);
    upstream_unref(u);
    rig_close(&r);
}

/* The name moves: old addresses serve while the question is out, then the new ones do, and a kept
 * one keeps its pool. */
static void test_refresh(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    r.dns.first = 10;
    r.dns.count = 2;
    struct gw_target t = target("pets.test:80", "pets.test", 80, 1);
    struct upstream *u = make(&r, "pets", 1, &t, 1);
    struct cli_pool *kept = NULL;
    for (int i = 0; i < 2; i++) {
        struct got g = pick(&r, u);
        if (strcmp(g.target, "127.0.0.11:80") == 0)
            kept = g.pool;
    }
    assert_non_null(kept);
    r.dns.first = 11;
    turn(&r, NULL, 1050);
    struct got old = pick_now(&r, u);
    assert_true(old.status == 0);
    bool moved = false;
    for (int i = 0; i < 100 && !moved; i++) {
        turn(&r, NULL, 10);
        moved = strcmp(pick_now(&r, u).target, "127.0.0.12:80") == 0;
    }
    assert_true(moved);
    for (int i = 0; i < 4; i++) {
        struct got g = pick_now(&r, u);
        assert_string_not_equal(g.target, "127.0.0.10:80");
        if (strcmp(g.target, "127.0.0.11:80") == 0)
            assert_ptr_equal(g.pool, kept);
    }
    /* No name server: the addresses stay. */
    r.dns.mode = DNS_SILENT;
    turn(&r, NULL, 1050);
    assert_int_equal(pick_now(&r, u).status, 0);
    turn(&r, NULL, 400);
    assert_int_equal(pick_now(&r, u).status, 0);
    /* The name is gone: so are they. */
    r.dns.mode = DNS_NO_SUCH_NAME;
    turn(&r, NULL, 1050);
    pick_now(&r, u);
    turn(&r, NULL, 200);
    assert_int_equal(pick_now(&r, u).status, E_NONE);
    upstream_unref(u);
    rig_close(&r);
}

static void test_no_address(void **state)
{
    (void)state;
    struct rig r;
    struct text why;
    rig_open(&r);
    text_init(&why);
    struct gw_target t = target("gone.test:80", "gone.test", 80, 1),
                     s = target("mute.test:80", "mute.test", 80, 1);
    struct upstream *gone = make(&r, "gone", 1, &t, 1), *mute = make(&r, "mute", 1, &s, 1);
    assert_true(upstreams_ready(r.all, &why));
    r.dns.mode = DNS_NO_SUCH_NAME;
    assert_int_equal(pick(&r, gone).status, E_NONE);
    assert_int_equal(pick_now(&r, gone).status, E_NONE);
    r.dns.mode = DNS_SILENT;
    assert_int_equal(pick(&r, mute).status, E_TIMEOUT);
    assert_int_equal(pick_now(&r, mute).status, E_TIMEOUT); /* not asked again within the second */
    assert_false(upstreams_ready(r.all, &why));
    assert_has(text_str(&why), "[-] upstream gone: 0 of 1 targets usable (no such name)\n");
    assert_has(text_str(&why),
               "[-] upstream mute: 0 of 1 targets usable (no name server answered in time)\n");
    r.dns.mode = DNS_ANSWER;
    r.dns.first = 10;
    r.dns.count = 1;
    turn(&r, NULL, 1050);
    assert_int_equal(pick(&r, gone).status, 0);
    assert_int_equal(pick(&r, mute).status, 0);
    assert_true(upstreams_ready(r.all, NULL));
    text_fini(&why);
    upstream_unref(gone);
    upstream_unref(mute);
    rig_close(&r);
}

static void test_cancel_and_stop(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    r.dns.mode = DNS_SILENT;
    struct gw_target t = target("mute.test:80", "mute.test", 80, 1);
    struct upstream *u = make(&r, "mute", 1, &t, 1);
    struct got a = {0}, b = {0};
    struct upstream_pick *p = upstream_pick(u, r.loop, &r.arena, NULL, on_pick, &a);
    assert_non_null(p);
    upstream_pick_cancel(p);
    assert_non_null(upstream_pick(u, r.loop, &r.arena, NULL, on_pick, &b));
    upstreams_thread_stop(r.all, r.loop);
    assert_int_equal(a.calls, 0);
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.status, E_ABORT);
    assert_int_equal(pick_now(&r, u).status, E_NOMEM);
    upstream_unref(u);
    rig_close(&r);
}

/* The last reference goes while the retirement's message waits, and the thread stops before it
 * reads it. */
static void test_retire_and_stop(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    struct upstream *u = make(&r, "x", 1, &t, 1);
    pick_now(&r, u);
    upstream_unref(u);
    rig_close(&r);
}

static void test_status(void **state)
{
    (void)state;
    struct rig r;
    struct text t;
    rig_open(&r);
    struct gw_target targets[] = {target("127.0.0.1:9", "127.0.0.1", 9, 1),
                                  target("10.0.0.1:9", "10.0.0.1", 9, 2)};
    struct upstream *u = make(&r, "orders", 1, targets, 2),
                    *newer = make(&r, "orders", 2, targets, 2);
    struct got g = pick_now(&r, newer);
    while (strcmp(g.target, "10.0.0.1:9") != 0)
        g = pick_now(&r, newer);
    upstream_verdict(g.addr, true, "");
    upstream_verdict(g.addr, false, "connection reset");
    text_init(&t);
    upstreams_status(r.all, &t);
    assert_str(
        text_str(&t),
        "[{\"id\":\"orders\",\"retries\":0,\"retries_denied\":0,\"pool_full\":0,\"queued\":0,\"targets\":["
        "{\"target\":\"127.0.0.1:9\",\"weight\":1,\"addresses\":1,\"healthy\":true,\"ejected\":0,\"unhealthy\":0,"
        "\"calls\":0,\"failed\":0,\"connects\":0,\"connects_failed\":0,\"reused\":0,\"busy\":0,\"idle\":0,\"ejections\":0},"
        "{\"target\":\"10.0.0.1:9\",\"weight\":2,\"addresses\":1,\"healthy\":true,\"ejected\":0,\"unhealthy\":0,"
        "\"calls\":2,\"failed\":1,\"connects\":0,\"connects_failed\":0,\"reused\":0,\"busy\":0,\"idle\":0,\"ejections\":0}]},"
        "{\"id\":\"orders\",\"draining\":true,\"retries\":0,\"retries_denied\":0,\"pool_full\":0,\"queued\":0,\"targets\":["
        "{\"target\":\"127.0.0.1:9\",\"weight\":1,\"addresses\":1,\"healthy\":true,\"ejected\":0,\"unhealthy\":0,"
        "\"calls\":0,\"failed\":0,\"connects\":0,\"connects_failed\":0,\"reused\":0,\"busy\":0,\"idle\":0,\"ejections\":0},"
        "{\"target\":\"10.0.0.1:9\",\"weight\":2,\"addresses\":1,\"healthy\":true,\"ejected\":0,\"unhealthy\":0,"
        "\"calls\":0,\"failed\":0,\"connects\":0,\"connects_failed\":0,\"reused\":0,\"busy\":0,\"idle\":0,\"ejections\":0}]}]");
    text_fini(&t);
    text_init(&t);
    upstreams_metrics(r.all, &t);
    assert_has(text_str(&t), "# TYPE sallyport_upstream_calls_total counter\n"
                             "sallyport_upstream_calls_total{upstream=\"orders\",target=\"127.0.0."
                             "1:9\",result=\"ok\"} 0\n"
                             "sallyport_upstream_calls_total{upstream=\"orders\",target=\"10.0.0.1:"
                             "9\",result=\"ok\"} 1\n");
    assert_has(text_str(&t), "target=\"10.0.0.1:9\",result=\"failed\"} 1\n");
    assert_has(text_str(&t), "sallyport_upstream_connections{upstream=\"orders\",target=\"10.0.0.1:"
                             "9\",state=\"idle\"} 0\n");
    text_fini(&t);
    upstream_unref(u);
    upstream_unref(newer);
    rig_close(&r);
}

/* Threads pick while the main thread reloads: whoever drops the last reference, it is freed once.
 */
#define THREADS 3
struct worker {
    struct upstreams *all;
    struct loop *loop;
    pthread_t thread;
    _Atomic bool *stop;
    unsigned picks;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct arena arena;
    arena_init(&arena, NULL);
    while (!*w->stop) {
        struct upstream *u = upstream_find(w->all, STR("orders"));
        struct got g = {0};
        if (u) {
            upstream_pick(u, w->loop, &arena, NULL, on_pick, &g);
            w->picks += g.done && g.status == 0;
            upstream_verdict(g.addr, w->picks % 8 != 0, "now and then");
            upstream_ended(g.addr);
            upstream_unref(u);
        }
        ev_run(w->loop->ev, EVRUN_NOWAIT);
    }
    upstreams_thread_stop(w->all, w->loop);
    arena_fini(&arena);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct upstreams *all = upstreams_new(THREADS);
    struct worker w[THREADS];
    _Atomic bool stop = false;
    struct gw_target t = target("127.0.0.1:9", "127.0.0.1", 9, 1);
    struct gw_upstream gu = {.id = STR("orders"), .targets = &t, .target_count = 1};
    struct upstream *last = upstream_get(all, &gu, &defaults);
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){.all = all, .loop = loop_new(i + 1, 16384), .stop = &stop};
        assert_non_null(w[i].loop);
        assert_int_equal(upstreams_thread_start(all, w[i].loop, NULL), 0);
        assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    for (unsigned i = 1; i < 300; i++) {
        gu.hash = i / 2;
        struct upstream *next = upstream_get(all, &gu, &defaults);
        assert_non_null(next);
        upstream_unref(last);
        last = next;
        struct text text;
        text_init(&text);
        upstreams_metrics(all, &text);
        text_fini(&text);
        usleep(200);
    }
    upstream_unref(last);
    stop = true;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(w[i].thread, NULL);
        assert_true(w[i].picks > 0);
        loop_free(w[i].loop);
    }
    upstreams_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_again),
        cmocka_unit_test(test_defaults_count),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_cancel_and_stop),
        cmocka_unit_test(test_retire_and_stop),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
