/* SPDX-License-Identifier: Apache-2.0 */
/* sp_entry() returns an address where no descriptor can stand. */
#include "bad.h"

const struct sp_plugin *sp_entry(void)
{
    static struct sp_plugin p[2];
    p[0] = plug_good("bad-align");
    return (const struct sp_plugin *)(const void *)((const char *)p + 1);
}
