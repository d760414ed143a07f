/* SPDX-License-Identifier: Apache-2.0 */
/* What both readers share: building the tree bottom-up within bounds, finding duplicate keys,
 * naming places. Private. */
#ifndef BASE_NODE_BUILD_H
#define BASE_NODE_BUILD_H

#include "base/node.h"

#define NODE_DEPTH_MAX 1000u /* walking a tree recurses once per level */

struct build_frame {
    struct node *node; /* an open list or map */
    uint32_t base;     /* its first child on the stack */
};

struct build {
    struct node_tree *tree;
    struct diag *diag;
    const char *name;
    uint16_t file;
    struct node_limits limits;
    struct node *
        *stack; /* children that wait for their parent to close; in maps key, value, key, ... */
    uint32_t count, cap;
    struct build_frame *frames;
    uint32_t depth;
    unsigned nodes; /* of this document */
    struct node *root;
    bool failed; /* a diag was added */
};

/* All return 0 or a negative status, and have added the diag then. */
int build_init(struct build *, struct node_tree *, struct diag *, const char *name, str text,
               const struct node_limits *);
void build_fini(struct build *);
/* A node that counts but stands nowhere yet; NULL past the bounds. */
struct node *build_node(struct build *, enum node_type, unsigned line, unsigned col);
int build_add(struct build *,
              struct node *); /* as the next child of the open list or map, or as the root */
int build_open(struct build *, struct node *); /* the same, and its children follow */
int build_close(struct build *);
/* Is the next child of the open map a key? */
static inline bool build_at_key(const struct build *b)
{
    const struct build_frame *f = b->depth ? &b->frames[b->depth - 1] : NULL;
    return f && f->node->type == NODE_MAP && (b->count - f->base) % 2 == 0;
}
/* The root, or NULL when anything failed. Reports duplicates of maps that are still open. */
struct node *build_end(struct build *);
int build_error(struct build *, unsigned line, unsigned col, const char *expected, const char *fmt,
                ...) PRINTF(5, 6);
int build_nomem(struct build *);
int build_too_deep(struct build *, unsigned line, unsigned col);
int build_too_many(struct build *, unsigned line, unsigned col);
/* Line and column of a byte. */
void build_locate(str text, size_t offset, unsigned *line, unsigned *col);
/* A character in words for messages: "'x'", "control character 0x01", "the end of the line". */
struct build_words {
    char z[48];
};
struct build_words build_describe(const char *p, const char *end);

#endif
