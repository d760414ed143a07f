/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that the YAML and the JSON reader yield: every node keeps its file, line and column. Immutable after reading. */
#ifndef BASE_NODE_H
#define BASE_NODE_H

#include "base/arena.h"
#include "base/diag.h"

enum node_type { NODE_NULL = 0, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP };

/* In YAML every scalar is NODE_STRING with `plain` telling whether it stood without quotes: the schema types it. An
 * empty plain scalar, `~` and `null` are NODE_NULL. In JSON scalars have their own types; `text` of a number is its exact text.
 * A YAML alias is a copy: its root stands where the alias stands, the nodes below it where they were written. Of tags only
 * YAML's own for text, numbers, booleans, null, lists and maps are known; merge keys are refused. */
struct node {
    uint8_t type;
    uint8_t plain; /* a YAML plain scalar, or a JSON number/bool/null */
    uint16_t file; /* index in the tree's file table */
    uint32_t line, col; /* 1-based; col counts characters of the line */
    uint32_t count;     /* children of a list or map */
    str text;           /* scalar text (unescaped), NUL behind it */
    struct node **items; /* list: values; map: values, parallel to keys */
    struct node **keys;  /* map: NODE_STRING each with its own position */
    struct node *parent; /* NULL at the root */
    uint32_t *index;     /* maps of more than 8 keys: open-addressed hash, built by the reader; else NULL */
    uint32_t index_mask;
};

/* One tree may span several files (includes). Owns everything by its arena. */
struct node_tree {
    struct arena arena;
    struct node *root;
    const char **files; /* names as given */
    unsigned file_count;
    unsigned node_count;
};

struct node_limits {
    unsigned depth;  /* nesting; 64 by default */
    unsigned nodes;  /* 1,000,000 by default, aliases expanded and counted */
    size_t bytes;    /* of one document; 32 MB by default */
};
#define NODE_LIMITS_DEFAULT ((struct node_limits){64, 1000000, 32u << 20})

struct node_tree *node_tree_new(void) MUST_USE;
void node_tree_free(struct node_tree *);
/* Index for node.file, a new one each time; E_NOMEM, or E_LIMIT past 65,536 files. */
int node_tree_file(struct node_tree *, const char *name);
const char *node_file(const struct node_tree *, const struct node *);

/* Reads one document into the tree's arena. JSON when name ends in ".json" or the first byte behind white space is '{' (or
 * '[' ), else YAML. NULL on error, with at least one diag; duplicates are reported all, and end in NULL too.
 * Limits: NULL, or a member of 0, stands for the default; depth is at most 1000. A byte order mark is skipped, but
 * node_read_json itself refuses it (RFC 8259 8.1). */
struct node *node_read(struct node_tree *, struct diag *, const char *name, str text, const struct node_limits *);
struct node *node_read_yaml(struct node_tree *, struct diag *, const char *name, str text, const struct node_limits *);
struct node *node_read_json(struct node_tree *, struct diag *, const char *name, str text, const struct node_limits *);
/* The bytes of a regular file, on the heap, at most max and one more (so that the reader sees that it is too long). NULL with a diag. */
char *node_file_bytes(struct diag *, const char *path, size_t max, size_t *n) MUST_USE;
/* Reads a file from disk first (regular file, size-bounded). */
struct node *node_read_file(struct node_tree *, struct diag *, const char *path, const struct node_limits *);

struct node *node_get(const struct node *map, str key); /* NULL: not a map, or no such key */
struct node *node_getz(const struct node *map, const char *key);
struct node *node_key(const struct node *map, str key); /* the key's own node, for its position */
struct node *node_at(const struct node *list, unsigned i);
bool node_is_scalar(const struct node *);
const char *node_type_name(const struct node *); /* "map" "list" "string" ... for messages */
/* RFC 6901 pointer of a node below `root`, escaped, into the arena ("" for the root itself). */
str node_pointer(struct arena *, const struct node *);
/* The place for messages: "listen[0].tls.key", "paths['/pets/{id}'].get". */
str node_path(struct arena *, const struct node *);
/* Looks an RFC 6901 pointer up ("/components/schemas/Pet"); NULL when absent. */
struct node *node_resolve(const struct node *root, str pointer);
/* SipHash-free stable content hash (64-bit FNV-1a over types, keys in order, texts): equal content, equal hash; positions do not count. */
uint64_t node_hash(const struct node *);
/* Deep equality of content. */
bool node_equal(const struct node *, const struct node *);

#endif
