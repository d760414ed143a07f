/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a function that nobody defines; linked without --no-undefined. */
#include "bad.h"

int sallyport_has_no_such_function(void);

PLUG("bad-symbol", p.ctx_size = (uint32_t)sallyport_has_no_such_function())
