/* SPDX-License-Identifier: Apache-2.0 */
/* An ENUM without names. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_ENUM, .key = "x"}, {.key = 0}};

PLUG("bad-opt-enum", p.options = options; p.noptions = PLUG_COUNT(options))
