/* SPDX-License-Identifier: Apache-2.0 */
/* State of the core's own integration of one exchange. */
#ifndef PIPELINE_PROXY_H
#define PIPELINE_PROXY_H

#include "pipeline/exchange.h"

/* What only waiting and further attempts need. */
struct proxy_spare {
    struct timer backoff;      /* to the next attempt */
    struct upstream_turn turn; /* in line for a full pool */
    struct bufq kept;
    enum gw_type type;         /* what the last attempt ended with, when another is tried */
    const char *why;
};

struct proxy {
    struct exchange *x;
    struct upstream *up;
    str authority; /* Host to send; empty: the client's */
    struct upstream_pick *pick;
    struct up_addr *addr; /* of the call; upstream_ended is due */
    struct timer timer;   /* to the end of the answer's head */
    struct cli_call call;
    bool picking, calling; /* calling: call is between cli_start and done or fail */
    bool fresh;
    bool end_sent;
    bool idempotent;    /* the request as it was sent: ATTEMPT hooks may edit its method */
    bool keeping;       /* kept is all that was sent of the body */
    bool retrying;      /* this attempt was taken out of the budget */
    bool spared;        /* spare is in use */
    struct upstream_want want; /* cleared without what was tried */
    struct proxy_spare spare;  /* not cleared: by proxy_spare() only */
};
struct proxy_spare *proxy_spare(struct proxy *);

/* proxy_retry.c */
void proxy_key(struct exchange *); /* what a consistent hash goes by */
/* Body bytes on their way: kept in sight, by reference, as long as all of them fit and another attempt may need them. */
void proxy_keep(struct exchange *, const struct bufq *);
void proxy_forget(struct proxy *);
int proxy_replay(struct exchange *); /* what was kept goes into the new call. As cli_send */
/* May there be one attempt more after this failure? Prepares it: p->want, p->fresh, p->retrying. */
bool proxy_again(struct exchange *, const struct cli_fail *);
bool proxy_again_status(struct exchange *, unsigned status);
uint64_t proxy_wait(struct exchange *);   /* ms before it; 0: at once */
/* The connection had served before and was closed meanwhile: that says nothing about the target. */
bool proxy_stale(const struct cli_fail *);

#endif
