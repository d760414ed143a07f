/* SPDX-License-Identifier: Apache-2.0 */
/* What a conf compiles to: entries, hook chains, route plans, one unit per API. Immutable once published; units are reference-counted. */
#ifndef PIPELINE_PLAN_H
#define PIPELINE_PLAN_H

#include <stdatomic.h>

#include "model/gateway.h"
#include "model/route.h"
#include "pipeline/module.h"
#include "pipeline/upstream.h"

#define UNIT_MAGIC 0x554e4954u
#define HOOK_POINTS 9 /* SP_HP_* index it; 0 is unused */

struct pipeline;

/* One entry of `plugins:`, as the exchange sees it. */
struct entry {
    str id;
    struct sp_module *mod;
    uint16_t index;              /* in the set, and in an exchange's entry states */
    uint16_t pos[API_TYPES];     /* place in order:; ENTRY_UNORDERED: not run for that API type */
    uint32_t ctx_size;
    uint32_t timeout_ms;         /* bounds every wait of its hooks; 0: the host's bound */
    bool shadow;
    bool allow;                  /* on_error: allow */
    bool has_end;                /* the module has exchange_end */
    str file;                    /* conf line of the entry, for explain and messages */
    unsigned line;
    uint32_t m_misuse, m_shadow, m_allowed; /* metric series */
};
#define ENTRY_UNORDERED UINT16_MAX

/* All entries of a conf; shared by its units, reused while `plugins:` and `order:` stay the same. */
struct entry_set {
    _Atomic unsigned refs;
    struct entry *v;
    unsigned n;
    uint64_t hash;
    struct arena arena; /* owner of the strings */
};

/* A file that a compiled conf was made from: a conf is not reused once it has changed. */
struct conf_stamp {
    char *path;
    struct timespec mtime;
    ino_t ino;
    off_t size;
};

/* A plugin's compiled conf, shared by every place with the same content. */
struct conf_obj {
    unsigned refs; /* main thread */
    struct sp_module *mod;
    void *conf;
    bool declined;
    uint64_t key;
    struct conf_stamp *stamps;
    unsigned stamp_count;
};

struct hook_ref {
    sp_fn fn;
    const void *conf;
    const struct entry *e;
};
struct chain {
    struct hook_ref *v;
    unsigned n;
};
/* The hooks that apply at one place, by hook point. RESPONSE and RESPONSE_BODY stand in reverse order already. */
struct chains {
    struct chain at[HOOK_POINTS];
    uint64_t hash;
    struct chains *next;
};

/* The path of an integration's URI where nothing but the path's parameters has to be put in: text and parameters in turn. The texts stand
 * behind the parts, one after the other. */
struct target_part {
    uint32_t n;    /* bytes of text */
    int32_t param; /* of the path, by number; -1: text */
};
struct target {
    uint32_t count;
    struct target_part v[];
};

/* What a request of a rarely used route touches in memory costs more than what is done with it: a cache line for what every request reads
 * and counts, one for what few ask for, one for the path sent upstream. */
struct route_plan {
    const struct chains *chains;
    struct upstream *up;     /* core integrations; the unit's reference */
    str authority;           /* Host sent upstream; empty: the client's */
    uint32_t timeout_ms;     /* of the integration */
    uint8_t kind;            /* enum integration_kind */
    uint8_t method_id;       /* enum http_method, of the integration request */
    bool own_method : 1;     /* that counts, not the client's */
    bool unchanged : 1;      /* the path goes on as it is */
    bool has_target : 1;     /* otherwise x_target.c has to look at the integration itself */
    bool far_target : 1;     /* it has not fitted here */
    _Atomic uint32_t counters[6]; /* requests by class of status, 0: aborted. metric_counter()s, made when first counted */

    struct hook_ref integration; /* integrations by a plugin: fn NULL otherwise */
    const struct api_method *method; /* NULL: no route matched */
    str method_name;             /* of the integration request, where method_id says no more than M_OTHER */
    str prefix;                  /* in front of the integration URI's path: what a stage variable brought along */

    union {
        const struct target *far;
        char room[CACHE_LINE];
    } target;
};
_Static_assert(offsetof(struct route_plan, integration) == CACHE_LINE && offsetof(struct route_plan, target) == 2 * CACHE_LINE &&
                   sizeof(struct route_plan) == 3 * CACHE_LINE,
               "three cache lines");

/* NULL: none was compiled. */
static inline const struct target *route_target(const struct route_plan *r)
{
    if (!r->has_target)
        return NULL;
    return r->far_target ? r->target.far : (const struct target *)(const void *)r->target.room;
}

/* target.c: fills in what x_target() needs. E_NOMEM */
int target_compile(struct arena *, struct route_plan *, const struct stage *, enum api_type, const struct route_trie *);

