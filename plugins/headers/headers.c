/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin headers: sets, adds, removes and renames headers of requests and responses. Its manual
 * page is README.md. */
#include "program.h"

#include <sallyport/sugar.h>

/* The host is all the state there is. */
static sp_status on_load(struct sp_load *load)
{
    load->state = (void *)(uintptr_t)load->host;
    return SP_OK;
}

static sp_verdict on_request(const struct sp_call *call)
{
    const struct program *p = (const struct program *)call->conf;

    return p->request.count == 0 ? SP_NEXT : program_run(call, &p->request, SP_SIDE_REQUEST);
}

static sp_verdict on_response(const struct sp_call *call)
{
    const struct program *p = (const struct program *)call->conf;

    return p->response.count == 0 ? SP_NEXT : program_run(call, &p->response, SP_SIDE_RESPONSE);
}

static const struct sp_option a_value =
    SP_OPTION(SP_OPT_STRING, "", NULL, "the value, with references");
static const struct sp_option values =
    SP_OPTION_SUB(SP_OPT_LIST, "", SP_OPT_OR_SCALAR, &a_value, "one value or a list of them");
static const struct sp_option a_name = SP_OPTION(SP_OPT_STRING, "", NULL, "a header's name");
static const struct sp_option a_status =
    SP_OPTION(SP_OPT_STRING, "", NULL, "a status, 404, or a class, 4xx");

#define EDITS                                                                                      \
    SP_OPTION_SUB(SP_OPT_DICT, "set", 0, &values,                                                  \
                  "replaces the header; one whose value is missing is removed"),                   \
        SP_OPTION_SUB(SP_OPT_DICT, "add", 0, &values, "adds values beside those that are there"),  \
        SP_OPTION_SUB(SP_OPT_LIST, "remove", SP_OPT_OR_SCALAR, &a_name, "removes all values"),     \
        SP_OPTION_SUB(SP_OPT_DICT, "rename", 0, &a_name, "old name to new name")

static const struct sp_option request[] = {EDITS, SP_OPTION_END};
static const struct sp_option response[] = {
    EDITS,
    SP_OPTION_SUB(SP_OPT_LIST, "status", SP_OPT_OR_SCALAR, &a_status,
                  "only for these statuses; without it for all"),
    SP_OPTION_END,
};
static const struct sp_option options[] = {
    SP_OPTION_SUB(SP_OPT_MAP, "request", 0, request, "edits of what goes to the backend"),
    SP_OPTION_SUB(SP_OPT_MAP, "response", 0, response, "edits of what goes to the client"),
    SP_OPTION_END,
};

static const struct sp_hook hooks[] = {
    {SP_HP_REQUEST, 0, on_request},
    {SP_HP_RESPONSE, 0, on_response},
};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("headers", PLUGIN_VERSION, "sets, adds, removes and renames headers"),
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = program_create,
    .conf_free = program_destroy,
};

SP_ENTRY(descriptor)
