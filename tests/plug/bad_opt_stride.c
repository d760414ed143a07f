/* SPDX-License-Identifier: Apache-2.0 */
/* A stride of less than an option. */
#include "bad.h"

static const struct sp_option options[] = {{.type = SP_OPT_INT, .key = "x"}, {.key = 0}};

PLUG("bad-opt-stride", p.options = options; p.noptions = 1; p.option_stride = 8)
