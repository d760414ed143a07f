/* SPDX-License-Identifier: Apache-2.0 */
/* A stride of nothing. */
#include "bad.h"

static const struct sp_hook hooks[] = {{SP_HP_RESPONSE, 0, plug_next}};

PLUG("bad-stride", p.hooks = hooks; p.nhooks = PLUG_COUNT(hooks); p.hook_stride = 0)
