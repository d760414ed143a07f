/* SPDX-License-Identifier: Apache-2.0 */
/* Between the rooms of the module loader: looking at the file, opening it, judging its descriptor.
 */
#ifndef PIPELINE_MOD_INT_H
#define PIPELINE_MOD_INT_H

#include "pipeline/module.h"

#define MOD_OPTIONS_MAX   4096u /* of one plugin, nested ones included */
#define MOD_OPTIONS_DEPTH 12u

/* Fills problem and advice, ok false; returns E_CONF. advice may be NULL. */
int mod_refuse(struct module_report *, const char *advice, const char *fmt, ...) PRINTF(3, 4);

/* mod_file.c: what can be said of the file before any of its code runs. Fills dev, ino, mtime of m,
 * and sha256 when it is pinned. 0 or E_CONF. */
int mod_file_check(struct sp_module *m, const char *path, str pin, struct module_report *);
/* Is the file at m->path still the one that was looked at? */
bool mod_file_same(const struct sp_module *m);

/* mod_check.c: judges the descriptor that sp_entry() returned and copies it into m->desc, m->hooks.
 */
int mod_check_descriptor(struct sp_module *m, const void *descriptor, str file_name,
                         struct module_report *);
/* mod_option.c: copies the options table into m->options and m->schema. */
int mod_check_options(struct sp_module *m, struct module_report *);

/* "out of memory": what an SP_E_* code that a plugin answered means. */
const char *mod_status_text(int status);
/* [a-z][a-z0-9-]{0,62} */
bool mod_name_ok(str name);

struct command_run { /* one invocation of a plugin's command */
    struct sp_command call;
    struct text *out;
    bool replied, failed;
};
int mod_command_define(struct sp_module *, const char *name, const char *usage,
                       sp_status (*fn)(const struct sp_command *));
/* Forgets the commands of a module whose load() failed. */
void mod_command_drop(struct sp_module *);

/* "sallyport_plugin_<name>_", dashes made underscores. NULL: out of memory. */
char *mod_metric_prefix(struct arena *, const struct sp_module *);
const char *mod_point_name(unsigned point);

#endif
