/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the options into a program; everything that is wrong is reported at its place, in one pass.
 */
#include "program.h"

#include <sallyport/sugar.h>
#include <stdlib.h>

#define EDITS_MAX      256
#define NAME_MAX_BYTES 256

struct reader {
    const struct sp_conf_api *api;
    struct sp_conf *conf;
    struct program_side *side;
    struct value_names names;
    bool response;
    sp_status status; /* the first thing that went wrong */
};

static bool variable_known(const struct value_names *names, sp_str name)
{
    const struct sp_core_api *core = names->core;

    return SP_HAS(core, variable_find) && core->variable_find != NULL &&
           core->variable_find(names->module, name) != 0;
}

static void wrong(struct reader *r, sp_status st)
{
    if (r->status == SP_OK)
        r->status = st;
}

static bool token(sp_str name)
{
    size_t i;

    for (i = 0; i < name.n; i++) {
        unsigned char ch = (unsigned char)name.p[i];
        bool alnum = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z');
        if (!alnum && (ch == 0 || strchr("!#$%&'*+-.^_`|~", ch) == NULL))
            return false;
    }
    return name.n != 0 && name.n <= NAME_MAX_BYTES;
}

/* Framing and connection headers are the gateway's (RFC 9110 7.6.1, RFC 9112 6). */
static bool owned_by_host(sp_str name)
{
    static const char *const owned[] = {
        "connection",        "content-length",   "expect", "http2-settings",
        "keep-alive",        "proxy-connection", "te",     "trailer",
        "transfer-encoding", "upgrade",
    };
    size_t i;

    for (i = 0; i < SP_COUNT(owned); i++)
        if (sp_equal_nocase(name, sp_of(owned[i])))
            return true;
    return false;
}

static bool name_ok(struct reader *r, const struct sp_node *node, sp_str name, uint32_t op)
{
    bool host = sp_equal_nocase(name, SP_STR("host"));

    if (!token(name)) {
        wrong(r,
              r->api->error(r->conf, node,
                            "'" SP_FMT
                            "' is not a header name, expected letters, digits and !#$%%&'*+-.^_`|~",
                            SP_ARG(name)));
        return false;
    }
    if (owned_by_host(name) || (host && (op != EDIT_SET || r->response))) {
        wrong(r, r->api->error(r->conf, node, "'" SP_FMT "' belongs to the gateway%s", SP_ARG(name),
                               host && !r->response
                                   ? ": it can be set, but not added, removed or renamed"
                                   : ""));
        return false;
    }
    return true;
}

static sp_str copy(struct reader *r, sp_str s)
{
    char *p = (char *)malloc(s.n + 1);

    if (p == NULL) {
        wrong(r, SP_E_NOMEM);
        return (sp_str){NULL, 0};
    }
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (sp_str){p, s.n};
}

static struct edit *push(struct reader *r, const struct sp_node *node, uint32_t op, sp_str name)
{
    struct program_side *side = r->side;
    struct edit *e;

    if (side->count == EDITS_MAX) {
        wrong(r, r->api->error(r->conf, node, "more than %d edits", EDITS_MAX));
        return NULL;
    }
    if (side->count == side->room) {
        uint32_t room = side->room == 0 ? 8 : 2 * side->room;
        struct edit *grown = (struct edit *)realloc(side->edits, room * sizeof(*grown));
        if (grown == NULL) {
            wrong(r, SP_E_NOMEM);
            return NULL;
        }
        side->edits = grown;
        side->room = room;
    }
    e = &side->edits[side->count++];
    memset(e, 0, sizeof(*e));
    e->op = op;
    e->name = copy(r, name);
    return e;
}

