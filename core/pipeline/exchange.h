/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange: one request with its response, from the head to the log hooks, as a state machine over srv.h, cli.h and the hook chains.
 * Lives in its stream's arena, on its connection's thread. */
#ifndef PIPELINE_EXCHANGE_H
#define PIPELINE_EXCHANGE_H

#include "http/cli.h"
#include "http/srv.h"
#include "pipeline/exchange_id.h"
#include "pipeline/gwresp.h"
#include "pipeline/plan.h"
#include "pipeline/thread.h"

#define EXCHANGE_MAGIC 0x45584348u

enum x_phase {
    X_STAGE = 1,   /* STAGE hooks */
    X_REQUEST,     /* REQUEST hooks */
    X_REQ_BUFFER,  /* the whole request body is awaited, then its hooks run */
    X_INTEGRATION, /* the integration works */
    X_RESPONSE,    /* RESPONSE hooks */
    X_RES_BUFFER,  /* the whole response body is awaited, then its hooks run */
    X_SENDING,     /* the head has left; the body flows */
    X_ENDED        /* LOG and behind */
};

/* Where a hook waits, and which continuation may move it on. */
enum x_where { W_MAIN = 0, W_REQ_BODY, W_RES_BODY, W_COUNT };

struct entry_state { /* of one entry in one exchange */
    void *ctx;
    uint8_t ran;              /* any hook ran: exchange_end is due */
    uint8_t want[2];          /* request, response: SP_BODY_* */
    uint64_t want_max[2];
};

struct body_hook {
    const struct hook_ref *h;
    uint8_t mode;
    bool finished; /* saw END, or failed and was passed over */
    bool edited;   /* has given something else than an earlier chunk */
    uint64_t offset;
};

/* What only a body with hooks needs: few have any, and what an exchange touches in memory is much of its cost. */
struct flow_hooks {
    struct bufq cur;  /* the chunk that hook `at` was shown */
    struct bufq gave; /* what it emitted instead */
    struct body_hook v[];
};

/* Body bytes on their way through the body hooks of one side. */
struct flow {
    struct bufq in;   /* come, not yet shown to a hook */
    struct bufq out;  /* through all hooks, not yet taken by the sink */
    struct flow_hooks *hooks; /* NULL: none */
    unsigned hook_count;
    unsigned at;      /* hook that is blocked */
    bool armed;       /* hooks were counted in */
    bool whole;       /* BUFFER: run once in_end is there */
    bool edits;       /* a hook may change the length */
    bool in_end, out_end;
    bool at_end;      /* the chunk in the hands of the blocked hook was the last */
    bool blocked, running;
    bool replaced;    /* the running hook called emit or hold */
    bool cut;         /* a hook gave END before its input ended: what follows is dropped */
    uint64_t max;     /* bytes for BUFFER and collect */
    struct xop *collect; /* a hook waits for the whole body */
    struct xop *room;
};

enum xop_kind { OP_WAIT = 1, OP_TIMER, OP_COLLECT, OP_CLIENT, OP_ROOM };

/* Something asynchronous of an exchange or of a module (x NULL). */
struct xop {
    struct list link; /* exchange->ops or the module's list of the thread */
    uint8_t kind, where, side;
    bool notify;      /* running out of time is told to fn */
    bool repeat;
    uint8_t point;
    uint64_t token;
    struct exchange *x;
    struct sp_module *mod;
    struct pl_thread *pt;
    const struct hook_ref *h; /* whose; NULL for modules */
    sp_fn fn;
    void *arg;
    struct timer timer;
    uint64_t every_ms, jitter_ms;
    struct xcall *call; /* OP_CLIENT */
};

struct xvar {
    uint32_t id;
    struct sp_value v;
    struct xvar *next;
};

