/* SPDX-License-Identifier: Apache-2.0 */
/* The node tree: its owner, looking things up, naming places, hashing and comparing content. */
#include "base/node.h"

#include "base/map.h"

struct node_tree *node_tree_new(void)
{
    struct node_tree *t = calloc(1, sizeof *t);
    if (t)
        arena_init(&t->arena, NULL);
    return t;
}

void node_tree_free(struct node_tree *t)
{
    if (!t)
        return;
    arena_fini(&t->arena);
    free(t->files);
    free(t);
}

int node_tree_file(struct node_tree *t, const char *name)
{
    unsigned n = t->file_count;
    if (n > UINT16_MAX)
        return E_LIMIT;
    if ((n & (n - 1)) == 0) { /* the table doubles at powers of two */
        const char **files = realloc(t->files, (n ? 2 * n : 1) * sizeof *files);
        if (!files)
            return E_NOMEM;
        t->files = files;
    }
    t->files[n] = arena_strz(&t->arena, str_z(name));
    if (!t->files[n])
        return E_NOMEM;
    t->file_count++;
    return (int)n;
}

const char *node_file(const struct node_tree *t, const struct node *n)
{
    return n->file < t->file_count ? t->files[n->file] : "";
}

/* Position of a key in its map, or count. */
static uint32_t key_at(const struct node *map, str key)
{
    if (!map->index) {
        uint32_t i = 0;
        while (i < map->count && !str_eq(map->keys[i]->text, key))
            i++;
        return i;
    }
    uint32_t at = (uint32_t)map_hash(key) & map->index_mask;
    for (; map->index[at]; at = (at + 1) & map->index_mask) {
        if (str_eq(map->keys[map->index[at] - 1]->text, key))
            return map->index[at] - 1;
    }
    return map->count;
}

struct node *node_get(const struct node *map, str key)
{
    if (!map || map->type != NODE_MAP)
        return NULL;
    uint32_t i = key_at(map, key);
    return i < map->count ? map->items[i] : NULL;
}

struct node *node_getz(const struct node *map, const char *key)
{
    return node_get(map, str_z(key));
}

struct node *node_key(const struct node *map, str key)
{
    if (!map || map->type != NODE_MAP)
        return NULL;
    uint32_t i = key_at(map, key);
    return i < map->count ? map->keys[i] : NULL;
}

struct node *node_at(const struct node *list, unsigned i)
{
    return list && list->type == NODE_LIST && i < list->count ? list->items[i] : NULL;
}

bool node_is_scalar(const struct node *n)
{
    return n && n->type < NODE_LIST;
}

const char *node_type_name(const struct node *n)
{
    static const char *const names[] = {"null", "boolean", "number", "string", "list", "map"};
    return n && n->type < ARRAY_LEN(names) ? names[n->type] : "nothing";
}

/* Position of a child, or of a key's value, among its parent's items. */
static uint32_t child_at(const struct node *n)
{
    const struct node *p = n->parent;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->items[i] == n || (p->keys && p->keys[i] == n))
            return i;
    }
    BUG("a node is not among its parent's children");
}

/* The way from the root to n, root not counted: an array of *count nodes in the arena; NULL without
 * memory. */
static const struct node **way_to(struct arena *a, const struct node *n, unsigned *count)
{
    unsigned depth = 0;
    for (const struct node *at = n; at->parent; at = at->parent)
        depth++;
    const struct node **way = arena_alloc(a, (depth + 1) * sizeof *way);
    *count = depth;
    for (const struct node *at = n; way && at->parent; at = at->parent)
        way[--depth] = at;
    return way;
}

struct out {
    char *p;
    size_t n;
};

static void put(struct out *o, str s)
{
    if (o->p && s.n)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static void put_escaped(struct out *o, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        put(o, c == '~' ? STR("~0") : c == '/' ? STR("~1") : str_n(s.p + i, 1));
    }
}

static void put_number(struct out *o, uint32_t v)
{
    char z[16];
    int n = snprintf(z, sizeof z, "%u", v);
    put(o, str_n(z, (size_t)n));
}

static void pointer_step(struct out *o, const struct node *n)
{
    uint32_t i = child_at(n);
    put(o, STR("/"));
    if (n->parent->type == NODE_MAP)
        put_escaped(o, n->parent->keys[i]->text);
    else
        put_number(o, i);
}

static bool is_word(str s)
{
    if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = chr_lower(s.p[i]);
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '$';
        if (!ok)
            return false;
    }
    return true;
}

static void path_step(struct out *o, const struct node *n)
{
    uint32_t i = child_at(n);
    if (n->parent->type == NODE_LIST) {
        put(o, STR("["));
        put_number(o, i);
        put(o, STR("]"));
        return;
    }
    str key = n->parent->keys[i]->text;
    if (is_word(key)) {
        if (n->parent->parent)
            put(o, STR("."));
        put(o, key);
        return;
    }
    put(o, STR("['"));
    for (size_t k = 0; k < key.n; k++) {
        if (key.p[k] == '\'')
            put(o, STR("\\"));
        put(o, str_n(key.p + k, 1));
    }
    put(o, STR("']"));
}

