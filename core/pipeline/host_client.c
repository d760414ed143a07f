/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client, for plugins: calls of an exchange or of a module to a named upstream. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"
#include "pipeline/relief.h"
#include "pipeline/self.h"

#define CALL_MAX_BODY (1u << 20)

struct xcall {
    struct xop *op;
    struct upstream *up; /* a reference */
    struct upstream_pick *pick;
    struct upstream_want want;
    struct up_addr *addr; /* of the call; upstream_ended is due */
    struct arena arena; /* heads and the request: outlives no continuation */
    struct cli_call call;
    struct http_req req;
    str host, body;
    uint64_t max_body, seen;
    unsigned retries;
    bool stream, calling, starting, fresh, paused, headed, over;
    int deferred;
    struct bufq got; /* not yet shown */
    struct timer unpause;
};

static void unpaused(struct loop *, struct timer *);

static void begin(struct xcall *);

static struct xcall *call_of(sp_op token)
{
    struct pl_thread *pt = pl_self();
    struct xop *op = pt && slot_owner(token) == pt->loop->id ? slot_get(&pt->loop->slots, token) : NULL;

    return op && op->kind == OP_CLIENT ? op->call : NULL;
}

/* The HTTP call is over, however. */
static void release(struct xcall *c)
{
    if (c->addr)
        upstream_ended(c->addr);
    c->addr = NULL;
    c->calling = false;
}

void xcall_drop(struct xop *op)
{
    struct xcall *c = op->call;

    op->call = NULL;
    timer_cancel(&c->unpause);
    if (c->pick)
        upstream_pick_cancel(c->pick);
    if (c->calling)
        cli_cancel(&c->call);
    release(c);
    bufq_clear(&c->call.in);
    bufq_clear(&c->got);
    upstream_unref(c->up);
    arena_fini(&c->arena);
    free(c);
}

/* Shows what came as a chunk; the operation may be gone afterwards. */
static void fire(struct xcall *c, unsigned event, int status)
{
    struct xop *op = c->op;
    uint64_t token = op->token;
    struct slot_table *slots = &op->pt->loop->slots;
    struct sp_slice few[16], *v = few;
    struct bufq shown; /* readable until the continuation returns, whatever it does to its call */
    unsigned n = c->got.count;

    bufq_init(&shown);
    if ((n > 16 && !(v = malloc(n * sizeof(*v)))) || bufq_move(&shown, &c->got) != 0) {
        if (v != few)
            free(v);
        v = few, n = 0, status = E_NOMEM, event = SP_EV_CLIENT_DONE;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct slice *s = bufq_at(&shown, i);
        v[i] = (struct sp_slice){(struct sp_buffer *)s->b, s->p, s->n};
    }
    struct sp_chunk chunk = {.size = sizeof(chunk), .v = v, .nv = n, .v_stride = sizeof(*v), .bytes = shown.bytes,
                             .offset = c->seen - shown.bytes};
    chunk.flags = event == SP_EV_CLIENT_DONE ? SP_CHUNK_END | (c->stream ? 0u : SP_CHUNK_WHOLE) : 0u;
    bool final = event == SP_EV_CLIENT_DONE;
    c->over |= final;
    xop_fire(op, event, status, 0, event == SP_EV_CLIENT_HEAD ? NULL : &chunk, final);
    if (v != few)
        free(v);
    bufq_clear(&shown);
    op = slot_get(slots, token); /* the continuation may have ended the exchange, and this with it */
    if (op && final) {
        struct exchange *x = op->x;

        xop_free(op);
        if (x && x->streaming_local) /* was it the last that could continue the answer? */
            x_response_pump(x);
    }
}

static void end(struct xcall *c, int status)
{
    if (c->over)
        return;
    if (c->calling)
        cli_cancel(&c->call);
    release(c);
    if (c->starting) { /* no continuation runs inside send() */
        c->deferred = status;
        timer_set(c->op->pt->loop, &c->op->timer, 0);
        return;
    }
    fire(c, SP_EV_CLIENT_DONE, status);
}

/* Answer bytes: collected, or shown as they come. */
static void take(struct xcall *c)
{
    uint64_t before = c->got.bytes;

    if (c->paused)
        return;
    if (bufq_move(&c->got, &c->call.in) != 0) {
        end(c, E_NOMEM);
        return;
    }
    c->seen += c->got.bytes - before;
    if (c->seen > c->max_body) {
        bufq_clear(&c->got);
        end(c, E_LIMIT);
        return;
    }
    if (c->calling)
        cli_consumed(&c->call);
    if (c->stream && c->got.bytes)
        fire(c, SP_EV_CLIENT_DATA, 0);
}

static void on_head(struct cli_call *call)
{
    struct xcall *c = call->upper;

    c->headed = true;
    upstream_verdict(c->addr, !upstream_bad_status(c->up, call->res.status), "its answer's status");
    if (c->stream)
        fire(c, SP_EV_CLIENT_HEAD, 0);
}

