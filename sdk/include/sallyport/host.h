/* SPDX-License-Identifier: Apache-2.0 */
/* The host's tables: log, conf, metrics and commands here; exchanges, bodies and asynchronous things in the headers below. */
#ifndef SALLYPORT_HOST_H
#define SALLYPORT_HOST_H

#include <sallyport/async.h>
#include <sallyport/body.h>
#include <sallyport/exchange.h>
#include <sallyport/later.h>
#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_HAS(tbl, member) \
    ((tbl) != NULL && (tbl)->size >= offsetof(__typeof__(*(tbl)), member) + sizeof((tbl)->member))

enum { SP_LOG_ERROR = 0, SP_LOG_WARN = 1, SP_LOG_INFO = 2, SP_LOG_DEBUG = 3 };

struct sp_core_api {
    uint32_t size, reserved;
    /* Any thread. One line of the gateway's log, with the plugin's name and, with x, the request id. Never give it secrets. */
    void (*log)(struct sp_module *, struct sp_exchange *x, int32_t level, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
    /* Any thread. Milliseconds: monotonic; since 1970. */
    uint64_t (*now_ms)(void);
    uint64_t (*wall_ms)(void);
    /* load() only: a small integer for a header name (RFC 9110 5.1). 0: malformed, or the table is full. */
    uint32_t (*header_id)(struct sp_module *, sp_str name);
    /* load() only: an id for a $context variable, "authorizer.claims.sub"; the same name gets the same id in every plugin.
     * How plugins talk to each other. 0: malformed or full. */
    uint32_t (*variable_id)(struct sp_module *, sp_str name);
    /* Traffic threads and their continuations: which thread this is, 0 .. count-1. */
    uint32_t (*thread_id)(void);
    /* Random bytes fit for secrets. Any thread. */
    sp_status (*random)(void *out, size_t n);
    /* load() and conf_create(): the id of a $context variable that the gateway or some plugin has, whole name; 0: nobody has it.
     * Every plugin of the conf has been loaded before the first conf_create. */
    uint32_t (*variable_find)(struct sp_module *, sp_str name);
};

enum { SP_NODE_NULL = 0, SP_NODE_BOOL, SP_NODE_NUMBER, SP_NODE_STRING, SP_NODE_LIST, SP_NODE_MAP };

/* Main thread; nodes live until conf_create returns. The readers give the option's default when the key is absent and the table
 * names one. */
struct sp_conf_api {
    uint32_t size, reserved;
    const struct sp_node *(*get)(const struct sp_node *map, const char *key); /* NULL: absent */
    const struct sp_node *(*at)(const struct sp_node *list_or_map, uint32_t i);
    sp_str (*key_at)(const struct sp_node *map, uint32_t i);
    uint32_t (*count)(const struct sp_node *); /* children; 0 for scalars and NULL */
    uint32_t (*type)(const struct sp_node *);  /* SP_NODE_*; YAML scalars without a type of their own are STRING */
    sp_str (*text)(const struct sp_node *);    /* a scalar as written */
    /* By the type that the option table gives; SP_E_NONE when absent without default, SP_E_ARG when it does not parse. */
    sp_status (*get_str)(struct sp_conf *, const char *key, sp_str *out);
    sp_status (*get_int)(struct sp_conf *, const char *key, int64_t *out); /* INT SIZE DURATION ENUM BOOL */
    sp_status (*get_real)(struct sp_conf *, const char *key, double *out);
    sp_status (*node_int)(const struct sp_node *, uint32_t opt_type, int64_t *out); /* one scalar, read as SP_OPT_* */
    /* Adds file:line:column. node NULL: the entry. Returns SP_E_ARG, so that conf_create can `return error(...)`. */
    sp_status (*error)(struct sp_conf *, const struct sp_node *, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
    void (*warn)(struct sp_conf *, const struct sp_node *, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
    /* A path relative to the file of the node, made absolute; the caller frees it with free(). NULL: out of memory. */
    char *(*path)(struct sp_conf *, const struct sp_node *, sp_str path);
};

enum { SP_METRIC_COUNTER = 1, SP_METRIC_GAUGE = 2, SP_METRIC_HISTOGRAM = 3 };
#define SP_METRIC_LABELS 8

/* Names are prefixed "sallyport_plugin_<plugin>_"; counters end in _total, times are seconds (Prometheus conventions). */
struct sp_metric_api {
    uint32_t size, reserved;
    /* load() only. buckets: upper bounds of a histogram, ascending, else NULL. 0: malformed, taken, or too many. */
    uint32_t (*define)(struct sp_module *, uint32_t kind, const char *name, const char *help, const char *const *labels,
                       uint32_t nlabels, const double *buckets, uint32_t nbuckets);
    /* Main thread (load, conf_create) or a traffic thread: a series handle to keep. Past the bound on series every further label
     * set shares one "other" series. 0: bad arguments. */
    uint32_t (*series)(uint32_t metric, const sp_str *labels, uint32_t nlabels);
    /* Traffic threads; no lock. */
    void (*add)(uint32_t series, double by);         /* counter (by >= 0), gauge */
    void (*set)(uint32_t series, double value);      /* gauge: summed over threads */
    void (*observe)(uint32_t series, double value);  /* histogram */
};

struct sp_command { /* one invocation, on the main thread */
    uint32_t size, reserved;
    struct sp_module *module;
    void *state;
    sp_str name; /* as registered */
    const sp_str *args;
    uint32_t nargs, reserved2;
};
struct sp_command_api {
    uint32_t size, reserved;
    /* load() only: `sallyport command PLUGIN NAME ARG...` and the control socket reach fn, which answers by reply(). */
    sp_status (*define)(struct sp_module *, const char *name, const char *usage, sp_status (*fn)(const struct sp_command *));
    /* One JSON value; copied. A second reply replaces the first. SP_E_ARG: not JSON. */
    sp_status (*reply)(const struct sp_command *, sp_str json);
    sp_status (*fail)(const struct sp_command *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
};

enum { /* bits of sp_plugin.tables and of sp_host.tables */
    SP_TABLE_CORE = 1 << 0, SP_TABLE_CONF = 1 << 1, SP_TABLE_EXCHANGE = 1 << 2, SP_TABLE_BODY = 1 << 3,
    SP_TABLE_BUFFER = 1 << 4, SP_TABLE_CLIENT = 1 << 5, SP_TABLE_TIMER = 1 << 6, SP_TABLE_METRIC = 1 << 7,
    SP_TABLE_COMMAND = 1 << 8, SP_TABLE_UPSTREAM = 1 << 9, SP_TABLE_DICT = 1 << 10, SP_TABLE_IO = 1 << 11,
    SP_TABLE_OFFLOAD = 1 << 12
};

struct sp_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    uint64_t tables;     /* SP_TABLE_* that are there; the others are NULL */
    const char *version; /* of the gateway */
    const struct sp_core_api *core;
    const struct sp_conf_api *conf;
    const struct sp_exchange_api *exchange;
    const struct sp_body_api *body;
    const struct sp_buffer_api *buffer;
    const struct sp_client_api *client;
    const struct sp_timer_api *timer;
    const struct sp_metric_api *metric;
    const struct sp_command_api *command;
    const struct sp_upstream_api *upstream;
    const struct sp_dict_api *dict;
    const struct sp_io_api *io;
    const struct sp_offload_api *offload;
};

#ifdef __cplusplus
}
#endif
#endif
