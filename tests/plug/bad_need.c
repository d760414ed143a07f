/* SPDX-License-Identifier: Apache-2.0 */
/* Cannot live without a later minor. */
#include "bad.h"

PLUG("bad-need", p.need_minor = SP_ABI_MINOR + 1)
