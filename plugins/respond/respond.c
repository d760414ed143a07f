/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin respond: a fixed answer, made when the conf is read and sent without a copy. Its
 * manual page is README.md. */
#include <sallyport/sugar.h>
#include <stdlib.h>

#include "answer.h"

/* The host is all the state there is. */
static sp_status on_load(struct sp_load *load)
{
    load->state = (void *)(uintptr_t)load->host;
    return SP_OK;
}

static sp_verdict on_request(const struct sp_call *call)
{
    const struct sp_host *host = (const struct sp_host *)call->state;
    const struct answer *a = (const struct answer *)call->conf;
    struct sp_response response;
    sp_verdict verdict;
    uint32_t i;

    memset(&response, 0, sizeof(response));
    response.size = sizeof(response);
    response.status = a->status;
    response.content_type = a->content_type;
    response.slices = &a->body;
    response.nslices = a->body.n == 0 ? 0 : 1;
    response.slice_stride = sizeof(a->body);
    verdict = host->exchange->respond(call->x, &response);
    if (verdict != SP_RESPOND)
        return verdict;
    for (i = 0; i < a->header_count; i++) {
        sp_status st = host->exchange->header_add(call->x, SP_SIDE_RESPONSE, 0, a->headers[i].name,
                                                  a->headers[i].value);
        if (st != SP_OK)
            return host->exchange->fail(call->x, SP_GR_DEFAULT_5XX,
                                        "header '" SP_FMT "' could not be added: error %d",
                                        SP_ARG(a->headers[i].name), (int)st);
    }
    return SP_RESPOND;
}

static const struct sp_option a_value = SP_OPTION(SP_OPT_STRING, "", NULL, "the value");
static const struct sp_option options[] = {
    SP_OPTION_RANGE(SP_OPT_INT, "status", "200", 200, 599, "the answer's status"),
    SP_OPTION(SP_OPT_STRING, "body", NULL, "the answer's body as text"),
    SP_OPTION(SP_OPT_FILE, "body_file", NULL,
              "a file whose bytes are the body, read when the conf is read; at most 1 MB"),
    SP_OPTION(
        SP_OPT_STRING, "content_type", NULL,
        "the Content-Type; text/plain; charset=utf-8 when there is a body and this is absent"),
    SP_OPTION_SUB(SP_OPT_DICT, "headers", 0, &a_value, "further headers"),
    SP_OPTION_END,
};

static const struct sp_hook hooks[] = {{SP_HP_REQUEST, 0, on_request}};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("respond", PLUGIN_VERSION, "answers requests with a fixed response"),
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE | SP_TABLE_BUFFER,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = answer_create,
    .conf_free = answer_destroy,
};

SP_ENTRY(descriptor)
