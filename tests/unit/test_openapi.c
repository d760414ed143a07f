/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of API files and OpenAPI documents as data: integrations, URIs, mappings, needs, plugins by
 * place, references, stages. */
#include "model_bed.h"

#define HEAD                                                                                       \
    "api: shop\nstages: {prod: {variables: {host: \"10.0.0.5:9000\", url: "                        \
    "\"10.0.0.6:80/v1\"}}}\nopenapi:\n  openapi: 3.0.1\n"
#define PROXY                                                                                      \
    "x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: "                   \
    "\"http://127.0.0.1:1/\"}"

static const struct api_method *method(const struct api *api, const char *path, enum http_method m)
{
    const struct deployment *d = api->deployments[0];

    for (unsigned i = 0; i < d->resource_count; i++)
        if (str_eqz(d->resources[i].path, path))
            return d->resources[i].methods[m];
    return NULL;
}

/* "text|{param}|$var" */
static const char *parts(const struct uri_part *v, unsigned n)
{
    static char out[256];
    int at = 0;

    out[0] = 0;
    for (unsigned i = 0; i < n; i++)
        at += snprintf(out + at, sizeof(out) - (size_t)at, "%s%s%.*s%s", i ? "|" : "",
                       v[i].kind == URI_TEXT        ? ""
                       : v[i].kind == URI_STAGE_VAR ? "$"
                                                    : "{",
                       STR_ARG(v[i].text), v[i].kind == URI_PATH_PARAM ? "}" : "");
    return out;
}

static void plain_upstream(void **state)
{
    const struct api_method *m;
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(&b, "api: shop\nupstream: orders\n");
    assert_int_equal(api->type, API_HTTP);
    assert_int_equal(api->stage_count, 1);
    assert_str(api->stages[0].name, "$default");
    assert_ptr_equal(api->stages[0].deployment, api->deployments[0]);
    assert_null(api->stages[0].needs[0]);
    m = method(api, "$default", M_ANY);
    assert_int_equal(m->integration.kind, INT_UPSTREAM);
    assert_str(m->integration.upstream, "orders");
    assert_null(m->needs[0]);
    assert_non_null(method(api, "/{proxy+}", M_ANY));
    api = bed_api(
        &b, "api: shop\ntype: REST\nupstream: orders\nstages: {a: {}, b: {deployment: latest}}\n");
    assert_int_equal(api->stage_count, 2);
    assert_null(method(api, "$default", M_ANY));
    assert_non_null(method(api, "/", M_ANY));
    assert_ptr_equal(api_stage(api, STR("b")), &api->stages[1]);
    assert_null(api_stage(api, STR("c")));
    bed_fini(&b);
}

