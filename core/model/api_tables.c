/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables of an API file: AWS's words where AWS has one. */
#include "model/check.h"
#include "model/tables.h"

#define LATER(k)                                                                                   \
    {                                                                                              \
        .key = k, .type = S_ANY, .flags = S_LATER                                                  \
    }

static const struct schema text_item = {.type = S_STRING};

static const char *const logging_levels[] = {"OFF", "ERROR", "INFO", NULL};
static const char *const cache_strategies[] = {"FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER",
                                               "SUCCEED_WITHOUT_RESPONSE_HEADER", NULL};

/* Semantics: API Gateway, UpdateStage, methodSettings; RouteSettings of HTTP APIs. */
const struct schema method_settings_table[] = {
    {.key = "throttlingRateLimit", .type = S_REAL, .doc = "Requests per second; -1: no limit."},
    {.key = "throttlingBurstLimit",
     .type = S_INT,
     .min = -1,
     .max = 1000000000,
     .doc = "Requests at once; -1: no limit."},
    {.key = "loggingLevel",
     .type = S_ENUM,
     .names = logging_levels,
     .dflt = "OFF",
     .doc = "Execution log."},
    {.key = "dataTraceEnabled",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "Full requests and answers in the execution log."},
    {.key = "metricsEnabled", .type = S_BOOL, .dflt = "false", .doc = "Metrics per method."},
    {.key = "detailedMetricsEnabled",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "Metrics per route (HTTP APIs)."},
    {.key = "cachingEnabled",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "Answers of this method are cached."},
    {.key = "cacheTtlInSeconds",
     .type = S_INT,
     .dflt = "300",
     .min = 0,
     .max = 3600,
     .doc = "For how long."},
    {.key = "cacheDataEncrypted",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "Accepted; the cache never leaves memory."},
    {.key = "requireAuthorizationForCacheControl",
     .type = S_BOOL,
     .dflt = "true",
     .doc = "Who may ask for a fresh answer."},
    {.key = "unauthorizedCacheControlHeaderStrategy",
     .type = S_ENUM,
     .names = cache_strategies,
     .dflt = "SUCCEED_WITH_RESPONSE_HEADER",
     .doc = "What others get."},
    {.key = NULL}};
static const struct schema method_settings_item = {.type = S_MAP, .sub = method_settings_table};

static const struct schema access_log_table[] = {
    {.key = "destinationArn", .type = S_STRING, .min = 1, .doc = "Log group or Firehose stream."},
    {.key = "format",
     .type = S_STRING,
     .min = 1,
     .max = 3072,
     .doc = "json, or a line with $context variables."},
    {.key = NULL}};

const struct schema canary_table[] = {
    {.key = "percentTraffic",
     .type = S_REAL,
     .dflt = "0",
     .doc = "Share of requests for the canary, 0 to 100."},
    {.key = "deployment", .type = S_STRING, .min = 1, .doc = "Its deployment."},
    {.key = "stageVariableOverrides",
     .type = S_DICT,
     .item = &text_item,
     .doc = "Variables that differ there."},
    {.key = "useStageCache", .type = S_BOOL, .dflt = "false", .doc = "Shares the stage's cache."},
    {.key = NULL}};

const struct schema stage_table[] = {
    {.key = "deployment",
     .type = S_STRING,
     .dflt = "latest",
     .min = 1,
     .doc = "Name of a deployment, or latest: the definition of this file."},
    {.key = "description", .type = S_STRING, .doc = "For people."},
    {.key = "variables", .type = S_DICT, .item = &text_item, .doc = "Stage variables."},
    {.key = "methodSettings",
     .type = S_DICT,
     .item = &method_settings_item,
     .doc = "Settings per {path}/{METHOD}, or */* for all methods (REST)."},
    {.key = "defaultRouteSettings",
     .type = S_MAP,
     .sub = method_settings_table,
     .doc = "Settings of all routes (HTTP APIs)."},
    {.key = "routeSettings",
     .type = S_DICT,
     .item = &method_settings_item,
     .doc = "Settings per route key (HTTP APIs)."},
    {.key = "accessLogSettings", .type = S_MAP, .sub = access_log_table, .doc = "Access log."},
    {.key = "canarySettings",
     .type = S_MAP,
     .sub = canary_table,
     .doc = "A second deployment for a share of requests."},
    {.key = "cacheClusterEnabled",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "The stage has a cache."},
    {.key = "tags", .type = S_DICT, .item = &text_item, .doc = "For people."},
    {.key = "x-sallyport-plugins",
     .type = S_ANY,
     .doc = "Options of plugin entries in this stage."},
    LATER("cacheClusterSize"),
    LATER("tracingEnabled"),
    LATER("clientCertificateId"),
    LATER("webAclArn"),
    LATER("documentationVersion"),
    LATER("autoDeploy"),
    {.key = NULL}};
static const struct schema stage_item = {.type = S_MAP, .sub = stage_table};

const struct schema host_table[] = {
    {.key = "name",
     .type = S_STRING,
     .flags = S_REQUIRED,
     .min = 1,
     .max = 253,
     .doc = "Host name, *.suffix, or * for any host."},
    {.key = "base_path",
     .type = S_STRING,
     .dflt = "",
     .max = 300,
     .doc = "Path below which the API stands."},
    {.key = "stage",
     .type = S_STRING,
     .dflt = "",
     .doc = "Stage that is served there; in the path when left out."},
    LATER("tls"),
    {.key = NULL}};
static const struct schema host_item = {.type = S_MAP, .sub = host_table};

static const char *const api_types[] = {"REST", "HTTP", "WEBSOCKET", NULL};
const struct schema api_table[] = {
    {.key = "api",
     .type = S_STRING,
     .flags = S_REQUIRED,
     .min = 1,
     .check = check_api_id,
     .expected = id_expected,
     .doc = "The API's id; also the first label of its execute-api host."},
    {.key = "type",
     .type = S_ENUM,
     .names = api_types,
     .doc = "REST for documents, HTTP for upstream, when left out."},
    {.key = "description", .type = S_STRING, .doc = "For people."},
    {.key = "definition", .type = S_FILE, .doc = "An OpenAPI 3 document beside this file."},
    {.key = "openapi", .type = S_ANY, .doc = "An OpenAPI 3 document, inline."},
    {.key = "upstream",
     .type = S_STRING,
     .min = 1,
     .doc = "Everything goes to this upstream; no document is needed."},
    {.key = "timeout",
     .type = S_DURATION,
     .min = 50,
     .max = 3600000,
     .doc = "With upstream: from a request's dispatch to the head of the answer, over all attempts; "
            "timeouts.integration when left out."},
    {.key = "deployments",
     .type = S_DICT,
     .item = &(const struct schema){.type = S_FILE},
     .doc = "Older documents that a stage may name."},
    {.key = "hosts", .type = S_LIST, .item = &host_item, .doc = "Host names and base paths."},
    {.key = "stages", .type = S_DICT, .item = &stage_item, .doc = "Stages by name."},
    {.key = "disableExecuteApiEndpoint",
     .type = S_BOOL,
     .dflt = "false",
     .doc = "true: only the hosts above, no {api}.execute-api.* host."},
    {.key = "tags", .type = S_DICT, .item = &text_item, .doc = "For people."},
    {.key = "x-sallyport-plugins",
     .type = S_ANY,
     .doc = "Options of plugin entries in the whole API."},
    LATER("authorizers"),
    LATER("usage_plans"),
    LATER("policy"),
    LATER("cors"),
    {.key = NULL}};
