/* SPDX-License-Identifier: Apache-2.0 */
/* A hook at a point that does not exist. */
#include "bad.h"

static const struct sp_hook hooks[] = {{SP_HP_REQUEST, 0, plug_next}, {99, 0, plug_next}};

PLUG("bad-point", p.hooks = hooks; p.nhooks = PLUG_COUNT(hooks))
