/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands: one file each. All return the exit code: 0 fine, 1 bad conf or failed action, 2
 * usage. */
#ifndef PROCESS_CMD_H
#define PROCESS_CMD_H

#include "process/opt.h"

extern const struct command commands[];

int cli_main(int argc, char **argv);
/* "sallyport: what" and a hint to stderr (and as JSON to stdout when asked); 2. */
int cli_usage(const struct cli *, const char *fmt, ...) PRINTF(2, 3);
void cli_help(FILE *, const struct command *); /* NULL: all commands */

int cmd_run(const struct cli *);
int cmd_worker(const struct cli *);
int cmd_check(const struct cli *);
int cmd_explain(const struct cli *);
int cmd_plugins(const struct cli *);
int cmd_plugin_check(const struct cli *);
int cmd_plugin_new(const struct cli *);
int cmd_reload(const struct cli *);
int cmd_status(const struct cli *);
int cmd_upstreams(const struct cli *);
int cmd_log_level(const struct cli *);
int cmd_stop(const struct cli *);
int cmd_version(const struct cli *);
int cmd_schema(const struct cli *);
int cmd_command(const struct cli *);
int cmd_help(const struct cli *);

/* Asks the running gateway; its answer's text is in *answer on 0, else it was shown already and the
 * exit code is returned. */
struct text;
int cmd_ask(const struct cli *, str request, unsigned timeout_ms, bool until_closed,
            struct text *answer);
/* The same for a whole command: its answer is shown, of it the members below `key` for people (NULL: all). The exit code. */
int cmd_ask_show(const struct cli *, str request, unsigned timeout_ms, const char *key);
/* --timeout, or `otherwise`; 0 when it is malformed (shown already). */
unsigned cmd_timeout(const struct cli *, unsigned otherwise_ms);

#endif
