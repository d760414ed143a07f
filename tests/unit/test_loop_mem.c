/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libev's memory: a loop that grows while malloc fails. The linker sends malloc and realloc here. */
#include "unit.h"

#include <ev.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/loop_mem.h"

void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_realloc(void *, size_t);

static bool starved;

void *__wrap_malloc(size_t n)
{
    return starved ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return starved ? NULL : __real_realloc(p, n);
}

static void fill(char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        p[i] = (char)(i % 251);
}

static bool holds(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != (char)(i % 251))
            return false;
    return true;
}

static void what_is_held_moves_along(void **state)
{
    (void)state;
    loop_mem_init();
    char *p = loop_mem_grow(NULL, 100);
    assert_non_null(p);
    fill(p, 0, 100);
    starved = true;
    p = loop_mem_grow(p, 5000); /* into the spare */
    assert_true(p && holds(p, 100));
    fill(p, 100, 5000);
    p = loop_mem_grow(p, 9000); /* within it */
    assert_true(p && holds(p, 5000));
    starved = false;
    p = loop_mem_grow(p, 4000); /* out of it, and smaller */
    assert_true(p && holds(p, 4000));
    assert_null(loop_mem_grow(p, 0));
}

static void on_read(struct ev_loop *ev, ev_io *io, int revents)
{
    (void)ev, (void)revents;
    ++*(unsigned *)io->data;
}

static void a_loop_takes_higher_descriptors(void **state)
{
    (void)state;
    enum { N = 200, HIGH = 700 };
    static ev_io io[N];
    unsigned seen = 0;
    int fds[2];
    struct loop *l = loop_new(0, 4096);
    assert_non_null(l);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    starved = true;
    for (int i = 0; i < N; i++) {
        int fd = fcntl(fds[0], F_DUPFD, HIGH);
        assert_true(fd >= HIGH);
        ev_io_init(&io[i], on_read, fd, EV_READ);
        io[i].data = &seen;
        ev_io_start(l->ev, &io[i]);
    }
    for (int i = 0; i < 50 && seen < N; i++) /* so many events a turn, and more each time */
        loop_turn(l, true);
    starved = false;
    assert_true(seen >= N);
    for (int i = 0; i < N; i++) {
        ev_io_stop(l->ev, &io[i]);
        close(io[i].fd);
    }
    close(fds[0]);
    close(fds[1]);
    loop_free(l);
}

static void the_spare_has_an_end(void **state)
{
    (void)state;
    unsigned n = 0;
    starved = true;
    while (n < 100 && loop_mem_grow(NULL, 1 << 20))
        n++;
    char *p = loop_mem_grow(NULL, 3 << 20);
    starved = false;
    assert_in_range(n, 1, 4);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_moves_along),
        cmocka_unit_test(a_loop_takes_higher_descriptors),
        cmocka_unit_test(the_spare_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
