/* SPDX-License-Identifier: Apache-2.0 */
/* The table of gateway responses. */
#include "pipeline/gwresp.h"

#include <sallyport/exchange.h>

#include "base/cc.h"

_Static_assert(SP_GR_DEFAULT_5XX == (int)GW_ABI_LAST, "the ABI's types come first");

/* A status of 0 in a column: as REST. Messages likewise. */
static const struct {
    const char *name;
    uint16_t rest, http, upstream;
    const char *error_type, *rest_message, *http_message;
} table[GW_TYPES] = {
    [SP_GR_ACCESS_DENIED] = {"ACCESS_DENIED", 403, 0, 0, "AccessDeniedException", "User is not authorized to access this resource",
                             "Forbidden"},
    [SP_GR_API_CONFIGURATION_ERROR] = {"API_CONFIGURATION_ERROR", 500, 0, 0, "InternalServerErrorException",
                                       "Internal server error", "Internal Server Error"},
    [SP_GR_AUTHORIZER_CONFIGURATION_ERROR] = {"AUTHORIZER_CONFIGURATION_ERROR", 500, 0, 0, "AuthorizerConfigurationException", NULL,
                                              "Internal Server Error"},
    [SP_GR_AUTHORIZER_FAILURE] = {"AUTHORIZER_FAILURE", 500, 0, 0, "AuthorizerFailureException", NULL, "Internal Server Error"},
    [SP_GR_BAD_REQUEST_BODY] = {"BAD_REQUEST_BODY", 400, 0, 0, "BadRequestException", "Invalid request body", "Bad Request"},
    [SP_GR_BAD_REQUEST_PARAMETERS] = {"BAD_REQUEST_PARAMETERS", 400, 0, 0, "BadRequestException",
                                      "Missing required request parameters", "Bad Request"},
    [SP_GR_EXPIRED_TOKEN] = {"EXPIRED_TOKEN", 403, 0, 0, "ExpiredTokenException",
                             "The security token included in the request is expired", "Forbidden"},
    [SP_GR_INTEGRATION_FAILURE] = {"INTEGRATION_FAILURE", 504, 503, 502, "InternalServerErrorException",
                                   "Network error communicating with endpoint", "Service Unavailable"},
    [SP_GR_INTEGRATION_TIMEOUT] = {"INTEGRATION_TIMEOUT", 504, 503, 504, "InternalServerErrorException",
                                   "Endpoint request timed out", "Service Unavailable"},
    [SP_GR_INVALID_API_KEY] = {"INVALID_API_KEY", 403, 0, 0, "ForbiddenException", "Forbidden", "Forbidden"},
    [SP_GR_INVALID_SIGNATURE] = {"INVALID_SIGNATURE", 403, 0, 0, "InvalidSignatureException",
                                 "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                                 "Access Key and signing method. Consult the service documentation for details.",
                                 "Forbidden"},
    [SP_GR_MISSING_AUTHENTICATION_TOKEN] = {"MISSING_AUTHENTICATION_TOKEN", 403, 0, 0, "MissingAuthenticationTokenException",
                                            "Missing Authentication Token", "Forbidden"},
    [SP_GR_QUOTA_EXCEEDED] = {"QUOTA_EXCEEDED", 429, 0, 0, "LimitExceededException", "Limit Exceeded", "Too Many Requests"},
    [SP_GR_REQUEST_TOO_LARGE] = {"REQUEST_TOO_LARGE", 413, 0, 0, "RequestTooLargeException", "Request Too Long",
                                 "Request Entity Too Large"},
    [SP_GR_RESOURCE_NOT_FOUND] = {"RESOURCE_NOT_FOUND", 404, 0, 0, "ResourceNotFoundException", "Not Found", "Not Found"},
    [SP_GR_THROTTLED] = {"THROTTLED", 429, 0, 0, "TooManyRequestsException", "Too Many Requests", "Too Many Requests"},
    [SP_GR_UNAUTHORIZED] = {"UNAUTHORIZED", 401, 0, 0, "UnauthorizedException", "Unauthorized", "Unauthorized"},
    [SP_GR_UNSUPPORTED_MEDIA_TYPE] = {"UNSUPPORTED_MEDIA_TYPE", 415, 0, 0, "BadRequestException", "Unsupported Media Type",
                                      "Unsupported Media Type"},
    [SP_GR_WAF_FILTERED] = {"WAF_FILTERED", 403, 0, 0, "ForbiddenException", "Forbidden", "Forbidden"},
    [SP_GR_DEFAULT_4XX] = {"DEFAULT_4XX", 400, 0, 0, "BadRequestException", "Bad Request", "Bad Request"},
    [SP_GR_DEFAULT_5XX] = {"DEFAULT_5XX", 500, 0, 0, "InternalServerErrorException", "Internal server error",
                           "Internal Server Error"},
    [GW_BAD_REQUEST] = {"BAD_REQUEST", 400, 0, 0, "BadRequestException", "Bad Request", "Bad Request"},
    [GW_REQUEST_TIMEOUT] = {"REQUEST_TIMEOUT", 408, 0, 0, "RequestTimeoutException", "Request Timeout", "Request Timeout"},
    [GW_URI_TOO_LONG] = {"URI_TOO_LONG", 414, 0, 0, "BadRequestException", "Request URI too long", "Request URI too long"},
    [GW_EXPECTATION_FAILED] = {"EXPECTATION_FAILED", 417, 0, 0, "BadRequestException", "Expectation Failed", "Expectation Failed"},
    [GW_HEADERS_TOO_LARGE] = {"HEADERS_TOO_LARGE", 431, 0, 0, "BadRequestException", "Request Header Fields Too Large",
                              "Request Header Fields Too Large"},
    [GW_NOT_IMPLEMENTED] = {"NOT_IMPLEMENTED", 501, 0, 0, "NotImplementedException", "Not Implemented", "Not Implemented"},
    [GW_VERSION] = {"VERSION_NOT_SUPPORTED", 505, 0, 0, "BadRequestException", "HTTP Version Not Supported",
                    "HTTP Version Not Supported"},
    [GW_NO_ROUTE] = {"NO_ROUTE", 404, 0, 0, "ResourceNotFoundException", "Not Found", "Not Found"},
    [GW_FORBIDDEN] = {"FORBIDDEN", 403, 0, 0, "ForbiddenException", "Forbidden", "Forbidden"},
    [GW_INTERNAL] = {"INTERNAL_ERROR", 500, 0, 0, "InternalServerErrorException", "Internal server error", "Internal Server Error"},
    [GW_INTEGRATION_UNREACHABLE] = {"INTEGRATION_UNREACHABLE", 503, 0, 0, "ServiceUnavailableException", "Service Unavailable",
                                    "Service Unavailable"},
    [GW_INTEGRATION_BAD] = {"INTEGRATION_BAD_RESPONSE", 502, 0, 0, "InternalServerErrorException", "Bad Gateway", "Bad Gateway"},
    [GW_INTEGRATION_NETWORK] = {"INTEGRATION_FAILURE", 504, 503, 502, "InternalServerErrorException",
                                "Network error communicating with endpoint", "Service Unavailable"},
    [GW_INTEGRATION_LATE] = {"INTEGRATION_TIMEOUT", 504, 503, 504, "InternalServerErrorException", "Endpoint request timed out",
                             "Service Unavailable"},
};

