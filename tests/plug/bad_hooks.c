/* SPDX-License-Identifier: Apache-2.0 */
/* Says that it has hooks, and has no table. */
#include "bad.h"

PLUG("bad-hooks", p.nhooks = 1)
