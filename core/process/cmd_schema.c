/* SPDX-License-Identifier: Apache-2.0 */
/* `schema [api]`: JSON Schema for editors. */
#include "base/text.h"
#include "model/gateway.h"
#include "process/answer.h"
#include "process/cmd.h"

int cmd_schema(const struct cli *cli)
{
    struct text t;
    bool api = cli->arg_count && str_eqz(str_z(cli->args[0]), "api");
    if (cli->arg_count && !api)
        return cli_usage(cli, "'schema' knows 'api', not '%.40s'", cli->args[0]);
    text_init(&t);
    gateway_dump_schema(&t, api);
    if (t.failed) {
        text_fini(&t);
        return answer_show_fail(cli->json, NULL, "out of memory");
    }
    if (t.n)
        fputs(t.p, stdout);
    if (t.n && t.p[t.n - 1] != '\n')
        putchar('\n');
    text_fini(&t);
    return 0;
}