/* Measures first, then writes. */
static str place(struct arena *a, const struct node *n,
                 void (*step)(struct out *, const struct node *))
{
    unsigned count;
    struct out o = {NULL, 0};
    const struct node **way = way_to(a, n, &count);
    if (!way)
        return STR_NONE;
    for (unsigned i = 0; i < count; i++)
        step(&o, way[i]);
    o.p = arena_bytes(a, o.n + 1);
    if (!o.p)
        return STR_NONE;
    o.n = 0;
    for (unsigned i = 0; i < count; i++)
        step(&o, way[i]);
    o.p[o.n] = '\0';
    return str_n(o.p, o.n);
}

str node_pointer(struct arena *a, const struct node *n)
{
    return place(a, n, pointer_step);
}

str node_path(struct arena *a, const struct node *n)
{
    return place(a, n, path_step);
}

/* Does the escaped token name this key? */
static bool token_is(str token, str key)
{
    size_t i = 0, k = 0;
    for (; i < token.n && k < key.n; i++, k++) {
        char c = token.p[i];
        if (c == '~') {
            if (++i == token.n)
                return false;
            c = token.p[i] == '0' ? '~' : token.p[i] == '1' ? '/' : '\0';
            if (c == '\0')
                return false;
        }
        if (c != key.p[k])
            return false;
    }
    return i == token.n && k == key.n;
}

static struct node *resolve_key(const struct node *map, str token)
{
    char small[256];
    size_t n = 0;
    if (str_chr(token, '~') == token.n)
        return node_get(map, token);
    if (token.n > sizeof small) { /* rare: searched one by one */
        for (uint32_t i = 0; i < map->count; i++) {
            if (token_is(token, map->keys[i]->text))
                return map->items[i];
        }
        return NULL;
    }
    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];
        if (c == '~') {
            if (++i == token.n || (token.p[i] != '0' && token.p[i] != '1'))
                return NULL;
            c = token.p[i] == '0' ? '~' : '/';
        }
        small[n++] = c;
    }
    return node_get(map, str_n(small, n));
}

static struct node *resolve_item(const struct node *list, str token)
{
    uint64_t i;
    if (token.n > 1 && token.p[0] == '0')
        return NULL;
    return str_u64(token, &i) == 0 && i < list->count ? list->items[i] : NULL;
}

struct node *node_resolve(const struct node *root, str pointer)
{
    const struct node *n = root;
    if (pointer.n == 0)
        return (struct node *)(uintptr_t)n;
    if (pointer.p[0] != '/')
        return NULL;
    str rest = str_drop(pointer, 1);
    while (n && rest.p) {
        str token = str_cut(&rest, '/');
        n = n->type == NODE_MAP    ? resolve_key(n, token)
            : n->type == NODE_LIST ? resolve_item(n, token)
                                   : NULL;
    }
    return (struct node *)(uintptr_t)n;
}

static uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
    const unsigned char *s = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ s[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_text(uint64_t h, str s)
{
    uint64_t n = s.n; /* the length too: "ab","c" differs from "a","bc" */
    for (int i = 0; i < 8; i++) {
        unsigned char c = (unsigned char)(n >> (8 * i));
        h = hash_bytes(h, &c, 1);
    }
    return hash_bytes(h, s.p, s.n);
}

/* Type, and for scalars whether they stood plain: the schema reads "1" and 1 differently. */
static unsigned char kind(const struct node *n)
{
    return (unsigned char)(n->type | (n->type == NODE_STRING && n->plain ? 0x80 : 0));
}

static uint64_t hash_node(uint64_t h, const struct node *n)
{
    unsigned char k = kind(n);
    h = hash_bytes(h, &k, 1);
    if (n->type == NODE_NULL)
        return h;
    if (n->type < NODE_LIST)
        return hash_text(h, n->text);
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->keys)
            h = hash_text(h, n->keys[i]->text);
        h = hash_node(h, n->items[i]);
    }
    k = 0xff; /* end of children */
    return hash_bytes(h, &k, 1);
}

uint64_t node_hash(const struct node *n)
{
    return n ? hash_node(UINT64_C(0xcbf29ce484222325), n) : 0;
}

bool node_equal(const struct node *a, const struct node *b)
{
    if (a == b)
        return true;
    if (!a || !b || kind(a) != kind(b) || a->count != b->count)
        return false;
    if (a->type == NODE_NULL)
        return true;
    if (a->type < NODE_LIST)
        return str_eq(a->text, b->text);
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->keys && !str_eq(a->keys[i]->text, b->keys[i]->text))
            return false;
        if (!node_equal(a->items[i], b->items[i]))
            return false;
    }
    return true;
}
