/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, durations and sizes out of string views; the edit distance; the UTF-8 check. */
#include "base/str.h"

/* Longest view that str_distance measures; longer ones differ by more than any useful bound. */
#define DISTANCE_MAX 64u

/* Reads the digits at the front of *a. */
static int leading_u64(str *a, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    bool fits = true;
    for (; i < a->n && a->p[i] >= '0' && a->p[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(a->p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            fits = false;
        v = v * 10 + digit;
    }
    if (i == 0)
        return E_ARG;
    *a = str_drop(*a, i);
    *out = v;
    return fits ? 0 : E_LIMIT;
}

int str_u64(str a, uint64_t *out)
{
    uint64_t v = 0;
    int rc = leading_u64(&a, &v);
    if (rc == E_ARG || a.n)
        return E_ARG;
    if (rc == 0)
        *out = v;
    return rc;
}

int str_i64(str a, int64_t *out)
{
    bool minus = a.n && a.p[0] == '-';
    if (minus)
        a = str_drop(a, 1);
    uint64_t v = 0;
    int rc = str_u64(a, &v);
    if (rc != 0)
        return rc;
    if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return E_LIMIT;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* Number and unit, whole view, not above INT64_MAX. `fold`: the unit in any case. */
static int with_unit(str a, const struct unit *units, bool fold, int64_t *out)
{
    uint64_t v = 0;
    int rc = leading_u64(&a, &v);
    if (rc == E_ARG)
        return E_ARG;
    for (; units->name; units++) {
        str name = str_z(units->name);
        if (!(fold ? str_ieq(a, name) : str_eq(a, name)))
            continue;
        if (rc != 0 || v > (uint64_t)(INT64_MAX / units->factor))
            return E_LIMIT;
        *out = (int64_t)v * units->factor;
        return 0;
    }
    return E_ARG;
}

int str_duration(str a, int64_t *out_ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    if (str_eq(a, STR("0"))) {
        *out_ms = 0;
        return 0;
    }
    return with_unit(a, units, false, out_ms);
}

#define TB (INT64_C(1) << 40)

int str_size(str a, int64_t *out)
{
    static const struct unit units[] = {{"", 1},         {"B", 1},         {"K", 1 << 10},
                                        {"KB", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20},
                                        {"MB", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30},
                                        {"GB", 1 << 30}, {"GiB", 1 << 30}, {"T", TB},
                                        {"TB", TB},      {"TiB", TB},      {NULL, 0}};
    return with_unit(a, units, true, out);
}

unsigned str_distance(str a, str b, unsigned max)
{
    size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (str_eq(a, b))
        return 0;
    if (gap > max || a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return max + 1;

    /* Three rows of the optimal-string-alignment table: two back, one back, this one. */
    unsigned rows[3][DISTANCE_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned d = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            if (last[j] + 1 < d)
                d = last[j] + 1;
            if (now[j - 1] + 1 < d)
                d = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped && before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            now[j] = d;
        }
        unsigned *spare = before;
        before = last, last = now, now = spare;
    }
    return last[b.n] > max ? max + 1 : last[b.n];
}

size_t str_utf8_len(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0; /* continuation, overlong, or above U+10FFFF */
    size_t want = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n < want)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if (s[0] == 0xe0 && s[1] < 0xa0)
        return 0; /* overlong */
    if (s[0] == 0xed && s[1] > 0x9f)
        return 0; /* surrogate */
    if (s[0] == 0xf0 && s[1] < 0x90)
        return 0; /* overlong */
    if (s[0] == 0xf4 && s[1] > 0x8f)
        return 0; /* above U+10FFFF */
    return want;
}

size_t str_ascii_len(str a)
{
    size_t i = 0;
    for (; i + 8 <= a.n; i += 8) {
        uint64_t word;
        memcpy(&word, a.p + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < a.n && (unsigned char)a.p[i] < 0x80)
        i++;
    return i;
}

size_t str_utf8_valid(str a)
{
    size_t i = str_ascii_len(a);
    while (i < a.n) {
        size_t len = str_utf8_len(a.p + i, a.n - i);
        if (len == 0)
            return i;
        i += len;
        if (len == 1)
            i += str_ascii_len(str_drop(a, i));
    }
    return a.n;
}

bool str_is_utf8(str a)
{
    return str_utf8_valid(a) == a.n;
}
