/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: what may be defined, the text that comes out, the bound on series, and counting from
 * many threads. */
#include "unit.h"

#include <math.h>
#include <pthread.h>

#include "pipeline/metric.h"

static const char *const by_api[] = {"api", "stage"};
static const double seconds[] = {0.005, 0.1, 2.5};

static struct text written(struct metrics *m)
{
    struct text t;
    text_init(&t);
    metrics_write(m, &t);
    assert_false(t.failed);
    return t;
}

/* What is written up to the two metrics of the room itself. */
static void assert_text(struct metrics *m, const char *want)
{
    struct text t = written(m);
    size_t own = str_find(text_str(&t), STR("# HELP sallyport_metric_series_overflow_total"));
    assert_str(str_take(text_str(&t), own), want);
    text_fini(&t);
}

static void test_define(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(0);
    assert_non_null(m);
    uint32_t a = metric_define(m, METRIC_COUNTER, "a_total", "A.", by_api, 2, NULL, 0);
    assert_int_not_equal(a, 0);
    assert_int_equal(metric_define(m, METRIC_COUNTER, "a_total", "Again.", by_api, 2, NULL, 0), a);
    assert_int_equal(metric_define(m, METRIC_COUNTER, "a_total", "A.", by_api, 1, NULL, 0), 0);
    assert_int_equal(metric_define(m, METRIC_GAUGE, "a_total", "A.", by_api, 2, NULL, 0), 0);
    static const char *const names[] = {"", "1a_total", "a-b_total", "a b_total",
                                        "a\xc3\xa4_total"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(metric_define(m, METRIC_COUNTER, names[i], "", NULL, 0, NULL, 0), 0);
    assert_int_equal(metric_define(m, METRIC_COUNTER, "requests", "No _total.", NULL, 0, NULL, 0),
                     0);
    assert_int_equal(metric_define(m, METRIC_COUNTER, NULL, "", NULL, 0, NULL, 0), 0);
    assert_int_equal(metric_define(m, (enum metric_kind)9, "x", "", NULL, 0, NULL, 0), 0);
    static const char *const twice[] = {"api", "api"}, *const own[] = {"__name__"},
                             *const le[] = {"le"};
    assert_int_equal(metric_define(m, METRIC_GAUGE, "g", "", twice, 2, NULL, 0), 0);
    assert_int_equal(metric_define(m, METRIC_GAUGE, "g", "", own, 1, NULL, 0), 0);
    assert_int_equal(metric_define(m, METRIC_HISTOGRAM, "h", "", le, 1, seconds, 3), 0);
    static const double down[] = {2, 1}, same[] = {1, 1}, inf[] = {1, INFINITY};
    assert_int_equal(metric_define(m, METRIC_HISTOGRAM, "h", "", NULL, 0, down, 2), 0);
    assert_int_equal(metric_define(m, METRIC_HISTOGRAM, "h", "", NULL, 0, same, 2), 0);
    assert_int_equal(metric_define(m, METRIC_HISTOGRAM, "h", "", NULL, 0, inf, 2), 0);
    assert_int_equal(metric_define(m, METRIC_GAUGE, "g", "", NULL, 0, seconds, 3), 0);
    metrics_free(m);
}

/* A histogram writes under three further names. */
static void test_histogram_names(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(0);
    assert_int_not_equal(metric_define(m, METRIC_HISTOGRAM, "h", "", NULL, 0, seconds, 3), 0);
    assert_int_equal(metric_define(m, METRIC_GAUGE, "h_count", "", NULL, 0, NULL, 0), 0);
    assert_int_not_equal(metric_define(m, METRIC_GAUGE, "h_counts", "", NULL, 0, NULL, 0), 0);
    assert_int_not_equal(metric_define(m, METRIC_GAUGE, "k_sum", "", NULL, 0, NULL, 0), 0);
    assert_int_equal(metric_define(m, METRIC_HISTOGRAM, "k", "", NULL, 0, seconds, 3), 0);
    metrics_free(m);
}

static void test_counter_gauge(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(0);
    uint32_t c = metric_define(m, METRIC_COUNTER, "requests_total", "Requests.\nAll\\of them.",
                               by_api, 2, NULL, 0);
    uint32_t g = metric_define(m, METRIC_GAUGE, "open", "Open ones.", NULL, 0, NULL, 0);
    uint32_t pets = metric_series(m, c, (str[]){STR("pets"), STR("prod")}, 2);
    uint32_t odd = metric_series(m, c, (str[]){STR("a\"b\\c\nd"), STR("\xff\xc3\xa4")}, 2);
    uint32_t open = metric_series(m, g, NULL, 0);
    assert_int_equal(metric_series(m, c, (str[]){STR("pets"), STR("prod")}, 2), pets);
    assert_int_not_equal(pets, odd);
    metric_add(m, 1, pets, 2);
    metric_add(m, 3, pets, 40);
    metric_add(m, 1, pets, -5);
    metric_add(m, 1, pets, NAN);
    metric_set(m, 1, pets, 1000);
    metric_observe(m, 1, pets, 1000);
    metric_add(m, 2, odd, 0.5);
    metric_set(m, 1, open, 7);
    metric_set(m, 2, open, 5);
    metric_add(m, 2, open, -1.5);
    assert_true(metric_value(m, pets) == 42);
    assert_true(metric_value(m, open) == 10.5);
    assert_text(m, "# HELP requests_total Requests.\\nAll\\\\of them.\n"
                   "# TYPE requests_total counter\n"
                   "requests_total{api=\"pets\",stage=\"prod\"} 42\n"
                   "requests_total{api=\"a\\\"b\\\\c\\nd\",stage=\"\xef\xbf\xbd\xc3\xa4\"} 0.5\n"
                   "# HELP open Open ones.\n"
                   "# TYPE open gauge\n"
                   "open 10.5\n");
    metrics_free(m);
}

static void test_histogram(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(0);
    static const char *const by_stage[] = {"stage"};
    uint32_t h =
        metric_define(m, METRIC_HISTOGRAM, "took_seconds", "Time.", by_stage, 1, seconds, 3);
    uint32_t s = metric_series(m, h, (str[]){STR("prod")}, 1);
    static const double v[] = {0.0009765625, 0.00390625, 0.0078125, 0.0625, 2, 2.5, 2.625, 100};
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        metric_observe(m, (unsigned)i % 3, s, v[i]);
    metric_observe(m, 0, s, NAN);
    metric_add(m, 0, s, 1);
    assert_true(metric_value(m, s) == 8);
    assert_text(m, "# HELP took_seconds Time.\n"
                   "# TYPE took_seconds histogram\n"
                   "took_seconds_bucket{stage=\"prod\",le=\"0.005\"} 2\n"
                   "took_seconds_bucket{stage=\"prod\",le=\"0.1\"} 4\n"
                   "took_seconds_bucket{stage=\"prod\",le=\"2.5\"} 6\n"
                   "took_seconds_bucket{stage=\"prod\",le=\"+Inf\"} 8\n"
                   "took_seconds_sum{stage=\"prod\"} 107.2001953125\n"
                   "took_seconds_count{stage=\"prod\"} 8\n");
    metrics_free(m);
}

static void test_bound(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(3);
    uint32_t c = metric_define(m, METRIC_COUNTER, "c_total", "C.", by_api, 1, NULL, 0);
    uint32_t d = metric_define(m, METRIC_COUNTER, "d_total", "D.", by_api, 1, NULL, 0);
    uint32_t bare = metric_define(m, METRIC_COUNTER, "bare_total", "B.", NULL, 0, NULL, 0);
    uint32_t first = metric_series(m, c, (str[]){STR("1")}, 1);
    metric_series(m, c, (str[]){STR("2")}, 1);
    metric_series(m, d, (str[]){STR("1")}, 1);
    assert_int_equal(metrics_overflow(m), 0);
    uint32_t rest = metric_series(m, c, (str[]){STR("3")}, 1);
    assert_int_equal(metric_series(m, c, (str[]){STR("4")}, 1), rest);
    assert_int_not_equal(metric_series(m, d, (str[]){STR("4")}, 1), rest);
    assert_int_equal(metrics_overflow(m), 3);
    assert_int_equal(metric_series(m, c, (str[]){STR("1")}, 1), first);
    assert_int_equal(metric_series(m, c, (str[]){STR("other")}, 1), rest);
    assert_int_not_equal(metric_series(m, bare, NULL, 0), 0);
    metric_add(m, 0, rest, 2);
    assert_text(m, "# HELP c_total C.\n# TYPE c_total counter\n"
                   "c_total{api=\"other\"} 2\nc_total{api=\"1\"} 0\nc_total{api=\"2\"} 0\n"
                   "# HELP d_total D.\n# TYPE d_total counter\nd_total{api=\"1\"} 0\n"
                   "# HELP bare_total B.\n# TYPE bare_total counter\nbare_total 0\n");
    struct text t = written(m);
    assert_has(text_str(&t), "\nsallyport_metric_series_overflow_total 3\n");
    text_fini(&t);
    metrics_free(m);
}

static void test_bad_handles(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(10);
    uint32_t c = metric_define(m, METRIC_COUNTER, "c_total", "C.", by_api, 2, NULL, 0);
    assert_int_equal(metric_series(m, 0, NULL, 0), 0);
    assert_int_equal(metric_series(m, c + 1, NULL, 0), 0);
    assert_int_equal(metric_series(m, UINT32_MAX, NULL, 0), 0);
    assert_int_equal(metric_series(m, c, (str[]){STR("x")}, 1), 0);
    assert_int_equal(metric_series(m, c, NULL, 2), 0);
    metric_add(m, 0, 0, 1);
    metric_add(m, 0, UINT32_MAX, 1);
    metric_add(m, 0, 77, 1);
    metric_add(m, LOOP_MAX, metric_series(m, c, (str[]){STR("x"), STR("y")}, 2), 1);
    assert_true(metric_value(m, 77) == 0);
    metrics_free(m);
}

/* Values are bounded in length; cutting must not leave half a character behind. */
static void test_long_value(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(10);
    char v[1001];
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(v + i, "\xc3\xa4", 2);
    memmove(v + 1, v, 1000);
    v[0] = 'x';
    uint32_t g = metric_define(m, METRIC_GAUGE, "g", "G.", by_api, 1, NULL, 0);
    uint32_t s = metric_series(m, g, (str[]){str_n(v, sizeof v)}, 1);
    assert_int_equal(metric_series(m, g, (str[]){str_n(v, 700)}, 1), s);
    struct text t = written(m);
    assert_true(str_is_utf8(text_str(&t)));
    assert_true(t.n < 1200);
    text_fini(&t);
    metrics_free(m);
}

static void collect(void *arg, struct text *out)
{
    metric_head(out, "mine", "gauge", "Mine.");
    metric_sample(out, "mine", *(double *)arg, (const char *const[]){"a", "x\"y", "b", "z", NULL});
    metric_sample(out, "mine", -INFINITY, NULL);
}

static void test_collector(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(10);
    double v = 1.0 / 3;
    assert_int_equal(metric_collector(m, collect, &v), 0);
    struct text t = written(m);
    assert_has(text_str(&t),
               "# TYPE mine gauge\nmine{a=\"x\\\"y\",b=\"z\"} 0.33333333333333331\nmine -Inf\n");
    text_fini(&t);
    metrics_free(m);
}

#define THREADS 4
#define ROUNDS  20000

struct worker {
    struct metrics *m;
    unsigned id;
    uint32_t counter, histogram;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    char name[16];
    for (unsigned i = 0; i < ROUNDS; i++) {
        str label = str_n(name, (size_t)snprintf(name, sizeof name, "%u", i % 300));
        uint32_t s = metric_series(w->m, w->counter, &label, 1);
        metric_add(w->m, w->id, s, 1);
        metric_observe(w->m, w->id, w->histogram, 0.05);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(200);
    uint32_t c = metric_define(m, METRIC_COUNTER, "c_total", "C.", by_api, 1, NULL, 0);
    uint32_t h = metric_define(m, METRIC_HISTOGRAM, "h", "H.", NULL, 0, seconds, 3);
    uint32_t hs = metric_series(m, h, NULL, 0);
    struct worker w[THREADS];
    pthread_t t[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){m, i + 1, c, hs};
        assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        struct text out = written(m);
        text_fini(&out);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    double sum = 0;
    for (uint32_t s = 1; s < 300; s++)
        if (s != hs)
            sum += metric_value(m, s);
    assert_true(sum == THREADS * ROUNDS);
    assert_true(metric_value(m, hs) == THREADS * ROUNDS);
    assert_true(metrics_overflow(m) > 0);
    metrics_free(m);
}

static void test_describe(void **state)
{
    (void)state;
    struct metrics *m = metrics_new(10);
    metric_define(m, METRIC_COUNTER, "sallyport_plugin_x_hits_total", "Hits.", by_api, 2, NULL, 0);
    metric_define(m, METRIC_GAUGE, "sallyport_else", "Else.", NULL, 0, NULL, 0);
    struct text t;
    text_init(&t);
    metrics_describe(m, "sallyport_plugin_x_", &t, false);
    assert_str(text_str(&t), "  sallyport_plugin_x_hits_total (counter; by api, stage)  Hits.\n");
    text_fini(&t);
    text_init(&t);
    metrics_describe(m, "sallyport_plugin_x_", &t, true);
    assert_str(
        text_str(&t),
        "[{\"name\":\"sallyport_plugin_x_hits_total\",\"type\":\"counter\",\"help\":\"Hits.\","
        "\"labels\":[\"api\",\"stage\"]}]");
    text_fini(&t);
    metrics_free(m);
}

/* The short way counts in the same cell, and takes counters only. */
static void counters_by_their_place(void **state)
{
    struct metrics *m = metrics_new(0);
    const char *const labels[] = {"to"};
    const str here = STR("here");
    uint32_t id = metric_define(m, METRIC_COUNTER, "short_total", "h", labels, 1, NULL, 0);
    uint32_t gauge = metric_define(m, METRIC_GAUGE, "level", "h", NULL, 0, NULL, 0);
    uint32_t series = metric_series(m, id, &here, 1), counter = metric_counter(m, series);
    (void)state;
    assert_true(counter != 0);
    metric_count(m, 1, counter);
    metric_count(m, 2, counter);
    metric_add(m, 2, series, 3);
    assert_float_equal(metric_value(m, series), 5, 0);
    assert_int_equal(metric_counter(m, metric_series(m, gauge, NULL, 0)), 0);
    assert_int_equal(metric_counter(m, 0), 0);
    metric_count(m, 1, 0);
    assert_float_equal(metric_value(m, series), 5, 0);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_by_their_place),
        cmocka_unit_test(test_define),        cmocka_unit_test(test_histogram_names),
        cmocka_unit_test(test_counter_gauge), cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_bound),         cmocka_unit_test(test_bad_handles),
        cmocka_unit_test(test_long_value),    cmocka_unit_test(test_collector),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
