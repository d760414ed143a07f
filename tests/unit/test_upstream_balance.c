/* SPDX-License-Identifier: Apache-2.0 */
/* Who is next: shares by weight under every balance, the load of others, a hash that stays where it
 * was when a target goes. */
#include "unit.h"

#include <math.h>

#include "upstream_rig.h"

#define ROUNDS 12000u

static struct gw_upstream by(enum gw_balance_kind kind)
{
    return (struct gw_upstream){.balance = {.kind = (uint8_t)kind, .name = STR("")}};
}

static struct upstream *weighted(struct rig *r, const struct gw_upstream *like)
{
    struct gw_target t[] = {
        target("127.0.0.1:9", "127.0.0.1", 9, 3), target("[::1]:9", "::1", 9, 1),
        target("127.0.0.3:9", "127.0.0.3", 9, 1), target("127.0.0.3:9", "127.0.0.3", 9, 1)};
    return make_like(r, "orders", 1, t, 4, like);
}

static unsigned which(const char *target)
{
    return strcmp(target, "127.0.0.1:9") == 0 ? 0 : strcmp(target, "[::1]:9") == 0 ? 1 : 2;
}

static void near(unsigned n, double share, double off)
{
    double got = (double)n / ROUNDS;
    if (fabs(got - share) > off)
        fail_msg("a share of %.3f, not %.3f", got, share);
}

static void test_round_robin(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct upstream *u = weighted(&r, NULL);
    unsigned n[3] = {0}, row = 0, longest = 0;
    for (unsigned i = 0; i < 60; i++) {
        unsigned w = which(pick_now(&r, u).target);
        n[w]++;
        row = w == 0 ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    assert_int_equal(n[0], 30);
    assert_int_equal(n[1], 10);
    assert_int_equal(n[2], 20); /* twice in the conf */
    assert_true(longest <= 2);
    upstream_unref(u);
    rig_close(&r);
}

/* Nobody is busy: by weight all the same. */
static void test_idle_shares(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const enum gw_balance_kind kinds[] = {BALANCE_LEAST_CONNECTIONS, BALANCE_RANDOM_TWO};
    for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
        struct gw_upstream like = by(kinds[k]);
        struct upstream *u = weighted(&r, &like);
        unsigned n[3] = {0};
        for (unsigned i = 0; i < ROUNDS; i++)
            n[which(pick_now(&r, u).target)]++;
        near(n[0], 0.5, 0.03);
        near(n[1], 1 / 6.0, 0.03);
        near(n[2], 1 / 3.0, 0.03);
        upstream_unref(u);
        turn(&r, NULL, 20);
    }
    rig_close(&r);
}

/* Calls that last: their numbers follow the weights. */
static void test_busy_shares(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream like = by(BALANCE_LEAST_CONNECTIONS);
    struct upstream *u = weighted(&r, &like);
    struct got open[60];
    unsigned n[3] = {0};
    for (unsigned i = 0; i < 60; i++)
        n[which((open[i] = call_like(&r, u, NULL)).target)]++;
    assert_int_equal(n[0], 30);
    assert_int_equal(n[1], 10);
    assert_int_equal(n[2], 20);
    /* The heavy one's end: the next ones go there. */
    for (unsigned i = 0; i < 60; i++)
        if (which(open[i].target) == 0)
            upstream_ended(open[i].addr);
    for (unsigned i = 0; i < 29; i++) {
        struct got g = call_like(&r, u, NULL);
        assert_int_equal(which(g.target), 0);
    }
    upstream_unref(u);
    rig_close(&r);
}

