/* SPDX-License-Identifier: Apache-2.0 */
/* `stop`: waits until the gateway has ended. */
#include "process/answer.h"
#include "process/cmd.h"

#define TIMEOUT_MS 600000u

int cmd_stop(const struct cli *cli)
{
    struct text answer;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&answer);
    str request =
        cli->fast ? STR("{\"command\":\"stop\",\"fast\":true}") : STR("{\"command\":\"stop\"}");
    int code = cmd_ask(cli, request, timeout, true, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    text_fini(&answer);
    return code;
}
