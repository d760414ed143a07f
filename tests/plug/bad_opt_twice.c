/* SPDX-License-Identifier: Apache-2.0 */
/* The same key twice. */
#include "bad.h"

static const struct sp_option options[] = {
    {.type = SP_OPT_INT, .key = "x"}, {.type = SP_OPT_BOOL, .key = "x"}, {.key = 0}};

PLUG("bad-opt-twice", p.options = options; p.noptions = PLUG_COUNT(options))
