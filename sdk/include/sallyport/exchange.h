/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange: facts, headers of all four sides, variables, answers, waits, trace. On the exchange's thread only, except resume(). */
#ifndef SALLYPORT_EXCHANGE_H
#define SALLYPORT_EXCHANGE_H

#include <sallyport/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sides, as in AWS: method request and integration request, integration response and method response. */
enum {
    SP_SIDE_CLIENT_REQUEST = 1,       /* as it came; read-only */
    SP_SIDE_REQUEST = 2,              /* what will go to the integration: edited at STAGE, REQUEST, ATTEMPT */
    SP_SIDE_INTEGRATION_RESPONSE = 3, /* as it came; read-only; absent when the answer is local */
    SP_SIDE_RESPONSE = 4,             /* what will go to the client: edited at RESPONSE (until the head has left) */
    SP_SIDE_TRAILER = 0x100           /* or-ed in: the trailers of that side; complete at SP_CHUNK_END */
};

/* Facts: text. SP_E_NONE when not known (yet). */
enum {
    SP_FACT_REQUEST_ID = 1,   /* UUID */
    SP_FACT_EXTENDED_ID = 2,
    SP_FACT_METHOD = 3,       /* as sent */
    SP_FACT_PATH = 4,         /* as sent, whole, not decoded */
    SP_FACT_QUERY = 5,        /* as sent, without '?' */
    SP_FACT_RESOURCE_PATH = 6, /* behind base path and stage */
    SP_FACT_HOST = 7,         /* authority as sent */
    SP_FACT_SCHEME = 8,       /* http, https */
    SP_FACT_CLIENT_IP = 9,    /* behind trusted proxies: the client's own */
    SP_FACT_PEER_IP = 10,     /* of the connection */
    SP_FACT_API_ID = 11,
    SP_FACT_API_TYPE = 12,    /* REST HTTP WEBSOCKET */
    SP_FACT_STAGE = 13,
    SP_FACT_DEPLOYMENT = 14,
    SP_FACT_ROUTE = 15,       /* template: /pets/{id}, $default */
    SP_FACT_ROUTE_METHOD = 16, /* GET, ANY */
    SP_FACT_LISTENER = 17,
    SP_FACT_UPSTREAM = 18,    /* id, from the first attempt on */
    SP_FACT_TARGET = 19,      /* address of the last attempt */
    SP_FACT_ERROR_TYPE = 20,  /* gateway response type of a local answer */
    SP_FACT_BASE_PATH = 21,
    SP_FACT_PROTOCOL = 22,    /* HTTP/1.1 */
    SP_FACT_INTEGRATION_TYPE = 23,
    SP_FACT_INTEGRATION_URI = 24
};
/* Facts: numbers. Times in nanoseconds, monotonic; 0 when not yet. */
enum {
    SP_NUM_STATUS = 1,            /* of the response side, 0: none yet */
    SP_NUM_INTEGRATION_STATUS = 2,
    SP_NUM_REQUEST_BYTES = 3,     /* body bytes seen so far */
    SP_NUM_RESPONSE_BYTES = 4,    /* body bytes sent so far */
    SP_NUM_T_BEGIN = 5,
    SP_NUM_T_INTEGRATION_BEGIN = 6,
    SP_NUM_T_INTEGRATION_HEAD = 7,
    SP_NUM_T_INTEGRATION_END = 8,
    SP_NUM_T_END = 9,
    SP_NUM_LOCAL = 10,            /* 1: the response was made here */
    SP_NUM_CONTENT_LENGTH = 11,   /* of the request's body; -1: told by its end */
    SP_NUM_CLIENT_PORT = 12,
    SP_NUM_END_REASON = 13,       /* at LOG: 0 whole, 1 client gone, 2 aborted, 3 timeout, 4 shutdown */
    SP_NUM_WALL_BEGIN_MS = 14,
    SP_NUM_RESPONSE_LENGTH = 15   /* of the integration response's body; -1: told by its end */
};

struct sp_header {
    uint32_t size, id; /* id 0: a name nobody interned */
    sp_str name, value; /* name as it came */
};

enum { SP_VAL_NONE = 0, SP_VAL_STR = 1, SP_VAL_INT = 2, SP_VAL_REAL = 3, SP_VAL_BOOL = 4, SP_VAL_JSON = 5 /* str holds JSON text */ };
struct sp_value {
    uint32_t type, reserved;
    sp_str str;
    int64_t i; /* INT, BOOL */
    double r;
};

/* The integration request's target. */
enum { SP_TARGET_METHOD = 1, SP_TARGET_PATH = 2, SP_TARGET_QUERY = 3, SP_TARGET_HOST = 4 /* the Host sent */, SP_TARGET_UPSTREAM = 5 /* id of a named upstream */ };

struct sp_param {
    uint32_t size, reserved;
    sp_str name, value; /* query: decoded; path: not decoded */
};
enum { SP_PARAM_PATH = 1, SP_PARAM_QUERY = 2, SP_PARAM_STAGE_VARIABLE = 3 };

/* A whole local answer. Further headers are set with header_set on SP_SIDE_RESPONSE after respond() has returned. */
struct sp_response {
    uint32_t size, status; /* 200 .. 599 */
    sp_str content_type;   /* empty: none */
    sp_str body;           /* copied */
    const struct sp_slice *slices; /* instead of body: buffers are referenced, not copied */
    uint32_t nslices, slice_stride;
    uint32_t flags; /* SP_RESPONSE_* */
    uint32_t reserved;
};
enum { SP_RESPONSE_STREAM = 1 /* the body follows by body->emit from a continuation; body and slices are empty */ };

