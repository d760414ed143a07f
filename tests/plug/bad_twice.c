/* SPDX-License-Identifier: Apache-2.0 */
/* Two hooks at one point. */
#include "bad.h"

static const struct sp_hook hooks[] = {
    {SP_HP_REQUEST, 0, plug_next}, {SP_HP_LOG, 0, plug_next}, {SP_HP_REQUEST, 0, plug_next}};

PLUG("bad-twice", p.hooks = hooks; p.nhooks = PLUG_COUNT(hooks))
