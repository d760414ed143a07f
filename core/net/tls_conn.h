/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS stream's state, and the way of its bytes to and from the socket; only for the rooms
 * tls_stream and tls_bio. */
#ifndef NET_TLS_CONN_H
#define NET_TLS_CONN_H

#include "net/tls_int.h"

#define TLS_RECORD 16384u
#define TLS_BATCH  4u /* records of one send */
#define TLS_RECVS  4u /* of the socket, in one call */

struct held { /* ciphertext that the socket did not take */
    uint32_t off, n, cap;
    char data[];
};

struct tls {
    SSL *ssl;
    struct held *held;
    struct tls_stats *stats;
    const char *why;
    uint32_t debt; /* plaintext that is in `held`, and was not counted as sent */
    int err;       /* of the socket: errno */
    uint8_t budget;
    bool failed;  /* neither way works any more */
    bool mute;    /* nothing can be sent any more */
    bool eof;     /* of the socket */
    bool begun;   /* bytes have come */
    bool plain;   /* they look like HTTP */
    bool client;
};

/* Of a thread that speaks TLS: the records of the write that is going on. */
struct out {
    const struct tls *owner; /* NULL: none is */
    bool more;               /* than the next record */
    uint32_t n;
    char b[TLS_BATCH * (TLS_RECORD + 320u)];
    char joined[TLS_RECORD]; /* small pieces */
};
extern _Thread_local struct out *tls_out;

static inline struct tls *tls_of(const struct stream *s) { return s->state; }

/* Bytes of `held` that have left, or -errno. */
ssize_t tls_drain(struct stream *);
/* Both at once; what does not leave is held. False: the socket's error, or too much is held. */
bool tls_put(struct stream *, const char *a, size_t an, const char *b, size_t bn);
/* The BIO of a stream whose state is set before it is used. NULL: out of memory. Readies the thread. */
BIO *tls_bio(struct stream *) MUST_USE;

#endif
