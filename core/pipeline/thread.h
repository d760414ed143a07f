/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's part of a traffic thread, and of a listener: current snapshot, recycled objects, counters, who runs now. */
#ifndef PIPELINE_THREAD_H
#define PIPELINE_THREAD_H

#include "http/srv.h"
#include "net/tls.h"
#include "pipeline/plan.h"

struct hook_ref;
struct exchange;

#define PL_THREAD_MAGIC 0x504c5448u

/* Set around every hook: whom to blame when the thread dies or hangs. */
struct breadcrumb {
    const struct entry *entry;
    const struct exchange *x;
    unsigned point;
};

struct pl_thread {
    uint32_t magic;
    struct loop *loop;
    struct pipeline *pipeline;
    struct snapshot *snap; /* one reference */
    struct srv_thread *srv;
    struct breadcrumb crumb;
    struct list module_ops; /* struct xop without an exchange */
    const struct pl_listener *entered; /* has a place for the connection that is being accepted */
    _Atomic unsigned exchanges; /* written by this thread only */
    /* Written by this thread, read anywhere (relaxed). */
    _Atomic uint64_t requests, no_api, misuse, token_gone;
};

/* How many connections are open; outlives what counts in it. */
struct conn_gate {
    _Atomic unsigned refs, open;
};

/* A listener's limits and timeouts; connections keep theirs. */
struct pl_listener {
    struct srv_conf conf; /* first */
    _Atomic unsigned refs;
    str text, name;
    struct cidr *trusted;
    unsigned trusted_count;
    struct conn_gate *own, *all; /* of this address over all generations of the conf, and of all listeners */
    uint32_t max_own, max_all;
    uint8_t forwarded_send, forwarded_read; /* enum gw_send, gw_read */
    str via; /* empty: none is sent */
    char *memory; /* of the strings */
    struct tls_srv *tls; /* conf.tls, owned */
};
void pl_listener_unref(struct pl_listener *);
struct conn_gate *conn_gate_new(void); /* NULL: out of memory */
void conn_gate_unref(struct conn_gate *);

static inline struct pl_thread *pl_thread_of(struct loop *l) { return l->upper; }

/* The process's pipeline. */
struct pipeline {
    struct module_registry *modules;
    struct upstreams *upstreams;
    struct metrics *metrics;
    struct conn_gate *gate; /* all connections */
    struct loop *main;
    unsigned threads;
    uint32_t max_connections; /* pipeline_bound; 0: any number */
    struct loop *loops[LOOP_MAX]; /* by id, once started */
    struct pl_thread *thr[LOOP_MAX];
    struct snapshot *current;
    bool has_resolver; /* set by the first snapshot that is built, before any thread starts */
    struct resolver_conf resolver;
    char resolver_servers[512];
    void (*breadcrumb)(const char *, const char *);
    struct map confs;   /* live struct conf_obj by their keys */
    struct map refused; /* keys of confs that this build's plugins have refused: told once, not at every place */
    struct publish *publishing;
    struct tls_tickets *tickets; /* outlive every conf */
    struct tls_stats tls;        /* of the listeners */
    uint32_t m_requests, m_latency, m_integration, m_misuse, m_shadow, m_allowed;
    _Atomic unsigned units_live;
    uint64_t published;
};
/* A traffic loop by its id; NULL: none. Any thread: the table is written before traffic starts. */
extern struct loop *_Atomic pl_loops[LOOP_MAX];

#endif
