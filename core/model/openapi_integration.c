/* SPDX-License-Identifier: Apache-2.0 */
/* x-amazon-apigateway-integration: http_proxy in full, any other type as a capability for plugins.
 */
#include "model/openapi.h"
#include "model/params.h"
#include "model/uri.h"

#define TIMEOUT_MIN  50
#define TIMEOUT_REST 29000
#define TIMEOUT_HTTP 30000

#define LATER(k)                                                                                   \
    {                                                                                              \
        .key = k, .type = S_ANY, .flags = S_LATER                                                  \
    }
static const struct schema proxy_table[] = {
    {.key = "type", .type = S_STRING, .flags = S_REQUIRED},
    {.key = "uri",
     .type = S_STRING,
     .flags = S_REQUIRED,
     .min = 1,
     .expected = "http://host[:port]/path"},
    {.key = "httpMethod", .type = S_STRING},
    {.key = "requestParameters", .type = S_DICT},
    {.key = "timeoutInMillis", .type = S_ANY},
    {.key = "connectionType", .type = S_STRING},
    {.key = "connectionId", .type = S_STRING},
    {.key = "passthroughBehavior", .type = S_STRING},
    {.key = "payloadFormatVersion", .type = S_ANY},
    {.key = "responses", .type = S_ANY}, /* AWS ignores integration responses of proxies */
    {.key = "cacheKeyParameters", .type = S_ANY},
    {.key = "cacheNamespace", .type = S_ANY},
    {.key = "credentials", .type = S_ANY},
    {.key = "requestTemplates", .type = S_ANY},
    {.key = "responseTransferMode", .type = S_ANY},
    {.key = "description", .type = S_ANY},
    LATER("contentHandling"),
    LATER("tlsConfig"),
    LATER("integrationTarget"),
    LATER("integrationSubtype"),
    LATER("responseParameters"),
    {.key = NULL}};

static str upper(struct load *ld, str s)
{
    char *p = arena_bytes(ld->arena, s.n + 1);

    if (!p) {
        load_nomem(ld);
        return STR("");
    }
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 0x20) : s.p[i];
    p[s.n] = 0;
    return str_n(p, s.n);
}

static void read_timeout(struct doc *doc, struct integration *in, const struct node *n)
{
    int64_t max = doc->api->type == API_REST ? TIMEOUT_REST : TIMEOUT_HTTP;

    if (!n || (node_is_scalar(n) && str_i64(n->text, &in->timeout_ms) == 0 &&
               in->timeout_ms >= TIMEOUT_MIN && in->timeout_ms <= max))
        return;
    node_error(doc->ld->diag, doc->ld->tree, n, NULL, "Timeout should be between 50 ms and %lld ms",
               (long long)max);
}

static void one_of(struct doc *doc, const struct node *n, const char *const *words,
                   const char *kind)
{
    unsigned count = 0;

    if (!n || n->type != NODE_STRING)
        return;
    for (; words[count]; count++)
        if (str_ieq(n->text, str_z(words[count])))
            return;
    node_unknown(doc->ld->diag, doc->ld->tree, n, n, kind, words, count);
}

static void read_verb(struct doc *doc, struct integration *in, const struct node *map)
{
    static const char *const verbs[] = {"ANY",     "GET",  "PUT",   "POST", "DELETE",
                                        "OPTIONS", "HEAD", "PATCH", NULL};
    const struct node *n = node_getz(map, "httpMethod");

    in->http_method = STR("");
    if (n && n->type == NODE_STRING && n->text.n) {
        in->http_method = upper(doc->ld, n->text);
        one_of(doc, n, verbs, "HTTP method");
    } else if (doc->api->type == API_REST) {
        node_error(doc->ld->diag, doc->ld->tree, n ? n : map, "`httpMethod: GET`, ANY or the like",
                   "Enumeration value for HttpMethod must be non-empty");
    }
}

