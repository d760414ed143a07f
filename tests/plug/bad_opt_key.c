/* SPDX-License-Identifier: Apache-2.0 */
/* A key that no conf could hold. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_INT, .key = "a b"}, {.key = 0}};

PLUG("bad-opt-key", p.options = options; p.noptions = PLUG_COUNT(options))
