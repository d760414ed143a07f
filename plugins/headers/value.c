/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles a header value: text, $$ for a dollar, ${...} for a reference, or one reference alone as
 * $context.requestId. */
#include "value.h"

#include <sallyport/sugar.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct compiler {
    struct value_part parts[VALUE_PARTS];
    uint32_t count;
    char *bytes; /* room for all text */
    size_t used;
    bool response;
    const struct value_names *names;
    struct value_error *why;
};

static const struct source {
    sp_str prefix;
    uint32_t source;
} sources[] = {
    {{"context.", 8}, VALUE_CONTEXT},          {{"stageVariables.", 15}, VALUE_STAGE_VARIABLE},
    {{"request.header.", 15}, VALUE_HEADER},   {{"request.querystring.", 20}, VALUE_QUERY},
    {{"request.path.", 13}, VALUE_PATH_PARAM}, {{"response.header.", 16}, VALUE_RESPONSE_HEADER},
};

#define EXPECTED                                                                                   \
    "context.NAME, stageVariables.NAME, request.header.NAME, request.querystring.NAME, "           \
    "request.path, "                                                                               \
    "request.path.NAME or, in a response, response.header.NAME"

__attribute__((format(printf, 2, 3))) static sp_status refuse(struct compiler *c, const char *fmt,
                                                              ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->why->text, sizeof(c->why->text), fmt, ap);
    va_end(ap);
    return SP_E_ARG;
}

static bool name_ok(uint32_t source, sp_str name)
{
    static const char token[] = "!#%&'*+-.^_`|~$";
    static const char word[] = "._:-";
    const char *more = source == VALUE_HEADER || source == VALUE_RESPONSE_HEADER ? token
                       : source == VALUE_STAGE_VARIABLE                          ? "_"
                                                                                 : word;
    size_t i;

    for (i = 0; i < name.n; i++) {
        unsigned char ch = (unsigned char)name.p[i];
        bool alnum = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z');
        if (source == VALUE_QUERY ? ch < 0x21 || ch == 0x7f
                                  : !alnum && (ch == 0 || strchr(more, ch) == NULL))
            return false;
    }
    return name.n != 0;
}

static sp_status check_context(struct compiler *c, sp_str name)
{
    const char *near;

    if (value_context_known(name, &near) || (c->names != NULL && c->names->known(c->names, name)))
        return SP_OK;
    if (near != NULL)
        return refuse(c, "there is no $context.%.64s (did you mean '%s'?)", name.p, near);
    return refuse(c, "there is no $context.%.64s", name.p);
}

static sp_status push(struct compiler *c, uint32_t source, sp_str text)
{
    struct value_part *part;

    if (c->count == VALUE_PARTS)
        return refuse(c, "more than %d parts, expected fewer references", VALUE_PARTS);
    part = &c->parts[c->count++];
    part->source = source;
    part->text.p = c->bytes + c->used;
    part->text.n = text.n;
    if (text.n != 0)
        memcpy(c->bytes + c->used, text.p, text.n);
    c->used += text.n;
    return SP_OK;
}

/* ref is what stands between ${ and }. The name is NUL-terminated in a copy, for messages. */
static sp_status reference(struct compiler *c, sp_str ref)
{
    char shown[80];
    size_t i;

    snprintf(shown, sizeof(shown), SP_FMT, ref.n > 64 ? 64 : (int)ref.n, ref.p);
    if (sp_equal(ref, SP_STR("request.path")))
        return push(c, VALUE_PATH, sp_skip(ref, ref.n));
    for (i = 0; i < SP_COUNT(sources); i++) {
        sp_str name = sp_skip(ref, sources[i].prefix.n);
        if (!sp_starts(ref, sources[i].prefix))
            continue;
        if (!name_ok(sources[i].source, name))
            return refuse(c, "${%s}: malformed name behind '%s'", shown, sources[i].prefix.p);
        if (sources[i].source == VALUE_RESPONSE_HEADER && !c->response)
            return refuse(c, "${%s}: a request has no response yet", shown);
        if (sources[i].source == VALUE_CONTEXT) {
            sp_str copy = {shown + sources[i].prefix.n, strlen(shown) - sources[i].prefix.n};
            if (ref.n > 64)
                return refuse(c, "${%s...}: name longer than 56 bytes", shown);
            if (check_context(c, copy) != SP_OK)
                return SP_E_ARG;
        }
        return push(c, sources[i].source, name);
    }
    return refuse(c, "unknown reference '%s', expected " EXPECTED, shown);
}

