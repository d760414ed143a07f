/* SPDX-License-Identifier: Apache-2.0 */
/* The client side's entries, and the connections of one thread to one target: the one used last is
 * used first. */
#include "http/cli_conn.h"
#include "http/h1_write.h"

/* The pools of this thread. */
static _Thread_local struct list pools;

struct cli_pool *cli_pool_new(struct loop *l, const struct addr *target,
                              const struct cli_conf *conf)
{
    struct cli_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->magic = CLI_POOL_MAGIC;
    p->loop = l;
    p->target = *target;
    p->conf = conf;
    list_init(&p->idle);
    list_init(&p->busy);
    if (!pools.next) list_init(&pools);
    list_push(&pools, &p->all);
    return p;
}

void cli_pool_tls(struct cli_pool *p, const struct tls_cli *tls, str host)
{
    CHECK_OBJ(p, CLI_POOL_MAGIC);
    p->tls = tls;
    p->tls_host = host;
}

static void free_when_empty(struct cli_pool *p)
{
    if (!p->retired || p->stats.busy || p->stats.idle) return;
    list_del(&p->all);
    tls_session_fini(&p->session);
    p->magic = 0;
    free(p);
}

static void close_idle(struct cli_pool *p, struct list *it)
{
    struct cli_conn *c = LIST_ITEM(it, struct cli_conn, link);
    (void)p;
    c->proto->close(c);
}

void cli_pool_retire(struct cli_pool *p)
{
    CHECK_OBJ(p, CLI_POOL_MAGIC);
    while (!list_empty(&p->idle)) close_idle(p, p->idle.next);
    p->retired = true;
    free_when_empty(p);
}

bool cli_pools_yield(unsigned n)
{
    bool any = false;
    if (!pools.next) return false;
    LIST_EACH_SAFE(&pools, it)
    {
        struct cli_pool *p = LIST_ITEM(it, struct cli_pool, all);
        while (n && !list_empty(&p->idle)) {
            close_idle(p, p->idle.prev); /* a retired pool has none: p stays */
            any = true;
            n--;
        }
    }
    return any;
}

struct cli_pool_stats cli_pool_stats(const struct cli_pool *p)
{
    return p->stats;
}

bool cli_pool_room(const struct cli_pool *p)
{
    return p->conf->pool_max == 0 || p->stats.idle || p->stats.busy < p->conf->pool_max;
}

void cli_pool_add(struct cli_pool *p, struct cli_conn *c)
{
    c->pool = p;
    c->is_idle = false;
    list_push(&p->busy, &c->link);
    p->stats.busy++;
}

void cli_pool_idle(struct cli_conn *c)
{
    struct cli_pool *p = c->pool;
    if (p->retired || p->conf->pool_idle_max == 0) {
        c->proto->close(c);
        return;
    }
    if (p->stats.idle >= p->conf->pool_idle_max) close_idle(p, p->idle.prev);
    list_del(&c->link);
    list_add(&p->idle, &c->link);
    c->is_idle = true;
    p->stats.busy--;
    p->stats.idle++;
}

void cli_pool_leave(struct cli_conn *c)
{
    struct cli_pool *p = c->pool;
    c->pool = NULL;
    list_del(&c->link);
    if (c->is_idle) p->stats.idle--;
    else p->stats.busy--;
    free_when_empty(p);
}

/* A connection for a call, busy; NULL with *rc. */
static struct cli_conn *pick(struct cli_pool *p, bool fresh, int *rc)
{
    uint32_t max = p->conf->pool_max;
    if (!fresh && !list_empty(&p->idle)) {
        struct cli_conn *c = LIST_ITEM(p->idle.next, struct cli_conn, link);
        list_del(&c->link);
        list_push(&p->busy, &c->link);
        c->is_idle = false;
        p->stats.idle--;
        p->stats.busy++;
        p->stats.reused++;
        return c;
    }
    if (max && p->stats.busy + p->stats.idle >= max) {
        if (list_empty(&p->idle)) {
            *rc = E_LIMIT;
            return NULL;
        }
        close_idle(p, p->idle.prev);
    }
    struct cli_conn *c = h1_cli_open(p);
    if (!c) *rc = E_NOMEM;
    return c;
}

int cli_start(struct cli_call *c, struct cli_pool *p, const struct http_req *req, str authority,
              bool fresh)
{
    str head;
    CHECK_OBJ(p, CLI_POOL_MAGIC);
    memset(&c->res, 0, sizeof c->res);
    bufq_init(&c->in);
    c->in_end = c->waits = c->req_sent = false;
    c->in_total = c->out_total = c->out_bytes = 0;
    c->t_connected_ns = c->t_sent_ns = c->t_first_ns = 0;
    c->conn = NULL;
    addr_to_ip(&p->target, &c->remote);
    if (p->retired) return E_GONE;
    int rc = h1_write_request(c->arena, req, authority, &head);
    if (rc != 0) return rc;
    struct cli_conn *conn = pick(p, fresh, &rc);
    if (!conn) return rc;
    c->t_start_ns = loop_stamp_ns(p->loop);
    c->conn = conn;
    conn->call = c;
    h1_cli_begin(conn, c, req, head);
    return 0;
}

static struct cli_conn *conn_of(const struct cli_call *c)
{
    struct cli_conn *conn = c->conn;
    if (conn) CHECK_OBJ(conn, CLI_CONN_MAGIC);
    return conn;
}

int cli_send(struct cli_call *c, struct bufq *q, bool end)
{
    struct cli_conn *conn = conn_of(c);
    return conn ? conn->proto->send(conn, q, end) : E_GONE;
}

void cli_trailers(struct cli_call *c, const struct hdrs *h)
{
    struct cli_conn *conn = conn_of(c);
    if (conn) conn->proto->trailers(conn, h);
}

void cli_consumed(struct cli_call *c)
{
    struct cli_conn *conn = conn_of(c);
    if (conn) conn->proto->consumed(conn);
}

void cli_cancel(struct cli_call *c)
{
    struct cli_conn *conn = conn_of(c);
    if (!conn) return;
    c->conn = NULL;
    conn->call = NULL;
    conn->proto->close(conn);
    bufq_clear(&c->in);
}
