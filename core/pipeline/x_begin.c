/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of an exchange: ids, client address, API and stage; and the events of its stream. */
#include "pipeline/exchange.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/shortage.h"
#include "pipeline/relief.h"

static const struct chains no_chains;
static struct route_plan no_route = {.chains = &no_chains};

/* A client may supply the request id as a UUID (semantics 0.2). */
static bool is_uuid(str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = chr_lower(s.p[i]);

        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static void make_ids(struct exchange *x)
{
    const struct hdr *h = hdrs_first(&x->st->req.h, HDR_X_AMZN_REQUESTID);

    if (h && is_uuid(h->value))
        memcpy(x->request_id, h->value.p, sizeof(x->request_id));
    else
        rng_uuid(&x->loop->rng, x->request_id);
    rng_extended_id(&x->loop->rng, x->extended_id);
}

static struct exchange *exchange_new(struct srv_stream *st)
{
    struct exchange *x = arena_zalloc(st->arena, sizeof(*x));

    if (!x)
        return NULL;
    x->magic = EXCHANGE_MAGIC;
    x->st = st;
    x->loop = st->loop;
    x->arena = st->arena;
    x->pt = pl_thread_of(st->loop);
    x->listener = (struct pl_listener *)srv_conf_of(st)->upper;
    x->t_begin = st->t_first_ns ? st->t_first_ns : loop_stamp_ns(x->loop);
    x->wall_ms = loop_turn_wall_ms(x->loop);
    x->phase = X_STAGE;
    x->stop_pos = STOP_ALL;
    x->route = &no_route;
    x->chains = &no_chains;
    x->traced = log_on(LOG_DEBUG);
    list_init(&x->ops);
    flow_init(&x->req_flow);
    flow_init(&x->res_flow);
    st->upper = x;
    atomic_store_explicit(&x->pt->exchanges, atomic_load_explicit(&x->pt->exchanges, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&x->pt->requests, atomic_load_explicit(&x->pt->requests, memory_order_relaxed) + 1, memory_order_relaxed);
    make_ids(x);
    x->client = *srv_peer(st);
    return x;
}

static int adopt_unit(struct exchange *x, const struct site_match *m)
{
    struct unit *u = x->pt->snap->units[m->api_index];

    unit_hold(u, x->loop->id);
    x->unit = u;
    x->api_type = (uint8_t)u->api->type;
    x->base_path = m->base_path;
    x->resource_path = m->path;
    if (!m->stage)
        return 0;
    x->stage = &u->stages[m->stage->index];
    x->deployment = x->stage->main;
    x->route = &u->stages[m->stage->index].none;
    x->chains = x->route->chains;
    x->entries = arena_zalloc(x->arena, (u->entries->n ? u->entries->n : 1) * sizeof(*x->entries));
    return x->entries ? 0 : E_NOMEM;
}

static void on_head(struct srv_stream *st)
{
    struct exchange *x = exchange_new(st);
    struct site_match m;

    if (!x) {
        shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(st->loop));
        srv_abort(st);
        return;
    }
    x_find_client(x);
    x->req = st->req;
    hdrs_share(&x->req.h, &st->req.h);
    if (!x->pt->snap || !site_find(x->pt->snap->site, st->req.authority, st->req.path, &m)) {
        x_fail(x, GW_FORBIDDEN, "no API answers this host");
        return;
    }
    if (adopt_unit(x, &m) != 0) {
        x_fail_memory(x);
        return;
    }
    if (!x->stage) {
        x_fail(x, x->api_type == API_REST ? GW_FORBIDDEN : GW_NO_ROUTE, "no such stage");
        return;
    }
    if (mem_over() && pl_short_of_memory(x->loop)) {
        shortage_note(SHORT_MEMORY, SHORT_AT_REQUEST, loop_now_ms(x->loop));
        st->last = true; /* and its next one waits until it is let in */
        x_fail(x, GW_INTEGRATION_UNREACHABLE, "limits.memory is reached");
        return;
    }
    x_run(x);
}

static void on_bad(struct srv_stream *st, const struct srv_bad *bad)
{
    struct exchange *x = exchange_new(st);

    if (!x) {
        srv_abort(st);
        return;
    }
    log_debug("request refused: %u %s", bad->status, bad->reason);
    x_fail(x, gw_of_status(bad->status), bad->reason);
}

static void on_body(struct srv_stream *st)
{
    struct exchange *x = st->upper;

    if (x && !x->req_discarded)
        x_request_pump(x);
}

static void on_room(struct srv_stream *st)
{
    if (st->upper)
        x_response_pump(st->upper);
}

static void on_end(struct srv_stream *st, enum srv_end reason)
{
    if (st->upper)
        x_finish(st->upper, reason);
    st->upper = NULL;
}

const struct srv_events exchange_events = {
    .head = on_head,
    .bad = on_bad,
    .body = on_body,
    .room = on_room,
    .end = on_end,
};

str exchange_request_id(const struct sp_exchange *sx)
{
    const struct exchange *x = (const struct exchange *)sx;

    return str_n(x->request_id, sizeof(x->request_id));
}
