/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, connecting, accepting, pausing, unix sockets, passing descriptors. */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/sock.h"
#include "unit.h"

static int got_fd[16];
static unsigned got;

static void on_accept(struct listener *l, int fd, const struct addr *peer)
{
    int on = 0;
    socklen_t n = sizeof on;
    (void)l;
    assert_int_equal(peer->u.sa.sa_family, AF_INET);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_int_not_equal(on, 0);
    got_fd[got++] = fd;
}

static void turn(struct loop *l)
{
    for (int i = 0; i < 5; i++) {
        loop_turn(l, false);
        usleep(1000);
    }
}

static int listen_any(struct addr *a)
{
    const char *why;
    assert_int_equal(addr_parse(a, STR("127.0.0.1:0"), &why), 0);
    int lfd = sock_listen(a, false, 16);
    assert_true(lfd >= 0);
    assert_int_equal(sock_local(lfd, a), 0);
    return lfd;
}

static void test_accept(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct listener ls;
    struct addr a, peer;
    bool done;
    int lfd = listen_any(&a), c[3];
    (void)state;
    got = 0;
    listener_start(&ls, l, lfd, on_accept, NULL);
    for (int i = 0; i < 3; i++) c[i] = sock_connect(&a, &done);
    turn(l);
    assert_int_equal(got, 3);
    assert_int_equal(ls.accepted, 3);
    assert_int_equal(sock_error(c[0]), 0);
    assert_int_equal(sock_peer(c[0], &peer), 0);
    assert_true(addr_equal(&peer, &a));
    listener_pause(&ls, true);
    int late = sock_connect(&a, &done);
    turn(l);
    assert_int_equal(got, 3);
    listener_pause(&ls, false);
    turn(l);
    assert_int_equal(got, 4);
    listener_stop(&ls);
    close(late);
    for (int i = 0; i < 3; i++) close(c[i]);
    for (unsigned i = 0; i < got; i++) close(got_fd[i]);
    close(lfd);
    loop_free(l);
}

static unsigned scarce;

static void on_scarce(struct listener *l)
{
    (void)l;
    scarce++;
}

/* Descriptors run out: the listener rests, and comes back by itself. */
static void test_shortage(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct listener ls;
    struct addr a;
    struct rlimit old, low;
    bool done;
    int lfd = listen_any(&a), c, top;
    (void)state;
    got = 0;
    listener_start(&ls, l, lfd, on_accept, NULL);
    ls.scarce = on_scarce;
    scarce = 0;
    loop_turn(l, false);
    c = sock_connect(&a, &done);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    top = dup(c);
    close(top);
    low = old;
    low.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    turn(l);
    assert_int_equal(got, 0);
    assert_int_equal(ls.failed, 1);
    assert_int_equal(scarce, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < 100 && !got; i++) turn(l);
    assert_int_equal(got, 1);
    listener_stop(&ls);
    close(got_fd[0]), close(c), close(lfd);
    loop_free(l);
}

/* What connects stays below the ceiling, and leaks nothing there. */
static void test_ceiling(void **state)
{
    struct addr a;
    bool done;
    int lfd = listen_any(&a), c = sock_connect(&a, &done), next = dup(c);
    (void)state;
    close(next);
    assert_false(sock_at_ceiling(next));
    sock_set_ceiling(next);
    assert_true(sock_at_ceiling(next));
    assert_false(sock_at_ceiling(c));
    for (int i = 0; i < 3; i++) assert_int_equal(sock_connect(&a, &done), -EMFILE);
    sock_set_ceiling(next + 1);
    assert_int_equal(sock_connect(&a, &done), next);
    sock_set_ceiling(INT_MAX);
    close(next), close(c), close(lfd);
}

static void test_refused(void **state)
{
    struct addr a;
    bool done = true;
    int lfd = listen_any(&a), fd;
    (void)state;
    close(lfd);
    fd = sock_connect(&a, &done);
    if (fd >= 0) {
        usleep(20000);
        assert_false(done);
        assert_int_equal(sock_error(fd), -ECONNREFUSED);
        close(fd);
    } else {
        assert_int_equal(fd, -ECONNREFUSED);
    }
    lfd = listen_any(&a);
    assert_int_equal(sock_listen(&a, false, 16), -EADDRINUSE);
    close(lfd);
}

static void test_unix(void **state)
{
    char path[64];
    struct stat st;
    struct addr peer;
    int fds[3], n_in[4], p[2];
    unsigned n = 4;
    char data[16];
    (void)state;
    snprintf(path, sizeof path, "/tmp/sallyport-test-%ld.sock", (long)getpid());
    unlink(path);
    int lfd = sock_unix_listen(path, 0600);
    assert_true(lfd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(sock_unix_listen(path, 0600), -EADDRINUSE); /* somebody listens */
    close(sock_accept(lfd, &peer)); /* that was the question whether */
    int c = sock_unix_connect(path);
    assert_true(c >= 0);
    int s = sock_accept(lfd, &peer);
    assert_true(s >= 0);
    assert_int_equal(sock_accept(lfd, &peer), -EAGAIN);
    assert_int_equal(pipe(p), 0);
    fds[0] = p[0], fds[1] = p[1], fds[2] = lfd;
    assert_int_equal(sock_send_fds(c, "hello", 5, fds, 3), 5);
    assert_int_equal(sock_recv_fds(s, data, sizeof data, n_in, &n), 5);
    assert_int_equal(n, 3);
    assert_int_equal(write(n_in[1], "x", 1), 1);
    assert_int_equal(read(p[0], data, 1), 1);
    for (unsigned i = 0; i < n; i++) close(n_in[i]);
    n = 4;
    assert_int_equal(sock_recv_fds(s, data, sizeof data, n_in, &n), -EAGAIN);
    assert_int_equal(sock_send_fds(c, "", 0, fds, 1), -EINVAL);
    n = 1; /* room for one: the others are closed, not leaked */
    assert_int_equal(sock_send_fds(c, "y", 1, fds, 2), 1);
    assert_int_equal(sock_recv_fds(s, data, sizeof data, n_in, &n), 1);
    assert_int_equal(n, 1);
    close(n_in[0]);
    close(p[0]), close(p[1]), close(c), close(s), close(lfd);
    assert_int_equal(sock_unix_connect(path), -ECONNREFUSED);
    lfd = sock_unix_listen(path, 0666); /* the stale file is replaced */
    assert_true(lfd >= 0);
    close(lfd);
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(sock_unix_listen(path, 0600), -EADDRINUSE); /* no socket: not ours to remove */
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_shortage),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
