/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from an HTTP/1 connection: the block it is read into, and bodies cut out of it
 * without copies (RFC 9112 6, 7). */
#ifndef HTTP_H1_BODY_H
#define HTTP_H1_BODY_H

#include "base/buf.h"
#include "http/hdr.h"

/* Bytes read and not yet used: b->data[off .. b->len). b NULL: nothing is held. */
struct h1_in {
    struct buf *b;
    uint32_t off;
    uint32_t want; /* size of the next block; 0: a standard one */
};
#define H1_IN_UPLOAD_MAX (256u * 1024) /* clients are many: their blocks stay smaller than backends' */

static inline size_t h1_in_left(const struct h1_in *in) { return in->b ? in->b->len - in->off : 0; }
static inline char *h1_in_at(const struct h1_in *in) { return in->b->data + in->off; }
void h1_in_drop(struct h1_in *); /* gives the block back */
#define H1_IN_FILLED 65536u /* what is worth a block of its own, however large the block is */
/* Behind a read: a block with nothing unused in it goes back, for the next connection to read into while it is warm, unless it
 * is to be filled further. */
static inline void h1_in_rest(struct h1_in *in, bool filling)
{
    if (in->b && in->off == in->b->len && (!filling || in->b->len > in->b->cap / 2 || in->b->len >= H1_IN_FILLED))
        h1_in_drop(in);
}
/* Room to read into. Unused bytes may move to another block: then *old is the one they came from,
 * which the caller gives back. `large` (may be NULL): for blocks of its size. E_NOMEM. */
int h1_in_space(struct h1_in *, struct buf_cache *, struct buf_cache *large, struct buf **old,
                char **p, size_t *n);
/* n bytes were read into `room` bytes. Reads that fill their room make the next block larger. */
void h1_in_filled(struct h1_in *, size_t room, size_t n);

enum h1_body_kind {
    H1_NONE = 0,
    H1_LENGTH,
    H1_CHUNKED,
    H1_CLOSE /* to the end of the connection */
};

struct h1_body {
    uint8_t kind, state, digits;
    uint32_t line;         /* bytes of the chunk-size line so far */
    uint32_t extensions;   /* bytes of chunk extensions, all of them */
    const char *end;       /* of the last body byte put: nobody has seen what stands behind */
    uint64_t left;         /* of the body (H1_LENGTH) or the chunk */
    uint64_t total, limit; /* decoded bytes; at most, 0: no limit */
    char *text;            /* trailer section so far, in the arena */
    uint32_t text_n, text_cap, text_max;
    uint32_t max_headers;
    const char *why; /* constant text, on errors */
};

void h1_body_init(struct h1_body *, enum h1_body_kind, uint64_t length, uint64_t limit);
/* Uses what is in `in`: body bytes go to *out (NULL: dropped), trailers to *trailers (NULL:
 * dropped). 1: the body is whole, what is left in `in` stands behind it. 0: more is to come.
 * E_PROTO, E_LIMIT, E_NOMEM. */
int h1_body_feed(struct h1_body *, struct h1_in *in, struct bufq *out, struct arena *,
                 struct hdrs *trailers);

#endif
