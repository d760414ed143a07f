/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the HTTP/1 client: a connection and the call on it; reading (h1_cli) and opening,
 * writing, closing (h1_cli_out). */
#ifndef HTTP_H1_CLI_H
#define HTTP_H1_CLI_H

#include "http/cli_conn.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "net/stream.h"

enum h1_cli_state { H1_C_CONNECT = 0, H1_C_IDLE, H1_C_BUSY, H1_C_DEAD };

struct h1_cli {
    struct cli_conn c; /* first */
    struct loop *loop;
    const struct cli_conf *conf;
    uint8_t state;
    uint8_t framing;  /* enum h1_framing of the request */
    bool served;      /* a call before this one was answered here */
    bool stopped;     /* reading */
    bool at_once;     /* connected, and nobody has looked */
    bool out_dead;    /* the target takes no more; its answer may still come */
    bool req_ended;   /* all of the request is staged */
    bool was_full;    /* room() is due */
    bool head_method; /* the request's */
    bool res_head;    /* the answer's head has come */
    bool may_keep;    /* it lets the connection serve on */
    uint8_t infos;    /* 1xx answers of this call */
    int failed;       /* connect: -errno */
    struct stream io;
    ev_io rd, wr;
    struct timer timer;
    struct flusher flusher;
    struct h1_head *head; /* one that has not come whole yet, in the call's arena */
    struct h1_body body;
    struct h1_in in;
    struct bufq out;
    struct h1_chunker chunker;
    const struct hdrs *trailers;
    uint64_t out_left; /* of the declared length */
    uint64_t start_ms, mark_ms,
        read_ms; /* call begun; write progress or request sent; last byte in, or idle since */
};

/* h1_cli_out.c */
void h1_cli_close(struct cli_conn *);
void h1_cli_fail(struct h1_cli *, int err, const char *reason);
void h1_cli_resume(struct h1_cli *);
void h1_cli_arm(struct h1_cli *);

/* h1_cli_tls.c: TCP is there; false: it is failed. And the handshake while c->io.opening. */
bool h1_cli_secure(struct h1_cli *);
void h1_cli_handshake(struct h1_cli *);
/* h1_cli_out.c */
void h1_cli_connected(struct h1_cli *);

/* h1_cli.c */
void h1_cli_readable(struct ev_loop *, ev_io *, int);

static inline bool h1_cli_blocked(const struct h1_cli *c) { return ev_is_active(&c->wr); }

#endif
