/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with one of everything that the loader looks at. */
#include "bad.h"

#include <stdlib.h>

static const struct sp_host *host;
static uint32_t hits;

static const char *const colours[] = {"red", "green", NULL};
static const struct sp_option element[] = {{.type = SP_OPT_STRING, .key = ""}, {.key = NULL}};
static const struct sp_option rate[] = {{.type = SP_OPT_REAL, .key = "", .min = 0, .max = 1},
                                        {.key = NULL}};
static const struct sp_option inner[] = {{.type = SP_OPT_SIZE,
                                          .key = "bytes",
                                          .dflt = "64KB",
                                          .min = 1,
                                          .max = 1 << 20,
                                          .doc = "How many."},
                                         {.type = SP_OPT_LIST,
                                          .flags = SP_OPT_OR_SCALAR,
                                          .key = "names",
                                          .sub = element,
                                          .doc = "Which."},
                                         {.key = NULL}};
static const struct sp_option options[] = {
    {.type = SP_OPT_STRING, .flags = SP_OPT_REQUIRED, .key = "title", .doc = "The title."},
    {.type = SP_OPT_ENUM, .key = "colour", .dflt = "green", .names = colours, .doc = "The colour."},
    {.type = SP_OPT_DURATION, .key = "wait", .dflt = "250ms", .doc = "The wait."},
    {.type = SP_OPT_REAL, .key = "share", .dflt = "0.25", .min = 0, .max = 1, .doc = "The share."},
    {.type = SP_OPT_BOOL, .key = "loud", .doc = "Whether."},
    {.type = SP_OPT_STRING,
     .flags = SP_OPT_SECRET,
     .key = "token",
     .dflt = "hush",
     .doc = "A secret."},
    {.type = SP_OPT_FILE, .key = "file", .doc = "A file."},
    {.type = SP_OPT_MAP, .key = "limits", .sub = inner, .doc = "Limits."},
    {.type = SP_OPT_DICT, .key = "rates", .sub = rate, .doc = "By name."},
    {.key = NULL}};

static const struct sp_hook hooks[] = {{SP_HP_REQUEST, 0, plug_next},
                                       {SP_HP_INTEGRATION, 0, plug_next}};
static const char *const provides[] = {"integration:GOOD", "validator", NULL};

static sp_status echo(const struct sp_command *c)
{
    if (c->nargs == 0)
        return host->command->fail(c, "give %s", "an argument");
    if (c->args[0].n == 0)
        return SP_E_TIMEOUT;
    host->metric->add(hits, 1);
    return host->command->reply(c, c->args[0]);
}

static sp_status load(struct sp_load *l)
{
    const char *const labels[] = {"kind"};
    sp_str all = SP_STR("all");
    host = l->host;
    l->state = malloc(16);
    uint32_t metric =
        host->metric->define(l->module, SP_METRIC_COUNTER, "hits", "Hits.", labels, 1, NULL, 0);
    hits = host->metric->series(metric, &all, 1);
    if (host->command->define(l->module, "Not good", "", echo) != SP_E_ARG ||
        host->command->define(l->module, "echo", "JSON", echo) != SP_OK ||
        host->command->define(l->module, "echo", "JSON", echo) != SP_E_EXISTS)
        return SP_E_ARG;
    return l->state && hits ? SP_OK : SP_E_NOMEM;
}

static void unload(void *state)
{
    free(state);
}

static sp_status thread_start(struct sp_thread *t)
{
    t->thread_state = t->id < 2 ? malloc(t->count) : NULL;
    return t->thread_state ? SP_OK : SP_E_LIMIT;
}

static void thread_stop(struct sp_thread *t)
{
    free(t->thread_state);
}

PLUG("good", p.options = options; p.noptions = PLUG_COUNT(options); p.hooks = hooks;
     p.nhooks = PLUG_COUNT(hooks); p.provides = provides; p.ctx_size = 64; p.load = load;
     p.unload = unload; p.thread_start = thread_start; p.thread_stop = thread_stop;
     p.tables = SP_TABLE_CORE | SP_TABLE_COMMAND; p.flags = SP_PLUGIN_GUARD)
