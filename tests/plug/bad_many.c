/* SPDX-License-Identifier: Apache-2.0 */
/* More hooks than there are points. */
#include "bad.h"

static const struct sp_hook hooks[17] = {{SP_HP_REQUEST, 0, plug_next}};

PLUG("bad-many", p.hooks = hooks; p.nhooks = PLUG_COUNT(hooks))
