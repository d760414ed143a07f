/* SPDX-License-Identifier: Apache-2.0 */
/* A LIST that does not say of what. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_LIST, .key = "x"}, {.key = 0}};

PLUG("bad-opt-list", p.options = options; p.noptions = PLUG_COUNT(options))
