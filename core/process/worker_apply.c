/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the conf on disk into service, at the start and on reload: load, compile, bind, publish,
 * accept. What fails before the publication changes nothing. */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"
#include "pipeline/metric.h"
#include "process/answer.h"
#include "process/files.h"
#include "process/kept.h"
#include "process/privilege.h"
#include "process/status_http.h"
#include "process/worker.h"

struct apply {
    struct worker *w;
    uint64_t id;
    bool first;
    struct diag diag;
    struct keep *keep; /* the files that it reads, or that the worker before us has read */
    struct snapshot *snap;
    struct files files;
    unsigned routes, reused, apis;
    uint64_t t0_ns;
};

static void end(struct apply *a)
{
    struct worker *w = a->w;
    diag_fini(&a->diag);
    keep_free(a->keep);
    w->applying = NULL;
    free(a);
    if (w->stop_wanted)
        worker_stop(w, w->stop_fast);
}

static void refuse(struct apply *a, const char *message)
{
    struct worker *w = a->w;
    struct text t;
    if (a->snap)
        snapshot_free(a->snap);
    a->snap = NULL;
    text_init(&t);
    diag_sort(&a->diag);
    answer_fail(&t, &a->diag, "%s", message);
    worker_answer(w, a->first ? "failed" : "answer", a->id, &t, false);
    text_fini(&t);
    if (a->first) {
        if (w->chan_up)
            (void)chan_drain(&w->chan, 2000);
        worker_end(w, 1);
    } else {
        w->refused++;
        w->last_refused = true;
    }
    end(a);
}

static void refuse_conf(struct apply *a)
{
    char message[64];
    snprintf(message, sizeof message, "%u error%s", a->diag.errors, a->diag.errors == 1 ? "" : "s");
    refuse(a, message);
}

static void write_answer(struct apply *a, struct text *t)
{
    const struct gateway *g = snapshot_gateway(pipeline_current(a->w->pipeline));
    char message[160];
    snprintf(message, sizeof message, "%u APIs (%u unchanged), %u routes, %u plugins in %llu ms",
             a->apis, a->reused, a->routes, g->plugin_count,
             (unsigned long long)((loop_now_ns() - a->t0_ns) / 1000000u));
    answer_open(t);
    json_kv(t, "message", str_z(message));
    json_kvi(t, "drain_ms", a->w->drain_ms);
    json_kvi(t, "apis", a->apis);
    json_kvi(t, "routes", a->routes);
    json_kvi(t, "reused", a->reused);
    json_key(t, "log");
    json_open(t, '{');
    json_kv(t, "level", g->log_level);
    json_kv(t, "format", g->log_format);
    json_kv(t, "to", g->log_to);
    json_close(t, '}');
    answer_warnings(t, &a->diag);
    json_close(t, '}');
}

/* For the worker that may have to follow us. */
static void hand_over(struct apply *a)
{
    struct worker *w = a->w;
    w->serves_kept = keep_replays(a->keep);
    if (w->serves_kept)
        return; /* the master has it */
    int fd = kept_write(a->keep);
    if (fd < 0) {
        log_error("the conf could not be kept: a worker that follows reads it from the disk");
        return;
    }
    worker_say(w, "kept", 0, STR_NONE, fd);
    close(fd);
}

/* Every thread listens as the new conf says. */
static void on_listening(struct worker *w, void *arg)
{
    struct apply *a = arg;
    struct text t;
    worker_listen_commit(w);
    status_http_commit(w->status);
    w->loaded_ms = loop_wall_ms();
    w->last_refused = false;
    w->serving = true;
    hand_over(a);
    if (!a->first)
        w->reloads++;
    text_init(&t);
    write_answer(a, &t);
    worker_answer(w, a->first ? "ready" : "answer", a->id, &t, true);
    text_fini(&t);
    end(a);
}

static int reconf_log(const struct gateway *g, bool first)
{
    char to[512];
    int level = log_level_of(g->log_level);
    snprintf(to, sizeof to, "%.*s", STR_ARG(g->log_to));
    const struct log_conf c = {.level = level < 0 ? LOG_INFO : (enum log_level)level,
                               .format = str_eqz(g->log_format, "json") ? LOG_JSON : LOG_TEXT,
                               .to = to,
                               .name = "worker"};
    return first ? log_start(&c) : log_reconf(&c);
}

static void on_published(void *arg, int status, const char *why)
{
    struct apply *a = arg;
    struct worker *w = a->w;
    a->snap = NULL; /* the pipeline's, or gone */
    if (status) {
        worker_listen_cancel(w);
        status_http_cancel(w->status);
        refuse(a, why ? why : "the new conf could not be published");
        return;
    }
    const struct gateway *g = snapshot_gateway(pipeline_current(w->pipeline));
    w->drain_ms = (unsigned)g->timeouts.drain;
    mem_bound((size_t)g->limits.memory);
    sock_set_ceiling(a->files.ceiling);
    if (reconf_log(g, false) != 0)
        log_error("the log cannot be opened anew: %s", strerror(errno));
    if (worker_each(w, worker_listen_thread, on_listening, a) != 0)
        refuse(a, "out of memory");
}

static void publish(struct worker *w, void *arg)
{
    struct apply *a = arg;
    struct snapshot *snap = a->snap;
    for (unsigned i = 0; i < w->thread_count; i++) {
        if (!w->threads[i].started) {
            refuse(a, "a traffic thread could not be prepared: out of memory");
            return;
        }
    }
    a->routes = snapshot_routes(snap);
    a->reused = snapshot_units_reused(snap);
    a->apis = snapshot_gateway(snap)->api_count;
    int rc = pipeline_publish(w->pipeline, snap, on_published, a);
    if (rc == 0)
        return; /* on_published ends it, or has already */
    worker_listen_cancel(w);
    status_http_cancel(w->status);
    refuse(a, "the new conf could not be published");
}

