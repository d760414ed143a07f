/* SPDX-License-Identifier: Apache-2.0 */
/* From the STAGE hooks to the REQUEST hooks: resource and method, path parameters, forwarding headers; AWS's answers to no match. */
#include "pipeline/exchange.h"

#include <openssl/evp.h>

/* "key=value" after "key=value", as a SigV4 Authorization header would be written. */
static bool has_pair(str params, const char *key)
{
    while (params.p) {
        str part = str_trim(str_cut(&params, ','), " \t");
        size_t eq = str_chr(part, '=');
        str name = str_take(part, eq);
        size_t sp = str_chr(name, ' ');

        if (sp < name.n)
            name = str_trim(str_drop(name, sp), " \t");
        if (eq < part.n && str_eqz(name, key))
            return true;
    }
    return false;
}

static str hashed(struct exchange *x, str value)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!EVP_Digest(value.p, value.n, md, &n, EVP_sha256(), NULL))
        return STR("");
    return enc_base64(x->arena, str_n((const char *)md, n));
}

/* An Authorization header that is not SigV4 makes AWS parse it on the unmatched request (semantics 1.4). p NULL: nothing to complain of. */
static str signature_complaint(struct exchange *x, str auth)
{
    bool credential = has_pair(auth, "Credential"), signature = has_pair(auth, "Signature"), names = has_pair(auth, "SignedHeaders");
    bool date = hdrs_first(&x->st->req.h, HDR_DATE) || hdrs_get(&x->st->req.h, HDR_OTHER, STR("X-Amz-Date"), 0);
    str rest = auth;

    while (rest.p) {
        str part = str_cut(&rest, ',');

        if (str_chr(part, '=') == part.n)
            return arena_printf(x->arena,
                                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded "
                                "with Base64): '%.*s'.",
                                STR_ARG(hashed(x, auth)));
    }
    if (credential && signature && names && date)
        return STR_NONE;
    return arena_printf(x->arena, "%s%s%s%s(Hashed with SHA-256 and encoded with Base64) Authorization=%.*s",
                        credential ? "" : "Authorization header requires 'Credential' parameter. ",
                        signature ? "" : "Authorization header requires 'Signature' parameter. ",
                        names ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
                        date ? "" : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
                        STR_ARG(hashed(x, auth)));
}

static void no_route(struct exchange *x)
{
    const struct hdr *auth = x->api_type == API_REST ? hdrs_first(&x->st->req.h, HDR_AUTHORIZATION) : NULL;
    str complaint = auth ? signature_complaint(x, auth->value) : STR_NONE;

    if (x->api_type != API_REST) {
        x_fail(x, GW_NO_ROUTE, "no route matches");
        return;
    }
    if (!complaint.p) {
        x_fail(x, (enum gw_type)SP_GR_MISSING_AUTHENTICATION_TOKEN, "no resource and method match");
        return;
    }
    x->error_detail = STR("no resource and method match; the Authorization header is not SigV4");
    x_set_gateway_response(x, (enum gw_type)SP_GR_MISSING_AUTHENTICATION_TOKEN, complaint);
    if (hdrs_set(&x->res.h, x->arena, HDR_X_AMZN_ERRORTYPE, hdr_id_name(HDR_X_AMZN_ERRORTYPE), STR("IncompleteSignatureException")))
        x->res.h.n = 0;
    x_to_response(x, STOP_ALL);
}

/* Root is kept or made new, the parent is ours (semantics 0.2). */
static int add_trace_id(struct exchange *x)
{
    const struct hdr *h = hdrs_first(&x->req.h, HDR_X_AMZN_TRACE_ID);
    uint64_t r[2] = {rng_next(&x->loop->rng), rng_next(&x->loop->rng)};
    char *p;

    if (h && str_find(h->value, STR("Root=")) < h->value.n)
        return 0;
    p = arena_bytes(x->arena, 40);
    if (!p)
        return E_NOMEM;
    memcpy(p, "Root=1-", 7);
    uint64_t s = x->wall_ms / 1000;
    const unsigned char seconds[] = {(unsigned char)(s >> 24), (unsigned char)(s >> 16), (unsigned char)(s >> 8), (unsigned char)s};
    enc_hex(p + 7, seconds, sizeof(seconds));
    p[15] = '-';
    enc_hex(p + 16, r, 12);
    return hdrs_set(&x->req.h, x->arena, HDR_X_AMZN_TRACE_ID, hdr_id_name(HDR_X_AMZN_TRACE_ID), str_n(p, 40));
}

static int prepare_request(struct exchange *x)
{
    bool core = x->route->kind != INT_PLUGIN;
    int rc = core ? x_target(x) : 0;

    if (rc)
        return rc;
    if (core)
        rc = x_forward_headers(x);
    return rc ? rc : add_trace_id(x);
}

void x_match_route(struct exchange *x)
{
    struct route_match m;

    x->cursor = 0;
    if (route_find(x->deployment->d->routes, (enum api_type)x->api_type, x->resource_path, x->st->req.method, &m) != ROUTE_FOUND) {
        no_route(x);
        return;
    }
    x->route = &x->deployment->routes[m.method - x->deployment->d->methods]; /* its index, without a look at it */
    __builtin_prefetch(x->route->target.room);
    x->counter = atomic_load_explicit(&x->route->counters[2], memory_order_relaxed);
    x->chains = x->route->chains;
    if (m.param_count) {
        x->params = arena_alloc(x->arena, m.param_count * sizeof(*x->params));
        if (!x->params) {
            x_fail_memory(x);
            return;
        }
        memcpy(x->params, m.values, m.param_count * sizeof(*x->params));
        x->param_count = m.param_count;
    }
    int rc = prepare_request(x);
    if (rc == E_NOMEM) {
        x_fail_memory(x);
        return;
    }
    if (rc != 0) {
        x_fail(x, GW_INTERNAL, "the integration URI cannot be built");
        return;
    }
    x->phase = X_REQUEST;
}
