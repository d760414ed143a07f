/* SPDX-License-Identifier: Apache-2.0 */
/* Request and response heads as any protocol version carries them (RFC 9110). No HTTP/1 text lives here. */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include "http/hdr.h"

enum http_method {
    M_OTHER = 0,
    M_DELETE,
    M_GET,
    M_HEAD,
    M_OPTIONS,
    M_PATCH,
    M_POST,
    M_PUT,
    M_ANY = 15 /* in route tables only */
};
enum http_method http_method_of(str);
str http_method_name(enum http_method);
/* RFC 9110 9.2.2 */
bool http_method_idempotent(enum http_method);

#define BODY_NONE 0
#define BODY_UNKNOWN (-1) /* there is a body; its length is told by its end */

struct http_req {
    uint8_t method; /* enum http_method */
    uint8_t version_minor; /* of the client: 0 or 1 for HTTP/1; 1 for others */
    bool expect_continue;
    bool has_body;          /* false: no body at all, and none is framed */
    int64_t content_length; /* of the body, or BODY_UNKNOWN */
    str method_name;        /* as sent */
    str authority;          /* Host header or :authority, as sent, may be empty with HTTP/1.0 */
    str scheme;             /* "http" or "https": of the connection */
    str path;               /* as sent, not decoded, always starts with '/' (or is "*" for OPTIONS) */
    str query;              /* as sent without the '?'; p NULL: there was none */
    struct hdrs h;          /* all but framing and hop-by-hop headers are to be forwarded */
    struct hdrs trailers;   /* complete when the body has ended */
};

struct http_res {
    uint16_t status;
    bool has_body;
    bool local; /* made here, not by an integration */
    int64_t content_length;
    struct hdrs h;
    struct hdrs trailers;
};

/* Headers that belong to one connection and are never forwarded (RFC 9110 7.6.1), those that `Connection` names included. */
bool http_hop_by_hop(uint16_t id);
const char *http_status_text(unsigned status);
/* 1xx, 204, 304 and answers to HEAD carry no body (RFC 9110 6.4.1). */
static inline bool http_status_bodyless(unsigned s) { return s < 200 || s == 204 || s == 304; }

#endif
