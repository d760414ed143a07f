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

/* What a call wants of its target, over all its attempts. */
#define UPSTREAM_TRIED_MAX 8
struct upstream_want {
    uint64_t key; /* balance: hash; 0: none, and round robin decides */
    unsigned tried_n;
    bool other;   /* one of those tried will not do */
    const struct up_addr *tried[UPSTREAM_TRIED_MAX]; /* [tried_n]: others go first */
};

/* Traffic thread: a target's pool for one call. NULL: fn has run already (addresses are known, or known to be none); else it runs later, but
 * not after upstream_pick_cancel. The caller holds a reference to the upstream until fn has run or the pick was cancelled,
 * and as long as a call over the pool lasts: connections read the upstream's cli_conf. `want` (may be NULL) lives until fn has run.
 *
 * The choice is the upstream's balance over all addresses of all targets; a target's addresses share its weight. Addresses that are
 * ejected, and those tried before, are passed over while there are others; ones that are found unhealthy are never chosen.
 * Names are asked for anew when the resolver's TTL is over; the old addresses serve meanwhile, and stay when no server answers;
 * those that are gone from an answer retire their pools. */
struct upstream_pick;
struct up_addr;
struct upstream_picked {
    int status; /* 0, E_NONE: unresolvable, or none that may be used, E_LIMIT: the pools are full, E_IO, E_TIMEOUT */
    struct cli_pool *pool;
    struct up_addr *addr; /* of a pool: upstream_ended is due, once */
    str target;           /* "10.0.0.5:9000"; lives as long as the call */
    const char *reason;
    bool alone; /* there is no other address */
};
typedef void (*upstream_pick_fn)(void *arg, const struct upstream_picked *);
struct upstream_pick *upstream_pick(struct upstream *, struct loop *, struct arena *, const struct upstream_want *, upstream_pick_fn,
                                    void *arg);
void upstream_pick_cancel(struct upstream_pick *);
/* A call for which the pools had no room (E_LIMIT) waits in line: fn runs later, outside of this call, with room to try again, or
 * without: its time is up. False: there is no line, or no place in it. A turn begins cleared, and is used again when the room was taken. */
struct upstream_turn {
    struct list link;
    struct timer late;
    struct up_local *l; /* NULL: not in line */
    uint64_t until_ms;
    void (*fn)(void *arg, bool room);
    void *arg;
};
bool upstream_queue(struct upstream *, struct loop *, struct upstream_turn *, void (*fn)(void *arg, bool room), void *arg);
void upstream_queue_leave(struct upstream_turn *);
void upstream_tried(struct upstream_want *, const struct up_addr *);
/* How a call went, for passive health: told when it is known, at most once. why: constant text. */
void upstream_verdict(struct up_addr *, bool ok, const char *why);
/* The call is over; addr is not to be used any more. */
void upstream_ended(struct up_addr *);
const struct gw_retries *upstream_retries(const struct upstream *);
/* Is there an address that was not tried? */
bool upstream_has_other(const struct up_addr *, const struct upstream_want *);
/* One attempt more after that at `addr`, out of the upstream's budget: false: it is spent. Counted. */
bool upstream_retry_take(struct up_addr *);
/* Is an answer of this status a failure of the target's? */
bool upstream_bad_status(const struct upstream *, unsigned status);
/* What its hash is made of; NULL: the balance is none. */
const struct gw_balance *upstream_hashes(const struct upstream *);
uint64_t upstream_hash(str); /* the same in every process; never 0 */
/* Looks the names up in advance, so that the first request need not wait. Traffic thread. */
void upstream_warm(struct upstream *, struct loop *);

/* Text for status (JSON object per upstream) and metrics. Main thread; counters are read relaxed. */
void upstreams_status(struct upstreams *, struct text *json);
void upstreams_metrics(struct upstreams *, struct text *out);
/* Has every upstream a target that may be used? verbose (may be NULL) gets a line for each. Main thread. */
bool upstreams_ready(struct upstreams *, struct text *verbose);

/* Per-thread part: a resolver and the pools. Before the thread's first pick, and at its end (on that thread). */
int upstreams_thread_start(struct upstreams *, struct loop *, const struct resolver_conf *); /* conf NULL: literal addresses only */
void upstreams_thread_stop(struct upstreams *, struct loop *);

#endif
