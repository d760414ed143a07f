/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's life: messages of the master, the main loop, and taking everything down at the end.
 */
#include "process/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/privilege.h"
#include "process/status_http.h"

#define READ_BLOCK 16384u

void worker_say(struct worker *w, const char *verb, uint64_t id, str text, int fd)
{
    if (w->chan_up && chan_send(&w->chan, verb, id, text, fd) != 0)
        log_error("the master does not listen");
}

void worker_answer(struct worker *w, const char *verb, uint64_t id, const struct text *t, bool ok)
{
    str bare = ok ? STR("{\"ok\":true,\"message\":\"done; there is no memory for more words\"}")
                  : STR("{\"ok\":false,\"message\":\"out of memory\",\"errors\":[]}");
    int rc = t->failed ? E_NOMEM : 0;
    if (!w->chan_up)
        return;
    if (rc == 0)
        rc = chan_send(&w->chan, verb, id, text_str(t), -1);
    if (rc == E_NOMEM)
        rc = chan_send(&w->chan, verb, id, bare, -1);
    if (rc)
        log_error("the master does not listen");
}

/* Ending */
static void thread_stop(struct wthread *t, void *arg)
{
    (void)arg;
    if (t->started)
        pipeline_thread_stop(t->w->pipeline, t->loop);
    t->started = false;
    loop_stop(t->loop);
}

static void on_stopped(struct worker *w, void *arg)
{
    (void)arg;
    worker_threads_join(w);
    loop_stop(w->loop);
}

void worker_end(struct worker *w, int code)
{
    if (!w->code)
        w->code = code;
    if (w->ending)
        return;
    w->ending = true;
    if (w->thread_count == 0)
        loop_stop(w->loop);
    else if (worker_each(w, thread_stop, on_stopped, NULL) != 0)
        _exit(1); /* out of memory, and nothing left to lose */
}

/* Messages */
static void on_start(struct worker *w, str text)
{
    struct answer a;
    if (answer_read(&a, text) == 0) {
        w->restarts = (uint64_t)answer_int(a.root, "restarts", 0);
        w->from_disk = answer_int(a.root, "disk", 0) != 0;
        answer_fini(&a);
    }
    if (w->serving || w->applying || w->stop_wanted)
        return;
    worker_apply(w, 0);
}

static void on_status(struct worker *w, uint64_t id)
{
    struct text t;
    text_init(&t);
    worker_status(w, &t);
    worker_answer(w, "answer", id, &t, false);
    text_fini(&t);
}

static void on_msg(struct chan *c, struct chan_msg *m)
{
    struct worker *w = c->arg;
    str verb = str_z(m->verb);
    if (str_eqz(verb, "deposit") && m->fd >= 0) {
        if (deposit_put(&w->deposits, m->text, m->fd) != 0)
            log_error("a listening socket was lost");
        m->fd = -1;
    } else if (str_eqz(verb, "kept") && m->fd >= 0 && w->kept < 0) {
        w->kept = m->fd;
        m->fd = -1;
    } else if (str_eqz(verb, "start")) {
        on_start(w, m->text);
    } else if (str_eqz(verb, "reload")) {
        worker_apply(w, m->id);
    } else if (str_eqz(verb, "status")) {
        on_status(w, m->id);
    } else if (str_eqz(verb, "ask")) {
        worker_ask(w, m->id, m->text);
    } else if (str_eqz(verb, "refused")) {
        if (!w->last_refused)
            w->refused++; /* by the trial: we have not heard of it */
        w->last_refused = true;
    } else if (str_eqz(verb, "reopen")) {
        if (log_reopen() != 0)
            log_error("the log could not be opened anew");
    } else if (str_eqz(verb, "drain") || str_eqz(verb, "quit")) {
        worker_stop(w, verb.p[0] == 'q');
    } else {
        log_error("the master said '%s', which means nothing", m->verb);
    }
}

/* Nobody supervises us any more: let what runs finish, and go. */
static void on_closed(struct chan *c, const char *why)
{
    struct worker *w = c->arg;
    w->chan_up = false;
    if (!w->stop_wanted)
        log_warn("the master has gone (%s)", why);
    worker_stop(w, false);
}

static void on_term(struct ev_loop *ev, ev_signal *sig, int revents)
{
    (void)ev, (void)revents;
    worker_stop(sig->data, false);
}

static void start_signals(struct worker *w)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    for (unsigned i = 0; i < ARRAY_LEN(ignored); i++)
        (void)signal(ignored[i], SIG_IGN); /* the master's affair */
    ev_signal_init(&w->term, on_term, SIGTERM);
    w->term.data = w;
    ev_signal_start(w->loop->ev, &w->term);
}

static bool is_socket(int fd)
{
    int type;
    socklen_t n = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
}

static int run(struct worker *w, int fd)
{
    static const struct chan_events chan_ev = {.msg = on_msg, .closed = on_closed};
    w->loop = loop_new(0, READ_BLOCK);
    if (!w->loop)
        return 1;
    w->status = status_http_new(w);
    if (!w->status || chan_init(&w->chan, w->loop, fd, &chan_ev, w) != 0) {
        status_http_free(w->status);
        loop_free(w->loop);
        return 1;
    }
    w->chan_up = true;
    start_signals(w);
    loop_run(w->loop);
    if (w->chan_up)
        (void)chan_drain(&w->chan, 1000);
    worker_listen_close(w);
    deposits_fini(&w->deposits);
    if (w->kept >= 0)
        close(w->kept);
    status_http_free(w->status);
    ev_signal_stop(w->loop->ev, &w->term);
    if (w->pipeline)
        pipeline_free(w->pipeline);
    worker_threads_free(w);
    chan_fini(&w->chan);
    loop_free(w->loop);
    return w->code;
}

int worker_main(const struct cli *cli)
{
    uint64_t fd;
    if (!cli->channel || str_u64(str_z(cli->channel), &fd) != 0 || fd > 1024 ||
        !is_socket((int)fd)) {
        fprintf(stderr, "sallyport: 'worker' is for the gateway itself; use `sallyport run`\n");
        return 2;
    }
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return 1;
    (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    privilege_raise_files();
    w->cli = cli;
    w->drain_ms = 30000;
    w->kept = -1;
    w->started_ms = loop_wall_ms();
    list_init(&w->listeners);
    deposits_init(&w->deposits);
    int code = run(w, (int)fd);
    log_stop();
    free(w);
    return code;
}
