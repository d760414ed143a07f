/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of a byte stream, each bounded. */
#include "process/ctl.h"

void ctl_lines_init(struct ctl_lines *l, size_t max)
{
    *l = (struct ctl_lines){.max = max};
}

void ctl_lines_fini(struct ctl_lines *l)
{
    free(l->p);
    ctl_lines_init(l, l->max);
}

int ctl_lines_feed(struct ctl_lines *l, str bytes)
{
    if (l->taken) {
        memmove(l->p, l->p + l->taken, l->n - l->taken);
        l->n -= l->taken;
        l->taken = 0;
    }
    if (l->n + bytes.n > l->cap) {
        size_t cap = l->cap ? l->cap : 1024;
        while (cap < l->n + bytes.n)
            cap *= 2;
        char *p = realloc(l->p, cap);
        if (!p)
            return E_NOMEM;
        l->p = p;
        l->cap = cap;
    }
    if (bytes.n)
        memcpy(l->p + l->n, bytes.p, bytes.n);
    l->n += bytes.n;
    /* Every line that is begun here has to end within max bytes. */
    for (size_t from = 0; from < l->n;) {
        str rest = str_n(l->p + from, l->n - from);
        size_t nl = str_chr(rest, '\n');
        if (nl > l->max)
            return E_LIMIT;
        from += nl + 1;
    }
    return 0;
}

bool ctl_lines_next(struct ctl_lines *l, str *line)
{
    str rest = str_n(l->p + l->taken, l->n - l->taken);
    size_t nl = rest.n ? str_chr(rest, '\n') : 0;
    if (nl == rest.n)
        return false;
    *line = str_take(rest, nl);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    l->taken += nl + 1;
    return true;
}