static void add_value(struct reader *r, const struct sp_node *node, uint32_t op, sp_str name)
{
    struct value_error why;
    struct edit *e;
    sp_status st;

    if (sp_equal_nocase(name, SP_STR("host")))
        op = EDIT_HOST;
    e = push(r, node, op, name);
    if (e == NULL)
        return;
    st = value_compile(&e->value, r->api->text(node), r->response, &r->names, &why);
    if (st == SP_E_ARG)
        wrong(r, r->api->error(r->conf, node, "header '" SP_FMT "': %s", SP_ARG(name), why.text));
    else if (st != SP_OK)
        wrong(r, st);
    else if (op == EDIT_HOST && e->value.count == 0)
        wrong(r, r->api->error(r->conf, node, "Host cannot be empty"));
}

static void read_values(struct reader *r, const struct sp_node *node, uint32_t op, sp_str name)
{
    uint32_t i, count = r->api->count(node);

    if (r->api->type(node) != SP_NODE_LIST) {
        add_value(r, node, op, name);
        return;
    }
    if (count > 1 && sp_equal_nocase(name, SP_STR("host"))) {
        wrong(r, r->api->error(r->conf, node, "Host has one value"));
        return;
    }
    if (count == 0)
        wrong(r, r->api->error(r->conf, node, "header '" SP_FMT "' has an empty list of values",
                               SP_ARG(name)));
    for (i = 0; i < count; i++) /* the first replaces, the others join it */
        add_value(r, r->api->at(node, i), i == 0 ? op : EDIT_ADD, name);
}

static bool empty(struct reader *r, const struct sp_node *node, const char *key)
{
    if (r->api->count(node) != 0)
        return false;
    wrong(r, r->api->error(r->conf, node, "'%s' is empty, expected at least one header", key));
    return true;
}

/* Two spellings of one name in one map: the second would undo the first. */
static bool twice(struct reader *r, const struct sp_node *map, uint32_t i)
{
    sp_str name = r->api->key_at(map, i);
    uint32_t j;

    for (j = 0; j < i; j++) {
        if (!sp_equal_nocase(name, r->api->key_at(map, j)))
            continue;
        wrong(r, r->api->error(r->conf, r->api->at(map, i), "header '" SP_FMT "' is there twice",
                               SP_ARG(name)));
        return true;
    }
    return false;
}

static void read_map(struct reader *r, const struct sp_node *section, const char *key, uint32_t op)
{
    const struct sp_node *map = r->api->get(section, key);
    uint32_t i;

    if (map == NULL || empty(r, map, key))
        return;
    for (i = 0; i < r->api->count(map); i++) {
        const struct sp_node *node = r->api->at(map, i);
        sp_str name = r->api->key_at(map, i);
        if (name_ok(r, node, name, op) && !twice(r, map, i))
            read_values(r, node, op, name);
    }
}

static void read_removes(struct reader *r, const struct sp_node *section)
{
    const struct sp_node *list = r->api->get(section, "remove");
    uint32_t i, count;

    if (list == NULL)
        return;
    if (r->api->type(list) != SP_NODE_LIST) {
        if (name_ok(r, list, r->api->text(list), EDIT_REMOVE))
            push(r, list, EDIT_REMOVE, r->api->text(list));
        return;
    }
    if (empty(r, list, "remove"))
        return;
    count = r->api->count(list);
    for (i = 0; i < count; i++) {
        const struct sp_node *node = r->api->at(list, i);
        if (name_ok(r, node, r->api->text(node), EDIT_REMOVE))
            push(r, node, EDIT_REMOVE, r->api->text(node));
    }
}

static void read_renames(struct reader *r, const struct sp_node *section)
{
    const struct sp_node *map = r->api->get(section, "rename");
    uint32_t i;

    if (map == NULL || empty(r, map, "rename"))
        return;
    for (i = 0; i < r->api->count(map); i++) {
        const struct sp_node *node = r->api->at(map, i);
        sp_str from = r->api->key_at(map, i), to = r->api->text(node);
        struct edit *e;
        bool ok = name_ok(r, node, from, EDIT_RENAME);
        if (!name_ok(r, node, to, EDIT_RENAME) || !ok || twice(r, map, i))
            continue;
        if (sp_equal_nocase(from, to)) {
            wrong(r,
                  r->api->error(r->conf, node,
                                "'" SP_FMT "' and '" SP_FMT "' are one header: names have no case",
                                SP_ARG(from), SP_ARG(to)));
            continue;
        }
        e = push(r, node, EDIT_RENAME, from);
        if (e != NULL)
            e->to = copy(r, to);
    }
}

