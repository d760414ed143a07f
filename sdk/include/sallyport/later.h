/* SPDX-License-Identifier: Apache-2.0 */
/* Dictionary, descriptor watches, offload and posts between threads: designed with the rest so that their shape is settled. A host
 * whose sp_host.tables lacks their bit has NULL here and refuses, at load, a plugin that cannot live without them. */
#ifndef SALLYPORT_LATER_H
#define SALLYPORT_LATER_H

#include <sallyport/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A shared, bounded store with TTL. Local ones answer at once; a shared engine may answer SP_E_AGAIN and call fn later: hence every call
 * takes a continuation (return SP_PENDING when SP_E_AGAIN came). Keys and values are copied in and out. */
struct sp_dict_result {
    uint32_t size, reserved;
    sp_status status; /* SP_E_NONE: no such key; SP_E_EXISTS: if_version did not match; SP_E_LIMIT: full */
    uint32_t reserved2;
    sp_str value; /* lives until the exchange ends, or the module continuation returns */
    uint64_t version;
    int64_t counter;
    uint64_t ttl_ms;
};
struct sp_dict_api {
    uint32_t size, reserved;
    /* load() only. max_bytes bounds memory; the least recently used entry goes first. The same name is the same dictionary. */
    struct sp_dict *(*open)(struct sp_module *, const char *name, uint64_t max_bytes);
    sp_status (*get)(struct sp_dict *, struct sp_exchange *, sp_str key, struct sp_dict_result *out, sp_fn fn, void *arg);
    /* if_version 0: always; SP_DICT_ABSENT: only when the key is absent. ttl_ms 0: for ever. */
    sp_status (*set)(struct sp_dict *, struct sp_exchange *, sp_str key, sp_str value, uint64_t ttl_ms, uint64_t if_version,
                     struct sp_dict_result *out, sp_fn fn, void *arg);
    sp_status (*incr)(struct sp_dict *, struct sp_exchange *, sp_str key, int64_t by, uint64_t ttl_ms, struct sp_dict_result *out,
                      sp_fn fn, void *arg);
    sp_status (*del)(struct sp_dict *, struct sp_exchange *, sp_str key, struct sp_dict_result *out, sp_fn fn, void *arg);
};
#define SP_DICT_ABSENT UINT64_MAX

enum { SP_IO_READ = 1, SP_IO_WRITE = 2 };
struct sp_io_api {
    uint32_t size, reserved;
    /* Module, traffic thread: level-triggered; the descriptor stays the plugin's and is unwatched before it is closed. */
    sp_op (*watch)(struct sp_module *, int32_t fd, uint32_t events, sp_fn fn, void *arg);
    sp_status (*change)(sp_op, uint32_t events);
    void (*unwatch)(sp_op);
    /* Any thread: fn runs on traffic thread `thread` with SP_EV_POST. */
    sp_status (*post)(struct sp_module *, uint32_t thread, uint64_t tag, sp_fn fn, void *arg);
};

struct sp_offload_api {
    uint32_t size, reserved;
    /* Runs work(arg) on a bounded pool, then fn with SP_EV_OFFLOADED. While it runs the exchange's arena is pinned: it is freed only when
     * the work has returned, even if the exchange ended before. 0: the queue is full. */
    sp_op (*run)(struct sp_module *, struct sp_exchange *x, int32_t (*work)(void *arg), void *arg, uint32_t timeout_ms, sp_fn fn);
};

#ifdef __cplusplus
}
#endif
#endif