struct gw_def gw_lookup(enum gw_type t, enum gw_style style, bool aws_strict)
{
    unsigned i = t > 0 && t < GW_TYPES && table[t].name ? (unsigned)t : (unsigned)GW_INTERNAL;
    struct gw_def d = {table[i].rest, table[i].error_type, table[i].rest_message};

    if (i == GW_INTEGRATION_UNREACHABLE && aws_strict && style == GW_STYLE_REST) /* AWS: an API configuration error */
        return gw_lookup((enum gw_type)SP_GR_API_CONFIGURATION_ERROR, style, false);
    if (style == GW_STYLE_HTTP && table[i].http)
        d.status = table[i].http;
    if (style == GW_STYLE_UPSTREAM && table[i].upstream)
        d.status = table[i].upstream;
    if (style != GW_STYLE_REST) {
        d.error_type = NULL;
        d.message = table[i].http_message;
    }
    if (style == GW_STYLE_UPSTREAM && d.status == 502)
        d.message = "Bad Gateway";
    if (style == GW_STYLE_UPSTREAM && d.status == 504)
        d.message = "Gateway Timeout";
    return d;
}

const char *gw_name(enum gw_type t)
{
    return t > 0 && t < GW_TYPES && table[t].name ? table[t].name : "NONE";
}

enum gw_type gw_of_status(unsigned status)
{
    switch (status) {
    case 408:
        return GW_REQUEST_TIMEOUT;
    case 413:
        return (enum gw_type)SP_GR_REQUEST_TOO_LARGE;
    case 414:
        return GW_URI_TOO_LONG;
    case 417:
        return GW_EXPECTATION_FAILED;
    case 431:
        return GW_HEADERS_TOO_LARGE;
    case 501:
        return GW_NOT_IMPLEMENTED;
    case 505:
        return GW_VERSION;
    default:
        return GW_BAD_REQUEST;
    }
}
