/* SPDX-License-Identifier: Apache-2.0 */
/* `version`. */
#include <sallyport/abi.h>

#include "base/text.h"
#include "process/answer.h"
#include "process/cmd.h"

int cmd_version(const struct cli *cli)
{
    struct text t;
    if (!cli->json) {
        printf("sallyport %s (plugin ABI %d.%d)\n", PACKAGE_VERSION, SP_ABI_MAJOR, SP_ABI_MINOR);
        return 0;
    }
    text_init(&t);
    answer_open(&t);
    json_kv(&t, "version", STR(PACKAGE_VERSION));
    json_kvi(&t, "abi_major", SP_ABI_MAJOR);
    json_kvi(&t, "abi_minor", SP_ABI_MINOR);
    json_kv(&t, "plugin_dir", STR(SALLYPORT_PLUGINDIR));
    json_close(&t, '}');
    puts(t.failed ? "{\"ok\":false}" : t.p);
    text_fini(&t);
    return 0;
}
