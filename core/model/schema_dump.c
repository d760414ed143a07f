/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema (draft 2020-12) of option tables, for editors. */
#include "model/scalar.h"

static void dump_table(const struct schema *table, struct text *t);
static void dump_value(const struct schema *s, struct text *t);

/* Whatever the type, an editor must accept a value that ${env:} or ${file:} will fill. */
static void dump_substitution(struct text *t)
{
    json_open(t, '{');
    json_kv(t, "type", STR("string"));
    json_kv(t, "pattern", STR("\\$\\{(env|file):"));
    json_close(t, '}');
}

static void dump_bounds(const struct schema *s, struct text *t)
{
    if (!s->min && !s->max)
        return;
    json_kvi(t, "minimum", s->min);
    json_kvi(t, "maximum", s->max);
}

static void dump_words(const char *const *names, struct text *t)
{
    json_key(t, "enum");
    json_open(t, '[');
    for (unsigned i = 0; names[i]; i++)
        json_strz(t, names[i]);
    json_close(t, ']');
}

static void dump_pattern(struct text *t, const char *pattern)
{
    json_open(t, '{');
    json_kv(t, "type", STR("string"));
    json_kv(t, "pattern", str_z(pattern));
    json_close(t, '}');
}

static void dump_number(const struct schema *s, struct text *t)
{
    json_key(t, "anyOf");
    json_open(t, '[');
    if (s->type != S_DURATION) {
        json_open(t, '{');
        json_kv(t, "type", s->type == S_REAL ? STR("number") : STR("integer"));
        dump_bounds(s, t);
        json_close(t, '}');
    }
    if (s->type == S_SIZE)
        dump_pattern(t, "^[0-9]+(B|[KMGkmg](i?[Bb])?)?$");
    if (s->type == S_DURATION) {
        dump_pattern(t, "^([0-9]+(ms|s|m|h|d)|0)$");
        json_open(t, '{');
        json_kvi(t, "const", 0);
        json_close(t, '}');
    }
    if (s->type == S_INT && s->names) {
        json_open(t, '{');
        dump_words(s->names, t);
        json_close(t, '}');
    }
    dump_substitution(t);
    json_close(t, ']');
}

static void dump_list(const struct schema *s, struct text *t)
{
    if (s->flags & S_OR_SCALAR) {
        json_key(t, "anyOf");
        json_open(t, '[');
        json_open(t, '{');
        dump_value(s->item, t);
        json_close(t, '}');
        json_open(t, '{');
    }
    json_kv(t, "type", STR("array"));
    if (s->item) {
        json_key(t, "items");
        json_open(t, '{');
        dump_value(s->item, t);
        json_close(t, '}');
    }
    if (s->min)
        json_kvi(t, "minItems", s->min);
    if (s->max)
        json_kvi(t, "maxItems", s->max);
    if (s->flags & S_OR_SCALAR) {
        json_close(t, '}');
        json_close(t, ']');
    }
}

/* A name alone, the long form, or `name: options`. */
static void dump_forms(const struct schema *s, struct text *t)
{
    json_key(t, "anyOf");
    json_open(t, '[');
    json_open(t, '{');
    json_kv(t, "type", STR("string"));
    json_close(t, '}');
    json_open(t, '{');
    dump_table(s->sub, t);
    json_close(t, '}');
    if (s->flags & S_SHORT_MAP) {
        json_open(t, '{');
        json_kv(t, "type", STR("object"));
        json_kvi(t, "minProperties", 1);
        json_kvi(t, "maxProperties", 1);
        json_close(t, '}');
    }
    json_close(t, ']');
}

static void dump_enum(const struct schema *s, struct text *t)
{
    json_key(t, "anyOf");
    json_open(t, '[');
    json_open(t, '{');
    dump_words(s->names, t);
    json_close(t, '}');
    dump_substitution(t);
    json_close(t, ']');
}

static void dump_bool(struct text *t)
{
    json_key(t, "anyOf");
    json_open(t, '[');
    json_open(t, '{');
    json_kv(t, "type", STR("boolean"));
    json_close(t, '}');
    dump_substitution(t);
    json_close(t, ']');
}

static void dump_text(const struct schema *s, struct text *t)
{
    json_kv(t, "type", STR("string"));
    if (s->min)
        json_kvi(t, "minLength", s->min);
}

static void dump_dict(const struct schema *s, struct text *t)
{
    json_kv(t, "type", STR("object"));
    if (!s->item)
        return;
    json_key(t, "additionalProperties");
    json_open(t, '{');
    dump_value(s->item, t);
    json_close(t, '}');
}

static void dump_value(const struct schema *s, struct text *t)
{
    if (s->doc)
        json_kv(t, "description", str_z(s->doc));
    if (s->dflt)
        json_kv(t, "x-default", str_z(s->dflt));
    switch (s->type) {
    case S_BOOL:
        dump_bool(t);
        break;
    case S_INT:
    case S_SIZE:
    case S_DURATION:
    case S_REAL:
        dump_number(s, t);
        break;
    case S_ENUM:
        dump_enum(s, t);
        break;
    case S_LIST:
        dump_list(s, t);
        break;
    case S_MAP:
        dump_table(s->sub, t);
        break;
    case S_DICT:
        dump_dict(s, t);
        break;
    case S_ANY:
        if (s->sub)
            dump_forms(s, t);
        break;
    default:
        dump_text(s, t);
    }
}

static void dump_table(const struct schema *table, struct text *t)
{
    bool required = false;

    json_kv(t, "type", STR("object"));
    json_key(t, "additionalProperties");
    json_bool(t, false);
    json_key(t, "properties");
    json_open(t, '{');
    for (const struct schema *s = table; s->key; s++) {
        if (s->flags & S_LATER)
            continue;
        required |= s->flags & S_REQUIRED;
        json_key(t, s->key);
        json_open(t, '{');
        dump_value(s, t);
        json_close(t, '}');
    }
    json_close(t, '}');
    if (!required)
        return;
    json_key(t, "required");
    json_open(t, '[');
    for (const struct schema *s = table; s->key; s++)
        if (s->flags & S_REQUIRED)
            json_strz(t, s->key);
    json_close(t, ']');
}

void schema_dump(const struct schema *table, const char *title, struct text *out)
{
    json_open(out, '{');
    json_kv(out, "$schema", STR("https://json-schema.org/draft/2020-12/schema"));
    json_kv(out, "title", str_z(title));
    dump_table(table, out);
    json_close(out, '}');
}
