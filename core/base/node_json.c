/* SPDX-License-Identifier: Apache-2.0 */
/* The strict JSON reader (RFC 8259): one pass, no recursion, no allocation per value beyond the
 * arena. */
#include "base/node_build.h"

#define VALUE "a value: a map, a list, a string, a number, true, false or null"

struct json {
    struct build b;
    const char *text, *p, *end; /* the source, never changed */
    char *copy; /* as long as the source: strings are unescaped in it, texts are views of it */
    const char *line_start;
    unsigned line;
    bool ascii;
    const char *col_from; /* columns are counted on from here */
    unsigned col_there;
};

/* 1-based column of a place in the current line. Each byte is counted once. */
static unsigned column(struct json *j, const char *p)
{
    if (j->ascii)
        return (unsigned)(p - j->line_start) + 1;
    if (j->col_from < j->line_start || j->col_from > p) {
        j->col_from = j->line_start;
        j->col_there = 1;
    }
    for (; j->col_from < p; j->col_from++) {
        if (((unsigned char)*j->col_from & 0xc0) != 0x80)
            j->col_there++;
    }
    return j->col_there;
}

static int fail(struct json *j, const char *p, const char *expected, const char *what)
{
    return build_error(&j->b, j->line, column(j, p), expected, "%s", what);
}

static void new_line(struct json *j, const char *start)
{
    j->line++;
    j->line_start = start;
}

static void skip_space(struct json *j)
{
    for (; j->p < j->end; j->p++) {
        char c = *j->p;
        if (c == '\n')
            new_line(j, j->p + 1);
        else if (c == '\r' && (j->p + 1 == j->end || j->p[1] != '\n'))
            new_line(j, j->p + 1);
        else if (c != ' ' && c != '\t' && c != '\r')
            return;
    }
}

/* What stands at p is not what was expected. */
static int unexpected(struct json *j, const char *p, const char *expected)
{
    char what[96];
    if (p >= j->end && j->b.depth) {
        const struct node *open = j->b.frames[j->b.depth - 1].node;
        return build_error(&j->b, j->line, column(j, p), expected,
                           "the document ends inside the %s that begins at %u:%u",
                           node_type_name(open), open->line, open->col);
    }
    if (p >= j->end)
        return fail(j, p, expected, "the document is empty");
    if (*p == '#' || (*p == '/' && p + 1 < j->end && (p[1] == '/' || p[1] == '*'))) {
        return fail(j, p, expected, "comments are not allowed in JSON");
    }
    if (*p == '\'')
        return fail(j, p, "double quotes", "a string in single quotes");
    snprintf(what, sizeof what, "unexpected %s", build_describe(p, j->end).z);
    return fail(j, p, expected, what);
}

static struct node *new_node(struct json *j, enum node_type type, const char *p)
{
    return build_node(&j->b, type, j->line, column(j, p));
}

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    uint32_t v = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = chr_lower(p[i]);
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* \uXXXX or a pair of them at *from. */
static int read_unicode(struct json *j, const char **from, char **to)
{
    const char *p = *from;
    uint32_t c, low;
    if (!hex4(p + 2, j->end, &c))
        return fail(j, p, "four hexadecimal digits", "a malformed \\u escape");
    if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(j, p, "a high surrogate before it", "a low surrogate escape that stands alone");
    }
    *from = p + 6;
    if (c >= 0xd800 && c <= 0xdbff) {
        bool pair = j->end - p >= 12 && p[6] == '\\' && p[7] == 'u' && hex4(p + 8, j->end, &low) &&
                    low >= 0xdc00 && low <= 0xdfff;
        if (!pair) {
            return fail(j, p, "a low surrogate behind it",
                        "a high surrogate escape that stands alone");
        }
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        *from = p + 12;
    }
    *to = put_utf8(*to, c);
    return 0;
}

static int read_escape(struct json *j, const char **from, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *p = *from, *at;
    if (j->end - p < 2)
        return fail(j, j->end, "'\"'", "the document ends inside a string");
    if (p[1] == 'u')
        return read_unicode(j, from, to);
    at = memchr(names, p[1], sizeof names - 1);
    if (!at) {
        char what[80];
        snprintf(what, sizeof what, "unknown escape: backslash and %s",
                 build_describe(p + 1, j->end).z);
        return fail(j, p, "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX", what);
    }
    *(*to)++ = values[at - names];
    *from = p + 2;
    return 0;
}

