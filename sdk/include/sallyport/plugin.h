/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin is to the host: hooks, options, capabilities, the descriptor and its calls. */
#ifndef SALLYPORT_PLUGIN_H
#define SALLYPORT_PLUGIN_H

#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_host;
struct sp_call;

#define SP_MAGIC 0x59505331u /* "1SPY" on disk */
#define SP_ABI_MAJOR 0
#define SP_ABI_MINOR 1

/* Hook points, in the order an exchange meets them. The request phase (STAGE, REQUEST) runs the conf's `order:` forwards, the
 * response phase (RESPONSE) backwards, LOG forwards. */
enum {
    SP_HP_STAGE = 1,         /* API and stage known, resource not yet: WAF, canary (choose_deployment) */
    SP_HP_REQUEST = 2,       /* resource and method known: authorizers, throttles, validation, edits of the integration request */
    SP_HP_REQUEST_BODY = 3,  /* for who asked by body->want: chunks, or the whole body once */
    SP_HP_INTEGRATION = 4,   /* the answerer of an integration type that the plugin provides; one per exchange */
    SP_HP_ATTEMPT = 5,       /* before each try at a backend: re-sign, choose the host. Synchronous. Edits last for that attempt */
    SP_HP_RESPONSE = 6,      /* a response head is there: the integration's or a local one */
    SP_HP_RESPONSE_BODY = 7, /* as REQUEST_BODY */
    SP_HP_LOG = 8            /* the last byte is out; synchronous; read-only */
};

/* Why a hook or continuation runs: sp_call.event. */
enum {
    SP_EV_HOOK = 0,        /* the hook itself, once per exchange (body hooks: once per chunk; ATTEMPT: per attempt) */
    SP_EV_RESUME = 1,      /* a suspend() was resumed; tag as given to resume() */
    SP_EV_TIMEOUT = 2,     /* a suspend() or collect() ran out of time. Only when it was asked for with SP_WAIT_NOTIFY */
    SP_EV_TIMER = 3,       /* a timer of the exchange or of the module */
    SP_EV_COLLECTED = 4,   /* collect(): the whole body is there as call->chunk, or status tells why not */
    SP_EV_CLIENT_HEAD = 5, /* a client call's answer head is there */
    SP_EV_CLIENT_DATA = 6, /* a piece of its body, as call->chunk */
    SP_EV_CLIENT_DONE = 7, /* it is over: status SP_OK or SP_E_* */
    SP_EV_ROOM = 8,        /* emit() may give more */
    SP_EV_OFFLOADED = 9,   /* the work is done; status is its result */
    SP_EV_IO = 10,         /* a watched descriptor is ready; tag holds the SP_IO_* bits */
    SP_EV_POST = 11        /* a post from another thread; tag and arg as given */
};

/* A piece of a body. */
struct sp_slice {
    struct sp_buffer *buffer; /* NULL: constant memory. Hold it with buffer->ref beyond the hook's return */
    const char *p;
    size_t n;
};
enum {
    SP_CHUNK_END = 1,  /* the last one; may be empty. Every body hook that ran once gets it exactly once, unless the exchange aborts */
    SP_CHUNK_WHOLE = 2 /* this is the whole body (mode BUFFER, or collect) */
};
struct sp_chunk {
    uint32_t size, flags;
    uint64_t offset;          /* of the first byte in the body */
    uint64_t bytes;           /* sum over the slices */
    const struct sp_slice *v; /* borrowed until the hook returns */
    uint32_t nv, v_stride;
};

/* The single argument of every hook and continuation. Owned by the host; valid until the hook returns. */
struct sp_call {
    uint32_t size;
    uint16_t point; /* SP_HP_*; 0 in continuations of the module */
    uint16_t event; /* SP_EV_* */
    struct sp_exchange *x; /* NULL in continuations of the module */
    struct sp_module *module;
    void *ctx;        /* ctx_size zeroed bytes of this entry and exchange; NULL in continuations of the module */
    const void *conf; /* what conf_create made for this place; NULL in continuations of the module */
    void *state;        /* per process: from load() */
    void *thread_state; /* per thread: from thread_start() */
    const struct sp_chunk *chunk; /* body hooks, COLLECTED, CLIENT_DATA; else NULL */
    sp_op op;                     /* the operation that continues; 0 in EV_HOOK */
    uint64_t tag;
    void *arg;      /* as given when the operation began */
    int32_t status; /* of the operation */
    uint32_t attempt; /* 1 for the first try at a backend; 0 before it */
};

/* Hooks and continuations alike. Module continuations return SP_NEXT. */
typedef sp_verdict (*sp_fn)(const struct sp_call *);

struct sp_hook {
    uint32_t point; /* SP_HP_*; a point at most once per plugin */
    uint32_t flags; /* 0 */
    sp_fn fn;
};

