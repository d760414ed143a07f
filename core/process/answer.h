/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: the one JSON object that control socket, trial and --json speak, and how people see it.
 *
 * {"ok":true, ...} or {"ok":false, "message":"...", "errors":[{"level":"error","file":...}]} */
#ifndef PROCESS_ANSWER_H
#define PROCESS_ANSWER_H

#include "base/diag.h"
#include "base/node.h"
#include "base/text.h"

/* A whole object. diag may be NULL. */
void answer_fail(struct text *, const struct diag *, const char *fmt, ...) PRINTF(3, 4);
/* Opens '{' with "ok":true; the caller adds members and closes it. */
void answer_open(struct text *);
/* "warnings": [...] of a diag. */
void answer_warnings(struct text *, const struct diag *);
/* Items of one level as an array, under a key. */
void answer_items(struct text *, const char *key, const struct diag *, enum diag_level);

/* A time as RFC 3339 text in UTC; null for 0. */
void answer_time(struct text *, const char *key, uint64_t wall_ms);

/* An answer that was read. */
struct answer {
    struct node_tree *tree;
    struct node *root;
    bool ok;
    str message; /* may be empty */
};
/* E_PROTO: not an answer. */
int answer_read(struct answer *, str json) MUST_USE;
void answer_fini(struct answer *);
/* Adds what stands under "errors" and "warnings" to diag. */
void answer_diags(const struct answer *, struct diag *);
int64_t answer_int(const struct node *map, const char *key, int64_t otherwise);
bool answer_bool(const struct node *map, const char *key);
str answer_str(const struct node *map, const char *key);

/* Shows an answer: with json its text on stdout, else errors and message on stderr ("sallyport:
 * ..."). Returns the exit code, 0 or 1. */
int answer_show(str json_text, bool json);
/* The same for a failure that has no answer yet. */
int answer_show_fail(bool json, const struct diag *, const char *fmt, ...) PRINTF(3, 4);
/* Warnings to stderr, as lines; not with json. */
void answer_show_warnings(bool json, struct diag *);
/* A JSON value as indented `key: value` lines for people. */
void answer_pretty(struct text *, const struct node *, unsigned indent);

#endif
