/* SPDX-License-Identifier: Apache-2.0 */
/* A least value above the largest. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_INT, .key = "x", .min = 2, .max = 1},
                                           {.key = 0}};

PLUG("bad-opt-bounds", p.options = options; p.noptions = PLUG_COUNT(options))
