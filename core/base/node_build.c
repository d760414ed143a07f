/* SPDX-License-Identifier: Apache-2.0 */
/* Building a tree within bounds: children wait on one stack until their parent closes, so a list is
 * allocated once. */
#include "base/node_build.h"

#include "base/map.h"

#define INDEX_FROM 9u /* maps with fewer keys are searched one by one */

static struct node_limits limits_of(const struct node_limits *given)
{
    struct node_limits standard = NODE_LIMITS_DEFAULT, l = given ? *given : standard;
    if (l.depth == 0)
        l.depth = standard.depth;
    if (l.depth > NODE_DEPTH_MAX)
        l.depth = NODE_DEPTH_MAX;
    if (l.nodes == 0)
        l.nodes = standard.nodes;
    if (l.bytes == 0)
        l.bytes = standard.bytes;
    if (l.bytes > UINT32_MAX / 2)
        l.bytes = UINT32_MAX / 2; /* lines and columns are 32 bits wide */
    return l;
}

int build_init(struct build *b, struct node_tree *tree, struct diag *diag, const char *name,
               str text, const struct node_limits *limits)
{
    *b = (struct build){.tree = tree, .diag = diag, .name = name, .limits = limits_of(limits)};
    int file = node_tree_file(tree, name);
    if (file == E_LIMIT)
        return build_error(b, 0, 0, "at most 65536", "too many files");
    if (file < 0)
        return build_nomem(b);
    b->file = (uint16_t)file;
    if (text.n > b->limits.bytes) {
        char expected[64];
        snprintf(expected, sizeof expected, "at most %zu bytes", b->limits.bytes);
        return build_error(b, 0, 0, expected, "the document is too large");
    }
    b->frames = malloc(b->limits.depth * sizeof *b->frames);
    return b->frames ? 0 : build_nomem(b);
}

void build_fini(struct build *b)
{
    free(b->stack);
    free(b->frames);
    b->stack = NULL;
    b->frames = NULL;
}

int build_error(struct build *b, unsigned line, unsigned col, const char *expected, const char *fmt,
                ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof what ? (size_t)n : sizeof what - 1;
    struct diag_at at = {.file = b->name, .line = line, .col = col};
    diag_add(b->diag, DIAG_ERROR, at, STR_NONE, str_n(what, len), str_z(expected), STR_NONE);
    b->failed = true;
    return E_CONF;
}

int build_nomem(struct build *b)
{
    build_error(b, 0, 0, NULL, "out of memory");
    return E_NOMEM;
}

int build_too_many(struct build *b, unsigned line, unsigned col)
{
    char expected[64];
    snprintf(expected, sizeof expected, "at most %u", b->limits.nodes);
    return build_error(b, line, col, expected, "the document has too many values");
}

int build_too_deep(struct build *b, unsigned line, unsigned col)
{
    char expected[64];
    snprintf(expected, sizeof expected, "at most %u levels", b->limits.depth);
    return build_error(b, line, col, expected, "lists and maps are nested too deeply");
}

struct node *build_node(struct build *b, enum node_type type, unsigned line, unsigned col)
{
    if (b->nodes >= b->limits.nodes) {
        build_too_many(b, line, col);
        return NULL;
    }
    struct node *n = arena_alloc(&b->tree->arena, sizeof *n);
    if (!n) {
        build_nomem(b);
        return NULL;
    }
    b->nodes++;
    b->tree->node_count++;
    *n = (struct node){.type = (uint8_t)type, .file = b->file, .line = line, .col = col};
    return n;
}

int build_add(struct build *b, struct node *n)
{
    if (b->depth == 0) {
        b->root = n;
        return 0;
    }
    if (b->count == b->cap) {
        uint32_t cap = b->cap ? b->cap * 2 : 64;
        struct node **stack = realloc(b->stack, cap * sizeof *stack);
        if (!stack)
            return build_nomem(b);
        b->stack = stack;
        b->cap = cap;
    }
    b->stack[b->count++] = n;
    return 0;
}

int build_open(struct build *b, struct node *n)
{
    if (b->depth == b->limits.depth)
        return build_too_deep(b, n->line, n->col);
    int rc = build_add(b, n);
    if (rc != 0)
        return rc;
    b->frames[b->depth++] = (struct build_frame){.node = n, .base = b->count};
    return 0;
}

static void duplicate(struct build *b, const struct node *key, const struct node *first)
{
    int n = key->text.n < 200 ? (int)key->text.n : 200;
    build_error(b, key->line, key->col, NULL, "duplicate key '%.*s', first at line %u", n,
                key->text.p, first->line);
}

