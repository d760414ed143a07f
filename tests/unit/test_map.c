/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the hash map, of SipHash, and of the intrusive list. */
#include "unit.h"

#include "base/list.h"
#include "base/map.h"

static void siphash_vectors(void **state)
{
    (void)state;
    /* Key 00 01 .. 0f, input 00 01 .. (n-1), SipHash-1-3: as Python's and Rust's hashers compute
     * it. */
    const uint64_t k0 = UINT64_C(0x0706050403020100), k1 = UINT64_C(0x0f0e0d0c0b0a0908);
    char in[16];
    for (int i = 0; i < 16; i++)
        in[i] = (char)i;
    assert_true(map_siphash(k0, k1, str_n(in, 0), false) == UINT64_C(0xabac0158050fc4dc));
    assert_true(map_siphash(k0, k1, str_n(in, 1), false) == UINT64_C(0xc9f49bf37d57ca93));
    assert_true(map_siphash(k0, k1, str_n(in, 8), false) !=
                map_siphash(k0, k1, str_n(in, 9), false));
    assert_true(map_siphash(1, 2, STR("x"), false) != map_siphash(1, 3, STR("x"), false));
}

static void folding(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) { /* in the whole words and in the rest */
        char a[11], b[11];
        memset(a, c, sizeof a);
        memset(b, (unsigned char)chr_lower((char)c), sizeof b);
        assert_true(map_ihash(str_n(a, 11)) == map_hash(str_n(b, 11)));
    }
    assert_true(map_ihash(STR("Content-Length")) == map_ihash(STR("content-LENGTH")));
    assert_true(map_hash(STR("A")) != map_hash(STR("a")));
}

static void put_get_delete(void **state)
{
    (void)state;
    struct map m;
    int v[3];
    void *old = &m;
    map_init(&m, false);
    assert_null(map_get(&m, STR("a")));
    assert_null(map_del(&m, STR("a")));
    assert_false(map_has(&m, STR_NONE));
    assert_int_equal(map_put(&m, STR("a"), &v[0], &old), 0);
    assert_null(old);
    assert_int_equal(map_put(&m, STR("a"), &v[1], &old), 0);
    assert_ptr_equal(old, &v[0]);
    assert_int_equal(m.count, 1);
    assert_int_equal(map_put(&m, STR_NONE, &v[2], NULL), 0); /* the empty key is a key */
    assert_ptr_equal(map_get(&m, STR("")), &v[2]);
    assert_int_equal(map_put(&m, str_n("a\0b", 3), NULL, NULL), 0);
    assert_true(map_has(&m, str_n("a\0b", 3))); /* a NULL value is a value */
    assert_false(map_has(&m, STR("a\0c")));
    assert_ptr_equal(map_del(&m, STR("a")), &v[1]);
    assert_false(map_has(&m, STR("a")));
    assert_int_equal(m.count, 2);
    map_fini(&m);
    assert_int_equal(m.count, 0);
    assert_null(map_get(&m, STR("")));
}

static void many_keys(void **state)
{
    (void)state;
    struct map m;
    char key[32];
    enum { N = 20000 };
    map_init(&m, true);
    for (uintptr_t i = 0; i < N; i++) {
        int n = snprintf(key, sizeof key, "key-%zu", (size_t)i);
        assert_int_equal(map_put(&m, str_n(key, (size_t)n), (void *)(i + 1), NULL), 0);
    }
    assert_int_equal(m.count, N);
    for (uintptr_t i = 0; i < N; i += 2) {
        int n = snprintf(key, sizeof key, "key-%zu", (size_t)i);
        assert_ptr_equal(map_del(&m, str_n(key, (size_t)n)), (void *)(i + 1));
    }
    for (uintptr_t i = 0; i < N; i++) {
        int n = snprintf(key, sizeof key, "key-%zu", (size_t)i);
        assert_ptr_equal(map_get(&m, str_n(key, (size_t)n)), i % 2 ? (void *)(i + 1) : NULL);
    }
    uint64_t sum = 0, count = 0;
    str k;
    void *v;
    for (uint32_t i = 0; map_next(&m, &i, &k, &v); count++)
        sum += (uintptr_t)v;
    assert_int_equal(count, N / 2);
    assert_true(sum == (uint64_t)N * N / 4 + N / 2);
    /* Deleting and putting for ever does not grow the table. */
    uint32_t cap = m.cap;
    for (uintptr_t i = 0; i < 200000; i++) {
        int n = snprintf(key, sizeof key, "churn-%zu", (size_t)(i % 64));
        assert_int_equal(map_put(&m, str_n(key, (size_t)n), &m, NULL), 0);
        assert_non_null(map_del(&m, str_n(key, (size_t)n)));
    }
    assert_true(m.cap <= cap * 2);
    map_fini(&m);
}

static void keys_are_copied(void **state)
{
    (void)state;
    struct map m;
    char key[] = "abc";
    map_init(&m, true);
    assert_int_equal(map_put(&m, str_z(key), &m, NULL), 0);
    key[0] = 'x';
    assert_true(map_has(&m, STR("abc")));
    assert_false(map_has(&m, STR("xbc")));
    map_fini(&m);
}

struct item {
    int v;
    struct list link;
};

static void lists(void **state)
{
    (void)state;
    struct list head;
    struct item item[5];
    int want = 0;
    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 0; i < 5; i++) {
        item[i].v = i;
        list_push(&head, &item[i].link);
    }
    LIST_EACH(&head, it) assert_int_equal(LIST_ITEM(it, struct item, link)->v, want++);
    assert_int_equal(want, 5);
    LIST_EACH_SAFE(&head, it)
    {
        if (LIST_ITEM(it, struct item, link)->v % 2)
            list_del(it);
    }
    want = 0;
    LIST_EACH(&head, it)
    {
        assert_int_equal(LIST_ITEM(it, struct item, link)->v, want);
        want += 2;
    }
    assert_int_equal(want, 6);
    list_del(&item[1].link); /* again: no harm */
    assert_true(list_empty(&item[1].link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_vectors), cmocka_unit_test(folding),
        cmocka_unit_test(put_get_delete),  cmocka_unit_test(many_keys),
        cmocka_unit_test(keys_are_copied), cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
