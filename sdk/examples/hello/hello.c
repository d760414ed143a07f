/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin hello: every response says X-Hello, with a text from the conf. */
#include <sallyport/sugar.h>
#include <stdlib.h>

static const struct sp_host *host; /* the gateway's functions; lives for ever */

static sp_status on_load(struct sp_load *load)
{
    host = load->host;
    return SP_OK;
}

/* Main thread, when the conf is read: options in, an immutable object of ours out. */
static sp_status on_conf_create(struct sp_conf *c)
{
    sp_str text;
    char *copy;

    if (host->conf->get_str(c, "text", &text) != SP_OK || text.n == 0)
        return host->conf->error(c, c->node, "'text' is empty, expected what to say");
    copy = calloc(1, text.n + 1);
    if (copy == NULL)
        return SP_E_NOMEM;
    memcpy(copy, text.p, text.n);
    c->conf = copy;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *c)
{
    free(c->conf);
}

/* On the exchange's thread, for each response: never blocks, answers with a verdict. */
static sp_verdict on_response(const struct sp_call *call)
{
    sp_str text = sp_of(call->conf);

    host->exchange->header_set(call->x, SP_SIDE_RESPONSE, 0, SP_STR("X-Hello"), text);
    return SP_NEXT;
}

static const struct sp_option options[] = {
    SP_OPTION(SP_OPT_STRING, "text", "world", "what X-Hello says"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {{SP_HP_RESPONSE, 0, on_response}};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("hello", "1.0.0", "says hello in every response"),
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
