/* SPDX-License-Identifier: Apache-2.0 */
/* A size that no descriptor has. */
#include "bad.h"

PLUG("bad-huge", p.size = 1u << 20)