struct exchange {
    uint32_t magic;
    uint8_t phase, api_type;
    bool blocked;        /* blocked_h returned SP_PENDING */
    bool running;
    bool local;          /* the response was made here */
    bool res_ready;      /* x->res is filled */
    bool streaming_local; /* RESPONSE_STREAM: a plugin emits the body */
    bool rooming;        /* a room callback runs */
    bool responded;      /* respond() or fail() was called in this hook run */
    bool integration_started, integration_done;
    bool head_gone;      /* srv_head accepted */
    bool bodyless;       /* no body goes out: HEAD, 204, 304 */
    bool body_ended;     /* the last byte was given to the client's stream */
    bool ended, aborted, srv_ended;
    bool traced, stage_only;
    bool req_discarded;
    uint8_t end_reason;
    uint16_t gw_type;    /* gateway response chosen, 0: none */
    unsigned cursor;
    unsigned stop_pos;   /* response hooks run for entries before this place in the order */
    unsigned attempt;
    struct loop *loop;
    struct pl_thread *pt;
    struct pl_listener *listener;
    struct srv_stream *st;
    struct arena *arena;
    struct unit *unit;   /* NULL: no API answers the host */
    const struct stage_plan *stage;
    struct route_plan *route; /* stage->none until a route matched */
    uint32_t counter;         /* of its answers with 2xx, read with the route; 0: none yet */
    const struct deployment_plan *deployment;
    const struct chains *chains;
    struct entry_state *entries;
    str *params; /* values of the path's parameters; route_names() has their names */
    unsigned param_count;
    str base_path, resource_path;
    struct http_req req;  /* integration request */
    struct http_res ires; /* integration response, as it came */
    struct http_res res;  /* to the client */
    struct flow req_flow, res_flow;
    struct list ops;
    struct bufq *shown;   /* body bytes that were replaced while a hook could still read them */
    uint64_t given;       /* bytes that a streaming plugin has emitted */
    const struct hook_ref *streamer;
    struct xvar *vars;
    struct proxy *proxy;
    str host_set;         /* SP_TARGET_HOST */
    struct upstream *up_set; /* SP_TARGET_UPSTREAM */
    str error_message, error_detail;
    struct addr_ip client;
    const struct hook_ref *blocked_h;
    const struct hook_ref *cur; /* hook that runs now */
    uint8_t cur_where;
    uint8_t cur_point;
    bool cur_shadow;
    bool cur_live; /* its verdict counts: a hook, or the continuation of one that is waited for */
    uint64_t t_begin, t_int_begin, t_int_head, t_int_end, t_end, wall_ms;
    uint16_t int_status;
    str target, upstream_id;
    char request_id[36];
    char extended_id[16];
};

/* x_begin.c: ids, API and stage; x_route.c: resource and method */
extern const struct srv_events exchange_events;
void x_match_route(struct exchange *); /* STAGE is through */

/* x_forwarded.c */
void x_find_client(struct exchange *);
int x_forward_headers(struct exchange *); /* on the integration request. E_NOMEM */
bool x_last_hop(struct exchange *);

/* x_run.c: the main chain. */
void x_run(struct exchange *);                       /* goes on from where it stands */
void x_resume_main(struct exchange *, sp_verdict);   /* the blocked hook's continuation answered */
sp_verdict x_call(struct exchange *, const struct hook_ref *, sp_fn, enum x_where, struct sp_call *);
void x_call_init(struct exchange *, const struct hook_ref *, unsigned point, struct sp_call *);
/* on_error: allow. May the exchange go on past a failure of this hook there? Not past an integration, which alone has the answer, nor past
 * a body hook that has changed a part of the body. */
