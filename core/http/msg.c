/* SPDX-License-Identifier: Apache-2.0 */
/* Methods, status texts and the headers that belong to one connection (RFC 9110). */
#include "http/msg.h"

static const struct {
    str name;
    bool idempotent;
} methods[] = {
    [M_OTHER] = {{"", 0}, false},         [M_DELETE] = {{"DELETE", 6}, true},
    [M_GET] = {{"GET", 3}, true},         [M_HEAD] = {{"HEAD", 4}, true},
    [M_OPTIONS] = {{"OPTIONS", 7}, true}, [M_PATCH] = {{"PATCH", 5}, false},
    [M_POST] = {{"POST", 4}, false},      [M_PUT] = {{"PUT", 3}, true},
};

enum http_method http_method_of(str s)
{
    for (unsigned i = M_DELETE; i < ARRAY_LEN(methods); i++) {
        if (str_eq(methods[i].name, s)) return (enum http_method)i;
    }
    return M_OTHER;
}

str http_method_name(enum http_method m)
{
    if (m == M_ANY) return STR("ANY");
    return (unsigned)m < ARRAY_LEN(methods) ? methods[m].name : methods[M_OTHER].name;
}

bool http_method_idempotent(enum http_method m)
{
    return (unsigned)m < ARRAY_LEN(methods) && methods[m].idempotent;
}

bool http_hop_by_hop(uint16_t id)
{
    switch (id) {
    case HDR_CONNECTION:
    case HDR_HTTP2_SETTINGS:
    case HDR_KEEP_ALIVE:
    case HDR_PROXY_CONNECTION:
    case HDR_TE:
    case HDR_TRANSFER_ENCODING:
    case HDR_UPGRADE:
        return true;
    default:
        return false;
    }
}

#define ROW(code, text) [(code) - 100] = text
static const char *const status_texts[] = {
    ROW(100, "Continue"),
    ROW(101, "Switching Protocols"),
    ROW(102, "Processing"),
    ROW(103, "Early Hints"),
    ROW(200, "OK"),
    ROW(201, "Created"),
    ROW(202, "Accepted"),
    ROW(203, "Non-Authoritative Information"),
    ROW(204, "No Content"),
    ROW(205, "Reset Content"),
    ROW(206, "Partial Content"),
    ROW(207, "Multi-Status"),
    ROW(208, "Already Reported"),
    ROW(226, "IM Used"),
    ROW(300, "Multiple Choices"),
    ROW(301, "Moved Permanently"),
    ROW(302, "Found"),
    ROW(303, "See Other"),
    ROW(304, "Not Modified"),
    ROW(305, "Use Proxy"),
    ROW(307, "Temporary Redirect"),
    ROW(308, "Permanent Redirect"),
    ROW(400, "Bad Request"),
    ROW(401, "Unauthorized"),
    ROW(402, "Payment Required"),
    ROW(403, "Forbidden"),
    ROW(404, "Not Found"),
    ROW(405, "Method Not Allowed"),
    ROW(406, "Not Acceptable"),
    ROW(407, "Proxy Authentication Required"),
    ROW(408, "Request Timeout"),
    ROW(409, "Conflict"),
    ROW(410, "Gone"),
    ROW(411, "Length Required"),
    ROW(412, "Precondition Failed"),
    ROW(413, "Content Too Large"),
    ROW(414, "URI Too Long"),
    ROW(415, "Unsupported Media Type"),
    ROW(416, "Range Not Satisfiable"),
    ROW(417, "Expectation Failed"),
    ROW(421, "Misdirected Request"),
    ROW(422, "Unprocessable Content"),
    ROW(423, "Locked"),
    ROW(424, "Failed Dependency"),
    ROW(425, "Too Early"),
    ROW(426, "Upgrade Required"),
    ROW(428, "Precondition Required"),
    ROW(429, "Too Many Requests"),
    ROW(431, "Request Header Fields Too Large"),
    ROW(451, "Unavailable For Legal Reasons"),
    ROW(500, "Internal Server Error"),
    ROW(501, "Not Implemented"),
    ROW(502, "Bad Gateway"),
    ROW(503, "Service Unavailable"),
    ROW(504, "Gateway Timeout"),
    ROW(505, "HTTP Version Not Supported"),
    ROW(506, "Variant Also Negotiates"),
    ROW(507, "Insufficient Storage"),
    ROW(508, "Loop Detected"),
    ROW(511, "Network Authentication Required"),
};
#undef ROW

const char *http_status_text(unsigned status)
{
    const char *text = NULL;
    if (status >= 100 && status - 100 < ARRAY_LEN(status_texts)) text = status_texts[status - 100];
    return text ? text : "Unknown";
}
