/* SPDX-License-Identifier: Apache-2.0 */
/* Live upstreams: what outlives a reload. Keyed by id and content hash; pools, resolved addresses and round-robin state per thread. */
#ifndef PIPELINE_UPSTREAM_H
#define PIPELINE_UPSTREAM_H

#include "http/cli.h"
#include "model/gateway.h"
#include "net/resolve.h"

struct upstream;
struct upstreams; /* the registry of the process */

struct upstreams *upstreams_new(unsigned threads) MUST_USE;
void upstreams_free(struct upstreams *);
/* Main thread. The live one with the same id and hash, or a new one; one reference, the caller's. NULL: out of memory. */
struct upstream *upstream_get(struct upstreams *, const struct gw_upstream *, const struct gw_timeouts *defaults) MUST_USE;
struct upstream *upstream_ref(struct upstream *);
/* Any thread; the last reference posts to every thread that has pools: idle connections close, then it is freed on the main thread. */
void upstream_unref(struct upstream *);
str upstream_id(const struct upstream *);
str upstream_authority(const struct upstream *); /* Host to send; empty: the client's */
const struct cli_conf *upstream_conf(const struct upstream *);

/* Traffic thread: a target's pool for one call. Calls fn before it returns when addresses are known, else later; not at all after
 * upstream_pick_cancel. Round robin by weight over targets and their addresses. */
struct upstream_pick;
struct upstream_picked {
    int status; /* 0, E_NONE: unresolvable, E_IO, E_TIMEOUT */
    struct cli_pool *pool;
    str target; /* "10.0.0.5:9000"; lives with the upstream */
    const char *reason;
};
typedef void (*upstream_pick_fn)(void *arg, const struct upstream_picked *);
struct upstream_pick *upstream_pick(struct upstream *, struct loop *, struct arena *, upstream_pick_fn, void *arg);
void upstream_pick_cancel(struct upstream_pick *);
/* Passive signals for metrics and, later, health. */
void upstream_report(struct upstream *, struct loop *, str target, bool ok);

/* Text for status (JSON object per upstream) and metrics. Main thread; counters are read relaxed. */
void upstreams_status(struct upstreams *, struct text *json);
void upstreams_metrics(struct upstreams *, struct text *out);

/* Per-thread part: a resolver and the pools. Before the thread's first pick, and at its end (on that thread). */
int upstreams_thread_start(struct upstreams *, struct loop *, const struct resolver_conf *);
void upstreams_thread_stop(struct upstreams *, struct loop *);

#endif
