/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of how descriptors are shared out: all that is taken together stays within the limit. */
#include "unit.h"

#include <limits.h>

#include "process/files.h"

static void all_shares_fit(void **state)
{
    (void)state;
    for (uint64_t limit = 16; limit < 3000000; limit += limit / 7 + 1) {
        for (unsigned threads = 1; threads < 64; threads += 9) {
            struct files f = files_share(limit, threads, threads * 2);
            assert_in_range(f.connections, 1, limit / 2);
            assert_true(2 * (uint64_t)f.connections + f.rest <= limit);
            assert_true((uint64_t)f.ceiling <= limit);
            /* clients, their backends' and what the process itself holds end below the ceiling */
            assert_true(2 * (uint64_t)f.connections + f.rest / 2 <= (uint64_t)f.ceiling);
            assert_true(limit - (uint64_t)f.ceiling >= f.rest / 2 || limit - (uint64_t)f.ceiling >= 32);
            assert_true(files_needed(&f, f.connections) <= limit);
            assert_true(files_needed(&f, (uint64_t)f.connections + 1) > limit);
        }
    }
}

static void usual_ones(void **state)
{
    (void)state;
    struct files f = files_share(1024, 4, 5);
    assert_int_equal(f.rest, 64 + 16 + 5);
    assert_int_equal(f.connections, (1024 - 85) / 2);
    assert_int_equal(f.ceiling, 1024 - 32);
    assert_int_equal(files_needed(&f, 50000), 100085);
    f = files_share(524288, 2, 3);
    assert_true(f.connections > 50000);
}

static void no_limit(void **state)
{
    (void)state;
    struct files f = files_share(UINT64_MAX, 2, 3);
    assert_int_equal(f.connections, UINT32_MAX);
    assert_int_equal(f.ceiling, INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shares_fit),
        cmocka_unit_test(usual_ones),
        cmocka_unit_test(no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
