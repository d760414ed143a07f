/* SPDX-License-Identifier: Apache-2.0 */
/* YAML's mistakes in words that help: libyaml's problem and place, and what was probably meant. */
#include "base/node_yaml_error.h"

#define TAGS_MAX 32u /* the message says so too */

/* Length of a character that YAML 1.1 (5.1) does not print, 0 for all others. */
static size_t unprintable(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x20)
        return c != '\t' && c != '\n' && c != '\r';
    if (c == 0x7f)
        return 1;
    if (n >= 2 && c == 0xc2)
        return p[1] < 0xa0 && p[1] != 0x85 ? 2 : 0;
    if (n >= 3 && c == 0xef) {
        if (p[1] == 0xbb && p[2] == 0xbf)
            return 3; /* byte order mark */
        if (p[1] == 0xbf && p[2] >= 0xbe)
            return 3;
    }
    return 0;
}

/* libyaml compares every %TAG with all before it: a file of them keeps it busy for minutes. */
static int check_directives(struct build *b, str text)
{
    unsigned line, col;
    size_t at = 0, found = 0;
    for (;; at += 4) {
        at += str_find(str_drop(text, at), STR("%TAG"));
        if (at >= text.n)
            return 0;
        /* Directives stand behind any of YAML's line breaks. */
        bool first = at == 0 || strchr("\n\r\x85\xa8\xa9", text.p[at - 1]);
        if (!first || ++found <= TAGS_MAX)
            continue;
        build_locate(text, at, &line, &col);
        return build_error(b, line, col, "at most 32", "too many %%TAG directives");
    }
}

static uint32_t code_point(const unsigned char *p, size_t len)
{
    if (len == 2)
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (len == 3)
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return p[0];
}

int yaml_check_bytes(struct build *b, str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    unsigned line, col;
    size_t bad = str_utf8_valid(text);
    if (bad < text.n) {
        build_locate(text, bad, &line, &col);
        const char *hint = bad == 0 && (p[0] == 0xff || p[0] == 0xfe) ? "UTF-8, not UTF-16" : NULL;
        return build_error(b, line, col, hint, "byte 0x%02x is not valid UTF-8", p[bad]);
    }
    for (size_t i = 0; i < text.n; i++) {
        if (LIKELY(p[i] >= 0x20 && p[i] < 0x7f))
            continue;
        size_t len = unprintable(p + i, text.n - i);
        if (len == 0)
            continue;
        build_locate(text, i, &line, &col);
        if (p[i] == 0)
            return build_error(b, line, col, NULL, "a NUL byte");
        return build_error(b, line, col, NULL, "control character U+%04X", code_point(p + i, len));
    }
    return check_directives(b, text);
}

/* Byte at a mark: its index counts characters. */
static const char *byte_at(str text, size_t index)
{
    size_t i = 0;
    while (i < text.n && index > 0) {
        size_t len = str_utf8_len(text.p + i, text.n - i);
        i += len ? len : 1;
        index--;
    }
    return text.p + i;
}

static const struct {
    const char *problem, *what, *expected;
} words[] = {
    {"mapping values are not allowed in this context", "a ':' stands where no key can be",
     "a key on a line of its own, or quotes around text that holds ': '"},
    {"could not find expected ':'", "text that is neither a key nor a value", "'key: value'"},
    {"did not find expected key", "this does not continue the map above",
     "a key at the same indentation as the others"},
    {"did not find expected '-' indicator", "this does not continue the list above",
     "'- ' at the same indentation as the others"},
    {"did not find expected ',' or ']'", "a list in brackets does not go on like this",
     "',' or ']'"},
    {"did not find expected ',' or '}'", "a map in braces does not go on like this", "',' or '}'"},
    {"did not find expected node content", "a value is missing", "a value"},
    {"did not find expected <document start>", "text behind the end of the document",
     "one document per file"},
    {"block sequence entries are not allowed in this context",
     "a '- ' stands where no list can begin", "the list on the next line, indented"},
    {"mapping keys are not allowed in this context", "a '?' stands where no key can be", NULL},
    {"found invalid Unicode character escape code", "an escape that is no Unicode character", NULL},
    {"did not find expected hexdecimal number", "a malformed escape", "hexadecimal digits"},
    {"found undefined tag handle", "a tag with an unknown prefix", "no tag"},
    {"found incompatible YAML document", "an unknown YAML version", "%YAML 1.1 or 1.2"},
};

