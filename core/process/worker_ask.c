/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker tells: its part of the status, its own metrics, and answers to plugins, explain
 * and command. */
#include <unistd.h>

#include "base/log.h"
#include "pipeline/metric.h"
#include "pipeline/module.h"
#include "pipeline/upstream.h"
#include "process/answer.h"
#include "process/worker.h"

#define ARGS_MAX 64

static uint64_t accepted(const struct wlistener *wl)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < wl->nsockets; i++)
        n += __atomic_load_n(&wl->sockets[i].l.accepted, __ATOMIC_RELAXED);
    return n;
}

static uint64_t limited(const struct wlistener *wl)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < wl->nsockets; i++)
        n += __atomic_load_n(&wl->sockets[i].limited, __ATOMIC_RELAXED);
    return n;
}

static uint64_t failures(const struct wlistener *wl)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < wl->nsockets; i++)
        n += __atomic_load_n(&wl->sockets[i].l.failed, __ATOMIC_RELAXED);
    return n;
}

static void listeners_json(struct worker *w, struct text *t)
{
    json_key(t, "listeners");
    json_open(t, '[');
    LIST_EACH(&w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        json_open(t, '{');
        json_kv(t, "address", str_z(wl->text));
        json_kvi(t, "sockets", wl->nfds);
        json_kvi(t, "accepted", (int64_t)accepted(wl));
        json_kvi(t, "open", pipeline_listener_open(w->pipeline, str_z(wl->text)));
        json_kvi(t, "limited", (int64_t)limited(wl));
        json_close(t, '}');
    }
    json_close(t, ']');
}

/* A finished value that somebody else wrote. */
static void json_value(struct text *t, const char *key, struct text *value)
{
    json_key(t, key);
    if (value->failed || value->n == 0)
        json_null(t);
    else
        json_raw(t, text_str(value));
}

static void conf_json(struct worker *w, const struct gateway *g, struct text *t)
{
    char hash[24];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)g->hash);
    json_key(t, "conf");
    json_open(t, '{');
    json_kv(t, "file", str_z(w->cli->conf));
    json_kv(t, "hash", str_z(hash));
    answer_time(t, "loaded_at", w->loaded_ms);
    json_kv(t, "source", w->serves_kept ? STR("kept") : STR("disk"));
    json_kvi(t, "apis", g->api_count);
    json_kvi(t, "routes", snapshot_routes(pipeline_current(w->pipeline)));
    json_close(t, '}');
}

void worker_status(struct worker *w, struct text *t)
{
    const struct snapshot *snap = w->pipeline ? pipeline_current(w->pipeline) : NULL;
    struct text part;
    if (!snap)
        return;
    conf_json(w, snapshot_gateway(snap), t);
    json_kvi(t, "threads", w->thread_count);
    json_key(t, "draining");
    json_bool(t, w->draining);
    listeners_json(w, t);
    pipeline_status(w->pipeline, t);
    json_key(t, "upstreams");
    upstreams_status(pipeline_upstreams(w->pipeline), t);
    text_init(&part);
    pipeline_plugins(w->pipeline, true, &part);
    json_value(t, "plugins", &part);
    text_fini(&part);
}

static void metric_one(struct text *t, const char *name, const char *type, const char *help,
                       double value)
{
    const char *const none[] = {NULL};
    metric_head(t, name, type, help);
    metric_sample(t, name, value, none);
}

static void by_listener(struct worker *w, struct text *t, const char *name, const char *type,
                        const char *help, uint64_t (*value)(const struct wlistener *))
{
    metric_head(t, name, type, help);
    LIST_EACH(&w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        const char *const labels[] = {"listener", wl->text, NULL};
        metric_sample(t, name, (double)value(wl), labels);
    }
}

void worker_metrics(void *arg, struct text *t)
{
    struct worker *w = arg;
    const char *const version[] = {"version", PACKAGE_VERSION, NULL};
    const char *const ok[] = {"result", "ok", NULL}, *const refused[] = {"result", "refused", NULL};
    metric_head(t, "sallyport_build_info", "gauge",
                "1; the version of the gateway stands in the label.");
    metric_sample(t, "sallyport_build_info", 1, version);
    metric_one(t, "sallyport_process_start_time_seconds", "gauge",
               "When the worker started, in seconds since 1970.", (double)w->started_ms / 1000.0);
    metric_one(t, "sallyport_worker_restarts_total", "counter",
               "Workers that were started after one that had ended unbidden.", (double)w->restarts);
    metric_one(t, "sallyport_threads", "gauge", "Traffic threads.", w->thread_count);
    metric_one(t, "sallyport_config_loaded_timestamp_seconds", "gauge",
               "When the conf in service was loaded, in seconds since 1970.",
               (double)w->loaded_ms / 1000.0);
    metric_one(t, "sallyport_config_reload_failed", "gauge", "1 when the last reload was refused.",
               w->last_refused);
    metric_head(t, "sallyport_config_reloads_total", "counter",
                "Reloads by result, since the worker started.");
    metric_sample(t, "sallyport_config_reloads_total", (double)w->reloads, ok);
    metric_sample(t, "sallyport_config_reloads_total", (double)w->refused, refused);
    by_listener(w, t, "sallyport_accepted_connections_total", "counter",
                "Connections accepted by listener.", accepted);
    by_listener(w, t, "sallyport_connection_limit_reached_total", "counter",
                "How often a listener paused because limits.connections were reached.", limited);
    by_listener(w, t, "sallyport_accept_failures_total", "counter",
                "Connections that could not be accepted: no descriptors or memory, or gone already.", failures);
}