static void on_body(struct cli_call *call)
{
    take(call->upper);
}

static void on_done(struct cli_call *call)
{
    struct xcall *c = call->upper;
    uint64_t token = c->op->token;

    release(c);
    if (c->paused)
        return; /* goes on when the plugin lets it */
    take(c);
    if ((c = call_of(token)) && !c->over)
        end(c, 0);
}

static void on_fail(struct cli_call *call, const struct cli_fail *f)
{
    struct xcall *c = call->upper;

    bool stale = f->stage != CLI_CONNECT && f->reused && f->untouched && f->err == E_IO;
    bool ours = f->err == E_NOMEM || (f->err == E_LIMIT && f->stage == CLI_CONNECT); /* not the target's fault */
    if (f->no_files)
        pl_short_of_files(call->loop);
    if (!c->headed && !stale && !ours)
        upstream_verdict(c->addr, false, f->reason);
    if (!stale)
        upstream_tried(&c->want, c->addr);
    release(c);
    if (f->untouched && !c->headed && !ours && c->retries > 0) {
        c->retries--;
        c->fresh = true;
        begin(c);
        return;
    }
    end(c, f->err);
}

static void on_room(struct cli_call *call)
{
    (void)call; /* the body was staged whole */
}

static const struct cli_events events = {.head = on_head, .body = on_body, .done = on_done, .fail = on_fail, .room = on_room};

static void picked(void *arg, const struct upstream_picked *pk)
{
    struct xcall *c = arg;
    struct bufq body;
    int rc;

    c->pick = NULL;
    if (pk->status) {
        end(c, pk->status == E_TIMEOUT || pk->status == E_LIMIT ? pk->status : E_IO);
        return;
    }
    c->addr = pk->addr;
    c->call = (struct cli_call){.loop = c->op->pt->loop, .arena = &c->arena, .ev = &events, .upper = c};
    rc = cli_start(&c->call, pk->pool, &c->req, c->host, c->fresh);
    c->calling = rc == 0;
    if (rc == 0 && c->req.has_body) {
        bufq_init(&body);
        rc = bufq_push(&body, (struct slice){NULL, c->body.p, (uint32_t)c->body.n});
        if (rc == 0)
            rc = cli_send(&c->call, &body, true);
        bufq_clear(&body);
    }
    if (rc)
        end(c, rc);
}

static void begin(struct xcall *c)
{
    struct upstream_pick *pick = upstream_pick(c->up, c->op->pt->loop, &c->arena, &c->want, picked, c);

    if (pick)
        c->pick = pick;
}

/* The call's time is up, or a failure that came while send() was still running is told now. */
void xcall_timer(struct xop *op)
{
    struct xcall *c = op->call;

    end(c, c->deferred ? c->deferred : E_TIMEOUT);
}

static int add_headers(struct xcall *c, const struct sp_client_request *r)
{
    for (uint32_t i = 0; i < r->nheaders; i++) {
        const struct sp_header_line *h = (const void *)((const char *)r->headers + (size_t)i * r->header_stride);
        uint16_t id = hdr_id_of(h->name);

        if (!hdr_name_ok(h->name) || !hdr_value_ok(h->value) || id == HDR_CONTENT_LENGTH || id == HDR_HOST || http_hop_by_hop(id))
            return E_ARG;
        str name = arena_str(&c->arena, h->name), value = arena_str(&c->arena, h->value);
        if (!name.p || !value.p || hdrs_add(&c->req.h, &c->arena, id, name, value) != 0)
            return E_NOMEM;
    }
    return 0;
}

static int fill(struct xcall *c, const struct sp_client_request *r)
{
    size_t q = str_chr(r->path, '?');
    str path = arena_str(&c->arena, r->path);

    c->req.method_name = arena_str(&c->arena, r->method);
    c->req.method = (uint8_t)http_method_of(r->method);
    c->req.version_minor = 1;
    c->req.path = str_take(path, q);
    c->req.query = q < path.n ? str_drop(path, q + 1) : STR_NONE;
    c->body = arena_str(&c->arena, r->body);
    c->req.has_body = r->body.n > 0 || c->req.method == M_POST || c->req.method == M_PUT;
    c->req.content_length = (int64_t)r->body.n;
    c->host = arena_str(&c->arena, r->host.n ? r->host : upstream_authority(c->up));
    if (!path.p || !c->body.p || !c->host.p || !c->req.method_name.p)
        return E_NOMEM;
    c->max_body = r->max_body ? r->max_body : CALL_MAX_BODY;
    c->retries = r->retries > 10 ? 10 : r->retries;
    c->stream = r->flags & SP_CLIENT_STREAM;
    return add_headers(c, r);
}

