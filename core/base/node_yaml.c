/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML reader, on libyaml's events: bounded, every scalar as text, aliases copied, all else
 * refused by name. */
#include <yaml.h>

#include "base/map.h"
#include "base/node_build.h"
#include "base/node_yaml_error.h"

#define CORE_TAG "tag:yaml.org,2002:"

struct anchor {
    struct node *node;
    unsigned size; /* nodes in it; while it is open: nodes before it */
    bool open;
};

struct yaml {
    struct build b;
    yaml_parser_t parser;
    str text;
    struct arena scratch;
    struct map anchors;    /* name -> struct anchor in scratch */
    struct anchor **owner; /* per open list or map: its anchor, or NULL */
    bool seen;             /* a document was read */
};

static unsigned line_of(yaml_mark_t m)
{
    return (unsigned)m.line + 1;
}

static unsigned col_of(yaml_mark_t m)
{
    return (unsigned)m.column + 1;
}

static int fail(struct yaml *y, yaml_mark_t m, const char *expected, const char *what)
{
    return build_error(&y->b, line_of(m), col_of(m), expected, "%s", what);
}

static str zstr(const yaml_char_t *z)
{
    return str_z((const char *)z);
}

/* Registers &name for a node that begins; NULL out without a name. */
static int anchor_begin(struct yaml *y, const yaml_char_t *name, struct node *n,
                        struct anchor **out)
{
    *out = NULL;
    if (!name)
        return 0;
    struct anchor *a = arena_alloc(&y->scratch, sizeof *a);
    str key = arena_str(&y->scratch, zstr(name));
    if (!a || !key.p || map_put(&y->anchors, key, a, NULL) != 0)
        return build_nomem(&y->b);
    *a = (struct anchor){.node = n, .size = y->b.nodes - 1, .open = true};
    *out = a;
    return 0;
}

static void anchor_end(struct yaml *y, struct anchor *a)
{
    if (!a)
        return;
    a->size = y->b.nodes - a->size;
    a->open = false;
}

static int refuse_tag(struct yaml *y, yaml_mark_t m, const yaml_char_t *tag)
{
    str t = zstr(tag);
    bool core = str_starts(t, STR(CORE_TAG));
    if (core)
        t = str_drop(t, sizeof CORE_TAG - 1);
    return build_error(&y->b, line_of(m), col_of(m), "no tag", "unknown tag '%s%.*s'",
                       core ? "!!" : "", t.n < 100 ? (int)t.n : 100, t.p);
}

/* Lists and maps may say what they are, and nothing else. */
static int check_tag(struct yaml *y, yaml_mark_t m, const yaml_char_t *tag, const char *own)
{
    if (!tag || str_eqz(zstr(tag), own))
        return 0;
    return refuse_tag(y, m, tag);
}

static bool is_null(str s)
{
    return s.n == 0 || str_eq(s, STR("~")) || str_eq(s, STR("null"));
}

/* Sets whether the scalar counts as plain: !!str and ! make it text, the tags of typed scalars do
 * not. */
static int scalar_tag(struct yaml *y, const yaml_event_t *e, bool *plain)
{
    static const char *const typed[] = {CORE_TAG "int", CORE_TAG "float", CORE_TAG "bool"};
    const yaml_char_t *tag = e->data.scalar.tag;
    *plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!tag)
        return 0;
    str t = zstr(tag);
    for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
        if (!str_eqz(t, typed[i]))
            continue;
        *plain = true;
        return 0;
    }
    *plain = false;
    if (str_eq(t, STR("!")) || str_eq(t, STR(CORE_TAG "str")))
        return 0;
    if (str_eq(t, STR(CORE_TAG "null"))) {
        *plain = true;
        str s = str_n((const char *)e->data.scalar.value, e->data.scalar.length);
        return is_null(s) ? 0
                          : fail(y, e->start_mark, "nothing, ~ or null", "tag '!!null' on a value");
    }
    return refuse_tag(y, e->start_mark, tag);
}