static void thread_begin(struct wthread *t, void *arg)
{
    (void)arg;
    t->started = pipeline_thread_start(t->w->pipeline, t->loop) == 0;
}

static struct files share(const struct worker *w, const struct gateway *g)
{
    unsigned threads = w->thread_count;
    return files_share(privilege_files(), threads, 1 + g->listener_count * (threads ? threads : 1)); /* 1: the status listener's */
}

/* The first conf decides how many threads there are. */
static bool prepare(struct apply *a, const struct gateway *g)
{
    struct worker *w = a->w;
    unsigned n = g->threads ? g->threads : worker_cores();
    const struct pipeline_conf pc = {.threads = n > LOOP_MAX - 1 ? LOOP_MAX - 1 : n,
                                     .version = PACKAGE_VERSION};
    if (reconf_log(g, true) != 0) {
        diag_error(&a->diag, (struct diag_at){.file = w->cli->conf}, "log.to", NULL,
                   "the log cannot be opened: %s", strerror(errno));
        refuse_conf(a);
        return false;
    }
    if (n > pc.threads)
        log_warn("%u threads were asked for; %u are the most", n, pc.threads);
    w->pipeline = pipeline_new(&pc, w->loop);
    int rc = w->pipeline ? worker_threads_start(w, pc.threads) : -ENOMEM;
    if (rc == 0)
        rc = metric_collector(pipeline_metrics(w->pipeline), worker_metrics, w) ? -ENOMEM : 0;
    if (rc == 0)
        return true;
    char message[128];
    snprintf(message, sizeof message, "%u traffic threads cannot be started: %s", pc.threads,
             strerror(-rc));
    refuse(a, message);
    return false;
}

/* Not a matter of `check`, which may run on another machine, or with another limit. */
static void share_descriptors(struct apply *a, const struct gateway *g)
{
    const struct files f = share(a->w, g);
    char why[320];
    a->files = f;
    pipeline_bound(a->w->pipeline, f.connections);
    if (g->limits.connections <= f.connections)
        return;
    snprintf(why, sizeof why,
             "%lld connections, as many to backends and %llu for the rest need %llu descriptors; this "
             "process may have %llu, so that %u connections are taken at one time (raise "
             "RLIMIT_NOFILE: LimitNOFILE= of the service, ulimit -n)",
             (long long)g->limits.connections, (unsigned long long)f.rest,
             (unsigned long long)files_needed(&f, (uint64_t)g->limits.connections),
             (unsigned long long)f.limit, f.connections);
    bool asked = node_getz(node_getz(g->root, "limits"), "connections") != NULL;
    if (a->first)
        log_line(asked ? LOG_WARN : LOG_INFO, "limits.connections: %s", why);
    else if (asked)
        diag_warn(&a->diag, (struct diag_at){.file = a->w->cli->conf}, "limits.connections", NULL,
                  "%s", why);
}

static void compile(struct apply *a, struct gateway *g)
{
    struct worker *w = a->w;
    if (!a->first && g->threads && g->threads != w->thread_count) {
        diag_warn(&a->diag, (struct diag_at){.file = w->cli->conf}, "threads", NULL,
                  "%u threads go on; the number changes at the next start only", w->thread_count);
    }
    share_descriptors(a, g);
    a->snap = snapshot_build(w->pipeline, g, &a->diag);
    if (!a->snap) {
        refuse_conf(a);
        return;
    }
    const struct gateway *now = snapshot_gateway(a->snap);
    int rc = worker_listen_plan(w, now, &a->diag);
    if (rc == 0) {
        rc = status_http_plan(w->status, now, &a->diag);
        if (rc)
            worker_listen_cancel(w);
    }
    if (rc) {
        refuse_conf(a);
        return;
    }
    if (!a->first)
        publish(w, a);
    else if (worker_each(w, thread_begin, publish, a) != 0)
        refuse(a, "out of memory");
}

static struct keep *keep_of(struct worker *w, bool first)
{
    struct keep *k = first && w->kept >= 0 && !w->from_disk ? kept_read(w->kept) : NULL;
    if (k)
        log_info("serving the conf that the worker before served, as it was read then");
    return k ? k : keep_new();
}

void worker_apply(struct worker *w, uint64_t id)
{
    struct apply *a = w->applying || w->draining ? NULL : calloc(1, sizeof *a);
    if (!a) {
        struct text t;
        text_init(&t);
        answer_fail(&t, NULL, "the worker cannot take a conf over now: it %s",
                    w->draining   ? "is stopping"
                    : w->applying ? "is at another one"
                                  : "is out of memory");
        worker_answer(w, id ? "answer" : "failed", id, &t, false);
        text_fini(&t);
        if (!id)
            worker_end(w, 1);
        return;
    }
    *a = (struct apply){.w = w, .id = id, .first = id == 0, .t0_ns = loop_now_ns()};
    diag_init(&a->diag);
    w->applying = a;
    a->keep = keep_of(w, a->first);
    struct gateway *g = a->keep ? gateway_load_keep(w->cli->conf, a->keep, &a->diag) : NULL;
    if (!a->keep) {
        refuse(a, "out of memory");
    } else if (!g) {
        refuse_conf(a);
    } else if (a->first && !prepare(a, g)) {
        gateway_free(g);
    } else {
        compile(a, g);
    }
}
