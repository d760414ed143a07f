/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the HTTP/1 server: a connection, the exchange on it, and the calls between reading
 * (h1_srv) and writing (h1_srv_out). */
#ifndef HTTP_H1_SRV_H
#define HTTP_H1_SRV_H

#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/srv_conn.h"
#include "net/stream.h"

enum h1_state {
    H1_S_IDLE = 0, /* no exchange */
    H1_S_HEAD,     /* a head is coming; nobody has seen the stream yet */
    H1_S_LIVE,     /* between head() or bad() and end() */
    H1_S_DROP,     /* answered; the rest of the request body is read and dropped */
    H1_S_LINGER,   /* our side is shut; waiting for the client's */
    H1_S_DEAD      /* closed; freed by the flush */
};

/* One request and its answer, in its own arena. */
struct h1_xchg {
    struct srv_stream st; /* first */
    struct arena arena;
    struct h1_head *head; /* one that has not come whole yet */
    struct h1_body body;
    struct bufq out; /* head, framing and body, staged */
    struct h1_chunker chunker;
    const struct hdrs *trailers;
    uint64_t out_left; /* of the declared length */
    uint8_t framing;   /* enum h1_framing of the answer */
    uint8_t minor;     /* HTTP/1.minor of the request */
    bool close;        /* it says that it is the last one */
    bool persists;     /* it lets the connection serve on */
    bool no_body;      /* HEAD, 204, 304: body bytes are dropped */
    bool keep;         /* the connection serves on behind this */
    bool answered;     /* all of the answer is staged */
    bool aborted, ended, bad;
    bool was_full;   /* room() is due */
    bool expect_due; /* "100 Continue" is due when the body is wanted */
    bool discarding;
};

struct h1_conn {
    struct srv_conn c; /* first */
    uint8_t state;
    bool stopped; /* reading */
    bool eof;     /* the client has shut its side */
    bool fresh;   /* no request yet */
    uint8_t blank; /* empty lines in front of the next request */
    struct stream io;
    ev_io rd, wr;
    struct timer timer;
    struct flusher flusher;
    struct h1_xchg *x; /* NULL while idle and in LINGER */
    struct h1_in in;
    uint64_t read_ms; /* last byte in; since when idle or lingering */
    uint64_t mark_ms; /* first byte of the head; last progress of a blocked write */
    uint64_t dropped; /* in DROP and LINGER */
};

/* h1_srv.c */
void h1_srv_readable(struct ev_loop *, ev_io *, int);
void h1_srv_read_timeout(struct h1_conn *);
void h1_srv_process(struct h1_conn *); /* uses what has been read */
void h1_srv_resume(struct h1_conn *);  /* reads on, if it had stopped and may */

/* h1_srv_conn.c */
struct h1_xchg *h1_srv_xchg_new(struct h1_conn *) MUST_USE;
void h1_srv_xchg_free(struct h1_conn *);         /* the connection's, if there is one */
void h1_srv_end(struct h1_conn *, enum srv_end); /* end() of the live stream; frees it */
void h1_srv_close(struct h1_conn *);             /* end() must have run */
void h1_srv_linger(struct h1_conn *);
void h1_srv_drop_rest(struct h1_conn *, const struct h1_body *);
void h1_srv_state(struct h1_conn *, enum h1_state);
void h1_srv_arm(struct h1_conn *); /* the timer, where its deadline has come nearer */
void h1_srv_free(struct h1_conn *);

/* h1_srv_tls.c: while c->io.opening */
bool h1_srv_open(struct h1_conn *); /* true: read on */
void h1_srv_open_writable(struct h1_conn *);
void h1_srv_open_timeout(struct h1_conn *);

/* h1_srv_out.c */
extern const struct srv_proto h1_srv_proto;
void h1_srv_flush(struct flusher *);
void h1_srv_writable(struct ev_loop *, ev_io *, int);

static inline bool h1_srv_blocked(const struct h1_conn *c) { return ev_is_active(&c->wr); }

#endif
