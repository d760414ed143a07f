/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 heads to messages (RFC 9112): llhttp in strict mode finds the spans, h1_guard looks at
 * what it lets through. */
#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

#include <llhttp.h>

#include "http/msg.h"

/* Bits of hdr.proto. */
enum {
    H1_CAME = 1, /* as the peer sent it: nobody edited it */
    H1_RAW = 2   /* from name.p a whole line "name: value\r\n" stands in memory and ends 2 bytes
                    behind the value */
};

/* What a head says about its connection and its body. */
struct h1_meta {
    int64_t content_length; /* -1: not given */
    bool chunked;
    bool close, keep_alive; /* Connection options */
    bool names_headers;     /* Connection names further headers */
    bool expect_continue, expect_other;
    uint8_t hosts;          /* 0, 1, 2: more than one */
    str host;
};

/* One head being read. Mostly it comes at once and is done with in its reader's frame; only h1_head_keep() moves it. */
struct h1_head {
    llhttp_t ll;
    struct arena *arena;
    struct hdrs *h;
    const char *base; /* first byte of the head, as of the last feed */
    size_t fed;       /* bytes that llhttp has seen */
    uint32_t max_bytes, max_url, max_headers;
    bool response, complete, line_ok;
    bool lines_ok; /* all header lines are exact */
    bool open; /* v[n] of the table is being filled */
    uint8_t minor; /* HTTP/1.minor */
    str method, target; /* requests; set once line_ok */
    unsigned status;    /* responses */
    struct h1_meta meta;
    unsigned bad;    /* refused: status for the client (requests); 502 for responses */
    const char *why; /* constant text */
};

/* Headers are added to *h, which must be empty. */
void h1_head_request(struct h1_head *, struct arena *, struct hdrs *, uint32_t max_bytes,
                     uint32_t max_url, uint32_t max_headers);
void h1_head_response(struct h1_head *, struct arena *, struct hdrs *, uint32_t max_bytes);
/* base[0..n) is all that has come since the head's first byte; it may have moved since the last
 * call if the bytes seen are the same and the old place still exists. Above 0: complete, length of
 * the head. 0: more is needed. E_PROTO, E_LIMIT, E_NOMEM: see bad, why. */
int64_t h1_head_feed(struct h1_head *, const char *base, size_t n);
/* A copy in the arena, to go on with when more comes. NULL: out of memory. */
struct h1_head *h1_head_keep(const struct h1_head *, struct arena *) MUST_USE;
/* The head's bytes are at `to` now; views follow. */
void h1_head_move(struct h1_head *, const char *to);

#endif
