/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings: hex, base64, base64url, percent; comparing secrets; and random ids. */
#ifndef BASE_ENC_H
#define BASE_ENC_H

#include "base/arena.h"

/* Lower-case hex of n bytes; out has room for 2n bytes, no NUL. */
void enc_hex(char *out, const void *in, size_t n);
/* Standard alphabet with padding (RFC 4648 4) / URL alphabet without (5). */
str enc_base64(struct arena *, str in) MUST_USE;
str enc_base64url(struct arena *, str in) MUST_USE;
/* As above without padding and NUL, into room for (4n + 2) / 3 characters; returns how many. */
size_t enc_base64_to(char *out, const void *in, size_t n, bool url);
/* Strict: no white space, canonical trailing bits. p NULL when malformed or memory is out. */
str dec_base64(struct arena *, str in) MUST_USE;
str dec_base64url(struct arena *, str in) MUST_USE;
/* RFC 3986: all but unreserved (and '/' when keep_slash) become %XX, upper-case. */
str enc_percent(struct arena *, str in, bool keep_slash) MUST_USE;
/* %XX decoded; '+' to space when plus. p NULL on a malformed escape. */
str dec_percent(struct arena *, str in, bool plus) MUST_USE;

/* Equal bytes? The time depends on the length only: for secrets, signatures, keys. */
bool enc_ct_equal(str a, str b);

/* Per-thread random generator for ids (xoshiro256**, seeded by getrandom): not for secrets. */
struct rng {
    uint64_t s[4];
};
int rng_seed(struct rng *) MUST_USE; /* E_IO: the kernel gave no random bytes */
uint64_t rng_next(struct rng *);
/* UUID version 4, 36 bytes, no NUL. */
void rng_uuid(struct rng *, char out[36]);
/* AWS's extended request id form: 15 base64 characters and '='; 16 bytes, no NUL. */
void rng_extended_id(struct rng *, char out[16]);

#endif
