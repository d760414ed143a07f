/* SPDX-License-Identifier: Apache-2.0 */
/* No sp_entry: another name stands where it should. */
#include "bad.h"

SP_EXPORT const struct sp_plugin *sp_enter(void);

const struct sp_plugin *sp_enter(void)
{
    static struct sp_plugin p;
    p = plug_good("bad-entry");
    return &p;
}
