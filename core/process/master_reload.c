/* SPDX-License-Identifier: Apache-2.0 */
/* Reload as the master sees it: a trial in its own process, then the worker, then one answer for
 * everybody who waits. */
#include <errno.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/master.h"

#define RELOAD_MS     120000u
#define LOG_LINES_MAX 50u

static void begin(struct master *m);

/* Who came by signal reads the log. */
static void log_result(const struct answer *a)
{
    struct diag d;
    diag_init(&d);
    answer_diags(a, &d);
    for (unsigned i = 0; i < d.count && i < LOG_LINES_MAX; i++) {
        enum log_level level = d.items[i].level == DIAG_ERROR ? LOG_ERROR : LOG_WARN;
        log_line(level, "%.*s", STR_ARG(diag_line(&d.arena, &d.items[i])));
    }
    if (d.count > LOG_LINES_MAX)
        log_error("%u more are not logged; `sallyport check` shows all", d.count - LOG_LINES_MAX);
    diag_fini(&d);
}

static void remember(struct master *m, const struct answer *a)
{
    struct master_reload *r = &m->reload;
    r->ok = a->ok;
    r->at_ms = loop_wall_ms();
    snprintf(r->message, sizeof r->message, "%.*s", STR_ARG(a->message));
    if (a->ok)
        r->done++;
    else
        r->failed++;
    log_result(a);
    if (a->ok)
        log_info("reload: %s", r->message[0] ? r->message : "done");
    else
        log_error("reload refused: %s; the conf before it goes on", r->message);
}

static void finish(struct master *m, str json)
{
    struct master_reload *r = &m->reload;
    struct answer a;
    r->running = r->wait_ready = false;
    r->trial = NULL;
    if (answer_read(&a, json) == 0) {
        remember(m, &a);
        if (!a.ok && m->chan_up)
            (void)chan_send(&m->chan, "refused", 0, STR_NONE, -1); /* for its metrics */
        answer_fini(&a);
    }
    if (!m->stopping)
        (void)notify_ready(&m->notify, r->ok ? "serving" : "serving; the last reload was refused");
    while (!list_empty(&r->now)) {
        struct master_waiter *w = LIST_ITEM(r->now.next, struct master_waiter, link);
        if (w->ticket)
            (void)ctl_answer(m->ctl, w->ticket, json);
        list_del(&w->link);
        free(w);
    }
    if (!list_empty(&r->next) && !m->stopping)
        begin(m);
}

static void fail(struct master *m, const char *what, const char *more)
{
    struct text t;
    text_init(&t);
    answer_fail(&t, NULL, "%s%s", what, more);
    finish(m, text_str(&t));
    text_fini(&t);
}

static void on_worker_answer(struct master *m, uint64_t ticket, int status, str json)
{
    struct answer a;
    (void)ticket;
    if (status == E_GONE)
        return; /* master_reload_died tells why */
    if (status) {
        fail(m, "the worker did not answer in time", "");
        return;
    }
    if (answer_read(&a, json) == 0) {
        m->drain_ms = (unsigned)answer_int(a.root, "drain_ms", m->drain_ms);
        if (a.ok)
            master_log_conf(json);
        answer_fini(&a);
    }
    finish(m, json);
}

static void on_trial(void *arg, str json)
{
    struct master *m = arg;
    struct answer a;
    m->reload.trial = NULL;
    bool ok = answer_read(&a, json) == 0 && a.ok;
    answer_fini(&a);
    if (!ok) {
        finish(m, json);
        return;
    }
    int rc = master_worker_ask(m, "reload", STR_NONE, 0, RELOAD_MS, on_worker_answer);
    if (rc == E_GONE) { /* it is being started, or waits for its start */
        m->reload.wait_ready = true;
        master_worker_kick(m);
    } else if (rc) {
        fail(m, "the worker could not be asked", "");
    }
}

static void begin(struct master *m)
{
    struct master_reload *r = &m->reload;
    int err;
    while (!list_empty(&r->next)) {
        struct list *it = r->next.next;
        list_del(it);
        list_push(&r->now, it);
    }
    r->running = true;
    (void)notify_reloading(&m->notify);
    r->trial = trial_start(&m->children, m->cli->conf, 0, on_trial, m, &err);
    if (!r->trial)
        fail(m, "the trial process could not be started: ", strerror(-err));
}

void master_reload_request(struct master *m, uint64_t ticket)
{
    struct master_waiter *w;
    if (m->stopping || !m->ever_ready) {
        const char *why = m->stopping ? "the gateway is stopping" : "the gateway is still starting";
        if (ticket)
            master_ctl_fail(m, ticket, "%s", why);
        else
            log_warn("no reload: %s", why);
        return;
    }
    w = calloc(1, sizeof *w);
    if (!w) {
        if (ticket)
            master_ctl_fail(m, ticket, "out of memory");
        return;
    }
    w->ticket = ticket;
    list_push(&m->reload.next, &w->link);
    if (!m->reload.running)
        begin(m);
}

void master_reload_ready(struct master *m)
{
    struct text t;
    if (!m->reload.wait_ready)
        return;
    if (!m->from_disk) { /* it was on its way already, with the conf before */
        m->reload.wait_ready = false;
        if (master_worker_ask(m, "reload", STR_NONE, 0, RELOAD_MS, on_worker_answer) != 0)
            fail(m, "the worker could not be asked", "");
        return;
    }
    text_init(&t);
    answer_open(&t);
    json_kv(&t, "message", STR("a new worker serves with this conf"));
    json_close(&t, '}');
    finish(m, text_str(&t));
    text_fini(&t);
}

void master_reload_died(struct master *m, const char *why)
{
    if (!m->reload.running || m->reload.trial)
        return; /* a trial that runs is not concerned */
    if (m->reload.wait_ready && !m->from_disk && !m->stopping)
        return; /* the next one reads the disk */
    fail(m, why, " while it took the conf over");
}

void master_reload_fini(struct master *m)
{
    struct master_reload *r = &m->reload;
    if (r->trial)
        trial_cancel(r->trial);
    r->trial = NULL;
    while (!list_empty(&r->next)) {
        struct list *it = r->next.next;
        list_del(it);
        list_push(&r->now, it);
    }
    if (r->running || !list_empty(&r->now))
        fail(m, "the gateway has stopped", "");
}
