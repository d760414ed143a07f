/* SPDX-License-Identifier: Apache-2.0 */
/* The master's side of the worker: starting it on the deposited sockets, questions, its end, the
 * next one. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/master.h"

#define START_MS         120000u /* from its start until it serves */
#define STEADY_MS        10000u  /* served so long: its end begins a new row */
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_LAST_MS  5000u
#define STOP_EXTRA_MS    10000u /* beyond timeouts.drain */
#define STOP_FAST_MS     5000u

static void on_restart(struct loop *l, struct timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, restart);
    (void)l;
    if (m->state != WORKER_NONE || m->stopping)
        return;
    if (master_worker_start(m) != 0)
        timer_set(m->loop, &m->restart, BACKOFF_LAST_MS);
}

/* It did not start, or did not stop, in time. */
static void on_deadline(struct loop *l, struct timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, deadline);
    (void)l;
    log_error("the worker did not %s in time: killed", m->stopping ? "stop" : "start");
    child_kill(&m->worker, SIGKILL);
}

void master_worker_init(struct master *m)
{
    timer_init(&m->restart, on_restart);
    timer_init(&m->deadline, on_deadline);
    m->chan.fd = -1;
}

/* Questions */
static void ask_done(struct master_ask *a, int status, str answer)
{
    struct master *m = a->master;
    list_del(&a->link);
    timer_cancel(&a->timeout);
    a->fn(m, a->ticket, status, answer);
    free(a);
}

static void on_ask_timeout(struct loop *l, struct timer *t)
{
    (void)l;
    ask_done(CONTAINER_OF(t, struct master_ask, timeout), E_TIMEOUT, STR_NONE);
}

int master_worker_ask(struct master *m, const char *verb, str text, uint64_t ticket,
                      unsigned timeout_ms, void (*fn)(struct master *, uint64_t, int, str))
{
    if (!m->chan_up || m->state != WORKER_READY)
        return E_GONE;
    struct master_ask *a = calloc(1, sizeof *a);
    if (!a)
        return E_NOMEM;
    *a = (struct master_ask){.master = m, .id = ++m->last_id, .ticket = ticket, .fn = fn};
    int rc = chan_send(&m->chan, verb, a->id, text, -1);
    if (rc) {
        free(a);
        return rc;
    }
    timer_init(&a->timeout, on_ask_timeout);
    timer_set(m->loop, &a->timeout, timeout_ms);
    list_push(&m->asks, &a->link);
    return 0;
}

static void fail_asks(struct master *m)
{
    while (!list_empty(&m->asks))
        ask_done(LIST_ITEM(m->asks.next, struct master_ask, link), E_GONE, STR_NONE);
}

static void on_answer(struct master *m, const struct chan_msg *msg)
{
    LIST_EACH(&m->asks, it)
    {
        struct master_ask *a = LIST_ITEM(it, struct master_ask, link);
        if (a->id != msg->id)
            continue;
        ask_done(a, 0, msg->text);
        return;
    }
    log_debug("an answer of the worker came too late");
}

/* Messages */
static void on_ready(struct master *m, str text)
{
    char status[160];
    struct answer a;
    if (answer_read(&a, text) == 0) {
        m->drain_ms = (unsigned)answer_int(a.root, "drain_ms", m->drain_ms);
        answer_fini(&a);
    }
    m->state = WORKER_READY;
    m->disk_next = false;
    m->ready_ms = loop_now_ms(m->loop);
    timer_cancel(&m->deadline);
    m->ever_ready = true;
    snprintf(status, sizeof status, "serving, worker %ld", (long)m->worker.pid);
    log_info("ready: worker %ld serves", (long)m->worker.pid);
    if (!m->stopping)
        (void)notify_ready(&m->notify, status);
    master_reload_ready(m);
}

static void log_answer(str json)
{
    struct answer a;
    struct diag d;
    if (answer_read(&a, json) != 0)
        return;
    diag_init(&d);
    answer_diags(&a, &d);
    for (unsigned i = 0; i < d.count && i < 50; i++)
        log_error("%.*s", STR_ARG(diag_line(&d.arena, &d.items[i])));
    log_error("%.*s", STR_ARG(a.message));
    diag_fini(&d);
    answer_fini(&a);
}

static void on_failed(struct master *m, str json)
{
    m->told_why = true;
    m->disk_next = !m->from_disk; /* neither way is given up */
    if (!m->ever_ready)
        (void)answer_show(json, m->cli->json);
    else
        log_answer(json);
}

static void on_msg(struct chan *c, struct chan_msg *msg)
{
    struct master *m = c->arg;
    str verb = str_z(msg->verb);
    if (str_eqz(verb, "answer")) {
        on_answer(m, msg);
    } else if (str_eqz(verb, "deposit") && msg->fd >= 0) {
        int fd = msg->fd;
        msg->fd = -1;
        if (m->stopping)
            close(fd);
        else if (deposit_put(&m->deposits, msg->text, fd) != 0)
            log_error("a listening socket could not be kept");
    } else if (str_eqz(verb, "kept") && msg->fd >= 0) {
        if (m->kept >= 0)
            close(m->kept);
        m->kept = msg->fd;
        msg->fd = -1;
    } else if (str_eqz(verb, "withdraw")) {
        char file[DEPOSIT_KEY_MAX];
        const char *path = deposit_file(msg->text, file);
        if (deposit_drop(&m->deposits, msg->text) == 0 && path)
            (void)unlink(path);
    } else if (str_eqz(verb, "ready")) {
        on_ready(m, msg->text);
    } else if (str_eqz(verb, "failed")) {
        on_failed(m, msg->text);
    } else {
        log_error("the worker said '%s', which means nothing", msg->verb);
    }
}

