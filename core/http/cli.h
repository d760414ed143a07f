/* SPDX-License-Identifier: Apache-2.0 */
/* The client side: one call to one target address, over a pooled connection of the thread, whatever protocol version carries it.
 *
 * One thread. A call ends with done() or fail(), exactly once, unless it was cancelled (then nothing more is called). */
#ifndef HTTP_CLI_H
#define HTTP_CLI_H

#include "http/msg.h"
#include "net/addr.h"
#include "net/loop.h"

struct cli_call;
struct cli_pool; /* idle connections of one thread to one target */
struct tls_cli;

enum cli_stage { CLI_CONNECT = 0, CLI_SEND, CLI_WAIT_HEAD, CLI_BODY };

struct cli_fail {
    int err;              /* E_IO E_TIMEOUT E_PROTO E_LIMIT (at CLI_CONNECT: the machine has no more; else the head is too large) E_TLS */
    enum cli_stage stage; /* how far it had come */
    bool reused;          /* the connection had served before */
    bool untouched;       /* not one byte of an answer had come */
    bool no_files;        /* E_LIMIT: no descriptor was left */
    const char *reason;   /* constant text: "connection refused", "two Content-Length headers" */
};

struct cli_events {
    void (*head)(struct cli_call *); /* c->res is complete */
    void (*body)(struct cli_call *); /* c->in grew */
    void (*done)(struct cli_call *); /* the answer is whole: c->in holds the rest, trailers are complete. The connection is gone to the pool */
    void (*fail)(struct cli_call *, const struct cli_fail *);
    void (*room)(struct cli_call *); /* staged request bytes fell to the low-water mark after cli_full */
    void (*info)(struct cli_call *, unsigned status); /* 1xx; may be NULL */
};

struct cli_conf { /* of an upstream; immutable, outlives its pools */
    uint32_t t_connect_ms, t_first_byte_ms, t_total_ms, t_idle_ms /* between body bytes */, t_write_ms;
    uint32_t max_header;      /* bytes of the status line and headers */
    uint32_t pool_max;        /* connections per thread and target, busy ones counted; 0: no limit */
    uint32_t pool_idle_max;   /* idle ones kept */
    uint32_t pool_idle_ms;    /* closed after */
    uint32_t high_water, low_water;
};

struct cli_call {
    struct loop *loop;
    struct arena *arena; /* the caller's: heads are parsed into it */
    const struct cli_events *ev;
    void *upper;
    struct http_res res;
    struct bufq in; /* answer body bytes; drained by the caller, then cli_consumed() */
    bool in_end;
    bool waits;    /* the caller's to set: what came before has not left yet. Then blocks stay small */
    bool req_sent; /* the whole request has left */
    uint64_t in_total, out_total, out_bytes;
    uint64_t t_start_ns, t_connected_ns, t_sent_ns, t_first_ns; /* 0: not yet */
    struct addr_ip remote;
    void *conn; /* protocol's */
};

struct cli_pool *cli_pool_new(struct loop *, const struct addr *target, const struct cli_conf *) MUST_USE;
/* Before its first call: connections speak TLS; host names the target where the context does not. Both outlive the pool. */
void cli_pool_tls(struct cli_pool *, const struct tls_cli *, str host);
/* Closes idle connections now, busy ones when their call ends; frees itself behind the last. */
void cli_pool_retire(struct cli_pool *);
struct cli_pool_stats {
    uint32_t busy, idle;
    uint64_t connects, connect_failed, reused;
};
struct cli_pool_stats cli_pool_stats(const struct cli_pool *);
/* Closes up to n idle connections of this thread, of any pool: their descriptors are wanted. False: there was none. */
bool cli_pools_yield(unsigned n);
#define CLI_YIELD 8u /* as many at a time */
bool cli_pool_room(const struct cli_pool *); /* would cli_start find a connection, or room for one? */

/* Begins a call: the head is staged (copied), framing is decided by req->has_body and content_length. `authority` goes out as Host.
 * fresh: never take an idle connection. May fail() later, never from inside this call. E_LIMIT: the pool is full; E_NOMEM.
 * The caller owns *c's memory (usually inside the exchange's arena) and fills loop, arena, ev, upper. */
int cli_start(struct cli_call *c, struct cli_pool *, const struct http_req *req, str authority, bool fresh) MUST_USE;
/* Stages request body bytes; moves all slices out of *q (may be NULL). E_GONE: the call has ended. E_LIMIT: more than the declared
 * length, nothing was taken. E_PROTO: `end` comes short of it, E_NOMEM: the call cannot go on and is to be cancelled. */
int cli_send(struct cli_call *, struct bufq *q, bool end);
static inline bool cli_full(const struct cli_call *c, uint32_t high_water) { return c->out_bytes >= high_water; }
/* Trailers for the end of a chunked request; must live until the call of cli_send that ends it. */
void cli_trailers(struct cli_call *, const struct hdrs *);
/* The caller took bytes out of c->in: reading goes on when it had stopped at in's high-water mark. */
void cli_consumed(struct cli_call *);
void cli_cancel(struct cli_call *); /* the connection is closed unless the answer was whole; no event follows */

/* Why a connect failed (-errno), as cli_fail.reason says it. */
const char *cli_connect_error(int err);

#endif
