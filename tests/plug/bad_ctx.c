/* SPDX-License-Identifier: Apache-2.0 */
/* Wants more context than an exchange has room for. */
#include "bad.h"

PLUG("bad-ctx", p.ctx_size = SP_CTX_MAX + 1)
