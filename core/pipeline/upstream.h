/* SPDX-License-Identifier: Apache-2.0 */
/* Live upstreams: what outlives a reload. Keyed by id and content hash; pools, resolved addresses and round-robin state per thread. */
#ifndef PIPELINE_UPSTREAM_H
#define PIPELINE_UPSTREAM_H

#include "base/text.h"
#include "http/cli.h"
#include "model/gateway.h"
#include "net/resolve.h"
#include "net/tls.h"

struct upstream;
struct upstreams; /* the registry of the process */

struct upstreams *upstreams_new(unsigned threads) MUST_USE;
void upstreams_free(struct upstreams *);
/* Main thread. The live one with the same id and hash, or a new one; one reference, the caller's. NULL: out of memory. */
struct upstream *upstream_get(struct upstreams *, const struct gw_upstream *, const struct gw_timeouts *defaults) MUST_USE;
const struct tls_stats *upstreams_tls(const struct upstreams *);
struct upstream *upstream_ref(struct upstream *);
/* Any thread; the last reference posts to every thread that has pools: idle connections close, then the last of them frees it. */
void upstream_unref(struct upstream *);
/* Any thread (a lock inside): the newest live one of that id, one reference more, the caller's; NULL: none. */
struct upstream *upstream_find(struct upstreams *, str id) MUST_USE;
str upstream_id(const struct upstream *);
str upstream_authority(const struct upstream *); /* Host to send; empty: the client's */
const struct cli_conf *upstream_conf(const struct upstream *);

/* Traffic thread: a target's pool for one call. NULL: fn has run already (addresses are known, or known to be none); else it runs later, but
 * not after upstream_pick_cancel. The caller holds a reference to the upstream until fn has run or the pick was cancelled,
 * and as long as a call over the pool lasts: connections read the upstream's cli_conf.
 *
 * Round robin by weight over the targets that have an address. A name's addresses share its turns, IPv4 before IPv6; one that failed
 * (upstream_report) is passed over for 1 to 30 s while the name has another. Names are asked for anew when the resolver's TTL is over; the old
 * addresses serve meanwhile, and stay when no server answers; those that are gone from an answer retire their pools. */
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
/* Looks the names up in advance, so that the first request need not wait. Traffic thread. */
void upstream_warm(struct upstream *, struct loop *);
/* Passive signals for metrics and, later, health. */
void upstream_report(struct upstream *, struct loop *, str target, bool ok);

/* Text for status (JSON object per upstream) and metrics. Main thread; counters are read relaxed. */
void upstreams_status(struct upstreams *, struct text *json);
void upstreams_metrics(struct upstreams *, struct text *out);
/* Has every upstream that a thread looked up an address somewhere? Adds a line to why (may be NULL) for each that has none. Main thread. */
bool upstreams_ready(struct upstreams *, struct text *why);

/* Per-thread part: a resolver and the pools. Before the thread's first pick, and at its end (on that thread). */
int upstreams_thread_start(struct upstreams *, struct loop *, const struct resolver_conf *); /* conf NULL: literal addresses only */
void upstreams_thread_stop(struct upstreams *, struct loop *);

#endif
