/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sub-commands, help, usage errors, and the way from argv to a command. */
#include <fcntl.h>

#include "base/text.h"
#include "process/answer.h"
#include "process/cmd.h"

#define AT(member) offsetof(struct cli, member)

static const struct opt run_opts[] = {
    {"user", 0, OPT_VALUE, AT(user), "NAME", "become this user (only as root)"}, {.name = NULL}};
static const struct opt worker_opts[] = {
    {"channel", 0, OPT_VALUE, AT(channel), "FD", "of the master"}, {.name = NULL}};
static const struct opt check_opts[] = {
    {"strict", 0, OPT_FLAG, AT(strict), NULL, "warnings count as errors"},
    {"trial", 0, OPT_FLAG, AT(trial), NULL, "for the gateway itself"},
    {.name = NULL}};
static const struct opt explain_opts[] = {{"header", 'H', OPT_HEADERS, AT(headers), "'NAME: VALUE'",
                                           "a request header, any number of times"},
                                          {"running", 0, OPT_FLAG, AT(running), NULL,
                                           "ask the running gateway instead of the conf on disk"},
                                          {.name = NULL}};
static const struct opt plugins_opts[] = {{"running", 0, OPT_FLAG, AT(running), NULL,
                                           "ask the running gateway instead of the conf on disk"},
                                          {.name = NULL}};
static const struct opt new_opts[] = {{"template", 0, OPT_VALUE, AT(template_dir), "DIR",
                                       "copy this folder instead of the installed template"},
                                      {.name = NULL}};
static const struct opt ask_opts[] = {
    {"timeout", 0, OPT_VALUE, AT(timeout), "TIME", "how long to wait for the answer, such as 30s"},
    {.name = NULL}};
static const struct opt stop_opts[] = {
    {"fast", 0, OPT_FLAG, AT(fast), NULL, "do not wait for exchanges to finish"},
    {"timeout", 0, OPT_VALUE, AT(timeout), "TIME", "how long to wait for the end, such as 60s"},
    {.name = NULL}};

const struct command commands[] = {
    {"run", cmd_run, run_opts, 0, 0, 0, "", "run the gateway in the foreground", false},
    {"check", cmd_check, check_opts, 0, 0, 0, "", "check the conf: all errors, nothing started",
     false},
    {"explain", cmd_explain, explain_opts, 2, 2, 0, "METHOD URL",
     "what a request would meet, with the conf lines", false},
    {"plugins", cmd_plugins, plugins_opts, 0, 1, 0, "[NAME]",
     "the conf's plugins, or the options of one", false},
    {"plugin check", cmd_plugin_check, NULL, 1, 1, 0, "FILE.so", "would this plugin be loaded?",
     false},
    {"plugin new", cmd_plugin_new, new_opts, 1, 2, 0, "NAME [DIR]", "begin a plugin of your own",
     false},
    {"reload", cmd_reload, ask_opts, 0, 0, 0, "", "take the changed conf into service", false},
    {"status", cmd_status, ask_opts, 0, 0, 0, "", "how the running gateway is", false},
    {"upstreams", cmd_upstreams, ask_opts, 0, 0, 0, "", "targets, their health and connections", false},
    {"log level", cmd_log_level, ask_opts, 0, 1, 0, "[LEVEL]", "what the running gateway logs, until the next reload", false},
    {"stop", cmd_stop, stop_opts, 0, 0, 0, "", "finish what runs, then stop", false},
    {"command", cmd_command, ask_opts, 2, 1000, 2, "PLUGIN NAME [ARG...]",
     "run a command of a plugin in the running gateway", false},
    {"schema", cmd_schema, NULL, 0, 1, 0, "[api]", "JSON Schema of the conf, or of an API file",
     false},
    {"version", cmd_version, NULL, 0, 0, 0, "", "version and plugin ABI", false},
    {"help", cmd_help, NULL, 0, 2, 0, "[COMMAND]", "this text, or a command's", false},
    {"worker", cmd_worker, worker_opts, 0, 0, 0, "", "for the gateway itself", true},
    {.name = NULL}};

static void help_opts(FILE *to, const struct opt *o)
{
    char left[64];
    for (; o && o->name; o++) {
        if (str_eqz(str_z(o->name), "trial"))
            continue;
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        fprintf(to, "  %-26s %s\n", left, o->doc);
    }
}

void cli_help(FILE *to, const struct command *c)
{
    char left[64];
    if (c) {
        fprintf(to, "usage: sallyport [OPTIONS] %s%s%s\n\n%s\n", c->name, *c->args ? " " : "",
                c->args, c->summary);
        if (c->opts)
            fprintf(to, "\nOptions of '%s':\n", c->name);
        help_opts(to, c->opts);
    } else {
        fprintf(to, "usage: sallyport [OPTIONS] COMMAND\n\nCommands:\n");
        for (c = commands; c->name; c++) {
            if (c->hidden)
                continue;
            snprintf(left, sizeof left, "%s%s%s", c->name, *c->args ? " " : "", c->args);
            fprintf(to, "  %-29s %s\n", left, c->summary);
        }
    }
    fprintf(to, "\nOptions of all commands:\n");
    help_opts(to, opt_globals);
    fprintf(to, "\nExit status: 0 fine, 1 bad conf or failed action, 2 usage.\n");
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (cli->json)
        (void)answer_show_fail(true, NULL, "%s", what);
    fprintf(stderr, "sallyport: %s\n", what);
    if (cli->command)
        fprintf(stderr, "Try 'sallyport help %s'.\n", cli->command->name);
    else
        fprintf(stderr, "Try 'sallyport help'.\n");
    return 2;
}

int cmd_help(const struct cli *cli)
{
    char name[80];
    if (cli->arg_count == 0) {
        cli_help(stdout, NULL);
        return 0;
    }
    snprintf(name, sizeof name, "%s%s%s", cli->args[0], cli->arg_count > 1 ? " " : "",
             cli->arg_count > 1 ? cli->args[1] : "");
    const struct command *c = opt_find(commands, name);
    if (!c)
        return cli_usage(cli, "there is no command '%.60s'", name);
    cli_help(stdout, c);
    return 0;
}

static int dispatch(const struct cli *cli)
{
    if (cli->help) {
        cli_help(stdout, cli->command);
        return 0;
    }
    if (cli->version)
        return cmd_version(cli);
    if (!cli->command) {
        cli_help(stderr, NULL);
        return 2;
    }
    return cli->command->run(cli);
}

/* Standard descriptors that the caller closed would be taken by sockets, and then be written to. */
static void open_standard(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0)
            return;
}

int cli_main(int argc, char **argv)
{
    open_standard();
    struct cli cli;
    char why[512];
    int rc = opt_parse(&cli, commands, argc, argv, why, sizeof why), code;
    if (rc == E_NOMEM)
        code = answer_show_fail(false, NULL, "out of memory");
    else if (rc)
        code = cli_usage(&cli, "%s", why);
    else
        code = dispatch(&cli);
    opt_fini(&cli);
    /* What could not be written was not said. */
    if (fflush(stdout) != 0 && code == 0) {
        perror("sallyport: stdout");
        code = 1;
    }
    return code;
}
