/* SPDX-License-Identifier: Apache-2.0 */
/* The host's tables that need no exchange (log, conf, buffers, metrics, commands, upstreams), and
 * the names of $context variables. */
#ifndef PIPELINE_HOST_H
#define PIPELINE_HOST_H

#include <sallyport/abi.h>

#include "base/diag.h"
#include "base/node.h"

struct metrics;
struct module_registry;

extern const struct sp_core_api host_core_api;
extern const struct sp_conf_api host_conf_api;
extern const struct sp_buffer_api host_buffer_api;
extern const struct sp_metric_api host_metric_api;
extern const struct sp_command_api host_command_api;
extern const struct sp_upstream_api host_upstream_api;

/* Some calls of the ABI (metric->add, core->thread_id) carry no handle: what they need to know of
 * the calling thread. Every thread that runs plugin code says it once, the main one (loop_id 0)
 * included; before that its metrics go nowhere. */
void host_thread_enter(struct metrics *, unsigned loop_id);
void host_thread_leave(void);

/* The ABI's error list: what conf_create's sp_conf.errors points to, on its caller's stack. */
struct sp_errors {
    struct diag *diag;
    const struct node_tree *tree; /* of the nodes that conf_create sees */
    const struct node *entry;     /* position of messages about no node; may be NULL */
};

/* Names of $context variables, and the small integers that stand for them. One table per registry
 * of modules; entries are never removed. Names are 1 to 128 visible ASCII characters, without
 * dollar, braces, comma, backslash and quotes. */
#define HOST_VARIABLES_MAX 1024
/* Main thread, before any plugin is loaded: ids 1, 2, ... in the order of the calls. 0: malformed,
 * or out of memory. */
uint32_t host_variable_builtin(struct module_registry *, const char *name);
/* Main thread: the name's id, a new one when it had none. 0: malformed, full, or out of memory. */
uint32_t host_variable_id(struct module_registry *, str name);
/* Any thread, no lock. 0: nobody made that name. */
uint32_t host_variable_lookup(const struct module_registry *, str name);
/* Any thread. Empty for ids that nobody has; lives as long as the registry. */
str host_variable_name(const struct module_registry *, uint32_t id);
/* How many there are: ids are 1 .. count. */
uint32_t host_variable_count(const struct module_registry *);

/* Which hosts plugins may reach by upstream->define: "api.example.org", "*.example.org" (any name
 * below), "10.0.0.5", each with or without ":port", and "*" (everything). Copied; replaces the
 * patterns before. None: nothing is allowed. Main thread; what was defined before stays. E_ARG: a
 * malformed pattern, *bad (may be NULL) is its index, and the old ones stay; E_NOMEM. */
int host_upstream_policy(struct module_registry *, const str *patterns, unsigned n, unsigned *bad);

#endif
