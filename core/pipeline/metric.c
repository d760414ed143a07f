/* SPDX-License-Identifier: Apache-2.0 */
/* Defining metrics and their series, and counting in cells per thread without locks. */
#include "pipeline/metric.h"

#include <math.h>

#include "pipeline/metric_int.h"

#define SERIES_DEFAULT 10000u

struct metrics *metrics_new(unsigned max_series)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->max_series = max_series ? max_series : SERIES_DEFAULT;
    /* Every metric has one further series at most: the bare one, or "other". */
    m->series_cap = m->max_series + METRIC_MAX + 1;
    m->series = calloc(m->series_cap, sizeof *m->series);
    if (!m->series || pthread_mutex_init(&m->lock, NULL)) {
        free(m->series);
        free(m);
        return NULL;
    }
    m->series_count = 1;
    map_init(&m->keys, true);
    return m;
}

static void metric_free(struct metric *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < d->nlabels; i++)
        free(d->labels[i]);
    free(d->name);
    free(d->help);
    free(d);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (uint32_t i = 1; i < m->series_count; i++) {
        struct metric_series *s = atomic_load_explicit(&m->series[i], memory_order_relaxed);
        free(s->labels);
        free(s);
    }
    for (uint32_t i = 1; i <= m->metric_count; i++)
        metric_free(m->metrics[i]);
    for (unsigned i = 0; i < LOOP_MAX; i++) {
        struct metric_shard *shard = m->shards[i];
        for (unsigned k = 0; shard && k < METRIC_CHUNKS; k++)
            free((void *)shard->chunks[k]);
        free(shard);
    }
    map_fini(&m->keys);
    pthread_mutex_destroy(&m->lock);
    free(m->series);
    free(m);
}

/* Definitions */

static bool name_ok(const char *name, bool colon)
{
    if (!name || !name[0] || strnlen(name, 201) > 200)
        return false;
    for (const char *p = name; *p; p++) {
        bool alpha = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
                     (colon && *p == ':');
        if (!alpha && (p == name || *p < '0' || *p > '9'))
            return false;
    }
    return true;
}

static bool labels_ok(enum metric_kind kind, const char *const *labels, unsigned n)
{
    if (n > METRIC_LABELS_MAX || (n && !labels))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!name_ok(labels[i], false) || strncmp(labels[i], "__", 2) == 0)
            return false;
        if (kind == METRIC_HISTOGRAM && strcmp(labels[i], "le") == 0)
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(labels[i], labels[k]) == 0)
                return false;
    }
    return true;
}

static bool buckets_ok(enum metric_kind kind, const double *b, unsigned n)
{
    if (kind != METRIC_HISTOGRAM)
        return n == 0;
    if (n > METRIC_BUCKETS_MAX || (n && !b))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!isfinite(b[i]) || (i && b[i] <= b[i - 1]))
            return false;
    return true;
}

/* Would `a` write samples under the name of a histogram's own series? */
static bool shadows(const char *a, const struct metric *h)
{
    static const char *const ends[] = {"_bucket", "_sum", "_count"};
    size_t n = strlen(h->name);
    if (h->kind != METRIC_HISTOGRAM || strncmp(a, h->name, n) != 0)
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        if (strcmp(a + n, ends[i]) == 0)
            return true;
    return false;
}

static bool same(const struct metric *a, const struct metric *b)
{
    if (a->kind != b->kind || a->nlabels != b->nlabels || a->nbuckets != b->nbuckets)
        return false;
    for (unsigned i = 0; i < a->nlabels; i++)
        if (strcmp(a->labels[i], b->labels[i]) != 0)
            return false;
    for (unsigned i = 0; i < a->nbuckets; i++)
        if (a->buckets[i] != b->buckets[i])
            return false;
    return true;
}

static struct metric *metric_new(enum metric_kind kind, const char *name, const char *help,
                                 const char *const *labels, unsigned nlabels, const double *buckets,
                                 unsigned nbuckets)
{
    struct metric *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->kind = kind;
    d->name = str_dup(str_z(name));
    d->help = str_dup(str_z(help ? help : ""));
    bool ok = d->name && d->help;
    for (unsigned i = 0; i < nlabels && ok; i++) {
        d->labels[i] = str_dup(str_z(labels[i]));
        d->nlabels = i + 1;
        ok = d->labels[i] != NULL;
    }
    d->nbuckets = nbuckets;
    if (nbuckets)
        memcpy(d->buckets, buckets, nbuckets * sizeof *buckets);
    if (ok)
        return d;
    metric_free(d);
    return NULL;
}