static int check_key(struct yaml *y, yaml_mark_t m, const struct node *n)
{
    if (n->type >= NODE_LIST)
        return fail(y, m, "text", "a list or a map as a key");
    if (!n->plain)
        return 0;
    if (str_eq(n->text, STR("<<"))) {
        return fail(y, m, "the keys themselves", "merge keys ('<<') are not supported");
    }
    if (n->text.n == 0)
        return fail(y, m, "a key before ':'", "a key is missing");
    return 0;
}

static int on_scalar(struct yaml *y, const yaml_event_t *e)
{
    bool plain, key = build_at_key(&y->b);
    str s = str_n((const char *)e->data.scalar.value, e->data.scalar.length);
    struct anchor *a;
    int rc = scalar_tag(y, e, &plain);
    if (rc != 0)
        return rc;
    if (s.n && memchr(s.p, '\0', s.n)) {
        return fail(y, e->start_mark, NULL, "a NUL character (\\0) in a value");
    }
    enum node_type type = plain && !key && is_null(s) ? NODE_NULL : NODE_STRING;
    struct node *n = build_node(&y->b, type, line_of(e->start_mark), col_of(e->start_mark));
    if (!n)
        return E_CONF;
    n->plain = plain;
    n->text = arena_str(&y->b.tree->arena, s);
    if (!n->text.p)
        return build_nomem(&y->b);
    if (key && (rc = check_key(y, e->start_mark, n)) != 0)
        return rc;
    if ((rc = anchor_begin(y, e->data.scalar.anchor, n, &a)) != 0)
        return rc;
    anchor_end(y, a);
    return build_add(&y->b, n);
}

static int on_open(struct yaml *y, const yaml_event_t *e)
{
    bool is_map = e->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag = is_map ? e->data.mapping_start.tag : e->data.sequence_start.tag;
    const yaml_char_t *name = is_map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    struct anchor *a;
    int rc = check_tag(y, e->start_mark, tag, is_map ? CORE_TAG "map" : CORE_TAG "seq");
    if (rc != 0)
        return rc;
    struct node *n = build_node(&y->b, is_map ? NODE_MAP : NODE_LIST, line_of(e->start_mark),
                                col_of(e->start_mark));
    if (!n)
        return E_CONF;
    if (build_at_key(&y->b))
        return check_key(y, e->start_mark, n);
    if ((rc = anchor_begin(y, name, n, &a)) != 0)
        return rc;
    if ((rc = build_open(&y->b, n)) != 0)
        return rc;
    y->owner[y->b.depth - 1] = a;
    return 0;
}

static int on_close(struct yaml *y)
{
    struct anchor *a = y->owner[y->b.depth - 1];
    int rc = build_close(&y->b);
    if (rc == 0)
        anchor_end(y, a);
    return rc;
}

/* Copying what an alias names; mistakes are told at the alias. */
struct copier {
    struct build *b;
    unsigned line, col;
};

static struct node *copy_tree(const struct copier *c, const struct node *from, unsigned depth);

static bool copy_children(const struct copier *c, struct node *to, const struct node *from,
                          unsigned depth)
{
    size_t n = (size_t)from->count * (from->keys ? 2 : 1);
    if (n == 0)
        return true;
    struct node **v = arena_alloc(&c->b->tree->arena, n * sizeof *v);
    if (!v) {
        build_nomem(c->b);
        return false;
    }
    to->keys = from->keys ? v : NULL;
    to->items = from->keys ? v + from->count : v;
    for (uint32_t i = 0; i < from->count; i++) {
        if (to->keys) {
            to->keys[i] = copy_tree(c, from->keys[i], depth);
            if (!to->keys[i])
                return false;
            to->keys[i]->parent = to;
        }
        to->items[i] = copy_tree(c, from->items[i], depth);
        if (!to->items[i])
            return false;
        to->items[i]->parent = to;
    }
    return true;
}

/* Texts and key indexes are shared, nodes are not: each has one parent. `depth`: the lists and maps
 * around it. */
