/* SPDX-License-Identifier: Apache-2.0 */
/* From an HTTP/1 head that was read to the message that the pipeline sees. */
#ifndef HTTP_H1_MSG_H
#define HTTP_H1_MSG_H

#include "http/h1_body.h"
#include "http/h1_parse.h"

/* Fills *req but for h. E_PROTO with head->bad and why: the target's form is wrong, or disagrees
 * with Host. What is known of the request (method, target) is filled in for heads that were refused
 * later than their first line, too. */
int h1_request_of(struct h1_head *, struct http_req *req, str scheme);
/* Fills *res but for h, and tells how its body is framed. head_request: the answer to a HEAD
 * request. */
enum h1_body_kind h1_response_of(const struct h1_head *, struct http_res *res, bool head_request);

/* Its connection options let the connection serve on (RFC 9112 9.3). */
static inline bool h1_persists(const struct h1_head *p)
{
    return !p->meta.close && (p->minor == 1 || p->meta.keep_alive);
}

#endif