/* Questions */
static unsigned strings(const struct node *list, str *out, unsigned max)
{
    unsigned n = 0;
    for (; list && list->type == NODE_LIST && n < list->count && n < max; n++) {
        if (list->items[n]->type != NODE_STRING)
            break;
        out[n] = list->items[n]->text;
    }
    return n;
}

static void do_plugins(struct worker *w, const struct node *req, struct text *t)
{
    struct text part;
    (void)req;
    text_init(&part);
    pipeline_plugins(w->pipeline, true, &part);
    answer_open(t);
    json_value(t, "plugins", &part);
    json_close(t, '}');
    text_fini(&part);
}

static void do_explain(struct worker *w, const struct node *req, struct text *t)
{
    str headers[ARGS_MAX], method = answer_str(req, "method"), url = answer_str(req, "url");
    unsigned n = strings(node_getz(req, "headers"), headers, ARGS_MAX);
    struct text part;
    if (str_empty(method) || str_empty(url)) {
        answer_fail(t, NULL, "explain wants \"method\" and \"url\"");
        return;
    }
    text_init(&part);
    int rc = pipeline_explain(pipeline_current(w->pipeline), method, url, headers, n, true, &part);
    if (rc && rc != E_NONE) {
        answer_fail(t, NULL, "%s",
                    rc == E_NOMEM ? "out of memory" : "the method, URL or a header is malformed");
    } else {
        json_open(t, '{');
        json_key(t, "ok");
        json_bool(t, rc == 0);
        if (rc)
            json_kv(t, "message", STR("nothing answers this request"));
        json_value(t, "explain", &part);
        json_close(t, '}');
    }
    text_fini(&part);
}

static void do_command(struct worker *w, const struct node *req, struct text *t)
{
    str args[ARGS_MAX], plugin = answer_str(req, "plugin"), name = answer_str(req, "name");
    unsigned n = strings(node_getz(req, "args"), args, ARGS_MAX);
    struct text part;
    text_init(&part);
    int rc = module_command_run(pipeline_modules(w->pipeline), plugin, name, args, n, &part);
    if (rc == E_NONE) {
        answer_fail(t, NULL, "no plugin '%.*s' with a command '%.*s'",
                    STR_ARG(str_take(plugin, 64)), STR_ARG(str_take(name, 64)));
    } else if (rc) {
        answer_fail(t, NULL, "%.*s %.*s failed%s%.*s", STR_ARG(plugin), STR_ARG(name),
                    part.n ? ": " : "", STR_ARG(str_take(text_str(&part), 800)));
    } else {
        answer_open(t);
        json_value(t, "result", &part);
        json_close(t, '}');
    }
    text_fini(&part);
}

static void do_upstreams(struct worker *w, const struct node *req, struct text *t)
{
    (void)req;
    answer_open(t);
    json_key(t, "upstreams");
    upstreams_status(pipeline_upstreams(w->pipeline), t);
    json_close(t, '}');
}

/* Until a conf is taken into service, which has a level of its own. */
static void do_log_level(struct worker *w, const struct node *req, struct text *t)
{
    const struct node *level = node_getz(req, "level");
    (void)w;
    if (level) {
        int to = log_level_of(level->type == NODE_STRING ? level->text : STR(""));
        if (to < 0) {
            answer_fail(t, NULL, "unknown log level '%.*s', expected error, warn, info or debug", STR_ARG(str_take(level->text, 40)));
            return;
        }
        log_info("log level: %.*s until the next reload", STR_ARG(level->text));
        log_set_level((enum log_level)to);
    }
    answer_open(t);
    json_kv(t, "level", str_z(log_level_name(log_get_level())));
    json_close(t, '}');
}

static const struct {
    const char *name;
    void (*fn)(struct worker *, const struct node *, struct text *);
} questions[] = {
    {"plugins", do_plugins}, {"explain", do_explain}, {"command", do_command},
    {"upstreams", do_upstreams}, {"log level", do_log_level},
};

static void answer_request(struct worker *w, const struct node *req, struct text *t)
{
    str name = answer_str(req, "command");
    if (!w->serving) {
        answer_fail(t, NULL, "the worker is still starting");
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(questions); i++) {
        if (!str_eqz(name, questions[i].name))
            continue;
        questions[i].fn(w, req, t);
        return;
    }
    answer_fail(t, NULL, "unknown command '%.*s'", STR_ARG(str_take(name, 40)));
}

void worker_ask(struct worker *w, uint64_t id, str line)
{
    const struct node_limits limits = {.depth = 8, .nodes = 1000, .bytes = 1u << 20};
    struct node_tree *tree = node_tree_new();
    struct text t;
    struct diag d;
    text_init(&t);
    diag_init(&d);
    const struct node *req = tree ? node_read_json(tree, &d, "request", line, &limits) : NULL;
    if (req)
        answer_request(w, req, &t);
    else
        answer_fail(&t, &d, "the request is malformed");
    worker_answer(w, "answer", id, &t, false);
    diag_fini(&d);
    text_fini(&t);
    node_tree_free(tree);
}
