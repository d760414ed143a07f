/* SPDX-License-Identifier: Apache-2.0 */
/* The process's pipeline: what exists once, made and taken down. */
#include "pipeline/pipeline.h"

#include "base/mem.h"
#include "base/shortage.h"
#include "pipeline/exchange.h"
#include "pipeline/host.h"
#include "pipeline/host_x.h"
#include "pipeline/metric.h"
#include "pipeline/snapshot.h"

#define MAX_SERIES 20000

static const double latency_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

static void define_metrics(struct pipeline *p)
{
    static const char *const request[] = {"api", "stage", "method", "route", "code"};
    static const char *const stage[] = {"api", "stage"};
    static const char *const entry[] = {"plugin", "entry"};
    struct metrics *m = p->metrics;

    p->m_requests = metric_define(m, METRIC_COUNTER, "sallyport_requests_total", "Requests by API, stage, route template and class of status.",
                                  request, 5, NULL, 0);
    p->m_latency = metric_define(m, METRIC_HISTOGRAM, "sallyport_request_duration_seconds",
                                 "From the first byte of the request to the last byte of the answer.", stage, 2, latency_buckets,
                                 ARRAY_LEN(latency_buckets));
    p->m_integration = metric_define(m, METRIC_HISTOGRAM, "sallyport_integration_duration_seconds",
                                     "From the call of the integration to the end of its answer's head.", stage, 2, latency_buckets,
                                     ARRAY_LEN(latency_buckets));
    p->m_misuse = metric_define(m, METRIC_COUNTER, "sallyport_plugin_misuse_total", "Breaches of the plugin ABI's rules.", entry, 2, NULL, 0);
    p->m_shadow = metric_define(m, METRIC_COUNTER, "sallyport_plugin_shadow_total", "Answers that an entry in shadow mode would have given.",
                                entry, 2, NULL, 0);
    p->m_allowed = metric_define(m, METRIC_COUNTER, "sallyport_plugin_allowed_errors_total",
                                 "Failures of hooks that requests went on past (on_error: allow).", entry, 2, NULL, 0);
}

static void sample(struct text *out, const char *name, const char *type, const char *help, double v)
{
    static const char *const none[] = {NULL};

    metric_head(out, name, type, help);
    metric_sample(out, name, v, none);
}

/* What can be short where; other pairs are not shown. */
static const struct {
    enum shortage what;
    enum shortage_at at;
} pairs[] = {{SHORT_CONNECTIONS, SHORT_AT_ACCEPT}, {SHORT_DESCRIPTORS, SHORT_AT_ACCEPT}, {SHORT_KERNEL, SHORT_AT_ACCEPT},
             {SHORT_MEMORY, SHORT_AT_ACCEPT},      {SHORT_DESCRIPTORS, SHORT_AT_CONNECT}, {SHORT_KERNEL, SHORT_AT_CONNECT},
             {SHORT_PORTS, SHORT_AT_CONNECT},      {SHORT_MEMORY, SHORT_AT_REQUEST},     {SHORT_HEAP, SHORT_AT_ACCEPT},
             {SHORT_HEAP, SHORT_AT_REQUEST},       {SHORT_HEAP, SHORT_AT_LOOP}};

static void shortages(struct text *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++)
        metric_sample(out, "sallyport_shortages_total", (double)shortage_count(pairs[i].what, pairs[i].at),
                      (const char *const[]){"resource", shortage_names[pairs[i].what], "at", shortage_places[pairs[i].at], NULL});
}

