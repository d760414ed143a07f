/* SPDX-License-Identifier: Apache-2.0 */
/* `command PLUGIN NAME [ARG...]`: runs a command that a plugin registered, in the running gateway.
 */
#include "process/answer.h"
#include "process/cmd.h"

#define TIMEOUT_MS 60000u

static void print_result(str json)
{
    struct answer a;
    struct text out;
    if (answer_read(&a, json) != 0)
        return;
    const struct node *n = node_getz(a.root, "result");
    text_init(&out);
    if (n && node_is_scalar(n)) {
        text_add(&out, n->text);
        text_chr(&out, '\n');
    } else if (n) {
        answer_pretty(&out, n, 0);
    }
    if (out.n)
        fputs(out.p, stdout);
    text_fini(&out);
    answer_fini(&a);
}

int cmd_command(const struct cli *cli)
{
    struct text req, answer;
    unsigned timeout = cmd_timeout(cli, TIMEOUT_MS);
    if (!timeout)
        return 2;
    text_init(&req);
    text_init(&answer);
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
    int code = cmd_ask(cli, req.failed ? STR_NONE : text_str(&req), timeout, false, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    if (code == 0 && !cli->json)
        print_result(text_str(&answer));
    text_fini(&answer);
    text_fini(&req);
    return code;
}
