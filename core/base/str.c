/* SPDX-License-Identifier: Apache-2.0 */
/* String views: comparing, searching and cutting. */
#include "base/str.h"

static bool same_ignoring_case(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i] && chr_lower(a[i]) != chr_lower(b[i]))
            return false;
    }
    return true;
}

bool str_ieq(str a, str b)
{
    return a.n == b.n && same_ignoring_case(a.p, b.p, a.n);
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    if (d != 0)
        return d;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(str a, str prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

bool str_ends(str a, str suffix)
{
    return a.n >= suffix.n &&
           (suffix.n == 0 || memcmp(a.p + (a.n - suffix.n), suffix.p, suffix.n) == 0);
}

bool str_istarts(str a, str prefix)
{
    return a.n >= prefix.n && same_ignoring_case(a.p, prefix.p, prefix.n);
}

size_t str_chr(str a, char c)
{
    const char *at = a.n ? memchr(a.p, c, a.n) : NULL;
    return at ? (size_t)(at - a.p) : a.n;
}

size_t str_find(str a, str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = a.n >= needle.n ? memmem(a.p, a.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - a.p) : a.n;
}

str str_trim(str a, const char *set)
{
    size_t from = 0, to = a.n;
    while (from < to && a.p[from] && strchr(set, a.p[from]))
        from++;
    while (to > from && a.p[to - 1] && strchr(set, a.p[to - 1]))
        to--;
    return str_n(a.p ? a.p + from : NULL, to - from);
}

str str_cut(str *rest, char sep)
{
    str all = *rest;
    size_t at = str_chr(all, sep);
    *rest = at < all.n ? str_drop(all, at + 1) : STR_NONE;
    return str_take(all, at);
}

char *str_dup(str a)
{
    char *copy = malloc(a.n + 1);
    if (!copy)
        return NULL;
    if (a.n)
        memcpy(copy, a.p, a.n);
    copy[a.n] = '\0';
    return copy;
}