unsigned metric_width(const struct metric *d)
{
    return d->kind == METRIC_HISTOGRAM ? d->nbuckets + 2 : 1;
}

/* Under the lock. */
static struct metric_series *series_new(struct metrics *m, struct metric *d, str key, char *labels,
                                        bool other)
{
    unsigned width = metric_width(d);
    uint32_t cell = m->cells;
    if (cell / METRIC_CHUNK != (cell + width - 1) / METRIC_CHUNK)
        cell = (cell / METRIC_CHUNK + 1) * METRIC_CHUNK;
    struct metric_series *s = calloc(1, sizeof *s);
    if (!s || m->series_count >= m->series_cap || cell + width > METRIC_CHUNK * METRIC_CHUNKS ||
        map_put(&m->keys, key, s, NULL)) {
        free(s);
        return NULL;
    }
    s->metric = d;
    s->id = m->series_count++;
    s->cell = cell;
    s->other = other;
    s->labels = labels;
    m->cells = cell + width;
    if (d->last)
        atomic_store_explicit(&d->last->next, s, memory_order_release);
    else
        atomic_store_explicit(&d->first, s, memory_order_release);
    d->last = s;
    atomic_store_explicit(&m->series[s->id], s, memory_order_release);
    return s;
}

/* The map's key: metric, then length and bytes of each value. Returns its length. */
#define KEY_MAX (4 + METRIC_LABELS_MAX * (4 + METRIC_VALUE_MAX))
static size_t make_key(char key[KEY_MAX], const struct metric *d, const str *labels)
{
    size_t at = 4;
    memcpy(key, &d->id, 4);
    for (unsigned i = 0; i < d->nlabels; i++) {
        uint32_t n = (uint32_t)(labels[i].n < METRIC_VALUE_MAX ? labels[i].n : METRIC_VALUE_MAX);
        memcpy(key + at, &n, 4);
        if (n)
            memcpy(key + at + 4, labels[i].p, n);
        at += 4 + n;
    }
    return at;
}

/* Under the lock. NULL: out of memory. */
static struct metric_series *make_series(struct metrics *m, struct metric *d, const str *labels,
                                         bool other)
{
    char key[KEY_MAX];
    struct text t;
    text_init(&t);
    for (unsigned i = 0; i < d->nlabels; i++)
        metric_label(&t, d->labels[i], str_take(labels[i], METRIC_VALUE_MAX));
    text_add(&t, STR(""));
    size_t n;
    char *shown = text_take(&t, &n);
    if (!shown)
        return NULL;
    struct metric_series *s = series_new(m, d, str_n(key, make_key(key, d, labels)), shown, other);
    if (!s)
        free(shown);
    return s;
}

static struct metric *find(const struct metrics *m, const char *name, bool *clash)
{
    *clash = false;
    for (uint32_t i = 1; i <= m->metric_count; i++) {
        struct metric *d = m->metrics[i];
        if (strcmp(d->name, name) == 0)
            return d;
        if (shadows(name, d))
            *clash = true;
    }
    return NULL;
}

static uint32_t add_metric(struct metrics *m, struct metric *d)
{
    bool clash;
    struct metric *old = find(m, d->name, &clash);
    if (old)
        return same(old, d) ? old->id : 0;
    for (uint32_t i = 1; i <= m->metric_count; i++)
        clash = clash || shadows(m->metrics[i]->name, d);
    if (clash || m->metric_count >= METRIC_MAX)
        return 0;
    d->id = m->metric_count + 1;
    /* Without labels: the one series. With labels: the one that takes what is past the bound. */
    str other[METRIC_LABELS_MAX];
    for (unsigned i = 0; i < d->nlabels; i++)
        other[i] = STR("other");
    d->other = make_series(m, d, other, d->nlabels > 0);
    if (!d->other)
        return 0;
    atomic_store_explicit(&m->metrics[d->id], d, memory_order_release);
    atomic_store_explicit(&m->metric_count, d->id, memory_order_release);
    return d->id;
}

