/* SPDX-License-Identifier: Apache-2.0 */
/* Between master and worker: messages of all sizes, descriptors, deposits by name, answers there
 * and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/answer.h"
#include "process/chan.h"
#include "process/ctl.h"
#include "process/deposit.h"

/* Channel */
struct side {
    struct chan chan;
    unsigned messages, closed;
    char verb[32];
    uint64_t id;
    char *text;
    size_t text_n;
    int fd;
};

static void on_msg(struct chan *c, struct chan_msg *m)
{
    struct side *s = c->arg;
    s->messages++;
    snprintf(s->verb, sizeof s->verb, "%s", m->verb);
    s->id = m->id;
    free(s->text);
    s->text = str_dup(m->text);
    s->text_n = m->text.n;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = m->fd;
    m->fd = -1;
}

static void on_closed(struct chan *c, const char *why)
{
    (void)why;
    ((struct side *)c->arg)->closed++;
}

static const struct chan_events chan_ev = {.msg = on_msg, .closed = on_closed};

static void side_open(struct side *s, struct loop *l, int fd)
{
    *s = (struct side){.fd = -1};
    assert_int_equal(chan_init(&s->chan, l, fd, &chan_ev, s), 0);
}

static void side_close(struct side *s)
{
    chan_fini(&s->chan);
    free(s->text);
    if (s->fd >= 0)
        close(s->fd);
}

static void turns(struct loop *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ev_run(l->ev, EVRUN_NOWAIT);
}

static void messages_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0,     1,     32740,    32767,         32768,
                                   32769, 65536, 1u << 20, CTL_ANSWER_MAX};
    struct loop *l = loop_new(0, 4096);
    struct side a, b;
    int fds[2];
    (void)state;
    assert_int_equal(chan_pair(fds), 0);
    side_open(&a, l, fds[0]);
    side_open(&b, l, fds[1]);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        char *big = malloc(sizes[i] + 1);
        assert_non_null(big);
        memset(big, 'a' + (int)i, sizes[i]);
        assert_int_equal(chan_send(&a.chan, "verb", 40 + i, str_n(big, sizes[i]), -1), 0);
        for (int k = 0; k < 10000 && b.messages == i; k++)
            turns(l, 1);
        assert_int_equal(b.messages, i + 1);
        assert_string_equal(b.verb, "verb");
        assert_int_equal(b.id, 40 + i);
        assert_int_equal(b.text_n, sizes[i]);
        assert_memory_equal(b.text, big, sizes[i]);
        free(big);
    }
    assert_int_equal(
        chan_send(&a.chan, "a-verb-that-is-longer-than-any-verb-may-be", 1, STR_NONE, -1), E_ARG);
    side_close(&a);
    turns(l, 2);
    assert_int_equal(b.closed, 1);
    assert_int_equal(chan_send(&b.chan, "x", 1, STR_NONE, -1), E_GONE);
    side_close(&b);
    loop_free(l);
}

static void descriptors_travel(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct side a, b;
    int fds[2], p[2];
    char got = 0;
    (void)state;
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(pipe(p), 0);
    side_open(&a, l, fds[0]);
    side_open(&b, l, fds[1]);
    assert_int_equal(chan_send(&a.chan, "deposit", 0, STR("key"), p[1]), 0);
    turns(l, 3);
    assert_true(b.fd >= 0 && b.fd != p[1]);
    assert_true(fcntl(b.fd, F_GETFD) & FD_CLOEXEC);
    close(p[1]);
    assert_int_equal(write(b.fd, "x", 1), 1);
    assert_int_equal(read(p[0], &got, 1), 1);
    close(p[0]);
    side_close(&a);
    side_close(&b);
    loop_free(l);
}

static void nonsense_closes_the_channel(void **state)
{
    static const char *const packets[] = {
        "",       "no newline", "verb x 3\nabc", "verb 1 2\nabc", "verb 1 99999999999\n",
        " 1 0\n", "verb 1\n",   "verb 1 -1\n"};
    struct loop *l = loop_new(0, 4096);
    (void)state;
    for (unsigned i = 1; i < ARRAY_LEN(packets); i++) {
        struct side a;
        int fds[2];
        assert_int_equal(chan_pair(fds), 0);
        side_open(&a, l, fds[0]);
        assert_int_equal(send(fds[1], packets[i], strlen(packets[i]), 0),
                         (ssize_t)strlen(packets[i]));
        turns(l, 3);
        assert_int_equal(a.closed, 1);
        assert_int_equal(a.messages, 0);
        side_close(&a);
        close(fds[1]);
    }
    loop_free(l);
}

