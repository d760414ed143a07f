/* SPDX-License-Identifier: Apache-2.0 */
/* `status`: how the running gateway is, for people or as JSON. */
#include "process/answer.h"
#include "process/cmd.h"

#define TIMEOUT_MS 10000u

int cmd_status(const struct cli *cli)
{
    struct text answer, out;
    struct answer a;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&answer);
    int code = cmd_ask(cli, STR("{\"command\":\"status\"}"), timeout, false, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    if (code == 0 && !cli->json && answer_read(&a, text_str(&answer)) == 0) {
        text_init(&out);
        answer_pretty(&out, a.root, 0);
        if (out.n)
            fputs(out.p, stdout);
        text_fini(&out);
        answer_fini(&a);
    }
    text_fini(&answer);
    return code;
}
