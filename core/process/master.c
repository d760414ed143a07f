/* SPDX-License-Identifier: Apache-2.0 */
/* The master's life: the first trial, signals, stopping. */
#include "process/master.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/privilege.h"

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
    struct master *m = w->data;
    (void)ev, (void)revents;
    switch (w->signum) {
    case SIGHUP:
        master_reload_request(m, 0);
        break;
    case SIGUSR1:
        if (log_reopen() != 0)
            log_error("the log could not be opened anew");
        if (m->chan_up)
            (void)chan_send(&m->chan, "reopen", 0, STR_NONE, -1);
        break;
    case SIGINT: /* a second one is impatience */
        master_stop(m, m->stopping, 0);
        break;
    case SIGQUIT:
        master_stop(m, true, 0);
        break;
    default:
        master_stop(m, false, 0);
        break;
    }
    loop_flush(m->loop);
}

static void start_signals(struct master *m)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1};
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        ev_signal_init(&m->signals[i], on_signal, numbers[i]);
        m->signals[i].data = m;
        ev_signal_start(m->loop->ev, &m->signals[i]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

void master_finish(struct master *m, int code)
{
    m->code = code;
    loop_stop(m->loop);
}

/* The worker closes its own: clients are refused from now on. */
static void let_go(struct master *m)
{
    char file[DEPOSIT_KEY_MAX];
    LIST_EACH(&m->deposits.all, it)
    {
        const char *path = deposit_file(str_z(LIST_ITEM(it, struct deposit, link)->key), file);
        if (path)
            (void)unlink(path);
    }
    deposits_fini(&m->deposits);
}

void master_stop(struct master *m, bool fast, uint64_t ticket)
{
    struct master_waiter *w = ticket ? calloc(1, sizeof *w) : NULL;
    if (ticket && !w)
        master_ctl_fail(m, ticket, "out of memory");
    if (w) {
        w->ticket = ticket;
        list_push(&m->stop_waiters, &w->link);
    }
    if (m->stopping && (m->fast || !fast))
        return;
    m->fast = fast;
    if (!m->stopping) {
        m->stopping = true;
        log_info("stopping");
        (void)notify_stopping(&m->notify, fast ? "stopping at once" : "draining");
        if (m->first_trial)
            trial_cancel(m->first_trial);
        m->first_trial = NULL;
        timer_cancel(&m->restart);
        let_go(m);
    }
    master_worker_stop(m);
}

void master_log_conf(str answer)
{
    struct answer a;
    char to[512];
    if (answer_read(&a, answer) != 0)
        return;
    const struct node *n = node_getz(a.root, "log");
    int level = n ? log_level_of(answer_str(n, "level")) : -1;
    if (level >= 0) {
        snprintf(to, sizeof to, "%.*s", STR_ARG(answer_str(n, "to")));
        const struct log_conf c = {.level = (enum log_level)level,
                                   .format = str_eqz(answer_str(n, "format"), "json") ? LOG_JSON
                                                                                      : LOG_TEXT,
                                   .to = to,
                                   .name = "master"};
        if (log_reconf(&c) != 0)
            log_error("the log '%s' cannot be opened: %s", to, strerror(errno));
    }
    answer_fini(&a);
}

static int open_control(struct master *m)
{
    int err;
    m->ctl = ctl_server_new(m->loop, m->socket, master_ctl_line, m, &err);
    if (m->ctl)
        return 0;
    return answer_show_fail(m->cli->json, NULL, "the control socket %s cannot be made: %s",
                            m->socket, strerror(-err));
}

static void on_first_trial(void *arg, str json)
{
    struct master *m = arg;
    struct answer a;
    m->first_trial = NULL;
    bool ok = answer_read(&a, json) == 0 && a.ok;
    if (!ok || node_getz(a.root, "warnings")) {
        if (!ok || !m->cli->json)
            (void)answer_show(json, m->cli->json);
    }
    if (ok)
        m->drain_ms = (unsigned)answer_int(a.root, "drain_ms", 30000);
    answer_fini(&a);
    if (!ok) {
        master_finish(m, 1);
        return;
    }
    master_log_conf(json);
    int rc = open_control(m);
    if (rc == 0)
        rc = master_worker_start(m);
    if (rc)
        master_finish(m, 1);
}

static int prepare(struct master *m)
{
    struct privilege who;
    char why[512];
    long pid;
    int rc = privilege_find(&who, m->cli->user, why, sizeof why);
    if (rc == 0)
        rc = ctl_path_server(m->cli->socket, who.uid, who.gid, m->socket, why, sizeof why);
    if (rc == 0)
        rc = privilege_drop(&who, why, sizeof why);
    if (rc)
        return answer_show_fail(m->cli->json, NULL, "%s", why);
    (void)umask(027);
    privilege_raise_files();
    rc = ctl_lock_take(&m->lock, m->socket, &pid);
    if (rc == E_EXISTS) {
        return answer_show_fail(m->cli->json, NULL, "already running as pid %ld on %s", pid,
                                m->socket);
    }
    if (rc)
        return answer_show_fail(m->cli->json, NULL, "%s: %s", m->lock.path, strerror(errno));
    if (geteuid() == 0)
        log_warn("running as root: give --user NAME, or start it as the service's user");
    return 0;
}

static int begin(struct master *m)
{
    int err;
    if (notify_init(&m->notify) == E_ARG)
        log_warn("NOTIFY_SOCKET is of a kind that is not supported, and ignored");
    start_signals(m);
    m->first_trial = trial_start(&m->children, m->cli->conf, 0, on_first_trial, m, &err);
    if (m->first_trial)
        return 0;
    return answer_show_fail(m->cli->json, NULL, "the trial process could not be started: %s",
                            strerror(-err));
}

static void answer_stop_waiters(struct master *m)
{
    struct text t;
    text_init(&t);
    if (m->code == 0) {
        answer_open(&t);
        json_kv(&t, "message", STR("stopped"));
        json_close(&t, '}');
    } else {
        answer_fail(&t, NULL, "stopped, but the worker did not end well; the log tells more");
    }
    LIST_EACH_SAFE(&m->stop_waiters, it)
    {
        struct master_waiter *w = LIST_ITEM(it, struct master_waiter, link);
        if (m->ctl)
            (void)ctl_answer(m->ctl, w->ticket, text_str(&t));
        list_del(&w->link);
        free(w);
    }
    text_fini(&t);
}

static void end(struct master *m)
{
    if (m->first_trial)
        trial_cancel(m->first_trial);
    master_reload_fini(m);
    master_worker_fini(m);
    answer_stop_waiters(m);
    ctl_server_free(m->ctl);
    deposits_fini(&m->deposits);
    if (m->kept >= 0)
        close(m->kept);
    for (unsigned i = 0; i < ARRAY_LEN(m->signals); i++)
        ev_signal_stop(m->loop->ev, &m->signals[i]);
    children_fini(&m->children);
    ctl_lock_drop(&m->lock);
    notify_fini(&m->notify);
}

int master_run(const struct cli *cli)
{
    struct master m = {.cli = cli, .lock = {.fd = -1}, .notify = {.fd = -1}, .kept = -1, .drain_ms = 30000};
    const struct log_conf lc = {
        .level = LOG_INFO, .format = LOG_TEXT, .to = "stderr", .name = "master"};
    m.started_ms = loop_wall_ms();
    m.code = prepare(&m);
    if (m.code) {
        ctl_lock_drop(&m.lock);
        return m.code;
    }
    m.loop = loop_new(0, 4096);
    if (!m.loop || log_start(&lc) != 0) {
        loop_free(m.loop);
        ctl_lock_drop(&m.lock);
        return answer_show_fail(cli->json, NULL, "cannot start: %s",
                                strerror(errno ? errno : ENOMEM));
    }
    list_init(&m.asks);
    list_init(&m.stop_waiters);
    list_init(&m.reload.now);
    list_init(&m.reload.next);
    list_init(&m.worker.link);
    deposits_init(&m.deposits);
    children_init(&m.children, m.loop);
    master_worker_init(&m);
    m.code = begin(&m);
    if (m.code == 0)
        loop_run(m.loop);
    end(&m);
    loop_free(m.loop);
    if (m.stopping)
        log_info("stopped");
    log_stop();
    return m.code;
}
