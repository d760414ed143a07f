/* SPDX-License-Identifier: Apache-2.0 */
/* An integration type without the hook that answers. */
#include "bad.h"

static const char *const provides[] = {"integration:NOTHING", 0};

PLUG("bad-provides", p.provides = provides)
