/* SPDX-License-Identifier: Apache-2.0 */
/* A hook without a function. */
#include "bad.h"

static const struct sp_hook hooks[] = {{SP_HP_RESPONSE, 0, 0}};

PLUG("bad-fn", p.hooks = hooks; p.nhooks = PLUG_COUNT(hooks))
