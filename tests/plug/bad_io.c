/* SPDX-License-Identifier: Apache-2.0 */
/* Cannot live without a table that this version does not have. */
#include "bad.h"

PLUG("bad-io", p.tables = SP_TABLE_CORE | SP_TABLE_IO)
