/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of the command line: no globals, options on both sides of the command, one sentence for
 * each mistake. */
#include "process/opt.h"

#include "base/diag.h"

#define NAMES_MAX 64

const struct opt opt_globals[] = {
    {"conf", 'c', OPT_VALUE, offsetof(struct cli, conf), "FILE",
     "the conf (" SALLYPORT_SYSCONFDIR "/sallyport.yaml)"},
    {"socket", 's', OPT_VALUE, offsetof(struct cli, socket), "PATH", "the control socket"},
    {"json", 0, OPT_FLAG, offsetof(struct cli, json), NULL,
     "answers and errors as one JSON object on stdout"},
    {"help", 'h', OPT_FLAG, offsetof(struct cli, help), NULL, "help for a command, or for all"},
    {"version", 'V', OPT_FLAG, offsetof(struct cli, version), NULL, "the version"},
    {.name = NULL}};

struct parse {
    struct cli *cli;
    const struct command *table;
    int argc, at;
    char *const *argv;
    char *why;
    size_t why_cap;
    bool literal;
};

static int complain(struct parse *p, const char *fmt, ...) PRINTF(2, 3);
static int complain(struct parse *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->why, p->why_cap, fmt, ap);
    va_end(ap);
    return E_ARG;
}

const struct command *opt_find(const struct command *table, const char *name)
{
    for (const struct command *c = table; c->name; c++)
        if (str_eqz(str_z(c->name), name))
            return c;
    return NULL;
}

static const struct opt *find_in(const struct opt *o, str name, char letter)
{
    for (; o && o->name; o++)
        if (letter ? o->letter == letter : str_eqz(name, o->name))
            return o;
    return NULL;
}

static const struct opt *find_opt(const struct parse *p, str name, char letter)
{
    const struct opt *o = find_in(opt_globals, name, letter);
    return o || !p->cli->command ? o : find_in(p->cli->command->opts, name, letter);
}

static int unknown_opt(struct parse *p, str name)
{
    const char *names[NAMES_MAX];
    unsigned n = 0;
    for (const struct opt *o = opt_globals; o->name && n < NAMES_MAX; o++)
        names[n++] = o->name;
    const struct command *c = p->cli->command;
    for (const struct opt *o = c ? c->opts : NULL; o && o->name && n < NAMES_MAX; o++)
        names[n++] = o->name;
    const char *near = diag_nearest(name, names, n);
    return complain(p, "unknown option '--%.*s'%s%s%s%s%s%s", STR_ARG(str_take(name, 60)),
                    c ? " of '" : "", c ? c->name : "", c ? "'" : "",
                    near ? " (did you mean '--" : "", near ? near : "", near ? "'?)" : "");
}

static int set_opt(struct parse *p, const struct opt *o, const char *value)
{
    char *base = (char *)p->cli + o->offset;
    if (o->type == OPT_FLAG) {
        *(bool *)(void *)base = true;
    } else if (o->type == OPT_VALUE) {
        if (!*value)
            return complain(p, "option '--%s' wants a %s, not an empty text", o->name, o->arg);
        *(const char **)(void *)base = value;
    } else if (p->cli->header_count == CLI_HEADERS_MAX) {
        return complain(p, "more than %d headers", CLI_HEADERS_MAX);
    } else {
        p->cli->headers[p->cli->header_count++] = value;
    }
    return 0;
}

/* The value of an option that wants one: glued to it, or the next word. */
static int take_value(struct parse *p, const struct opt *o, const char *glued, const char **value)
{
    *value = glued;
    if (o->type == OPT_FLAG || glued)
        return 0;
    if (p->at + 1 >= p->argc)
        return complain(p, "option '--%s' wants a %s behind it", o->name, o->arg);
    *value = p->argv[++p->at];
    return 0;
}

static int parse_long(struct parse *p, const char *word)
{
    const char *eq = strchr(word, '='), *value;
    str name = eq ? str_n(word, (size_t)(eq - word)) : str_z(word);
    const struct opt *o = find_opt(p, name, 0);
    if (!o)
        return unknown_opt(p, name);
    if (o->type == OPT_FLAG && eq)
        return complain(p, "option '--%s' takes no value", o->name);
    int rc = take_value(p, o, eq ? eq + 1 : NULL, &value);
    return rc ? rc : set_opt(p, o, value);
}