static void on_closed(struct chan *c, const char *why)
{
    struct master *m = c->arg;
    log_debug("the worker's channel: %s", why);
    m->chan_up = false;
    /* It ends, or has lost its mind: give it a moment. */
    if (m->worker.pid > 0 && !timer_is_set(&m->deadline))
        timer_set(m->loop, &m->deadline, STOP_FAST_MS);
}

static void schedule(struct master *m)
{
    uint64_t now = loop_now_ms(m->loop), delay = 0;
    if (m->ready_ms && now - m->ready_ms >= STEADY_MS)
        m->failures = 0;
    if (m->failures) {
        unsigned shift = m->failures - 1 < 10 ? m->failures - 1 : 10;
        delay = (uint64_t)BACKOFF_FIRST_MS << shift;
        if (delay > BACKOFF_LAST_MS)
            delay = BACKOFF_LAST_MS;
    }
    m->failures++;
    m->restarts++;
    m->ready_ms = 0;
    if (delay == 0 && master_worker_start(m) == 0)
        return;
    if (delay)
        log_info("the next worker starts in %llu ms", (unsigned long long)delay);
    timer_set(m->loop, &m->restart, delay ? delay : BACKOFF_FIRST_MS);
}

static void on_worker_end(struct child *c, int status)
{
    struct master *m = CONTAINER_OF(c, struct master, worker);
    char text[80], why[160];
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (m->chan_up)
        ev_invoke(m->loop->ev, &m->chan.rd, EV_READ); /* its last words: why it could not start */
    m->chan_up = false;
    chan_fini(&m->chan);
    timer_cancel(&m->deadline);
    m->state = WORKER_NONE;
    snprintf(why, sizeof why, "the worker ended with %s",
             child_status_text(status, text, sizeof text));
    bool told = (m->stopping && clean) || (m->told_why && !m->ever_ready);
    if (!told)
        log_line(clean ? LOG_WARN : LOG_ERROR, "%s", why);
    fail_asks(m);
    master_reload_died(m, why);
    if (m->stopping) {
        master_finish(m, clean ? 0 : 1);
    } else if (!m->ever_ready) {
        if (!m->told_why)
            (void)answer_show_fail(m->cli->json, NULL, "%s before it served", why);
        master_finish(m, 1);
    } else {
        (void)notify_send(&m->notify, "STATUS=%s, starting another", why);
        schedule(m);
    }
}

static int send_start(struct master *m)
{
    char text[96];
    int rc = 0;
    LIST_EACH(&m->deposits.all, it)
    {
        const struct deposit *d = LIST_ITEM(it, struct deposit, link);
        if (rc == 0)
            rc = chan_send(&m->chan, "deposit", 0, str_z(d->key), d->fd);
    }
    if (rc == 0 && m->kept >= 0)
        rc = chan_send(&m->chan, "kept", 0, STR_NONE, m->kept);
    m->from_disk = m->kept < 0 || m->disk_next || m->reload.wait_ready;
    snprintf(text, sizeof text, "{\"ok\":true,\"restarts\":%llu,\"disk\":%d}",
             (unsigned long long)m->restarts, m->from_disk);
    return rc ? rc : chan_send(&m->chan, "start", 0, str_z(text), -1);
}

int master_worker_start(struct master *m)
{
    static const struct chan_events events = {.msg = on_msg, .closed = on_closed};
    const char *const argv[] = {"sallyport", "-c", m->cli->conf, "worker", "--channel", "3", NULL};
    int fds[2], rc = chan_pair(fds);
    if (rc == 0) {
        const struct child_fd map = {fds[1], 3};
        rc = child_start(&m->children, &m->worker, argv, &map, 1, on_worker_end);
        close(fds[1]);
        if (rc)
            close(fds[0]);
    }
    if (rc) {
        log_error("the worker could not be started: %s", strerror(-rc));
        return E_IO;
    }
    m->state = WORKER_STARTING;
    m->told_why = false;
    m->ready_ms = 0;
    timer_set(m->loop, &m->deadline, START_MS);
    rc = chan_init(&m->chan, m->loop, fds[0], &events, m);
    m->chan_up = rc == 0;
    if (rc == 0)
        rc = send_start(m);
    if (rc) { /* its end comes by signal, and brings the next try */
        log_error("the worker could not be told to start");
        child_kill(&m->worker, SIGKILL);
    }
    return 0;
}

void master_worker_kick(struct master *m)
{
    if (m->state != WORKER_NONE)
        return;
    timer_set(m->loop, &m->restart, 0);
}

void master_worker_stop(struct master *m)
{
    if (m->worker.pid <= 0) {
        master_finish(m, 0);
        return;
    }
    if (m->chan_up)
        (void)chan_send(&m->chan, m->fast ? "quit" : "drain", 0, STR_NONE, -1);
    timer_set(m->loop, &m->deadline, m->fast ? STOP_FAST_MS : m->drain_ms + STOP_EXTRA_MS);
}

void master_worker_fini(struct master *m)
{
    timer_cancel(&m->restart);
    timer_cancel(&m->deadline);
    child_drop(&m->worker);
    chan_fini(&m->chan);
    m->chan_up = false;
    fail_asks(m);
}
