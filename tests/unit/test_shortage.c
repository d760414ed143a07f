/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of shortages: counted each time, told once a minute with the times between. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/shortage.h"

/* What goes to stderr while the log has not been started. */
static int caught = -1, stderr_was = -1;

static int catch_stderr(void **state)
{
    char path[] = "/tmp/sallyport-shortage-XXXXXX";
    (void)state;
    caught = mkstemp(path);
    stderr_was = dup(2);
    return caught < 0 || stderr_was < 0 || unlink(path) != 0 || dup2(caught, 2) < 0;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(stderr_was, 2);
    close(stderr_was);
    return close(caught);
}

static unsigned lines(const char *words)
{
    char text[8192];
    ssize_t n = pread(caught, text, sizeof text - 1, 0);
    unsigned found = 0;
    text[n < 0 ? 0 : n] = '\0';
    for (const char *p = text; (p = strstr(p, words)) != NULL; p++)
        found++;
    return found;
}

static void one_line_a_minute(void **state)
{
    (void)state;
    for (uint64_t t = 0; t < 60000; t += 1000)
        shortage_note(SHORT_PORTS, SHORT_AT_CONNECT, t);
    assert_int_equal(shortage_count(SHORT_PORTS, SHORT_AT_CONNECT), 60);
    assert_int_equal(lines("backends cannot be connected to: no local port is left"), 1);
    shortage_note(SHORT_PORTS, SHORT_AT_CONNECT, 60000);
    assert_int_equal(lines("no local port is left"), 2);
    assert_int_equal(lines("; 60 times since this was last told"), 1);
    shortage_note(SHORT_PORTS, SHORT_AT_CONNECT, 500000);
    assert_int_equal(lines("no local port is left"), 3);
    assert_int_equal(lines("times since"), 1); /* only itself */
}

static void each_place_tells_for_itself(void **state)
{
    (void)state;
    shortage_note(SHORT_MEMORY, SHORT_AT_ACCEPT, 5);
    shortage_note(SHORT_MEMORY, SHORT_AT_REQUEST, 6);
    assert_int_equal(lines("connections cannot be accepted: limits.memory is reached"), 1);
    assert_int_equal(lines("requests are refused: limits.memory is reached"), 1);
    assert_int_equal(shortage_count(SHORT_MEMORY, SHORT_AT_ACCEPT), 1);
    assert_int_equal(shortage_count(SHORT_MEMORY, SHORT_AT_CONNECT), 0);
}

static void errno_says_what_is_short(void **state)
{
    (void)state;
    static const struct {
        int err;
        enum shortage what;
    } rows[] = {{EMFILE, SHORT_DESCRIPTORS}, {ENFILE, SHORT_DESCRIPTORS}, {ENOBUFS, SHORT_KERNEL},
                {ENOMEM, SHORT_KERNEL},      {EADDRNOTAVAIL, SHORT_PORTS}};
    enum shortage what;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(shortage_of(rows[i].err, &what));
        assert_int_equal(what, rows[i].what);
    }
    assert_false(shortage_of(ECONNREFUSED, &what));
    assert_false(shortage_of(0, &what));
    for (unsigned i = 0; i < SHORTAGES; i++)
        assert_non_null(shortage_names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line_a_minute, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(each_place_tells_for_itself, catch_stderr, release_stderr),
        cmocka_unit_test(errno_says_what_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