/* Reports every key of `pairs` (key, value, key, ...) that stood before. Big maps get the index
 * that finds keys. */
static int check_keys(struct build *b, struct node **pairs, uint32_t count, struct node *map)
{
    if (count < INDEX_FROM) {
        for (uint32_t i = 1; i < count; i++) {
            for (uint32_t k = 0; k < i; k++) {
                if (!str_eq(pairs[2 * i]->text, pairs[2 * k]->text))
                    continue;
                duplicate(b, pairs[2 * i], pairs[2 * k]);
                break;
            }
        }
        return 0;
    }
    uint32_t size = 32;
    while (size < count * 2)
        size *= 2;
    uint32_t *index = arena_zalloc(&b->tree->arena, size * sizeof *index);
    if (!index)
        return build_nomem(b);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)map_hash(pairs[2 * i]->text) & (size - 1);
        while (index[at] && !str_eq(pairs[2 * (index[at] - 1)]->text, pairs[2 * i]->text)) {
            at = (at + 1) & (size - 1);
        }
        if (index[at])
            duplicate(b, pairs[2 * i], pairs[2 * (index[at] - 1)]);
        else
            index[at] = i + 1;
    }
    map->index = index;
    map->index_mask = size - 1;
    return 0;
}

static int close_map(struct build *b, struct node *n, struct node **pairs)
{
    if (check_keys(b, pairs, n->count, n) == E_NOMEM)
        return E_NOMEM;
    if (n->count == 0)
        return 0;
    n->keys = arena_alloc(&b->tree->arena, 2 * (size_t)n->count * sizeof *n->keys);
    if (!n->keys)
        return build_nomem(b);
    n->items = n->keys + n->count;
    for (uint32_t i = 0; i < n->count; i++) {
        n->keys[i] = pairs[2 * i];
        n->items[i] = pairs[2 * i + 1];
        n->keys[i]->parent = n->items[i]->parent = n;
    }
    return 0;
}

static int close_list(struct build *b, struct node *n, struct node **children)
{
    if (n->count == 0)
        return 0;
    n->items = arena_alloc(&b->tree->arena, n->count * sizeof *n->items);
    if (!n->items)
        return build_nomem(b);
    for (uint32_t i = 0; i < n->count; i++) {
        n->items[i] = children[i];
        n->items[i]->parent = n;
    }
    return 0;
}

int build_close(struct build *b)
{
    const struct build_frame *f = &b->frames[b->depth - 1];
    struct node *n = f->node;
    bool is_map = n->type == NODE_MAP;
    n->count = (b->count - f->base) / (is_map ? 2 : 1);
    struct node **children = b->stack ? b->stack + f->base : NULL;
    int rc = is_map ? close_map(b, n, children) : close_list(b, n, children);
    if (rc != 0)
        return rc;
    b->count = f->base;
    b->depth--;
    return 0;
}

struct node *build_end(struct build *b)
{
    uint32_t end = b->count;
    while (b->depth) { /* only after an error: the keys read so far are told as well */
        const struct build_frame *f = &b->frames[--b->depth];
        uint32_t keys = (end - f->base + 1) / 2;
        if (f->node->type == NODE_MAP && keys) {
            if (check_keys(b, b->stack + f->base, keys, f->node) != 0)
                break;
        }
        end = f->base; /* the list or map itself is the last child of the next one */
    }
    return b->failed ? NULL : b->root;
}

void build_locate(str text, size_t offset, unsigned *line, unsigned *col)
{
    *line = *col = 1;
    for (size_t i = 0; i < offset && i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n' || (c == '\r' && (i + 1 == text.n || text.p[i + 1] != '\n'))) {
            ++*line;
            *col = 1;
        } else if (((unsigned char)c & 0xc0) != 0x80 && c != '\r') {
            ++*col;
        }
    }
}

struct build_words build_describe(const char *p, const char *end)
{
    struct build_words w;
    unsigned char c = p < end ? (unsigned char)*p : 0;
    size_t len = p < end ? str_utf8_len(p, (size_t)(end - p)) : 0;
    if (p >= end)
        snprintf(w.z, sizeof w.z, "the end of the document");
    else if (c == '\n' || c == '\r')
        snprintf(w.z, sizeof w.z, "the end of the line");
    else if (c == '\t')
        snprintf(w.z, sizeof w.z, "a tab");
    else if (c < 0x20 || c == 0x7f)
        snprintf(w.z, sizeof w.z, "control character 0x%02x", c);
    else if (len == 0)
        snprintf(w.z, sizeof w.z, "byte 0x%02x", c);
    else
        snprintf(w.z, sizeof w.z, "'%.*s'", (int)len, p);
    return w;
}
