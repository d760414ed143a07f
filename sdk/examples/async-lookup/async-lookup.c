/* SPDX-License-Identifier: Apache-2.0 */
/* An example: asks another service about the request before it goes on. The header X-User is looked
 * up there; who is unknown gets 401, who is known is told to the backend as X-User-Id, and nobody
 * waits longer than the option says. */
#include <sallyport/sugar.h>
#include <stdlib.h>

#define PATH_MAX_BYTES 512

struct conf {
    uint32_t timeout_ms;
    size_t upstream_n;
    char upstream[];
};

static const struct sp_host *host;

static sp_status on_load(struct sp_load *load)
{
    host = load->host;
    return SP_OK;
}

static sp_status on_conf_create(struct sp_conf *c)
{
    int64_t timeout;
    struct conf *conf;
    sp_str upstream;

    /* No options at this place: nothing to look up here. */
    if (c->node == NULL || host->conf->get(c->node, "upstream") == NULL)
        return SP_DECLINE;
    if (host->conf->get_str(c, "upstream", &upstream) != SP_OK ||
        host->conf->get_int(c, "timeout", &timeout) != SP_OK)
        return host->conf->error(c, c->node, "upstream and timeout are needed");
    conf = malloc(sizeof(*conf) + upstream.n);
    if (conf == NULL)
        return SP_E_NOMEM;
    conf->timeout_ms = (uint32_t)timeout;
    conf->upstream_n = upstream.n;
    memcpy(conf->upstream, upstream.p, upstream.n);
    c->conf = conf;
    return SP_OK;
}

static void on_conf_free(struct sp_conf *c)
{
    free(c->conf);
}

/* A name goes into a path only as letters, digits, - and _ : what else there is would have to be
 * encoded. */
static bool plain(sp_str s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (!(ch >= '0' && ch <= '9') && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') && ch != '-' &&
            ch != '_')
            return false;
    }
    return s.n != 0;
}

/* The answer is there, or the call failed: on the exchange's thread, like every hook. */
static sp_verdict on_answer(const struct sp_call *call)
{
    sp_str id;

    if (call->status != SP_OK)
        return host->exchange->fail(call->x, SP_GR_AUTHORIZER_FAILURE,
                                    "the lookup failed: error %d", (int)call->status);
    if (host->client->status(call->op) != 200 ||
        host->client->header(call->op, SP_STR("X-Id"), 0, &id) != SP_OK)
        return host->exchange->fail(call->x, SP_GR_UNAUTHORIZED,
                                    "the lookup does not know the user");
    if (host->exchange->header_set(call->x, SP_SIDE_REQUEST, 0, SP_STR("X-User-Id"), id) != SP_OK)
        return host->exchange->fail(call->x, SP_GR_AUTHORIZER_FAILURE,
                                    "the lookup's answer does not fit into a header");
    return SP_NEXT;
}

static sp_verdict on_request(const struct sp_call *call)
{
    const struct conf *conf = call->conf;
    struct sp_client_request request = {.size = sizeof(request)};
    sp_str user, parts[2] = {SP_STR("/users/")};
    sp_status why;

    if (host->exchange->header_find(call->x, SP_SIDE_CLIENT_REQUEST, SP_STR("X-User"), 0, &user) !=
            SP_OK ||
        !plain(user) || user.n > PATH_MAX_BYTES)
        return host->exchange->fail(call->x, SP_GR_UNAUTHORIZED, "no usable X-User");
    parts[1] = user;
    request.upstream = (sp_str){conf->upstream, conf->upstream_n};
    request.method = SP_STR("GET");
    request.path = sp_join(host->exchange, call->x, parts, 2);
    request.timeout_ms = conf->timeout_ms;
    request.max_body = 4096;
    request.fn = on_answer;
    if (request.path.n == 0 || host->client->send(call->module, call->x, &request, &why) == 0)
        return host->exchange->fail(call->x, SP_GR_AUTHORIZER_CONFIGURATION_ERROR,
                                    "the lookup could not be sent");
    return SP_PENDING; /* until on_answer says how it goes on */
}

static const struct sp_option options[] = {
    SP_OPTION(SP_OPT_STRING, "upstream", NULL, "id of the service that knows the users"),
    SP_OPTION_RANGE(SP_OPT_DURATION, "timeout", "2s", 10, 30000, "the longest wait for it"),
    SP_OPTION_END,
};
static const struct sp_hook hooks[] = {{SP_HP_REQUEST, 0, on_request}};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("async-lookup", "1.0.0", "looks the user up in another service"),
    .flags = SP_PLUGIN_GUARD,
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_EXCHANGE | SP_TABLE_CLIENT,
    SP_HOOKS(hooks),
    SP_OPTIONS(options),
    .load = on_load,
    .conf_create = on_conf_create,
    .conf_free = on_conf_free,
};

SP_ENTRY(descriptor)
