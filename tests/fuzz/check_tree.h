/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold for every tree that a reader yields and for every message of a refusal; shared by
 * the fuzz targets. */
#ifndef FUZZ_CHECK_TREE_H
#define FUZZ_CHECK_TREE_H

#include "base/node.h"
#include "base/text.h"

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            BUG("not " #x);                                                                        \
    } while (0)

static inline unsigned check_node(const struct node *n, const struct node *parent, unsigned depth)
{
    unsigned total = 1;
    MUST(n->parent == parent && n->line > 0 && n->col > 0 && depth <= 64);
    if (n->type < NODE_LIST) {
        MUST(n->count == 0 && n->text.p && n->text.p[n->text.n] == '\0' && str_is_utf8(n->text));
        return 1;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->type == NODE_MAP) {
            const struct node *key = n->keys[i];
            MUST(key->type == NODE_STRING && node_key(n, key->text) == key);
            MUST(node_get(n, key->text) == n->items[i]);
            total += check_node(key, n, depth + 1);
        }
        total += check_node(n->items[i], n, depth + 1);
    }
    return total;
}

/* A place is found again by its pointer. */
static inline void check_places(struct node_tree *t, const struct node *root)
{
    const struct node *n = root;
    while (n->type >= NODE_LIST && n->count)
        n = n->items[n->count / 2];
    str pointer = node_pointer(&t->arena, n);
    MUST(pointer.p && node_resolve(root, pointer) == n);
    MUST(node_path(&t->arena, n).p);
}

static inline void check_messages(struct diag *d)
{
    MUST(d->errors > 0 && d->count > 0);
    diag_sort(d);
    str text = diag_text(d), json = diag_json(d);
    MUST(text.n && str_is_utf8(text) && text.p[text.n - 1] == '\n');
    for (size_t i = 0; i < text.n; i++)
        MUST(text.p[i] == '\n' || (unsigned char)text.p[i] >= 0x20);
    struct node_tree *t = node_tree_new();
    struct diag none;
    diag_init(&none);
    MUST(t && node_read_json(t, &none, "messages", json, NULL));
    diag_fini(&none);
    node_tree_free(t);
}

typedef struct node *(*read_fn)(struct node_tree *, struct diag *, const char *, str,
                                const struct node_limits *);

/* Reads and checks; calls `more` for a good tree. */
static inline void check_reading(read_fn read, const uint8_t *data, size_t n,
                                 void (*more)(struct node_tree *, const struct node *))
{
    static const struct node_limits limits = {.depth = 64, .nodes = 20000, .bytes = 1 << 20};
    struct diag d;
    struct node_tree *t = node_tree_new();
    if (!t)
        return;
    diag_init(&d);
    const struct node *root = read(t, &d, "fuzz", str_n((const char *)data, n), &limits);
    if (root) {
        MUST(d.count == 0 && check_node(root, NULL, 0) <= t->node_count && t->node_count <= 20000);
        MUST(node_equal(root, root));
        check_places(t, root);
        if (more)
            more(t, root);
    } else {
        check_messages(&d);
    }
    diag_fini(&d);
    node_tree_free(t);
}

#endif
