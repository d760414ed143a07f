/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin chaos: does to exchanges whatever the ABI allows without changing what the client
 * sees, and counts when the host does not keep a promise. The whole suite of tests runs with it.
 * Its manual page is README.md. */
#include "chaos.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const event_names[EV_COUNT] = {
    "suspend", "timer",   "race",   "stale", "resumed", "gone",      "double", "late",
    "stream",  "observe", "buffer", "split", "hold",    "body_wait", "bad",
};

struct chaos_ctx *chaos_begin(const struct sp_call *call)
{
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    uint64_t *exchanges = (uint64_t *)call->thread_state;

    if (c->rng == 0) {
        const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
        c->rng = chaos_mix(conf->seed ^ ++*exchanges) | 1;
        c->delay_us = (uint64_t)conf->delay_ms * 1000;
    }
    return c;
}

void chaos_count(const struct sp_call *call, enum chaos_event event)
{
    const struct chaos *s = (const struct chaos *)call->state;

    s->host->metric->add(s->series[event], 1);
}

void chaos_bad(const struct sp_call *call, const char *what)
{
    const struct chaos *s = (const struct chaos *)call->state;

    chaos_count(call, EV_BAD);
    s->host->core->log(s->module, call->x, SP_LOG_ERROR, "BUG: %s (hook point %u, event %u)", what,
                       call->point, call->event);
}

/* Every header of every side can be read at every point, and what is found by place is found by
 * name. */
static void read_headers(const struct sp_call *call)
{
    const struct sp_exchange_api *api = ((const struct chaos *)call->state)->host->exchange;
    static const uint32_t all[] = {SP_SIDE_CLIENT_REQUEST, SP_SIDE_REQUEST,
                                   SP_SIDE_INTEGRATION_RESPONSE, SP_SIDE_RESPONSE};
    size_t i;

    for (i = 0; i < SP_COUNT(all); i++) {
        struct sp_header h = {.size = sizeof(h)};
        uint32_t cursor = 0;
        sp_str found;
        while (api->header_next(call->x, all[i], &cursor, &h) == SP_OK)
            if (api->header_find(call->x, all[i], h.name, 0, &found) != SP_OK)
                chaos_bad(call, "a header that was listed is not found by its name");
    }
}

static sp_verdict on_main(const struct sp_call *call)
{
    const struct chaos_conf *conf = (const struct chaos_conf *)call->conf;
    struct chaos_ctx *c = chaos_begin(call);

    if (call->point == SP_HP_REQUEST)
        chaos_want(call, 0);
    if (call->point == SP_HP_RESPONSE)
        chaos_want(call, 1);
    if (chaos_chance(c, 20))
        read_headers(call);
    return chaos_chance(c, conf->pending) ? chaos_wait(call, CHAOS_MAIN) : SP_NEXT;
}

static sp_verdict on_sync(const struct sp_call *call)
{
    struct chaos_ctx *c = chaos_begin(call);

    if (call->point == SP_HP_ATTEMPT && call->attempt == 0)
        chaos_bad(call, "ATTEMPT without a number");
    if (chaos_chance(c, 20))
        read_headers(call);
    return SP_NEXT;
}

static void on_end(const struct sp_call *call)
{
    struct chaos *s = (struct chaos *)call->state;
    struct chaos_ctx *c = (struct chaos_ctx *)call->ctx;
    uint32_t i;

    for (i = 0; i < c->stale_count; i++) {
        struct chaos_job job = {.token = c->stale[i], .late = true};
        job.due_us = chaos_now_us() + chaos_random(c, c->delay_us + 1);
        chaos_thread_add(s->thread, &job);
    }
    for (i = 0; i < 2; i++)
        chaos_forget(s, &c->side[i]);
    for (i = 0; i < EV_COUNT; i++) {
        uint64_t n = __atomic_exchange_n(&s->elsewhere[i], 0, __ATOMIC_RELAXED);
        if (n != 0)
            s->host->metric->add(s->series[i], (double)n);
    }
}

static bool define_metrics(struct chaos *s)
{
    static const char *const labels[] = {"what"};
    uint32_t id =
        s->host->metric->define(s->module, SP_METRIC_COUNTER, "events_total",
                                "What chaos did, and what came of it", labels, 1, NULL, 0);
    uint32_t i;

    for (i = 0; id != 0 && i < EV_COUNT; i++) {
        sp_str what = sp_of(event_names[i]);
        s->series[i] = s->host->metric->series(id, &what, 1);
        if (s->series[i] == 0)
            return false;
    }
    return id != 0;
}

