/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of the control socket: answered here, or handed to the worker. */
#include <unistd.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/master.h"

#define STATUS_MS  3000u
#define FORWARD_MS 30000u

void master_ctl_fail(struct master *m, uint64_t ticket, const char *fmt, ...)
{
    char message[512];
    struct text t;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    text_init(&t);
    answer_fail(&t, NULL, "%s", message);
    if (m->ctl)
        (void)ctl_answer(m->ctl, ticket, text_str(&t));
    text_fini(&t);
}

static const char *state_name(const struct master *m)
{
    if (m->stopping)
        return "stopping";
    if (m->state == WORKER_READY)
        return m->reload.running ? "reloading" : "serving";
    return m->state == WORKER_STARTING ? "starting" : "waiting to restart";
}

static void write_status(struct master *m, struct text *t)
{
    uint64_t now = loop_wall_ms();
    answer_open(t);
    json_kv(t, "version", STR(PACKAGE_VERSION));
    json_kv(t, "state", str_z(state_name(m)));
    json_kvi(t, "uptime_s", now > m->started_ms ? (int64_t)((now - m->started_ms) / 1000) : 0);
    json_key(t, "master");
    json_open(t, '{');
    json_kvi(t, "pid", getpid());
    answer_time(t, "started_at", m->started_ms);
    json_kv(t, "socket", str_z(m->socket));
    json_kvi(t, "sockets_kept", m->deposits.count);
    json_close(t, '}');
    json_key(t, "worker");
    json_open(t, '{');
    json_kvi(t, "pid", m->worker.pid > 0 ? m->worker.pid : 0);
    json_kvi(t, "restarts", (int64_t)m->restarts);
    json_kvi(t, "uptime_s",
             m->ready_ms ? (int64_t)((loop_now_ms(m->loop) - m->ready_ms) / 1000) : 0);
    json_close(t, '}');
    json_key(t, "reload");
    json_open(t, '{');
    json_kvi(t, "done", (int64_t)m->reload.done);
    json_kvi(t, "refused", (int64_t)m->reload.failed);
    answer_time(t, "last_at", m->reload.at_ms);
    json_key(t, "last_ok");
    if (m->reload.at_ms)
        json_bool(t, m->reload.ok);
    else
        json_null(t);
    json_kv(t, "last_message", str_z(m->reload.message));
    json_close(t, '}');
}

/* members: of the worker, without braces; empty when it did not answer. */
static void on_status(struct master *m, uint64_t ticket, int status, str members)
{
    struct text t;
    text_init(&t);
    write_status(m, &t);
    if (status == 0 && members.n)
        json_raw(&t, members);
    else
        json_kv(&t, "note",
                status == E_TIMEOUT ? STR("the worker is busy") : STR("no worker is serving"));
    json_close(&t, '}');
    (void)ctl_answer(m->ctl, ticket, text_str(&t));
    text_fini(&t);
}

static void on_forwarded(struct master *m, uint64_t ticket, int status, str answer)
{
    if (status == 0)
        (void)ctl_answer(m->ctl, ticket, answer);
    else if (status == E_TIMEOUT)
        master_ctl_fail(m, ticket, "the worker did not answer within %u s", FORWARD_MS / 1000);
    else
        master_ctl_fail(m, ticket, "the worker died before it could answer");
}

static void do_status(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    (void)req, (void)line;
    if (master_worker_ask(m, "status", STR_NONE, ticket, STATUS_MS, on_status) != 0)
        on_status(m, ticket, E_GONE, STR_NONE);
}

static void do_reload(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    (void)req, (void)line;
    master_reload_request(m, ticket);
}

static void do_stop(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    (void)line;
    master_stop(m, answer_bool(req, "fast"), ticket);
}

static void ask_worker(struct master *m, uint64_t ticket, str line, void (*fn)(struct master *, uint64_t, int, str))
{
    if (master_worker_ask(m, "ask", line, ticket, FORWARD_MS, fn) != 0)
        master_ctl_fail(m, ticket, "no worker is serving at the moment (%s)", state_name(m));
}

static void do_forward(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    (void)req;
    ask_worker(m, ticket, line, on_forwarded);
}

/* What the worker logs from now on is what the master logs. */
static void on_log_level(struct master *m, uint64_t ticket, int status, str answer)
{
    struct answer a;
    if (status == 0 && answer_read(&a, answer) == 0) {
        int level = log_level_of(answer_str(a.root, "level"));
        if (a.ok && level >= 0)
            log_set_level((enum log_level)level);
        answer_fini(&a);
    }
    on_forwarded(m, ticket, status, answer);
}

static void do_log_level(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    (void)req;
    ask_worker(m, ticket, line, on_log_level);
}

static const struct {
    const char *name;
    void (*fn)(struct master *, uint64_t, const struct node *, str);
} requests[] = {
    {"reload", do_reload},     {"status", do_status},   {"stop", do_stop},          {"plugins", do_forward},
    {"upstreams", do_forward}, {"explain", do_forward}, {"log level", do_log_level}, {"command", do_forward},
};

static void unknown_request(struct master *m, uint64_t ticket, str name)
{
    const char *names[ARRAY_LEN(requests)];
    struct text list;
    text_init(&list);
    for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
        names[i] = requests[i].name;
        text_printf(&list, "%s%s", i == 0 ? "" : i + 1 < ARRAY_LEN(requests) ? ", " : " or ", names[i]);
    }
    const char *near = name.n ? diag_nearest(name, names, ARRAY_LEN(names)) : NULL;
    master_ctl_fail(m, ticket, "unknown command '%.*s', expected %.*s%s%s%s", STR_ARG(str_take(name, 40)), STR_ARG(text_str(&list)),
                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    text_fini(&list);
}

static void dispatch(struct master *m, uint64_t ticket, const struct node *req, str line)
{
    str name = answer_str(req, "command");
    for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
        if (!str_eqz(name, requests[i].name))
            continue;
        requests[i].fn(m, ticket, req, line);
        return;
    }
    unknown_request(m, ticket, name);
}

void master_ctl_line(void *arg, uint64_t ticket, str line)
{
    struct master *m = arg;
    const struct node_limits limits = {.depth = 8, .nodes = 1000, .bytes = CTL_REQUEST_MAX};
    struct node_tree *tree = node_tree_new();
    struct diag d;
    diag_init(&d);
    const struct node *req = tree ? node_read_json(tree, &d, "request", line, &limits) : NULL;
    if (req && req->type == NODE_MAP) {
        dispatch(m, ticket, req, line);
    } else if (req) {
        master_ctl_fail(m, ticket, "a request is a JSON object such as {\"command\":\"status\"}");
    } else {
        struct text t;
        text_init(&t);
        answer_fail(&t, &d, "the request is no JSON object such as {\"command\":\"status\"}");
        (void)ctl_answer(m->ctl, ticket, text_str(&t));
        text_fini(&t);
    }
    diag_fini(&d);
    node_tree_free(tree);
}
