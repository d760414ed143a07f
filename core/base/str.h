/* SPDX-License-Identifier: Apache-2.0 */
/* String views: compare, search, parse. A view is the ABI's sp_str, so that it crosses the ABI unchanged. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <string.h>

#include <sallyport/types.h>

#include "base/cc.h"

typedef sp_str str;

#define STR(lit) ((str){(lit), sizeof(lit) - 1})
#define STR_NONE ((str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

static inline str str_z(const char *z) { return (str){z, z ? strlen(z) : 0}; }
static inline str str_n(const char *p, size_t n) { return (str){p, n}; }
static inline bool str_eq(str a, str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_eqz(str a, const char *z) { return str_eq(a, str_z(z)); }
static inline bool str_empty(str a) { return a.n == 0; }
static inline char chr_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }
static inline str str_drop(str a, size_t n)
{
    if (n > a.n) n = a.n;
    return n ? str_n(a.p + n, a.n - n) : a; /* p may be NULL */
}
static inline str str_take(str a, size_t n) { return str_n(a.p, n > a.n ? a.n : n); }

bool str_ieq(str a, str b);             /* ASCII case-insensitive */
int str_cmp(str a, str b);              /* byte order, shorter first on a tie */
bool str_starts(str a, str prefix);
bool str_ends(str a, str suffix);
bool str_istarts(str a, str prefix);
/* Index of the first match, or a.n when there is none. */
size_t str_chr(str a, char c);
size_t str_find(str a, str needle);
/* Without leading and trailing bytes of `set` (OWS: " \t"). */
str str_trim(str a, const char *set);
/* Cuts *rest at the first `sep`: returns what stood before it, leaves what stands behind it. *rest.p becomes
 * NULL when there was no further separator. Loop: while (rest.p) { str part = str_cut(&rest, ','); ... } */
str str_cut(str *rest, char sep);

/* Whole-view decimal numbers. E_ARG: not a number; E_LIMIT: does not fit. u64: no sign; i64: none or
 * '-'. No white space. */
int str_u64(str a, uint64_t *out);
int str_i64(str a, int64_t *out);
/* "250ms" "5s" "1m" "2h" "1d" (a unit is required, except for 0) to milliseconds. */
int str_duration(str a, int64_t *out_ms);
/* "512" "64KB" "10MB" "1GB" "1TB" (powers of 1024; KB, K, KiB are the same) to bytes. */
int str_size(str a, int64_t *out);
/* Edit distance (optimal string alignment), at most `max`; max + 1 when larger. For did-you-mean. */
unsigned str_distance(str a, str b, unsigned max);
/* NUL-terminated copy on the heap; NULL when memory is out. Owner: the caller. */
char *str_dup(str a) MUST_USE;
/* Is every byte valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool str_is_utf8(str a);
/* Bytes at the front that are valid UTF-8: a.n when all are, else the place of the first bad byte. */
size_t str_utf8_valid(str a);
/* Length of the one valid UTF-8 sequence at p (1 to 4), or 0. */
size_t str_utf8_len(const char *p, size_t n);
/* Bytes at the front that are ASCII. */
size_t str_ascii_len(str a);

#endif
