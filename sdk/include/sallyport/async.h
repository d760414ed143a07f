/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous things: the HTTP client, timers, and upstreams defined at run time. Each belongs to an exchange, or, with x NULL, to the
 * module on the calling traffic thread (thread_start and module continuations): token refresh, log delivery, credentials. */
#ifndef SALLYPORT_ASYNC_H
#define SALLYPORT_ASYNC_H

#include <sallyport/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_header_line {
    sp_str name, value;
};

struct sp_client_request {
    uint32_t size, flags; /* SP_CLIENT_* */
    sp_str upstream;      /* id: of the conf's `upstreams:` or of upstream->define */
    sp_str method, path;  /* path with query, starts with '/' */
    sp_str host;          /* Host sent; empty: the upstream's own */
    const struct sp_header_line *headers;
    uint32_t nheaders, header_stride;
    sp_str body; /* copied */
    uint64_t max_body;   /* of the answer; past it the call ends with SP_E_LIMIT. 0: 1 MB */
    uint32_t timeout_ms; /* of the whole call, 1 .. 600000: required */
    uint32_t retries;    /* further tries after failures in which no byte of an answer came */
    sp_fn fn;            /* continuation */
    void *arg;           /* borrowed */
};
enum {
    SP_CLIENT_STREAM = 1 /* fn runs with CLIENT_HEAD, then CLIENT_DATA per piece, then CLIENT_DONE; else once, with CLIENT_DONE and the
                            whole body as call->chunk */
};

struct sp_client_api {
    uint32_t size, reserved;
    /* 0: *why (may be NULL) gets SP_E_ARG (no timeout, malformed), SP_E_NONE (unknown upstream), SP_E_LIMIT, SP_E_DENIED. With an
     * exchange: return SP_PENDING afterwards, or go on and let the answer come while other hooks run (then fn's verdict is ignored). */
    sp_op (*send)(struct sp_module *, struct sp_exchange *x, const struct sp_client_request *, sp_status *why);
    /* From CLIENT_HEAD on, until the last continuation of the call has returned. */
    uint32_t (*status)(sp_op);
    sp_status (*header)(sp_op, sp_str name, uint32_t nth, sp_str *out);
    sp_status (*header_next)(sp_op, uint32_t *cursor, struct sp_header_line *out);
    /* STREAM: no further CLIENT_DATA until pause(op, 0). */
    sp_status (*pause)(sp_op, int32_t on);
    void (*cancel)(sp_op); /* no continuation follows */
};

struct sp_timer_api {
    uint32_t size, reserved;
    /* Once, after ms (at most 600000 with an exchange, 30 days with a module). 0: out of operations. */
    sp_op (*once)(struct sp_module *, struct sp_exchange *x, uint64_t ms, sp_fn fn, void *arg);
    /* Modules: every ms, plus up to jitter_ms of random delay each time. */
    sp_op (*every)(struct sp_module *, uint64_t ms, uint64_t jitter_ms, sp_fn fn, void *arg);
    void (*cancel)(sp_op);
};

/* An upstream made from a URL at run time: issuers, service endpoints. */
struct sp_upstream_def {
    uint32_t size, flags;
    sp_str id;  /* [a-z0-9.-]{1,63}; prefixed with the plugin's name */
    sp_str url; /* http://host[:port] or https://host[:port]; its authority only */
    uint32_t connect_timeout_ms, first_byte_timeout_ms; /* 0: the defaults */
    sp_str ca_file, server_name; /* TLS */
};
struct sp_upstream_api {
    uint32_t size, reserved;
    /* Main thread (load, conf_create). *id_out: what send() takes; lives as long as the module. SP_E_DENIED: the conf's
     * `destinations:` does not allow it; SP_E_LIMIT; SP_E_ARG: the URL; SP_E_UNSUP: the scheme. The same URL twice is the same upstream. */
    sp_status (*define)(struct sp_module *, const struct sp_upstream_def *, sp_str *id_out);
};

#ifdef __cplusplus
}
#endif
#endif
