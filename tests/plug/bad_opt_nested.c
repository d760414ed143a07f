/* SPDX-License-Identifier: Apache-2.0 */
/* A malformed option inside a map. */
#include "bad.h"

static const struct sp_option inner[] = {
    {.type = SP_OPT_INT, .key = "ok"}, {.type = 0, .key = "deep"}, {.key = 0}};
static const struct sp_option options[] = {{.type = SP_OPT_MAP, .key = "top", .sub = inner},
                                           {.key = 0}};

PLUG("bad-opt-nested", p.options = options; p.noptions = 1)