/* End of the run of bytes that stand for themselves. */
static const char *plain_run(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = 0x80 * ones;
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ ('"' * ones), slash = w ^ ('\\' * ones);
        uint64_t hit =
            ((w - 0x20 * ones) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
        if (hit & high)
            break;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* The string whose opening quote is at j->p. */
static int read_string(struct json *j, str *out)
{
    const char *open = j->p, *p = open + 1;
    char *start = j->copy + (p - j->text), *to = start;
    for (;;) {
        const char *run = plain_run(p, j->end);
        char *here = j->copy + (p - j->text);
        if (to != here && run > p)
            memmove(to, here, (size_t)(run - p));
        to += run - p;
        p = run;
        if (p == j->end)
            return fail(j, open, "'\"'", "the string that begins here does not end");
        if (*p == '"')
            break;
        if (*p != '\\') {
            char what[80];
            snprintf(what, sizeof what, "%s inside a string", build_describe(p, j->end).z);
            return fail(j, p, "an escape such as \\n, or '\"'", what);
        }
        int rc = read_escape(j, &p, &to);
        if (rc != 0)
            return rc;
    }
    *to = '\0'; /* at or before the closing quote */
    *out = str_n(start, (size_t)(to - start));
    j->p = p + 1;
    return 0;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static int need_digit(struct json *j, const char *p)
{
    char what[96];
    snprintf(what, sizeof what, "%s inside a number", build_describe(p, j->end).z);
    return fail(j, p, "a digit", what);
}

static int read_number(struct json *j)
{
    const char *start = j->p, *p = start, *run;
    struct node *n = new_node(j, NODE_NUMBER, start);
    if (!n)
        return E_CONF;
    if (*p == '-')
        p++;
    run = digits(p, j->end);
    if (run == p)
        return need_digit(j, p);
    if (*p == '0' && run - p > 1) {
        return fail(j, start, "a first digit from 1 to 9", "a number begins with a needless 0");
    }
    p = run;
    if (p < j->end && *p == '.') {
        run = digits(p + 1, j->end);
        if (run == p + 1)
            return need_digit(j, run);
        p = run;
    }
    if (p < j->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < j->end && (*p == '+' || *p == '-'))
            p++;
        run = digits(p, j->end);
        if (run == p)
            return need_digit(j, p);
        p = run;
    }
    /* The byte behind is read from the source only, so the copy has room for the NUL. */
    char *text = j->copy + (start - j->text);
    text[p - start] = '\0';
    n->text = str_n(text, (size_t)(p - start));
    n->plain = 1;
    j->p = p;
    return build_add(&j->b, n);
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* true, false, null; other words get a message of their own. */
static int read_word(struct json *j)
{
    const char *start = j->p, *p = start;
    while (p < j->end && word_char(*p))
        p++;
    str word = str_n(start, (size_t)(p - start));
    bool is_null = str_eq(word, STR("null")), is_true = str_eq(word, STR("true"));
    if (!is_null && !is_true && !str_eq(word, STR("false"))) {
        char what[80];
        snprintf(what, sizeof what, "unknown word '%.*s'", word.n < 40 ? (int)word.n : 40, word.p);
        return fail(j, start, "true, false, null, or text in double quotes", what);
    }
    struct node *n = new_node(j, is_null ? NODE_NULL : NODE_BOOL, start);
    if (!n)
        return E_CONF;
    n->plain = 1;
    n->text = is_null ? STR("null") : is_true ? STR("true") : STR("false");
    j->p = p;
    return build_add(&j->b, n);
}

static int read_text(struct json *j)
{
    struct node *n = new_node(j, NODE_STRING, j->p);
    if (!n)
        return E_CONF;
    int rc = read_string(j, &n->text);
    return rc == 0 ? build_add(&j->b, n) : rc;
}

static int read_open(struct json *j)
{
    struct node *n = new_node(j, *j->p == '{' ? NODE_MAP : NODE_LIST, j->p);
    j->p++;
    return n ? build_open(&j->b, n) : E_CONF;
}

static int read_value(struct json *j, const char *expected)
{
    char c = j->p < j->end ? *j->p : '\0';
    if (c == '"')
        return read_text(j);
    if (c == '{' || c == '[')
        return read_open(j);
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(j);
    if (word_char(c))
        return read_word(j);
    return unexpected(j, j->p, expected);
}

/* A key and its colon. */
static int read_key(struct json *j, const char *expected)
{
    if (j->p >= j->end || *j->p != '"')
        return unexpected(j, j->p, expected);
    int rc = read_text(j);
    if (rc != 0)
        return rc;
    skip_space(j);
    if (j->p >= j->end || *j->p != ':')
        return unexpected(j, j->p, "':' behind the key");
    j->p++;
    skip_space(j);
    return read_value(j, VALUE);
}

/* One step inside the open list or map: its end, or a further value. */
static int read_inside(struct json *j)
{
    const struct build_frame *f = &j->b.frames[j->b.depth - 1];
    bool is_map = f->node->type == NODE_MAP, first = j->b.count == f->base;
    char close = is_map ? '}' : ']';
    if (j->p < j->end && *j->p == close) {
        j->p++;
        return build_close(&j->b);
    }
    if (!first) {
        if (j->p >= j->end || *j->p != ',') {
            return unexpected(j, j->p, is_map ? "',' or '}'" : "',' or ']'");
        }
        unsigned line = j->line, col = column(j, j->p);
        j->p++;
        skip_space(j);
        if (j->p < j->end && *j->p == close) {
            return build_error(&j->b, line, col,
                               is_map ? "a further key, or no comma"
                                      : "a further value, or no comma",
                               "a comma before '%c'", close);
        }
    }
    if (is_map)
        return read_key(j, first ? "a key in double quotes, or '}'" : "a key in double quotes");
    return read_value(j, first ? "a value, or ']'" : "a value");
}

static int read_document(struct json *j)
{
    skip_space(j);
    int rc = read_value(j, VALUE);
    while (rc == 0 && j->b.depth) {
        skip_space(j);
        rc = read_inside(j);
    }
    if (rc != 0)
        return rc;
    skip_space(j);
    if (j->p == j->end)
        return 0;
    char what[96];
    snprintf(what, sizeof what, "%s behind the end of the document",
             build_describe(j->p, j->end).z);
    return fail(j, j->p, NULL, what);
}

static int check_encoding(struct json *j, str text)
{
    size_t bad = str_ascii_len(text);
    unsigned line, col;
    j->ascii = bad == text.n;
    if (j->ascii)
        return 0;
    if (str_starts(text, STR("\xef\xbb\xbf"))) {
        return build_error(&j->b, 1, 1, NULL,
                           "a JSON document must not begin with a byte order mark");
    }
    bad = str_utf8_valid(text);
    if (bad == text.n)
        return 0;
    build_locate(text, bad, &line, &col);
    return build_error(&j->b, line, col, NULL, "byte 0x%02x is not valid UTF-8",
                       (unsigned char)text.p[bad]);
}

struct node *node_read_json(struct node_tree *tree, struct diag *diag, const char *name, str text,
                            const struct node_limits *limits)
{
    struct json j = {.text = text.n ? text.p : "", .line = 1};
    struct node *root = NULL;
    if (build_init(&j.b, tree, diag, name, text, limits) != 0)
        goto out;
    if (check_encoding(&j, text) != 0)
        goto out;
    j.copy = arena_bytes(&tree->arena, text.n + 1);
    if (!j.copy) {
        build_nomem(&j.b);
        goto out;
    }
    memcpy(j.copy, j.text, text.n);
    j.copy[text.n] = '\0';
    j.p = j.line_start = j.col_from = j.text;
    j.col_there = 1;
    j.end = j.text + text.n;
    (void)read_document(&j); /* its failure is on record */
    root = build_end(&j.b);
out:
    build_fini(&j.b);
    return root;
}
