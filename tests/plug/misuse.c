/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that does at run time what a plugin must not do, one thing per option `case`, and tells
 * in the response's X-Misuse what the host answered: "call=status ...". */
#include <sallyport/sugar.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_MAX 400

struct ctx {
    char report[REPORT_MAX];
    size_t n;
    sp_token token;
};

struct conf {
    int64_t which;
};

static const struct sp_host *host;
static uint32_t metric; /* set in load, read by all threads */

static void report(const struct sp_call *call, const char *what, long long status)
{
    struct ctx *c = call->ctx;
    int n = snprintf(c->report + c->n, sizeof(c->report) - c->n, "%s%s=%lld", c->n == 0 ? "" : " ",
                     what, status);

    if (n > 0 && (size_t)n < sizeof(c->report) - c->n)
        c->n += (size_t)n;
}

static sp_verdict respond_text(const struct sp_call *call, uint32_t status, const char *text)
{
    return sp_answer(host, call->x, status, SP_STR("text/plain"), sp_of(text));
}

/* What comes back when it should not, or when it should. */
static sp_verdict come_back(const struct sp_call *call)
{
    report(call, call->event == SP_EV_TIMEOUT ? "timeout" : "event", call->event);
    return SP_NEXT;
}

static sp_verdict pending_nothing(const struct sp_call *call)
{
    (void)call;
    return SP_PENDING;
}

static sp_verdict verdict_77(const struct sp_call *call)
{
    (void)call;
    return 77;
}

static sp_verdict respond_without(const struct sp_call *call)
{
    (void)call;
    return SP_RESPOND;
}

static sp_verdict error_without(const struct sp_call *call)
{
    (void)call;
    return SP_ERROR;
}

static sp_verdict respond_then_next(const struct sp_call *call)
{
    respond_text(call, 203, "the answer counts");
    return SP_NEXT;
}

static sp_verdict respond_status(const struct sp_call *call)
{
    return respond_text(call, 101, "no");
}

static sp_verdict set_headers(const struct sp_call *call)
{
    const struct sp_exchange_api *api = host->exchange;

    report(call, "length",
           api->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR("Content-Length"), SP_STR("5")));
    report(
        call, "coding",
        api->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR("transfer-encoding"), SP_STR("gzip")));
    report(call, "connection",
           api->header_add(call->x, SP_SIDE_REQUEST, 0, SP_STR("Connection"), SP_STR("x")));
    report(call, "client",
           api->header_set(call->x, SP_SIDE_CLIENT_REQUEST, 0, SP_STR("X-A"), SP_STR("1")));
    report(call, "response",
           api->header_set(call->x, SP_SIDE_RESPONSE, 0, SP_STR("X-A"), SP_STR("1")));
    report(call, "side", api->header_set(call->x, 99, 0, SP_STR("X-A"), SP_STR("1")));
    report(call, "name", api->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR("X A"), SP_STR("1")));
    report(call, "empty", api->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR(""), SP_STR("1")));
    report(call, "value",
           api->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR("X-A"), SP_STR("a\r\nX-B: 2")));
    report(call, "id",
           api->header_set(call->x, SP_SIDE_REQUEST, 65000, SP_STR("X-A"), SP_STR("1")));
    return SP_NEXT;
}

static sp_verdict wrong_phase(const struct sp_call *call)
{
    struct sp_slice slice = {NULL, "x", 1};
    struct sp_value value = {.type = SP_VAL_STR, .str = SP_STR("me")};
    uint32_t id = host->core->variable_find(call->module, SP_STR("requestId"));

    report(call, "status", host->exchange->status_set(call->x, 418));
    report(call, "deployment", host->exchange->choose_deployment(call->x, SP_STR("v1")));
    report(call, "want", host->body->want(call->x, SP_SIDE_RESPONSE, SP_BODY_STREAM, 0));
    report(call, "mode", host->body->want(call->x, SP_SIDE_REQUEST, 7, 0));
    report(call, "emit", host->body->emit(call->x, SP_SIDE_REQUEST, &slice, 1, 0));
    report(call, "hold", host->body->hold(call->x, SP_SIDE_REQUEST));
    report(call, "builtin", host->exchange->var_set(call->x, id, &value));
    report(call, "variable", host->exchange->var_set(call->x, 60000, &value));
    report(call, "fact", host->exchange->fact(call->x, 9999, &value.str));
    return SP_NEXT;
}

