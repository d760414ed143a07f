/* SPDX-License-Identifier: Apache-2.0 */
/* Answers probes and scrapes: small, GET and HEAD only, never through the pipeline. */
#include "process/status_http.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "http/srv.h"
#include "model/schema.h"
#include "pipeline/metric.h"

#define CONNECTIONS_MAX 256u

struct place {
    struct listener l;
    int fd;     /* -1: none */
    bool bound; /* by us, not from a deposit */
    char text[ADDR_TEXT];
};

struct status_http {
    struct worker *w;
    struct srv_thread *srv;
    struct srv_conf conf;
    struct place now, next;
    bool leave; /* the planned conf has no status listener */
};

static void answer(struct srv_stream *st, unsigned status, const char *type, str body)
{
    struct http_res res = {.status = (uint16_t)status,
                           .has_body = true,
                           .local = true,
                           .content_length = (int64_t)body.n};
    struct bufq q;
    int rc = hdrs_add(&res.h, st->arena, HDR_CONTENT_TYPE, STR("Content-Type"), str_z(type));
    if (rc == 0)
        rc = hdrs_add(&res.h, st->arena, HDR_CACHE_CONTROL, STR("Cache-Control"), STR("no-store"));
    if (rc == 0 && status == 405)
        rc = hdrs_add(&res.h, st->arena, HDR_ALLOW, STR("Allow"), STR("GET, HEAD"));
    bufq_init(&q);
    bool head = st->req.method == M_HEAD;
    if (rc == 0 && !head)
        rc = bufq_copy(&q, &st->loop->bufs, body);
    if (rc == 0)
        rc = srv_head(st, &res, head || body.n == 0);
    if (rc == 0 && !head && body.n)
        rc = srv_body(st, &q, true);
    bufq_clear(&q);
    if (rc)
        srv_abort(st);
}

static void plain(struct srv_stream *st, unsigned status, const char *text)
{
    answer(st, status, "text/plain; charset=utf-8", str_z(text));
}

static void metrics(struct worker *w, struct srv_stream *st)
{
    struct text t;
    text_init(&t);
    if (w->pipeline)
        metrics_write(pipeline_metrics(w->pipeline), &t);
    if (t.failed)
        plain(st, 500, "out of memory\n");
    else
        answer(st, 200, "text/plain; version=0.0.4; charset=utf-8", text_str(&t));
    text_fini(&t);
}

static void readyz(struct worker *w, struct srv_stream *st)
{
    struct text t, why;
    bool verbose = str_eqz(st->req.query, "verbose") || str_starts(st->req.query, STR("verbose="));
    const struct snapshot *snap = w->pipeline ? pipeline_current(w->pipeline) : NULL;
    text_init(&t);
    text_init(&why);
    bool up = w->serving && !w->draining, ready = snap && pipeline_ready(w->pipeline, &why);
    if (verbose) {
        text_printf(&t, "[%c] worker: %s, %u threads\n", up ? '+' : '-',
                    w->draining  ? "draining"
                    : w->serving ? "serving"
                                 : "starting",
                    w->thread_count);
        text_printf(&t, "[%c] snapshot: %u routes\n", snap ? '+' : '-',
                    snap ? snapshot_routes(snap) : 0);
        text_add(&t, text_str(&why));
        if (why.n && why.p[why.n - 1] != '\n')
            text_chr(&t, '\n');
    }
    text_addz(&t, up && ready ? "ready\n" : "not ready\n");
    if (t.failed || why.failed)
        plain(st, 500, "out of memory\n");
    else
        answer(st, up && ready ? 200 : 503, "text/plain; charset=utf-8", text_str(&t));
    text_fini(&why);
    text_fini(&t);
}

static void on_head(struct srv_stream *st)
{
    struct status_http *s = srv_conf_of(st)->upper;
    str path = st->req.path;
    if (st->req.has_body)
        srv_discard(st);
    if (!str_eqz(path, "/livez") && !str_eqz(path, "/readyz") && !str_eqz(path, "/metrics")) {
        plain(st, 404, "not found; there are /livez, /readyz and /metrics\n");
    } else if (st->req.method != M_GET && st->req.method != M_HEAD) {
        plain(st, 405, "GET and HEAD only\n");
    } else if (str_eqz(path, "/metrics")) {
        metrics(s->w, st);
    } else if (str_eqz(path, "/readyz")) {
        readyz(s->w, st);
    } else {
        plain(st, 200, "ok\n");
    }
}

