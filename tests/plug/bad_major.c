/* SPDX-License-Identifier: Apache-2.0 */
/* Made for another ABI. */
#include "bad.h"

PLUG("bad-major", p.abi_major = 7; p.abi_minor = 3)
