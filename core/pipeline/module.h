/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded plugins: the registry of the process. A module is loaded once and never unloaded; the file behind it is remembered, so that a
 * replaced file is reported ("needs an upgrade") and never half-swapped. Main thread, except module->thread_state. */
#ifndef PIPELINE_MODULE_H
#define PIPELINE_MODULE_H

#include <sallyport/abi.h>
#include <sys/types.h>
#include <time.h>

#include "base/diag.h"
#include "base/map.h"
#include "base/node.h"
#include "base/text.h"
#include "net/loop.h"

#define MODULE_MAGIC 0x4d4f4455u

struct metrics;
struct host_vars;
struct schema;
struct upstream;
struct upstreams;

struct sp_module { /* the ABI's opaque module */
    uint32_t magic;
    uint16_t index;
    bool loaded;        /* load() answered SP_OK */
    bool in_load;       /* load() is running: definitions are allowed */
    struct sp_plugin desc; /* the host's own copy, zero-extended; hooks and options are copied with their strides */
    struct sp_hook hooks[16];
    struct sp_option *options;
    char *path; /* of the file, absolute */
    dev_t dev;
    ino_t ino;
    struct timespec mtime;
    char sha256[65]; /* lower-case hex; empty: nobody has pinned it */
    void *state;
    void *thread_state[LOOP_MAX]; /* by loop id; written by its thread before a snapshot using it is published there */
    bool thread_started[LOOP_MAX];
    struct module_registry *registry;
    struct schema *schema;  /* the options as the schema room reads them; ended by key NULL; never NULL once opened */
    struct arena arena;     /* of the copies */
    struct sp_module *next_failed;
};

struct module_command {
    struct sp_module *module;
    char *name, *usage; /* owned */
    sp_status (*fn)(const struct sp_command *);
};

struct module_upstream { /* made by upstream->define */
    struct sp_module *module;
    str id;                    /* in the module's arena: what the plugin holds */
    struct upstream *upstream; /* one reference */
    uint64_t hash;             /* of what it was made from */
};

struct module_registry {
    struct sp_module *v[256];
    unsigned count;
    const struct sp_host *host;
    struct metrics *metrics;
    struct module_command *commands;
    unsigned command_count, command_cap;
    const char *version; /* of the gateway */
    struct upstreams *upstreams;
    struct sp_module *failed; /* opened but not in service: only looked at, or refused. Kept, for code of theirs may hold the pointer */
    struct host_vars *vars;
    str *destinations; /* policy of upstream->define */
    unsigned destination_count;
    struct module_upstream *defined;
    unsigned defined_count;
};

/* Empty; host, metrics, upstreams and version are borrowed and may be NULL where nothing is loaded (`plugin check`). E_NOMEM. */
int module_registry_init(struct module_registry *, const struct sp_host *, struct metrics *, struct upstreams *,
                         const char *version) MUST_USE;

/* What a look at a file found: for `plugin check`, and the reason when loading is refused. */
struct module_report {
    bool ok;
    char name[64], version[64];
    unsigned abi_major, abi_minor, need_minor;
    char problem[512]; /* "built for ABI 1.0; this host speaks 0.1" */
    char advice[512];  /* "rebuild it against sallyport-dev 0.1" */
    char notice[256]; /* nothing wrong yet: "built for ABI 0.2, this host speaks 0.1"; empty: none */
};

/* Opens, checks and copies the descriptor, does not call load(). Refuses: not a regular file, writable by group or others, owner other than root or
 * ourselves, not ELF, no entry, NULL descriptor, magic, major, size, need_minor, missing tables, unresolved symbol, names, hooks (unknown point,
 * twice, NULL fn, stride), ctx_size, options malformed, sha256 that differs from `pin`. */
int module_open(struct module_registry *, const char *path, str pin, struct module_report *, struct sp_module **out);
/* Finds NAME.so in dirs, opens and load()s it, or returns the one loaded before. Diags go to `at`. NULL on failure. */
struct sp_module *module_load(struct module_registry *, str name, const char *explicit_path, str pin, const str *dirs, unsigned ndirs,
                              const struct node_tree *, const struct node *at, struct diag *);
struct sp_module *module_find(const struct module_registry *, str name);
const struct sp_hook *module_hook(const struct sp_module *, unsigned point); /* NULL: has none */
bool module_provides(const struct sp_module *, const char *capability);
/* Of the file as it was loaded, in lower-case hex; empty when it has changed on disk since. */
void module_sha256(const struct sp_module *, char hex[65]);
/* Has the file changed on disk since it was loaded? */
bool module_stale(const struct sp_module *);
int module_thread_start(struct sp_module *, struct loop *, unsigned thread_count);
void module_thread_stop(struct sp_module *, struct loop *);
/* Clean shutdown: unload() of each, newest first; the registry is empty then. Nothing is dlclosed. */
void module_registry_fini(struct module_registry *);

/* Checks a conf node against the plugin's options; then reads by table (host_conf). */
int module_check_options(const struct sp_module *, const struct node *, struct node_tree *, struct diag *);
/* The same for an entry without options (node NULL): what is missing is told at the entry's own place. */
int module_check_entry(const struct sp_module *, const struct node *node, const struct node *entry, struct node_tree *, struct diag *);
/* What an options table says, as text for `sallyport plugins NAME` and as JSON Schema. */
void module_describe(const struct sp_module *, struct text *, bool json);

/* Runs a command of a plugin on the main thread; out gets its JSON (null when it gave none). E_NONE: no such plugin or command; other
 * errors are the command's own. On every error out gets a sentence for people instead of JSON. */
int module_command_run(struct module_registry *, str plugin, str name, const str *args, unsigned nargs, struct text *out);

#endif
