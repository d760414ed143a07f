/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's table of metrics: names get the plugin's prefix, counters their _total. */
#include "pipeline/host.h"
#include "pipeline/host_thread.h"
#include "pipeline/metric.h"
#include "pipeline/mod_int.h"

#define NAME_BYTES 128

char *mod_metric_prefix(struct arena *a, const struct sp_module *m)
{
    str p = arena_printf(a, "sallyport_plugin_%s_", m->desc.name);
    char *out = (char *)(uintptr_t)p.p;
    for (size_t i = 0; out && i < p.n; i++)
        if (out[i] == '-')
            out[i] = '_';
    return out;
}

static uint32_t metric_api_define(struct sp_module *m, uint32_t kind, const char *name,
                                  const char *help, const char *const *labels, uint32_t nlabels,
                                  const double *buckets, uint32_t nbuckets)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    if (!m->in_load || !m->registry->metrics || !name || !name[0] ||
        strnlen(name, NAME_BYTES + 1) > NAME_BYTES || kind < SP_METRIC_COUNTER ||
        kind > SP_METRIC_HISTOGRAM)
        return 0;
    bool total = kind == SP_METRIC_COUNTER && !str_ends(str_z(name), STR("_total"));
    const char *prefix = mod_metric_prefix(&m->arena, m);
    str full =
        prefix ? arena_printf(&m->arena, "%s%s%s", prefix, name, total ? "_total" : "") : STR_NONE;
    if (!full.p)
        return 0;
    return metric_define(m->registry->metrics, (enum metric_kind)kind, full.p, help, labels,
                         nlabels, buckets, nbuckets);
}

static uint32_t metric_api_series(uint32_t metric, const sp_str *labels, uint32_t nlabels)
{
    struct host_thread t = host_thread();
    return t.metrics ? metric_series(t.metrics, metric, labels, nlabels) : 0;
}

static void metric_api_add(uint32_t series, double by)
{
    struct host_thread t = host_thread();
    if (t.metrics)
        metric_add(t.metrics, t.loop_id, series, by);
}

static void metric_api_set(uint32_t series, double value)
{
    struct host_thread t = host_thread();
    if (t.metrics)
        metric_set(t.metrics, t.loop_id, series, value);
}

static void metric_api_observe(uint32_t series, double value)
{
    struct host_thread t = host_thread();
    if (t.metrics)
        metric_observe(t.metrics, t.loop_id, series, value);
}

const struct sp_metric_api host_metric_api = {
    .size = sizeof(struct sp_metric_api),
    .define = metric_api_define,
    .series = metric_api_series,
    .add = metric_api_add,
    .set = metric_api_set,
    .observe = metric_api_observe,
};
