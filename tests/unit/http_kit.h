/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of floor 2: a loop, a server with a handler that is told what to do, peers on plain
 * sockets, a relay. */
#ifndef HTTP_KIT_H
#define HTTP_KIT_H

#include "base/text.h"
#include "http/cli.h"
#include "http/srv.h"
#include "unit.h"

enum kit_mode {
    KIT_ECHO = 0, /* waits for the whole body, answers "METHOD PATH?QUERY [AUTHORITY] BODY" with its
                     length */
    KIT_STREAM,   /* answers at once, length unknown, with the body as it comes */
    KIT_HOLD,     /* takes nothing and answers nothing until it is told to */
    KIT_EARLY,    /* answers from head(), wants no body */
    KIT_RELAY     /* to kit.pool */
};

struct kit {
    struct loop *l;
    struct srv_thread *th;
    struct srv_conf conf;
    struct srv_events events;
    enum kit_mode mode;
    struct text log;          /* a line per event, see http_kit.c */
    struct srv_stream *held;  /* KIT_HOLD: the last one */
    struct cli_pool *pool;    /* KIT_RELAY */
    struct cli_conf cli_conf;
    unsigned ended, heads, bads;
    uint64_t peak;            /* bytes held between the two sides, at most (KIT_RELAY) */
    bool discard;             /* KIT_EARLY: srv_discard as well */
};

void kit_open(struct kit *);
void kit_close(struct kit *); /* asserts that nothing is left */
/* KIT_HOLD: answers the held stream now. */
void kit_answer(struct kit *, unsigned status, const char *body);
/* A client's end of a new connection to the server. */
int kit_connect(struct kit *);
/* As kit_connect, over TCP on loopback. */
int kit_connect_tcp(struct kit *);
/* Turns the loop without waiting until nothing happens. */
void kit_turn(struct kit *);
/* Turns the loop until done(arg), at most ms; false: not in time. */
bool kit_until(struct kit *, bool (*done)(void *), void *arg, unsigned ms);
void kit_sleep(struct kit *, unsigned ms); /* with the loop turning */
/* All bytes, `step` at a time with turns between. */
void kit_send(struct kit *, int fd, const char *p, size_t n, size_t step);
void kit_sendz(struct kit *, int fd, const char *z);
/* What the peer can read now is added to *t. true: the other side has closed. */
bool kit_recv(int fd, struct text *t);
/* Sends, turns, reads until the other side closes or `want` bytes have come (0: until it closes),
 * at most 2 s. */
void kit_talk(struct kit *, const char *req, size_t n, size_t step, size_t want, struct text *out);
/* The answer to `req` on a connection of its own that ends; the caller frees. */
struct text kit_ask(struct kit *, const char *req, size_t n, size_t step);
/* For KIT_RELAY: a listening socket of a fake target on loopback, and the pool to it. */
int kit_target(struct kit *);
int kit_target_accept(struct kit *, int lfd); /* waits for a connection */
/* Reads from fd with turns until `part` has come in *t. */
void kit_expect(struct kit *, int fd, struct text *t, const char *part);

/* An answer without its Date header line, so that it can be compared. */
str kit_no_date(struct text *);
struct kit_rand {
    uint64_t s;
};
uint32_t kit_rand(struct kit_rand *, uint32_t below);

#endif
