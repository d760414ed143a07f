/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting messages about a conf, and printing them as text or JSON. */
#include "base/diag.h"

#include "base/text.h"

#define ITEMS_MAX    1000u
#define NAME_MAX_LEN 64u /* longest name that is compared for a suggestion */

void diag_init(struct diag *d)
{
    *d = (struct diag){.max = ITEMS_MAX};
    arena_init(&d->arena, NULL);
}

void diag_fini(struct diag *d)
{
    arena_fini(&d->arena);
    free(d->items);
    diag_init(d);
}

/* A new item at the end; NULL past the bound or without memory. */
static struct diag_item *item_new(struct diag *d)
{
    if (d->count >= d->max)
        return NULL;
    if (d->count == d->cap) {
        unsigned cap = d->cap ? d->cap * 2 : 16;
        struct diag_item *items = realloc(d->items, cap * sizeof *items);
        if (!items)
            return NULL;
        d->items = items;
        d->cap = cap;
    }
    return &d->items[d->count];
}

/* Messages come from one file for long stretches: its name is kept once. */
static bool copy_file(struct diag *d, struct diag_item *item, const char *file)
{
    const struct diag_item *last = d->count ? &d->items[d->count - 1] : NULL;
    item->file = str_z(file);
    if (last && str_eq(last->file, item->file))
        item->file = last->file;
    else if (item->file.n)
        item->file = arena_str(&d->arena, item->file);
    return item->file.p || !file;
}

static bool copy(struct diag *d, str *out, str in)
{
    *out = in.n ? arena_str(&d->arena, in) : STR_NONE;
    return out->p || in.n == 0;
}

/* The same thing said of the same place, by a check that passes there more than once. */
static bool said_already(const struct diag *d, enum diag_level level, struct diag_at at, str what)
{
    if (at.line == 0)
        return false;
    for (unsigned i = 0; i < d->count; i++) {
        const struct diag_item *it = &d->items[i];
        if (it->line == at.line && it->col == at.col && it->level == level &&
            str_eq(it->what, what) && str_eqz(it->file, at.file))
            return true;
    }
    return false;
}

void diag_add(struct diag *d, enum diag_level level, struct diag_at at, str where, str what,
              str expected, str suggest)
{
    if (said_already(d, level, at, what)) {
        d->repeated++;
        return;
    }
    if (level == DIAG_ERROR)
        d->errors++;
    if (level == DIAG_WARNING)
        d->warnings++;
    struct diag_item *item = item_new(d);
    if (item) {
        *item = (struct diag_item){
            .level = (uint8_t)level, .line = at.line, .col = at.col, .seq = d->count};
        if (copy_file(d, item, at.file) && copy(d, &item->where, where) &&
            copy(d, &item->what, what) && copy(d, &item->expected, expected) &&
            copy(d, &item->suggest, suggest)) {
            d->count++;
            return;
        }
    }
    d->dropped++;
}

static void add_printf(struct diag *d, enum diag_level level, struct diag_at at, const char *where,
                       const char *expected, const char *fmt, va_list ap)
{
    char small[512];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    str what = str_n(small, n < 0 ? 0 : (size_t)n);
    if (what.n >= sizeof small) {
        what = arena_vprintf(&d->arena, fmt, again);
        if (!what.p)
            what = str_n(small, sizeof small - 1);
    }
    diag_add(d, level, at, str_z(where), what, str_z(expected), STR_NONE);
    va_end(again);
}

void diag_error(struct diag *d, struct diag_at at, const char *where, const char *expected,
                const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_printf(d, DIAG_ERROR, at, where, expected, fmt, ap);
    va_end(ap);
}

void diag_warn(struct diag *d, struct diag_at at, const char *where, const char *expected,
               const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_printf(d, DIAG_WARNING, at, where, expected, fmt, ap);
    va_end(ap);
}

/* Sorting works on copies that carry the rank of their file. */
struct ranked {
    struct diag_item item;
    unsigned rank;
};

static int by_place(const void *va, const void *vb)
{
    const struct ranked *a = va, *b = vb;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->item.line != b->item.line)
        return a->item.line < b->item.line ? -1 : 1;
    if (a->item.col != b->item.col)
        return a->item.col < b->item.col ? -1 : 1;
    return a->item.seq < b->item.seq ? -1 : a->item.seq > b->item.seq;
}

static int by_arrival(const void *va, const void *vb)
{
    const struct ranked *a = va, *b = vb;
    return a->item.seq < b->item.seq ? -1 : a->item.seq > b->item.seq;
}

