/* SPDX-License-Identifier: Apache-2.0 */
/* The server side of an exchange, whatever protocol version carries it: what the pipeline sees of a client's connection.
 *
 * One thread, the connection's loop. A stream begins with head() or bad() and ends with end(), exactly once, always. All views
 * of the request live until end() returns. The pipeline may call any srv_* of a live stream from inside any event. */
#ifndef HTTP_SRV_H
#define HTTP_SRV_H

#include <stdatomic.h>

#include "http/msg.h"
#include "net/addr.h"
#include "net/loop.h"

struct srv_stream;
struct srv_conn;
struct tls_srv;
struct tls_facts;

enum srv_end { SRV_DONE = 0, /* the answer left whole */
               SRV_CLIENT_GONE, /* closed or reset by the client */
               SRV_ABORTED,     /* srv_abort, or the answer was cut */
               SRV_TIMEOUT,     /* the client did not read or send in time */
               SRV_SHUTDOWN };

/* Why a request was refused before it had a meaning. The number is the status. */
struct srv_bad {
    unsigned status;    /* 400 408 413 414 417 431 501 505 */
    const char *reason; /* constant text for logs: "bare LF in header" */
};

struct srv_events {
    void (*head)(struct srv_stream *);                    /* st->req is complete; body may follow */
    void (*bad)(struct srv_stream *, const struct srv_bad *); /* answer with srv_head + srv_body; the connection closes behind it */
    void (*body)(struct srv_stream *);                    /* st->in grew, or st->in_end turned true, or in_error */
    void (*room)(struct srv_stream *);                    /* st->out_bytes fell to the low-water mark after srv_full was true */
    void (*end)(struct srv_stream *, enum srv_end);
};

enum srv_proxied_mode {
    SRV_PROXIED_OFF = 0,
    SRV_PROXIED_REQUIRED, /* everyone; who is not believed is closed */
    SRV_PROXIED_TRUSTED   /* who is believed; others are clients themselves */
};
/* Why a connection was closed before its PROXY header was whole. */
enum srv_proxied { SRV_PROXIED_UNTRUSTED = 0, SRV_PROXIED_MISSING, SRV_PROXIED_MALFORMED, SRV_PROXIED_TIMEOUT, SRV_PROXIED_BAD };

/* Limits and timeouts of a listener; shared by its connections, immutable, kept alive by the owner's snapshot. */
struct srv_conf {
    const struct srv_events *events;
    void *upper; /* the pipeline's listener object */
    str scheme;
    const struct tls_srv *tls; /* NULL: plain */
    uint32_t max_header; /* bytes of request line and headers */
    uint32_t max_url;
    uint64_t max_body; /* at most this many body bytes; 413. 0: no limit */
    uint32_t max_headers; /* count */
    uint32_t t_header_ms, t_idle_ms, t_body_ms, t_write_ms;
    uint32_t t_half_ms; /* an answer that a client waits for who has shut its side; 0: however long it takes */
    uint32_t high_water, low_water; /* bytes staged per direction */
    void (*ref)(const struct srv_conf *), (*unref)(const struct srv_conf *); /* by connections; may be NULL */
    uint8_t proxied; /* enum srv_proxied_mode: who has to begin with a PROXY protocol header */
    const struct cidr *proxied_from; /* and is believed */
    unsigned proxied_from_count;
};

struct srv_stream {
    struct srv_conn *conn;
    struct loop *loop;
    struct arena *arena; /* of the exchange; freed behind end() */
    void *upper;         /* the exchange; the pipeline allocates it in the arena */
    struct http_req req;
    struct bufq in; /* request body bytes, dechunked; drained by the pipeline, then srv_consumed() */
    bool in_end;    /* no more will come; trailers are complete */
    bool head_sent; /* srv_head was accepted */
    bool out_waits; /* the client takes no more at the moment */
    bool last;      /* the pipeline's to set, before srv_head: the connection closes behind this answer */
    int in_error;   /* E_PROTO, E_LIMIT (body over max_body), E_TIMEOUT: the body will never be whole */
    uint64_t in_total, out_total; /* body bytes */
    uint64_t out_bytes;           /* staged and not yet written */
    uint64_t t_first_ns;          /* first byte of the request */
};

