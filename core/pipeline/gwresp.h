/* SPDX-License-Identifier: Apache-2.0 */
/* Gateway responses: every error a client sees, by AWS's types (semantics 4.1, 7.7) and the few that only a server meets. */
#ifndef PIPELINE_GWRESP_H
#define PIPELINE_GWRESP_H

#include "base/str.h"
#include "model/api.h"

/* 1 .. GW_ABI_LAST are the ABI's SP_GR_*. */
enum gw_type {
    GW_NONE = 0,
    GW_ABI_LAST = 21,
    GW_BAD_REQUEST,          /* 400: broken framing, bad target */
    GW_REQUEST_TIMEOUT,      /* 408 */
    GW_URI_TOO_LONG,         /* 414 */
    GW_EXPECTATION_FAILED,   /* 417 */
    GW_HEADERS_TOO_LARGE,    /* 431 */
    GW_NOT_IMPLEMENTED,      /* 501 */
    GW_VERSION,              /* 505 */
    GW_NO_ROUTE,             /* no resource, method or stage of an HTTP API: 404 */
    GW_FORBIDDEN,            /* unknown host or stage: 403 */
    GW_INTERNAL,             /* 500 */
    GW_INTEGRATION_UNREACHABLE, /* refused, unresolvable, no target, pool full: 503 (aws-strict REST: 500) */
    GW_INTEGRATION_BAD,      /* malformed or oversized head, bad framing: 502 */
    GW_INTEGRATION_NETWORK,  /* TLS failure, reset before the head: 504, 503, 502 by kind */
    GW_INTEGRATION_LATE,     /* no answer in time */
    GW_TYPES
};

/* Which of the three columns of the error table a request belongs to. */
enum gw_style { GW_STYLE_REST = 0, GW_STYLE_HTTP, GW_STYLE_UPSTREAM };

struct gw_def {
    uint16_t status;
    const char *error_type; /* x-amzn-ErrorType; REST only */
    const char *message;
};
/* Never NULL. */
struct gw_def gw_lookup(enum gw_type, enum gw_style, bool aws_strict);
const char *gw_name(enum gw_type); /* "INTEGRATION_TIMEOUT" */
enum gw_type gw_of_status(unsigned status); /* for requests refused by the protocol */

#endif
