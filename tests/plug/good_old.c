/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin as older headers make it: its descriptor ends behind conf_create, what follows is not
 * its own. */
#include "bad.h"

#include <string.h>

static const struct sp_hook hooks[] = {{SP_HP_RESPONSE, 0, plug_next}};

const struct sp_plugin *sp_entry(void)
{
    static struct {
        struct sp_plugin p;
    } old;
    old.p = plug_good("good-old");
    old.p.size = offsetof(struct sp_plugin, conf_free);
    old.p.hooks = hooks;
    old.p.nhooks = PLUG_COUNT(hooks);
    memset((char *)&old.p + old.p.size, 0xff, sizeof(old.p) - old.p.size);
    return &old.p;
}
