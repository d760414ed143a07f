/* SPDX-License-Identifier: Apache-2.0 */
/* Cannot live without a table that nobody has heard of. */
#include "bad.h"

PLUG("bad-table", p.tables = (uint64_t)1 << 60)