/* Options. Checked before conf_create, all errors in one pass, documented by `sallyport plugins NAME`. */
enum {
    SP_OPT_STRING = 1,
    SP_OPT_BOOL = 2,
    SP_OPT_INT = 3,
    SP_OPT_SIZE = 4,     /* "64KB": bytes */
    SP_OPT_DURATION = 5, /* "250ms": milliseconds */
    SP_OPT_ENUM = 6,     /* one of names; read as its index */
    SP_OPT_LIST = 7,     /* of sub[0] */
    SP_OPT_MAP = 8,      /* keys of sub */
    SP_OPT_DICT = 9,     /* free keys, values of sub[0] */
    SP_OPT_ANY = 10,     /* not checked by the host */
    SP_OPT_REAL = 11,
    SP_OPT_FILE = 12 /* a path, relative to the conf file that names it */
};
enum { SP_OPT_REQUIRED = 1, SP_OPT_SECRET = 2 /* never shown */, SP_OPT_OR_SCALAR = 4 /* a scalar stands for a list of one */ };
struct sp_option {
    uint32_t type, flags;
    const char *key;  /* NULL ends a table; the element of LIST and DICT is named "" */
    const char *dflt; /* as the conf would say it, or NULL */
    int64_t min, max; /* bounds of numbers, counts of lists; both 0: none */
    const char *const *names;    /* ENUM, ended by NULL */
    const struct sp_option *sub; /* LIST DICT: one entry; MAP: a table ended by key NULL */
    const char *doc;             /* one sentence */
};

/* Where a conf is made for. Everything is a view that lives until conf_create returns. */
enum { SP_API_REST = 0, SP_API_HTTP = 1, SP_API_WEBSOCKET = 2 };
struct sp_need { /* a capability asked for at this place and provided by this plugin */
    const char *capability;     /* "authorizer:JWT" */
    const struct sp_node *node; /* what asks: the security requirement, the integration ... */
    const struct sp_node *definition; /* what it refers to: the security scheme, the model ...; may be NULL */
};
struct sp_place {
    uint32_t size;
    uint32_t api_type;  /* SP_API_* */
    sp_str entry;       /* id of the plugin's entry in `plugins:` */
    sp_str api, stage;  /* empty in a shared conf */
    sp_str method, route; /* "GET" "/pets/{id}"; empty in a shared conf and for stage-only hooks */
    const struct sp_node *api_node, *stage_node, *method_node; /* the AWS nodes bound there, or NULL */
    const struct sp_need *needs;
    uint32_t nneeds, need_stride;
};

/* Arguments of the descriptor's calls. size is what the host knows of the structure. */
struct sp_load {
    uint32_t size, reserved;
    const struct sp_host *host; /* lives for ever */
    struct sp_module *module;   /* lives for ever */
    void *state;                /* out */
};
struct sp_thread {
    uint32_t size, id; /* 0 .. count-1 */
    uint32_t count, reserved;
    struct sp_module *module;
    void *state;
    void *thread_state; /* out of thread_start, in of thread_stop */
};
struct sp_conf {
    uint32_t size, reserved;
    struct sp_module *module;
    void *state;
    const struct sp_node *node; /* the options, checked; NULL when the entry has none */
    const struct sp_place *place;
    struct sp_errors *errors;
    void *conf; /* out of conf_create, in of conf_free (where node, place and errors are NULL) */
};

/* conf_create answers SP_OK, SP_DECLINE (nothing to do at this place: the chain gets none of its hooks), or an SP_E_* after
 * host->conf->error(). */
enum { SP_DECLINE = 1 };

enum {
    SP_PLUGIN_GUARD = 1,    /* may say no: on_error: allow and on_crash: skip are refused */
    SP_PLUGIN_PER_PLACE = 2 /* conf_create looks at the place: called for each route. Else once per distinct options */
};

struct sp_plugin {
    /* These 12 bytes never move, in any major. */
    uint32_t magic;                /* SP_MAGIC */
    uint16_t abi_major, abi_minor; /* built with */
    uint32_t size;                 /* sizeof(struct sp_plugin) */

    uint16_t need_minor; /* refuse on hosts below this */
    uint16_t reserved0;
    uint32_t flags;    /* SP_PLUGIN_* */
    uint32_t ctx_size; /* bytes per exchange; at most SP_CTX_MAX */
    uint64_t tables;   /* SP_TABLE_* bits it cannot live without: a host that lacks one says so at load */
    const char *name;    /* [a-z][a-z0-9-]{0,62}; equal to the file's name without .so */
    const char *version; /* of the plugin, free text */
    const char *summary; /* one line */
    const struct sp_option *options;
    uint32_t noptions, option_stride;
    const struct sp_hook *hooks;
    uint32_t nhooks, hook_stride;
    const char *const *provides; /* capabilities, ended by NULL: "integration:MOCK"; may be NULL */

    /* Main thread, before traffic. Defines headers, variables, metrics, commands. Any call may be NULL. */
    sp_status (*load)(struct sp_load *);
    void (*unload)(void *state); /* at a clean shutdown; never while anything of it still runs */
    /* On each traffic thread, before a snapshot that uses the plugin is published there. */
    sp_status (*thread_start)(struct sp_thread *);
    void (*thread_stop)(struct sp_thread *);
    /* Main thread. conf_free once for every SP_OK of conf_create, also when the snapshot is refused. */
    sp_status (*conf_create)(struct sp_conf *);
    void (*conf_free)(struct sp_conf *);
    /* Once per exchange and entry in which any hook of it ran, after LOG; everything outstanding was cancelled before. */
    void (*exchange_end)(const struct sp_call *);
};
#define SP_CTX_MAX 65536u

/* A plugin defines: const struct sp_plugin *sp_entry(void) { return &descriptor; } */
typedef const struct sp_plugin *(*sp_entry_fn)(void);
#if defined(__GNUC__)
#define SP_EXPORT __attribute__((visibility("default")))
#else
#define SP_EXPORT
#endif
SP_EXPORT const struct sp_plugin *sp_entry(void);

#ifdef __cplusplus
}
#endif
#endif