static sp_verdict tokens(const struct sp_call *call)
{
    report(call, "zero", host->exchange->resume(0, 1));
    report(call, "ones", host->exchange->resume(UINT64_MAX, 1));
    report(call, "forged", host->exchange->resume(UINT64_C(0x0001000000000001), 1));
    report(call, "no-time", host->exchange->suspend(call->x, 0, 0, come_back, NULL) != 0);
    report(call, "too-long", host->exchange->suspend(call->x, 600001, 0, come_back, NULL) != 0);
    report(call, "no-fn", host->exchange->suspend(call->x, 100, 0, NULL, NULL) != 0);
    report(call, "timer", host->timer->once(call->module, call->x, 600001, come_back, NULL) != 0);
    return SP_NEXT;
}

static sp_verdict resume_twice(const struct sp_call *call)
{
    sp_token token = host->exchange->suspend(call->x, 5000, 0, come_back, NULL);

    report(call, "first", host->exchange->resume(token, 1));
    report(call, "second", host->exchange->resume(token, 2));
    report(call, "neighbour", host->exchange->resume(token + (UINT64_C(1) << 32), 3));
    return SP_PENDING;
}

static sp_verdict fail(const struct sp_call *call)
{
    return host->exchange->fail(call->x, SP_GR_ACCESS_DENIED, "a failure for the test");
}

static sp_verdict never_resume(const struct sp_call *call)
{
    host->exchange->suspend(call->x, 200, 0, come_back, NULL);
    return SP_PENDING;
}

static sp_verdict never_resume_notify(const struct sp_call *call)
{
    host->exchange->suspend(call->x, 100, SP_WAIT_NOTIFY, come_back, NULL);
    return SP_PENDING;
}

static sp_status send_status(const struct sp_call *call, const char *upstream, const char *path,
                             uint32_t timeout_ms)
{
    struct sp_client_request r = {
        .size = sizeof(r), .method = SP_STR("GET"), .timeout_ms = timeout_ms, .fn = come_back};
    sp_status why = SP_OK;
    sp_op op;

    r.upstream = sp_of(upstream);
    r.path = sp_of(path);
    op = host->client->send(call->module, call->x, &r, &why);
    return op != 0 ? SP_OK : why;
}

static sp_verdict client(const struct sp_call *call)
{
    struct sp_client_request r = {
        .size = sizeof(r), .upstream = SP_STR("backend"), .path = SP_STR("/"), .timeout_ms = 100};
    sp_status why = SP_OK;

    report(call, "unknown", send_status(call, "nobody", "/", 1000));
    report(call, "no-time", send_status(call, "backend", "/", 0));
    report(call, "too-long", send_status(call, "backend", "/", 600001));
    report(call, "path", send_status(call, "backend", "pets", 1000));
    report(call, "split", send_status(call, "backend", "/ HTTP/1.1\r\nX: y", 1000));
    r.method = SP_STR("G T");
    r.fn = come_back;
    report(call, "method", host->client->send(call->module, call->x, &r, &why) != 0 ? SP_OK : why);
    r.method = SP_STR("GET");
    r.fn = NULL;
    report(call, "no-fn", host->client->send(call->module, call->x, &r, &why) != 0 ? SP_OK : why);
    report(call, "dead", host->client->status(UINT64_C(0x1234567890)));
    host->client->cancel(UINT64_C(0x1234567890));
    host->timer->cancel(UINT64_C(0x1234567890));
    return SP_NEXT;
}

static sp_verdict bounds(const struct sp_call *call)
{
    char text[32];
    uint32_t i, other = 0, series = 0;

    report(call, "alloc", host->exchange->alloc(call->x, (size_t)1 << 40) == NULL ? 0 : 1);
    for (i = 0; i < 60000; i++) { /* a flood of label values ends in one shared series */
        sp_str label = {text, 0};
        int n = snprintf(text, sizeof(text), "%u", (unsigned)i);
        label.n = n > 0 ? (size_t)n : 0;
        series = host->metric->series(metric, &label, 1);
        if (i == 59998)
            other = series;
    }
    host->metric->add(series, 1);
    report(call, "shared", series != 0 && series == other);
    report(call, "labels", host->metric->series(metric, NULL, 0) != 0);
    host->metric->add(0, 1);
    return SP_NEXT;
}

/* Left outstanding at the end on purpose: the host cancels them. */
static sp_verdict leave(const struct sp_call *call)
{
    unsigned i;

    for (i = 0; i < 8; i++) {
        host->timer->once(call->module, call->x, 600000, come_back, NULL);
        host->exchange->suspend(call->x, 600000, SP_WAIT_NOTIFY, come_back, NULL);
    }
    report(call, "send", send_status(call, "backend", "/slow", 60000));
    return SP_NEXT;
}

static sp_verdict nothing(const struct sp_call *call)
{
    (void)call;
    return SP_NEXT;
}

