/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars are typed by the option tables, not by YAML: text to number, size, duration, word. */
#include "model/scalar.h"

#include <errno.h>
#include <math.h>

static const char *const bool_words[] = {"false", "true", "no", "yes", "off", "on"};

static int word_of(const char *const *names, str text, int64_t *out)
{
    for (unsigned i = 0; names[i]; i++)
        if (str_eqz(text, names[i])) {
            *out = i;
            return 0;
        }
    return E_ARG;
}

static int bool_of(str text, int64_t *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(bool_words); i++)
        if (str_eqz(text, bool_words[i])) {
            *out = i & 1;
            return 0;
        }
    return E_ARG;
}

int scalar_text_i64(const struct schema *s, str text, int64_t *out)
{
    switch (s->type) {
    case S_BOOL:
        return bool_of(text, out);
    case S_INT:
        if (s->names && word_of(s->names, text, out) == 0) {
            *out = 0;
            return 0;
        }
        return str_i64(text, out);
    case S_SIZE:
        return str_size(text, out);
    case S_DURATION:
        return str_duration(text, out);
    case S_ENUM:
        return word_of(s->names, text, out);
    default:
        return E_ARG;
    }
}

int scalar_i64(const struct schema *s, const struct node *n, int64_t *out)
{
    if (!node_is_scalar(n) || n->type == NODE_NULL)
        return E_ARG;
    /* "8080" and "yes" in quotes are texts; only sizes, durations and words are written as texts in
     * JSON. */
    if (n->type == NODE_STRING && !n->plain &&
        (s->type == S_BOOL || (s->type == S_INT && !scalar_is_word(s, n))))
        return E_ARG;
    if (n->type == NODE_BOOL && s->type != S_BOOL && s->type != S_ENUM)
        return E_ARG;
    return scalar_text_i64(s, n->text, out);
}

bool scalar_is_word(const struct schema *s, const struct node *n)
{
    int64_t v;

    return s->type == S_INT && s->names && node_is_scalar(n) && word_of(s->names, n->text, &v) == 0;
}

int scalar_text_real(str text, double *out)
{
    char tmp[64], *end;

    if (text.n == 0 || text.n >= sizeof(tmp))
        return E_ARG;
    for (size_t i = 0; i < text.n; i++)
        if (!strchr("0123456789.eE+-", text.p[i]) || !text.p[i])
            return E_ARG;
    memcpy(tmp, text.p, text.n);
    tmp[text.n] = 0;
    errno = 0;
    *out = strtod(tmp, &end);
    return *end || errno == ERANGE || !isfinite(*out) ? E_ARG : 0;
}

int scalar_real(const struct node *n, double *out)
{
    if (n->type == NODE_NUMBER || (n->type == NODE_STRING && n->plain))
        return scalar_text_real(n->text, out);
    return E_ARG;
}

int64_t schema_i64(const struct schema *table, const struct node *map, const char *key)
{
    const struct schema *s = schema_find(table, str_z(key));
    const struct node *n = node_getz(map, key);
    int64_t v = 0;

    if (!s)
        BUG("key not in the table");
    if (n && scalar_i64(s, n, &v) == 0)
        return v;
    if (s->dflt && scalar_text_i64(s, str_z(s->dflt), &v) == 0)
        return v;
    return 0;
}

bool schema_bool(const struct schema *table, const struct node *map, const char *key)
{
    return schema_i64(table, map, key) != 0;
}

str schema_str(const struct schema *table, const struct node *map, const char *key)
{
    const struct schema *s = schema_find(table, str_z(key));
    const struct node *n = node_getz(map, key);

    if (!s)
        BUG("key not in the table");
    if (n && node_is_scalar(n) && n->type != NODE_NULL)
        return n->text;
    return s->dflt ? str_z(s->dflt) : STR("");
}

double schema_real(const struct schema *table, const struct node *map, const char *key)
{
    const struct schema *s = schema_find(table, str_z(key));
    const struct node *n = node_getz(map, key);
    double v = 0;

    if (!s)
        BUG("key not in the table");
    if (n && scalar_real(n, &v) == 0)
        return v;
    return s->dflt && scalar_text_real(str_z(s->dflt), &v) == 0 ? v : 0;
}
