/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what traffic's memory is counted by: blocks of buffers and arenas, kept ones, the bound. */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

static void blocks_count_until_they_are_freed(void **state)
{
    (void)state;
    struct buf_cache c;
    size_t before = mem_held();
    buf_cache_init(&c, 4096, 1);
    buf_cache_adopt(&c);
    struct buf *a = buf_get(&c, 0), *b = buf_get(&c, 0), *odd = buf_get(NULL, 100);
    size_t block = sizeof *a + 4096;
    assert_int_equal(mem_held() - before, 2 * block + sizeof *odd + 100);
    buf_unref(odd);
    buf_unref(a); /* kept */
    buf_unref(b); /* one too many */
    assert_int_equal(mem_held() - before, block);
    buf_cache_trim(&c);
    assert_int_equal(mem_held(), before);
    assert_int_equal(c.count, 0);
    buf_cache_fini(&c);
}

static void foreign_memory_does_not_count(void **state)
{
    (void)state;
    static char text[] = "foreign";
    size_t before = mem_held();
    struct buf *b = buf_wrap(text, sizeof text, NULL, NULL);
    assert_non_null(b);
    assert_int_equal(mem_held(), before);
    buf_unref(b);
    assert_int_equal(mem_held(), before);
}

static void arenas_of_traffic_count(void **state)
{
    (void)state;
    struct arena_cache c;
    struct arena a, other;
    size_t before = mem_held();
    arena_cache_init(&c, 1024, 4);
    arena_init(&a, &c);
    arena_init(&other, NULL);
    assert_non_null(arena_alloc(&other, 100)); /* nobody's traffic */
    assert_int_equal(mem_held(), before);
    assert_non_null(arena_alloc(&a, 100));
    assert_non_null(arena_alloc(&a, 5000)); /* a block of its own */
    assert_true(mem_held() - before >= 1024 + 5000);
    arena_fini(&a);
    assert_int_equal(mem_held() - before, 1024); /* kept */
    arena_cache_trim(&c);
    assert_int_equal(mem_held(), before);
    arena_fini(&other);
    arena_cache_fini(&c);
}

static void past_the_bound_nothing_is_kept(void **state)
{
    (void)state;
    struct buf_cache c;
    struct arena_cache ac;
    struct arena a;
    size_t before = mem_held();
    buf_cache_init(&c, 4096, 8);
    buf_cache_adopt(&c);
    arena_cache_init(&ac, 1024, 8);
    arena_init(&a, &ac);
    assert_non_null(arena_alloc(&a, 100));
    struct buf *one = buf_get(&c, 0), *two = buf_get(&c, 0);
    assert_false(mem_over()); /* no bound */
    mem_bound(before + 6000);
    assert_true(mem_over());
    arena_fini(&a);
    buf_unref(one);
    assert_int_equal(c.count + ac.count, 0);
    assert_false(mem_over());
    buf_unref(two); /* under it again */
    assert_int_equal(c.count, 1);
    mem_bound(0);
    buf_cache_fini(&c);
    arena_cache_fini(&ac);
    assert_int_equal(mem_held(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_count_until_they_are_freed),
        cmocka_unit_test(foreign_memory_does_not_count),
        cmocka_unit_test(arenas_of_traffic_count),
        cmocka_unit_test(past_the_bound_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
