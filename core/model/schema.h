/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables: the shape, types, bounds and defaults of every conf key, checked with all errors in one pass.
 * The same tables make the JSON Schema for editors and the option reference. Plugins' tables (struct sp_option of the ABI) are
 * checked by the same code. */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/node.h"
#include "base/text.h"

enum schema_type {
    S_STRING = 1, /* str */
    S_BOOL,       /* bool: true/false/yes/no/on/off, plain */
    S_INT,        /* int64_t, min..max */
    S_SIZE,       /* int64_t bytes, units */
    S_DURATION,   /* int64_t milliseconds, units */
    S_ENUM,       /* int64_t: index in `names` */
    S_ADDRESS,    /* str; checked with addr_parse's grammar by the caller's check */
    S_LIST,       /* of `item` */
    S_MAP,        /* fixed keys: `sub` */
    S_DICT,       /* free keys: values of `item`; key_check */
    S_ANY,        /* the node itself */
    S_REAL,       /* double */
    S_FILE        /* str: a path, relative to the file that names it */
};

enum { S_REQUIRED = 1, S_SECRET = 2 /* masked when shown */, S_OR_SCALAR = 4 /* list: a single value stands for a list of one */,
       S_LATER = 8 /* known word, not in this version: an error that says so */,
       S_SHORT_MAP = 16 /* S_ANY with `sub`: a map of one key, `name: options`, is a form of it too */ };

struct schema {
    const char *key;
    uint8_t type; /* enum schema_type */
    uint8_t flags;
    const char *dflt;     /* text as the file would say it; NULL: none */
    int64_t min, max;     /* S_INT S_SIZE S_DURATION; both 0: no bound. S_LIST: count. S_STRING: length */
    const char *const *names; /* S_ENUM, NULL-terminated. S_INT: words that stand for 0 (`auto`) */
    const struct schema *sub; /* S_MAP: table ended by key NULL. S_ANY: the long form beside a plain name, for the dump */
    const struct schema *item; /* S_LIST S_DICT */
    const char *expected; /* words for messages and docs when the type's own do not do: "host:port" */
    const char *doc;      /* one sentence */
    /* further check of a scalar or of a whole map; adds diags. May be NULL */
    void (*check)(const struct schema *, const struct node *, struct node_tree *, struct diag *);
};

/* Checks `node` (a map) against the table: unknown keys (did you mean), missing required ones, types, bounds, all of them. 0 or E_CONF. */
int schema_check(const struct schema *table, const struct node *map, struct node_tree *, struct diag *);
/* One value against one entry. */
int schema_check_value(const struct schema *, const struct node *, struct node_tree *, struct diag *);

/* Readers for checked nodes: the value, or the table's default when the key is absent. `table` is the map's table. */
int64_t schema_i64(const struct schema *table, const struct node *map, const char *key);
bool schema_bool(const struct schema *table, const struct node *map, const char *key);
str schema_str(const struct schema *table, const struct node *map, const char *key);
double schema_real(const struct schema *table, const struct node *map, const char *key);

/* JSON Schema (draft 2020-12) of a table. */
void schema_dump(const struct schema *table, const char *title, struct text *out);
struct diag_at node_where(const struct node_tree *, const struct node *);
/* An error at a node: place and where are filled in. */
void node_error(struct diag *, const struct node_tree *, const struct node *, const char *expected, const char *fmt, ...) PRINTF(5, 6);
void node_warn(struct diag *, const struct node_tree *, const struct node *, const char *expected, const char *fmt, ...) PRINTF(5, 6);

#endif
