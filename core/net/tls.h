/* SPDX-License-Identifier: Apache-2.0 */
/* TLS (OpenSSL): contexts made from a conf, the ring of session ticket keys, and byte streams over
 * them. Contexts are immutable and may be used by any thread; a stream belongs to one. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/stream.h"

/* What a context is made of. Everything is PEM text in memory; `at` is the caller's position of it,
 * handed to the report. The bytes need not outlive the call. */
struct tls_pem {
    str bytes; /* p NULL: none */
    const void *at;
};

struct tls_cert_conf {
    struct tls_pem chain, key;
};

struct tls_report { /* what is wrong, or worth a warning */
    void (*fn)(void *arg, const void *at, bool warning, const char *expected, const char *what);
    void *arg;
};

struct tls_srv_conf {
    const void *at;
    struct tls_cert_conf *certs; /* the first one serves who names no other */
    unsigned cert_count;
    bool min_13;
    bool tickets;
    uint64_t ticket_ms; /* how long clients are told to keep them */
    str ciphers; /* of TLS 1.2, as OpenSSL writes lists; empty: the default */
    const void *ciphers_at;
    struct tls_pem client_ca; /* none: clients are not asked */
    struct tls_pem client_crl;
    bool client_optional;
    unsigned client_depth; /* CAs between the client's certificate and the trust anchor */
    str name;              /* of the listener: tickets are for it alone */
};

struct tls_cli_conf {
    bool verify;
    bool min_13;
    struct tls_pem ca;          /* none: the system's */
    struct tls_cert_conf cert;  /* none: no client certificate */
    str server_name;            /* empty: the target's own name */
};

/* Counters of one side; written by any thread, once per handshake. */
enum tls_cause {
    TLS_FAIL_PROTOCOL = 0, /* not TLS, malformed, aborted by an alert */
    TLS_FAIL_PLAIN,        /* HTTP without TLS */
    TLS_FAIL_VERSION,      /* no common version or cipher */
    TLS_FAIL_ALPN,
    TLS_FAIL_CERT, /* the peer's certificate: missing or not accepted */
    TLS_FAIL_CLOSED,
    TLS_FAIL_TIMEOUT,
    TLS_CAUSES
};
extern const char *const tls_cause_names[TLS_CAUSES];

struct tls_stats {
    _Atomic uint64_t handshakes, resumed; /* finished; of these, resumed */
    _Atomic uint64_t v12, v13;
    _Atomic uint64_t failed[TLS_CAUSES];
};

/* Keys that seal session tickets: the current one and the one before, made anew every interval. Any
 * thread. */
struct tls_tickets;
struct tls_tickets *tls_tickets_new(void) MUST_USE;
void tls_tickets_free(struct tls_tickets *);
void tls_tickets_interval(struct tls_tickets *, uint64_t ms); /* 12 h at first */

struct tls_srv;
/* NULL: refused, and everything wrong was reported; or out of memory (reported too). tickets and
 * stats outlive it. */
struct tls_srv *tls_srv_new(const struct tls_srv_conf *, struct tls_tickets *, struct tls_stats *,
                            const struct tls_report *) MUST_USE;
void tls_srv_free(struct tls_srv *);

struct tls_cli;
struct tls_cli *tls_cli_new(const struct tls_cli_conf *, struct tls_stats *,
                            const struct tls_report *) MUST_USE;
void tls_cli_free(struct tls_cli *);

/* The session that the next connection to the same target may resume. One thread. */
struct tls_session {
    void *held; /* SSL_SESSION */
};
void tls_session_fini(struct tls_session *);

/* Puts TLS over the connected socket s->fd: stream_handshake is to be called until it is through.
 * The context stays alive as long as the stream. E_NOMEM: the stream is as it was. */
int tls_accept(struct stream *, const struct tls_srv *) MUST_USE;
/* host: the target's name or literal address, for SNI and verification where the conf names no
 * other. */
int tls_connect(struct stream *, const struct tls_cli *, str host, struct tls_session *) MUST_USE;
/* Takes TLS off again: behind STREAM_PLAIN. */
void tls_strip(struct stream *);
/* Why it failed, constant text. */
const char *tls_reason(const struct stream *);
/* The caller gave a handshake up that took too long. */
void tls_timed_out(struct stream *);

/* The peer's certificate, where it gave one that was accepted. Strings in the arena. */
struct tls_facts {
    str pem, subject, issuer, serial, not_before, not_after;
};
/* Of a stream whose handshake is through, in OpenSSL's words; NULL: it is plain. */
const char *tls_version(const struct stream *);
const char *tls_cipher(const struct stream *);
int tls_peer_facts(const struct stream *, struct arena *, struct tls_facts *); /* E_NONE, E_NOMEM */

#endif
