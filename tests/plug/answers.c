/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that answers in every way there is, one per option `case`: streamed from room to room, from inside body hooks, out of a
 * collected body, from a client call that it ends in its middle. */
#include <sallyport/sugar.h>
#include <stdlib.h>

#define TINY 60000 /* bytes, given one by one */

struct ctx {
    int64_t left;
};
struct conf {
    int64_t which;
};

static const struct sp_host *host;

static const char *const cases[] = {
    "none",      "stream",        "stream-tiny",       "stream-idle",    "stream-dropped", "stream-in-vain",
    "body-view", "body-fail",     "body-fail-request", "collect-view",   "collect-slices", "buffer-request",
    "cut",       "cancel-in-mid", "request-view",      "stream-timeout", NULL,
};

static bool is(const struct sp_call *call, const char *name)
{
    return sp_equal(sp_of(cases[((const struct conf *)call->conf)->which]), sp_of(name));
}

static sp_verdict answer(const struct sp_call *call, uint32_t status, sp_str body, uint32_t flags)
{
    struct sp_response r = {.size = sizeof(r), .status = status, .content_type = SP_STR("text/plain"), .body = body, .flags = flags};

    return host->exchange->respond(call->x, &r);
}

static void emit(const struct sp_call *call, const char *p, size_t n, uint32_t flags)
{
    struct sp_slice slice = {NULL, p, n};

    host->body->emit(call->x, SP_SIDE_RESPONSE, &slice, n != 0, flags);
}

/* A piece whenever there is room. */
static sp_verdict on_room(const struct sp_call *call)
{
    struct ctx *c = call->ctx;

    if (is(call, "stream-idle") && c->left % 2 == 0) { /* nothing this time: a timer brings more */
        c->left--;
        host->timer->once(call->module, call->x, 5, on_room, NULL);
        return SP_NEXT;
    }
    if (c->left-- <= 0) {
        emit(call, NULL, 0, SP_CHUNK_END);
        return SP_NEXT;
    }
    emit(call, "x", 1, 0);
    if (!is(call, "stream-dropped") || c->left > 3)
        host->body->on_room(call->x, SP_SIDE_RESPONSE, on_room, NULL);
    return SP_NEXT;
}

/* Room is asked for again and again, and nothing is given. */
static sp_verdict on_room_in_vain(const struct sp_call *call)
{
    struct ctx *c = call->ctx;

    host->body->on_room(call->x, SP_SIDE_RESPONSE, on_room_in_vain, NULL);
    c->left++;
    return SP_NEXT;
}

static sp_verdict at_last(const struct sp_call *call)
{
    emit(call, "at last", 7, SP_CHUNK_END);
    return SP_NEXT;
}

static sp_verdict stream(const struct sp_call *call)
{
    struct ctx *c = call->ctx;
    sp_verdict v = answer(call, 200, SP_STR(""), SP_RESPONSE_STREAM);

    c->left = is(call, "stream-tiny") ? TINY : 10;
    if (is(call, "stream-timeout")) {
        host->exchange->suspend(call->x, 200, 0, on_room, NULL);
        return v;
    }
    if (is(call, "stream-in-vain")) {
        host->timer->once(call->module, call->x, 200, at_last, NULL);
        host->body->on_room(call->x, SP_SIDE_RESPONSE, on_room_in_vain, NULL);
        return v;
    }
    host->body->on_room(call->x, SP_SIDE_RESPONSE, on_room, NULL);
    return v;
}

static uint64_t sum(const struct sp_chunk *chunk)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < chunk->nv; i++)
        for (size_t k = 0; k < chunk->v[i].n; k++)
            n += (unsigned char)chunk->v[i].p[k];
    return n;
}

/* The call is over, and its piece stays readable until we return. */
static sp_verdict in_mid(const struct sp_call *call)
{
    static const char digits[] = "0123456789";
    char text[20];
    size_t at = sizeof(text);

    if (call->event != SP_EV_CLIENT_DATA)
        return call->event == SP_EV_CLIENT_HEAD ? SP_PENDING : SP_NEXT;
    host->client->cancel(call->op);
    uint64_t n = sum(call->chunk) / call->chunk->bytes;
    do
        text[--at] = digits[n % 10];
    while ((n /= 10) != 0);
    return answer(call, 203, (sp_str){text + at, sizeof(text) - at}, 0);
}

