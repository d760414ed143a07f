/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: lines, places, lock, server against clients in threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/sock.h"
#include "process/answer.h"
#include "process/ctl.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sp-ctl-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir); /* tests clean up behind them */
}

static const char *in_dir(const char *name)
{
    static char path[8][128];
    static unsigned at;
    char *out = path[at++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

/* Lines */
static void lines_at_every_cut(void **state)
{
    const str all = STR("{\"a\":1}\n\nsecond\r\nthird\n");
    static const char *const want[] = {"{\"a\":1}", "", "second", "third"};
    (void)state;
    for (size_t cut = 0; cut <= all.n; cut++) {
        struct ctl_lines l;
        str line;
        unsigned n = 0;
        ctl_lines_init(&l, 100);
        for (int half = 0; half < 2; half++) {
            assert_int_equal(ctl_lines_feed(&l, half ? str_drop(all, cut) : str_take(all, cut)), 0);
            while (ctl_lines_next(&l, &line)) {
                assert_true(n < ARRAY_LEN(want));
                assert_true(str_eqz(line, want[n++]));
            }
        }
        assert_int_equal(n, ARRAY_LEN(want));
        ctl_lines_fini(&l);
    }
}

static void lines_are_bounded(void **state)
{
    struct ctl_lines l;
    str line;
    (void)state;
    ctl_lines_init(&l, 8);
    assert_int_equal(ctl_lines_feed(&l, STR("12345678\n1234")), 0);
    assert_true(ctl_lines_next(&l, &line) && str_eqz(line, "12345678"));
    assert_false(ctl_lines_next(&l, &line));
    assert_int_equal(ctl_lines_feed(&l, STR("56789")), E_LIMIT);
    ctl_lines_fini(&l);
    assert_int_equal(ctl_lines_feed(&l, STR("123456789\n")), E_LIMIT);
    ctl_lines_fini(&l);
    assert_int_equal(ctl_lines_feed(&l, STR("1\n123456789\n")), E_LIMIT);
    ctl_lines_fini(&l);
}

/* Places */
static void place_prefers_the_run_folder(void **state)
{
    char out[CTL_PATH_MAX], why[256];
    const char *run = in_dir("run"), *xdg = in_dir("xdg"), *tmp = in_dir("tmp");
    struct ctl_places p = {run, xdg, tmp, geteuid()};
    struct stat st;
    (void)state;
    assert_int_equal(mkdir(xdg, 0700), 0);
    assert_int_equal(mkdir(tmp, 0777), 0);
    assert_int_equal(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why), 0);
    assert_string_equal(out, in_dir("run/control.sock"));
    assert_int_equal(stat(run, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    /* Clients take the first that has a socket. */
    assert_int_equal(ctl_place(&p, false, 0, 0, out, why, sizeof why), E_NONE);
    assert_non_null(strstr(why, "no gateway is running"));
    int fd = sock_unix_listen(in_dir("run/control.sock"), 0600);
    assert_true(fd >= 0);
    assert_int_equal(ctl_place(&p, false, 0, 0, out, why, sizeof why), 0);
    close(fd);
    unlink(in_dir("run/control.sock"));
    rmdir(run);
    /* The run folder cannot be made: the user's own. */
    p.run_dir = in_dir("no/such");
    assert_int_equal(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why), 0);
    assert_string_equal(out, in_dir("xdg/sallyport/control.sock"));
    rmdir(in_dir("xdg/sallyport"));
    rmdir(xdg), rmdir(tmp);
}

static void place_below_tmp_is_checked(void **state)
{
    char out[CTL_PATH_MAX], why[256], own[128];
    struct ctl_places p = {in_dir("no/such"), NULL, dir, geteuid()};
    struct stat st;
    (void)state;
    snprintf(own, sizeof own, "%s/sallyport-%lu", dir, (unsigned long)geteuid());
    assert_int_equal(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why), 0);
    assert_int_equal(stat(own, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(chmod(own, 0755), 0); /* others may look in: not ours alone */
    assert_int_equal(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why), E_DENIED);
    assert_int_equal(ctl_place(&p, false, 0, 0, out, why, sizeof why), E_DENIED);
    rmdir(own);
    assert_int_equal(symlink("/tmp", own), 0); /* somebody else's folder by a link */
    assert_int_equal(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why), E_DENIED);
    unlink(own);
    p.tmp_dir = "/tmp/"
                "a-folder-with-a-name-so-long-that-no-socket-can-be-below-it-"
                "0123456789012345678901234567890123456789";
    assert_true(ctl_place(&p, true, geteuid(), getegid(), out, why, sizeof why) < 0);
}

static void paths_that_are_given(void **state)
{
    char out[CTL_PATH_MAX], why[256], longer[200];
    (void)state;
    assert_int_equal(ctl_path_server("/a/b", 0, 0, out, why, sizeof why), 0);
    assert_string_equal(out, "/a/b");
    memset(longer, 'a', sizeof longer);
    longer[108] = '\0';
    assert_int_equal(ctl_path_client(longer, out, why, sizeof why), E_LIMIT);
    longer[107] = '\0';
    assert_int_equal(ctl_path_client(longer, out, why, sizeof why), 0);
    assert_int_equal(ctl_path_client("", out, why, sizeof why), E_LIMIT);
}

static void the_lock_is_for_one(void **state)
{
    struct ctl_lock a, b;
    long pid;
    (void)state;
    assert_int_equal(ctl_lock_take(&a, in_dir("s"), &pid), 0);
    assert_int_equal(ctl_lock_take(&b, in_dir("s"), &pid), E_EXISTS);
    assert_int_equal(pid, getpid());
    ctl_lock_drop(&a);
    assert_int_equal(access(in_dir("s.lock"), F_OK), -1);
    assert_int_equal(ctl_lock_take(&b, in_dir("s"), &pid), 0);
    ctl_lock_drop(&b);
    ctl_lock_drop(&b);
    assert_int_equal(ctl_lock_take(&a, in_dir("none/s"), &pid), E_IO);
    assert_int_equal(errno, ENOENT);
}

/* Server */
struct fixture {
    struct loop *loop;
    struct ctl_server *server;
    char path[CTL_PATH_MAX];
    unsigned asked;
    uint64_t held; /* a ticket that is answered with the next one */
};

static void on_line(void *arg, uint64_t ticket, str line)
{
    struct fixture *f = arg;
    struct text t;
    f->asked++;
    if (str_eqz(line, "hold")) {
        f->held = ticket;
        return;
    }
    if (f->held)
        (void)ctl_answer(f->server, f->held, STR("{\"ok\":true,\"held\":true}"));
    f->held = 0;
    text_init(&t);
    if (str_eqz(line, "long")) {
        json_open(&t, '{');
        json_kv(&t, "ok", STR("true"));
        for (int i = 0; i < 20000; i++)
            json_kv(&t, "key", STR("0123456789012345678901234567890123456789"));
        json_close(&t, '}');
    } else {
        json_open(&t, '{');
        json_kv(&t, "echo", line);
        json_close(&t, '}');
    }
    assert_int_equal(ctl_answer(f->server, ticket, text_str(&t)), 0);
    assert_int_equal(ctl_answer(f->server, ticket, STR("twice")), E_GONE);
    text_fini(&t);
}

static void open_server(struct fixture *f)
{
    int err;
    *f = (struct fixture){.loop = loop_new(0, 4096)};
    assert_non_null(f->loop);
    snprintf(f->path, sizeof f->path, "%s", in_dir("ctl"));
    f->server = ctl_server_new(f->loop, f->path, on_line, f, &err);
    assert_non_null(f->server);
}

static void close_server(struct fixture *f)
{
    ctl_server_free(f->server);
    loop_free(f->loop);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void turn(struct fixture *f, unsigned ms)
{
    uint64_t end = loop_now_ns() + ms * UINT64_C(1000000);
    while (loop_now_ns() < end) {
        ev_run(f->loop->ev, EVRUN_NOWAIT);
        loop_flush(f->loop);
        usleep(500);
    }
}

struct asker {
    pthread_t tid;
    struct ctl_ask how;
    struct text answer;
    char why[256];
    int rc;
    struct loop *stop; /* its loop ends behind the answer */
};

static void *ask_main(void *arg)
{
    struct asker *a = arg;
    a->rc = ctl_ask(&a->how, &a->answer, a->why, sizeof a->why);
    if (a->stop)
        loop_stop(a->stop);
    return NULL;
}

static void ask(struct fixture *f, struct asker *a, str request)
{
    *a = (struct asker){.how = {.path = f->path, .request = request, .timeout_ms = 10000},
                        .stop = f->loop};
    text_init(&a->answer);
    assert_int_equal(pthread_create(&a->tid, NULL, ask_main, a), 0);
    loop_run(f->loop);
    pthread_join(a->tid, NULL);
}

static void questions_and_answers(void **state)
{
    struct fixture f;
    struct asker a;
    (void)state;
    open_server(&f);
    struct stat st;
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    ask(&f, &a, STR("status"));
    assert_int_equal(a.rc, 0);
    assert_string_equal(a.answer.p, "{\"echo\":\"status\"}");
    text_fini(&a.answer);
    ask(&f, &a, STR("long")); /* more than a socket takes at once */
    assert_int_equal(a.rc, 0);
    assert_true(a.answer.n > 900000 && a.answer.p[a.answer.n - 1] == '}');
    text_fini(&a.answer);
    close_server(&f);
}

static int connect_raw(struct fixture *f)
{
    int fd = sock_unix_connect(f->path);
    assert_true(fd >= 0);
    return fd;
}

static str get(int fd, char *out, size_t cap)
{
    ssize_t n = recv(fd, out, cap, MSG_DONTWAIT);
    return str_n(out, n > 0 ? (size_t)n : 0);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void several_clients_in_order(void **state)
{
    struct fixture f;
    char buf[4096];
    (void)state;
    open_server(&f);
    int a = connect_raw(&f), b = connect_raw(&f);
    say(a, "hold\nnext\n"); /* the second waits for the first one's answer */
    turn(&f, 50);
    assert_int_equal(f.asked, 1);
    assert_int_equal(get(a, buf, sizeof buf).n, 0);
    say(b, "go\n");
    turn(&f, 50);
    assert_true(str_eqz(get(b, buf, sizeof buf), "{\"echo\":\"go\"}\n"));
    assert_true(
        str_eqz(get(a, buf, sizeof buf), "{\"ok\":true,\"held\":true}\n{\"echo\":\"next\"}\n"));
    /* One that has gone when its answer comes. */
    say(a, "hold\n");
    turn(&f, 50);
    close(a);
    turn(&f, 50);
    say(b, "go\n");
    turn(&f, 50);
    assert_true(str_eqz(get(b, buf, sizeof buf), "{\"echo\":\"go\"}\n"));
    /* One that only listens any more. */
    say(b, "last\n");
    shutdown(b, SHUT_WR);
    turn(&f, 50);
    assert_true(str_eqz(get(b, buf, sizeof buf), "{\"echo\":\"last\"}\n"));
    assert_int_equal(recv(b, buf, sizeof buf, 0), 0);
    close(b);
    close_server(&f);
}

static void long_requests_are_refused(void **state)
{
    struct fixture f;
    char *big = malloc(CTL_REQUEST_MAX + 2), buf[4096];
    (void)state;
    assert_non_null(big);
    memset(big, 'x', CTL_REQUEST_MAX + 1);
    open_server(&f);
    int fd = connect_raw(&f);
    size_t sent = 0;
    while (sent < CTL_REQUEST_MAX + 1) {
        ssize_t n = send(fd, big + sent, CTL_REQUEST_MAX + 1 - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        turn(&f, 5);
    }
    turn(&f, 50);
    str got = get(fd, buf, sizeof buf);
    assert_true(str_find(got, STR("one line of at most 64 KB")) < got.n);
    assert_int_equal(recv(fd, buf, sizeof buf, MSG_DONTWAIT), 0);
    assert_int_equal(f.asked, 0);
    close(fd);
    close_server(&f);
    free(big);
}

static void too_many_clients(void **state)
{
    struct fixture f;
    int fds[CTL_CLIENTS_MAX + 1];
    char buf[512];
    (void)state;
    open_server(&f);
    for (unsigned i = 0; i <= CTL_CLIENTS_MAX; i++) {
        fds[i] = connect_raw(&f);
        turn(&f, 2);
    }
    turn(&f, 20);
    str got = get(fds[CTL_CLIENTS_MAX], buf, sizeof buf);
    assert_true(str_find(got, STR("too many clients")) < got.n);
    for (unsigned i = 0; i <= CTL_CLIENTS_MAX; i++)
        close(fds[i]);
    turn(&f, 20);
    close_server(&f);
}

static void clients_find_nobody(void **state)
{
    struct asker a = {.how = {.path = in_dir("nobody"), .request = STR("x"), .timeout_ms = 1000}};
    char want[256];
    (void)state;
    text_init(&a.answer);
    ask_main(&a);
    assert_int_equal(a.rc, E_NONE);
    snprintf(want, sizeof want, "%s: no gateway is running there", in_dir("nobody"));
    assert_string_equal(a.why, want);
    int fd = sock_unix_listen(in_dir("silent"), 0600); /* one that never answers */
    assert_true(fd >= 0);
    a.how.path = in_dir("silent");
    a.how.timeout_ms = 100;
    ask_main(&a);
    assert_int_equal(a.rc, E_TIMEOUT);
    close(fd);
    unlink(in_dir("silent"));
    text_fini(&a.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_at_every_cut),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(place_prefers_the_run_folder),
        cmocka_unit_test(place_below_tmp_is_checked),
        cmocka_unit_test(paths_that_are_given),
        cmocka_unit_test(the_lock_is_for_one),
        cmocka_unit_test(questions_and_answers),
        cmocka_unit_test(several_clients_in_order),
        cmocka_unit_test(long_requests_are_refused),
        cmocka_unit_test(too_many_clients),
        cmocka_unit_test(clients_find_nobody),
    };
    return cmocka_run_group_tests_name("ctl", tests, setup, teardown);
}
