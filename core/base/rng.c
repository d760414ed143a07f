/* SPDX-License-Identifier: Apache-2.0 */
/* Random ids from a per-thread xoshiro256** generator (prng.di.unimi.it): fast, well mixed, not for
 * secrets. */
#include <errno.h>
#include <sys/random.h>

#include "base/enc.h"

int rng_seed(struct rng *r)
{
    for (;;) {
        ssize_t n = getrandom(r->s, sizeof r->s, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof r->s)
            return E_IO;
        /* The all-zero state is the one that never leaves itself. */
        if (r->s[0] | r->s[1] | r->s[2] | r->s[3])
            return 0;
    }
}

static uint64_t rotl(uint64_t x, int n)
{
    return (x << n) | (x >> (64 - n));
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

void rng_uuid(struct rng *r, char out[36])
{
    uint64_t words[2] = {rng_next(r), rng_next(r)};
    unsigned char b[16];
    char hex[32];
    memcpy(b, words, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
    enc_hex(hex, b, sizeof b);
    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
}

void rng_extended_id(struct rng *r, char out[16])
{
    uint64_t words[2] = {rng_next(r), rng_next(r)};
    /* 11 bytes make 15 characters and one of padding. */
    size_t n = enc_base64_to(out, words, 11, false);
    out[n] = '=';
}
