/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of plugins: defined while they load, run on the main thread for the control socket. */
#include "pipeline/mod_int.h"

#define COMMANDS_MAX 1024
#define USAGE_MAX    512

static struct module_command *find(const struct module_registry *reg, const struct sp_module *m,
                                   str name)
{
    for (unsigned i = 0; i < reg->command_count; i++)
        if (reg->commands[i].module == m && str_eqz(name, reg->commands[i].name))
            return &reg->commands[i];
    return NULL;
}

static int grow(struct module_registry *reg)
{
    if (reg->command_count < reg->command_cap)
        return 0;
    unsigned cap = reg->command_cap ? reg->command_cap * 2 : 16;
    if (cap > COMMANDS_MAX)
        return E_LIMIT;
    struct module_command *v = realloc(reg->commands, cap * sizeof *v);
    if (!v)
        return E_NOMEM;
    reg->commands = v;
    reg->command_cap = cap;
    return 0;
}

int mod_command_define(struct sp_module *m, const char *name, const char *usage,
                       sp_status (*fn)(const struct sp_command *))
{
    struct module_registry *reg = m->registry;
    if (!m->in_load)
        return E_PHASE;
    if (!name || !fn || !mod_name_ok(str_n(name, strnlen(name, 65))) ||
        (usage && strnlen(usage, USAGE_MAX + 1) > USAGE_MAX))
        return E_ARG;
    if (find(reg, m, str_z(name)))
        return E_EXISTS;
    int rc = grow(reg);
    if (rc)
        return rc;
    struct module_command c = {.module = m,
                               .name = str_dup(str_z(name)),
                               .usage = str_dup(str_z(usage ? usage : "")),
                               .fn = fn};
    if (!c.name || !c.usage) {
        free(c.name);
        free(c.usage);
        return E_NOMEM;
    }
    reg->commands[reg->command_count++] = c;
    return 0;
}

void mod_command_drop(struct sp_module *m)
{
    struct module_registry *reg = m->registry;
    unsigned kept = 0;
    for (unsigned i = 0; i < reg->command_count; i++) {
        if (reg->commands[i].module != m) {
            reg->commands[kept++] = reg->commands[i];
            continue;
        }
        free(reg->commands[i].name);
        free(reg->commands[i].usage);
    }
    reg->command_count = kept;
}

static void say(struct text *out, const char *fmt, ...) PRINTF(2, 3);
static void say(struct text *out, const char *fmt, ...)
{
    text_fini(out);
    text_init(out);
    va_list ap;
    va_start(ap, fmt);
    text_vprintf(out, fmt, ap);
    va_end(ap);
}

static int unknown(const struct module_registry *reg, const struct sp_module *m, str name,
                   struct text *out)
{
    say(out, "the plugin '%s' has no command '%.*s'", m->desc.name, STR_ARG(str_take(name, 80)));
    unsigned n = 0;
    for (unsigned i = 0; i < reg->command_count; i++)
        if (reg->commands[i].module == m)
            text_printf(out, "%s%s", n++ ? ", " : "; it has: ", reg->commands[i].name);
    if (n == 0)
        text_addz(out, ": it has none");
    return E_NONE;
}

int module_command_run(struct module_registry *reg, str plugin, str name, const str *args,
                       unsigned nargs, struct text *out)
{
    struct sp_module *m = module_find(reg, plugin);
    if (!m) {
        say(out, "no plugin named '%.*s' is loaded", STR_ARG(str_take(plugin, 80)));
        return E_NONE;
    }
    const struct module_command *c = find(reg, m, name);
    if (!c)
        return unknown(reg, m, name, out);
    struct command_run run = {.out = out};
    run.call = (struct sp_command){.size = sizeof run.call,
                                   .module = m,
                                   .state = m->state,
                                   .name = str_z(c->name),
                                   .args = args,
                                   .nargs = nargs};
    sp_status rc = c->fn(&run.call);
    if (rc == SP_OK && run.failed)
        rc = SP_E_ARG;
    if (rc != SP_OK && !run.failed)
        say(out, "the command '%s %s' failed: %s", m->desc.name, c->name, mod_status_text(rc));
    else if (rc == SP_OK && !run.replied)
        say(out, "null");
    if (out->failed)
        return E_NOMEM;
    return rc <= 0 ? rc : E_ARG;
}