static void integrations(void **state)
{
    const struct integration *in;
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(&b, HEAD
                  "  paths:\n"
                  "    /pets/{id}/{rest+}:\n"
                  "      x-amazon-apigateway-any-method:\n"
                  "        operationId: everything\n"
                  "        x-amazon-apigateway-integration:\n"
                  "          type: HTTP_PROXY\n"
                  "          httpMethod: any\n"
                  "          uri: "
                  "http://${stageVariables.host}/x/{id}/${other}/{tail}?v=${stageVariables.v}\n"
                  "          timeoutInMillis: 50\n"
                  "          passthroughBehavior: when_no_match\n"
                  "          requestParameters:\n"
                  "            integration.request.path.tail: method.request.path.rest\n"
                  "            integration.request.header.X-A: \"'static text'\"\n"
                  "            integration.request.header.X-B: context.requestId\n"
                  "            integration.request.querystring.c: method.request.header.C\n"
                  "            integration.request.querystring.d: stageVariables.host\n"
                  "            integration.request.path.unused: method.request.path.id\n"
                  "      get:\n"
                  "        x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, "
                  "uri: \"https://[::1]:8443\", connectionType: VPC_LINK, connectionId: link-1}\n"
                  "      post:\n"
                  "        x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, "
                  "uri: \"arn:aws:x\"}\n");
    in = &method(api, "/pets/{id}/{rest+}", M_ANY)->integration;
    assert_str(method(api, "/pets/{id}/{rest+}", M_ANY)->operation_id, "everything");
    assert_int_equal(in->kind, INT_HTTP_PROXY);
    assert_str(in->type, "HTTP_PROXY");
    assert_str(in->http_method, "ANY");
    assert_int_equal(in->timeout_ms, 50);
    assert_string_equal(parts(in->authority_parts, in->authority_part_count), "http://|$host");
    assert_string_equal(parts(in->parts, in->part_count), "/x/|{id}|/${other}/|{tail}|?v=|$v");
    assert_int_equal(in->param_count, 6);
    bed_said(&b, "warning: openapi.paths['/pets/{id}/{rest+}']");
    bed_said(&b, "the URI has no '{unused}': the mapping has no effect");
    assert_int_equal(in->params[0].to_place, P_PATH);
    assert_str(in->params[0].from, "rest");
    assert_int_equal(in->params[1].from_place, P_STATIC);
    assert_str(in->params[1].from, "static text");
    assert_int_equal(in->params[2].from_place, P_CONTEXT);
    assert_int_equal(in->params[3].to_place, P_QUERY);
    assert_int_equal(in->params[3].from_place, P_HEADER);
    assert_int_equal(in->params[4].from_place, P_STAGE_VAR);
    assert_str(in->params[5].to, "id"); /* the path variable of the same name */
    in = &method(api, "/pets/{id}/{rest+}", M_GET)->integration;
    assert_true(in->vpc_link);
    assert_str(in->upstream, "toys");
    assert_string_equal(parts(in->parts, in->part_count), "");
    in = &method(api, "/pets/{id}/{rest+}", M_POST)->integration;
    assert_int_equal(in->kind, INT_PLUGIN);
    assert_str(in->type, "AWS_PROXY");
    assert_string_equal(method(api, "/pets/{id}/{rest+}", M_POST)->needs[0],
                        "integration:AWS_PROXY");
    bed_fini(&b);
}

static void authorities(void **state)
{
    str scheme, authority, prefix;
    const struct api *api;
    const struct integration *a, *c, *p;
    struct arena arena;
    struct bed b;

    (void)state;
    bed_init(&b);
    arena_init(&arena, NULL);
    api = bed_api(&b, HEAD "  paths:\n"
                           "    /a: {get: {x-amazon-apigateway-integration: {type: http_proxy, "
                           "httpMethod: GET, uri: \"http://${stageVariables.host}/x\"}}}\n"
                           "    /b: {get: {x-amazon-apigateway-integration: {type: http_proxy, "
                           "httpMethod: GET, uri: \"https://Example.org:8443?x=1\"}}}\n"
                           "    /c: {get: {x-amazon-apigateway-integration: {type: http_proxy, "
                           "httpMethod: GET, uri: \"http://${stageVariables.url}/x\"}}}\n");
    a = &method(api, "/a", M_GET)->integration;
    p = &method(api, "/b", M_GET)->integration;
    c = &method(api, "/c", M_GET)->integration;
    assert_int_equal(integration_authority(a, &api->stages[0], &arena, &scheme, &authority), 0);
    assert_str(scheme, "http");
    assert_str(authority, "10.0.0.5:9000");
    assert_int_equal(integration_prefix(a, &api->stages[0], &arena, &prefix), 0);
    assert_str(prefix, "");
    assert_int_equal(integration_authority(a, NULL, &arena, &scheme, &authority),
                     E_ARG); /* a missing variable is empty */
    assert_int_equal(integration_authority(p, NULL, &arena, &scheme, &authority), 0);
    assert_str(scheme, "https");
    assert_str(authority, "Example.org:8443");
    assert_string_equal(parts(p->parts, p->part_count), "?x=1");
    assert_int_equal(integration_authority(c, &api->stages[0], &arena, &scheme, &authority), 0);
    assert_str(authority, "10.0.0.6:80");
    assert_int_equal(integration_prefix(c, &api->stages[0], &arena, &prefix), 0);
    assert_str(prefix, "/v1");
    arena_fini(&arena);
    bed_fini(&b);
}

