/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, reading and showing answers. */
#include "process/answer.h"

#include <time.h>

#define KEY_WIDTH 18

static void item_json(struct text *t, const struct diag_item *i)
{
    static const char *const level[] = {"error", "warning", "note"};
    json_open(t, '{');
    json_key(t, "level");
    json_strz(t, level[i->level > DIAG_NOTE ? DIAG_NOTE : i->level]);
    if (i->file.n)
        json_kv(t, "file", i->file);
    if (i->line) {
        json_kvi(t, "line", i->line);
        json_kvi(t, "column", i->col);
    }
    if (i->where.n)
        json_kv(t, "where", i->where);
    json_kv(t, "message", i->what);
    if (i->expected.n)
        json_kv(t, "expected", i->expected);
    if (i->suggest.n)
        json_kv(t, "suggestion", i->suggest);
    json_close(t, '}');
}

static void items(struct text *t, const char *key, const struct diag *d, unsigned levels)
{
    json_key(t, key);
    json_open(t, '[');
    for (unsigned i = 0; d && i < d->count; i++)
        if (levels & (1u << d->items[i].level))
            item_json(t, &d->items[i]);
    json_close(t, ']');
}

void answer_items(struct text *t, const char *key, const struct diag *d, enum diag_level level)
{
    items(t, key, d, 1u << level);
}

