/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: makes a request's or a response's edits. A constant value costs no allocation here,
 * others cost one. */
#include "program.h"

#include <inttypes.h>
#include <sallyport/sugar.h>
#include <stdarg.h>
#include <stdio.h>

#define JOINED_MAX 32   /* values of one header or query parameter that a reference shows */
#define VALUES_MAX 1024 /* of one header that a rename moves */

struct run {
    const struct sp_exchange_api *api;
    struct sp_exchange *x;
    uint32_t side;
};

static sp_str number_text(const struct run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static sp_str number_text(const struct run *r, const char *fmt, ...)
{
    char text[40];
    sp_str s = {text, 0};
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof(text))
        s.n = (size_t)n;
    return sp_join(r->api, r->x, &s, 1);
}

static sp_str variable(const struct run *r, sp_str name)
{
    struct sp_value v;

    memset(&v, 0, sizeof(v));
    if (r->api->var_find(r->x, name, &v) != SP_OK)
        return (sp_str){NULL, 0};
    switch (v.type) {
    case SP_VAL_STR:
    case SP_VAL_JSON:
        return v.str;
    case SP_VAL_INT:
        return number_text(r, "%" PRId64, v.i);
    case SP_VAL_REAL:
        return number_text(r, "%.15g", v.r);
    case SP_VAL_BOOL:
        return v.i != 0 ? SP_STR("true") : SP_STR("false");
    default:
        return (sp_str){NULL, 0};
    }
}

/* Several values of a name are shown as one, with commas between them, as AWS's mappings do. */
static sp_str joined(const struct run *r, sp_str *values, uint32_t count)
{
    sp_str parts[2 * JOINED_MAX];
    uint32_t i, n = 0;

    if (count <= 1)
        return count == 0 ? (sp_str){NULL, 0} : values[0];
    for (i = 0; i < count; i++) {
        if (i != 0)
            parts[n++] = SP_STR(",");
        parts[n++] = values[i];
    }
    return sp_join(r->api, r->x, parts, n);
}

static sp_str header_value(const struct run *r, uint32_t side, sp_str name)
{
    sp_str values[JOINED_MAX];
    uint32_t n = 0;

    while (n < JOINED_MAX && r->api->header_find(r->x, side, name, n, &values[n]) == SP_OK)
        n++;
    return joined(r, values, n);
}

static sp_str query_value(const struct run *r, sp_str name)
{
    sp_str values[JOINED_MAX];
    struct sp_param param = {.size = sizeof(param)};
    uint32_t n = 0, cursor = 0;

    while (n < JOINED_MAX && r->api->param_next(r->x, SP_PARAM_QUERY, &cursor, &param) == SP_OK)
        if (sp_equal(param.name, name))
            values[n++] = param.value;
    return joined(r, values, n);
}

static sp_str part_text(const struct run *r, const struct value_part *part)
{
    sp_str s = {NULL, 0};

    switch (part->source) {
    case VALUE_TEXT:
        return part->text;
    case VALUE_CONTEXT:
        return variable(r, part->text);
    case VALUE_STAGE_VARIABLE:
        return r->api->param_get(r->x, SP_PARAM_STAGE_VARIABLE, part->text, &s) == SP_OK
                   ? s
                   : (sp_str){NULL, 0};
    case VALUE_HEADER:
        return header_value(r, SP_SIDE_CLIENT_REQUEST, part->text);
    case VALUE_RESPONSE_HEADER:
        return header_value(r, SP_SIDE_RESPONSE, part->text);
    case VALUE_QUERY:
        return query_value(r, part->text);
    case VALUE_PATH:
        return r->api->fact(r->x, SP_FACT_RESOURCE_PATH, &s) == SP_OK ? s : (sp_str){NULL, 0};
    case VALUE_PATH_PARAM:
        return r->api->param_get(r->x, SP_PARAM_PATH, part->text, &s) == SP_OK ? s
                                                                               : (sp_str){NULL, 0};
    default:
        return s;
    }
}

static bool fits_header(sp_str s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
            return false;
    }
    return true;
}

/* The value for this exchange. Empty with *missing set: there is nothing to send. Values that no
 * header can hold (a query string may bring line ends) count as missing, so that nobody smuggles a
 * header in. SP_E_NOMEM. */
static sp_status value_text(const struct run *r, const struct value *v, sp_str *out, bool *missing)
{
    sp_str parts[VALUE_PARTS];
    uint32_t count = v->count, i;
    size_t total = 0;

    *missing = false;
    parts[0] = (sp_str){NULL, 0};
    *out = v->count == 0 ? (sp_str){NULL, 0} : v->parts[0].text;
    if (v->constant)
        return SP_OK;
    parts[0] = *out;
    for (i = 0; i < count; i++) {
        parts[i] = part_text(r, &v->parts[i]);
        if (v->parts[i].source != VALUE_TEXT && !fits_header(parts[i]))
            parts[i].n = 0;
        total += parts[i].n;
    }
    *missing = total == 0;
    *out = count == 1 ? parts[0] : sp_join(r->api, r->x, parts, count);
    return total != 0 && out->n == 0 ? SP_E_NOMEM : SP_OK;
}

static sp_status rename_header(const struct run *r, const struct edit *e)
{
    uint32_t nth = 0;
    sp_str value;

    while (nth < VALUES_MAX && r->api->header_find(r->x, r->side, e->name, nth, &value) == SP_OK) {
        sp_status st = r->api->header_add(r->x, r->side, 0, e->to, value);
        if (st != SP_OK)
            return st;
        nth++;
    }
    return nth == 0 ? SP_OK : r->api->header_del(r->x, r->side, 0, e->name);
}

static sp_status assign(const struct run *r, const struct edit *e)
{
    bool missing;
    sp_str value;
    sp_status st = value_text(r, &e->value, &value, &missing);

    if (st != SP_OK)
        return st;
    if (e->op == EDIT_HOST)
        return missing ? SP_OK : r->api->target_set(r->x, SP_TARGET_HOST, value);
    if (e->op == EDIT_ADD)
        return missing ? SP_OK : r->api->header_add(r->x, r->side, 0, e->name, value);
    /* A set header is what the conf says and nothing else: what the client sent goes, also when
     * there is no value. */
    if (missing)
        return r->api->header_del(r->x, r->side, 0, e->name);
    return r->api->header_set(r->x, r->side, 0, e->name, value);
}

static sp_status apply(const struct run *r, const struct edit *e)
{
    if (e->op == EDIT_REMOVE)
        return r->api->header_del(r->x, r->side, 0, e->name);
    if (e->op == EDIT_RENAME)
        return rename_header(r, e);
    return assign(r, e);
}

sp_verdict program_run(const struct sp_call *call, const struct program_side *p, uint32_t side)
{
    const struct sp_host *host = (const struct sp_host *)call->state;
    struct run r = {host->exchange, call->x, side};
    int64_t status = 0;
    uint32_t i;

    if (p->filtered) {
        if (r.api->number(r.x, SP_NUM_STATUS, &status) != SP_OK || status < 0 || status >= 640)
            return SP_NEXT;
        if ((p->status[status / 64] >> (status % 64) & 1) == 0)
            return SP_NEXT;
    }
    for (i = 0; i < p->count; i++) {
        sp_status st = apply(&r, &p->edits[i]);
        if (st == SP_OK || st == SP_E_NONE)
            continue;
        return r.api->fail(r.x, SP_GR_DEFAULT_5XX,
                           "header '" SP_FMT "' could not be edited: error %d",
                           SP_ARG(p->edits[i].name), (int)st);
    }
    return SP_NEXT;
}
