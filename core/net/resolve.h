/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses: c-ares on the thread's loop, cached by TTL, one query for many waiters. Loop thread only. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/addr.h"
#include "net/loop.h"

struct resolver;
struct resolve_op; /* pending query; invalid once fn has run */

struct resolver_conf {
    const char *servers; /* "127.0.0.1:53,[::1]:53" or NULL: /etc/resolv.conf */
    unsigned timeout_ms, tries;
    unsigned ttl_min_s, ttl_max_s, ttl_negative_s;
    unsigned max_entries;
};

struct resolve_result {
    int status; /* 0, E_NONE (no such name), E_TIMEOUT, E_IO, E_NOMEM, E_ABORT (resolver is closing) */
    const struct addr_ip *ips; /* ports are 0; valid while fn runs */
    unsigned count;
    const char *error; /* constant text */
};

/* Reads /etc/hosts and, without servers, /etc/resolv.conf: before the loop serves. */
struct resolver *resolver_new(struct loop *, const struct resolver_conf *) MUST_USE;
void resolver_free(struct resolver *); /* fails what is pending with E_ABORT; not from inside fn */
/* Answers from the cache before it returns when it can: then fn has run and NULL is returned. Literal addresses and
 * "localhost" need no query; /etc/hosts counts. */
struct resolve_op *resolve(struct resolver *, str name, void (*fn)(void *arg, const struct resolve_result *), void *arg);
void resolve_cancel(struct resolve_op *);

#endif