static sp_status on_load(struct sp_load *load)
{
    struct chaos *s = (struct chaos *)calloc(1, sizeof(*s));
    const char *seed = getenv("SALLYPORT_TEST_CHAOS_SEED");

    if (s == NULL)
        return SP_E_NOMEM;
    s->host = load->host;
    s->module = load->module;
    s->seed = seed == NULL ? chaos_mix(chaos_now_us()) % 1000000 : strtoull(seed, NULL, 10);
    if (!define_metrics(s)) {
        free(s);
        return SP_E_LIMIT;
    }
    s->thread = chaos_thread_new(s);
    if (s->thread == NULL) {
        free(s);
        return SP_E_NOMEM;
    }
    s->host->core->log(s->module, NULL, SP_LOG_INFO, "seed %" PRIu64, s->seed);
    load->state = s;
    return SP_OK;
}

static void on_unload(void *state)
{
    struct chaos *s = (struct chaos *)state;

    chaos_thread_free(s->thread);
    free(s);
}

static sp_status on_thread_start(struct sp_thread *t)
{
    uint64_t *exchanges = (uint64_t *)calloc(
        1, sizeof(*exchanges)); /* how many began on this thread: part of their seeds */

    if (exchanges == NULL)
        return SP_E_NOMEM;
    *exchanges = (uint64_t)t->id << 40;
    t->thread_state = exchanges;
    return SP_OK;
}

static void on_thread_stop(struct sp_thread *t)
{
    free(t->thread_state);
}

static sp_status on_conf(struct sp_conf *conf)
{
    const struct chaos *s = (const struct chaos *)conf->state;
    const struct sp_conf_api *api = s->host->conf;
    struct chaos_conf *c = (struct chaos_conf *)calloc(1, sizeof(*c));
    int64_t seed;

    if (c == NULL)
        return SP_E_NOMEM;
    if (api->get_int(conf, "seed", &seed) != SP_OK)
        seed = (int64_t)s->seed;
    c->seed = (uint64_t)seed;
    if (api->get_int(conf, "pending", &c->pending) != SP_OK ||
        api->get_int(conf, "body", &c->body) != SP_OK ||
        api->get_int(conf, "split", &c->split) != SP_OK ||
        api->get_int(conf, "hold", &c->hold) != SP_OK ||
        api->get_int(conf, "delay", &c->delay_ms) != SP_OK ||
        api->get_int(conf, "across", &c->across) != SP_OK) {
        free(c);
        return api->error(conf, NULL, "BUG: an option with a default has no value");
    }
    conf->conf = c;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *conf)
{
    free(conf->conf);
}

static const struct sp_option options[] = {
    SP_OPTION_RANGE(SP_OPT_INT, "seed", NULL, 0, INT64_MAX,
                    "of the random numbers; else SALLYPORT_TEST_CHAOS_SEED, else the time"),
    SP_OPTION_RANGE(SP_OPT_INT, "pending", "30", 0, 100, "percent of hook runs that wait"),
    SP_OPTION_RANGE(SP_OPT_INT, "body", "60", 0, 100, "percent of bodies that are looked at"),
    SP_OPTION_RANGE(SP_OPT_INT, "split", "40", 0, 100,
                    "percent of chunks that are given on in pieces"),
    SP_OPTION_RANGE(SP_OPT_INT, "hold", "40", 0, 100,
                    "percent of waits in a body that hold bytes back"),
    SP_OPTION_RANGE(SP_OPT_DURATION, "delay", "5ms", 1, 10000, "the longest wait"),
    SP_OPTION(SP_OPT_BOOL, "across", "false",
              "hold bytes back until the next chunk too: deadlocks peers that wait for each other"),
    SP_OPTION_END,
};

static const struct sp_hook hooks[] = {
    {SP_HP_STAGE, 0, on_main},   {SP_HP_REQUEST, 0, on_main},  {SP_HP_REQUEST_BODY, 0, chaos_body},
    {SP_HP_ATTEMPT, 0, on_sync}, {SP_HP_RESPONSE, 0, on_main}, {SP_HP_RESPONSE_BODY, 0, chaos_body},
    {SP_HP_LOG, 0, on_sync},
};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("chaos", PLUGIN_VERSION, "waits, splits and holds at random, for tests"),
    .ctx_size = sizeof(struct chaos_ctx),
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE | SP_TABLE_BODY | SP_TABLE_BUFFER |
              SP_TABLE_TIMER | SP_TABLE_METRIC,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .unload = on_unload,
    .thread_start = on_thread_start,
    .thread_stop = on_thread_stop,
    .conf_create = on_conf,
    .conf_free = on_conf_free,
    .exchange_end = on_end,
};

SP_ENTRY(descriptor)
