/* SPDX-License-Identifier: Apache-2.0 */
/* `plugins [NAME]`: the conf's entries and modules, or what one plugin's options are. */
#include "model/schema.h"
#include "pipeline/module.h"
#include "process/answer.h"
#include "process/cmd.h"
#include "process/local.h"

static void print_value(const struct cli *cli, const char *key, const struct text *value)
{
    struct text t;
    if (!cli->json) {
        if (value->n)
            fputs(value->p, stdout);
        if (value->n && value->p[value->n - 1] != '\n')
            putchar('\n');
        return;
    }
    text_init(&t);
    answer_open(&t);
    json_key(&t, key);
    json_raw(&t, value->n ? text_str(value) : STR("null"));
    json_close(&t, '}');
    puts(t.failed ? "{\"ok\":false}" : t.p);
    text_fini(&t);
}

static void entry_text(struct text *t, const struct gateway *g, const struct gw_plugin *p,
                       const struct sp_module *m)
{
    const struct diag_at at = node_where(g->tree, p->node);
    text_printf(t, "%-20.*s %-16.*s %-10s ABI %u.%u  %s  (%s:%u)%s%s\n", STR_ARG(p->id),
                STR_ARG(p->use), m ? m->desc.version : "-", m ? m->desc.abi_major : 0,
                m ? m->desc.abi_minor : 0, m ? m->path : "-", at.file ? at.file : "-", at.line,
                p->shadow ? "  shadow" : "", p->enabled ? "" : "  disabled");
}

static void entry_json(struct text *t, const struct gateway *g, const struct gw_plugin *p,
                       const struct sp_module *m)
{
    const struct diag_at at = node_where(g->tree, p->node);
    json_open(t, '{');
    json_kv(t, "entry", p->id);
    json_kv(t, "plugin", p->use);
    json_key(t, "enabled");
    json_bool(t, p->enabled);
    json_key(t, "shadow");
    json_bool(t, p->shadow);
    json_kv(t, "file", str_z(at.file));
    json_kvi(t, "line", at.line);
    if (m) {
        char sum[65];
        module_sha256(m, sum);
        json_kv(t, "version", str_z(m->desc.version));
        json_kvi(t, "abi_major", m->desc.abi_major);
        json_kvi(t, "abi_minor", m->desc.abi_minor);
        json_kv(t, "path", str_z(m->path));
        json_kv(t, "sha256", str_z(sum));
        json_kv(t, "summary", str_z(m->desc.summary));
    }
    json_close(t, '}');
}

static int list(const struct cli *cli, const struct local *l)
{
    const struct gateway *g = snapshot_gateway(l->snap);
    struct text t;
    int code = 0;
    text_init(&t);
    if (cli->json)
        json_open(&t, '[');
    for (unsigned i = 0; i < g->plugin_count; i++) {
        const struct gw_plugin *p = &g->plugins[i];
        const struct sp_module *m = module_find(pipeline_modules(l->pipeline), p->use);
        if (cli->json)
            entry_json(&t, g, p, m);
        else
            entry_text(&t, g, p, m);
    }
    if (cli->json)
        json_close(&t, ']');
    else if (g->plugin_count == 0)
        text_addz(&t, "no plugins\n");
    if (t.failed)
        code = answer_show_fail(cli->json, NULL, "out of memory");
    else
        print_value(cli, "plugins", &t);
    text_fini(&t);
    return code;
}

/* One that the conf does not name may still be installed, and a bad conf is no reason not to tell
 * its options. */
static int describe(const struct cli *cli, struct local *l)
{
    const struct pipeline_conf pc = {.threads = 0, .version = PACKAGE_VERSION};
    const struct gateway *g = l->snap ? snapshot_gateway(l->snap) : NULL;
    const str usual = STR(SALLYPORT_PLUGINDIR);
    str name = str_z(cli->args[0]);
    struct text out;
    struct diag d;
    int code = 0;
    if (!l->pipeline)
        l->pipeline = pipeline_new(&pc, NULL);
    if (!l->pipeline)
        return answer_show_fail(cli->json, NULL, "out of memory");
    diag_init(&d);
    text_init(&out);
    struct module_registry *r = pipeline_modules(l->pipeline);
    struct sp_module *mod = module_find(r, name);
    if (!mod) {
        mod = module_load(r, name, NULL, STR_NONE, g ? g->plugin_dirs : &usual,
                          g ? g->plugin_dir_count : 1, g ? g->tree : NULL, NULL, &d);
    }
    if (mod)
        module_describe(mod, &out, cli->json);
    if (!mod)
        code = answer_show_fail(cli->json, &d, "no plugin '%.64s' can be loaded", cli->args[0]);
    else if (out.failed)
        code = answer_show_fail(cli->json, NULL, "out of memory");
    else
        print_value(cli, "plugin", &out);
    text_fini(&out);
    diag_fini(&d);
    return code;
}

static int ask_running(const struct cli *cli)
{
    struct text answer;
    struct answer a;
    text_init(&answer);
    int code = cmd_ask(cli, STR("{\"command\":\"plugins\"}"), 30000, false, &answer);
    if (code == 0)
        code = answer_show(text_str(&answer), cli->json);
    if (code == 0 && !cli->json && answer_read(&a, text_str(&answer)) == 0) {
        struct text out;
        const struct node *n = node_getz(a.root, "plugins");
        text_init(&out);
        if (n)
            answer_pretty(&out, n, 0);
        if (out.n)
            fputs(out.p, stdout);
        text_fini(&out);
        answer_fini(&a);
    }
    text_fini(&answer);
    return code;
}

int cmd_plugins(const struct cli *cli)
{
    struct local l;
    char count[40];
    int code = 0;
    if (cli->running && cli->arg_count)
        return cli_usage(cli, "'plugins --running' takes no name");
    if (cli->running)
        return ask_running(cli);
    int rc = local_load(&l, cli->conf, NULL);
    if (cli->arg_count) {
        code = describe(cli, &l);
    } else if (rc) {
        code = answer_show_fail(cli->json, &l.diag, "%s: %s", cli->conf,
                                rc == E_NOMEM ? "out of memory"
                                              : local_count(&l.diag, count, sizeof count));
    } else {
        code = list(cli, &l);
    }
    local_fini(&l);
    return code;
}
