/* SPDX-License-Identifier: Apache-2.0 */
/* $context: the built-in variables of an exchange (AWS's names), and those that plugins set. */
#include <time.h>

#include "base/text.h"
#include "pipeline/exchange.h"
#include "pipeline/host.h"

enum {
    V_ACCOUNT = 0, V_API, V_DEPLOYMENT, V_DOMAIN, V_PREFIX, V_ERR_MSG, V_ERR_STRING, V_ERR_TYPE, V_EXTENDED, V_METHOD, V_IP, V_AGENT,
    V_INT_LATENCY, V_INT_STATUS, V_INT_STATUS2, V_PATH, V_PROTOCOL, V_REQUEST_ID, V_TIME, V_EPOCH, V_RES_PATH, V_LATENCY, V_LENGTH,
    V_ROUTE_KEY, V_STAGE, V_STATUS, V_CERT_PEM, V_CERT_SUBJECT, V_CERT_ISSUER, V_CERT_SERIAL, V_CERT_FROM, V_CERT_TO,
    V_TLS_VERSION, V_TLS_CIPHER
};

const char *const var_builtin_names[] = {
    "accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "error.message", "error.messageString", "error.responseType",
    "extendedRequestId", "httpMethod", "identity.sourceIp", "identity.userAgent", "integrationLatency", "integrationStatus",
    "integration.status", "path", "protocol", "requestId", "requestTime", "requestTimeEpoch", "resourcePath", "responseLatency",
    "responseLength", "routeKey", "stage", "status",
    "identity.clientCert.clientCertPem", "identity.clientCert.subjectDN", "identity.clientCert.issuerDN",
    "identity.clientCert.serialNumber", "identity.clientCert.validity.notBefore", "identity.clientCert.validity.notAfter",
    "tlsVersion", "cipherSuite", NULL};

static bool put_str(struct sp_value *out, str s)
{
    out->type = s.p ? SP_VAL_STR : SP_VAL_NONE;
    out->str = s;
    return s.p != NULL;
}

static bool put_int(struct sp_value *out, int64_t i)
{
    out->type = SP_VAL_INT;
    out->i = i;
    return true;
}

static str host_name(const struct exchange *x)
{
    str a = x->st->req.authority;
    size_t colon = str_chr(a, ':');

    return a.n && a.p[0] == '[' ? str_take(a, str_chr(a, ']') + 1) : str_take(a, colon);
}

/* "09/Apr/2015:12:34:56 +0000", as AWS writes $context.requestTime. */
static str request_time(struct exchange *x)
{
    time_t s = (time_t)(x->wall_ms / 1000);
    struct tm tm;
    char buf[40];
    size_t n = gmtime_r(&s, &tm) ? strftime(buf, sizeof(buf), "%d/%b/%Y:%H:%M:%S +0000", &tm) : 0;

    return arena_str(x->arena, str_n(buf, n));
}

static str quoted(struct exchange *x, str s)
{
    struct text t;

    text_init(&t);
    json_quote(&t, s);
    str r = t.failed ? STR_NONE : arena_str(x->arena, text_str(&t));
    text_fini(&t);
    return r;
}

static str client_text(struct exchange *x)
{
    char t[ADDR_TEXT];

    return arena_str(x->arena, str_n(t, addr_ip_text(&x->client, t)));
}

static str header_value(const struct exchange *x, uint16_t id)
{
    const struct hdr *h = hdrs_first(&x->st->req.h, id);

    return h ? h->value : STR_NONE;
}

static str route_key(struct exchange *x)
{
    const struct api_method *m = x->route->method;

    if (!m)
        return STR_NONE;
    if (str_eq(m->resource->path, STR("$default")))
        return m->resource->path;
    return arena_printf(x->arena, "%.*s %.*s", STR_ARG(http_method_name((enum http_method)m->method)), STR_ARG(m->resource->path));
}

static bool error_value(struct exchange *x, unsigned v, struct sp_value *out)
{
    if (!x->gw_type)
        return put_str(out, STR_NONE);
    if (v == V_ERR_TYPE)
        return put_str(out, str_z(gw_name((enum gw_type)x->gw_type)));
    return put_str(out, v == V_ERR_MSG ? x->error_message : quoted(x, x->error_message));
}

static bool timing(struct exchange *x, unsigned v, struct sp_value *out)
{
    uint64_t end = x->t_end ? x->t_end : loop_now_ns();

    if (v == V_LATENCY)
        return put_int(out, (int64_t)((end - x->t_begin) / 1000000));
    if (!x->t_int_begin || !x->t_int_head)
        return put_str(out, STR_NONE);
    return put_int(out, (int64_t)((x->t_int_head - x->t_int_begin) / 1000000));
}

