/* SPDX-License-Identifier: Apache-2.0 */
/* Not named as its file is. */
#include "bad.h"

PLUG("something-else")
