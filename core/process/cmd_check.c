/* SPDX-License-Identifier: Apache-2.0 */
/* `check`: loads and compiles the conf in a process of its own, and says what is wrong with it. */
#include "process/answer.h"
#include "process/cmd.h"
#include "process/trial.h"

static int show(const struct cli *cli, const struct answer *a, str json)
{
    const struct node *warnings = node_getz(a->root, "warnings");
    unsigned n = warnings ? warnings->count : 0;
    if (!a->ok)
        return answer_show(json, cli->json);
    if (cli->strict && n) {
        struct diag d;
        diag_init(&d);
        answer_diags(a, &d);
        int code = answer_show_fail(cli->json, &d, "%s: %u warning%s, and --strict was given",
                                    cli->conf, n, n == 1 ? "" : "s");
        diag_fini(&d);
        return code;
    }
    int code = answer_show(json, cli->json);
    if (!cli->json) {
        printf("%s: ok (%lld APIs, %lld routes, %lld plugins), %u warning%s\n", cli->conf,
               (long long)answer_int(a->root, "apis", 0),
               (long long)answer_int(a->root, "routes", 0),
               (long long)answer_int(a->root, "plugins", 0), n, n == 1 ? "" : "s");
    }
    return code;
}

int cmd_check(const struct cli *cli)
{
    struct answer a;
    struct text json;
    int code;
    if (cli->trial)
        return trial_main(cli);
    text_init(&json);
    if (trial_wait(cli->conf, &json) != 0) {
        code = answer_show_fail(cli->json, NULL, "out of memory");
    } else if (answer_read(&a, text_str(&json)) != 0) {
        code = answer_show_fail(cli->json, NULL, "the trial process gave a malformed answer");
    } else {
        code = show(cli, &a, text_str(&json));
        answer_fini(&a);
    }
    text_fini(&json);
    return code;
}
