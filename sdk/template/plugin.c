/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin @PLUGIN@: adds a response header that says what its option says. */
#include <sallyport/sugar.h>
#include <stdlib.h>

/* What the options of one place compile to. Immutable; all threads read it. */
struct conf {
    size_t n;
    char greeting[];
};

static const struct sp_host *host;

static sp_status on_load(struct sp_load *load)
{
    host = load->host;
    return SP_OK;
}

static sp_status on_conf_create(struct sp_conf *c)
{
    struct conf *conf;
    sp_str text;

    if (host->conf->get_str(c, "greeting", &text) != SP_OK || text.n == 0)
        return host->conf->error(c, c->node, "'greeting' is empty, expected a text");
    conf = malloc(sizeof(*conf) + text.n);
    if (conf == NULL)
        return SP_E_NOMEM;
    conf->n = text.n;
    memcpy(conf->greeting, text.p, text.n);
    c->conf = conf;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *c)
{
    free(c->conf);
}

static sp_verdict on_response(const struct sp_call *call)
{
    const struct conf *conf = call->conf;
    sp_str greeting = {conf->greeting, conf->n};

    if (host->exchange->header_set(call->x, SP_SIDE_RESPONSE, 0, SP_STR("x-@PLUGIN@"), greeting) !=
        SP_OK)
        host->core->log(call->module, call->x, SP_LOG_WARN,
                        "the greeting does not fit into a header");
    return SP_NEXT;
}

static const struct sp_option options[] = {
    SP_OPTION(SP_OPT_STRING, "greeting", "hello", "what the header says"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {{SP_HP_RESPONSE, 0, on_response}};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("@PLUGIN@", "0.1.0", "adds a greeting to responses"),
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
