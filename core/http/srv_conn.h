/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the floor: what connections of every protocol version have in common, and the calls
 * that a version provides. */
#ifndef HTTP_SRV_CONN_H
#define HTTP_SRV_CONN_H

#include "http/srv.h"
#include "net/tls.h"

#define SRV_CONN_MAGIC 0x53434f4eu
#define SRV_THREAD_MAGIC 0x53544852u

struct srv_proto {
    int (*head)(struct srv_stream *, const struct http_res *, bool end);
    int (*body)(struct srv_stream *, struct bufq *, bool end);
    void (*trailers)(struct srv_stream *, const struct hdrs *);
    void (*consumed)(struct srv_stream *);
    void (*discard)(struct srv_stream *);
    void (*abort)(struct srv_stream *);
    void (*local)(struct srv_conn *, struct addr *);
    const struct stream *(*stream)(const struct srv_conn *);
    void (*close)(struct srv_conn *); /* now; end(SRV_SHUTDOWN) for what is going on */
};

struct srv_thread {
    uint32_t magic;
    bool draining;
    struct loop *loop;
    struct list conns;
    struct srv_stats stats;
};

struct srv_conn {
    uint32_t magic;
    const struct srv_proto *proto;
    const struct srv_conf *conf; /* holds a reference */
    struct srv_thread *th;
    struct list link; /* in th->conns */
    struct addr_ip peer;
    struct addr_ip local; /* family 0: not asked yet */
};

/* One writer: no locked instruction. */
#define SRV_COUNT(field, n) \
    atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + (n), \
                          memory_order_relaxed)

/* local: what the client had connected to; NULL: the socket's own address. */
int h1_srv_accept(struct srv_thread *, int fd, const struct addr *peer, const struct addr *local,
                  const struct srv_conf *);
/* srv_proxied.c: the same behind a PROXY protocol header. */
int srv_proxied_accept(struct srv_thread *, int fd, const struct addr *peer,
                       const struct srv_conf *);

#endif
