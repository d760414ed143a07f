/* SPDX-License-Identifier: Apache-2.0 */
/* The whole gateway as data: what the main conf and the API files say, checked, without plugins and without sockets.
 * Immutable once gateway_load has returned; owns everything by its tree's arena. */
#ifndef MODEL_GATEWAY_H
#define MODEL_GATEWAY_H

#include "base/node.h"
#include "model/api.h"
#include "net/addr.h"
#include "net/tls.h"

struct text;

struct gw_limits {
    int64_t header_block, url, body, connections, headers, memory;
};

struct gw_timeouts { /* milliseconds */
    int64_t header, idle, body, write, half_closed, integration, drain;
};

struct gw_listener {
    const struct node *node;
    struct addr addr;
    str text; /* canonical address: the key for address diffs */
    str name; /* optional `name:`, else the address as written */
    struct gw_limits limits;     /* the global ones, overridden */
    struct gw_timeouts timeouts;
    bool reuseport;
    uint8_t proxied; /* off, required, trusted */
    const struct cidr *proxied_from;
    unsigned proxied_from_count;
    const struct tls_srv_conf *tls; /* NULL: plain. Its positions are nodes */
};

/* What integrations are told of the client's way here, and which header of a trusted proxy is believed: in the order of the
 * tables' names. */
enum gw_send { GW_SEND_AWS = 0, GW_SEND_X_FORWARDED, GW_SEND_FORWARDED, GW_SEND_BOTH, GW_SEND_NONE };
enum gw_read { GW_READ_X_FORWARDED_FOR = 0, GW_READ_FORWARDED, GW_READ_NONE };

struct gw_target {
    str text; /* "host:port" as written */
    str host;
    uint16_t port;
    bool is_ip;
    uint32_t weight;
};

enum gw_balance_kind { BALANCE_ROUND_ROBIN = 0, BALANCE_LEAST_CONNECTIONS, BALANCE_RANDOM_TWO, BALANCE_HASH };
enum gw_hash_source { HASH_CLIENT_IP = 0, HASH_PATH, HASH_HEADER, HASH_COOKIE, HASH_QUERY };
struct gw_balance {
    uint8_t kind;   /* enum gw_balance_kind */
    uint8_t source; /* enum gw_hash_source */
    str name;       /* of the header, cookie or parameter */
};

/* Statuses that `on` and `statuses` may name, by bit. */
enum { STATUS_429 = 1, STATUS_500 = 2, STATUS_502 = 4, STATUS_503 = 8, STATUS_504 = 16 };
unsigned gw_status_bit(unsigned status); /* 0: none of them */

struct gw_ejection { /* passive health; time 0: all by default */
    uint32_t failures; /* in a row; 0: off */
    uint32_t percent;  /* of the addresses at most */
    uint32_t statuses; /* that count as failures */
    int64_t time, max_time; /* ms */
};

enum { RETRY_CONNECT = 1, RETRY_RESET = 2, RETRY_TIMEOUT = 4 };
struct gw_retries { /* attempts 0: all by default */
    uint32_t attempts; /* the first one counted */
    uint32_t on, statuses;
    uint32_t percent, per_second; /* the budget */
    int64_t backoff;              /* ms */
};

enum gw_health_type { HEALTH_NONE = 0, HEALTH_HTTP, HEALTH_TCP };
struct gw_health { /* active checks */
    uint8_t type; /* enum gw_health_type */
    uint16_t port; /* 0: the target's */
    str path, host; /* host empty: as for calls, or the target's text */
    int64_t interval, timeout; /* ms */
    uint32_t healthy, unhealthy; /* in a row */
    uint32_t expect_low, expect_high; /* statuses */
};

struct gw_upstream {
    const struct node *node; /* NULL: implicit, made from an integration URI */
    str id;
    struct gw_target *targets;
    unsigned target_count;
    const struct tls_cli_conf *tls; /* NULL: plain. Its positions are nodes */
    str authority; /* Host sent when the client's is not kept; empty: the client's Host is passed (named upstreams) */
    int64_t t_connect, t_first_byte, t_total, t_idle, t_write; /* ms; 0: the default */
    int64_t pool_max, pool_idle, pool_idle_ms;
    int64_t pool_queue, pool_queue_ms;
    struct gw_balance balance;
    struct gw_ejection ejection;
    struct gw_retries retries;
    struct gw_health health;
    uint64_t hash; /* of content: equal hash, the same live upstream across reloads */
};

/* One entry of `plugins:`. */
struct gw_plugin {
    const struct node *node;
    str use;  /* plugin's name */
    str id;   /* entry's id; the name when not given. Unique */
    const struct node *with; /* its options or NULL */
    int64_t timeout;         /* ms; 0: default */
    bool shadow;             /* mode: shadow */
    uint8_t on_error;        /* 0 default (close), 1 allow, 2 close */
    uint8_t on_crash;        /* 0 default (503), 1 skip */
    bool enabled;
    str path;   /* optional .so path */
    str sha256; /* optional pin, lower-case hex */
};

struct gateway {
    struct node_tree *tree;
    const struct node *root;
    str conf_file;
    struct gw_listener *listeners;
    unsigned listener_count;
    bool has_status;
    struct addr status_addr;
    str status_text;
    unsigned threads; /* 0: auto */
    bool aws_strict;
    struct gw_limits limits;
    struct gw_timeouts timeouts;
    struct cidr *trusted;
    unsigned trusted_count;
    uint8_t forwarded_send, forwarded_read;
    str via; /* our name in Via; empty: none is sent */
    int64_t ticket_rotation; /* ms */
    str log_level, log_format, log_to;
    str aws_region, aws_account;
    str resolver_servers;
    /* Times in milliseconds, as everywhere here. */
    int64_t resolver_timeout, resolver_tries, resolver_ttl_min, resolver_ttl_max, resolver_ttl_negative;
    struct gw_upstream *upstreams;
    unsigned upstream_count;
    struct gw_plugin *plugins; /* in the order of `plugins:` */
    unsigned plugin_count;
    str *plugin_dirs; /* where plugins are looked for; the built-in directory last */
    unsigned plugin_dir_count;
    str *destinations; /* where plugins' own upstreams may lead */
    unsigned destination_count;
    unsigned *order[API_TYPES]; /* per API type: indices into plugins, request phase order */
    const struct node **order_node[API_TYPES]; /* conf line of each */
    unsigned order_count[API_TYPES];
    struct api **apis;
    unsigned api_count;
    uint64_t hash; /* of all files' content */
    /* every plain file that was read, for the conf's hash and for watchers */
};

/* Reads the main conf and everything it includes. NULL when anything is wrong; diag holds all of it (and warnings otherwise). */
struct gateway *gateway_load(const char *path, struct diag *) MUST_USE;
/* As gateway_load; what is read is recorded in the keep, or comes from it. */
struct keep;
struct gateway *gateway_load_keep(const char *path, struct keep *, struct diag *) MUST_USE;
void gateway_free(struct gateway *);
const struct gw_upstream *gateway_upstream(const struct gateway *, str id);
const struct gw_plugin *gateway_plugin(const struct gateway *, str id);
/* JSON Schema of the main conf / of an API file. */
void gateway_dump_schema(struct text *, bool api_file);

#endif
