/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses: parse, canonical text, compare; CIDR sets for trusted proxies. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
    socklen_t len;
};
#define ADDR_TEXT 128

/* Compact form for connections: an IP and a port in 20 bytes. v4 is kept as v4-mapped. */
struct addr_ip {
    uint8_t ip[16];
    uint16_t port; /* host order */
    uint8_t family; /* AF_INET, AF_INET6, AF_UNIX; 0 unknown */
};

/* "127.0.0.1:80" "[::1]:80" "*:80" ":80" "unix:/run/x.sock". E_ARG with *why (constant text). */
int addr_parse(struct addr *, str text, const char **why);
/* "host:port" cut in two; *is_ip tells whether host is a literal address (brackets taken off). E_ARG. */
int addr_split(str text, str *host, uint16_t *port, bool *is_ip);
/* Canonical text, as addr_parse reads it: equal addresses, equal texts. Returns bytes written (no NUL counted). */
size_t addr_text(const struct addr *, char out[ADDR_TEXT]);
bool addr_equal(const struct addr *, const struct addr *);
void addr_to_ip(const struct addr *, struct addr_ip *);
void addr_from_ip(struct addr *, const struct addr_ip *);
size_t addr_ip_text(const struct addr_ip *, char out[ADDR_TEXT]); /* address only, no port, no brackets */
int addr_ip_parse(struct addr_ip *, str text);                    /* literal address, no port */

struct cidr {
    uint8_t ip[16];
    uint8_t bits; /* of 128; CIDR_UNIX: peers of unix sockets */
};
#define CIDR_UNIX 255
int cidr_parse(struct cidr *, str text); /* "10.0.0.0/8" "::1" "unix:" */
bool cidr_match(const struct cidr *, unsigned n, const struct addr_ip *);

#endif
