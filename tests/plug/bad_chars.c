/* SPDX-License-Identifier: Apache-2.0 */
/* A name with characters that do not belong there. */
#include "bad.h"

PLUG("Bad_Chars")
