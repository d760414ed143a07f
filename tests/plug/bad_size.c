/* SPDX-License-Identifier: Apache-2.0 */
/* Too short to hold even its name. */
#include "bad.h"

PLUG("bad-size", p.size = 16)
