/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of reference-counted blocks and queues of slices, across threads too. */
#include "unit.h"

#include <pthread.h>
#include <sys/uio.h>

#include "base/buf.h"

static void cache_keeps_standard_blocks(void **state)
{
    (void)state;
    struct buf_cache c;
    buf_cache_init(&c, 1024, 2);
    buf_cache_adopt(&c);
    buf_cache_adopt(&c); /* again on the same thread: no harm */
    struct buf *b[3];
    for (int i = 0; i < 3; i++) {
        b[i] = buf_get(&c, 0);
        assert_non_null(b[i]);
        assert_int_equal(b[i]->cap, 1024);
        assert_int_equal(b[i]->len, 0);
    }
    for (int i = 0; i < 3; i++)
        buf_unref(b[i]);
    assert_int_equal(c.count, 2);
    struct buf *again = buf_get(&c, 1000);
    assert_true(again == b[0] || again == b[1]);
    assert_int_equal(c.count, 1);
    again->len = 10;
    buf_ref(again);
    buf_unref(again);
    assert_int_equal(c.count, 1); /* still held */
    buf_unref(again);
    assert_int_equal(c.count, 2);
    again = buf_get(&c, 0);
    assert_int_equal(again->len, 0);
    struct buf *small = buf_get(&c, 10), *big = buf_get(&c, 5000);
    assert_int_equal(small->cap, 10);
    assert_int_equal(big->cap, 5000);
    buf_unref(small);
    buf_unref(big);
    buf_unref(NULL);
    assert_int_equal(c.count, 1);
    buf_cache_fini(&c);
    buf_unref(again); /* outlives its cache: goes to free() */
    assert_null(c.free);
    assert_int_equal(c.count, 0);
    struct buf *plain = buf_get(NULL, 0);
    assert_int_equal(plain->cap, 16384);
    buf_unref(plain);
}

static unsigned released;

static void release(void *arg, struct buf *b)
{
    assert_ptr_equal(arg, &released);
    assert_int_equal(b->len, 5);
    released++;
}

static void foreign_memory(void **state)
{
    (void)state;
    char data[] = "hello";
    struct bufq q;
    released = 0;
    struct buf *b = buf_wrap(data, 5, release, &released);
    assert_non_null(b);
    bufq_init(&q);
    assert_int_equal(bufq_push_ref(&q, (struct slice){b, data, 5}), 0);
    buf_unref(b);
    assert_int_equal(released, 0);
    assert_int_equal(bufq_copy(&q, NULL, STR("x")), 0); /* never written into foreign memory */
    assert_int_equal(q.count, 2);
    bufq_drain(&q, 5);
    assert_int_equal(released, 1);
    bufq_clear(&q);
    b = buf_wrap(data, 5, NULL, NULL);
    buf_unref(b);
}

static void check_bytes(const struct bufq *q, const char *want)
{
    char got[256];
    size_t n = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct slice *s = bufq_at(q, i);
        assert_true(n + s->n <= sizeof got);
        memcpy(got + n, s->p, s->n);
        n += s->n;
    }
    assert_int_equal(n, q->bytes);
    assert_str(str_n(got, n), want);
    assert_null(bufq_at(q, q->count));
}

static struct slice constant(const char *z)
{
    return (struct slice){NULL, z, (uint32_t)strlen(z)};
}

static void queue_order(void **state)
{
    (void)state;
    struct bufq q, other;
    struct slice s;
    char digits[] = "0123456789";
    bufq_init(&q);
    bufq_init(&other);
    assert_false(bufq_peek(&q, &s));
    assert_false(bufq_pop(&q, &s));
    for (int round = 0; round < 3; round++) { /* the ring wraps */
        for (int i = 0; i < 10; i++) {
            assert_int_equal(bufq_push(&q, (struct slice){NULL, digits + i, 1}), 0);
        }
        check_bytes(&q, "0123456789");
        bufq_drain(&q, 3);
        check_bytes(&q, "3456789");
        assert_true(bufq_peek(&q, &s));
        assert_int_equal(*s.p, '3');
        for (int i = 3; i < 10; i++) {
            assert_true(bufq_pop(&q, &s));
            assert_int_equal(*s.p, digits[i]);
        }
        assert_int_equal(q.bytes, 0);
    }
    assert_int_equal(bufq_push(&q, constant("ab")), 0);
    assert_int_equal(bufq_push(&q, constant("")), 0); /* dropped */
    assert_int_equal(bufq_push(&other, constant("cd")), 0);
    assert_int_equal(bufq_push(&other, constant("ef")), 0);
    assert_int_equal(bufq_move(&q, &other), 0);
    assert_int_equal(other.count, 0);
    check_bytes(&q, "abcdef");
    assert_int_equal(q.count, 3);
    bufq_drain(&q, 3);
    check_bytes(&q, "def");
    bufq_drain(&q, 0);
    bufq_clear(&q);
    bufq_clear(&other);
    check_bytes(&q, "");
}

