/* SPDX-License-Identifier: Apache-2.0 */
/* What metrics are made of; only for the rooms metric and metric_text.
 *
 * Cells are doubles in chunks per thread, written by that thread alone (relaxed load and store, no
 * read-modify-write) and summed by the reader. Metrics and series are made under the lock,
 * published with release, and never changed or moved afterwards, so that readers need no lock. */
#ifndef PIPELINE_METRIC_INT_H
#define PIPELINE_METRIC_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "pipeline/metric.h"

#define METRIC_MAX         512
#define METRIC_LABELS_MAX  8
#define METRIC_BUCKETS_MAX 60
#define METRIC_VALUE_MAX   256
#define METRIC_CHUNK       512u  /* cells of a chunk; a series never straddles two */
#define METRIC_CHUNKS      4096u /* two million cells */
#define METRIC_COLLECTORS  16

struct metric_series {
    const struct metric *metric;
    uint32_t id, cell;
    bool other; /* shown once it was used */
    _Atomic bool used;
    char *labels;                       /* api="pets",stage="prod"; already escaped; may be empty */
    struct metric_series *_Atomic next; /* of the same metric, in the order they were made */
};

struct metric {
    enum metric_kind kind;
    uint32_t id;
    char *name, *help;
    char *labels[METRIC_LABELS_MAX];
    unsigned nlabels;
    double buckets[METRIC_BUCKETS_MAX];
    unsigned nbuckets;
    struct metric_series *_Atomic first;
    struct metric_series *last, *other; /* lock */
};

struct metric_shard { /* one thread's cells; chunks are made by their thread when first written */
    _Atomic double *_Atomic chunks[METRIC_CHUNKS];
};

struct metrics {
    pthread_mutex_t lock; /* guards what makes metrics and series; a leaf lock */
    struct metric *_Atomic metrics[METRIC_MAX + 1]; /* by id; 0 is none */
    _Atomic uint32_t metric_count;
    struct metric_series *_Atomic *series; /* by id; 0 is none */
    uint32_t series_cap, max_series;
    uint32_t series_count, labelled; /* lock */
    uint32_t cells;                  /* lock: next free cell */
    struct map keys;                 /* lock: metric id and label values, to the series */
    struct metric_shard *_Atomic shards[LOOP_MAX];
    _Atomic uint64_t overflow, lost;
    struct {
        metric_collect_fn fn;
        void *arg;
    } collectors[METRIC_COLLECTORS];
    unsigned collector_count;
};

const struct metric_series *metric_series_at(const struct metrics *, uint32_t id);
/* Cells a series of the metric takes: histograms have one per bucket, one for +Inf, one for the
 * sum. */
unsigned metric_width(const struct metric *);
/* One cell, summed over the threads. */
double metric_cell(const struct metrics *, uint32_t cell);
/* name="value", escaped; a comma before it unless it is the first. */
void metric_label(struct text *, const char *name, str value);

#endif
