/* SPDX-License-Identifier: Apache-2.0 */
/* Reading documents in tests, and tables of broken documents with the messages that they must
 * yield. */
#ifndef UNIT_READ_H
#define UNIT_READ_H

#include "unit.h"

#include "base/node.h"
#include "base/text.h"

typedef struct node *(*read_fn)(struct node_tree *, struct diag *, const char *, str,
                                const struct node_limits *);

struct broken {
    const char *text;
    const char *want; /* all messages without the file's name, "\n" between them */
};

/* The tree of a good document; the root in *root. Owner: the caller (node_tree_free). */
static inline struct node_tree *read_good(read_fn read, str text, struct node **root)
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    assert_non_null(t);
    diag_init(&d);
    *root = read(t, &d, "good", text, NULL);
    if (!*root || d.count)
        print_error("%.*s\n%s", STR_ARG(text), diag_text(&d).p);
    assert_non_null(*root);
    assert_int_equal(d.count, 0);
    diag_fini(&d);
    return t;
}

/* The messages of a broken document, sorted, without "x:" in front and newline behind. Owner: the
 * caller (free). */
static inline char *read_broken(read_fn read, str text, const struct node_limits *limits)
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    char *out = calloc(1, 65536), *to = out;
    assert_non_null(t);
    assert_non_null(out);
    diag_init(&d);
    if (read(t, &d, "x", text, limits)) {
        print_error("accepted: %.*s\n", STR_ARG(text));
        fail();
    }
    assert_true(d.errors > 0);
    diag_sort(&d);
    for (unsigned i = 0; i < d.count; i++) {
        str line = diag_line(&d.arena, &d.items[i]);
        assert_true(str_starts(line, STR("x:")));
        line = str_trim(str_drop(line, 2), " ");
        if (to != out)
            *to++ = '\n';
        memcpy(to, line.p, line.n);
        to += line.n;
    }
    diag_fini(&d);
    node_tree_free(t);
    return out;
}

static inline void check_broken(read_fn read, const struct broken *table, size_t n)
{
    bool failed = false;
    for (size_t i = 0; i < n; i++) {
        char *got = read_broken(read, str_z(table[i].text), NULL);
        if (strcmp(got, table[i].want) != 0) {
            print_error("--- %s\ngot:  %s\nwant: %s\n", table[i].text, got, table[i].want);
            failed = true;
        }
        free(got);
    }
    assert_false(failed);
}

/* A tree as one line: {k:v,...} [..] "text" and plain words. Owner: the caller (free). */
static inline void dump_node(struct text *t, const struct node *n)
{
    if (n->type == NODE_LIST || n->type == NODE_MAP) {
        bool map = n->type == NODE_MAP;
        text_chr(t, map ? '{' : '[');
        for (uint32_t i = 0; i < n->count; i++) {
            if (i)
                text_chr(t, ',');
            if (map) {
                text_add(t, n->keys[i]->text);
                text_chr(t, ':');
            }
            dump_node(t, n->items[i]);
        }
        text_chr(t, map ? '}' : ']');
        return;
    }
    bool quoted = n->type == NODE_STRING && !n->plain;
    if (n->type == NODE_NULL)
        text_addz(t, "null");
    else
        text_printf(t, "%s%.*s%s", quoted ? "\"" : "", STR_ARG(n->text), quoted ? "\"" : "");
}

/* Good documents and what they mean. */
struct meaning {
    const char *text, *want;
};

static inline void check_good(read_fn read, const struct meaning *table, size_t n)
{
    bool failed = false;
    for (size_t i = 0; i < n; i++) {
        struct node *root;
        struct text t;
        struct node_tree *tree = read_good(read, str_z(table[i].text), &root);
        text_init(&t);
        dump_node(&t, root);
        if (!str_eqz(text_str(&t), table[i].want)) {
            print_error("--- %s\ngot:  %s\nwant: %s\n", table[i].text, t.p, table[i].want);
            failed = true;
        }
        text_fini(&t);
        node_tree_free(tree);
    }
    assert_false(failed);
}

#endif