/* Counters of the http floor and of the threads. */
static void collect(void *arg, struct text *out)
{
    struct pipeline *p = arg;
    struct srv_stats sum = {0};
    uint64_t requests = 0, no_api = 0;

    for (unsigned i = 1; i < LOOP_MAX; i++) {
        const struct srv_stats *s = p->thr[i] ? srv_thread_stats(p->thr[i]->srv) : NULL;
        if (!s)
            continue;
        requests += atomic_load_explicit(&p->thr[i]->requests, memory_order_relaxed);
        no_api += atomic_load_explicit(&p->thr[i]->no_api, memory_order_relaxed);
        sum.connections += s->connections;
        sum.active += s->active + s->idle;
        sum.bytes_in += s->bytes_in;
        sum.bytes_out += s->bytes_out;
        sum.timeouts_header += s->timeouts_header;
        sum.timeouts_idle += s->timeouts_idle;
        sum.timeouts_body += s->timeouts_body;
        sum.timeouts_write += s->timeouts_write;
        sum.timeouts_half += s->timeouts_half;
        for (unsigned k = 0; k < ARRAY_LEN(sum.bad); k++)
            sum.bad[k] += s->bad[k];
        sum.proxied += s->proxied;
        for (unsigned k = 0; k < ARRAY_LEN(sum.proxied_bad); k++)
            sum.proxied_bad[k] += s->proxied_bad[k];
    }
    sample(out, "sallyport_connections_total", "counter", "Client connections accepted.", (double)sum.connections);
    sample(out, "sallyport_connections", "gauge", "Client connections open now.", (double)sum.active);
    sample(out, "sallyport_buffer_bytes", "gauge", "Bytes that exchanges and bodies hold, with what is kept for reuse.", (double)mem_held());
    metric_head(out, "sallyport_shortages_total", "counter",
                "How often something had to wait or was refused because the machine, or a limit, had no more to give.");
    shortages(out);
    sample(out, "sallyport_received_requests_total", "counter", "Requests received, refused ones included.", (double)requests);
    sample(out, "sallyport_unknown_host_requests_total", "counter", "Requests that no API and stage answers.", (double)no_api);
    sample(out, "sallyport_received_bytes_total", "counter", "Bytes read from clients.", (double)sum.bytes_in);
    sample(out, "sallyport_sent_bytes_total", "counter", "Bytes written to clients.", (double)sum.bytes_out);
    metric_head(out, "sallyport_refused_requests_total", "counter", "Requests refused by the protocol, by status.");
    static const char *const statuses[] = {"400", "408", "413", "414", "417", "431", "501", "505"};
    for (unsigned k = 0; k < ARRAY_LEN(sum.bad); k++)
        metric_sample(out, "sallyport_refused_requests_total", (double)sum.bad[k], (const char *const[]){"status", statuses[k], NULL});
    sample(out, "sallyport_proxy_protocol_connections_total", "counter", "Connections that began with a PROXY header.", (double)sum.proxied);
    metric_head(out, "sallyport_proxy_protocol_refused_total", "counter", "Connections closed for want of a PROXY header, by reason.");
    static const char *const reasons[] = {"untrusted", "missing", "malformed", "timeout"};
    for (unsigned k = 0; k < ARRAY_LEN(sum.proxied_bad); k++)
        metric_sample(out, "sallyport_proxy_protocol_refused_total", (double)sum.proxied_bad[k], (const char *const[]){"reason", reasons[k], NULL});
    metric_head(out, "sallyport_client_timeouts_total", "counter", "Client connections that ran out of time, by what for.");
    const uint64_t timeouts[] = {sum.timeouts_header, sum.timeouts_idle, sum.timeouts_body, sum.timeouts_write, sum.timeouts_half};
    static const char *const kinds[] = {"header", "idle", "body", "write", "half_closed"};
    for (unsigned k = 0; k < ARRAY_LEN(timeouts); k++)
        metric_sample(out, "sallyport_client_timeouts_total", (double)timeouts[k], (const char *const[]){"timeout", kinds[k], NULL});
}

static void handshakes(struct text *out, const char *side, const struct tls_stats *s)
{
    const char *name = "sallyport_tls_handshakes_total";

    metric_sample(out, name, (double)s->v12, (const char *const[]){"side", side, "version", "1.2", NULL});
    metric_sample(out, name, (double)s->v13, (const char *const[]){"side", side, "version", "1.3", NULL});
}

static void failures(struct text *out, const char *side, const struct tls_stats *s)
{
    for (unsigned i = 0; i < TLS_CAUSES; i++)
        metric_sample(out, "sallyport_tls_failed_handshakes_total", (double)s->failed[i],
                      (const char *const[]){"side", side, "cause", tls_cause_names[i], NULL});
}

static void collect_tls(void *arg, struct text *out)
{
    const struct pipeline *p = arg;
    const struct tls_stats *in = &p->tls, *to = upstreams_tls(p->upstreams);
    const char *resumed = "sallyport_tls_resumed_total";

    metric_head(out, "sallyport_tls_handshakes_total", "counter", "TLS handshakes that went through, by side and version.");
    handshakes(out, "client", in);
    handshakes(out, "upstream", to);
    metric_head(out, resumed, "counter", "Of these, resumed sessions.");
    metric_sample(out, resumed, (double)in->resumed, (const char *const[]){"side", "client", NULL});
    metric_sample(out, resumed, (double)to->resumed, (const char *const[]){"side", "upstream", NULL});
    metric_head(out, "sallyport_tls_failed_handshakes_total", "counter", "TLS handshakes that failed, by side and cause.");
    failures(out, "client", in);
    failures(out, "upstream", to);
}