void diag_sort(struct diag *d)
{
    if (d->count < 2)
        return;
    struct ranked *v = malloc(d->count * sizeof *v);
    if (!v)
        return; /* the order of arrival stays */
    for (unsigned i = 0; i < d->count; i++)
        v[i] = (struct ranked){.item = d->items[i]};
    /* By arrival first: a second call must rank the files as the first one did. */
    qsort(v, d->count, sizeof *v, by_arrival);
    for (unsigned i = 0; i < d->count; i++) {
        v[i].rank = i;
        for (unsigned k = i; k-- > 0;) { /* the nearest earlier one: mostly the one before */
            if (!str_eq(v[k].item.file, v[i].item.file))
                continue;
            v[i].rank = v[k].rank;
            break;
        }
    }
    qsort(v, d->count, sizeof *v, by_place);
    for (unsigned i = 0; i < d->count; i++)
        d->items[i] = v[i].item;
    free(v);
}

static const char *level_name(unsigned level)
{
    static const char *const names[] = {"error", "warning", "note"};
    return level < ARRAY_LEN(names) ? names[level] : "error";
}

/* One message stays one line, and a terminal is not steered by what a file holds. */
static void add_visible(struct text *t, str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = str_utf8_len(s.p + i, s.n - i);
        bool control =
            c < 0x20 || c == 0x7f || (c == 0xc2 && len && (unsigned char)s.p[i + 1] < 0xa0);
        if (len && !control) {
            text_add(t, str_n(s.p + i, len));
            i += len;
            continue;
        }
        if (c == '\n')
            text_addz(t, "\\n");
        else if (c == '\r')
            text_addz(t, "\\r");
        else if (c == '\t')
            text_addz(t, "\\t");
        else
            text_printf(t, "\\x%02x", c);
        i++;
    }
}

static void add_line(struct text *t, const struct diag_item *item)
{
    if (item->file.n) {
        add_visible(t, item->file);
        text_chr(t, ':');
    }
    if (item->line)
        text_printf(t, "%s%u:%u:", item->file.n ? "" : "line ", item->line, item->col);
    if (t->n)
        text_chr(t, ' ');
    text_printf(t, "%s: ", level_name(item->level));
    if (item->where.n) {
        add_visible(t, item->where);
        text_addz(t, ": ");
    }
    add_visible(t, item->what);
    if (item->expected.n) {
        text_addz(t, ", expected ");
        add_visible(t, item->expected);
    }
    if (item->suggest.n) {
        text_addz(t, " (did you mean '");
        add_visible(t, item->suggest);
        text_addz(t, "'?)");
    }
}

static str finish(struct arena *a, struct text *t)
{
    str out = t->failed ? STR_NONE : arena_str(a, text_str(t));
    text_fini(t);
    return out;
}

str diag_line(struct arena *a, const struct diag_item *item)
{
    struct text t;
    text_init(&t);
    add_line(&t, item);
    return finish(a, &t);
}

str diag_text(struct diag *d)
{
    struct text all, line;
    text_init(&all);
    text_init(&line);
    for (unsigned i = 0; i < d->count; i++) {
        line.n = 0;
        add_line(&line, &d->items[i]);
        text_chr(&line, '\n');
        text_add(&all, text_str(&line));
    }
    if (d->dropped) {
        text_printf(&all, "note: %u further messages are not shown\n", d->dropped);
    }
    all.failed |= line.failed;
    text_fini(&line);
    return finish(&d->arena, &all);
}

static void add_json(struct text *t, const struct diag_item *item)
{
    json_open(t, '{');
    json_kv(t, "level", str_z(level_name(item->level)));
    if (item->file.n)
        json_kv(t, "file", item->file);
    if (item->line) {
        json_kvi(t, "line", item->line);
        json_kvi(t, "column", item->col);
    }
    if (item->where.n)
        json_kv(t, "where", item->where);
    json_kv(t, "message", item->what);
    if (item->expected.n)
        json_kv(t, "expected", item->expected);
    if (item->suggest.n)
        json_kv(t, "suggestion", item->suggest);
    json_close(t, '}');
}

str diag_json(struct diag *d)
{
    struct text t;
    text_init(&t);
    json_open(&t, '[');
    for (unsigned i = 0; i < d->count; i++)
        add_json(&t, &d->items[i]);
    if (d->dropped) {
        char what[64];
        snprintf(what, sizeof what, "%u further messages are not shown", d->dropped);
        add_json(&t, &(struct diag_item){.level = DIAG_NOTE, .what = str_z(what)});
    }
    json_close(&t, ']');
    return finish(&d->arena, &t);
}

static str lower(char *out, str s)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = chr_lower(s.p[i]);
    return str_n(out, s.n);
}

const char *diag_nearest(str got, const char *const *names, unsigned count)
{
    char a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    for (unsigned i = 0; i < count; i++) {
        if (str_ieq(got, str_z(names[i])))
            return names[i];
    }
    if (got.n == 0 || got.n > sizeof a)
        return NULL;
    got = lower(a, got);
    const char *best = NULL;
    unsigned least = 1 + (unsigned)got.n / 4;
    for (unsigned i = 0; i < count; i++) {
        str name = str_z(names[i]);
        if (name.n > sizeof b)
            continue;
        unsigned far = str_distance(got, lower(b, name), least);
        if (far > least || (best && far == least))
            continue;
        best = names[i];
        least = far;
    }
    return best;
}
