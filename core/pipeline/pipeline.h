/* SPDX-License-Identifier: Apache-2.0 */
/* What the process floor calls: build a snapshot from a conf, publish it to the traffic threads, accept connections, explain a request.
 *
 * Main thread (loop 0), except pipeline_thread_* and pipeline_accept, which run on the traffic thread whose loop they are given. */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "base/text.h"
#include "model/gateway.h"
#include "net/loop.h"

struct pipeline; /* one per process: modules, live upstreams, metrics, the published snapshot */
struct snapshot;
struct metrics;
struct upstreams;
struct module_registry;

struct pipeline_conf {
    unsigned threads;    /* traffic threads: loops 1 .. threads; 0: none (check, explain) */
    const char *version; /* of the gateway */
    /* Called before each conf_create and load with the plugin's name and "file:line" of what is compiled, and with NULL, NULL behind it:
     * so that a trial that dies can be blamed. May be NULL. */
    void (*breadcrumb)(const char *plugin, const char *place);
};

/* main: loop 0, or NULL when there are no threads. NULL: out of memory. */
struct pipeline *pipeline_new(const struct pipeline_conf *, struct loop *main) MUST_USE;
/* After all traffic threads have ended: unload() of the plugins, everything freed. */
void pipeline_free(struct pipeline *);
struct metrics *pipeline_metrics(struct pipeline *);
struct upstreams *pipeline_upstreams(struct pipeline *);
struct module_registry *pipeline_modules(struct pipeline *);

/* Loads plugins, compiles every API that changed against the published snapshot, reuses the others. Takes the gateway over, also on failure.
 * NULL: refused; diag says everything that is wrong. */
struct snapshot *snapshot_build(struct pipeline *, struct gateway *, struct diag *) MUST_USE;
void snapshot_free(struct snapshot *); /* one that was never published */
const struct gateway *snapshot_gateway(const struct snapshot *);
unsigned snapshot_routes(const struct snapshot *);
unsigned snapshot_units_reused(const struct snapshot *);

/* Prepares every thread (plugins' thread_start), then swaps on all. done runs on the main thread when each has adopted it: status 0; or
 * E_*: a thread could not, nothing was swapped anywhere, the snapshot was freed, why says what. The snapshot before is freed behind its last
 * exchange. One publish at a time (E_AGAIN). */
typedef void (*pipeline_done_fn)(void *arg, int status, const char *why);
int pipeline_publish(struct pipeline *, struct snapshot *, pipeline_done_fn done, void *arg);
const struct snapshot *pipeline_current(const struct pipeline *); /* NULL before the first */

/* On the thread, before its first publish / after its last connection has gone. */
int pipeline_thread_start(struct pipeline *, struct loop *) MUST_USE;
void pipeline_thread_stop(struct pipeline *, struct loop *);
/* limits.connections: takes a place at the listener with that canonical address (gw_listener.text), before the accept, so that threads
 * that accept in the same instant stay within the limit. E_LIMIT: there is none; E_NOMEM: limits.memory is reached. On 0 pipeline_leave()
 * follows in the same callback, also when a connection has taken the place over. */
int pipeline_enter(struct loop *, str listener);
/* What the process's descriptors allow, beside limits.connections, to snapshots that are built from now on. Main thread. */
void pipeline_bound(struct pipeline *, uint32_t connections);
void pipeline_leave(struct loop *);
/* An accepted connection. Owns fd. Closes it when the listener is gone. */
void pipeline_accept(struct loop *, str listener, int fd, const struct addr *peer);
unsigned pipeline_listener_open(const struct pipeline *, str listener); /* connections open now; main thread */
/* Of the thread: answers say `Connection: close` from now on; how many connections are left; how many exchanges run; close all. */
void pipeline_thread_drain(struct loop *);
unsigned pipeline_thread_connections(struct loop *);
unsigned pipeline_thread_exchanges(struct loop *);
void pipeline_thread_close(struct loop *);

/* What a request would meet: listener, API, stage, route, upstream, hook chain, each with the conf line that put it there.
 * headers: "Name: value" lines. json: as one JSON object, else text for people. E_NONE: no API, stage or route answers it (out says which
 * step failed and with what the client would be answered). */
int pipeline_explain(const struct snapshot *, str method, str url, const str *headers, unsigned nheaders, bool json, struct text *out);
/* Entries, modules, versions, ABI, hooks, stale files. */
void pipeline_plugins(const struct pipeline *, bool json, struct text *out);
/* "connections": n, "requests": n, ... members of the status object (no braces). */
void pipeline_status(struct pipeline *, struct text *json);
/* Not ready: upstreams without an address and the like, one line each; true when ready. */
bool pipeline_ready(struct pipeline *, struct text *why);

#endif
