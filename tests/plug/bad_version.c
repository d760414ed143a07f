/* SPDX-License-Identifier: Apache-2.0 */
/* Has no version. */
#include "bad.h"

PLUG("bad-version", p.version = 0)