static void a_full_channel_drains(void **state)
{
    struct loop *l = loop_new(0, 4096);
    struct side a, b;
    int fds[2];
    char *big = malloc(1u << 20);
    (void)state;
    assert_non_null(big);
    memset(big, 'q', 1u << 20);
    assert_int_equal(chan_pair(fds), 0);
    side_open(&a, l, fds[0]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(chan_send(&a.chan, "v", 0, str_n(big, 1u << 20), -1), 0);
    assert_int_equal(chan_drain(&a.chan, 50), E_TIMEOUT);
    side_open(&b, l, fds[1]);
    for (int k = 0; k < 10000 && b.messages < 4; k++)
        turns(l, 1);
    assert_int_equal(b.messages, 4);
    assert_int_equal(chan_drain(&a.chan, 50), 0);
    side_close(&a);
    side_close(&b);
    loop_free(l);
    free(big);
}

/* Deposits */
static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void deposits_by_name(void **state)
{
    struct deposits d;
    char key[DEPOSIT_KEY_MAX], longer[300];
    int a = dup(0), b = dup(0), c = dup(0);
    (void)state;
    deposits_init(&d);
    assert_string_equal(deposit_key(key, STR("127.0.0.1:80"), 3), "127.0.0.1:80#3");
    assert_null(deposit_file(str_z(key), longer));
    assert_string_equal(deposit_file(STR("unix:/run/a#b.sock#0"), longer), "/run/a#b.sock");
    assert_string_equal(deposit_file(STR("status unix:/x#0"), longer), "/x");
    assert_null(deposit_file(STR("unix:/x"), longer));
    assert_int_equal(deposit_put(&d, str_z(key), a), 0);
    assert_int_equal(deposit_put(&d, STR("other#0"), b), 0);
    assert_int_equal(d.count, 2);
    assert_int_equal(deposit_put(&d, str_z(key), c), 0); /* replaces */
    assert_false(is_open(a));
    assert_int_equal(d.count, 2);
    assert_int_equal(deposit_take(&d, str_z(key)), c);
    assert_int_equal(deposit_take(&d, str_z(key)), -1);
    assert_true(is_open(c));
    memset(longer, 'k', sizeof longer);
    assert_int_equal(deposit_put(&d, str_n(longer, sizeof longer), c), E_ARG);
    assert_false(is_open(c));
    assert_int_equal(deposit_drop(&d, STR("none")), E_NONE);
    deposits_fini(&d);
    assert_false(is_open(b));
    assert_int_equal(d.count, 0);
}

/* Answers */
static void answers_there_and_back(void **state)
{
    struct diag d, back;
    struct answer a;
    struct text t;
    (void)state;
    diag_init(&d);
    diag_add(&d, DIAG_ERROR, (struct diag_at){"f.yaml", 3, 9}, STR("listen[0]"),
             STR("it's \"bad\""), STR("good"), STR("god"));
    diag_warn(&d, (struct diag_at){"f.yaml", 1, 1}, "x", NULL, "hm");
    text_init(&t);
    answer_fail(&t, &d, "%d thing", 1);
    assert_int_equal(answer_read(&a, text_str(&t)), 0);
    assert_false(a.ok);
    assert_true(str_eqz(a.message, "1 thing"));
    diag_init(&back);
    answer_diags(&a, &back);
    str want = diag_text(&d), got = diag_text(&back);
    assert_true(str_eq(want, got));
    assert_int_equal(back.errors, 1);
    assert_int_equal(back.warnings, 1);
    answer_fini(&a);
    diag_fini(&d), diag_fini(&back);
    text_fini(&t);
    assert_int_equal(answer_read(&a, STR("[]")), E_PROTO);
    assert_int_equal(answer_read(&a, STR("{}")), E_PROTO);
    assert_int_equal(answer_read(&a, STR("")), E_PROTO);
    assert_int_equal(answer_read(&a, STR("{\"ok\":true} x")), E_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes),
        cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(nonsense_closes_the_channel),
        cmocka_unit_test(a_full_channel_drains),
        cmocka_unit_test(deposits_by_name),
        cmocka_unit_test(answers_there_and_back),
    };
    return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}
