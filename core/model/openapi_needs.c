/* SPDX-License-Identifier: Apache-2.0 */
/* What a document asks of plugins: authorizers, API keys, validators, resource policy, CORS.
 * Nothing that guards is ignored: it becomes a need, and a deployment whose needs nobody provides
 * is refused. */
#include "model/openapi.h"

static const char *const scheme_words[] = {"type",  "description",      "name",
                                           "in",    "scheme",           "bearerFormat",
                                           "flows", "openIdConnectUrl", NULL};

static const struct {
    const char *type, *need;
} authorizers[] = {{"token", "authorizer:TOKEN"},
                   {"request", "authorizer:REQUEST"},
                   {"jwt", "authorizer:JWT"},
                   {"cognito_user_pools", "authorizer:COGNITO_USER_POOLS"}};

static void need_authorizer(struct doc *doc, struct needs *needs, const struct node *n,
                            const struct node *at)
{
    const struct node *type = node_getz(n, "type");
    const char *names[ARRAY_LEN(authorizers)];

    for (unsigned i = 0; i < ARRAY_LEN(authorizers); i++) {
        names[i] = authorizers[i].type;
        if (type && node_is_scalar(type) && str_ieq(type->text, str_z(authorizers[i].type))) {
            needs_add(doc->ld, needs, authorizers[i].need, at);
            return;
        }
    }
    if (type && node_is_scalar(type))
        node_unknown(doc->ld->diag, doc->ld->tree, type, type, "authorizer type", names,
                     ARRAY_LEN(names));
    else
        node_error(doc->ld->diag, doc->ld->tree, n, "token, request, jwt or cognito_user_pools",
                   "the authorizer has no `type`");
}

static bool is_api_key(const struct node *scheme)
{
    const struct node *type = node_getz(scheme, "type"), *name = node_getz(scheme, "name");

    return type && str_eqz(type->text, "apiKey") && name && str_ieq(name->text, STR("x-api-key"));
}

static void need_scheme(struct doc *doc, struct needs *needs, const struct node *key,
                        const struct node *value)
{
    const struct node *schemes = node_getz(node_getz(doc->root, "components"), "securitySchemes");
    const struct node *scheme = node_get(schemes, key->text), *authorizer, *authtype;

    if (!scheme) {
        unsigned count = schemes && schemes->type == NODE_MAP ? schemes->count : 0;
        const char **names = LOAD_NEW(doc->ld, const char *, count);

        for (unsigned i = 0; names && i < count; i++)
            names[i] = schemes->keys[i]->text.p;
        if (names)
            node_unknown(doc->ld->diag, doc->ld->tree, key, value, "security scheme", names, count);
        return;
    }
    scheme = doc_deref(doc, scheme);
    authorizer = node_getz(scheme, "x-amazon-apigateway-authorizer");
    authtype = node_getz(scheme, "x-amazon-apigateway-authtype");
    if (authorizer)
        need_authorizer(doc, needs, authorizer, key);
    else if (authtype && node_is_scalar(authtype) && str_ieq(authtype->text, STR("awsSigv4")))
        needs_add(doc->ld, needs, "authorizer:AWS_IAM", key);
    else if (authtype)
        node_error(doc->ld->diag, doc->ld->tree, authtype,
                   "awsSigv4, or x-amazon-apigateway-authorizer beside it",
                   "this authtype needs an authorizer");
    else if (is_api_key(scheme))
        needs_add(doc->ld, needs, "api-key", key);
    else if (scheme)
        node_warn(doc->ld->diag, doc->ld->tree, key, "x-amazon-apigateway-authorizer in the scheme",
                  "the security scheme '%.*s' has no authorizer: it guards nothing, as with AWS",
                  STR_ARG(key->text));
}

static void need_security(struct doc *doc, struct needs *needs, const struct node *list)
{
    if (!list)
        return;
    if (list->type != NODE_LIST) {
        node_error(doc->ld->diag, doc->ld->tree, list, "a list of security schemes", "is %s",
                   node_article(list));
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct node *one = list->items[i];

        if (one->type != NODE_MAP)
            node_error(doc->ld->diag, doc->ld->tree, one,
                       "a map from a security scheme to its scopes", "is %s", node_article(one));
        for (uint32_t k = 0; one->type == NODE_MAP && k < one->count; k++)
            need_scheme(doc, needs, one->keys[k], one->items[k]);
    }
}

