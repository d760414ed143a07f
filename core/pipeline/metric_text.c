/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as Prometheus text (exposition format 0.0.4), and as a list for people.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
#include <math.h>

#include "pipeline/metric_int.h"

/* Escaped; bytes that are not UTF-8 become U+FFFD. */
static void add_escaped(struct text *t, str s, bool quote)
{
    size_t from = 0, i = 0;
    while (i < s.n) {
        const char *with = NULL;
        size_t n = str_utf8_len(s.p + i, s.n - i);
        if (n == 0)
            with = "\xef\xbf\xbd";
        else if (s.p[i] == '\\')
            with = "\\\\";
        else if (s.p[i] == '\n')
            with = "\\n";
        else if (s.p[i] == '"' && quote)
            with = "\\\"";
        if (with) {
            text_add(t, str_n(s.p + from, i - from));
            text_addz(t, with);
            from = i + 1;
        }
        i += n ? n : 1;
    }
    if (s.n > from)
        text_add(t, str_n(s.p + from, s.n - from));
}

void metric_label(struct text *t, const char *name, str value)
{
    if (t->n && t->p[t->n - 1] == '"')
        text_chr(t, ',');
    text_addz(t, name);
    text_addz(t, "=\"");
    add_escaped(t, value, true);
    text_chr(t, '"');
}

static void add_number(struct text *t, double v)
{
    if (isnan(v) || isinf(v)) {
        text_addz(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        text_printf(t, "%.0f", v == 0 ? 0.0 : v);
        return;
    }
    /* The shortest of the two that reads back as the same number. */
    char tmp[40];
    snprintf(tmp, sizeof tmp, "%.15g", v);
    if (strtod(tmp, NULL) != v)
        snprintf(tmp, sizeof tmp, "%.17g", v);
    text_addz(t, tmp);
}

void metric_head(struct text *t, const char *name, const char *type, const char *help)
{
    text_printf(t, "# HELP %s ", name);
    add_escaped(t, str_z(help), false);
    text_printf(t, "\n# TYPE %s %s\n", name, type);
}

static void sample(struct text *t, const char *name, const char *suffix, const char *labels,
                   const char *le, double value)
{
    text_addz(t, name);
    text_addz(t, suffix);
    if (labels[0] || le) {
        text_chr(t, '{');
        text_addz(t, labels);
        if (le) {
            text_addz(t, labels[0] ? ",le=\"" : "le=\"");
            text_addz(t, le);
            text_chr(t, '"');
        }
        text_chr(t, '}');
    }
    text_chr(t, ' ');
    add_number(t, value);
    text_chr(t, '\n');
}

void metric_sample(struct text *t, const char *name, double value, const char *const *labels)
{
    text_addz(t, name);
    bool any = labels && labels[0];
    if (any)
        text_chr(t, '{');
    for (unsigned i = 0; any && labels[i] && labels[i + 1]; i += 2)
        metric_label(t, labels[i], str_z(labels[i + 1]));
    if (any)
        text_chr(t, '}');
    text_chr(t, ' ');
    add_number(t, value);
    text_chr(t, '\n');
}

static void write_histogram(const struct metrics *m, const struct metric_series *s, struct text *t)
{
    const struct metric *d = s->metric;
    double count = 0;
    for (unsigned i = 0; i <= d->nbuckets; i++) {
        struct text le;
        text_init(&le);
        add_number(&le, i < d->nbuckets ? d->buckets[i] : INFINITY);
        count += metric_cell(m, s->cell + i);
        if (le.failed)
            t->failed = true;
        else
            sample(t, d->name, "_bucket", s->labels, le.p, count);
        text_fini(&le);
    }
    sample(t, d->name, "_sum", s->labels, NULL, metric_cell(m, s->cell + d->nbuckets + 1));
    sample(t, d->name, "_count", s->labels, NULL, count);
}

static const char *const kinds[] = {"untyped", "counter", "gauge", "histogram"};

static void write_metric(const struct metrics *m, const struct metric *d, struct text *t)
{
    bool head = false;
    const struct metric_series *s = atomic_load_explicit(&d->first, memory_order_acquire);
    for (; s; s = atomic_load_explicit(&s->next, memory_order_acquire)) {
        if (s->other && !atomic_load_explicit(&s->used, memory_order_relaxed))
            continue;
        if (!head)
            metric_head(t, d->name, kinds[d->kind], d->help);
        head = true;
        if (d->kind == METRIC_HISTOGRAM)
            write_histogram(m, s, t);
        else
            sample(t, d->name, "", s->labels, NULL, metric_cell(m, s->cell));
    }
}

void metrics_write(struct metrics *m, struct text *t)
{
    uint32_t count = atomic_load_explicit(&m->metric_count, memory_order_acquire);
    for (uint32_t i = 1; i <= count; i++)
        write_metric(m, atomic_load_explicit(&m->metrics[i], memory_order_acquire), t);
    metric_head(
        t, "sallyport_metric_series_overflow_total", "counter",
        "Label sets that were counted as \"other\" because the bound on series was reached.");
    metric_sample(t, "sallyport_metric_series_overflow_total", (double)metrics_overflow(m), NULL);
    metric_head(t, "sallyport_metric_samples_lost_total", "counter",
                "Samples that were lost because memory was out.");
    metric_sample(t, "sallyport_metric_samples_lost_total",
                  (double)atomic_load_explicit(&m->lost, memory_order_relaxed), NULL);
    for (unsigned i = 0; i < m->collector_count; i++)
        m->collectors[i].fn(m->collectors[i].arg, t);
}

static void describe_text(const struct metric *d, struct text *t)
{
    text_printf(t, "  %s (%s", d->name, kinds[d->kind]);
    for (unsigned i = 0; i < d->nlabels; i++)
        text_printf(t, "%s%s", i ? ", " : "; by ", d->labels[i]);
    text_printf(t, ")%s%s\n", d->help[0] ? "  " : "", d->help);
}

static void describe_json(const struct metric *d, struct text *t)
{
    json_open(t, '{');
    json_kv(t, "name", str_z(d->name));
    json_kv(t, "type", str_z(kinds[d->kind]));
    json_kv(t, "help", str_z(d->help));
    json_key(t, "labels");
    json_open(t, '[');
    for (unsigned i = 0; i < d->nlabels; i++)
        json_strz(t, d->labels[i]);
    json_close(t, ']');
    json_close(t, '}');
}

void metrics_describe(const struct metrics *m, const char *prefix, struct text *t, bool json)
{
    uint32_t count = atomic_load_explicit(&m->metric_count, memory_order_acquire);
    if (json)
        json_open(t, '[');
    for (uint32_t i = 1; i <= count; i++) {
        const struct metric *d = atomic_load_explicit(&m->metrics[i], memory_order_acquire);
        if (!str_starts(str_z(d->name), str_z(prefix)))
            continue;
        if (json)
            describe_json(d, t);
        else
            describe_text(d, t);
    }
    if (json)
        json_close(t, ']');
}
