/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options on both sides, every mistake with its sentence; privileges that are not
 * ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "process/cmd.h"
#include "process/privilege.h"

#define ARGS_MAX 100

static struct cli cli;
static char why[512];

/* words: split at '|'. */
static int parse(const char *line)
{
    static char words[4096];
    static char self[] = "sallyport";
    char *argv[ARGS_MAX + 1] = {self};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    opt_fini(&cli);
    for (char *p = *words ? words : NULL; p; argc++) {
        char *next = strchr(p, '|');
        if (next)
            *next++ = '\0';
        assert_true(argc < ARGS_MAX);
        argv[argc] = p;
        p = next;
    }
    return opt_parse(&cli, commands, argc, argv, why, sizeof why);
}

static void expect_error(const char *line, const char *want)
{
    assert_int_equal(parse(line), E_ARG);
    assert_string_equal(why, want);
}

static int teardown(void **state)
{
    (void)state;
    opt_fini(&cli);
    return 0;
}

static void nothing_at_all(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_null(cli.command);
    assert_string_equal(cli.conf, SALLYPORT_SYSCONFDIR "/sallyport.yaml");
    assert_null(cli.socket);
}

static void globals_stand_on_both_sides(void **state)
{
    static const char *const lines[] = {
        "-c|x.yaml|-s|/s|--json|reload", "reload|-c|x.yaml|-s|/s|--json",
        "-cx.yaml|reload|--socket=/s|--json", "--conf=x.yaml|--json|reload|-s/s",
        "--conf|x.yaml|reload|--json|--socket|/s"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        assert_int_equal(parse(lines[i]), 0);
        assert_string_equal(cli.command->name, "reload");
        assert_string_equal(cli.conf, "x.yaml");
        assert_string_equal(cli.socket, "/s");
        assert_true(cli.json);
        assert_int_equal(cli.arg_count, 0);
    }
}

static void two_words_are_one_command(void **state)
{
    (void)state;
    assert_int_equal(parse("plugin|check|a.so|--json"), 0);
    assert_string_equal(cli.command->name, "plugin check");
    assert_int_equal(cli.arg_count, 1);
    assert_string_equal(cli.args[0], "a.so");
    assert_int_equal(parse("--json|plugin|new|hello|dir|--template|t"), 0);
    assert_string_equal(cli.command->name, "plugin new");
    assert_int_equal(cli.arg_count, 2);
    assert_string_equal(cli.template_dir, "t");
    expect_error("plugin", "'plugin' wants a second word, as in 'plugin check'");
    expect_error("plugin|chek", "'plugin' wants a second word, as in 'plugin check'");
}

static void headers_add_up(void **state)
{
    char line[4096] = "explain|GET|http://x/";
    (void)state;
    assert_int_equal(parse("explain|-H|A: 1|GET|--header|B: 2|http://x/|-HC: 3"), 0);
    assert_int_equal(cli.header_count, 3);
    assert_string_equal(cli.headers[0], "A: 1");
    assert_string_equal(cli.headers[2], "C: 3");
    assert_string_equal(cli.args[1], "http://x/");
    for (int i = 0; i <= CLI_HEADERS_MAX; i++) {
        size_t n = strlen(line);
        snprintf(line + n, sizeof line - n, "|-HX:%d", i);
    }
    expect_error(line, "more than 64 headers");
}

static void a_plugins_arguments_are_its_own(void **state)
{
    (void)state;
    assert_int_equal(parse("command|--timeout|5s|cache|purge|--all|-x|--|y"), 0);
    assert_string_equal(cli.timeout, "5s");
    assert_int_equal(cli.arg_count, 6);
    assert_string_equal(cli.args[2], "--all");
    assert_string_equal(cli.args[4], "--");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(parse("plugin|check|--|--strange.so"), 0);
    assert_string_equal(cli.args[0], "--strange.so");
    assert_int_equal(parse("plugin|check|-"), 0);
    assert_string_equal(cli.args[0], "-");
}

static void mistakes_have_sentences(void **state)
{
    (void)state;
    expect_error("relod", "unknown command 'relod' (did you mean 'reload'?)");
    expect_error("xyzzy", "unknown command 'xyzzy'");
    expect_error("--jsn", "unknown option '--jsn' (did you mean '--json'?)");
    expect_error("check|--strikt",
                 "unknown option '--strikt' of 'check' (did you mean '--strict'?)");
    expect_error("reload|--strict", "unknown option '--strict' of 'reload'");
    expect_error("--strict|check", "unknown option '--strict'");
    expect_error("-x", "unknown option '-x'");
    expect_error("-\x01", "unknown option '-?'");
    expect_error("-c", "option '--conf' wants a FILE behind it");
    expect_error("--conf", "option '--conf' wants a FILE behind it");
    expect_error("--conf=|check", "option '--conf' wants a FILE, not an empty text");
    expect_error("-c||check", "option '--conf' wants a FILE, not an empty text");
    expect_error("--json=1|check", "option '--json' takes no value");
    expect_error("explain", "'explain' wants METHOD URL");
    expect_error("explain|GET", "'explain' wants METHOD URL");
    expect_error("explain|GET|/|more", "'explain' does not know what to do with 'more'");
    expect_error("reload|now", "'reload' does not know what to do with 'now'");
    expect_error("command|only", "'command' wants PLUGIN NAME [ARG...]");
}

static void help_needs_no_arguments(void **state)
{
    (void)state;
    assert_int_equal(parse("explain|--help"), 0);
    assert_true(cli.help);
    assert_int_equal(parse("-h"), 0);
    assert_true(cli.help && !cli.command);
    assert_int_equal(parse("--version"), 0);
    assert_true(cli.version);
}

static void every_command_is_described(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        assert_non_null(c->run);
        assert_true(strlen(c->summary) > 5);
        assert_true(c->min_args <= c->max_args);
        assert_true((c->max_args > 0) == (*c->args != '\0'));
        for (const struct opt *o = c->opts; o && o->name; o++) {
            assert_non_null(o->doc);
            assert_true((o->type == OPT_FLAG) == (o->arg == NULL));
        }
    }
    assert_ptr_equal(opt_find(commands, "plugin new")->run, cmd_plugin_new);
    assert_null(opt_find(commands, "plugin"));
}

static void other_users(void **state)
{
    struct privilege p;
    (void)state;
    assert_int_equal(privilege_find(&p, NULL, why, sizeof why), 0);
    assert_false(p.change);
    assert_int_equal(privilege_find(&p, "no-such-user-here", why, sizeof why), E_NONE);
    assert_non_null(strstr(why, "no-such-user-here"));
    char self[32];
    snprintf(self, sizeof self, "%lu", (unsigned long)geteuid());
    if (privilege_find(&p, self, why, sizeof why) == 0)
        assert_false(p.change); /* a uid without a name is no user */
    int rc = privilege_find(&p, "nobody", why, sizeof why);
    if (geteuid() == 0)
        assert_true(rc == 0 && p.change && p.uid != 0);
    else
        assert_true(rc == E_DENIED || rc == E_NONE || !p.change);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(globals_stand_on_both_sides),
        cmocka_unit_test(two_words_are_one_command),
        cmocka_unit_test(headers_add_up),
        cmocka_unit_test(a_plugins_arguments_are_its_own),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(mistakes_have_sentences),
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(every_command_is_described),
        cmocka_unit_test(other_users),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, teardown);
}