static void collect_upstreams(void *arg, struct text *out)
{
    upstreams_metrics(((struct pipeline *)arg)->upstreams, out);
}

static void register_variables(struct pipeline *p)
{
    for (unsigned i = 0; var_builtin_names[i]; i++)
        host_variable_builtin(p->modules, var_builtin_names[i]);
}

struct pipeline *pipeline_new(const struct pipeline_conf *conf, struct loop *main)
{
    struct pipeline *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    map_init(&p->confs, false);
    map_init(&p->refused, true);
    p->main = main;
    p->threads = conf->threads;
    p->breadcrumb = conf->breadcrumb;
    p->metrics = metrics_new(MAX_SERIES);
    p->upstreams = upstreams_new(conf->threads);
    p->gate = conn_gate_new();
    p->tickets = tls_tickets_new();
    p->modules = calloc(1, sizeof(*p->modules));
    if (p->modules && module_registry_init(p->modules, host_tables(conf->version), p->metrics, p->upstreams, conf->version) != 0) {
        free(p->modules);
        p->modules = NULL;
    }
    if (!p->metrics || !p->upstreams || !p->gate || !p->tickets || !p->modules) {
        pipeline_free(p);
        return NULL;
    }
    register_variables(p);
    define_metrics(p);
    if (metric_collector(p->metrics, collect, p) != 0 || metric_collector(p->metrics, collect_tls, p) != 0 || metric_collector(p->metrics, collect_upstreams, p) != 0) {
        pipeline_free(p);
        return NULL;
    }
    host_thread_enter(p->metrics, 0);
    return p;
}

void pipeline_free(struct pipeline *p)
{
    struct snapshot *s = p->current;

    p->current = NULL;
    p->main = NULL; /* from here on what is released last is freed at once */
    snapshot_unref(s);
    if (p->modules)
        module_registry_fini(p->modules);
    free(p->modules);
    if (p->upstreams)
        upstreams_free(p->upstreams);
    if (p->metrics)
        metrics_free(p->metrics);
    conn_gate_unref(p->gate);
    tls_tickets_free(p->tickets);
    map_fini(&p->confs);
    map_fini(&p->refused);
    host_thread_leave();
    free(p);
}

struct metrics *pipeline_metrics(struct pipeline *p)
{
    return p->metrics;
}

struct upstreams *pipeline_upstreams(struct pipeline *p)
{
    return p->upstreams;
}

struct module_registry *pipeline_modules(struct pipeline *p)
{
    return p->modules;
}

const struct snapshot *pipeline_current(const struct pipeline *p)
{
    return p->current;
}

/* Those that there were. */
static void shortages_json(struct text *json)
{
    json_key(json, "shortages");
    json_open(json, '[');
    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
        uint64_t n = shortage_count(pairs[i].what, pairs[i].at);

        if (!n)
            continue;
        json_open(json, '{');
        json_kv(json, "resource", str_z(shortage_names[pairs[i].what]));
        json_kv(json, "at", str_z(shortage_places[pairs[i].at]));
        json_kvi(json, "times", (int64_t)n);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void pipeline_status(struct pipeline *p, struct text *json)
{
    uint64_t requests = 0, connections = 0, exchanges = 0;

    for (unsigned i = 1; i < LOOP_MAX; i++) {
        if (!p->thr[i])
            continue;
        requests += atomic_load_explicit(&p->thr[i]->requests, memory_order_relaxed);
        connections += srv_thread_active(p->thr[i]->srv);
        exchanges += atomic_load_explicit(&p->thr[i]->exchanges, memory_order_relaxed);
    }
    json_kvi(json, "connections", (int64_t)connections);
    if (p->current) {
        int64_t most = snapshot_gateway(p->current)->limits.connections;

        json_kvi(json, "connections_max", p->max_connections && most > p->max_connections ? p->max_connections : most);
    }
    json_kvi(json, "buffer_bytes", (int64_t)mem_held());
    shortages_json(json);
    json_kvi(json, "exchanges", (int64_t)exchanges);
    json_kvi(json, "requests", (int64_t)requests);
    json_kvi(json, "publications", (int64_t)p->published);
    json_kvi(json, "units", atomic_load(&p->units_live));
    if (p->current)
        json_kvi(json, "units_reused", p->current->reused);
}

bool pipeline_ready(struct pipeline *p, struct text *why)
{
    if (!p->current) {
        if (why)
            text_addz(why, "no conf is published\n");
        return false;
    }
    upstreams_ready(p->upstreams, why);
    return true;
}