struct deployment_plan {
    const struct deployment *d;
    struct route_plan *routes; /* by api_method.index */
};

struct stage_plan {
    const struct stage *stage;
    struct unit *unit;
    const struct deployment_plan *main;
    struct deployment_plan *deployments;
    unsigned deployment_count;
    struct route_plan none; /* chains for requests that match no route */
    uint32_t m_latency, m_integration; /* histogram series */
};

/* One API, compiled. */
struct unit {
    uint32_t magic;
    _Atomic unsigned refs; /* snapshots and threads */
    struct pipeline *pipeline;
    struct api *api;
    struct entry_set *entries;
    struct stage_plan *stages; /* by stage.index */
    uint64_t hash;
    uint64_t max_body; /* BUFFER and collect; UINT64_MAX: no limit */
    bool aws_strict;
    struct arena arena;
    struct conf_obj **confs;
    unsigned conf_count, conf_cap;
    struct upstream **ups;
    unsigned up_count, up_cap;
    struct chains *chains; /* all distinct ones */
    unsigned route_count;
    struct mbox_msg retire;
    struct {
        unsigned n; /* exchanges, and 1 while the thread's snapshot holds the unit */
        char pad[60];
    } local[LOOP_MAX];
};

struct unit *unit_ref(struct unit *);
void unit_unref(struct unit *); /* any thread: the last one has it freed on the main thread */
/* The thread's own count: one atomic operation per thread and snapshot, none per exchange. */
static inline void unit_hold(struct unit *u, unsigned loop_id)
{
    if (u->local[loop_id].n++ == 0)
        unit_ref(u);
}
static inline void unit_drop(struct unit *u, unsigned loop_id)
{
    if (--u->local[loop_id].n == 0)
        unit_unref(u);
}

struct snapshot {
    struct pipeline *pipeline;
    _Atomic unsigned refs; /* main and threads */
    struct mbox_msg retire;
    struct upstream **ups; /* the conf's named ones */
    unsigned up_count;
    struct gateway *gateway;
    struct entry_set *entries;
    struct unit **units; /* parallel to gateway->apis */
    unsigned unit_count, reused, routes;
    struct api **apis; /* of the units; the site refers to it */
    struct site *site;
    struct pl_listener **listeners; /* parallel to gateway->listeners */
    unsigned listener_count;
};

/* entries.c: loads the plugins. NULL when anything is wrong. */
struct entry_set *entries_build(struct pipeline *, struct gateway *, struct entry_set *old, struct diag *);
struct entry_set *entries_ref(struct entry_set *);
void entries_unref(struct entry_set *);
const struct entry *entries_find(const struct entry_set *, str id);

/* confs.c: main thread. */
struct conf_place {
    const struct entry *entry;
    const struct api *api;
    const struct stage *stage;
    const struct deployment *deployment;
    const struct api_method *method; /* NULL: stage place */
    const struct node *node;         /* effective options or NULL */
    struct node_tree *tree;          /* of node, or of the entry */
    const struct node *entry_node;   /* for messages */
    const struct sp_need *needs;
    unsigned need_count;
};
/* One reference; NULL on error (diags added). */
struct conf_obj *conf_obtain(struct pipeline *, const struct conf_place *, struct diag *);
void conf_release(struct pipeline *, struct conf_obj *);
bool conf_fresh(const struct conf_obj *);

/* compile.c, compile_route.c */
struct compiler { /* one unit's compilation */
    struct pipeline *p;
    struct gateway *gw;
    struct unit *u;
    struct diag *diag;
    unsigned errors_before;
};
struct unit *unit_compile(struct pipeline *, struct gateway *, struct api *, struct entry_set *, uint64_t hash, struct diag *);
uint64_t unit_hash_of(const struct gateway *, const struct api *, const struct entry_set *);
bool unit_fresh(const struct unit *);
void unit_destroy(struct unit *); /* main thread */
/* chains.c: the hooks of a place. NULL: an error was added. needs: of the method or the stage. */
struct place {
    const struct stage *stage;
    const struct deployment *deployment;
    const struct api_method *method;
};
/* An entry's options at a place: the innermost ones. */
struct effective {
    const struct node *node; /* NULL: none */
    struct node_tree *tree;
    const struct node *entry_node; /* the entry's own place in `plugins:` */
    bool disabled;
    bool here; /* some x-sallyport-plugins names it */
};
struct effective chains_effective(const struct gateway *, const struct api *, const struct entry *, const struct place *);
const struct chains *chains_of(struct compiler *, const struct place *, struct hook_ref *integration);
void chains_check_names(struct compiler *, const struct api_plugin *, unsigned n);

#endif
