/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose conf_create goes wrong as its option says; at unload it tells how many confs it
 * made and how many came back. */
#include <sallyport/sugar.h>
#include <stdio.h>
#include <stdlib.h>

enum { CASE_OK = 0, CASE_THIRD, CASE_CROSS, CASE_CRASH, CASE_SILENT, CASE_NOMEM, CASE_DECLINE };

struct state {
    const struct sp_host *host;
    unsigned calls, created, freed;
};

static sp_status on_load(struct sp_load *load)
{
    struct state *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return SP_E_NOMEM;
    s->host = load->host;
    load->state = s;
    return SP_OK;
}

static void on_unload(void *state)
{
    struct state *s = state;

    fprintf(stderr, "conf-case: calls=%u created=%u freed=%u\n", s->calls, s->created, s->freed);
    free(s);
}

static sp_status cross(struct sp_conf *c, const struct sp_conf_api *api)
{
    int64_t low = 0, high = 0;

    api->get_int(c, "low", &low);
    api->get_int(c, "high", &high);
    if (low > high)
        return api->error(c, api->get(c->node, "low"), "low is above high, expected at most %d",
                          (int)high);
    return SP_OK;
}

static sp_status on_conf_create(struct sp_conf *c)
{
    struct state *s = c->state;
    const struct sp_conf_api *api = s->host->conf;
    int64_t which = CASE_OK;
    sp_status st = SP_OK;

    s->calls++;
    api->get_int(c, "case", &which);
    if (which == CASE_CRASH)
        abort();
    if (which == CASE_DECLINE)
        return SP_DECLINE;
    if (which == CASE_NOMEM)
        return SP_E_NOMEM;
    if (which == CASE_SILENT) /* fails and does not say why: the host must */
        return SP_E_ARG;
    if (which == CASE_THIRD && s->calls == 3)
        return api->error(c, c->node, "the third place is refused");
    if (which == CASE_CROSS)
        st = cross(c, api);
    if (st != SP_OK)
        return st;
    c->conf = malloc(16);
    if (c->conf == NULL)
        return SP_E_NOMEM;
    s->created++;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *c)
{
    struct state *s = c->state;

    s->freed++;
    free(c->conf);
}

static sp_verdict on_request(const struct sp_call *call)
{
    (void)call;
    return SP_NEXT;
}

static const char *const cases[] = {"ok",     "third", "cross",   "crash",
                                    "silent", "nomem", "decline", NULL};
static const struct sp_option options[] = {
    SP_OPTION_ENUM("case", "ok", cases, "what goes wrong"),
    SP_OPTION_RANGE(SP_OPT_INT, "low", "1", 0, 100, "at most high"),
    SP_OPTION_RANGE(SP_OPT_INT, "high", "2", 0, 100, "at least low"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {{SP_HP_REQUEST, 0, on_request}};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("conf-case", "1", "fails while a conf is compiled"),
    .flags = SP_PLUGIN_PER_PLACE,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .unload = on_unload,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
