/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol, versions 1 and 2: what a load balancer says in front of a connection about
 * the client whose connection it is. */
#ifndef NET_PROXY_PROTO_H
#define NET_PROXY_PROTO_H

#include "net/addr.h"

#define PROXY_PROTO_MAX 4096 /* bytes of a header, TLVs and all; a longer one is refused */

struct proxy_proto {
    bool told; /* false: LOCAL, UNKNOWN, unspecified: the connection's own addresses count */
    struct addr src, dst;
};

/* p[0..n) is what has come since the connection's first byte. Above 0: the header is whole and that
 * long. 0: more is to come. E_PROTO: *why says what is wrong (constant text). */
int proxy_proto_parse(struct proxy_proto *, const void *p, size_t n, const char **why);

#endif
