/* SPDX-License-Identifier: Apache-2.0 */
/* A name of 64 characters. */
#include "bad.h"

PLUG("a23456789012345678901234567890123456789012345678901234567890abcd")
