/* SPDX-License-Identifier: Apache-2.0 */
/* State of the core's own integration of one exchange. */
#ifndef PIPELINE_PROXY_H
#define PIPELINE_PROXY_H

#include "pipeline/exchange.h"

struct proxy {
    struct exchange *x;
    struct upstream *up;
    str authority; /* Host to send; empty: the client's */
    struct upstream_pick *pick;
    struct timer timer; /* to the end of the answer's head */
    struct cli_call call;
    bool picking, calling; /* calling: call is between cli_start and done or fail */
    bool fresh;
    bool end_sent;
};

#endif