static void read_link(struct doc *doc, struct integration *in, const struct node *id)
{
    const struct node *links = node_getz(doc->ld->gw->root, "vpc_links"),
                      *to = node_get(links, id->text);
    unsigned count = links && links->type == NODE_MAP ? links->count : 0;
    const char **names;

    if (str_find(id->text, STR("${")) < id->text.n) {
        node_error(doc->ld->diag, doc->ld->tree, id, "a key of `vpc_links`",
                   "stage variables in connectionId are not supported by this version");
        return;
    }
    if (to && to->type == NODE_STRING) {
        in->upstream = load_str(doc->ld, to->text); /* the API may outlive the main conf's tree */
        return;
    }
    names = LOAD_NEW(doc->ld, const char *, count);
    for (unsigned i = 0; names && i < count; i++)
        names[i] = links->keys[i]->text.p;
    if (names)
        node_unknown(doc->ld->diag, doc->ld->tree, id, id, "VPC link", names, count);
}

static void read_connection(struct doc *doc, struct integration *in, const struct node *map)
{
    static const char *const types[] = {"INTERNET", "VPC_LINK", NULL};
    const struct node *type = node_getz(map, "connectionType"),
                      *id = node_getz(map, "connectionId");

    in->upstream = STR("");
    one_of(doc, type, types, "connection type");
    in->vpc_link = type && type->type == NODE_STRING && str_ieq(type->text, STR("VPC_LINK"));
    if (!in->vpc_link)
        return;
    if (id && id->type == NODE_STRING && id->text.n)
        read_link(doc, in, id);
    else
        node_error(doc->ld->diag, doc->ld->tree, type, "`connectionId` with a key of `vpc_links`",
                   "connectionType VPC_LINK has no connectionId");
}

static void warn_ignored(struct doc *doc, const struct node *map)
{
    static const char *const words[] = {"requestTemplates", "credentials"};

    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        const struct node *n = node_getz(map, words[i]);

        if (n && n->type != NODE_NULL && !(n->type == NODE_MAP && n->count == 0))
            node_warn(doc->ld->diag, doc->ld->tree, n, NULL,
                      "`%s` has no effect on http_proxy, as with AWS", words[i]);
    }
}

static void read_http_proxy(struct doc *doc, struct api_method *m, const struct node *map)
{
    static const char *const passthrough[] = {"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER", NULL};
    struct integration *in = &m->integration;
    const struct node *uri = node_getz(map, "uri");

    in->kind = INT_HTTP_PROXY;
    in->uri = STR("");
    schema_check(proxy_table, map, doc->ld->tree, doc->ld->diag);
    read_verb(doc, in, map);
    read_timeout(doc, in, node_getz(map, "timeoutInMillis"));
    one_of(doc, node_getz(map, "passthroughBehavior"), passthrough, "passthrough behavior");
    read_connection(doc, in, map);
    warn_ignored(doc, map);
    if (uri && uri->type == NODE_STRING && uri->text.n && uri_parse(doc->ld, in, uri))
        params_read(doc, m, node_getz(map, "requestParameters"));
}

static bool type_ok(str s)
{
    return id_ok(s, true);
}

void doc_read_integration(struct doc *doc, struct api_method *m, const struct node *op,
                          const struct node *key)
{
    const struct node *n = node_getz(op, "x-amazon-apigateway-integration"), *type;
    struct integration *in = &m->integration;

    in->uri = in->upstream = in->http_method = in->type = STR("");
    if (!n || n->type == NODE_NULL) {
        doc_key_error(doc, key, op, "`x-amazon-apigateway-integration`",
                      "No integration defined for method");
        return;
    }
    n = doc_deref(doc, n);
    if (!n)
        return;
    type = node_getz(n, "type");
    in->node = n;
    if (n->type != NODE_MAP || !type || type->type != NODE_STRING || !type_ok(type->text)) {
        node_error(doc->ld->diag, doc->ld->tree, type ? type : n,
                   "`type: http_proxy` or another type",
                   n->type != NODE_MAP ? "is not a map" : "the integration has no type");
        return;
    }
    in->type = upper(doc->ld, type->text);
    if (str_eqz(in->type, "HTTP_PROXY")) {
        read_http_proxy(doc, m, n);
        return;
    }
    in->kind = INT_PLUGIN;
    read_timeout(doc, in, node_getz(n, "timeoutInMillis"));
}