static sp_status check(const struct sp_exchange *sx, const struct sp_client_request *r)
{
    const struct exchange *x = (const struct exchange *)sx;

    if (r->timeout_ms == 0 || r->timeout_ms > 600000 || !r->fn || !hdr_name_ok(r->method) || !r->path.n || r->path.p[0] != '/' ||
        r->body.n > UINT32_MAX || (r->host.n && !hdr_value_ok(r->host)))
        return SP_E_ARG;
    for (size_t i = 0; i < r->path.n; i++)
        if ((unsigned char)r->path.p[i] <= 0x20 || r->path.p[i] == 0x7f || r->path.p[i] == '#')
            return SP_E_ARG;
    if (x && (!x->cur || x->cur_point == SP_HP_LOG || x->cur_point == SP_HP_ATTEMPT))
        return SP_E_PHASE;
    return SP_OK;
}

static sp_status send_call(struct pl_thread *pt, struct sp_module *m, struct exchange *x, const struct sp_client_request *r, sp_op *out)
{
    struct upstream *up = upstream_find(pt->pipeline->upstreams, r->upstream);
    struct xcall *c;
    int rc;

    if (!up)
        return SP_E_NONE;
    c = calloc(1, sizeof(*c));
    if (!c) {
        upstream_unref(up);
        return SP_E_NOMEM;
    }
    arena_init(&c->arena, &pt->loop->arenas);
    bufq_init(&c->got);
    timer_init(&c->unpause, unpaused);
    c->up = up;
    c->op = x ? xop_new(x, OP_CLIENT, r->fn, r->arg) : xop_new_module(pt, m, OP_CLIENT, r->fn, r->arg);
    if (!c->op) {
        struct xop gone = {.call = c};
        xcall_drop(&gone);
        return SP_E_LIMIT;
    }
    c->op->call = c;
    *out = c->op->token;
    rc = fill(c, r);
    if (rc) {
        xop_free(c->op);
        return rc;
    }
    c->starting = true;
    timer_set(pt->loop, &c->op->timer, x ? x_bound_timeout(x, r->timeout_ms) : r->timeout_ms);
    begin(c);
    c->starting = false;
    return SP_OK;
}

static sp_op hc_send(struct sp_module *m, struct sp_exchange *sx, const struct sp_client_request *r, sp_status *why)
{
    struct pl_thread *pt = pl_self();
    sp_status rc = pt ? check(sx, r) : SP_E_PHASE;
    sp_op op = 0;

    if (rc == SP_OK)
        rc = send_call(pt, m, (struct exchange *)sx, r, &op);
    if (why)
        *why = rc;
    return rc == SP_OK ? op : 0;
}

static uint32_t hc_status(sp_op op)
{
    const struct xcall *c = call_of(op);

    return c && c->headed ? c->call.res.status : 0;
}

static sp_status hc_header(sp_op op, sp_str name, uint32_t nth, sp_str *out)
{
    const struct xcall *c = call_of(op);
    const struct hdr *h = c && c->headed ? hdrs_get(&c->call.res.h, hdr_id_of(name), name, nth) : NULL;

    if (!c)
        return SP_E_GONE;
    if (!h)
        return SP_E_NONE;
    *out = h->value;
    return SP_OK;
}

static sp_status hc_header_next(sp_op op, uint32_t *cursor, struct sp_header_line *out)
{
    const struct xcall *c = call_of(op);

    if (!c)
        return SP_E_GONE;
    while (c->headed && *cursor < c->call.res.h.n) {
        const struct hdr *h = &c->call.res.h.v[(*cursor)++];
        if (h->flags & HDR_F_REMOVED)
            continue;
        *out = (struct sp_header_line){h->name, h->value};
        return SP_OK;
    }
    return SP_E_NONE;
}

/* Going on after a pause waits for the loop's next turn, so that no continuation runs inside the caller. */
static void unpaused(struct loop *l, struct timer *t)
{
    struct xcall *c = CONTAINER_OF(t, struct xcall, unpause);
    uint64_t token = c->op->token;

    take(c);
    if ((c = call_of(token)) && !c->over && !c->calling && c->call.in_end && !c->paused)
        end(c, 0);
    loop_flush(l);
}

static sp_status hc_pause(sp_op op, int32_t on)
{
    struct xcall *c = call_of(op);

    if (!c || c->over)
        return SP_E_GONE;
    if (!c->stream)
        return SP_E_PHASE;
    c->paused = on != 0;
    if (!on)
        timer_set(c->op->pt->loop, &c->unpause, 0);
    return SP_OK;
}

static void hc_cancel(sp_op op)
{
    struct xcall *c = call_of(op);

    if (c && !c->over) /* inside its last continuation it ends by itself */
        xop_free(c->op);
}

const struct sp_client_api host_client_api = {
    .size = sizeof(struct sp_client_api),
    .send = hc_send,
    .status = hc_status,
    .header = hc_header,
    .header_next = hc_header_next,
    .pause = hc_pause,
    .cancel = hc_cancel,
};
