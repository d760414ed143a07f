/* SPDX-License-Identifier: Apache-2.0 */
/* `status`, `upstreams`, `log level`: how the running gateway is, for people or as JSON. */
#include "base/text.h"
#include "process/cmd.h"

#define TIMEOUT_MS 10000u

int cmd_status(const struct cli *cli)
{
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    return timeout ? cmd_ask_show(cli, STR("{\"command\":\"status\"}"), timeout, NULL) : 2;
}

int cmd_upstreams(const struct cli *cli)
{
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    return timeout ? cmd_ask_show(cli, STR("{\"command\":\"upstreams\"}"), timeout, "upstreams") : 2;
}

int cmd_log_level(const struct cli *cli)
{
    struct text req;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&req);
    json_open(&req, '{');
    json_kv(&req, "command", STR("log level"));
    if (cli->arg_count)
        json_kv(&req, "level", str_z(cli->args[0]));
    json_close(&req, '}');
    int code = cmd_ask_show(cli, req.failed ? STR_NONE : text_str(&req), timeout, "level");
    text_fini(&req);
    return code;
}
