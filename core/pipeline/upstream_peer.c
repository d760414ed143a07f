/* SPDX-License-Identifier: Apache-2.0 */
/* Passive health: what the calls of all threads tell of an address. So many failures in a row eject
 * it for a time, which doubles while it fails at once when it is back.
 *
 * Never all: the last address that would be used stays, and at most a share of them is out. Where
 * none is left all the same (names change), who chooses takes an ejected one. */
#include "base/log.h"
#include "pipeline/upstream_int.h"

#define GET(v)    atomic_load_explicit(&(v), memory_order_relaxed)
#define SET(v, x) atomic_store_explicit(&(v), x, memory_order_relaxed)

static void text_of(struct up_peer *p)
{
    char text[ADDR_TEXT];
    int n = (int)addr_ip_text(&p->ip, text);
    n = snprintf(p->text, sizeof p->text, p->ip.family == AF_INET6 ? "[%.*s]:%u" : "%.*s:%u", n,
                 text, p->ip.port);
    p->text_n = n > 0 ? (size_t)n : 0;
}

static bool same_ip(const struct addr_ip *a, const struct addr_ip *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* Under the lock: what an older upstream of the id knows of the same address holds for this one. */
static void inherit(struct up_peer *p)
{
    for (const struct upstream *u = p->u->older; u; u = u->older) {
        LIST_EACH(&u->peers, it)
        {
            struct up_peer *old = LIST_ITEM(it, struct up_peer, link);
            if (!same_ip(&old->ip, &p->ip))
                continue;
            if (p->u->health.type != HEALTH_NONE && u->health.type != HEALTH_NONE)
                SET(p->health, GET(old->health));
            SET(p->failures, GET(old->failures));
            SET(p->times, GET(old->times));
            SET(p->ejected_ms, GET(old->ejected_ms));
            SET(p->back_ms, GET(old->back_ms));
            return;
        }
    }
}

struct up_peer *up_peer_get(struct up_target *t, struct upstream *u, const struct addr_ip *ip)
{
    struct up_peer *p = NULL;
    pthread_mutex_lock(&u->all->lock);
    LIST_EACH(&u->peers, it)
    {
        struct up_peer *known = LIST_ITEM(it, struct up_peer, link);
        if (known->t == t && same_ip(&known->ip, ip))
            p = known;
    }
    if (!p && (p = calloc(1, sizeof *p))) {
        p->u = u;
        p->t = t;
        p->ip = *ip;
        text_of(p);
        inherit(p);
        list_push(&u->peers, &p->link);
    }
    if (p)
        p->refs++;
    pthread_mutex_unlock(&u->all->lock);
    return p;
}

void up_peer_put(struct up_peer *p)
{
    pthread_mutex_t *lock = &p->u->all->lock;
    pthread_mutex_lock(lock);
    bool last = --p->refs == 0;
    if (last)
        list_del(&p->link);
    pthread_mutex_unlock(lock);
    if (last)
        free(p);
}

static uint64_t out_for(const struct gw_ejection *c, uint32_t times)
{
    uint64_t ms = (uint64_t)c->time << (times < 20 ? times : 20);
    return ms < (uint64_t)c->max_time ? ms : (uint64_t)c->max_time;
}

/* Back, and it answers: told once. Its count goes when it has been good for as long as it was out.
 */
static void settle(struct up_peer *p, uint64_t now)
{
    uint64_t until = GET(p->ejected_ms);
    uint32_t times = GET(p->times);
    if (until > now)
        return; /* a call from before, or nobody else was left */
    if (until && atomic_compare_exchange_strong(&p->ejected_ms, &until, 0)) {
        SET(p->back_ms, now);
        log_info("upstream %.*s: target %.*s answers again", STR_ARG(p->u->id),
                 STR_ARG(str_n(p->text, p->text_n)));
    } else if (times && now - GET(p->back_ms) >= out_for(&p->u->ejection, times - 1)) {
        SET(p->times, 0);
    }
}

void up_peer_good(struct up_peer *p, uint64_t now)
{
    if (UNLIKELY(GET(p->failures)))
        SET(p->failures, 0);
    if (UNLIKELY(GET(p->times)))
        settle(p, now);
}

static bool may_eject(const struct gw_ejection *c, const struct up_share *s)
{
    if (s->usable < 2)
        return false;
    return s->ejected == 0 || (uint64_t)(s->ejected + 1) * 100 <= (uint64_t)c->percent * s->count;
}

void up_peer_bad(struct up_peer *p, const struct up_share *share, uint64_t now, const char *why)
{
    const struct gw_ejection *c = &p->u->ejection;
    uint32_t n = atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed) + 1;
    uint64_t until = GET(p->ejected_ms);
    uint32_t times = GET(p->times);
    if (c->failures == 0 || n < c->failures || until > now || !may_eject(c, share))
        return;
    uint64_t ms = out_for(c, times);
    if (!atomic_compare_exchange_strong(&p->ejected_ms, &until, now + ms))
        return; /* another thread was first */
    SET(p->times, times + 1);
    atomic_fetch_add_explicit(&p->t->ejections, 1, memory_order_relaxed);
    log_warn("upstream %.*s: target %.*s is ejected for %llu ms after %u failed calls: %s",
             STR_ARG(p->u->id), STR_ARG(str_n(p->text, p->text_n)), (unsigned long long)ms, n, why);
}