/* Of two that are drawn the one with fewer calls: none falls far behind. */
static void test_random_two_levels(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream like = by(BALANCE_RANDOM_TWO);
    struct gw_target t[10];
    char text[10][16], host[10][16];
    unsigned n[10] = {0};
    for (unsigned i = 0; i < 10; i++) {
        snprintf(host[i], sizeof host[i], "127.0.0.%u", i + 1);
        snprintf(text[i], sizeof text[i], "127.0.0.%u:9", i + 1);
        t[i] = target(text[i], host[i], 9, 1);
    }
    struct upstream *u = make_like(&r, "many", 1, t, 10, &like);
    for (unsigned i = 0; i < 1000; i++) {
        struct got g = call_like(&r, u, NULL);
        unsigned last;
        assert_int_equal(sscanf(g.target, "127.0.0.%u:", &last), 1);
        n[last - 1]++;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(n[i], 90, 110); /* plain chance: a standard deviation of 9.5 */
    upstream_unref(u);
    rig_close(&r);
}

/* The addresses of a name share its weight. */
static void test_names_share(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    r.dns.first = 10;
    r.dns.count = 3;
    struct gw_target t[] = {target("pets.test:80", "pets.test", 80, 3),
                            target("127.0.0.1:9", "127.0.0.1", 9, 1)};
    struct upstream *u = make(&r, "pets", 1, t, 2);
    pick(&r, u);
    for (int i = 0; i < 100 && strncmp(pick_now(&r, u).target, "127.0.0.1:", 10) == 0; i++)
        turn(&r, NULL, 10);
    unsigned n[4] = {0};
    for (unsigned i = 0; i < 40; i++) {
        unsigned last = 0;
        assert_int_equal(sscanf(pick_now(&r, u).target, "127.0.0.%u:", &last), 1);
        n[last == 1 ? 3 : last - 10]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(n[i], 10);
    upstream_unref(u);
    rig_close(&r);
}

/* Which target each key has. */
static void keys_of(struct rig *r, struct upstream *u, char (*out)[16], unsigned keys)
{
    for (unsigned i = 0; i < keys; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "user-%u", i);
        struct upstream_want want = {.key = upstream_hash(str_n(key, (size_t)n))};
        struct got g = call_like(r, u, &want);
        upstream_ended(g.addr);
        snprintf(out[i], sizeof out[i], "%.15s", g.target);
    }
}

#define KEYS 3000u
static char before[KEYS][16], after[KEYS][16];

static void test_hash(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream like = by(BALANCE_HASH);
    struct gw_target t[] = {
        target("127.0.0.1:9", "127.0.0.1", 9, 2), target("127.0.0.2:9", "127.0.0.2", 9, 1),
        target("127.0.0.3:9", "127.0.0.3", 9, 1), target("127.0.0.4:9", "127.0.0.4", 9, 1)};
    struct upstream *u = make_like(&r, "orders", 1, t, 4, &like);
    keys_of(&r, u, before, KEYS);
    keys_of(&r, u, after, KEYS);
    assert_memory_equal(before, after, sizeof before); /* whoever asks, whenever */
    unsigned n[4] = {0}, moved = 0;
    for (unsigned i = 0; i < KEYS; i++)
        n[before[i][8] - '1']++;
    assert_in_range(n[0], KEYS * 34 / 100, KEYS * 46 / 100);
    for (unsigned i = 1; i < 4; i++)
        assert_in_range(n[i], KEYS * 15 / 100, KEYS * 25 / 100);

    /* The last target goes: its keys move, all others stay. */
    struct upstream *fewer = make_like(&r, "orders", 2, t, 3, &like);
    keys_of(&r, fewer, after, KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        if (before[i][8] == '4')
            assert_int_not_equal(after[i][8], '4');
        else
            assert_string_equal(before[i], after[i]);
        moved += strcmp(before[i], after[i]) != 0;
    }
    assert_int_equal(moved, n[3]);
    upstream_unref(fewer);

    /* Out for a time: the same, and its keys are spread over the others. */
    unsigned to[4] = {0};
    calls_fail(&r, u, "127.0.0.2:9", 3);
    keys_of(&r, u, after, KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        if (before[i][8] == '2')
            to[after[i][8] - '1']++;
        else
            assert_string_equal(before[i], after[i]);
    }
    assert_int_equal(to[1], 0);
    assert_true(to[0] && to[2] && to[3]);
    upstream_unref(u);
    rig_close(&r);
}

/* Without a key it goes by turns. */
static void test_hash_without_key(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct gw_upstream like = by(BALANCE_HASH);
    struct upstream *u = weighted(&r, &like);
    unsigned n[3] = {0};
    for (unsigned i = 0; i < 60; i++)
        n[which(pick_now(&r, u).target)]++;
    assert_int_equal(n[0], 30);
    assert_int_equal(n[1], 10);
    assert_int_not_equal(upstream_hash(STR("a")), upstream_hash(STR("b")));
    assert_int_not_equal(upstream_hash(STR("")), 0);
    upstream_unref(u);
    rig_close(&r);
}

/* A further attempt goes elsewhere, under every balance; to nobody when that is what is asked. */
static void test_tried(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    for (unsigned kind = 0; kind <= BALANCE_HASH; kind++) {
        struct gw_upstream like = by((enum gw_balance_kind)kind);
        struct upstream *u = weighted(&r, &like);
        for (unsigned i = 0; i < 50; i++) {
            struct upstream_want want = {.key = 1 + i * UINT64_C(0x9e3779b97f4a7c15)};
            struct got g[3];
            for (unsigned k = 0; k < 3; k++) {
                assert_true(k == 0 || upstream_has_other(g[0].addr, &want));
                g[k] = call_like(&r, u, &want);
                upstream_tried(&want, g[k].addr);
                upstream_ended(g[k].addr);
            }
            assert_true(g[0].addr != g[1].addr && g[1].addr != g[2].addr && g[0].addr != g[2].addr);
            assert_int_equal(call_like(&r, u, &want).status, 0); /* all again */
            assert_false(upstream_has_other(g[0].addr, &want));
            want.other = true;
            assert_int_equal(call_like(&r, u, &want).status, E_NONE);
        }
        upstream_unref(u);
        turn(&r, NULL, 20);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_robin),      cmocka_unit_test(test_idle_shares),
        cmocka_unit_test(test_busy_shares),      cmocka_unit_test(test_random_two_levels),
        cmocka_unit_test(test_names_share),      cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_without_key), cmocka_unit_test(test_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
