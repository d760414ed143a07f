/* SPDX-License-Identifier: Apache-2.0 */
/* The names under $context that an API gateway has, so that a misspelt one is found when the conf
 * is read.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html */
#include "value.h"

#include <sallyport/sugar.h>

/* A name that ends in '.' stands for everything below it. */
static const char *const names[] = {
    "accountId",
    "apiId",
    "authenticate.",
    "authorize.",
    "authorizer.",
    "awsEndpointRequestId",
    "awsEndpointRequestId2",
    "customDomain.basePathMatched",
    "dataProcessed",
    "deploymentId",
    "domainName",
    "domainPrefix",
    "error.message",
    "error.messageString",
    "error.responseType",
    "error.validationErrorString",
    "extendedRequestId",
    "httpMethod",
    "identity.accountId",
    "identity.apiKey",
    "identity.apiKeyId",
    "identity.caller",
    "identity.clientCert.",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
    "identity.sourceIp",
    "identity.user",
    "identity.userAgent",
    "identity.userArn",
    "identity.vpcId",
    "identity.vpceId",
    "integration.error",
    "integration.integrationStatus",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "isCanaryRequest",
    "path",
    "protocol",
    "requestId",
    "requestOverride.",
    "requestTime",
    "requestTimeEpoch",
    "resourceId",
    "resourcePath",
    "responseLatency",
    "responseLength",
    "responseOverride.",
    "routeKey",
    "stage",
    "status",
    "waf.",
    "wafResponseCode",
    "webaclArn",
    "xrayTraceId",
};

#define NAME_MAX_COMPARED 48

/* Levenshtein's distance without case; more than NAME_MAX_COMPARED bytes count as far away. */
static unsigned distance(sp_str a, sp_str b)
{
    unsigned row[NAME_MAX_COMPARED + 1];
    size_t i, j;

    if (a.n > NAME_MAX_COMPARED || b.n > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (j = 0; j <= b.n; j++)
        row[j] = (unsigned)j;
    for (i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (j = 1; j <= b.n; j++) {
            sp_str x = {a.p + i - 1, 1}, y = {b.p + j - 1, 1};
            unsigned best = diagonal + (sp_equal_nocase(x, y) ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

static bool matches(sp_str name, sp_str known)
{
    if (known.p[known.n - 1] == '.')
        return name.n > known.n && sp_starts(name, known);
    return sp_equal(name, known);
}

bool value_context_known(sp_str name, const char **near)
{
    unsigned best = 1 + (unsigned)(name.n / 4);
    size_t i;

    *near = NULL;
    for (i = 0; i < SP_COUNT(names); i++) {
        sp_str known = sp_of(names[i]);
        unsigned d;
        if (matches(name, known))
            return true;
        d = distance(name, known);
        if (d < best || (d == best && *near == NULL)) {
            best = d;
            *near = names[i];
        }
    }
    return false;
}
