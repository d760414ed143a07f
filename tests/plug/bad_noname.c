/* SPDX-License-Identifier: Apache-2.0 */
/* No name at all. */
#include "bad.h"

PLUG("", p.name = 0)
