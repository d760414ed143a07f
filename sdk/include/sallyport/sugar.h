/* SPDX-License-Identifier: Apache-2.0 */
/* Optional helpers over the ABI: nothing here is part of the promise between host and plugin, all of it is compiled into the plugin.
 * Plugins that include it write less; plugins in other languages do without it. */
#ifndef SALLYPORT_SUGAR_H
#define SALLYPORT_SUGAR_H

#include <sallyport/abi.h>
#include <stdbool.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* For printf: log(m, x, SP_LOG_INFO, "name " SP_FMT, SP_ARG(name)). */
#define SP_FMT    "%.*s"
#define SP_ARG(s) (int)(s).n, (s).p == NULL ? "" : (s).p

/* The members of a descriptor that are the same in every plugin:
 *     static const struct sp_plugin descriptor = {
 *         SP_DESCRIPTOR("hello", "1.0.0", "adds a greeting"), SP_HOOKS(hooks), SP_OPTIONS(options), .load = load };
 *     SP_ENTRY(descriptor)
 * need_minor stays 0 unless it is set: the host must at least have what ABI minor 0 had. */
#define SP_DESCRIPTOR(plugin_name, plugin_version, plugin_summary) \
    .magic = SP_MAGIC, .abi_major = SP_ABI_MAJOR, .abi_minor = SP_ABI_MINOR, .size = sizeof(struct sp_plugin), \
    .name = (plugin_name), .version = (plugin_version), .summary = (plugin_summary)
#define SP_HOOKS(array) .hooks = (array), .nhooks = SP_COUNT(array), .hook_stride = sizeof((array)[0])
/* array ends with SP_OPTION_END, which is not counted. */
#define SP_OPTIONS(array) .options = (array), .noptions = SP_COUNT(array) - 1, .option_stride = sizeof((array)[0])
#define SP_ENTRY(descriptor) \
    const struct sp_plugin *sp_entry(void) \
    { \
        return &(descriptor); \
    }

/* Rows of an option table. */
#define SP_OPTION(type_, key_, dflt_, doc_) { .type = (type_), .key = (key_), .dflt = (dflt_), .doc = (doc_) }
#define SP_OPTION_RANGE(type_, key_, dflt_, min_, max_, doc_) \
    { .type = (type_), .key = (key_), .dflt = (dflt_), .min = (min_), .max = (max_), .doc = (doc_) }
#define SP_OPTION_SUB(type_, key_, flags_, sub_, doc_) \
    { .type = (type_), .flags = (flags_), .key = (key_), .sub = (sub_), .doc = (doc_) }
#define SP_OPTION_ENUM(key_, dflt_, names_, doc_) \
    { .type = SP_OPT_ENUM, .key = (key_), .dflt = (dflt_), .names = (names_), .doc = (doc_) }
#define SP_OPTION_END { .key = NULL }

static inline sp_str sp_of(const char *text)
{
    sp_str s = { text, text == NULL ? 0 : strlen(text) };
    return s;
}

static inline bool sp_equal(sp_str a, sp_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters without case, as header names are compared. */
static inline bool sp_equal_nocase(sp_str a, sp_str b)
{
    size_t i;

    if (a.n != b.n)
        return false;
    for (i = 0; i < a.n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
        if (x != y && ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return true;
}

static inline bool sp_starts(sp_str s, sp_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The rest of s behind its first n bytes (nothing when s is shorter). */
static inline sp_str sp_skip(sp_str s, size_t n)
{
    sp_str rest = { s.p, 0 };

    if (n < s.n) {
        rest.p = s.p + n;
        rest.n = s.n - n;
    }
    return rest;
}

/* The parts behind each other, in the exchange's memory. {NULL, 0} when that is at its bound, or when nothing was given. */
static inline sp_str sp_join(const struct sp_exchange_api *api, struct sp_exchange *x, const sp_str *parts, size_t count)
{
    sp_str out = { NULL, 0 };
    size_t i, total = 0;
    char *to;

    for (i = 0; i < count; i++)
        total += parts[i].n;
    if (total == 0 || (to = (char *)api->alloc(x, total)) == NULL)
        return out;
    out.p = to;
    out.n = total;
    for (i = 0; i < count; i++) {
        if (parts[i].n != 0)
            memcpy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    return out;
}

/* A local answer in one call: return sp_answer(host, call->x, 404, SP_STR("text/plain"), SP_STR("nothing here\n")); */
static inline sp_verdict sp_answer(const struct sp_host *host, struct sp_exchange *x, uint32_t status, sp_str content_type,
                                   sp_str body)
{
    struct sp_response response;

    memset(&response, 0, sizeof(response));
    response.size = sizeof(response);
    response.status = status;
    response.content_type = content_type;
    response.body = body;
    return host->exchange->respond(x, &response);
}

#ifdef __cplusplus
}
#endif
#endif
