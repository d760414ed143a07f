/* SPDX-License-Identifier: Apache-2.0 */
/* `reload`: takes the changed conf into service, or shows everything that is wrong with it. */
#include "process/answer.h"
#include "process/cmd.h"

#define TIMEOUT_MS 300000u

int cmd_reload(const struct cli *cli)
{
    struct text answer;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&answer);
    int code = cmd_ask(cli, STR("{\"command\":\"reload\"}"), timeout, false, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    text_fini(&answer);
    return code;
}
