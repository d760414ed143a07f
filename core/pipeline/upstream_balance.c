/* SPDX-License-Identifier: Apache-2.0 */
/* Which address is next: round robin, least connections, random of two, consistent hash, each by
 * weight.
 *
 * A weight is kept as what a call costs: COST / weight, times the addresses that share it. Round
 * robin is a heap of turns, each a call's cost after the one before. The ring has POINTS places per
 * address and weight (weights divided by what they have in common); a point depends on its address
 * and number alone, so that a target which comes or goes moves only its own share of the keys, in
 * every process alike. Whatever is chosen, one that may not be used, or whose pool is full, is
 * passed over in favour of the next. */
#include "pipeline/upstream_int.h"

#define COST       (UINT64_C(1) << 20)
#define POINTS     160u
#define POINTS_MAX (1u << 16)
#define LOOK_MAX   64u /* least_connections looks at no more at once */
#define TURNS      4u
#define DRAWS      6u

uint64_t upstream_hash(str s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a, and the end of MurmurHash3 */
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 33;
    return h ? h : 1;
}

/* Who may be chosen */

enum fits { FIT_GOOD, FIT_EJECTED, FIT_AGAIN }; /* the strictest first */

static bool tried(const struct upstream_want *w, const struct up_addr *a)
{
    for (unsigned i = 0; w && i < w->tried_n; i++)
        if (w->tried[i] == a)
            return true;
    return false;
}

static bool full(const struct up_addr *a)
{
    return a->seat->local->u->conf.pool_max && a->pool && !cli_pool_room(a->pool);
}

static bool fits(const struct up_addr *a, const struct upstream_want *w, uint64_t now, enum fits f)
{
    if (UNLIKELY(up_peer_unhealthy(a->peer)) || UNLIKELY(full(a)))
        return false;
    if (f < FIT_AGAIN && UNLIKELY(tried(w, a)))
        return false;
    return f >= FIT_EJECTED || LIKELY(!up_peer_ejected(a->peer, now));
}

/* How strict the choice can be; -1: there is nobody. */
static int strictest(const struct up_balance *b, const struct upstream_want *w, uint64_t now)
{
    int last = w && w->other ? FIT_EJECTED : FIT_AGAIN;
    for (int f = FIT_GOOD; f <= last; f++)
        for (unsigned i = 0; i < b->count; i++)
            if (fits(b->places[i].addr, w, now, (enum fits)f))
                return f;
    return -1;
}

bool up_balance_full(const struct up_local *l)
{
    for (unsigned i = 0; i < l->balance.count; i++)
        if (full(l->balance.places[i].addr) && !up_peer_unhealthy(l->balance.places[i].addr->peer))
            return true;
    return false;
}

bool upstream_has_other(const struct up_addr *a, const struct upstream_want *w)
{
    const struct up_local *l = a->seat->local;
    struct upstream_want others = *w;
    others.other = true;
    return !l->down && strictest(&l->balance, &others, loop_now_ms(l->loop)) >= 0;
}

struct up_share up_balance_share(const struct up_local *l, uint64_t now)
{
    const struct up_balance *b = &l->balance;
    struct up_share s = {.count = b->count};
    for (unsigned i = 0; i < b->count; i++) {
        bool out = up_peer_ejected(b->places[i].addr->peer, now);
        s.ejected += out;
        s.usable += !out && !up_peer_unhealthy(b->places[i].addr->peer);
    }
    return s;
}

/* Turns */

static void sink(struct up_balance *b, unsigned i)
{
    uint32_t *h = b->heap, moved = h[i];
    for (;;) {
        unsigned c = 2 * i + 1;
        if (c >= b->count)
            break;
        if (c + 1 < b->count && b->places[h[c + 1]].due < b->places[h[c]].due)
            c++;
        if (b->places[moved].due <= b->places[h[c]].due)
            break;
        h[i] = h[c];
        i = c;
    }
    h[i] = moved;
}

static void heapify(struct up_balance *b)
{
    for (unsigned i = b->count / 2; i-- > 0;)
        sink(b, i);
}

/* Who was passed over for long gets one turn, not all that it missed. A further attempt takes none:
 * else every request would begin at the one that fails, of two. */
