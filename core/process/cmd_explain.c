/* SPDX-License-Identifier: Apache-2.0 */
/* `explain METHOD URL`: what a request would meet, from the conf on disk, or in the running
 * gateway. */
#include "http/hdr.h"
#include "process/answer.h"
#include "process/cmd.h"
#include "process/local.h"

static int ask_running(const struct cli *cli)
{
    struct text req, answer;
    text_init(&req);
    text_init(&answer);
    json_open(&req, '{');
    json_kv(&req, "command", STR("explain"));
    json_kv(&req, "method", str_z(cli->args[0]));
    json_kv(&req, "url", str_z(cli->args[1]));
    json_key(&req, "headers");
    json_open(&req, '[');
    for (unsigned i = 0; i < cli->header_count; i++)
        json_strz(&req, cli->headers[i]);
    json_close(&req, ']');
    json_close(&req, '}');
    int code = cmd_ask(cli, text_str(&req), 30000, false, &answer);
    if (code == 0) {
        struct answer a;
        code = answer_show(text_str(&answer), cli->json);
        const struct node *n = !cli->json && answer_read(&a, text_str(&answer)) == 0
                                   ? node_getz(a.root, "explain")
                                   : NULL;
        if (n) {
            struct text out;
            text_init(&out);
            answer_pretty(&out, n, 0);
            if (out.n)
                fputs(out.p, stdout);
            text_fini(&out);
        }
        if (!cli->json && n)
            answer_fini(&a);
    }
    text_fini(&answer);
    text_fini(&req);
    return code;
}

static int explain(const struct cli *cli, const struct local *l)
{
    str headers[CLI_HEADERS_MAX];
    struct text out;
    for (unsigned i = 0; i < cli->header_count; i++)
        headers[i] = str_z(cli->headers[i]);
    text_init(&out);
    int rc = pipeline_explain(l->snap, str_z(cli->args[0]), str_z(cli->args[1]), headers,
                              cli->header_count, cli->json, &out);
    int code = rc == 0 ? 0 : 1;
    if (out.failed || rc == E_NOMEM) {
        code = answer_show_fail(cli->json, NULL, "out of memory");
    } else if (rc && rc != E_NONE) {
        code = cli_usage(cli, "'%.40s %.300s': %s", cli->args[0], cli->args[1],
                         out.n ? out.p : "the method, the URL or a header is malformed");
    } else if (cli->json) {
        struct text t;
        text_init(&t);
        json_open(&t, '{');
        json_key(&t, "ok");
        json_bool(&t, rc == 0);
        if (rc)
            json_kv(&t, "message", STR("nothing answers this request"));
        json_key(&t, "explain");
        json_raw(&t, out.n ? text_str(&out) : STR("null"));
        json_close(&t, '}');
        puts(t.failed ? "{\"ok\":false}" : t.p);
        text_fini(&t);
    } else if (out.n) {
        fputs(out.p, stdout);
        if (out.p[out.n - 1] != '\n')
            putchar('\n');
    }
    text_fini(&out);
    return code;
}

/* "Name: value", as HTTP has it. */
static bool header_ok(const char *text)
{
    str s = str_z(text);
    size_t colon = str_chr(s, ':');
    return colon < s.n && hdr_name_ok(str_take(s, colon)) &&
           hdr_value_ok(str_trim(str_drop(s, colon + 1), " \t"));
}

int cmd_explain(const struct cli *cli)
{
    struct local l;
    char count[40];
    int code;
    for (unsigned i = 0; i < cli->header_count; i++) {
        if (!header_ok(cli->headers[i]))
            return cli_usage(cli, "-H wants 'NAME: VALUE', not '%.80s'", cli->headers[i]);
    }
    if (!hdr_name_ok(str_z(cli->args[0])))
        return cli_usage(cli, "'%.40s' is no method", cli->args[0]);
    if (cli->running)
        return ask_running(cli);
    int rc = local_load(&l, cli->conf, NULL);
    if (rc) {
        code = answer_show_fail(cli->json, &l.diag, "%s: %s", cli->conf,
                                rc == E_NOMEM ? "out of memory"
                                              : local_count(&l.diag, count, sizeof count));
    } else {
        code = explain(cli, &l);
    }
    local_fini(&l);
    return code;
}