/* "404" or "4xx". */
static void read_status(struct reader *r, const struct sp_node *node)
{
    sp_str s = r->api->text(node);
    unsigned first = 0, last, i;

    if (s.n == 3 && s.p[0] >= '1' && s.p[0] <= '5') {
        first = (unsigned)(s.p[0] - '0') * 100;
        last = first + 99;
        if (s.p[1] >= '0' && s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9')
            first = last = first + (unsigned)(s.p[1] - '0') * 10 + (unsigned)(s.p[2] - '0');
        else if ((s.p[1] | 0x20) != 'x' || (s.p[2] | 0x20) != 'x')
            first = 0;
    }
    if (first == 0) {
        wrong(r, r->api->error(r->conf, node,
                               "'" SP_FMT
                               "' is no status, expected 100 to 599, or a class such as 4xx",
                               SP_ARG(s)));
        return;
    }
    for (i = first; i <= last; i++)
        r->side->status[i / 64] |= UINT64_C(1) << (i % 64);
}

static void read_statuses(struct reader *r, const struct sp_node *section)
{
    const struct sp_node *list = r->api->get(section, "status");
    uint32_t i;

    if (list == NULL)
        return;
    r->side->filtered = true;
    if (r->api->type(list) != SP_NODE_LIST) {
        read_status(r, list);
        return;
    }
    if (r->api->count(list) == 0)
        wrong(r, r->api->error(r->conf, list, "'status' is empty, expected at least one status"));
    for (i = 0; i < r->api->count(list); i++)
        read_status(r, r->api->at(list, i));
}

static void read_side(struct reader *r, const char *key)
{
    const struct sp_node *section = r->conf->node == NULL ? NULL : r->api->get(r->conf->node, key);

    if (section == NULL)
        return;
    if (r->response)
        read_statuses(r, section);
    read_removes(r, section);
    read_renames(r, section);
    read_map(r, section, "set", EDIT_SET);
    read_map(r, section, "add", EDIT_ADD);
    if (r->side->count == 0 && r->status == SP_OK)
        r->api->warn(r->conf, section, "'%s' edits nothing", key);
}

static void side_free(struct program_side *side)
{
    uint32_t i;

    for (i = 0; i < side->count; i++) {
        free((void *)(uintptr_t)side->edits[i].name.p);
        free((void *)(uintptr_t)side->edits[i].to.p);
        value_free(&side->edits[i].value);
    }
    free(side->edits);
}

static void program_free(struct program *p)
{
    side_free(&p->request);
    side_free(&p->response);
    free(p);
}

sp_status program_create(struct sp_conf *conf)
{
    const struct sp_host *host = (const struct sp_host *)conf->state;
    struct program *p = (struct program *)calloc(1, sizeof(*p));
    struct reader r = {
        .api = host->conf, .conf = conf, .names = {variable_known, host->core, conf->module}};

    if (p == NULL)
        return SP_E_NOMEM;
    r.side = &p->request;
    read_side(&r, "request");
    r.side = &p->response;
    r.response = true;
    read_side(&r, "response");
    if (r.status == SP_OK && p->request.count + p->response.count == 0)
        r.status = SP_DECLINE;
    if (r.status != SP_OK) {
        program_free(p);
        return r.status;
    }
    conf->conf = p;
    return SP_OK;
}

void program_destroy(struct sp_conf *conf)
{
    program_free((struct program *)conf->conf);
}
