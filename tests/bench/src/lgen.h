/* SPDX-License-Identifier: Apache-2.0 */
/* What the halves of the load generator share: the connections, the requests and the counters of
 * the running phase. */
#ifndef BENCH_LGEN_H
#define BENCH_LGEN_H
#include "common.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { FREE, CONNECTING, HANDSHAKE, IDLE, SENDING, READING };

struct conn {
    int fd;
    uint8_t st, head_done, chunked, close_after, first, want_out;
    SSL *ssl;
    uint64_t body_left, body_got;
    int chunk_state;
    const char *out;
    size_t out_len;
    char *hbuf;
    size_t hlen;
    uint64_t t0;
    uint64_t got;
    int status;
};

struct counts {
    long long goal, started, done, st2, st3, st4, st5, bad_status, bad_body;
    long long e_conn, e_closed0, e_partial, e_tls, e_proto, idle_closed, reconnects;
    unsigned long long bytes;
};

extern int ep, port, conns, tls, perconn, expect, pending;
extern long long body_expect;
extern double rate;
extern SSL_CTX *ctx;
extern struct conn *cs;
extern int *idleq;
extern unsigned iq_h, iq_t, iq_cap;
extern char **reqs; /* whole requests, sent in turn */
extern size_t *reql, nreq;
extern struct counts g;

int iq_pop(void); /* an idle connection, or -1 */
void conn_open(int i);
void start_req(int i, uint64_t t0);
void on_event(int i, uint32_t ev);

/* lgen_hist.c: latencies in ns */
void hist_reset(void);
void hist_add(uint64_t ns);
double hist_pct(double p);
double hist_mean(void);
uint64_t hist_max(void);

#endif