/* "need need ..." */
static const char *needs_of(const char **v)
{
    static char out[256];
    int at = 0;

    out[0] = 0;
    for (unsigned i = 0; v[i]; i++)
        at += snprintf(out + at, sizeof(out) - (size_t)at, "%s%s", i ? " " : "", v[i]);
    return out;
}

static void method_needs(void **state)
{
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(
        &b, HEAD
        "  x-amazon-apigateway-policy: {Version: \"2012-10-17\"}\n"
        "  x-amazon-apigateway-request-validators: {all: {validateRequestBody: true}}\n"
        "  x-amazon-apigateway-request-validator: all\n"
        "  security: [{jwt: []}]\n"
        "  components:\n"
        "    securitySchemes:\n"
        "      jwt: {type: oauth2, x-amazon-apigateway-authorizer: {type: jwt}}\n"
        "      pool: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: "
        "cognito_user_pools, x-amazon-apigateway-authorizer: {type: COGNITO_USER_POOLS}}\n"
        "      iam: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: "
        "awsSigv4}\n"
        "      key: {type: apiKey, name: x-api-key, in: header}\n"
        "      doc: {type: http, scheme: bearer}\n"
        "  paths:\n"
        "    /a: {get: {security: [{jwt: [read]}, {key: []}], " PROXY "}}\n"
        "    /b: {get: {security: [{pool: []}], " PROXY "}, put: {security: [{iam: []}], " PROXY
        "}}\n"
        "    /c: {get: {x-amazon-apigateway-auth: {type: AWS_IAM}, " PROXY
        "}, put: {x-amazon-apigateway-auth: {type: NONE}, " PROXY "}}\n"
        "    /d: {get: {security: [{doc: []}], x-amazon-apigateway-integration: {type: mock}}}\n");
    assert_string_equal(needs_of(method(api, "/a", M_GET)->needs),
                        "resource-policy authorizer:JWT api-key validator");
    assert_int_equal(method(api, "/a", M_GET)->needs_node[1]->line, 17);
    assert_string_equal(needs_of(method(api, "/b", M_GET)->needs),
                        "resource-policy authorizer:COGNITO_USER_POOLS validator");
    assert_string_equal(needs_of(method(api, "/b", M_PUT)->needs),
                        "resource-policy authorizer:AWS_IAM validator");
    assert_string_equal(needs_of(method(api, "/c", M_GET)->needs),
                        "resource-policy authorizer:AWS_IAM validator");
    assert_string_equal(needs_of(method(api, "/c", M_PUT)->needs), "resource-policy validator");
    assert_string_equal(needs_of(method(api, "/d", M_GET)->needs),
                        "resource-policy validator integration:MOCK");
    assert_int_equal(b.diag.warnings, 2);
    bed_said(&b, "`security` at the top level guards nothing, as with AWS");
    bed_said(&b, "the security scheme 'doc' has no authorizer");
    bed_fini(&b);
}

static void stage_needs(void **state)
{
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(&b, "api: shop\ntype: REST\nupstream: orders\nstages:\n"
                      "  a:\n"
                      "    methodSettings:\n"
                      "      \"*/*\": {throttlingRateLimit: 100, throttlingBurstLimit: 50, "
                      "loggingLevel: INFO, metricsEnabled: true}\n"
                      "      pets/{id}/GET: {cachingEnabled: true}\n"
                      "    accessLogSettings: {format: json}\n"
                      "    canarySettings: {percentTraffic: 10.5, deployment: latest}\n"
                      "  b: {methodSettings: {\"*/*\": {throttlingRateLimit: -1, "
                      "throttlingBurstLimit: -1, loggingLevel: OFF, cachingEnabled: false}}}\n");
    assert_string_equal(needs_of(api->stages[0].needs),
                        "throttle execution-log detailed-metrics cache access-log canary");
    assert_int_equal(api->stages[0].needs_node[0]->line, 7);
    assert_string_equal(needs_of(api->stages[1].needs), "");
    api = bed_api(&b, "api: shop\nupstream: orders\nstages:\n  $default: {defaultRouteSettings: "
                      "{throttlingBurstLimit: 5}, routeSettings: {\"GET /x\": "
                      "{detailedMetricsEnabled: true}}}\n");
    assert_string_equal(needs_of(api->stages[0].needs), "throttle detailed-metrics");
    bed_fini(&b);
}