/* Gateway response types (semantics of AWS's table); status and body come from the API's customisation or the defaults. */
enum {
    SP_GR_ACCESS_DENIED = 1, SP_GR_API_CONFIGURATION_ERROR, SP_GR_AUTHORIZER_CONFIGURATION_ERROR, SP_GR_AUTHORIZER_FAILURE,
    SP_GR_BAD_REQUEST_BODY, SP_GR_BAD_REQUEST_PARAMETERS, SP_GR_EXPIRED_TOKEN, SP_GR_INTEGRATION_FAILURE,
    SP_GR_INTEGRATION_TIMEOUT, SP_GR_INVALID_API_KEY, SP_GR_INVALID_SIGNATURE, SP_GR_MISSING_AUTHENTICATION_TOKEN,
    SP_GR_QUOTA_EXCEEDED, SP_GR_REQUEST_TOO_LARGE, SP_GR_RESOURCE_NOT_FOUND, SP_GR_THROTTLED, SP_GR_UNAUTHORIZED,
    SP_GR_UNSUPPORTED_MEDIA_TYPE, SP_GR_WAF_FILTERED, SP_GR_DEFAULT_4XX, SP_GR_DEFAULT_5XX
};

enum { SP_WAIT_NOTIFY = 1 /* running out of time calls the continuation with SP_EV_TIMEOUT instead of ending the exchange */ };

struct sp_exchange_api {
    uint32_t size, reserved;
    /* 16-byte aligned, not cleared. NULL: the exchange's bound is reached or memory is out. */
    void *(*alloc)(struct sp_exchange *, size_t n);
    sp_status (*fact)(struct sp_exchange *, uint32_t fact, sp_str *out);
    sp_status (*number)(struct sp_exchange *, uint32_t number, int64_t *out);

    /* Headers by id (core->header_id). nth counts from 0 in the order they came. SP_E_NONE: fewer. */
    sp_status (*header_get)(struct sp_exchange *, uint32_t side, uint32_t id, uint32_t nth, sp_str *out);
    sp_status (*header_find)(struct sp_exchange *, uint32_t side, sp_str name, uint32_t nth, sp_str *out);
    /* Every header in order: start with *cursor 0; SP_E_NONE at the end. Edits invalidate the cursor. */
    sp_status (*header_next)(struct sp_exchange *, uint32_t side, uint32_t *cursor, struct sp_header *out);
    /* Edits. name is used for ids of 0 only. SP_E_PHASE: read-only side, wrong hook point, head gone, or a header that the host
     * owns; SP_E_ARG: malformed name or value (CR, LF, NUL). */
    sp_status (*header_set)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value);
    sp_status (*header_add)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value);
    sp_status (*header_del)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name);

    /* Parameters by name and in order (start with *cursor 0). Names are compared with case. */
    sp_status (*param_get)(struct sp_exchange *, uint32_t kind, sp_str name, sp_str *out);
    sp_status (*param_next)(struct sp_exchange *, uint32_t kind, uint32_t *cursor, struct sp_param *out);

    /* $context variables. Built-in ones ("requestId", "identity.sourceIp", ...) are readable by name and by id. Setting a
     * built-in one is SP_E_DENIED. Text of the value is copied. */
    sp_status (*var_get)(struct sp_exchange *, uint32_t id, struct sp_value *out);
    sp_status (*var_find)(struct sp_exchange *, sp_str name, struct sp_value *out);
    sp_status (*var_set)(struct sp_exchange *, uint32_t id, const struct sp_value *);

    /* The integration request's target: REQUEST, REQUEST_BODY in mode BUFFER, ATTEMPT (UPSTREAM not at ATTEMPT). */
    sp_status (*target_get)(struct sp_exchange *, uint32_t what, sp_str *out);
    sp_status (*target_set)(struct sp_exchange *, uint32_t what, sp_str value);
    /* STAGE only: the deployment whose resources are matched. SP_E_NONE: the API has no such deployment. */
    sp_status (*choose_deployment)(struct sp_exchange *, sp_str id);
    /* RESPONSE only, until the head has left: 200..599. */
    sp_status (*status_set)(struct sp_exchange *, uint32_t status);

    /* Answers. Only stored; the verdict makes them count. Each returns the verdict to return (SP_RESPOND, SP_ERROR), so that a hook
     * can `return respond(...)`. In the response phase they replace the response; after the head has left: SP_ABORT. */
    sp_verdict (*respond)(struct sp_exchange *, const struct sp_response *);
    /* type: SP_GR_*; fmt: why, for log and trace, never shown to the client. */
    sp_verdict (*fail)(struct sp_exchange *, uint32_t type, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
    /* As fail, with the message that the gateway response shows ($context.error.message); empty: the type's default. */
    sp_verdict (*fail_message)(struct sp_exchange *, uint32_t type, sp_str message, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

    /* A wait: return SP_PENDING afterwards. After timeout_ms (1 .. 600000) the exchange ends with INTEGRATION_TIMEOUT naming
     * the plugin (with on_error: allow it goes on, when the hook waits), or, with SP_WAIT_NOTIFY, fn runs with SP_EV_TIMEOUT. 0: no token (out of tokens, bad arguments). */
    sp_token (*suspend)(struct sp_exchange *, uint32_t timeout_ms, uint32_t flags, sp_fn fn, void *arg);
    /* Any thread, any time, any number of times: the first one counts, others get SP_E_GONE. */
    sp_status (*resume)(sp_token, uint64_t tag);

    /* A line of the execution trace, when the stage records one (traced() tells). */
    int32_t (*traced)(struct sp_exchange *);
    void (*trace)(struct sp_exchange *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
    /* The module's thread_state on this thread (also in call->thread_state). */
    void *(*thread_state)(struct sp_exchange *, struct sp_module *);
};

#ifdef __cplusplus
}
#endif
#endif