static const char *const cases[] = {
    "none",
    "pending-nothing",
    "verdict-77",
    "respond-without",
    "error-without",
    "respond-then-next",
    "respond-status",
    "set-headers",
    "wrong-phase",
    "tokens",
    "resume-twice",
    "never-resume",
    "never-resume-notify",
    "client",
    "bounds",
    "leave",
    "pending-log",
    "pending-attempt",
    "number-attempts",
    "respond-log",
    "respond-late",
    "fail",
    "fail-response",
    "fail-body",
    "fail-edited-body",
    NULL,
};
static const sp_fn at_request[] = {
    nothing,
    pending_nothing,
    verdict_77,
    respond_without,
    error_without,
    respond_then_next,
    respond_status,
    set_headers,
    wrong_phase,
    tokens,
    resume_twice,
    never_resume,
    never_resume_notify,
    client,
    bounds,
    leave,
    nothing,
    nothing,
    nothing,
    nothing,
    nothing,
    fail,
    nothing,
    nothing,
    nothing,
};

static bool is(const struct sp_call *call, const char *name)
{
    return sp_equal(sp_of(cases[((const struct conf *)call->conf)->which]), sp_of(name));
}

static sp_verdict on_request(const struct sp_call *call)
{
    return at_request[((const struct conf *)call->conf)->which](call);
}

/* No misuse: this attempt's number in a header of this attempt alone. */
static sp_verdict number_attempt(const struct sp_call *call)
{
    char text[16], name[32];
    int n = snprintf(text, sizeof(text), "%u", call->attempt);

    snprintf(name, sizeof(name), "X-Attempt-%u", call->attempt);
    if (host->exchange->header_set(call->x, SP_SIDE_REQUEST, 0, sp_of(name),
                                   (sp_str){text, (size_t)n}) != SP_OK)
        return SP_ABORT;
    return SP_NEXT;
}

static sp_verdict on_attempt(const struct sp_call *call)
{
    if (is(call, "number-attempts"))
        return number_attempt(call);
    return is(call, "pending-attempt") ? SP_PENDING : SP_NEXT;
}

static sp_verdict on_response(const struct sp_call *call)
{
    struct ctx *c = call->ctx;
    sp_str text = {c->report, c->n};

    if (c->n != 0 &&
        host->exchange->header_set(call->x, SP_SIDE_RESPONSE, 0, SP_STR("X-Misuse"), text) != SP_OK)
        host->core->log(call->module, call->x, SP_LOG_ERROR, "the report could not be set");
    if (is(call, "respond-late") || is(call, "fail-body") || is(call, "fail-edited-body"))
        host->body->want(call->x, SP_SIDE_RESPONSE, SP_BODY_STREAM, 0);
    return is(call, "fail-response") ? fail(call) : SP_NEXT;
}

/* The head has left: an answer now can only break the connection off. */
static sp_verdict on_response_body(const struct sp_call *call)
{
    struct sp_slice slice = {NULL, "changed", 7};

    if (is(call, "fail-edited-body") && call->chunk->offset > 0)
        return fail(call);
    if (is(call, "fail-edited-body") || is(call, "fail-body"))
        host->body->emit(call->x, SP_SIDE_RESPONSE, &slice, 1, 0);
    if (is(call, "fail-edited-body"))
        return SP_NEXT;
    if (is(call, "fail-body"))
        return fail(call);
    return respond_text(call, 200, "too late");
}

static sp_verdict on_log(const struct sp_call *call)
{
    if (is(call, "respond-log"))
        return respond_text(call, 200, "too late");
    return is(call, "pending-log") ? SP_PENDING : SP_NEXT;
}

static sp_status on_load(struct sp_load *load)
{
    static const char *const labels[] = {"flood"};

    host = load->host;
    metric = host->metric->define(load->module, SP_METRIC_COUNTER, "flood_total", "A label flood",
                                  labels, 1, NULL, 0);
    return metric != 0 ? SP_OK : SP_E_LIMIT;
}

static sp_status on_conf_create(struct sp_conf *c)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (conf == NULL)
        return SP_E_NOMEM;
    if (host->conf->get_int(c, "case", &conf->which) != SP_OK) {
        free(conf);
        return host->conf->error(c, c->node, "no case");
    }
    c->conf = conf;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *c)
{
    free(c->conf);
}

static const struct sp_option options[] = {
    SP_OPTION_ENUM("case", "none", cases, "what is done wrong"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {
    {SP_HP_REQUEST, 0, on_request},   {SP_HP_ATTEMPT, 0, on_attempt},
    {SP_HP_RESPONSE, 0, on_response}, {SP_HP_RESPONSE_BODY, 0, on_response_body},
    {SP_HP_LOG, 0, on_log},
};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("misuse", "1", "does at run time what a plugin must not do"),
    .ctx_size = sizeof(struct ctx),
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