static void on_bad(struct srv_stream *st, const struct srv_bad *bad)
{
    str text = arena_cat(st->arena, 2, (str[]){str_z(bad->reason), STR("\n")});
    plain(st, bad->status, text.p ? text.p : "bad request\n");
}

static void on_nothing(struct srv_stream *st)
{
    (void)st;
}

static void on_end(struct srv_stream *st, enum srv_end how)
{
    (void)st, (void)how;
}

static const struct srv_events events = {
    .head = on_head, .bad = on_bad, .body = on_nothing, .room = on_nothing, .end = on_end};

static void on_accept(struct listener *l, int fd, const struct addr *peer)
{
    struct status_http *s = l->arg;
    if (srv_thread_active(s->srv) >= CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    if (srv_accept(l->loop, fd, peer, &s->conf) != 0)
        log_warn("status listener: out of memory");
}

struct status_http *status_http_new(struct worker *w)
{
    struct status_http *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->w = w;
    s->now.fd = s->next.fd = -1;
    s->conf = (struct srv_conf){.events = &events,
                                .upper = s,
                                .scheme = STR("http"),
                                .max_header = 16384,
                                .max_url = 4096,
                                .max_body = 65536,
                                .max_headers = 100,
                                .t_header_ms = 10000,
                                .t_idle_ms = 75000,
                                .t_body_ms = 10000,
                                .t_write_ms = 10000,
                                .high_water = 1u << 20,
                                .low_water = 1u << 18};
    s->srv = srv_thread_new(w->loop);
    if (s->srv)
        return s;
    free(s);
    return NULL;
}

static const char *place_key(const struct place *p, char out[DEPOSIT_KEY_MAX])
{
    snprintf(out, DEPOSIT_KEY_MAX, "status %s#0", p->text);
    return out;
}

int status_http_plan(struct status_http *s, const struct gateway *g, struct diag *d)
{
    char key[DEPOSIT_KEY_MAX];
    struct place *p = &s->next;
    s->leave = !g->has_status;
    if (!g->has_status || (s->now.fd >= 0 && str_eqz(g->status_text, s->now.text)))
        return 0;
    snprintf(p->text, sizeof p->text, "%.*s", STR_ARG(g->status_text));
    p->fd = worker_bind(s->w, &g->status_addr, str_z(place_key(p, key)), false, true, &p->bound);
    if (p->fd >= 0)
        return 0;
    const struct node *n = node_getz(node_getz(g->root, "status"), "address");
    int err = -p->fd;
    p->fd = -1;
    diag_error(d, n ? node_where(g->tree, n) : (struct diag_at){.file = NULL}, "status.address",
               err == EADDRINUSE ? "an address that nobody else listens on" : NULL,
               "cannot listen on %s: %s", p->text, strerror(err));
    return E_CONF;
}

void status_http_cancel(struct status_http *s)
{
    if (s->next.fd >= 0)
        close(s->next.fd);
    s->next.fd = -1;
    s->leave = false;
}

static void leave(struct status_http *s)
{
    char key[DEPOSIT_KEY_MAX];
    if (s->now.fd < 0)
        return;
    listener_stop(&s->now.l);
    worker_say(s->w, "withdraw", 0, str_z(place_key(&s->now, key)), -1);
    close(s->now.fd);
    s->now.fd = -1;
}

void status_http_commit(struct status_http *s)
{
    char key[DEPOSIT_KEY_MAX];
    if (s->leave || s->next.fd >= 0)
        leave(s);
    s->leave = false;
    if (s->next.fd < 0)
        return;
    s->now.fd = s->next.fd;
    memcpy(s->now.text, s->next.text, sizeof s->now.text);
    s->next.fd = -1;
    listener_start(&s->now.l, s->w->loop, s->now.fd, on_accept, s);
    if (s->next.bound)
        worker_say(s->w, "deposit", 0, str_z(place_key(&s->now, key)), s->now.fd);
    log_info("status on %s", s->now.text);
}

void status_http_free(struct status_http *s)
{
    if (!s)
        return;
    status_http_cancel(s);
    if (s->now.fd >= 0) {
        listener_stop(&s->now.l);
        close(s->now.fd);
    }
    srv_thread_free(s->srv);
    free(s);
}