uint32_t metric_define(struct metrics *m, enum metric_kind kind, const char *name, const char *help,
                       const char *const *labels, unsigned nlabels, const double *buckets,
                       unsigned nbuckets)
{
    if (kind < METRIC_COUNTER || kind > METRIC_HISTOGRAM || !name_ok(name, true) ||
        !labels_ok(kind, labels, nlabels) || !buckets_ok(kind, buckets, nbuckets))
        return 0;
    if (kind == METRIC_COUNTER && !str_ends(str_z(name), STR("_total")))
        return 0;
    struct metric *d = metric_new(kind, name, help, labels, nlabels, buckets, nbuckets);
    if (!d)
        return 0;
    pthread_mutex_lock(&m->lock);
    uint32_t id = add_metric(m, d);
    bool taken = id && m->metrics[id] == d;
    pthread_mutex_unlock(&m->lock);
    if (!taken)
        metric_free(d);
    return id;
}

uint32_t metric_series(struct metrics *m, uint32_t metric, const str *labels, unsigned nlabels)
{
    if (metric == 0 || metric > METRIC_MAX)
        return 0;
    struct metric *d = atomic_load_explicit(&m->metrics[metric], memory_order_acquire);
    if (!d || d->nlabels != nlabels || (nlabels && !labels))
        return 0;
    if (nlabels == 0)
        return d->other->id;
    char key[KEY_MAX];
    size_t n = make_key(key, d, labels);
    pthread_mutex_lock(&m->lock);
    struct metric_series *s = map_get(&m->keys, str_n(key, n));
    if (!s && m->labelled < m->max_series) {
        s = make_series(m, d, labels, false);
        if (s)
            m->labelled++;
    }
    if (!s) {
        s = d->other;
        atomic_fetch_add_explicit(&m->overflow, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&m->lock);
    return s->id;
}

uint64_t metrics_overflow(const struct metrics *m)
{
    return atomic_load_explicit(&m->overflow, memory_order_relaxed);
}

int metric_collector(struct metrics *m, metric_collect_fn fn, void *arg)
{
    if (m->collector_count >= METRIC_COLLECTORS)
        return E_LIMIT;
    m->collectors[m->collector_count].fn = fn;
    m->collectors[m->collector_count++].arg = arg;
    return 0;
}

/* Counting */

const struct metric_series *metric_series_at(const struct metrics *m, uint32_t id)
{
    if (UNLIKELY(id == 0 || id >= m->series_cap))
        return NULL;
    return atomic_load_explicit(&m->series[id], memory_order_acquire);
}

static _Atomic double *make_cells(struct metrics *m, unsigned loop_id, uint32_t cell)
{
    struct metric_shard *shard = atomic_load_explicit(&m->shards[loop_id], memory_order_relaxed);
    if (!shard) {
        shard = calloc(1, sizeof *shard);
        if (!shard)
            return NULL;
        atomic_store_explicit(&m->shards[loop_id], shard, memory_order_release);
    }
    _Atomic double *chunk = calloc(METRIC_CHUNK, sizeof *chunk);
    if (!chunk)
        return NULL;
    atomic_store_explicit(&shard->chunks[cell / METRIC_CHUNK], chunk, memory_order_release);
    return chunk + cell % METRIC_CHUNK;
}

/* NULL: nothing was counted near it yet. */
static inline _Atomic double *cells_made(const struct metrics *m, unsigned loop_id, uint32_t cell)
{
    if (UNLIKELY(loop_id >= LOOP_MAX))
        return NULL;
    struct metric_shard *shard = atomic_load_explicit(&m->shards[loop_id], memory_order_relaxed);
    _Atomic double *chunk =
        LIKELY(shard != NULL) ? atomic_load_explicit(&shard->chunks[cell / METRIC_CHUNK], memory_order_relaxed) : NULL;
    return LIKELY(chunk != NULL) ? chunk + cell % METRIC_CHUNK : NULL;
}

/* The thread's cells of a series. NULL: memory is out; the sample is lost and counted. */
static _Atomic double *cells(struct metrics *m, unsigned loop_id, uint32_t cell)
{
    _Atomic double *at = cells_made(m, loop_id, cell);
    if (LIKELY(at != NULL) || loop_id >= LOOP_MAX)
        return at;
    at = make_cells(m, loop_id, cell);
    if (!at)
        atomic_fetch_add_explicit(&m->lost, 1, memory_order_relaxed);
    return at;
}

static inline void bump(_Atomic double *at, double by)
{
    double v = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, v + by, memory_order_relaxed);
}

