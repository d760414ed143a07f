/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: defined on the main thread, counted in cells per thread without locks, written out as Prometheus text (exposition format 0.0.4). */
#ifndef PIPELINE_METRIC_H
#define PIPELINE_METRIC_H

#include "base/text.h"
#include "net/loop.h"

struct metrics;
enum metric_kind { METRIC_COUNTER = 1, METRIC_GAUGE = 2, METRIC_HISTOGRAM = 3 };

/* max_series: label sets in all, 0: 10000. Past it each metric counts the rest in one more series whose labels all say "other". */
struct metrics *metrics_new(unsigned max_series) MUST_USE;
void metrics_free(struct metrics *);
/* Main thread. 0: malformed, taken with other properties, or too many. The same definition again gets the same id. Names and help are copied.
 * Counters end in _total. buckets: upper bounds, ascending, at most 60, +Inf comes by itself. At most 8 labels, 512 metrics. */
uint32_t metric_define(struct metrics *, enum metric_kind, const char *name, const char *help, const char *const *labels, unsigned nlabels,
                       const double *buckets, unsigned nbuckets);
/* Any thread (a lock inside: not for the hot path; keep the handle). Past the bound: the metric's "other" series. Values are cut at 256
 * bytes; bytes that are not UTF-8 become U+FFFD. 0: no such metric, wrong number of labels, or out of memory. */
uint32_t metric_series(struct metrics *, uint32_t metric, const str *labels, unsigned nlabels);
/* loop id's cell, by that loop's thread only; no lock. A counter ignores negative values, all ignore NaN and series of another kind.
 * A gauge's value is the sum over the threads. */
void metric_add(struct metrics *, unsigned loop_id, uint32_t series, double by);
/* A counter's place, for what counts one by one on the hot path: it reads nothing but the cell. 0: not a counter's series. */
uint32_t metric_counter(struct metrics *, uint32_t series);
void metric_count(struct metrics *, unsigned loop_id, uint32_t counter); /* as metric_add() of 1 */
/* The counter will count in a moment: brings its cell near. */
void metric_soon(const struct metrics *, unsigned loop_id, uint32_t counter);
void metric_set(struct metrics *, unsigned loop_id, uint32_t series, double value);
void metric_observe(struct metrics *, unsigned loop_id, uint32_t series, double value);
/* Counters that live elsewhere (http floor's stats, the log's): fn adds samples while text is written. Main thread. */
typedef void (*metric_collect_fn)(void *arg, struct text *out);
int metric_collector(struct metrics *, metric_collect_fn, void *arg);
/* For collectors: HELP and TYPE lines, then samples. labels: name, value, ..., NULL */
void metric_head(struct text *, const char *name, const char *type, const char *help);
void metric_sample(struct text *, const char *name, double value, const char *const *labels);
void metrics_write(struct metrics *, struct text *out);
uint64_t metrics_overflow(const struct metrics *); /* label sets that went to "other" */
/* What is defined under the prefix, for `sallyport plugins NAME`: one line each, or with json an array of objects. */
void metrics_describe(const struct metrics *, const char *prefix, struct text *out, bool json);
/* Reading one value, summed over threads, for tests and status; of a histogram: how many were observed. */
double metric_value(struct metrics *, uint32_t series);

#endif