static struct node *copy_tree(const struct copier *c, const struct node *from, unsigned depth)
{
    if (from->type >= NODE_LIST && depth >= c->b->limits.depth) {
        build_too_deep(c->b, c->line, c->col);
        return NULL;
    }
    struct node *n = build_node(c->b, from->type, c->line, c->col);
    if (!n)
        return NULL;
    *n = *from;
    n->parent = NULL;
    return copy_children(c, n, from, depth + 1) ? n : NULL;
}

static int on_alias(struct yaml *y, const yaml_event_t *e)
{
    str name = zstr(e->data.alias.anchor);
    bool key = build_at_key(&y->b);
    int shown = name.n < 100 ? (int)name.n : 100;
    unsigned line = line_of(e->start_mark), col = col_of(e->start_mark);
    const struct anchor *a = map_get(&y->anchors, name);
    if (!a) {
        return build_error(&y->b, line, col, "an anchor that is defined above",
                           "unknown alias '*%.*s'", shown, name.p);
    }
    if (a->open) {
        return build_error(&y->b, line, col, NULL,
                           "alias '*%.*s' stands inside the value that it names", shown, name.p);
    }
    /* Told before anything is copied: a document of a few lines can ask for billions. */
    if (a->size > y->b.limits.nodes - y->b.nodes)
        return build_too_many(&y->b, line, col);
    struct copier copier = {.b = &y->b, .line = line, .col = col};
    struct node *n = copy_tree(&copier, a->node, y->b.depth);
    if (!n)
        return E_CONF;
    n->line = line;
    n->col = col;
    if (key) {
        int rc = check_key(y, e->start_mark, n);
        if (rc != 0)
            return rc;
        n->type = NODE_STRING;
    } else if (n->type == NODE_STRING && n->plain && is_null(n->text)) {
        n->type = NODE_NULL; /* the anchor stood at a key */
    }
    return build_add(&y->b, n);
}

static int on_event(struct yaml *y, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (y->seen)
            return fail(y, e->start_mark, "one document per file", "a second document begins here");
        y->seen = true;
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(y, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return on_open(y, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(y);
    case YAML_ALIAS_EVENT:
        return on_alias(y, e);
    default:
        return 0;
    }
}

static int read_events(struct yaml *y)
{
    yaml_event_t e;
    int rc = 0;
    bool end = false;
    while (rc == 0 && !end) {
        if (!yaml_parser_parse(&y->parser, &e))
            return yaml_syntax_error(&y->b, &y->parser, y->text);
        end = e.type == YAML_STREAM_END_EVENT;
        rc = on_event(y, &e);
        yaml_event_delete(&e);
    }
    if (rc != 0 || y->b.root)
        return rc;
    y->b.root = build_node(&y->b, NODE_NULL, 1, 1); /* nothing but comments */
    if (!y->b.root)
        return E_CONF;
    y->b.root->plain = 1;
    y->b.root->text = STR("");
    return 0;
}

static void read_document(struct yaml *y)
{
    if (!yaml_parser_initialize(&y->parser)) {
        build_nomem(&y->b);
        return;
    }
    yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y->parser, (const unsigned char *)y->text.p, y->text.n);
    y->owner = arena_alloc(&y->scratch, y->b.limits.depth * sizeof(struct anchor *));
    if (!y->owner)
        build_nomem(&y->b);
    else
        (void)read_events(y); /* its failure is on record */
    yaml_parser_delete(&y->parser);
}

struct node *node_read_yaml(struct node_tree *tree, struct diag *diag, const char *name, str text,
                            const struct node_limits *limits)
{
    struct yaml y;
    struct node *root = NULL;
    memset(&y, 0, sizeof y);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_drop(text, 3);
    y.text = text.p ? text : STR("");
    arena_init(&y.scratch, NULL);
    map_init(&y.anchors, false);
    if (build_init(&y.b, tree, diag, name, y.text, limits) == 0 &&
        yaml_check_bytes(&y.b, y.text) == 0) {
        read_document(&y);
        root = build_end(&y.b);
    }
    map_fini(&y.anchors);
    arena_fini(&y.scratch);
    build_fini(&y.b);
    return root;
}
