/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin's option tables: copied by their stride, judged, and turned into the tables of the
 * schema room, so that a plugin's options are checked and described as the core's own are. */
#include "model/scalar.h"
#include "pipeline/mod_int.h"

#define TABLE_MAX 256u /* entries of one table: one that is not ended must not be walked for ever  \
                        */
#define NAMES_MAX 256u

static const char advice[] = "correct the plugin's option table (sallyport/plugin.h)";

struct walk {
    struct sp_module *m;
    struct module_report *r;
    unsigned total, depth;
};

static const uint8_t schema_types[] = {
    [SP_OPT_STRING] = S_STRING, [SP_OPT_BOOL] = S_BOOL,         [SP_OPT_INT] = S_INT,
    [SP_OPT_SIZE] = S_SIZE,     [SP_OPT_DURATION] = S_DURATION, [SP_OPT_ENUM] = S_ENUM,
    [SP_OPT_LIST] = S_LIST,     [SP_OPT_MAP] = S_MAP,           [SP_OPT_DICT] = S_DICT,
    [SP_OPT_ANY] = S_ANY,       [SP_OPT_REAL] = S_REAL,         [SP_OPT_FILE] = S_FILE};

static int oom(struct walk *w)
{
    mod_refuse(w->r, NULL, "out of memory");
    return E_NOMEM;
}

/* The schema room bounds integers; numbers with a fraction are bounded here. */
static void check_real_bounds(const struct schema *s, const struct node *n, struct node_tree *t,
                              struct diag *d)
{
    double v;
    if (scalar_real(n, &v) || (v >= (double)s->min && v <= (double)s->max))
        return;
    str expected =
        arena_printf(&d->arena, "a number from %lld to %lld", (long long)s->min, (long long)s->max);
    bool hide = s->flags & S_SECRET;
    node_error(d, t, n, expected.p, "%.*s is out of range", hide ? 9 : (int)str_take(n->text, 80).n,
               hide ? "the value" : n->text.p);
}

static bool key_ok(const char *key)
{
    size_t n = strnlen(key, 65);
    if (n == 0 || n > 64)
        return false;
    for (size_t i = 0; i < n; i++)
        if (key[i] <= 0x20 || key[i] > 0x7e || strchr("\"'\\{}[],", key[i]))
            return false;
    return true;
}

static int check_names(struct walk *w, const struct sp_option *o, const char *place)
{
    if (!o->names || !o->names[0])
        return mod_refuse(w->r, advice, "has a malformed option '%s': ENUM without names", place);
    for (unsigned i = 0; o->names[i]; i++)
        if (i >= NAMES_MAX)
            return mod_refuse(
                w->r, advice,
                "has a malformed option '%s': more than %u names, or no NULL behind them", place,
                NAMES_MAX);
    return 0;
}

static int check_default(struct walk *w, const struct sp_option *o, const struct schema *s,
                         const char *place)
{
    int64_t v = 0;
    double real = 0;
    int rc;
    switch (o->type) {
    case SP_OPT_STRING:
    case SP_OPT_FILE:
        return 0;
    case SP_OPT_LIST:
    case SP_OPT_MAP:
    case SP_OPT_DICT:
    case SP_OPT_ANY:
        return mod_refuse(w->r, advice, "has a malformed option '%s': only scalars have a default",
                          place);
    case SP_OPT_REAL:
        rc = scalar_text_real(str_z(o->dflt), &real);
        v = (int64_t)real;
        break;
    default:
        rc = scalar_text_i64(s, str_z(o->dflt), &v);
    }
    bool bounded = o->type != SP_OPT_ENUM && o->type != SP_OPT_BOOL && (o->min || o->max);
    if (rc || (bounded && (v < o->min || v > o->max)))
        return mod_refuse(w->r, advice,
                          "has a malformed option '%s': its default '%.60s' is not a value of its "
                          "type and bounds",
                          place, o->dflt);
    return 0;
}

static int check_option(struct walk *w, const struct sp_option *o, const char *place)
{
    if (o->type < SP_OPT_STRING || o->type > SP_OPT_FILE)
        return mod_refuse(w->r, advice, "has a malformed option '%s': unknown type %u", place,
                          o->type);
    if (o->min > o->max)
        return mod_refuse(w->r, advice, "has a malformed option '%s': min %lld is above max %lld",
                          place, (long long)o->min, (long long)o->max);
    bool parent = o->type == SP_OPT_LIST || o->type == SP_OPT_DICT || o->type == SP_OPT_MAP;
    if (parent && !o->sub)
        return mod_refuse(w->r, advice, "has a malformed option '%s': LIST, MAP and DICT need sub",
                          place);
    return o->type == SP_OPT_ENUM ? check_names(w, o, place) : 0;
}

static int copy_table(struct walk *w, const struct sp_option *from, unsigned max, bool element,
                      const char *place, struct sp_option **options, struct schema **table);