static const char *context_words(const char *context)
{
    static const struct {
        const char *context, *what;
    } known[] = {
        {"while parsing a block mapping", "in the map"},
        {"while parsing a block collection", "in the list"},
        {"while parsing a flow sequence", "in the list"},
        {"while parsing a flow mapping", "in the map"},
        {"while scanning a simple key", "in the key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(context, known[i].context) == 0)
            return known[i].what;
    }
    return context;
}

/* Mistakes that deserve their own words; 0 when this is none of them. */
static int special(struct build *b, const yaml_parser_t *p, const char *at, const char *end,
                   unsigned line, unsigned col)
{
    bool cannot_start = strstr(p->problem, "cannot start any token") != NULL;
    if (strstr(p->problem, "tab character") || (cannot_start && at < end && *at == '\t')) {
        return build_error(b, line, col, "spaces", "a tab is used for indentation");
    }
    if (cannot_start) {
        return build_error(b, line, col, "quotes around the value",
                           "an unquoted value cannot begin with %s", build_describe(at, end).z);
    }
    if (strcmp(p->problem, "found unexpected end of stream") == 0 && p->context) {
        return build_error(b, (unsigned)p->context_mark.line + 1,
                           (unsigned)p->context_mark.column + 1, "a closing quote",
                           "the quoted text that begins here does not end");
    }
    if (p->context &&
        strcmp(p->problem, "did not find expected alphabetic or numeric character") == 0) {
        bool alias = strstr(p->context, "alias") != NULL; /* mostly a '*' that was meant as text */
        return build_error(
            b, (unsigned)p->context_mark.line + 1, (unsigned)p->context_mark.column + 1,
            alias ? "a name behind it, or quotes around the text" : "a name behind it",
            alias ? "an unquoted '*' begins an alias" : "an unquoted '&' begins an anchor");
    }
    if (strcmp(p->problem, "found unknown escape character") == 0) {
        const char *escape = at < end && *at == '\\' ? at + 1 : at;
        return build_error(b, line, col, "a known escape, or single quotes around the text",
                           "unknown escape in double quotes: backslash and %s",
                           build_describe(escape, end).z);
    }
    return 0;
}

int yaml_syntax_error(struct build *b, const yaml_parser_t *p, str text)
{
    unsigned line = (unsigned)p->problem_mark.line + 1, col = (unsigned)p->problem_mark.column + 1;
    if (p->error == YAML_MEMORY_ERROR)
        return build_nomem(b);
    if (!p->problem)
        return build_error(b, 0, 0, NULL, "the YAML parser failed");
    if (p->error == YAML_READER_ERROR) {
        build_locate(text, p->problem_offset, &line, &col);
        return build_error(b, line, col, NULL, "%s", p->problem);
    }
    const char *at = byte_at(text, p->problem_mark.index), *end = text.p + text.n;
    if (at == end)
        build_locate(text, text.n, &line, &col); /* libyaml tells the line behind the last */
    int rc = special(b, p, at, end, line, col);
    if (rc != 0)
        return rc;
    const char *what = p->problem, *expected = NULL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(p->problem, words[i].problem) != 0)
            continue;
        what = words[i].what;
        expected = words[i].expected;
    }
    if (!p->context || strcmp(p->context, "while scanning for the next token") == 0) {
        return build_error(b, line, col, expected, "%s", what);
    }
    return build_error(b, line, col, expected, "%s (%s that begins at %u:%u)", what,
                       context_words(p->context), (unsigned)p->context_mark.line + 1,
                       (unsigned)p->context_mark.column + 1);
}
