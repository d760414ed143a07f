/* SPDX-License-Identifier: Apache-2.0 */
/* An option of an unknown type. */
#include "bad.h"

static const struct sp_option options[] = {{.type = 77, .key = "x"}, {.key = 0}};

PLUG("bad-opt-type", p.options = options; p.noptions = PLUG_COUNT(options))
