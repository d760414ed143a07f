/* SPDX-License-Identifier: Apache-2.0 */
/* Hex, base64 (RFC 4648), percent encoding (RFC 3986), comparing in constant time. */
#include "base/enc.h"

#include <endian.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void enc_hex(char *out, const void *in, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const unsigned char *p = in;
    for (; n >= 4; n -= 4, p += 4, out += 8) { /* eight digits at once, high halves first */
        uint64_t x = (uint64_t)p[0] | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 32 | (uint64_t)p[3] << 48;
        x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x & UINT64_C(0x000f000f000f000f)) << 8;
        uint64_t letter = (x + ones * 6) >> 4 & ones; /* 1 where the digit is above 9 */
        x += ones * '0' + letter * ('a' - '0' - 10);
        x = htole64(x);
        memcpy(out, &x, 8);
    }
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
}

/* Characters for n bytes without padding. */
static size_t base64_len(size_t n)
{
    return n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

size_t enc_base64_to(char *out, const void *in, size_t n, bool url)
{
    const char *set = url ? urlsafe : standard;
    const unsigned char *p = in;
    char *at = out;
    for (; n >= 3; n -= 3, p += 3) {
        *at++ = set[p[0] >> 2];
        *at++ = set[(p[0] & 3) << 4 | p[1] >> 4];
        *at++ = set[(p[1] & 15) << 2 | p[2] >> 6];
        *at++ = set[p[2] & 63];
    }
    if (n) {
        *at++ = set[p[0] >> 2];
        *at++ = set[(p[0] & 3) << 4 | (n == 2 ? p[1] >> 4 : 0)];
        if (n == 2)
            *at++ = set[(p[1] & 15) << 2];
    }
    return (size_t)(at - out);
}

static str encode64(struct arena *a, str in, bool url)
{
    if (in.n > SIZE_MAX / 4)
        return STR_NONE;
    char *out = arena_bytes(a, base64_len(in.n) + 4); /* padding and NUL */
    if (!out)
        return STR_NONE;
    size_t n = enc_base64_to(out, in.p, in.n, url);
    while (!url && n % 4)
        out[n++] = '=';
    out[n] = '\0';
    return str_n(out, n);
}

str enc_base64(struct arena *a, str in)
{
    return encode64(a, in, false);
}

str enc_base64url(struct arena *a, str in)
{
    return encode64(a, in, true);
}

static int value64(unsigned char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

/* `in` without padding. */
static str decode64(struct arena *a, str in, bool url)
{
    if (in.n % 4 == 1)
        return STR_NONE;
    char *out = arena_bytes(a, in.n / 4 * 3 + 4);
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < in.n; i++) {
        int v = value64((unsigned char)in.p[i], url);
        if (v < 0)
            return STR_NONE;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    if (bits & ((1u << have) - 1))
        return STR_NONE; /* another text has the same meaning */
    out[n] = '\0';
    return str_n(out, n);
}

str dec_base64(struct arena *a, str in)
{
    if (in.n % 4)
        return STR_NONE;
    if (in.n && in.p[in.n - 1] == '=')
        in.n--;
    if (in.n % 4 == 3 && in.p[in.n - 1] == '=')
        in.n--;
    return decode64(a, in, false);
}

str dec_base64url(struct arena *a, str in)
{
    return decode64(a, in, true);
}

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

str enc_percent(struct arena *a, str in, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t extra = 0;
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        if (!unreserved(c) && !(keep_slash && c == '/'))
            extra += 2;
    }
    if (in.n > SIZE_MAX / 4)
        return STR_NONE;
    char *out = arena_bytes(a, in.n + extra + 1), *at = out;
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        if (unreserved(c) || (keep_slash && c == '/')) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    *at = '\0';
    return str_n(out, (size_t)(at - out));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = chr_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

str dec_percent(struct arena *a, str in, bool plus)
{
    if (in.n == SIZE_MAX)
        return STR_NONE;
    char *out = arena_bytes(a, in.n + 1), *at = out;
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            if (in.n - i < 3)
                return STR_NONE;
            int high = hex_value(in.p[i + 1]), low = hex_value(in.p[i + 2]);
            if (high < 0 || low < 0)
                return STR_NONE;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        *at++ = c;
    }
    *at = '\0';
    return str_n(out, (size_t)(at - out));
}

bool enc_ct_equal(str a, str b)
{
    if (a.n != b.n)
        return false;
    const volatile unsigned char *x = (const volatile unsigned char *)a.p;
    const volatile unsigned char *y = (const volatile unsigned char *)b.p;
    unsigned char differ = 0;
    for (size_t i = 0; i < a.n; i++)
        differ |= (unsigned char)(x[i] ^ y[i]);
    return differ == 0;
}
