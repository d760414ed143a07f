/* SPDX-License-Identifier: Apache-2.0 */
/* What upstreams are made of; only for the rooms upstream, upstream_pick and upstream_status.
 *
 * A struct upstream is immutable but for its counts. What changes (addresses, pools, turns) is in
 * one struct up_local per thread, touched by that thread alone; the main thread reads its counters
 * (relaxed) under the registry's lock, which also guards the locals' coming and going. */
#ifndef PIPELINE_UPSTREAM_INT_H
#define PIPELINE_UPSTREAM_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "pipeline/upstream.h"

#define UPSTREAM_MAGIC 0x55505354u
#define UP_ADDRS_MAX   64     /* of one name at a time; what an answer holds beyond is left out */
#define UP_ADDRS_KEPT  256    /* remembered with the former ones, whose texts may still be shown */
#define UP_REFRESH_MS  1000u  /* the resolver's cache is asked at most so often; it knows the TTL */
#define UP_STALE_MS    60000u /* an answer older than this is waited for anew before it serves */
#define UP_FAIL_MAX_MS 30000u
#define UP_PUBLISH_MS  1000u

struct up_target {
    str text, host;
    uint16_t port;
    bool is_ip;
    struct addr_ip ip; /* is_ip */
    uint32_t weight;
};

struct upstream {
    uint32_t magic;
    _Atomic uint32_t refs;
    _Atomic uint32_t holders; /* locals, and 1 while refs is above 0: the last frees it */
    struct upstreams *all;
    struct upstream *older; /* of the same id; lock */
    str id, authority;
    uint64_t hash;
    struct cli_conf conf;
    struct tls_cli *tls; /* NULL: plain */
    struct up_target *targets;
    unsigned target_count;
    struct arena arena;
    struct up_local *_Atomic local[LOOP_MAX]; /* set by its thread; cleared under the lock */
};

struct up_addr {
    struct addr_ip ip;
    bool live;
    uint8_t failures;  /* in a row */
    uint64_t avoid_ms; /* until then others of the name go first */
    uint64_t seen_ms;
    struct cli_pool *pool; /* NULL: not yet */
    size_t text_n;
    char text[ADDR_TEXT + 8];
};

/* A target as one thread sees it. */
struct up_seat {
    const struct up_target *t;
    struct up_local *local;
    struct up_addr **addrs; /* live ones first; never freed before the local */
    unsigned live, count, turn;
    int64_t current; /* smooth weighted round robin */
    struct resolve_op *op;
    bool asked;
    uint64_t asked_ms, good_ms;
    int status; /* of the last answer */
    const char *reason;
    uint64_t connects, connect_failed, reused; /* of retired pools */
    /* Read by the main thread. */
    _Atomic uint64_t pub_ok, pub_failed, pub_connects, pub_connect_failed, pub_reused;
    _Atomic uint32_t pub_busy, pub_idle, pub_addrs;
    _Atomic int pub_status; /* 1: not asked yet */
};

struct up_local {
    struct mbox_msg msg; /* retirement; first */
    struct upstream *u;
    struct loop *loop;
    struct upstreams_thread *thread;
    struct list link;    /* in thread->locals */
    struct list waiters; /* struct upstream_pick */
    bool posted;         /* lock: msg is on its way and frees this */
    bool down;
    unsigned seat_count;
    struct up_seat seats[];
};

struct upstream_pick {
    struct list link;
    upstream_pick_fn fn;
    void *arg;
};

struct upstreams_thread {
    struct upstreams *all;
    struct loop *loop; /* NULL: not started */
    struct resolver *resolver;
    struct list locals;
    struct timer publish;
};

struct upstreams {
    pthread_mutex_t lock; /* guards what is marked above and by_id; a leaf lock but for mbox_post */
    struct map by_id;     /* newest struct upstream of each id */
    struct tls_stats tls; /* handshakes of all */
    unsigned threads;
    struct upstreams_thread thread[LOOP_MAX];
};

/* upstream_pick.c. The local's thread. */
struct up_local *up_local_get(struct upstream *,
                              struct loop *); /* NULL: out of memory, or not started */
void up_local_down(struct up_local *);        /* pools and queries; further calls change nothing */
void up_local_publish(struct up_local *);

#endif
