/* SPDX-License-Identifier: Apache-2.0 */
/* The first four bytes are of something else. */
#include "bad.h"

PLUG("bad-magic", p.magic = 0x12345678)
