/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the floor: pools of client connections, what connections of every protocol version
 * have in common. */
#ifndef HTTP_CLI_CONN_H
#define HTTP_CLI_CONN_H

#include "http/cli.h"
#include "net/tls.h"

#define CLI_CONN_MAGIC 0x43434f4eu
#define CLI_POOL_MAGIC 0x43504f4fu

struct cli_conn;
struct cli_proto {
    int (*send)(struct cli_conn *, struct bufq *, bool end);
    void (*trailers)(struct cli_conn *, const struct hdrs *);
    void (*consumed)(struct cli_conn *);
    void (*close)(struct cli_conn *); /* at once, without an event */
};

struct cli_pool {
    uint32_t magic;
    bool retired;
    struct loop *loop;
    struct addr target;
    const struct cli_conf *conf;
    const struct tls_cli *tls; /* NULL: plain */
    str tls_host;
    struct tls_session session;
    struct list all;  /* of the thread's pools */
    struct list idle; /* used last: first */
    struct list busy;
    struct cli_pool_stats stats;
};

struct cli_conn {
    uint32_t magic;
    bool is_idle;
    const struct cli_proto *proto;
    struct cli_pool *pool; /* NULL once closed */
    struct list link;      /* in pool->idle or ->busy */
    struct cli_call *call; /* NULL while idle */
};

/* cli_pool.c: the counts follow. */
void cli_pool_add(struct cli_pool *, struct cli_conn *);  /* a new one, busy */
void cli_pool_idle(struct cli_conn *); /* its call is over; may close it, or another */
void cli_pool_leave(struct cli_conn *);                   /* it is closed; may free the pool */

/* h1_cli.c: a connection that is being opened, in the pool; NULL: out of memory. Failures come as
 * fail(). */
struct cli_conn *h1_cli_open(struct cli_pool *);
/* The head is text in the call's arena. */
void h1_cli_begin(struct cli_conn *, struct cli_call *, const struct http_req *, str head);

#endif
