/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms of the plugin chaos share: what is counted, the conf, the exchange's context,
 * random numbers. */
#ifndef CHAOS_H
#define CHAOS_H

#include <sallyport/sugar.h>

/* What happened; label `what` of sallyport_plugin_chaos_events_total. */
enum chaos_event {
    EV_SUSPEND = 0, /* PENDING, resumed from another thread */
    EV_TIMER,       /* PENDING, continued by a timer */
    EV_RACE,        /* PENDING, both of the above: the first wins */
    EV_STALE,       /* PENDING on a timer beside a token that nobody resumes in time */
    EV_RESUMED,     /* resume() from another thread answered SP_OK */
    EV_GONE,        /* resume() answered SP_E_GONE: the exchange had ended first */
    EV_DOUBLE,      /* a second resume() was refused with SP_E_GONE */
    EV_LATE,        /* a resume() behind the exchange's end was refused with SP_E_GONE */
    EV_STREAM,      /* a body was asked for as it comes */
    EV_OBSERVE,     /* ... to look at only */
    EV_BUFFER,      /* ... as a whole */
    EV_SPLIT,       /* a chunk was given on in pieces */
    EV_HOLD,        /* bytes were held back and given on later */
    EV_BODY_WAIT,   /* PENDING in the middle of a body */
    EV_BAD, /* the host broke a promise of the ABI; the log has a line that begins with BUG */
    EV_COUNT
};

struct chaos_thread; /* thread.c */

struct chaos { /* per process */
    const struct sp_host *host;
    struct sp_module *module;
    struct chaos_thread *thread;
    uint64_t seed;
    uint32_t series[EV_COUNT];
    uint64_t elsewhere[EV_COUNT]; /* counted by our thread, which has no cells: atomic, moved over
                                     at each exchange's end */
};

struct chaos_conf { /* percentages, of hook runs */
    uint64_t seed;
    int64_t pending, body, split, hold, delay_ms;
    int64_t across; /* held bytes may stay until the next chunk */
};

#define CHAOS_STALE 4
#define CHAOS_HELD  64

struct chaos_side { /* a body on its way */
    uint32_t mode;
    uint32_t held_count;
    uint64_t offset; /* the next chunk's, as it must be */
    bool ended;
    struct sp_slice held[CHAOS_HELD]; /* one reference each */
};

struct chaos_ctx { /* per exchange and entry */
    uint64_t rng;
    uint64_t delay_us;  /* the conf's; exchange_end has no place, so no conf */
    uint32_t serial;    /* of the last wait */
    uint32_t awaits[3]; /* main chain, request body, response body: the serial that it waits for; 0:
                           none */
    uint32_t stale_count;
    sp_token stale[CHAOS_STALE]; /* never resumed while the exchange lived */
    struct chaos_side side[2];
};

struct chaos_wait { /* the argument of a continuation, in the exchange's memory */
    uint32_t serial, where;
};

enum { CHAOS_MAIN = 0, CHAOS_REQUEST_BODY, CHAOS_RESPONSE_BODY };

static inline uint64_t chaos_mix(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t chaos_random(struct chaos_ctx *c, uint64_t below)
{
    c->rng = chaos_mix(c->rng);
    return below == 0 ? 0 : c->rng % below;
}

static inline bool chaos_chance(struct chaos_ctx *c, int64_t percent)
{
    return (int64_t)chaos_random(c, 100) < percent;
}

/* The context of a call, its random numbers begun. */
struct chaos_ctx *chaos_begin(const struct sp_call *);
void chaos_count(const struct sp_call *, enum chaos_event);
/* A promise of the ABI is broken: counted, and logged as a line with BUG in it. */
void chaos_bad(const struct sp_call *, const char *what);

/* wait.c: SP_PENDING, continued later in a random way; SP_NEXT when no operation could be begun. */
sp_verdict chaos_wait(const struct sp_call *, uint32_t where);
/* body.c */
sp_verdict chaos_body(const struct sp_call *);
void chaos_want(const struct sp_call *, uint32_t side);
void chaos_release(const struct sp_call *,
                   struct chaos_side *); /* what it was waiting for has come: gives held bytes on */
void chaos_forget(struct chaos *, struct chaos_side *); /* the exchange ended: drops what is held */

/* thread.c: a thread of our own that resumes. */
struct chaos_job {
    sp_token token;
    uint64_t tag, due_us; /* monotonic */
    bool twice;           /* resumes twice: the second must be refused */
    bool late;            /* must be refused */
};
struct chaos_thread *chaos_thread_new(struct chaos *);
void chaos_thread_free(struct chaos_thread *); /* joins it; jobs left are dropped */
bool chaos_thread_add(struct chaos_thread *, const struct chaos_job *); /* false: full */
uint64_t chaos_now_us(void);

#endif
