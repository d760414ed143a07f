/* SPDX-License-Identifier: Apache-2.0 */
/* Header values with references: compiled when the conf is read, so that a request only looks parts
 * up and joins them. */
#ifndef HEADERS_VALUE_H
#define HEADERS_VALUE_H

#include <sallyport/abi.h>
#include <stdbool.h>

#define VALUE_MAX   8192 /* bytes, as written */
#define VALUE_PARTS 32

enum value_source {
    VALUE_TEXT = 0,
    VALUE_CONTEXT,        /* ${context.NAME} */
    VALUE_STAGE_VARIABLE, /* ${stageVariables.NAME} */
    VALUE_HEADER,         /* ${request.header.NAME}: as the client sent it */
    VALUE_QUERY,          /* ${request.querystring.NAME} */
    VALUE_PATH,           /* ${request.path}: behind base path and stage */
    VALUE_PATH_PARAM,     /* ${request.path.NAME} */
    VALUE_RESPONSE_HEADER /* ${response.header.NAME} */
};

struct value_part {
    uint32_t source;
    sp_str text; /* the text, or the name */
};

/* One block of memory: parts and the bytes that they show. */
struct value {
    struct value_part *parts;
    uint32_t count;
    bool constant; /* at most one part, and that is text */
};

struct value_error {
    char text[320];
};

/* Does the host or a plugin have this $context variable? */
struct value_names {
    bool (*known)(const struct value_names *, sp_str name);
    const struct sp_core_api *core;
    struct sp_module *module;
};

/* response: ${response...} is allowed. names may be NULL: only the gateway's own names are known.
 * SP_E_ARG: why says what is wrong and what was expected. SP_E_NOMEM. */
sp_status value_compile(struct value *, sp_str text, bool response, const struct value_names *,
                        struct value_error *why);
void value_free(struct value *);

/* For names of $context: is it one of the gateway's? If not, *near is the nearest such name or
 * NULL. */
bool value_context_known(sp_str name, const char **near);

#endif
