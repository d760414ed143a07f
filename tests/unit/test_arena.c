/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the bump allocator and of its block cache. */
#include "unit.h"

#include "base/arena.h"

static void alignment_and_contents(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    unsigned char *seen[200];
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        seen[i] = arena_alloc(&a, i);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % 16, 0);
        memset(seen[i], (int)i, i);
        char *text = arena_bytes(&a, 3);
        assert_non_null(text);
        memset(text, 0xee, 3);
    }
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        for (unsigned k = 0; k < i; k++)
            assert_int_equal(seen[i][k], i);
    }
    unsigned char *zero = arena_zalloc(&a, 5000);
    assert_non_null(zero);
    for (unsigned k = 0; k < 5000; k++)
        assert_int_equal(zero[k], 0);
    assert_non_null(arena_alloc(&a, 0));
    arena_fini(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 10)); /* usable again */
    arena_fini(&a);
}

static void large_blocks_leave_the_current_one(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    char *first = arena_alloc(&a, 16);
    char *large = arena_alloc(&a, 900000);
    char *second = arena_alloc(&a, 16);
    assert_non_null(large);
    memset(large, 1, 900000);
    assert_ptr_equal(second, first + 16);
    arena_fini(&a);
    large = arena_alloc(&a, 900000); /* the first allocation may be a large one */
    assert_non_null(large);
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_bytes(&a, SIZE_MAX - 8));
    arena_fini(&a);
}

static void much_stands_in_huge_blocks(void **state)
{
    (void)state;
    static const size_t sizes[] = {3 << 20, 100, 1 << 20, 5000, 700000, 1400000, 16, (2 << 20) - 16, (2 << 20) - 15, 200000};
    unsigned char *seen[64];
    struct arena a;
    arena_init(&a, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        size_t n = sizes[i % ARRAY_LEN(sizes)];
        seen[i] = arena_alloc(&a, n);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % 16, 0);
        memset(seen[i], (int)i + 1, n);
    }
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++)
        for (size_t k = 0; k < sizes[i % ARRAY_LEN(sizes)]; k += 61)
            assert_int_equal(seen[i][k], i + 1);
    assert_int_equal(a.used % (2 << 20), 0);
    size_t before = a.used;
    for (unsigned i = 0; i < 60; i++) /* what is left of a block is used */
        assert_non_null(arena_alloc(&a, 1000));
    assert_true(a.used <= before + (2 << 20));
    assert_null(arena_alloc(&a, SIZE_MAX / 2));
    arena_fini(&a);
}

static void lines_begin_where_cache_lines_do(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    unsigned char *seen[400];
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        size_t n = i % 100 == 7 ? 20000 + i : i; /* blocks end, and some are too large for one */
        assert_non_null(arena_bytes(&a, i % 61));
        seen[i] = arena_lines(&a, n);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % CACHE_LINE, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(seen[i][k], 0);
        memset(seen[i], (int)(i % 251) + 1, n);
    }
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++)
        for (unsigned k = 0; k < i; k++)
            assert_int_equal(seen[i][k], i % 251 + 1);
    assert_null(arena_lines(&a, SIZE_MAX));
    assert_null(arena_lines(&a, SIZE_MAX - CACHE_LINE + 1));
    arena_fini(&a);
    arena_init(&a, NULL);
    a.limit = 4096;
    assert_non_null(arena_lines(&a, 64));
    assert_null(arena_lines(&a, 8192));
    arena_fini(&a);
}

static void cache_recycles(void **state)
{
    (void)state;
    struct arena_cache c;
    struct arena a, b;
    arena_cache_init(&c, 4096, 2);
    arena_init(&a, &c);
    char *p = arena_alloc(&a, 100);
    assert_non_null(p);
    arena_fini(&a);
    assert_int_equal(c.count, 1);
    arena_init(&b, &c);
    assert_ptr_equal(arena_alloc(&b, 100), p); /* the same block */
    assert_int_equal(c.count, 0);
    for (int i = 0; i < 5 * 4096 / 512; i++)
        assert_non_null(arena_alloc(&b, 512));
    assert_non_null(arena_alloc(&b, 100000)); /* not standard: never cached */
    assert_true(b.used > 5 * 4096);
    arena_fini(&b);
    assert_int_equal(c.count, 2); /* max */
    arena_cache_fini(&c);
    assert_int_equal(c.count, 0);
    assert_null(c.free);
}

static void limit_is_kept(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    a.limit = 20000;
    size_t got = 0;
    while (arena_alloc(&a, 256))
        got += 256;
    assert_true(got > 10000);
    assert_true(a.used <= 20000);
    assert_null(arena_alloc(&a, 30000));
    assert_null(arena_str(&a, str_n((char[8000]){0}, 8000)).p);
    arena_fini(&a);
}

static void strings(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    str s = arena_str(&a, STR("abc"));
    assert_str(s, "abc");
    assert_int_equal(s.p[3], 0);
    s = arena_str(&a, STR_NONE);
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.p[0], 0);
    str parts[] = {STR("a"), STR_NONE, STR("bc"), STR("")};
    s = arena_cat(&a, 4, parts);
    assert_str(s, "abc");
    assert_int_equal(s.p[3], 0);
    s = arena_cat(&a, 0, NULL);
    assert_non_null(s.p);
    assert_str(s, "");
    assert_string_equal(arena_strz(&a, STR("xyz")), "xyz");
    assert_string_equal(arena_strz(&a, STR_NONE), "");
    assert_str(arena_printf(&a, "%d-%s", 42, "x"), "42-x");
    for (int n = 254; n < 259; n++) { /* around the room on the stack */
        s = arena_printf(&a, "%*s", n, "e");
        assert_int_equal(s.n, n);
        assert_int_equal(s.p[n - 1], 'e');
        assert_int_equal(s.p[n], 0);
    }
    arena_fini(&a);
}

static unsigned order[4], order_count;

static void note(void *arg)
{
    order[order_count++] = *(unsigned *)arg;
}

static void cleanups_run_newest_first(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL);
    unsigned v[] = {1, 2, 3};
    order_count = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(arena_cleanup(&a, note, &v[i]), 0);
    arena_fini(&a);
    assert_int_equal(order_count, 3);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[2], 1);
    arena_fini(&a);
    assert_int_equal(order_count, 3); /* once */
    a.limit = 1;
    assert_int_equal(arena_cleanup(&a, note, &v[0]), E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_and_contents),
        cmocka_unit_test(large_blocks_leave_the_current_one),
        cmocka_unit_test(much_stands_in_huge_blocks),
        cmocka_unit_test(lines_begin_where_cache_lines_do),
        cmocka_unit_test(cache_recycles),
        cmocka_unit_test(limit_is_kept),
        cmocka_unit_test(strings),
        cmocka_unit_test(cleanups_run_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