static int copy_sub(struct walk *w, struct sp_option *o, struct schema *s, const char *place)
{
    struct sp_option *sub = NULL;
    struct schema *table = NULL;
    bool element = o->type != SP_OPT_MAP;
    if (o->type != SP_OPT_LIST && o->type != SP_OPT_DICT && o->type != SP_OPT_MAP) {
        o->sub = NULL;
        return 0;
    }
    if (++w->depth > MOD_OPTIONS_DEPTH)
        return mod_refuse(w->r, advice, "has a malformed option '%s': nested more than %u deep",
                          place, MOD_OPTIONS_DEPTH);
    int rc = copy_table(w, o->sub, element ? 1 : TABLE_MAX, element, place, &sub, &table);
    w->depth--;
    if (rc)
        return rc;
    o->sub = sub;
    if (element)
        s->item = table;
    else
        s->sub = table;
    return 0;
}

static int copy_option(struct walk *w, struct sp_option *o, struct schema *s, const char *place)
{
    int rc = check_option(w, o, place);
    if (rc)
        return rc;
    *s = (struct schema){.key = o->key,
                         .type = schema_types[o->type],
                         .dflt = o->dflt,
                         .flags = (uint8_t)(o->flags & (S_REQUIRED | S_SECRET | S_OR_SCALAR)),
                         .min = o->min,
                         .max = o->max,
                         .doc = o->doc ? o->doc : ""};
    if (o->type == SP_OPT_ENUM)
        s->names = o->names;
    if (o->type == SP_OPT_REAL && (o->min || o->max))
        s->check = check_real_bounds;
    if (o->dflt)
        rc = check_default(w, o, s, place);
    return rc ? rc : copy_sub(w, o, s, place);
}

/* Entries up to key NULL, at most max. -1: refused. */
static int count_table(struct walk *w, const struct sp_option *from, unsigned max, bool element,
                       const char *place)
{
    unsigned stride = w->m->desc.option_stride;
    unsigned n = 0;
    if (element)
        return 1;
    for (;; n++) {
        struct sp_option o;
        if (n >= max)
            break;
        memcpy(&o, (const char *)from + (size_t)n * stride, sizeof o);
        if (!o.key)
            break;
    }
    /* The outermost table has a count, the others must be ended. */
    if (n >= TABLE_MAX) {
        mod_refuse(w->r, advice,
                   "has a malformed option table%s%s: %u entries, or no key NULL behind them",
                   place[0] ? " in " : "", place, TABLE_MAX);
        return -1;
    }
    return (int)n;
}

static int copy_entry(struct walk *w, struct sp_option *options, struct schema *table, unsigned i,
                      bool element, const char *place)
{
    struct sp_option *o = &options[i];
    if (element)
        o->key = "";
    else if (!key_ok(o->key))
        return mod_refuse(w->r, advice, "has a malformed option key in '%s' (number %u)", place, i);
    for (unsigned k = 0; k < i; k++)
        if (strcmp(options[k].key, o->key) == 0)
            return mod_refuse(w->r, advice, "has the option '%s%s%s' twice", place,
                              place[0] ? "." : "", o->key);
    str name = element ? arena_printf(&w->m->arena, "%s[]", place)
                       : arena_printf(&w->m->arena, "%s%s%s", place, place[0] ? "." : "", o->key);
    if (!name.p)
        return oom(w);
    if (++w->total > MOD_OPTIONS_MAX)
        return mod_refuse(w->r, advice, "has more than %u options", MOD_OPTIONS_MAX);
    return copy_option(w, o, &table[i], name.p);
}

static int copy_table(struct walk *w, const struct sp_option *from, unsigned max, bool element,
                      const char *place, struct sp_option **options, struct schema **table)
{
    unsigned stride = w->m->desc.option_stride;
    int n = count_table(w, from, max, element, place);
    if (n < 0)
        return E_CONF;
    struct sp_option *o = arena_zalloc(&w->m->arena, ((size_t)n + 1) * sizeof *o);
    struct schema *s = arena_zalloc(&w->m->arena, ((size_t)n + 1) * sizeof *s);
    if (!o || !s)
        return oom(w);
    for (int i = 0; i < n; i++)
        memcpy(&o[i], (const char *)from + (size_t)i * stride, sizeof *o);
    for (int i = 0; i < n; i++) {
        int rc = copy_entry(w, o, s, (unsigned)i, element, place);
        if (rc)
            return rc;
    }
    *options = o;
    *table = s;
    return 0;
}

int mod_check_options(struct sp_module *m, struct module_report *r)
{
    struct sp_plugin *d = &m->desc;
    struct walk w = {.m = m, .r = r};
    static const struct sp_option none = {0};
    if (!d->options && d->noptions)
        return mod_refuse(r, advice, "says it has %u options, but has no table of them",
                          d->noptions);
    bool any = d->options != NULL;
    if (any && (d->option_stride < sizeof(struct sp_option) || d->option_stride > 4096 ||
                d->option_stride % 8))
        return mod_refuse(r, "set .option_stride = sizeof(struct sp_option)",
                          "has an option stride of %u bytes; an option has %zu", d->option_stride,
                          sizeof(struct sp_option));
    if (!any)
        d->option_stride = sizeof none;
    /* noptions may count the ending entry or not, and may be left to it. */
    unsigned max = d->noptions ? d->noptions : TABLE_MAX;
    int rc =
        copy_table(&w, any ? d->options : &none, any ? max : 0, false, "", &m->options, &m->schema);
    if (rc)
        return rc;
    d->options = m->options;
    d->option_stride = sizeof(struct sp_option);
    d->noptions = 0;
    while (m->options[d->noptions].key)
        d->noptions++;
    return 0;
}