static void iovecs(void **state)
{
    (void)state;
    struct bufq q;
    struct iovec v[3];
    bufq_init(&q);
    assert_int_equal(bufq_iov(&q, v, 3), 0);
    const char *parts[] = {"a", "bc", "def", "gh", "i"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(bufq_push(&q, constant(parts[i])), 0);
    bufq_drain(&q, 2);
    assert_int_equal(bufq_iov(&q, v, 3), 3);
    assert_str(str_n(v[0].iov_base, v[0].iov_len), "c");
    assert_str(str_n(v[1].iov_base, v[1].iov_len), "def");
    assert_str(str_n(v[2].iov_base, v[2].iov_len), "gh");
    bufq_clear(&q);
}

static void copy_fills_blocks(void **state)
{
    (void)state;
    struct buf_cache c;
    struct bufq q;
    buf_cache_init(&c, 16, 4);
    buf_cache_adopt(&c);
    bufq_init(&q);
    assert_int_equal(bufq_copy(&q, &c, STR_NONE), 0);
    assert_int_equal(bufq_copy(&q, &c, STR("0123456789")), 0);
    assert_int_equal(q.count, 1);
    assert_int_equal(bufq_copy(&q, &c, STR("abcdefghij")),
                     0); /* 6 into the first block, 4 into a second */
    assert_int_equal(q.count, 2);
    check_bytes(&q, "0123456789abcdefghij");
    assert_int_equal(bufq_copy(&q, &c, STR("0123456789012345678901234567890123456789")), 0);
    assert_int_equal(q.count, 4);
    check_bytes(&q, "0123456789abcdefghij0123456789012345678901234567890123456789");
    bufq_clear(&q);

    assert_int_equal(bufq_copy(&q, &c, STR("shared")), 0);
    struct buf *b = bufq_at(&q, 0)->b;
    buf_ref(b); /* somebody else looks at the block: it stays as it is */
    assert_int_equal(bufq_copy(&q, &c, STR("more")), 0);
    assert_int_equal(q.count, 2);
    assert_int_equal(b->len, 6);
    check_bytes(&q, "sharedmore");
    buf_unref(b);
    bufq_clear(&q);
    buf_cache_fini(&c);
}

/* Blocks that a foreign thread drops must not touch the owner's list. */
static void *drop_all(void *arg)
{
    struct bufq *q = arg;
    bufq_clear(q);
    return NULL;
}

static void foreign_threads(void **state)
{
    (void)state;
    struct buf_cache c;
    struct bufq q[2];
    pthread_t t[2];
    buf_cache_init(&c, 64, 1000);
    buf_cache_adopt(&c);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2; i++)
            bufq_init(&q[i]);
        for (int i = 0; i < 20; i++) {
            struct buf *b = buf_get(&c, 0);
            assert_non_null(b);
            struct slice s = {b, b->data, 64};
            assert_int_equal(bufq_push_ref(&q[0], s), 0);
            assert_int_equal(bufq_push_ref(&q[1], s), 0);
            buf_unref(b);
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&t[i], NULL, drop_all, &q[i]), 0);
        for (int i = 0; i < 10; i++)
            buf_unref(buf_get(&c, 0)); /* the owner goes on meanwhile */
        for (int i = 0; i < 2; i++)
            pthread_join(t[i], NULL);
        assert_int_equal(c.count, 1);
    }
    buf_cache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_keeps_standard_blocks),
        cmocka_unit_test(foreign_memory),
        cmocka_unit_test(queue_order),
        cmocka_unit_test(iovecs),
        cmocka_unit_test(copy_fills_blocks),
        cmocka_unit_test(foreign_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