static sp_verdict cancel_in_mid(const struct sp_call *call)
{
    struct sp_client_request r = {.size = sizeof(r), .flags = SP_CLIENT_STREAM, .upstream = SP_STR("backend"), .method = SP_STR("GET"),
                                  .path = SP_STR("/big"), .timeout_ms = 5000, .max_body = 1 << 24, .fn = in_mid};
    sp_status why;

    return host->client->send(call->module, call->x, &r, &why) ? SP_PENDING : SP_NEXT;
}

static sp_verdict on_request(const struct sp_call *call)
{
    if (is(call, "cancel-in-mid"))
        return cancel_in_mid(call);
    if (is(call, "body-fail-request") || is(call, "buffer-request") || is(call, "request-view"))
        host->body->want(call->x, SP_SIDE_REQUEST, SP_BODY_BUFFER, 0);
    return sp_starts(sp_of(cases[((const struct conf *)call->conf)->which]), SP_STR("stream")) ? stream(call) : SP_NEXT;
}

static sp_verdict collected(const struct sp_call *call)
{
    const struct sp_chunk *chunk = call->chunk;
    struct sp_response r = {.size = sizeof(r), .status = 203, .content_type = SP_STR("text/plain")};

    if (call->status != SP_OK)
        return host->exchange->fail(call->x, SP_GR_DEFAULT_5XX, "not collected");
    uint64_t before = sum(chunk);
    if (is(call, "collect-view")) {
        r.body = (sp_str){chunk->v[0].p, chunk->v[0].n};
    } else {
        r.slices = chunk->v;
        r.nslices = chunk->nv;
        r.slice_stride = chunk->v_stride;
    }
    sp_verdict v = host->exchange->respond(call->x, &r);
    return sum(chunk) == before ? v : SP_ABORT; /* views live until we return */
}

static sp_verdict on_response(const struct sp_call *call)
{
    if (is(call, "collect-view") || is(call, "collect-slices"))
        return host->body->collect(call->x, SP_SIDE_RESPONSE, 0, 5000, collected, NULL) ? SP_PENDING : SP_NEXT;
    if (is(call, "body-view") || is(call, "body-fail"))
        host->body->want(call->x, SP_SIDE_RESPONSE, SP_BODY_BUFFER, 0);
    if (is(call, "cut"))
        host->body->want(call->x, SP_SIDE_RESPONSE, SP_BODY_STREAM, 0);
    return SP_NEXT;
}

static sp_verdict on_request_body(const struct sp_call *call)
{
    if (is(call, "body-fail-request"))
        return host->exchange->fail(call->x, SP_GR_BAD_REQUEST_BODY, "not liked");
    if (is(call, "request-view"))
        return answer(call, 203, (sp_str){call->chunk->v[0].p, call->chunk->v[0].n}, 0);
    return SP_NEXT;
}

static sp_verdict on_response_body(const struct sp_call *call)
{
    const struct sp_chunk *chunk = call->chunk;

    if (is(call, "cut")) {
        emit(call, "short", 5, SP_CHUNK_END);
        return SP_NEXT;
    }
    if (is(call, "body-fail"))
        return host->exchange->fail(call->x, SP_GR_DEFAULT_5XX, "not liked");
    uint64_t before = sum(chunk);
    sp_verdict v = answer(call, 203, (sp_str){chunk->v[0].p, chunk->v[0].n}, 0);
    return sum(chunk) == before ? v : SP_ABORT;
}

static sp_status on_load(struct sp_load *load)
{
    host = load->host;
    return SP_OK;
}

static sp_status on_conf_create(struct sp_conf *c)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (conf == NULL)
        return SP_E_NOMEM;
    c->conf = conf;
    return host->conf->get_int(c, "case", &conf->which);
}

static void on_conf_free(struct sp_conf *c)
{
    free(c->conf);
}

static const struct sp_option options[] = {
    SP_OPTION_ENUM("case", "none", cases, "how it answers"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {
    {SP_HP_REQUEST, 0, on_request},
    {SP_HP_REQUEST_BODY, 0, on_request_body},
    {SP_HP_RESPONSE, 0, on_response},
    {SP_HP_RESPONSE_BODY, 0, on_response_body},
};
static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("answers", "1", "answers in every way there is"),
    .ctx_size = sizeof(struct ctx),
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