const struct srv_conf *srv_conf_of(const struct srv_stream *);
const struct addr_ip *srv_peer(const struct srv_stream *);
const struct addr *srv_local(const struct srv_stream *);
/* The same, IP and port only: asked once per connection. Behind the PROXY protocol: where the client had connected to. */
const struct addr_ip *srv_local_ip(const struct srv_stream *);

/* The client's certificate, where it showed one and it was accepted; strings in the arena. E_NONE, E_NOMEM. */
/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; p NULL: plain. Constant text. */
str srv_tls_version(const struct srv_stream *);
str srv_tls_cipher(const struct srv_stream *);
int srv_client_cert(const struct srv_stream *, struct tls_facts *);

/* Stages the head. Adds Date, framing and Connection; copies what it needs. end: no body follows. Once per stream; E_PHASE else.
 * Informational heads (100..199, not 101) may come before, any number. */
int srv_head(struct srv_stream *, const struct http_res *, bool end);
/* Stages body bytes: moves all slices out of *q. With end the answer is complete: end() follows when it has left. E_LIMIT when
 * more than the declared length is given, E_PROTO when end comes short of it (the connection is aborted). */
int srv_body(struct srv_stream *, struct bufq *q, bool end);
/* Trailers for the end of a chunked answer; read when srv_body ends it, so they must live till then. Not sent to a client that
 * did not say `TE: trailers`, nor with other framing. */
void srv_trailers(struct srv_stream *, const struct hdrs *);
static inline bool srv_full(const struct srv_stream *st, uint32_t high_water) { return st->out_bytes >= high_water; }
/* The pipeline took bytes out of st->in: reading goes on when it had stopped for it. Sends "100 Continue" when that is due. */
void srv_consumed(struct srv_stream *);
/* No more of the request body is wanted; the rest is read and dropped up to a bound, else the connection closes behind the answer. */
void srv_discard(struct srv_stream *);
/* Closes without (the rest of) an answer. end(SRV_ABORTED) runs later, not inside this call. */
void srv_abort(struct srv_stream *);

/* Takes over an accepted socket. conf outlives the connection (ref/unref). */
int srv_accept(struct loop *, int fd, const struct addr *peer, const struct srv_conf *conf);

/* Of one thread; written there, read anywhere. */
struct srv_stats {
    _Atomic uint64_t connections, requests, bad[8]; /* by srv_bad_index */
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t proxied, proxied_bad[SRV_PROXIED_BAD]; /* PROXY headers taken; connections refused for want of one */
    _Atomic uint64_t timeouts_header, timeouts_idle, timeouts_body, timeouts_write, timeouts_half;
    _Atomic uint32_t active, idle; /* connections within and between exchanges: together those that are open */
};
static inline unsigned srv_bad_index(unsigned status)
{
    static const uint16_t known[8] = {400, 408, 413, 414, 417, 431, 501, 505};
    for (unsigned i = 0; i < 8; i++)
        if (known[i] == status) return i;
    return 0;
}
struct srv_thread; /* all connections of one thread */
struct srv_thread *srv_thread_new(struct loop *) MUST_USE;
void srv_thread_free(struct srv_thread *);
const struct srv_stats *srv_thread_stats(const struct srv_thread *);
/* From now on answers carry `Connection: close`; idle connections are left open until they ask again, or drain_close. */
void srv_thread_drain(struct srv_thread *);
/* Closes what is left; end(SRV_SHUTDOWN) for each stream. */
void srv_thread_close(struct srv_thread *);
uint32_t srv_thread_active(const struct srv_thread *); /* connections */

#endif
