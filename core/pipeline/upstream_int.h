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

#define UPSTREAM_MAGIC  0x55505354u
#define UP_ADDRS_MAX    64    /* of one name at a time; what an answer holds beyond is left out */
#define UP_ADDRS_KEPT   256   /* remembered with the former ones, whose texts may still be shown */
#define UP_REFRESH_MS   1000u /* the resolver's cache is asked at most so often; it knows the TTL */
#define UP_STALE_MS     60000u /* an answer older than this is waited for anew before it serves */
#define UP_PUBLISH_MS   1000u
#define UP_CHECK_THREAD 1u /* runs the active checks of all */

struct up_target {
    str text, host;
    uint16_t port;
    bool is_ip;
    struct addr_ip ip; /* is_ip */
    uint32_t weight;
    _Atomic uint64_t ejections, checks_ok, checks_failed;
};

/* Active health, upstream_check.c. */
enum up_health { UP_UNKNOWN = 0, UP_HEALTHY, UP_UNHEALTHY };
struct up_tally {
    enum up_health state;
    bool last_ok;
    unsigned row; /* equal results in a row */
};

/* An address as the whole process knows it: every thread that has it holds one. */
struct up_peer {
    struct list link; /* in upstream->peers; lock */
    unsigned refs;    /* lock */
    struct upstream *u;
    struct up_target *t;
    struct addr_ip ip;
    _Atomic uint32_t live; /* threads whose name has it now */
    size_t text_n;
    char text[ADDR_TEXT + 8];
    _Atomic int health; /* enum up_health */
    /* Passive health, upstream_peer.c. Times are loop_now_ms. */
    _Atomic uint32_t failures;   /* in a row */
    _Atomic uint32_t times;      /* ejected so often without a long good time in between */
    _Atomic uint64_t ejected_ms; /* until then; 0: not, or back */
    _Atomic uint64_t back_ms;
    _Atomic uint32_t calls; /* open ones of all threads, where the balance asks for it */
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
    struct gw_balance balance;
    struct gw_ejection ejection;
    struct gw_retries retries;
    struct gw_health health;
    struct cli_conf check_conf;
    _Atomic uint64_t retry_next_us, retried, retry_denied; /* upstream_retry.c */
    uint32_t queue_max, queue_ms;
    _Atomic uint64_t queued, queue_late; /* upstream_queue.c: now in line; whose time was up */
    _Atomic uint64_t full;               /* picks that only full pools kept from a target */
    bool counts;                         /* the balance looks at the open calls of all threads */
    struct tls_cli *tls; /* NULL: plain */
    struct up_target *targets;
    unsigned target_count;
    bool names;        /* some targets are */
    struct list peers; /* lock */
    struct arena arena;
    struct up_local *_Atomic local[LOOP_MAX]; /* set by its thread; cleared under the lock */
};

/* An address as one thread sees it. */
struct up_addr {
    struct up_peer *peer;
    struct up_seat *seat;
    bool live, was_live; /* was: while an answer is taken over */
    unsigned calls;      /* open ones: it is not made over meanwhile */
    uint64_t seen_ms;
    struct cli_pool *pool;  /* NULL: not yet */
    struct up_check *check; /* on the thread that runs them */
};

/* A target as one thread sees it. */
struct up_seat {
    struct up_target *t;
    struct up_local *local;
    struct up_addr **addrs; /* live ones first; never freed before the local */
    unsigned live, count;
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

/* upstream_balance.c: the live addresses of all targets, ready to be chosen from. */
struct up_place {
    struct up_addr *addr;
    uint64_t cost; /* of one call, the smaller the larger its weight */
    uint64_t due;  /* round robin: its next turn, in a time that runs by costs */
};
struct up_point { /* of the hash ring */
    uint64_t at;
    uint32_t place;
};
struct up_balance {
    struct up_place *places;
    uint32_t *heap;        /* places by due */
    uint64_t *sums;        /* running sums of weights; random_two */
    struct up_point *ring; /* by at; hash */
    unsigned count, points;
    uint64_t now;  /* due of the last turn */
    unsigned look; /* where least_connections begins to look */
};

struct up_local {
    struct mbox_msg msg; /* retirement; first */
    struct upstream *u;
    struct loop *loop;
    struct upstreams_thread *thread;
    struct list link;    /* in thread->locals */
    struct list waiters; /* struct upstream_pick */
    struct list line;    /* struct upstream_turn */
    unsigned line_n, freed;
    bool letting; /* the call that picks now comes from the line */
    struct flusher line_flush;
    bool posted; /* lock: msg is on its way and frees this */
    bool down;
    uint32_t saved; /* of the budget of further attempts, in hundredths */
    bool stale;     /* the balance is to be built anew */
    struct up_balance balance;
    unsigned seat_count;
    struct up_seat seats[];
};

struct upstream_pick {
    struct list link;
    const struct upstream_want *want;
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
void up_local_free(struct up_local *);
void up_local_publish(struct up_local *);
void up_local_wake(struct up_local *); /* a name was answered */
bool up_local_freshen(
    struct up_local *); /* asks for names when it is time; is one without an address? */

struct cli_pool *up_pool_new(struct up_addr *, const struct addr *to, const struct cli_conf *);

/* upstream_queue.c. The local's thread. */
void up_line_init(struct up_local *);
void up_line_freed(struct up_local *); /* a call ended while somebody waits */
void up_line_down(struct up_local *);

/* upstream_check.c. The local's thread; of no effect on others than UP_CHECK_THREAD. */
void up_check_start(struct up_addr *);
void up_check_stop(struct up_addr *);
bool up_health_step(struct up_tally *, const struct gw_health *,
                    bool ok); /* did the state change? */

/* upstream_addr.c: a target's addresses. The local's thread. */
void up_seat_init(struct up_local *, struct up_seat *, struct up_target *);
bool up_seat_refresh(struct up_seat *, uint64_t now); /* asks when it is time; must a pick wait? */
void up_seat_down(struct up_seat *);
void up_seat_free(struct up_seat *);

/* upstream_peer.c. Any thread. */
struct up_peer *up_peer_get(struct up_target *, struct upstream *,
                            const struct addr_ip *); /* NULL: out of memory */
void up_peer_put(struct up_peer *);
static inline bool up_peer_ejected(const struct up_peer *p, uint64_t now)
{
    return atomic_load_explicit(&p->ejected_ms, memory_order_relaxed) > now;
}
static inline bool up_peer_unhealthy(const struct up_peer *p)
{
    return atomic_load_explicit(&p->health, memory_order_relaxed) == UP_UNHEALTHY;
}
void up_peer_good(struct up_peer *, uint64_t now);
/* usable: of `count` addresses, how many would be used now, this one included; ejected: how many
 * are out. */
struct up_share {
    unsigned count, usable, ejected;
};
void up_peer_bad(struct up_peer *, const struct up_share *, uint64_t now, const char *why);

/* upstream_retry.c */
void up_retry_earn(uint32_t *saved, uint32_t percent);
/* next_us: shared by all threads. */
bool up_retry_spend(uint32_t *saved, _Atomic uint64_t *next_us, uint32_t per_second,
                    uint64_t now_us);

/* upstream_balance.c. The local's thread. */
int up_balance_build(struct up_local *); /* E_NOMEM */
void up_balance_fini(struct up_balance *);
/* NULL: none is left that may be used. */
struct up_addr *up_balance_choose(struct up_local *, const struct upstream_want *, uint64_t now);
bool up_balance_full(const struct up_local *); /* is there one that only its full pool keeps out? */
struct up_share up_balance_share(const struct up_local *, uint64_t now);

#endif
