/* SPDX-License-Identifier: Apache-2.0 */
/* requestParameters: integration.request.{path|querystring|header}.NAME from the method request,
 * stage variables, $context or a 'static' text; and declared parameters of operations. AWS: request
 * data mapping of REST APIs. */
#include "model/params.h"

/* Answered by AWS with a 500 for each request: refused here at once. */
static const char *const illegal_headers[] = {"Content-Length",    "Transfer-Encoding",
                                              "X-Amzn-Trace-Id",   "X-Amzn-Apigateway-Api-Id",
                                              "Connection",        "Keep-Alive",
                                              "Upgrade",           "TE",
                                              "Trailer",           "Expect",
                                              "Proxy-Authenticate"};

static void mapping_error(struct doc *doc, const struct node *n, const char *expected, str text)
{
    node_error(doc->ld->diag, doc->ld->tree, n, expected,
               "Invalid mapping expression specified: %.*s", STR_ARG(str_take(text, 120)));
}

static bool param_name_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (c == 0 || !strchr("._$-", c)))
            return false;
    }
    return s.n > 0;
}

/* "PREFIX{path|querystring|header}.NAME" */
static bool place_of(str s, str prefix, uint8_t *place, str *name)
{
    static const struct {
        const char *word;
        uint8_t place;
    } places[] = {{"path.", P_PATH}, {"querystring.", P_QUERY}, {"header.", P_HEADER}};

    if (!str_starts(s, prefix))
        return false;
    s = str_drop(s, prefix.n);
    for (unsigned i = 0; i < ARRAY_LEN(places); i++)
        if (str_starts(s, str_z(places[i].word))) {
            *place = places[i].place;
            *name = str_drop(s, strlen(places[i].word));
            return param_name_ok(*name);
        }
    return false;
}

static bool read_to(struct doc *doc, const struct node *key, const struct node *value,
                    struct param_map *p)
{
    str s = key->text;

    if (str_starts(s, STR("append:")) || str_starts(s, STR("overwrite:")) ||
        str_starts(s, STR("remove:"))) {
        doc_key_error(doc, key, value, "integration.request.{path|querystring|header}.NAME",
                      "parameter mapping of HTTP APIs is not supported by this version");
        return false;
    }
    if (!place_of(s, STR("integration.request."), &p->to_place, &p->to)) {
        doc_key_error(doc, key, value, "integration.request.{path|querystring|header}.NAME",
                      "Invalid mapping expression specified: %.*s", STR_ARG(str_take(s, 120)));
        return false;
    }
    for (unsigned i = 0; p->to_place == P_HEADER && i < ARRAY_LEN(illegal_headers); i++)
        if (str_ieq(p->to, str_z(illegal_headers[i]))) {
            doc_key_error(doc, key, value, "a header that is not the gateway's own",
                          "the header '%.*s' cannot be mapped", STR_ARG(p->to));
            return false;
        }
    return true;
}

static bool read_method_request(struct doc *doc, const struct api_method *m, const struct node *n,
                                struct param_map *p)
{
    str s = n->text;

    if (str_starts(s, STR("method.request.body")) ||
        str_starts(s, STR("method.request.multivalue"))) {
        node_error(doc->ld->diag, doc->ld->tree, n, "method.request.{path|querystring|header}.NAME",
                   "'%.*s' is not supported by this version", STR_ARG(str_take(s, 120)));
        return false;
    }
    if (!place_of(s, STR("method.request."), &p->from_place, &p->from)) {
        mapping_error(doc, n, "method.request.{path|querystring|header}.NAME", s);
        return false;
    }
    if (p->from_place == P_PATH && !path_has_param(m->resource->path, p->from)) {
        node_error(doc->ld->diag, doc->ld->tree, n, "a variable of the path",
                   "Invalid mapping expression parameter specified: '%.*s' has no variable '%.*s'",
                   STR_ARG(m->resource->path), STR_ARG(p->from));
        return false;
    }
    return true;
}

static bool read_from(struct doc *doc, const struct api_method *m, const struct node *n,
                      struct param_map *p)
{
    str s = n->text;

