/* SPDX-License-Identifier: Apache-2.0 */
/* The list of everything that is wrong with a conf: collected, sorted by place, printed together, as text or JSON. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdarg.h>

#include "base/arena.h"

enum diag_level { DIAG_ERROR = 0, DIAG_WARNING, DIAG_NOTE };

struct diag_item {
    uint8_t level;
    unsigned line, col; /* 1-based; 0: no position */
    unsigned seq;       /* order of arrival */
    str file;           /* may be empty */
    str where;          /* "listen[0].address", may be empty */
    str what;           /* "value '70000' is out of range" */
    str expected;       /* "a port from 1 to 65535", may be empty */
    str suggest;        /* nearest valid key or value, may be empty: printed as (did you mean 'x'?) */
};

struct diag {
    struct arena arena;
    struct diag_item *items;
    unsigned count, cap;
    unsigned errors, warnings;
    unsigned repeated; /* said again of the same place: told once */
    unsigned dropped; /* beyond max: counted, not kept */
    unsigned max;     /* 1000 by default */
};

void diag_init(struct diag *);
void diag_fini(struct diag *);

struct diag_at { /* position of a message; file may be NULL */
    const char *file;
    unsigned line, col;
};

/* All strings are copied. What stands there word for word already is not added again. `expected` and `suggest` may be STR_NONE. */
void diag_add(struct diag *, enum diag_level, struct diag_at, str where, str what, str expected, str suggest);
/* what by printf; expected is a constant or NULL. */
void diag_error(struct diag *, struct diag_at, const char *where, const char *expected, const char *fmt, ...) PRINTF(5, 6);
void diag_warn(struct diag *, struct diag_at, const char *where, const char *expected, const char *fmt, ...) PRINTF(5, 6);

/* Sorts by file (order of first appearance), line, column, arrival. */
void diag_sort(struct diag *);
/* "file:line:col: error: where: what, expected what (did you mean 'x'?)\n" each. The text belongs to the diag. */
str diag_text(struct diag *);
/* [{"level":"error","file":...,"line":..,"column":..,"where":..,"message":..,"expected":..,"suggestion":..}, ...] */
str diag_json(struct diag *);
/* One item as a line without the newline. */
str diag_line(struct arena *, const struct diag_item *);
/* Nearest of `names` to `got` (distance at most 1 + n/4, case-insensitive first), or NULL. */
const char *diag_nearest(str got, const char *const *names, unsigned count);

#endif
