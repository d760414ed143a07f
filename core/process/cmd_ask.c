/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that talk to the running gateway share. */
#include "base/text.h"
#include "process/answer.h"
#include "process/cmd.h"
#include "process/ctl.h"

unsigned cmd_timeout(const struct cli *cli, unsigned otherwise_ms)
{
    int64_t ms;
    if (!cli->timeout)
        return otherwise_ms;
    if (str_duration(str_z(cli->timeout), &ms) == 0 && ms > 0 && ms <= 24 * 3600 * 1000)
        return (unsigned)ms;
    (void)cli_usage(cli, "--timeout wants a time such as 30s, not '%.40s'", cli->timeout);
    return 0;
}

int cmd_ask(const struct cli *cli, str request, unsigned timeout_ms, bool until_closed,
            struct text *answer)
{
    char path[CTL_PATH_MAX], why[512];
    if (!request.p)
        return answer_show_fail(cli->json, NULL, "out of memory");
    if (request.n > CTL_REQUEST_MAX)
        return cli_usage(cli, "the request has more than %u KB", CTL_REQUEST_MAX >> 10);
    int rc = ctl_path_client(cli->socket, path, why, sizeof why);
    if (rc == 0) {
        const struct ctl_ask ask = {.path = path,
                                    .request = request,
                                    .timeout_ms = timeout_ms,
                                    .until_closed = until_closed};
        rc = ctl_ask(&ask, answer, why, sizeof why);
    }
    return rc ? answer_show_fail(cli->json, NULL, "%s", why) : 0;
}

static void show(str json, const char *key)
{
    struct answer a;
    struct text out;
    if (answer_read(&a, json) != 0)
        return;
    const struct node *n = key ? node_getz(a.root, key) : a.root;
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

int cmd_ask_show(const struct cli *cli, str request, unsigned timeout_ms, const char *key)
{
    struct text answer;
    text_init(&answer);
    int code = cmd_ask(cli, request, timeout_ms, false, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    if (code == 0 && !cli->json)
        show(text_str(&answer), key);
    text_fini(&answer);
    return code;
}
