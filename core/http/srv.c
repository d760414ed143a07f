/* SPDX-License-Identifier: Apache-2.0 */
/* The server side's entries, handed to the connection's protocol version; and the connections of a
 * thread. */
#include "http/srv.h"

#include "http/srv_conn.h"

static inline const struct srv_proto *proto(const struct srv_stream *st)
{
    CHECK_OBJ(st->conn, SRV_CONN_MAGIC);
    return st->conn->proto;
}

const struct srv_conf *srv_conf_of(const struct srv_stream *st)
{
    return st->conn->conf;
}

const struct addr_ip *srv_peer(const struct srv_stream *st)
{
    return &st->conn->peer;
}

const struct addr *srv_local(const struct srv_stream *st)
{
    static const struct addr unknown;
    struct addr *a = arena_zalloc(st->arena, sizeof *a);
    if (!a) return &unknown;
    proto(st)->local(st->conn, a);
    return a;
}

const struct addr_ip *srv_local_ip(const struct srv_stream *st)
{
    struct srv_conn *c = st->conn;
    if (c->local.family == 0) {
        struct addr a;
        proto(st)->local(c, &a);
        addr_to_ip(&a, &c->local);
    }
    return &c->local;
}

str srv_tls_version(const struct srv_stream *st)
{
    return str_z(tls_version(proto(st)->stream(st->conn)));
}

str srv_tls_cipher(const struct srv_stream *st)
{
    return str_z(tls_cipher(proto(st)->stream(st->conn)));
}

int srv_client_cert(const struct srv_stream *st, struct tls_facts *f)
{
    return tls_peer_facts(proto(st)->stream(st->conn), st->arena, f);
}

int srv_head(struct srv_stream *st, const struct http_res *res, bool end)
{
    return proto(st)->head(st, res, end);
}

int srv_body(struct srv_stream *st, struct bufq *q, bool end)
{
    return proto(st)->body(st, q, end);
}

void srv_trailers(struct srv_stream *st, const struct hdrs *h)
{
    proto(st)->trailers(st, h);
}

void srv_consumed(struct srv_stream *st)
{
    proto(st)->consumed(st);
}

void srv_discard(struct srv_stream *st)
{
    proto(st)->discard(st);
}

void srv_abort(struct srv_stream *st)
{
    proto(st)->abort(st);
}

int srv_accept(struct loop *l, int fd, const struct addr *peer, const struct srv_conf *conf)
{
    struct srv_thread *th = l->srv;
    CHECK_OBJ(th, SRV_THREAD_MAGIC);
    if (UNLIKELY(conf->proxied)) return srv_proxied_accept(th, fd, peer, conf);
    return h1_srv_accept(th, fd, peer, NULL, conf);
}

struct srv_thread *srv_thread_new(struct loop *l)
{
    struct srv_thread *th = calloc(1, sizeof *th);
    if (!th) return NULL;
    th->magic = SRV_THREAD_MAGIC;
    th->loop = l;
    list_init(&th->conns);
    l->srv = th;
    return th;
}

void srv_thread_free(struct srv_thread *th)
{
    if (!th) return;
    srv_thread_close(th);
    th->loop->srv = NULL;
    th->magic = 0;
    free(th);
}

const struct srv_stats *srv_thread_stats(const struct srv_thread *th)
{
    return &th->stats;
}

void srv_thread_drain(struct srv_thread *th)
{
    CHECK_OBJ(th, SRV_THREAD_MAGIC);
    th->draining = true;
}

void srv_thread_close(struct srv_thread *th)
{
    CHECK_OBJ(th, SRV_THREAD_MAGIC);
    th->draining = true;
    while (!list_empty(&th->conns)) {
        struct srv_conn *c = LIST_ITEM(th->conns.next, struct srv_conn, link);
        c->proto->close(c); /* leaves the list */
    }
    loop_flush(th->loop);
}

uint32_t srv_thread_active(const struct srv_thread *th)
{
    return atomic_load_explicit(&th->stats.active, memory_order_relaxed) +
           atomic_load_explicit(&th->stats.idle, memory_order_relaxed);
}
