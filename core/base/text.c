/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text buffer on the heap. */
#include "base/text.h"

#define FIRST 128u

void text_init(struct text *t)
{
    *t = (struct text){.p = NULL};
}

void text_fini(struct text *t)
{
    free(t->p);
    text_init(t);
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct text *t, size_t n)
{
    if (t->failed || n > SIZE_MAX / 4 - t->n)
        goto fail;
    if (t->n + n < t->cap)
        return true;
    size_t cap = t->cap ? t->cap : FIRST;
    while (cap <= t->n + n)
        cap *= 2;
    char *p = realloc(t->p, cap);
    if (!p)
        goto fail;
    t->p = p;
    t->cap = cap;
    return true;
fail:
    t->failed = true;
    return false;
}

void text_add(struct text *t, str s)
{
    if (!reserve(t, s.n))
        return;
    if (s.n)
        memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
    t->p[t->n] = '\0';
}

void text_addz(struct text *t, const char *z)
{
    text_add(t, str_z(z));
}

void text_chr(struct text *t, char c)
{
    if (!reserve(t, 1))
        return;
    t->p[t->n++] = c;
    t->p[t->n] = '\0';
}

void text_vprintf(struct text *t, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    size_t room = t->cap - t->n;
    int n = vsnprintf(room ? t->p + t->n : NULL, room, fmt, ap);
    if (n < 0) {
        t->failed = true;
    } else if ((size_t)n < room) {
        t->n += (size_t)n;
    } else if (reserve(t, (size_t)n)) {
        (void)vsnprintf(t->p + t->n, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    if (t->p && t->failed)
        t->p[t->n] = '\0';
    va_end(again);
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_vprintf(t, fmt, ap);
    va_end(ap);
}

char *text_take(struct text *t, size_t *n)
{
    char *p = NULL;
    if (reserve(t, 0)) {
        p = t->p;
        p[t->n] = '\0';
        if (n)
            *n = t->n;
        t->p = NULL;
    }
    text_fini(t);
    return p;
}
