/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses to start, after it has defined a command. */
#include "bad.h"

static sp_status command(const struct sp_command *c)
{
    (void)c;
    return SP_OK;
}

static sp_status load(struct sp_load *l)
{
    if (l->host->command->define(l->module, "hello", "", command) != SP_OK)
        return SP_E_ARG;
    return SP_E_LIMIT;
}

PLUG("bad-load", p.load = load)