/* Of mutual TLS. */
static str client_cert(struct exchange *x, unsigned v)
{
    struct tls_facts f;

    if (srv_client_cert(x->st, &f) != 0)
        return STR_NONE;
    switch (v) {
    case V_CERT_PEM:
        return f.pem;
    case V_CERT_SUBJECT:
        return f.subject;
    case V_CERT_ISSUER:
        return f.issuer;
    case V_CERT_SERIAL:
        return f.serial;
    case V_CERT_FROM:
        return f.not_before;
    default:
        return f.not_after;
    }
}

static bool builtin(struct exchange *x, unsigned v, struct sp_value *out)
{
    const struct api_method *m = x->route->method;
    str host;

    switch (v) {
    case V_ACCOUNT:
        return put_str(out, x->pt->snap->gateway->aws_account);
    case V_API:
        return put_str(out, x->unit ? x->unit->api->id : STR_NONE);
    case V_DEPLOYMENT:
        return put_str(out, x->deployment ? x->deployment->d->id : STR_NONE);
    case V_DOMAIN:
        return put_str(out, host_name(x));
    case V_PREFIX:
        host = host_name(x);
        return put_str(out, str_take(host, str_chr(host, '.')));
    case V_ERR_MSG:
    case V_ERR_STRING:
    case V_ERR_TYPE:
        return error_value(x, v, out);
    case V_EXTENDED:
        return put_str(out, str_n(x->extended_id, sizeof(x->extended_id)));
    case V_METHOD:
        return put_str(out, x->st->req.method_name);
    case V_IP:
        return put_str(out, client_text(x));
    case V_AGENT:
        return put_str(out, header_value(x, HDR_USER_AGENT));
    case V_INT_LATENCY:
    case V_LATENCY:
        return timing(x, v, out);
    case V_INT_STATUS:
    case V_INT_STATUS2:
        return x->int_status ? put_int(out, x->int_status) : put_str(out, STR_NONE);
    case V_PATH:
        return put_str(out, x->st->req.path);
    case V_PROTOCOL:
        return put_str(out, x->st->req.version_minor ? STR("HTTP/1.1") : STR("HTTP/1.0"));
    case V_REQUEST_ID:
        return put_str(out, str_n(x->request_id, sizeof(x->request_id)));
    case V_TIME:
        return put_str(out, request_time(x));
    case V_EPOCH:
        return put_int(out, (int64_t)x->wall_ms);
    case V_RES_PATH:
        return put_str(out, m ? m->resource->path : STR_NONE);
    case V_LENGTH:
        return put_int(out, (int64_t)x->st->out_total);
    case V_ROUTE_KEY:
        return put_str(out, route_key(x));
    case V_STAGE:
        return put_str(out, x->stage ? x->stage->stage->name : STR_NONE);
    case V_CERT_PEM:
    case V_CERT_SUBJECT:
    case V_CERT_ISSUER:
    case V_CERT_SERIAL:
    case V_CERT_FROM:
    case V_CERT_TO:
        return put_str(out, client_cert(x, v));
    case V_TLS_VERSION:
        return put_str(out, srv_tls_version(x->st));
    case V_TLS_CIPHER:
        return put_str(out, srv_tls_cipher(x->st));
    case V_STATUS:
        return x->res_ready ? put_int(out, x->res.status) : put_str(out, STR_NONE);
    default:
        return put_str(out, STR_NONE);
    }
}

bool var_get(struct exchange *x, uint32_t id, struct sp_value *out)
{
    *out = (struct sp_value){0};
    if (id == 0)
        return false;
    if (id < sizeof(var_builtin_names) / sizeof(var_builtin_names[0]))
        return builtin(x, id - 1, out);
    for (const struct xvar *v = x->vars; v; v = v->next)
        if (v->id == id) {
            *out = v->v;
            return true;
        }
    return false;
}

str var_text(struct exchange *x, uint32_t id)
{
    struct sp_value v;

    if (!var_get(x, id, &v))
        return STR_NONE;
    switch (v.type) {
    case SP_VAL_STR:
    case SP_VAL_JSON:
        return v.str;
    case SP_VAL_INT:
        return arena_printf(x->arena, "%lld", (long long)v.i);
    case SP_VAL_BOOL:
        return v.i ? STR("true") : STR("false");
    case SP_VAL_REAL:
        return arena_printf(x->arena, "%.17g", v.r);
    default:
        return STR_NONE;
    }
}

uint32_t var_id_of(const struct exchange *x, str name)
{
    return host_variable_lookup(x->pt->pipeline->modules, name);
}