static const struct metric_series *series_to_write(struct metrics *m, uint32_t id)
{
    struct metric_series *s = LIKELY(id && id < m->series_cap)
                                  ? atomic_load_explicit(&m->series[id], memory_order_acquire)
                                  : NULL;
    if (s && UNLIKELY(s->other) && !atomic_load_explicit(&s->used, memory_order_relaxed))
        atomic_store_explicit(&s->used, true, memory_order_relaxed);
    return s;
}

void metric_add(struct metrics *m, unsigned loop_id, uint32_t series, double by)
{
    const struct metric_series *s = series_to_write(m, series);
    if (!s || s->metric->kind == METRIC_HISTOGRAM || isnan(by) ||
        (by < 0 && s->metric->kind == METRIC_COUNTER))
        return;
    _Atomic double *at = cells(m, loop_id, s->cell);
    if (at)
        bump(at, by);
}

uint32_t metric_counter(struct metrics *m, uint32_t series)
{
    const struct metric_series *s = series_to_write(m, series);
    return s && s->metric->kind == METRIC_COUNTER ? s->cell + 1 : 0;
}

void metric_count(struct metrics *m, unsigned loop_id, uint32_t counter)
{
    _Atomic double *at = counter ? cells(m, loop_id, counter - 1) : NULL;
    if (at)
        bump(at, 1);
}

void metric_soon(const struct metrics *m, unsigned loop_id, uint32_t counter)
{
    const _Atomic double *at = counter ? cells_made(m, loop_id, counter - 1) : NULL;
    if (at)
        __builtin_prefetch(at, 1);
}

void metric_set(struct metrics *m, unsigned loop_id, uint32_t series, double value)
{
    const struct metric_series *s = series_to_write(m, series);
    if (!s || s->metric->kind != METRIC_GAUGE || isnan(value))
        return;
    _Atomic double *at = cells(m, loop_id, s->cell);
    if (at)
        atomic_store_explicit(at, value, memory_order_relaxed);
}

void metric_observe(struct metrics *m, unsigned loop_id, uint32_t series, double value)
{
    const struct metric_series *s = series_to_write(m, series);
    if (!s || s->metric->kind != METRIC_HISTOGRAM || isnan(value))
        return;
    const struct metric *d = s->metric;
    _Atomic double *at = cells(m, loop_id, s->cell);
    if (!at)
        return;
    unsigned i = 0;
    while (i < d->nbuckets && value > d->buckets[i])
        i++;
    bump(at + i, 1);
    bump(at + d->nbuckets + 1, value);
}

/* Reading */

double metric_cell(const struct metrics *m, uint32_t cell)
{
    double sum = 0;
    for (unsigned i = 0; i < LOOP_MAX; i++) {
        struct metric_shard *shard = atomic_load_explicit(&m->shards[i], memory_order_acquire);
        if (!shard)
            continue;
        _Atomic double *chunk =
            atomic_load_explicit(&shard->chunks[cell / METRIC_CHUNK], memory_order_acquire);
        if (chunk)
            sum += atomic_load_explicit(chunk + cell % METRIC_CHUNK, memory_order_relaxed);
    }
    return sum;
}

double metric_value(struct metrics *m, uint32_t series)
{
    const struct metric_series *s = metric_series_at(m, series);
    if (!s)
        return 0;
    if (s->metric->kind != METRIC_HISTOGRAM)
        return metric_cell(m, s->cell);
    double count = 0;
    for (unsigned i = 0; i <= s->metric->nbuckets; i++)
        count += metric_cell(m, s->cell + i);
    return count;
}
