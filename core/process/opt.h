/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as data: global options, the sub-commands with theirs, and the parser that fills
 * struct cli. */
#ifndef PROCESS_OPT_H
#define PROCESS_OPT_H

#include "base/str.h"

#define CLI_HEADERS_MAX 64

struct command;

/* What was asked for. Strings are argv's. */
struct cli {
    const struct command *command; /* NULL: none was named */
    const char *conf;              /* -c */
    const char *socket;            /* -s, or NULL: the default */
    bool json, help, version;
    /* options of sub-commands */
    const char *user, *template_dir, *timeout, *channel;
    bool strict, fast, trial, running;
    const char *headers[CLI_HEADERS_MAX];
    unsigned header_count;
    const char *const *args; /* what is left: points into `rest` */
    unsigned arg_count;
    const char **rest; /* owned; freed by opt_fini */
};

enum opt_type { OPT_FLAG = 1, OPT_VALUE, OPT_HEADERS };
struct opt {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* 0: none */
    uint8_t type;
    size_t offset; /* in struct cli */
    const char *arg, *doc;
};

struct command {
    const char *name; /* "reload", "plugin check"; NULL ends the table */
    int (*run)(const struct cli *);
    const struct opt *opts; /* may be NULL */
    unsigned min_args, max_args;
    unsigned literal; /* behind so many arguments everything is an argument; 0: never */
    const char *args, *summary;
    bool hidden;
};

extern const struct opt opt_globals[];

/* 0, or E_ARG with a sentence in why ("unknown option '--jsn' (did you mean '--json'?)"), or
 * E_NOMEM. Options may stand on both sides of the command; "--" ends them. */
int opt_parse(struct cli *, const struct command *table, int argc, char *const *argv, char *why,
              size_t why_cap);
void opt_fini(struct cli *);
const struct command *opt_find(const struct command *table, const char *name);

#endif
