/* SPDX-License-Identifier: Apache-2.0 */
/* A default out of bounds. */
#include "bad.h"

static const struct sp_option options[] = {
    {.type = SP_OPT_INT, .key = "x", .dflt = "9", .min = 1, .max = 3}, {.key = 0}};

PLUG("bad-opt-range", p.options = options; p.noptions = PLUG_COUNT(options))