static int parse_short(struct parse *p, const char *word)
{
    for (; *word; word++) {
        const struct opt *o = find_opt(p, STR_NONE, *word);
        const char *value;
        if (!o)
            return complain(p, "unknown option '-%c'", *word >= ' ' && *word <= '~' ? *word : '?');
        int rc = take_value(p, o, o->type != OPT_FLAG && word[1] ? word + 1 : NULL, &value);
        if (rc == 0)
            rc = set_opt(p, o, value);
        if (rc || o->type != OPT_FLAG)
            return rc;
    }
    return 0;
}

static int unknown_command(struct parse *p, const char *name)
{
    const char *names[NAMES_MAX];
    unsigned n = 0;
    for (const struct command *c = p->table; c->name && n < NAMES_MAX; c++)
        if (!c->hidden)
            names[n++] = c->name;
    const char *near = diag_nearest(str_z(name), names, n);
    return complain(p, "unknown command '%.60s'%s%s%s", name, near ? " (did you mean '" : "",
                    near ? near : "", near ? "'?)" : "");
}

/* "plugin" and its second word are one command. */
static int parse_command(struct parse *p, const char *word)
{
    char two[80];
    p->cli->command = opt_find(p->table, word);
    if (p->cli->command)
        return 0;
    const char *second = p->at + 1 < p->argc ? p->argv[p->at + 1] : "";
    snprintf(two, sizeof two, "%.30s %.40s", word, second);
    p->cli->command = opt_find(p->table, two);
    if (p->cli->command) {
        p->at++;
        return 0;
    }
    size_t n = strlen(word);
    for (const struct command *c = p->table; c->name; c++) {
        if (strncmp(c->name, word, n) != 0 || c->name[n] != ' ')
            continue;
        return complain(p, "'%s' wants a second word, as in '%s'", word, c->name);
    }
    return unknown_command(p, word);
}

static int parse_word(struct parse *p)
{
    const char *word = p->argv[p->at];
    struct cli *cli = p->cli;
    if (!p->literal && word[0] == '-' && word[1]) {
        if (word[1] != '-')
            return parse_short(p, word + 1);
        if (word[2])
            return parse_long(p, word + 2);
        p->literal = true;
        return 0;
    }
    if (!cli->command)
        return parse_command(p, word);
    cli->rest[cli->arg_count++] = word;
    if (cli->command->literal && cli->arg_count >= cli->command->literal)
        p->literal = true;
    return 0;
}

static int check_count(struct parse *p)
{
    const struct cli *cli = p->cli;
    const struct command *c = cli->command;
    if (!c || cli->help || cli->version)
        return 0;
    if (cli->arg_count < c->min_args)
        return complain(p, "'%s' wants %s", c->name, c->args);
    if (cli->arg_count > c->max_args) {
        return complain(p, "'%s' does not know what to do with '%.60s'", c->name,
                        cli->args[c->max_args]);
    }
    return 0;
}

int opt_parse(struct cli *cli, const struct command *table, int argc, char *const *argv, char *why,
              size_t why_cap)
{
    struct parse p = {
        .cli = cli, .table = table, .argc = argc, .argv = argv, .why = why, .why_cap = why_cap};
    *cli = (struct cli){.conf = SALLYPORT_SYSCONFDIR "/sallyport.yaml"};
    *why = '\0';
    cli->rest = calloc((size_t)argc + 1, sizeof *cli->rest);
    if (!cli->rest)
        return E_NOMEM;
    cli->args = cli->rest;
    for (p.at = 1; p.at < argc; p.at++) {
        int rc = parse_word(&p);
        if (rc)
            return rc;
    }
    return check_count(&p);
}

void opt_fini(struct cli *cli)
{
    free(cli->rest);
    cli->rest = NULL;
    cli->args = NULL;
    cli->arg_count = 0;
}
