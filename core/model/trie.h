/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled trie: what its builder and its reader share. */
#ifndef MODEL_TRIE_H
#define MODEL_TRIE_H

#include "model/route.h"

#define ROUTE_DEPTH_MAX 128 /* segments of a template */
#define ROUTE_STEPS_MAX                                                                            \
    4096 /* nodes that the most adversarial request may visit: refused at build when more */

/* A lookup among many routes is bound by the places in memory that it comes to, one behind the other. So everything is small; an edge
 * carries its text; a node its only literal child, and where the methods are of the resource that ends there; and the nodes of a path
 * stand in a row. */

enum trie_end { TRIE_LEAF, TRIE_GREEDY }; /* a resource that ends at the node, one that goes on below it with {x+} */

#define TRIE_MANY 255u

/* Nodes are numbered; 0 is the root, and nobody's child. */
struct trie_node {
    uint32_t param;   /* child for {x}, or 0 */
    uint32_t end[2];  /* by enum trie_end: index of the first of its methods in the deployment; where the mask is 0: 1 + leaf, or 0 */
    uint8_t mask[2];  /* bit per enum http_method, bit 0 the any-method: they stand in this order, side by side */
    uint8_t methods;  /* bit per enum http_method: served somewhere at or below this node */
    uint8_t literal;  /* literal children: 0: none; TRIE_MANY: look among the edges; else bytes of the only one's text */
    uint32_t only;    /* the only literal child */
    char only_text[12];
};
_Static_assert(sizeof(struct trie_node) == 32, "half a cache line");

/* Where several resources end at one node: 1 + index of the method in the deployment, or 0; [M_OTHER] holds the any-method. */
struct trie_leaf {
    uint32_t m[M_PUT + 1];
};

/* Literal edges of the nodes with many, in one open-addressed table. Long texts lie together in a pool, near the table and far from the
 * conf's tree. */
struct trie_edge {
    uint32_t parent, child; /* child 0: empty */
    uint32_t len;
    union {
        char text[20];
        uint32_t off; /* in the pool, when it does not fit */
    } u;
};
_Static_assert(sizeof(struct trie_edge) == 32, "half a cache line");

struct trie_names { /* of a resource's variables, in order */
    uint32_t first, count;
};

struct route_trie {
    const struct deployment *dep;
    struct trie_node *nodes;
    struct trie_edge *edges;
    char *pool;
    struct trie_leaf *leaves;
    struct trie_names *names; /* by resource */
    str *name_pool;
    const struct api_method *catch_all; /* $default */
    uint32_t edge_mask;
    uint32_t depth;   /* segments of the longest template */
    uint32_t longest; /* bytes of the longest literal */
    size_t size;
};

static inline const char *trie_edge_text(const struct route_trie *t, const struct trie_edge *e)
{
    return e->len <= sizeof(e->u.text) ? e->u.text : t->pool + e->u.off;
}

static inline uint64_t trie_seg_hash(str s)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ s.n, w;
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    for (w = 0; i < s.n; i++)
        w = w << 8 | (unsigned char)s.p[i];
    h = (h ^ w) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 29;
}

/* Where to begin looking for the edge. Its chains are as long as the conf made them: no request can
 * lengthen one. */
static inline uint32_t trie_edge_at(uint32_t mask, uint32_t parent, uint64_t seg_hash)
{
    uint64_t h = (seg_hash ^ parent) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(h >> 32) & mask;
}

#endif
