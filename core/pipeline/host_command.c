/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's table of commands. */
#include "pipeline/host.h"
#include "pipeline/mod_int.h"

#define REPLY_MAX (8u << 20)

static sp_status command_define(struct sp_module *m, const char *name, const char *usage,
                                sp_status (*fn)(const struct sp_command *))
{
    CHECK_OBJ(m, MODULE_MAGIC);
    return mod_command_define(m, name, usage, fn);
}

/* The caller holds a const pointer to what module_command_run made on its stack. */
static struct command_run *run_of(const struct sp_command *c)
{
    return CONTAINER_OF((struct sp_command *)(uintptr_t)c, struct command_run, call);
}

static bool is_json(str json)
{
    struct diag d;
    struct node_limits limits = NODE_LIMITS_DEFAULT;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    limits.bytes = REPLY_MAX;
    bool ok = t && node_read_json(t, &d, "reply", json, &limits) != NULL;
    diag_fini(&d);
    node_tree_free(t);
    return ok;
}

static sp_status command_reply(const struct sp_command *c, sp_str json)
{
    if (!c)
        return SP_E_ARG;
    struct command_run *run = run_of(c);
    if (json.n > REPLY_MAX)
        return SP_E_LIMIT;
    if (run->failed || !is_json(json))
        return SP_E_ARG;
    text_fini(run->out);
    text_init(run->out);
    text_add(run->out, json);
    run->replied = true;
    return run->out->failed ? SP_E_NOMEM : SP_OK;
}

PRINTF(2, 3)
static sp_status command_fail(const struct sp_command *c, const char *fmt, ...)
{
    if (!c || !fmt)
        return SP_E_ARG;
    struct command_run *run = run_of(c);
    va_list ap;
    text_fini(run->out);
    text_init(run->out);
    va_start(ap, fmt);
    text_vprintf(run->out, fmt, ap);
    va_end(ap);
    run->failed = true;
    return SP_E_ARG;
}

const struct sp_command_api host_command_api = {
    .size = sizeof(struct sp_command_api),
    .define = command_define,
    .reply = command_reply,
    .fail = command_fail,
};
