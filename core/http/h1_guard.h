/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of RFC 9112 that strict llhttp lets through: exact lines, versions, hosts, framing
 * headers. */
#ifndef HTTP_H1_GUARD_H
#define HTTP_H1_GUARD_H

#include "http/h1_parse.h"

/* All return 0, or E_PROTO with head->bad and head->why set. */

/* base[0..n) is the first line with its LF. Sets method, target, minor or status. */
int h1_guard_line(struct h1_head *, const char *base, size_t n);
/* A token, and none of the methods that are no business of a gateway (CONNECT, RTSP's, ICE's). */
int h1_guard_method(struct h1_head *, str method);
/* The whole head of n bytes or less, first line of `line` bytes: every line ends in CRLF and
 * nothing stands between them. Trims values, sets proto bits, returns the exact length. */
int64_t h1_guard_lines(struct h1_head *, const char *base, size_t line, size_t n);
/* Framing, Host, Connection, Expect. Fills head->meta. */
int h1_guard_meta(struct h1_head *);
/* host[:port] with a DNS name, an IPv4 address or a bracketed IPv6 address (RFC 3986 3.2.2, no
 * sub-delims). */
bool h1_host_ok(str host);
/* A trailer section: whole lines with the empty line behind them, added to h. E_PROTO, E_LIMIT
 * (count), E_NOMEM. */
int h1_guard_trailers(struct hdrs *h, struct arena *, str text, uint32_t max_headers);

static inline int h1_refuse(struct h1_head *p, unsigned status, const char *why)
{
    p->bad = status;
    p->why = why;
    return E_PROTO;
}

#endif
