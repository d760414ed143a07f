/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text buffer with JSON writing helpers: status answers, metrics, log lines, explain. One thread at a time. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>

#include "base/str.h"

struct text {
    char *p; /* NUL behind the last byte */
    size_t n, cap;
    bool failed; /* memory ran out: what is here is not whole */
    bool comma;  /* JSON writer: a comma is due */
};

void text_init(struct text *);
void text_fini(struct text *);
void text_add(struct text *, str);
void text_addz(struct text *, const char *);
void text_chr(struct text *, char);
void text_printf(struct text *, const char *fmt, ...) PRINTF(2, 3);
void text_vprintf(struct text *, const char *fmt, va_list);
static inline str text_str(const struct text *t) { return str_n(t->p, t->n); }
/* The bytes on the heap, owned by the caller; the text is empty again. NULL when memory ran out. */
char *text_take(struct text *, size_t *n) MUST_USE;

/* JSON (RFC 8259): commas are placed by the writer. Bytes that are not UTF-8 become U+FFFD. */
void json_quote(struct text *, str); /* only the quoted string */
void json_open(struct text *, char bracket);  /* '{' or '[' */
void json_close(struct text *, char bracket); /* '}' or ']' */
void json_key(struct text *, const char *key);
void json_str(struct text *, str);
void json_strz(struct text *, const char *);
void json_int(struct text *, int64_t);
void json_num(struct text *, double);
void json_bool(struct text *, bool);
void json_null(struct text *);
void json_raw(struct text *, str); /* a finished JSON value */
void json_kv(struct text *, const char *key, str value);
void json_kvi(struct text *, const char *key, int64_t value);

#endif
