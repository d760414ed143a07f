/* SPDX-License-Identifier: Apache-2.0 */
/* `command PLUGIN NAME [ARG...]`: runs a command that a plugin registered, in the running gateway.
 */
#include "process/answer.h"
#include "process/cmd.h"

#define TIMEOUT_MS 60000u

int cmd_command(const struct cli *cli)
{
    struct text req;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&req);
    json_open(&req, '{');
    json_kv(&req, "command", STR("command"));
    json_kv(&req, "plugin", str_z(cli->args[0]));
    json_kv(&req, "name", str_z(cli->args[1]));
    json_key(&req, "args");
    json_open(&req, '[');
    for (unsigned i = 2; i < cli->arg_count; i++)
        json_strz(&req, cli->args[i]);
    json_close(&req, ']');
    json_close(&req, '}');
    int code = cmd_ask_show(cli, req.failed ? STR_NONE : text_str(&req), timeout, "result");
    text_fini(&req);
    return code;
}