    if (n->type == NODE_STRING && s.n >= 2 && s.p[0] == '\'' && s.p[s.n - 1] == '\'') {
        p->from_place = P_STATIC;
        p->from = str_n(s.p + 1, s.n - 2);
        if (!hdr_value_ok(p->from)) {
            mapping_error(doc, n, "a text without control characters", s);
            return false;
        }
        return true;
    }
    if (n->type == NODE_STRING && str_starts(s, STR("method.request.")))
        return read_method_request(doc, m, n, p);
    if (n->type == NODE_STRING && str_starts(s, STR("stageVariables."))) {
        p->from_place = P_STAGE_VAR;
        p->from = str_drop(s, strlen("stageVariables."));
    } else if (n->type == NODE_STRING && str_starts(s, STR("context."))) {
        p->from_place = P_CONTEXT;
        p->from = str_drop(s, strlen("context."));
    }
    if (p->from.n && param_name_ok(p->from))
        return true;
    mapping_error(doc, n,
                  "method.request.{path|querystring|header}.NAME, stageVariables.NAME, "
                  "context.NAME or 'static text'",
                  node_is_scalar(n) ? s : str_z(node_article(n)));
    return false;
}

static bool is_filled(const struct integration *in, str name)
{
    for (unsigned i = 0; i < in->param_count; i++)
        if (in->params[i].to_place == P_PATH && str_eq(in->params[i].to, name))
            return true;
    return false;
}

static bool in_uri(const struct integration *in, str name)
{
    for (unsigned i = 0; i < in->part_count; i++)
        if (in->parts[i].kind == URI_PATH_PARAM && str_eq(in->parts[i].text, name))
            return true;
    return false;
}

/* Every {x} is filled by a mapping, or by the path variable of the same name. */
static void fill_uri(struct doc *doc, struct api_method *m)
{
    struct integration *in = &m->integration;

    for (unsigned i = 0; i < in->part_count; i++) {
        str name = in->parts[i].text;

        if (in->parts[i].kind != URI_PATH_PARAM || is_filled(in, name))
            continue;
        if (path_has_param(m->resource->path, name))
            in->params[in->param_count++] =
                (struct param_map){in->node, P_PATH, P_PATH, name, name};
        else
            node_error(doc->ld->diag, doc->ld->tree, node_getz(in->node, "uri"),
                       "a variable of the path, or a mapping to integration.request.path.NAME",
                       "nothing fills '{%.*s}' of the URI", STR_ARG(name));
    }
}

void params_read(struct doc *doc, struct api_method *m, const struct node *map)
{
    struct integration *in = &m->integration;
    unsigned count = map && map->type == NODE_MAP ? map->count : 0;
    unsigned before = doc->ld->diag->errors;

    in->params = LOAD_NEW(doc->ld, struct param_map, count + in->part_count);
    for (unsigned i = 0; in->params && i < count; i++) {
        struct param_map *p = &in->params[in->param_count];

        *p = (struct param_map){.node = map->items[i]};
        if (!read_to(doc, map->keys[i], map->items[i], p) || !read_from(doc, m, map->items[i], p))
            continue;
        if (p->to_place == P_PATH && !in_uri(in, p->to)) {
            node_warn(doc->ld->diag, doc->ld->tree, map->keys[i], NULL,
                      "the URI has no '{%.*s}': the mapping has no effect", STR_ARG(p->to));
            continue;
        }
        in->param_count++;
    }
    if (in->params && doc->ld->diag->errors == before)
        fill_uri(doc, m);
}

static void check_param(struct doc *doc, const struct node *n)
{
    const struct node *name, *in;

    n = doc_deref(doc, n);
    if (!n)
        return;
    name = node_getz(n, "name");
    in = node_getz(n, "in");
    if (n->type != NODE_MAP || !name || name->type != NODE_STRING || !in || in->type != NODE_STRING)
        node_error(doc->ld->diag, doc->ld->tree, n,
                   "{name: x, in: path}, or in query, header or cookie", "is not a parameter");
    else if (!str_eqz(in->text, "path") && !str_eqz(in->text, "query") &&
             !str_eqz(in->text, "header") && !str_eqz(in->text, "cookie"))
        node_error(doc->ld->diag, doc->ld->tree, in, "path, query, header or cookie",
                   "'%.*s' is no place of a parameter", STR_ARG(str_take(in->text, 40)));
}

/* Declared parameters say nothing to routing; they must be well-formed, and what they refer to must
 * exist. */
void doc_read_params(struct doc *doc, const struct node *op)
{
    const struct node *list = node_getz(op, "parameters");

    if (!list)
        return;
    if (list->type != NODE_LIST) {
        node_error(doc->ld->diag, doc->ld->tree, list, "a list of parameters", "is %s",
                   node_article(list));
        return;
    }
    for (uint32_t i = 0; i < list->count; i++)
        check_param(doc, list->items[i]);
}