bool x_allows(const struct exchange *, const struct hook_ref *, enum x_where, unsigned point);
void x_pass_over(struct exchange *, const struct hook_ref *, enum x_where, unsigned point, const char *why); /* says and counts it */
/* Is it this hook that the exchange, or that side's flow, waits for? */
bool x_waits(const struct exchange *, const struct hook_ref *, enum x_where);
bool x_outstanding(const struct exchange *, const struct entry *, enum x_where);
void x_log_hooks(struct exchange *);
/* ATTEMPT hooks in order, up to the first that does not say NEXT: its verdict, and which it was. */
sp_verdict x_attempt_hooks(struct exchange *, const struct hook_ref **stopped);
void x_misuse(struct exchange *, const struct hook_ref *, const char *fmt, ...) PRINTF(3, 4);
void x_to_response(struct exchange *, unsigned stop_pos); /* a response is set: run ③ */
void x_abort(struct exchange *, const char *why);
void x_fail(struct exchange *, enum gw_type, const char *why); /* the core's own gateway response, then ③ for all */
/* malloc gave nothing: counted; 503, or the connection is closed. */
void x_fail_memory(struct exchange *);
void x_abort_memory(struct exchange *);
void x_trace(struct exchange *, const char *fmt, ...) PRINTF(2, 3);
#define STOP_ALL UINT32_MAX

/* x_flow.c: bodies. */
void flow_init(struct flow *);
void flow_clear(struct flow *);
/* Counts the hooks in that asked for this body. E_NOMEM. */
int flow_arm(struct exchange *, struct flow *, enum x_where);
void flow_run(struct exchange *, struct flow *, enum x_where);
void flow_resume(struct exchange *, struct flow *, enum x_where, sp_verdict);
/* x_body.c: what moves bytes between the client, the flows and the integration. Both may end the exchange. */
void x_request_pump(struct exchange *);
void x_response_pump(struct exchange *);
bool x_collecting(struct exchange *, struct flow *); /* a collect() waits; fires it when it can */

/* x_send.c */
void x_response_headed(struct exchange *); /* RESPONSE hooks are through */
void x_send_head(struct exchange *);
void x_finish(struct exchange *, enum srv_end);

/* x_wait.c */
struct xop *xop_new(struct exchange *, enum xop_kind, sp_fn, void *arg);
struct xop *xop_new_module(struct pl_thread *, struct sp_module *, enum xop_kind, sp_fn, void *arg);
void xop_free(struct xop *);
void x_cancel_ops(struct exchange *);
/* Runs an operation's continuation and applies its verdict. final: the operation is over and freed before the call. */
void xop_fire(struct xop *, unsigned event, int status, uint64_t tag, const struct sp_chunk *chunk, bool final);
uint32_t x_bound_timeout(const struct exchange *, uint64_t ms);
int x_resume_token(sp_token, uint64_t tag); /* any thread */

void xcall_timer(struct xop *);
void xcall_drop(struct xop *); /* host_client.c: ends the HTTP call of an operation */

/* x_answer.c */
int x_set_local(struct exchange *, unsigned status, str content_type, str body);
void x_set_gateway_response(struct exchange *, enum gw_type, str message);
void x_drop_response(struct exchange *);

/* proxy.c */
void proxy_start(struct exchange *);
void proxy_cancel(struct exchange *);
bool proxy_room(const struct exchange *);
void proxy_send(struct exchange *, struct bufq *, bool end);
void proxy_fill(struct exchange *); /* answer bytes into res_flow.in */

/* x_target.c: method, path, query and mapped headers of the integration request. E_NOMEM, E_ARG. */
int x_target(struct exchange *);

/* x_params.c */
const struct stage_var *x_stage_var(const struct exchange *, str name);
const str *x_path_param(const struct exchange *, str name); /* its value; NULL: the path has none of that name */
/* Query parameters in order, decoded; *cursor begins at 0. False at the end, or when memory is out. */
bool x_query_next(struct exchange *, uint32_t *cursor, str *name, str *value);
bool x_query_get(struct exchange *, str name, str *value); /* the last one of that name */

/* vars.c: $context */
extern const char *const var_builtin_names[]; /* ended by NULL; ids are 1 + index */
bool var_get(struct exchange *, uint32_t id, struct sp_value *out);
str var_text(struct exchange *, uint32_t id); /* as text; empty when absent */
uint32_t var_id_of(const struct exchange *, str name);

/* explain, names */
const char *hook_point_name(unsigned point);

#endif
