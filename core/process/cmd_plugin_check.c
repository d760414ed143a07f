/* SPDX-License-Identifier: Apache-2.0 */
/* `plugin check FILE.so`: everything that loading looks at, short of load() itself. */
#include "pipeline/module.h"
#include "pipeline/pipeline.h"
#include "process/answer.h"
#include "process/cmd.h"

static void show_ok(const struct cli *cli, const struct module_report *r,
                    const struct sp_module *mod)
{
    struct text t;
    char sum[65];
    module_sha256(mod, sum);
    text_init(&t);
    if (cli->json) {
        answer_open(&t);
        json_kv(&t, "file", str_z(cli->args[0]));
        json_kv(&t, "name", str_z(r->name));
        json_kv(&t, "version", str_z(r->version));
        json_kvi(&t, "abi_major", r->abi_major);
        json_kvi(&t, "abi_minor", r->abi_minor);
        json_kvi(&t, "need_minor", r->need_minor);
        json_kv(&t, "sha256", str_z(sum));
        json_close(&t, '}');
    } else {
        text_printf(&t, "%s: ok: %s %s, ABI %u.%u, needs %u.%u\nsha256 %s\n", cli->args[0], r->name,
                    r->version, r->abi_major, r->abi_minor, r->abi_major, r->need_minor, sum);
        if (mod->desc.summary)
            text_printf(&t, "%s\n", mod->desc.summary);
    }
    if (t.n)
        fputs(t.p, stdout);
    if (cli->json)
        putchar('\n');
    text_fini(&t);
}

static int show_problem(const struct cli *cli, const struct module_report *r)
{
    struct text t;
    if (!cli->json) {
        fprintf(stderr, "%s: error: %s\n", cli->args[0], r->problem);
        if (r->advice[0])
            fprintf(stderr, "%s: %s\n", cli->args[0], r->advice);
        return 1;
    }
    text_init(&t);
    json_open(&t, '{');
    json_key(&t, "ok");
    json_bool(&t, false);
    json_kv(&t, "file", str_z(cli->args[0]));
    json_kv(&t, "message", str_z(r->problem));
    json_kv(&t, "advice", str_z(r->advice));
    json_key(&t, "errors");
    json_open(&t, '[');
    json_open(&t, '{');
    json_kv(&t, "level", STR("error"));
    json_kv(&t, "file", str_z(cli->args[0]));
    json_kv(&t, "message", str_z(r->problem));
    json_kv(&t, "expected", str_z(r->advice));
    json_close(&t, '}');
    json_close(&t, ']');
    json_close(&t, '}');
    puts(t.failed ? "{\"ok\":false}" : t.p);
    text_fini(&t);
    return 1;
}

int cmd_plugin_check(const struct cli *cli)
{
    const struct pipeline_conf pc = {.threads = 0, .version = PACKAGE_VERSION};
    struct module_report report = {.ok = false};
    struct sp_module *mod = NULL;
    struct pipeline *p = pipeline_new(&pc, NULL);
    int code = 0;
    if (!p)
        return answer_show_fail(cli->json, NULL, "out of memory");
    int rc = module_open(pipeline_modules(p), cli->args[0], STR_NONE, &report, &mod);
    if (rc == 0 && mod)
        show_ok(cli, &report, mod);
    else
        code = show_problem(cli, &report);
    pipeline_free(p);
    return code;
}
