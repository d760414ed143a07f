/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 heads and chunk framing as text (RFC 9112). What nobody touched goes out as it came, in
 * runs. */
#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

#include "base/buf.h"
#include "http/msg.h"

enum h1_framing { H1_F_NONE = 0 /* no header */, H1_F_LENGTH, H1_F_CHUNKED };

/* Heads into the arena. E_ARG: bytes that would break the framing; E_NOMEM. */
int h1_write_request(struct arena *, const struct http_req *, str authority, str *out);
struct h1_answer {
    enum h1_framing framing;
    int64_t length;
    str date;       /* for when the message has none */
    str connection; /* "close", "keep-alive" or empty */
};
int h1_write_response(struct arena *, const struct http_res *, const struct h1_answer *, str *out);

/* Moves body bytes to the output as one chunk (of everything in q). After an error the output is
 * not to be sent. */
struct h1_chunker {
    struct buf *frame; /* chunk lines are written into it */
};
int h1_chunk(struct h1_chunker *, struct bufq *out, struct bufq *q);
/* The last chunk and the trailers (may be NULL); text in the arena. */
int h1_chunk_end(struct arena *, struct bufq *out, const struct hdrs *trailers);
void h1_chunker_fini(struct h1_chunker *);

#endif
