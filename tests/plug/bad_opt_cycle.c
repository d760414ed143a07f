/* SPDX-License-Identifier: Apache-2.0 */
/* A map that holds itself. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_MAP, .key = "again", .sub = options},
                                           {.key = 0}};

PLUG("bad-opt-cycle", p.options = options; p.noptions = 1)
