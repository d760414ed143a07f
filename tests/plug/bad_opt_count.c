/* SPDX-License-Identifier: Apache-2.0 */
/* Says that it has options, and has no table. */
#include "bad.h"

PLUG("bad-opt-count", p.noptions = 3)