static void need_auth(struct doc *doc, struct needs *needs, const struct node *auth)
{
    const struct node *type = node_getz(auth, "type");

    if (!auth)
        return;
    if (type && node_is_scalar(type) && str_ieq(type->text, STR("AWS_IAM")))
        needs_add(doc->ld, needs, "authorizer:AWS_IAM", auth);
    else if (!type || !node_is_scalar(type) || !str_ieq(type->text, STR("NONE")))
        node_error(doc->ld->diag, doc->ld->tree, auth, "{type: AWS_IAM} or {type: NONE}",
                   "the auth type is not known");
}

static void need_validator(struct doc *doc, struct needs *needs, const struct node *n)
{
    const struct node *all = node_getz(doc->root, "x-amazon-apigateway-request-validators");
    unsigned count = all && all->type == NODE_MAP ? all->count : 0;
    const char **names;

    if (!n)
        return;
    if (n->type == NODE_STRING && node_get(all, n->text)) {
        needs_add(doc->ld, needs, "validator", n);
        return;
    }
    names = LOAD_NEW(doc->ld, const char *, count);
    for (unsigned i = 0; names && i < count; i++)
        names[i] = all->keys[i]->text.p;
    if (names && n->type == NODE_STRING)
        node_unknown(doc->ld->diag, doc->ld->tree, n, n, "request validator", names, count);
    else
        node_error(doc->ld->diag, doc->ld->tree, n, "the name of a request validator", "is %s",
                   node_article(n));
}

static void check_endpoint(struct doc *doc, const struct node *n)
{
    const struct node *off = node_getz(n, "disableExecuteApiEndpoint"),
                      *vpce = node_getz(n, "vpcEndpointIds");
    int64_t on = 0;

    if (vpce)
        doc_key_error(doc, node_key(n, STR("vpcEndpointIds")), vpce, NULL,
                      "`vpcEndpointIds` is not supported by this version");
    if (off && scalar_i64(&(const struct schema){.type = S_BOOL}, off, &on))
        node_error(doc->ld->diag, doc->ld->tree, off, "true or false", "is not a boolean");
    if (on)
        doc->api->disable_execute_api = true;
}

static void check_endpoints(struct doc *doc)
{
    const struct node *servers = node_getz(doc->root, "servers");

    check_endpoint(doc, node_getz(doc->root, "x-amazon-apigateway-endpoint-configuration"));
    for (uint32_t i = 0; servers && servers->type == NODE_LIST && i < servers->count; i++)
        check_endpoint(doc,
                       node_getz(servers->items[i], "x-amazon-apigateway-endpoint-configuration"));
}

static void check_schemes(struct doc *doc)
{
    const struct node *schemes = node_getz(node_getz(doc->root, "components"), "securitySchemes");

    for (uint32_t i = 0; schemes && schemes->type == NODE_MAP && i < schemes->count; i++)
        if (!node_getz(schemes->items[i], "$ref"))
            doc_check_keys(doc, schemes->items[i], scheme_words, EXT_SCHEME);
}

void doc_read_needs(struct doc *doc)
{
    const struct node *policy = node_getz(doc->root, "x-amazon-apigateway-policy"),
                      *cors = node_getz(doc->root, "x-amazon-apigateway-cors");
    const struct node *security = node_getz(doc->root, "security");

    doc->validator = node_getz(doc->root, "x-amazon-apigateway-request-validator");
    doc->auth = node_getz(doc->root, "x-amazon-apigateway-auth");
    if (policy && policy->type != NODE_NULL)
        needs_add(doc->ld, &doc->needs, "resource-policy", policy);
    if (cors && cors->type != NODE_NULL)
        needs_add(doc->ld, &doc->needs, "cors", cors);
    if (security && security->count)
        node_warn(doc->ld->diag, doc->ld->tree, security, "`security` at each operation",
                  "`security` at the top level guards nothing, as with AWS");
    check_endpoints(doc);
    check_schemes(doc);
}

void doc_method_needs(struct doc *doc, struct api_method *m, const struct node *op)
{
    const struct node *validator = node_getz(op, "x-amazon-apigateway-request-validator");
    const struct node *auth = node_getz(op, "x-amazon-apigateway-auth");
    struct needs needs = {0};

    for (unsigned i = 0; i < doc->needs.n; i++)
        needs_add(doc->ld, &needs, doc->needs.v[i], doc->needs.at[i]);
    need_security(doc, &needs, node_getz(op, "security"));
    need_auth(doc, &needs, auth ? auth : doc->auth);
    need_validator(doc, &needs, validator ? validator : doc->validator);
    if (m->integration.kind == INT_PLUGIN) {
        str need = arena_cat(doc->ld->arena, 2, (str[]){STR("integration:"), m->integration.type});

        if (need.p)
            needs_add(doc->ld, &needs, need.p, m->integration.node);
        else
            load_nomem(doc->ld);
    }
    needs_take(doc->ld, &needs, &m->needs, &m->needs_node);
}