static void take_turn(struct up_balance *b, struct up_place *p, const struct upstream_want *w)
{
    if (w && w->tried_n)
        return;
    if (p->due > b->now)
        b->now = p->due;
    p->due = b->now + p->cost;
}

static struct up_addr *round_robin(struct up_balance *b, const struct upstream_want *w,
                                   uint64_t now)
{
    for (unsigned i = 0; i < TURNS && !(w && w->tried_n); i++) {
        struct up_place *p = &b->places[b->heap[0]];
        take_turn(b, p, w);
        sink(b, 0);
        if (fits(p->addr, w, now, FIT_GOOD))
            return p->addr;
    }
    int f = strictest(b, w, now);
    struct up_place *best = NULL;
    for (unsigned i = 0; f >= 0 && i < b->count; i++) {
        struct up_place *p = &b->places[i];
        if (fits(p->addr, w, now, (enum fits)f) && (!best || p->due < best->due))
            best = p;
    }
    if (!best)
        return NULL;
    take_turn(b, best, w);
    heapify(b);
    return best->addr;
}

static uint64_t load_of(const struct up_place *p)
{
    return atomic_load_explicit(&p->addr->peer->calls, memory_order_relaxed) * p->cost;
}

/* The least loaded for its weight; among equals whose turn it is. */
static struct up_addr *least(struct up_balance *b, const struct upstream_want *w, uint64_t now,
                             enum fits f)
{
    unsigned n = b->count < LOOK_MAX || f > FIT_GOOD ? b->count : LOOK_MAX, from = b->look;
    struct up_place *best = NULL;
    uint64_t best_load = 0;
    for (unsigned i = 0; i < n; i++) {
        struct up_place *p = &b->places[from];
        uint64_t load = load_of(p);
        from = from + 1 < b->count ? from + 1 : 0;
        if (best && (load > best_load || (load == best_load && p->due >= best->due)))
            continue;
        if (!fits(p->addr, w, now, f))
            continue;
        best = p;
        best_load = load;
    }
    b->look = n < b->count ? from : 0;
    if (best)
        take_turn(b, best, w);
    return best ? best->addr : NULL;
}

static struct up_addr *least_connections(struct up_balance *b, const struct upstream_want *w,
                                         uint64_t now)
{
    struct up_addr *a = least(b, w, now, FIT_GOOD);
    int f = a ? -1 : strictest(b, w, now);
    if (f == FIT_GOOD)
        return round_robin(b, w, now); /* it was not among those looked at */
    return f < 0 ? a : least(b, w, now, (enum fits)f);
}

/* A place by weight. */
static struct up_place *draw(struct up_balance *b, struct rng *r)
{
    uint64_t x = rng_next(r) % b->sums[b->count - 1];
    unsigned low = 0, high = b->count - 1;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (x < b->sums[mid])
            high = mid;
        else
            low = mid + 1;
    }
    return &b->places[low];
}

static struct up_addr *random_two(struct up_balance *b, struct rng *r,
                                  const struct upstream_want *w, uint64_t now)
{
    struct up_place *one = NULL;
    for (unsigned i = 0; i < DRAWS; i++) {
        struct up_place *p = draw(b, r);
        if (p == one || !fits(p->addr, w, now, FIT_GOOD))
            continue;
        if (one)
            return load_of(p) < load_of(one) ? p->addr : one->addr;
        one = p;
    }
    return one ? one->addr : least_connections(b, w, now);
}

/* The ring */

static struct up_addr *on_ring(struct up_balance *b, const struct upstream_want *w, uint64_t now)
{
    unsigned low = 0, high = b->points;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (b->ring[mid].at < w->key)
            low = mid + 1;
        else
            high = mid;
    }
    int f = FIT_GOOD;
    for (unsigned i = 0; f >= 0 && i < b->points; i++) {
        unsigned at = low + i < b->points ? low + i : low + i - b->points;
        struct up_addr *a = b->places[b->ring[at].place].addr;
        if (fits(a, w, now, (enum fits)f))
            return a;
        if (i == 0) {
            f = strictest(b, w, now); /* else the whole ring would be walked in vain */
            if (f >= 0 && fits(a, w, now, (enum fits)f))
                return a;
        }
    }
    return NULL;
}

