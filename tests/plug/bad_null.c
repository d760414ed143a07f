/* SPDX-License-Identifier: Apache-2.0 */
/* sp_entry() returns nothing. */
#include "bad.h"

const struct sp_plugin *sp_entry(void)
{
    return 0;
}
