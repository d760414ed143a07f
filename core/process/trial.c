/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the trial process: collects its answer and its breadcrumbs, and tells its death in words. */
#include "process/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/answer.h"

#define ANSWER_MAX (8u << 20)
#define CRUMB_MAX  1024u

struct pipe_in {
    struct trial *trial;
    ev_io io;
    int fd;
    struct text text;
    size_t max;
};

struct trial {
    struct children *children;
    struct loop *loop;
    struct child child;
    struct pipe_in answer, crumb;
    struct timer timer;
    unsigned timeout_ms;
    bool timed_out, too_long;
    trial_fn fn;
    void *arg;
};

static void pipe_close(struct pipe_in *p)
{
    if (p->fd < 0)
        return;
    ev_io_stop(p->trial->loop->ev, &p->io);
    close(p->fd);
    p->fd = -1;
}

/* The crumbs are lines "plugin<TAB>place", an empty one behind each: the last line counts. */
static void keep_last_line(struct text *t)
{
    if (t->n <= CRUMB_MAX)
        return;
    size_t from = t->n - CRUMB_MAX / 2;
    memmove(t->p, t->p + from, t->n - from);
    t->n -= from;
    t->p[t->n] = '\0';
}

static void pipe_read(struct pipe_in *p)
{
    char part[16384];
    while (p->fd >= 0) {
        ssize_t got = read(p->fd, part, sizeof part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            pipe_close(p);
            return;
        }
        text_add(&p->text, str_n(part, (size_t)got));
        if (p == &p->trial->crumb)
            keep_last_line(&p->text);
        if (p->text.n <= p->max)
            continue;
        p->trial->too_long = true;
        child_kill(&p->trial->child, SIGKILL);
        pipe_close(p);
    }
}

static void on_pipe(struct ev_loop *ev, ev_io *io, int revents)
{
    struct pipe_in *p = io->data;
    (void)ev, (void)revents;
    pipe_read(p);
}

static int pipe_open(struct trial *t, struct pipe_in *p, size_t max, int *child_end)
{
    int fds[2];
    p->trial = t;
    p->fd = -1;
    p->max = max;
    text_init(&p->text);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    p->fd = fds[0];
    *child_end = fds[1];
    ev_io_init(&p->io, on_pipe, p->fd, EV_READ);
    p->io.data = p;
    ev_io_start(t->loop->ev, &p->io);
    return 0;
}

static void destroy(struct trial *t)
{
    child_drop(&t->child);
    pipe_close(&t->answer);
    pipe_close(&t->crumb);
    text_fini(&t->answer.text);
    text_fini(&t->crumb.text);
    timer_cancel(&t->timer);
    free(t);
}

void trial_cancel(struct trial *t)
{
    destroy(t);
}

/* " while compiling plugin X at FILE:LINE", or nothing. */
static void blame(const struct trial *t, char *out, size_t cap)
{
    str s = text_str(&t->crumb.text), line = STR_NONE;
    *out = '\0';
    while (s.n) {
        size_t nl = str_chr(s, '\n');
        if (nl == s.n)
            break; /* cut short */
        line = str_take(s, nl);
        s = str_drop(s, nl + 1);
    }
    size_t tab = str_chr(line, '\t');
    if (tab == 0 || tab == line.n)
        return;
    snprintf(out, cap, " while compiling plugin '%.*s' at %.*s", STR_ARG(str_take(line, tab)),
             STR_ARG(str_drop(line, tab + 1)));
}

static void on_child_end(struct child *c, int status)
{
    struct trial *t = CONTAINER_OF(c, struct trial, child);
    char why[80], where[CRUMB_MAX + 64];
    struct answer a = {.tree = NULL};
    struct text own;
    text_init(&own);
    pipe_read(&t->answer); /* what is still in the pipes */
    pipe_read(&t->crumb);
    blame(t, where, sizeof where);
    str json = text_str(&t->answer.text);
    if (t->timed_out) {
        answer_fail(&own, NULL, "the trial process did not end within %u s%s", t->timeout_ms / 1000,
                    where);
    } else if (t->too_long) {
        answer_fail(&own, NULL, "the trial process wrote more than %u bytes", ANSWER_MAX);
    } else if (WIFSIGNALED(status)) {
        answer_fail(&own, NULL, "the trial process died by %s%s",
                    child_status_text(status, why, sizeof why), where);
    } else if (answer_read(&a, json) != 0) {
        answer_fail(&own, NULL, "the trial process ended with %s and without an answer%s",
                    child_status_text(status, why, sizeof why), where);
    } else if (a.ok !=
               (WEXITSTATUS(status) == 0)) { /* a sanitizer that complained at its end, for one */
        answer_fail(&own, NULL, "the trial process ended with %s",
                    child_status_text(status, why, sizeof why));
    }
    answer_fini(&a);
    if (own.n)
        json = text_str(&own);
    t->fn(t->arg, json);
    text_fini(&own);
    destroy(t);
}

static void on_timeout(struct loop *l, struct timer *timer)
{
    struct trial *t = CONTAINER_OF(timer, struct trial, timer);
    (void)l;
    t->timed_out = true;
    child_kill(&t->child, SIGKILL);
}

struct trial *trial_start(struct children *all, const char *conf, unsigned timeout_ms, trial_fn fn,
                          void *arg, int *err)
{
    const char *const argv[] = {"sallyport", "-c", conf, "check", "--trial", NULL};
    struct trial *t = calloc(1, sizeof *t);
    int answer = -1, crumb = -1;
    *err = -ENOMEM;
    if (!t)
        return NULL;
    *t = (struct trial){.children = all, .loop = all->loop, .fn = fn, .arg = arg};
    t->timeout_ms = timeout_ms ? timeout_ms : TRIAL_TIMEOUT_MS;
    t->crumb.fd = -1;
    timer_init(&t->timer, on_timeout);
    *err = pipe_open(t, &t->answer, ANSWER_MAX, &answer);
    if (*err == 0)
        *err = pipe_open(t, &t->crumb, SIZE_MAX, &crumb);
    if (*err == 0) {
        /* What a plugin prints goes to stderr: stdout belongs to the caller. */
        const struct child_fd fds[] = {{2, 1}, {answer, 3}, {crumb, 4}};
        *err = child_start(all, &t->child, argv, fds, ARRAY_LEN(fds), on_child_end);
    }
    if (answer >= 0)
        close(answer);
    if (crumb >= 0)
        close(crumb);
    if (*err) {
        destroy(t);
        return NULL;
    }
    timer_set(t->loop, &t->timer, t->timeout_ms);
    return t;
}

struct waiter {
    struct loop *loop;
    struct text *json;
};

static void on_answer(void *arg, str json)
{
    struct waiter *w = arg;
    text_add(w->json, json);
    loop_stop(w->loop);
}

int trial_wait(const char *conf, struct text *json)
{
    struct waiter w = {.loop = loop_new(0, 4096), .json = json};
    struct children all;
    int err;
    if (!w.loop)
        return E_NOMEM;
    children_init(&all, w.loop);
    struct trial *t = trial_start(&all, conf, 0, on_answer, &w, &err);
    if (t)
        loop_run(w.loop);
    else
        answer_fail(json, NULL, "the trial process could not be started: %s", strerror(-err));
    children_fini(&all);
    loop_free(w.loop);
    return json->failed ? E_NOMEM : 0;
}