static int by_at(const void *a, const void *b)
{
    const struct up_point *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static uint32_t common(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Points of an address; at least one, and all of them within the bound. */
static unsigned points_of(const struct up_seat *s, uint32_t unit, uint64_t total)
{
    uint64_t n = (uint64_t)s->t->weight / unit * POINTS;
    if (total > POINTS_MAX)
        n = n * POINTS_MAX / total;
    n /= s->live;
    return n ? (unsigned)n : 1;
}

static int build_ring(struct up_local *l)
{
    struct up_balance *b = &l->balance;
    uint32_t unit = 0;
    uint64_t total = 0;
    for (unsigned i = 0; i < l->seat_count; i++)
        unit = common(l->seats[i].t->weight, unit);
    for (unsigned i = 0; i < l->seat_count; i++)
        total += (uint64_t)l->seats[i].t->weight / unit * POINTS;
    size_t room = (size_t)(total < POINTS_MAX ? total : POINTS_MAX) + b->count;
    b->ring = malloc(room * sizeof *b->ring);
    if (!b->ring)
        return E_NOMEM;
    for (unsigned i = 0; i < b->count; i++) {
        const struct up_peer *p = b->places[i].addr->peer;
        unsigned n = points_of(b->places[i].addr->seat, unit, total);
        for (unsigned k = 0; k < n && b->points < room; k++) {
            char text[sizeof p->text + 16];
            int len = snprintf(text, sizeof text, "%s#%u", p->text, k);
            b->ring[b->points++] = (struct up_point){upstream_hash(str_n(text, (size_t)len)), i};
        }
    }
    qsort(b->ring, b->points, sizeof *b->ring, by_at);
    return 0;
}

/* Building */

void up_balance_fini(struct up_balance *b)
{
    free(b->places);
    free(b->heap);
    free(b->sums);
    free(b->ring);
    memset(b, 0, sizeof *b);
}

static unsigned live_of(const struct up_local *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->seat_count; i++)
        n += l->seats[i].live;
    return n;
}

/* Threads and processes begin at different turns. */
static void place(struct up_local *l, struct up_addr *a)
{
    struct up_balance *b = &l->balance;
    uint64_t cost = COST * a->seat->live / a->seat->t->weight;
    struct up_place *p = &b->places[b->count];
    *p = (struct up_place){.addr = a, .cost = cost ? cost : 1};
    p->due = rng_next(&l->loop->rng) % p->cost;
    uint64_t weight = COST * a->seat->t->weight / a->seat->live;
    b->sums[b->count] = (b->count ? b->sums[b->count - 1] : 0) + (weight ? weight : 1);
    b->heap[b->count] = b->count;
    b->count++;
}

int up_balance_build(struct up_local *l)
{
    struct up_balance *b = &l->balance;
    unsigned n = live_of(l);
    up_balance_fini(b);
    b->places = malloc((n + 1) * sizeof *b->places);
    b->heap = malloc((n + 1) * sizeof *b->heap);
    b->sums = malloc((n + 1) * sizeof *b->sums);
    if (!b->places || !b->heap || !b->sums) {
        up_balance_fini(b);
        return E_NOMEM;
    }
    for (unsigned i = 0; i < l->seat_count; i++)
        for (unsigned k = 0; k < l->seats[i].live; k++)
            place(l, l->seats[i].addrs[k]);
    heapify(b);
    if (n && l->u->balance.kind == BALANCE_HASH && build_ring(l) != 0) {
        up_balance_fini(b);
        return E_NOMEM;
    }
    l->stale = false;
    return 0;
}

struct up_addr *up_balance_choose(struct up_local *l, const struct upstream_want *w, uint64_t now)
{
    struct up_balance *b = &l->balance;
    if (b->count == 1) {
        struct up_addr *only = b->places[0].addr;
        return fits(only, w, now, w && w->other ? FIT_EJECTED : FIT_AGAIN) ? only : NULL;
    }
    if (b->count == 0)
        return NULL;
    switch (l->u->balance.kind) {
    case BALANCE_LEAST_CONNECTIONS:
        return least_connections(b, w, now);
    case BALANCE_RANDOM_TWO:
        return random_two(b, &l->loop->rng, w, now);
    case BALANCE_HASH:
        if (w && w->key)
            return on_ring(b, w, now);
        return round_robin(b, w, now);
    default:
        return round_robin(b, w, now);
    }
}
