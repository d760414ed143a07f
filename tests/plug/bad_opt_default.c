/* SPDX-License-Identifier: Apache-2.0 */
/* A default that is not a value of the type. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_DURATION, .key = "x", .dflt = "soon"},
                                           {.key = 0}};

PLUG("bad-opt-default", p.options = options; p.noptions = PLUG_COUNT(options))
