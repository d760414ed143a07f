/* SPDX-License-Identifier: Apache-2.0 */
/* An empty name. */
#include "bad.h"

PLUG("")