/* Text up to the next reference, $$ undone. *used: how much of s it took. */
static sp_status literal(struct compiler *c, sp_str s, size_t *used)
{
    size_t i = 0, start = c->used;

    while (i < s.n) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch == '$') {
            if (i + 1 < s.n && s.p[i + 1] == '{')
                break;
            if (i + 1 >= s.n || s.p[i + 1] != '$')
                return refuse(c, "a lone '$' at byte %zu, expected ${...}, or $$ for a dollar sign",
                              i + 1);
            i++;
        } else if ((ch < 0x20 && ch != '\t') || ch == 0x7f) {
            return refuse(c, "control character 0x%02x, expected text that fits a header", ch);
        }
        c->bytes[c->used++] = (char)ch;
        i++;
    }
    *used = i;
    if (c->used == start)
        return SP_OK;
    if (c->count == VALUE_PARTS)
        return refuse(c, "more than %d parts, expected fewer references", VALUE_PARTS);
    c->parts[c->count++] = (struct value_part){VALUE_TEXT, {c->bytes + start, c->used - start}};
    return SP_OK;
}

static sp_status compile(struct compiler *c, sp_str s)
{
    if (s.n >= 2 && s.p[0] == '$' && s.p[1] != '$' && s.p[1] != '{')
        return reference(c, sp_skip(s, 1));
    while (s.n != 0) {
        size_t used = 0;
        const char *end;
        sp_status st = literal(c, s, &used);
        if (st != SP_OK)
            return st;
        s = sp_skip(s, used);
        if (s.n == 0)
            break;
        end = (const char *)memchr(s.p, '}', s.n);
        if (end == NULL)
            return refuse(c, "'${' without '}'");
        st = reference(c, (sp_str){s.p + 2, (size_t)(end - s.p) - 2});
        if (st != SP_OK)
            return st;
        s = sp_skip(s, (size_t)(end - s.p) + 1);
    }
    return SP_OK;
}

static bool blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

sp_status value_compile(struct value *v, sp_str text, bool response,
                        const struct value_names *names, struct value_error *why)
{
    struct compiler c = {.response = response, .names = names, .why = why};
    size_t head = VALUE_PARTS * sizeof(struct value_part);
    sp_status st;

    memset(v, 0, sizeof(*v));
    why->text[0] = '\0';
    if (text.n > VALUE_MAX)
        return refuse(&c, "%zu bytes, expected at most %d", text.n, VALUE_MAX);
    if (text.n != 0 && (blank(text.p[0]) || blank(text.p[text.n - 1])))
        return refuse(&c, "white space at its begin or end, which HTTP does not carry");
    v->parts = (struct value_part *)malloc(head + text.n + 1);
    if (v->parts == NULL)
        return SP_E_NOMEM;
    c.bytes = (char *)v->parts + head;
    st = compile(&c, text);
    if (st != SP_OK) {
        value_free(v);
        return st;
    }
    memcpy(v->parts, c.parts, c.count * sizeof(struct value_part));
    v->count = c.count;
    v->constant = c.count == 0 || (c.count == 1 && c.parts[0].source == VALUE_TEXT);
    return SP_OK;
}

void value_free(struct value *v)
{
    free(v->parts);
    v->parts = NULL;
    v->count = 0;
}
