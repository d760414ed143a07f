/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the service manager: kinds of sockets, exact texts, a manager that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/notify.h"

struct manager {
    int fd;
    char path[108];
};

static void manager_open(struct manager *m, bool abstract)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/sp-notify-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(m->path, sizeof m->path, "%s%s/socket", abstract ? "@" : "", dir);
    size_t n = strlen(m->path);
    memcpy(a.sun_path, m->path, n);
    if (abstract)
        a.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(m->fd >= 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&a, len), 0);
    if (abstract)
        assert_int_equal(rmdir(dir), 0);
    setenv("NOTIFY_SOCKET", m->path, 1);
}

static void manager_close(struct manager *m)
{
    close(m->fd);
    if (m->path[0] != '/')
        return;
    unlink(m->path);
    *strrchr(m->path, '/') = '\0';
    assert_int_equal(rmdir(m->path), 0);
}

static const char *heard(struct manager *m, char *out, size_t cap)
{
    ssize_t n = recv(m->fd, out, cap - 1, MSG_DONTWAIT);
    out[n > 0 ? n : 0] = '\0';
    return out;
}

static void nobody_listens(void **state)
{
    struct notify n;
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_init(&n), E_NONE);
    assert_int_equal(notify_ready(&n, "x"), E_NONE);
    notify_fini(&n);
}

static void refuses_other_kinds(void **state)
{
    static const char *const kinds[] = {"vsock:2:1234", "relative/path", "/", "@"};
    struct notify n;
    char longer[200];
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        setenv("NOTIFY_SOCKET", kinds[i], 1);
        assert_int_equal(notify_init(&n), E_ARG);
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_int_equal(notify_ready(&n, "x"), E_NONE);
    }
    memset(longer, 'a', sizeof longer);
    longer[0] = '/', longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_int_equal(notify_init(&n), E_ARG);
}

static void talks(bool abstract)
{
    struct manager m;
    struct notify n;
    char got[512], want[512];
    unsigned long long usec;
    manager_open(&m, abstract);
    assert_int_equal(notify_init(&n), 0);
    assert_null(getenv("NOTIFY_SOCKET")); /* no child may talk to the manager */
    assert_int_equal(notify_ready(&n, "serving"), 0);
    snprintf(want, sizeof want, "READY=1\nSTATUS=serving\nMAINPID=%ld", (long)getpid());
    assert_string_equal(heard(&m, got, sizeof got), want);
    assert_int_equal(notify_reloading(&n), 0);
    assert_int_equal(sscanf(heard(&m, got, sizeof got),
                            "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", &usec),
                     1);
    assert_true(usec > 0);
    assert_int_equal(notify_stopping(&n, "draining"), 0);
    assert_string_equal(heard(&m, got, sizeof got), "STOPPING=1\nSTATUS=draining");
    assert_int_equal(notify_send(&n, "STATUS=%d", 7), 0);
    assert_string_equal(heard(&m, got, sizeof got), "STATUS=7");
    notify_fini(&n);
    assert_int_equal(notify_send(&n, "STATUS=%d", 7), E_NONE);
    manager_close(&m);
}

static void talks_to_a_path(void **state)
{
    (void)state;
    talks(false);
}

static void talks_to_an_abstract_name(void **state)
{
    (void)state;
    talks(true);
}

static void cuts_long_messages(void **state)
{
    struct manager m;
    struct notify n;
    char text[4000], got[5000];
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    manager_open(&m, false);
    assert_int_equal(notify_init(&n), 0);
    assert_int_equal(notify_send(&n, "STATUS=%s", text), 0);
    assert_int_equal(strlen(heard(&m, got, sizeof got)), 2047);
    notify_fini(&n);
    manager_close(&m);
}

static void survives_a_manager_that_is_gone_or_deaf(void **state)
{
    struct manager m;
    struct notify n;
    int rc = 0, sent = 0;
    (void)state;
    manager_open(&m, false);
    assert_int_equal(notify_init(&n), 0);
    while (rc == 0 &&
           sent < 100000) { /* its queue fills: at most a second of waiting, then an error */
        rc = notify_send(&n, "STATUS=%d", sent);
        sent++;
    }
    assert_int_equal(rc, E_IO);
    manager_close(&m);
    assert_int_equal(notify_send(&n, "STATUS=x"), E_IO);
    notify_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(refuses_other_kinds),
        cmocka_unit_test(talks_to_a_path),
        cmocka_unit_test(talks_to_an_abstract_name),
        cmocka_unit_test(cuts_long_messages),
        cmocka_unit_test(survives_a_manager_that_is_gone_or_deaf),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