static void plugins_by_place(void **state)
{
    const struct api_method *m;
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(&b, "api: shop\n"
                      "x-sallyport-plugins: {one: {level: api}}\n"
                      "stages: {prod: {x-sallyport-plugins: {one: {level: stage}}}}\n"
                      "openapi:\n"
                      "  openapi: 3.0.1\n"
                      "  x-sallyport-plugins: {one: {level: document}, two: }\n"
                      "  paths:\n"
                      "    /a:\n"
                      "      x-sallyport-plugins: {two: {enabled: false}}\n"
                      "      get:\n"
                      "        x-sallyport-plugins: {one: {level: method, enabled: false}}\n"
                      "        " PROXY "\n");
    assert_str(node_getz(api->plugins[0].with, "level")->text, "api");
    assert_str(node_getz(api->stages[0].plugins[0].with, "level")->text, "stage");
    assert_int_equal(api->deployments[0]->plugin_count, 2);
    assert_str(api->deployments[0]->plugins[1].id, "two");
    assert_null(api->deployments[0]->plugins[1].with);
    assert_false(api->deployments[0]->plugins[1].disabled);
    assert_true(api->deployments[0]->resources[0].plugins[0].disabled);
    m = method(api, "/a", M_GET);
    assert_false(m->plugins[0].disabled); /* options beside it: the plugin's own word */
    assert_int_equal(m->plugins[0].with->count, 2);
    assert_int_equal(m->plugins[0].node->line, 11);
    bed_fini(&b);
}

static void references(void **state)
{
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    api = bed_api(&b, HEAD "  paths:\n"
                           "    /a: {$ref: \"#/components/pathItems/shared~1item\"}\n"
                           "    /b:\n"
                           "      parameters: [{$ref: \"#/components/parameters/id\"}]\n"
                           "      put: {x-amazon-apigateway-integration: {$ref: "
                           "\"#/components/x-amazon-apigateway-integrations/back%20end\"}}\n"
                           "  components:\n"
                           "    parameters: {id: {name: id, in: query}}\n"
                           "    pathItems: {shared/item: {get: {" PROXY "}}}\n"
                           "    x-amazon-apigateway-integrations: {back end: {type: http_proxy, "
                           "httpMethod: PUT, uri: \"http://127.0.0.1:2/put\"}}\n");
    assert_str(method(api, "/a", M_GET)->integration.uri, "http://127.0.0.1:1/");
    assert_str(method(api, "/b", M_PUT)->integration.uri, "http://127.0.0.1:2/put");
    bed_fini(&b);
}

static void deployments_and_endpoints(void **state)
{
    const struct api *api;
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "old.yaml",
            "openapi: 3.0.0\nx-amazon-apigateway-endpoint-configuration: "
            "{disableExecuteApiEndpoint: true}\npaths: {/old: {get: {" PROXY "}}}\n");
    api =
        bed_api(&b, "api: shop\ntype: HTTP\ndeployments: {v1: old.yaml}\nstages: {prod: "
                    "{deployment: v1}, $default: {}}\n"
                    "openapi: {openapi: 3.1.0, paths: {/new: {get: {" PROXY
                    "}}, /$default: {x-amazon-apigateway-any-method: {isDefaultRoute: true, " PROXY
                    "}}}}\n");
    assert_int_equal(api->deployment_count, 2);
    assert_str(api->stages[0].deployment->id, "v1");
    assert_str(api->stages[0].deployment->resources[0].path, "/old");
    assert_has(api->stages[0].deployment->doc_file, "/old.yaml");
    assert_str(api->stages[1].deployment->id, "latest");
    assert_non_null(method(api, "$default", M_ANY));
    assert_true(api->disable_execute_api);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_upstream), cmocka_unit_test(integrations),
        cmocka_unit_test(authorities),    cmocka_unit_test(method_needs),
        cmocka_unit_test(stage_needs),    cmocka_unit_test(plugins_by_place),
        cmocka_unit_test(references),     cmocka_unit_test(deployments_and_endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