void answer_fail(struct text *t, const struct diag *d, const char *fmt, ...)
{
    char message[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    json_open(t, '{');
    json_key(t, "ok");
    json_bool(t, false);
    json_key(t, "message");
    json_strz(t, message);
    items(t, "errors", d, 1u << DIAG_ERROR | 1u << DIAG_NOTE);
    if (d && d->warnings)
        answer_warnings(t, d);
    if (d && d->dropped)
        json_kvi(t, "dropped", d->dropped);
    json_close(t, '}');
}

void answer_open(struct text *t)
{
    json_open(t, '{');
    json_key(t, "ok");
    json_bool(t, true);
}

void answer_warnings(struct text *t, const struct diag *d)
{
    items(t, "warnings", d, 1u << DIAG_WARNING);
}

void answer_time(struct text *t, const char *key, uint64_t wall_ms)
{
    char out[32];
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    json_key(t, key);
    if (!wall_ms || !gmtime_r(&s, &tm)) {
        json_null(t);
        return;
    }
    size_t n = strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_str(t, str_n(out, n));
}

int answer_read(struct answer *a, str json)
{
    struct node_limits limits = NODE_LIMITS_DEFAULT;
    struct diag d;
    *a = (struct answer){.tree = node_tree_new()};
    if (!a->tree)
        return E_NOMEM;
    diag_init(&d);
    a->root = node_read_json(a->tree, &d, "answer", json, &limits);
    diag_fini(&d);
    if (!a->root || !node_getz(a->root, "ok")) {
        answer_fini(a);
        return E_PROTO;
    }
    a->ok = answer_bool(a->root, "ok");
    a->message = answer_str(a->root, "message");
    return 0;
}

void answer_fini(struct answer *a)
{
    node_tree_free(a->tree);
    *a = (struct answer){.tree = NULL};
}

str answer_str(const struct node *map, const char *key)
{
    const struct node *n = node_getz(map, key);
    return n && n->type == NODE_STRING ? n->text : STR_NONE;
}

int64_t answer_int(const struct node *map, const char *key, int64_t otherwise)
{
    const struct node *n = node_getz(map, key);
    int64_t v;
    return n && n->type == NODE_NUMBER && str_i64(n->text, &v) == 0 ? v : otherwise;
}

bool answer_bool(const struct node *map, const char *key)
{
    const struct node *n = node_getz(map, key);
    return n && n->type == NODE_BOOL && str_eqz(n->text, "true");
}

static void read_item(const struct node *n, struct diag *d)
{
    char file[512];
    str level = answer_str(n, "level"), name = answer_str(n, "file");
    struct diag_at at = {.line = (unsigned)answer_int(n, "line", 0),
                         .col = (unsigned)answer_int(n, "column", 0)};
    snprintf(file, sizeof file, "%.*s", STR_ARG(name));
    at.file = name.n ? file : NULL;
    diag_add(d,
             str_eqz(level, "warning") ? DIAG_WARNING
             : str_eqz(level, "note")  ? DIAG_NOTE
                                       : DIAG_ERROR,
             at, answer_str(n, "where"), answer_str(n, "message"), answer_str(n, "expected"),
             answer_str(n, "suggestion"));
}

void answer_diags(const struct answer *a, struct diag *d)
{
    static const char *const keys[] = {"errors", "warnings"};
    for (unsigned k = 0; k < ARRAY_LEN(keys); k++) {
        const struct node *list = node_getz(a->root, keys[k]);
        for (unsigned i = 0; list && list->type == NODE_LIST && i < list->count; i++)
            read_item(list->items[i], d);
    }
    d->dropped += (unsigned)answer_int(a->root, "dropped", 0);
}

static void print(FILE *to, str s)
{
    (void)fwrite(s.p, 1, s.n, to);
}

int answer_show(str text, bool json)
{
    struct answer a;
    struct diag d;
    if (answer_read(&a, text) != 0) {
        fprintf(stderr, "sallyport: the answer is malformed\n");
        return 1;
    }
    if (json) {
        print(stdout, text);
        putchar('\n');
    } else {
        diag_init(&d);
        answer_diags(&a, &d);
        print(stderr, diag_text(&d));
        diag_fini(&d);
        if (a.message.n)
            fprintf(a.ok ? stdout : stderr, "%s%.*s\n",
                    a.ok ? "" : "sallyport: ", STR_ARG(a.message));
    }
    int code = a.ok ? 0 : 1;
    answer_fini(&a);
    return code;
}

int answer_show_fail(bool json, const struct diag *d, const char *fmt, ...)
{
    char message[1024];
    struct text t;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    text_init(&t);
    answer_fail(&t, d, "%s", message);
    if (t.failed)
        fprintf(stderr, "sallyport: out of memory\n");
    else
        (void)answer_show(text_str(&t), json);
    text_fini(&t);
    return 1;
}

void answer_show_warnings(bool json, struct diag *d)
{
    if (!json && d->count)
        print(stderr, diag_text(d));
}

static bool is_short(const struct node *n)
{
    if (node_is_scalar(n))
        return true;
    for (unsigned i = 0; n->type == NODE_LIST && i < n->count; i++)
        if (!node_is_scalar(n->items[i]))
            return false;
    return n->type == NODE_LIST || n->count == 0;
}

static void pretty_value(struct text *t, const struct node *n)
{
    if (node_is_scalar(n)) {
        if (n->type == NODE_NULL)
            text_addz(t, "-");
        else
            text_add(t, n->text);
        return;
    }
    if (n->count == 0)
        text_addz(t, "none");
    for (unsigned i = 0; i < n->count; i++) {
        if (i)
            text_addz(t, ", ");
        pretty_value(t, n->items[i]);
    }
}

void answer_pretty(struct text *t, const struct node *n, unsigned indent)
{
    for (unsigned i = 0; i < n->count; i++) {
        const struct node *v = n->items[i];
        text_printf(t, "%*s", (int)indent, "");
        if (n->type == NODE_MAP) {
            size_t pad = n->keys[i]->text.n < KEY_WIDTH ? KEY_WIDTH - n->keys[i]->text.n : 1;
            text_add(t, n->keys[i]->text);
            if (is_short(v))
                text_printf(t, "%*s", (int)pad, "");
        } else {
            text_chr(t, '-');
            if (is_short(v))
                text_chr(t, ' ');
        }
        if (is_short(v))
            pretty_value(t, v);
        text_chr(t, '\n');
        if (!is_short(v))
            answer_pretty(t, v, indent + 2);
    }
}
