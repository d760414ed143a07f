/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin says of itself, for `sallyport plugins NAME`: as text for people, or as JSON with a
 * JSON Schema of its options. */
#include "model/schema.h"
#include "pipeline/metric.h"
#include "pipeline/mod_int.h"

static const char *or_empty(const char *z)
{
    return z ? z : "";
}

static const char *type_word(const struct sp_option *o)
{
    static const char *const words[] = {[SP_OPT_STRING] = "string",
                                        [SP_OPT_BOOL] = "true or false",
                                        [SP_OPT_INT] = "integer",
                                        [SP_OPT_SIZE] = "size, 64KB",
                                        [SP_OPT_DURATION] = "duration, 250ms",
                                        [SP_OPT_ENUM] = "one of ",
                                        [SP_OPT_LIST] = "list of ",
                                        [SP_OPT_MAP] = "map",
                                        [SP_OPT_DICT] = "map of any key to ",
                                        [SP_OPT_ANY] = "any value",
                                        [SP_OPT_REAL] = "number",
                                        [SP_OPT_FILE] = "path of a file"};
    return words[o->type];
}

static void type_text(const struct sp_option *o, struct text *t)
{
    text_addz(t, type_word(o));
    for (unsigned i = 0; o->type == SP_OPT_ENUM && o->names[i]; i++)
        text_printf(t, "%s%s", i ? ", " : "", o->names[i]);
    if ((o->type == SP_OPT_LIST || o->type == SP_OPT_DICT) && o->sub)
        type_text(&o->sub[0], t);
    bool parent = o->type == SP_OPT_LIST || o->type == SP_OPT_STRING;
    if (o->min || o->max)
        text_printf(t, parent ? ", %lld to %lld of them" : ", %lld to %lld", (long long)o->min,
                    (long long)o->max);
}

/* The table of keys behind an option, if it has one: its own, or that of its elements. */
static const struct sp_option *table_of(const struct sp_option *o)
{
    while ((o->type == SP_OPT_LIST || o->type == SP_OPT_DICT) && o->sub)
        o = &o->sub[0];
    return o->type == SP_OPT_MAP ? o->sub : NULL;
}

static void options_text(const struct sp_option *o, unsigned depth, struct text *t)
{
    for (; o->key; o++) {
        text_printf(t, "%*s%s: ", (int)(2 + depth * 2), "", o->key);
        type_text(o, t);
        if (o->flags & SP_OPT_REQUIRED)
            text_addz(t, "; required");
        if (o->dflt)
            text_printf(t, "; default %s", o->flags & SP_OPT_SECRET ? "not shown" : o->dflt);
        if (o->doc && o->doc[0])
            text_printf(t, "\n%*s%s", (int)(6 + depth * 2), "", o->doc);
        text_chr(t, '\n');
        const struct sp_option *sub = table_of(o);
        if (sub)
            options_text(sub, depth + 1, t);
    }
}

static void describe_text(const struct sp_module *m, const char *prefix, struct text *t)
{
    const struct sp_plugin *d = &m->desc;
    char sum[65];
    module_sha256(m, sum);
    text_printf(t, "%s %s%s%s\n", d->name, d->version, d->summary ? ": " : "",
                or_empty(d->summary));
    text_printf(t, "file: %s%s\nsha256: %s\nabi: %u.%u\n", m->path,
                module_stale(m) ? " (changed on disk: an upgrade loads the new one)" : "",
                sum, d->abi_major, d->abi_minor);
    if (d->flags & SP_PLUGIN_GUARD)
        text_addz(t, "guard: yes (on_error: allow and on_crash: skip are refused)\n");
    text_addz(t, "hooks:");
    for (unsigned i = 0; i < d->nhooks; i++)
        text_printf(t, " %s", mod_point_name(m->hooks[i].point));
    text_addz(t, d->nhooks ? "\n" : " none\n");
    for (unsigned i = 0; d->provides && d->provides[i]; i++)
        text_printf(t, "%s%s%s", i ? " " : "provides: ", d->provides[i],
                    d->provides[i + 1] ? "" : "\n");
    text_addz(t, d->noptions ? "options:\n" : "options: none\n");
    options_text(m->options, 0, t);
    for (unsigned i = 0, n = 0; i < m->registry->command_count; i++) {
        const struct module_command *c = &m->registry->commands[i];
        if (c->module == m)
            text_printf(t, "%s  %s %s\n", n++ ? "" : "commands:\n", c->name, c->usage);
    }
    struct text metrics;
    text_init(&metrics);
    if (m->registry->metrics)
        metrics_describe(m->registry->metrics, prefix, &metrics, false);
    if (metrics.n) {
        text_addz(t, "metrics:\n");
        text_add(t, text_str(&metrics));
    }
    text_fini(&metrics);
}

static void commands_json(const struct sp_module *m, struct text *t)
{
    json_key(t, "commands");
    json_open(t, '[');
    for (unsigned i = 0; i < m->registry->command_count; i++) {
        const struct module_command *c = &m->registry->commands[i];
        if (c->module != m)
            continue;
        json_open(t, '{');
        json_kv(t, "name", str_z(c->name));
        json_kv(t, "usage", str_z(c->usage));
        json_close(t, '}');
    }
    json_close(t, ']');
}

static void options_json(const struct sp_module *m, struct text *t)
{
    struct text schema;
    text_init(&schema);
    schema_dump(m->schema, m->desc.name, &schema);
    json_key(t, "options");
    if (schema.failed || !schema.n)
        json_null(t);
    else
        json_raw(t, text_str(&schema));
    text_fini(&schema);
}

static void describe_json(const struct sp_module *m, const char *prefix, struct text *t)
{
    const struct sp_plugin *d = &m->desc;
    char abi[32], sum[65];
    module_sha256(m, sum);
    snprintf(abi, sizeof abi, "%u.%u", d->abi_major, d->abi_minor);
    json_open(t, '{');
    json_kv(t, "name", str_z(d->name));
    json_kv(t, "version", str_z(d->version));
    json_kv(t, "summary", str_z(or_empty(d->summary)));
    json_kv(t, "file", str_z(m->path));
    json_kv(t, "sha256", str_z(sum));
    json_kv(t, "abi", str_z(abi));
    json_key(t, "stale");
    json_bool(t, module_stale(m));
    json_key(t, "guard");
    json_bool(t, d->flags & SP_PLUGIN_GUARD);
    json_key(t, "hooks");
    json_open(t, '[');
    for (unsigned i = 0; i < d->nhooks; i++)
        json_strz(t, mod_point_name(m->hooks[i].point));
    json_close(t, ']');
    json_key(t, "provides");
    json_open(t, '[');
    for (unsigned i = 0; d->provides && d->provides[i]; i++)
        json_strz(t, d->provides[i]);
    json_close(t, ']');
    options_json(m, t);
    commands_json(m, t);
    json_key(t, "metrics");
    if (m->registry->metrics) {
        metrics_describe(m->registry->metrics, prefix, t, true);
    } else {
        json_open(t, '[');
        json_close(t, ']');
    }
    json_close(t, '}');
}

void module_describe(const struct sp_module *m, struct text *t, bool json)
{
    struct arena a;
    arena_init(&a, NULL);
    const char *prefix = mod_metric_prefix(&a, m);
    if (!prefix)
        t->failed = true;
    else if (json)
        describe_json(m, prefix, t);
    else
        describe_text(m, prefix, t);
    arena_fini(&a);
}
