/* SPDX-License-Identifier: Apache-2.0 */
/* Stages and host names of an API: names, variables, what their settings ask for. */
#include "model/load.h"
#include "model/uri.h"

#define STAGE_VARS_MAX      100
#define STAGE_VAR_NAME_MAX  64
#define STAGE_VAR_VALUE_MAX 512

static bool chars_ok(str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (c == 0 || !strchr(more, c)))
            return false;
    }
    return true;
}

static void check_var(struct load *ld, const struct node *key, const struct node *value)
{
    if (key->text.n == 0 || key->text.n > STAGE_VAR_NAME_MAX || !chars_ok(key->text, "_"))
        node_error(ld->diag, ld->tree, key, "1 to 64 characters of A-Z, a-z, 0-9 and '_'",
                   "'%.*s' is not a stage variable's name", STR_ARG(str_take(key->text, 80)));
    if (value->type != NODE_STRING)
        return;
    if (value->text.n > STAGE_VAR_VALUE_MAX || !chars_ok(value->text, "-._~:/?#&=,"))
        node_error(ld->diag, ld->tree, value,
                   "at most 512 characters of A-Z a-z 0-9 and - . _ ~ : / ? # & = ,",
                   "the value of the stage variable '%.*s' is not allowed",
                   STR_ARG(str_take(key->text, 80)));
}

static void read_vars(struct load *ld, struct stage *st, const struct node *map)
{
    if (!map || map->type != NODE_MAP)
        return;
    if (map->count > STAGE_VARS_MAX)
        node_error(ld->diag, ld->tree, map, "at most 100", "has %u stage variables", map->count);
    st->vars = LOAD_NEW(ld, struct stage_var, map->count);
    for (uint32_t i = 0; st->vars && i < map->count; i++) {
        check_var(ld, map->keys[i], map->items[i]);
        st->vars[st->var_count++] = (struct stage_var){map->keys[i]->text, map->items[i]->text};
    }
}

void needs_add(struct load *ld, struct needs *s, const char *need, const struct node *at)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->v[i], need) == 0)
            return;
    if (s->n + 1 >= s->cap) { /* one more for the NULL behind */
        unsigned cap = s->cap ? s->cap * 2 : 8;
        const char **v = LOAD_NEW(ld, const char *, cap);
        const struct node **w = LOAD_NEW(ld, const struct node *, cap);

        if (!v || !w)
            return;
        if (s->n) {
            memcpy(v, s->v, sizeof(*v) * s->n);
            memcpy(w, s->at, sizeof(*w) * s->n);
        }
        s->v = v, s->at = w, s->cap = cap;
    }
    s->v[s->n] = need;
    s->at[s->n++] = at;
}

void needs_take(struct load *ld, struct needs *s, const char ***v, const struct node ***at)
{
    /* the list ends with a NULL, and is never NULL itself */
    *v = s->n ? s->v : LOAD_NEW(ld, const char *, 1);
    *at = s->at;
}

static bool limit_set(const struct node *n)
{
    double v;

    return n && scalar_real(n, &v) == 0 && v >= 0;
}

/* What settings of a method or route ask of plugins. */
static void settings_needs(struct load *ld, struct needs *needs, const struct node *n)
{
    const struct node *rate = node_getz(n, "throttlingRateLimit"),
                      *burst = node_getz(n, "throttlingBurstLimit");
    double v;

    if (!n || n->type != NODE_MAP)
        return;
    if (rate && scalar_real(rate, &v) == 0 && v < 0 && v != -1)
        node_error(ld->diag, ld->tree, rate, "requests per second, or -1 for no limit",
                   "'%.*s' is out of range", STR_ARG(rate->text));
    if (limit_set(rate) || limit_set(burst))
        needs_add(ld, needs, "throttle", limit_set(rate) ? rate : burst);
    if (schema_i64(method_settings_table, n, "loggingLevel") > 0)
        needs_add(ld, needs, "execution-log", node_getz(n, "loggingLevel"));
    if (schema_bool(method_settings_table, n, "dataTraceEnabled"))
        needs_add(ld, needs, "execution-log", node_getz(n, "dataTraceEnabled"));
    if (schema_bool(method_settings_table, n, "cachingEnabled"))
        needs_add(ld, needs, "cache", node_getz(n, "cachingEnabled"));
    if (schema_bool(method_settings_table, n, "metricsEnabled"))
        needs_add(ld, needs, "detailed-metrics", node_getz(n, "metricsEnabled"));
    if (schema_bool(method_settings_table, n, "detailedMetricsEnabled"))
        needs_add(ld, needs, "detailed-metrics", node_getz(n, "detailedMetricsEnabled"));
}

/* A key of methodSettings: "*" "/" "*", or the resource's path without its first slash, "/" and a
 * method. */
static bool setting_key_ok(str key)
{
    size_t i = key.n;
    str method;

    while (i > 0 && key.p[i - 1] != '/')
        i--;
    if (i == 0)
        return false;
    method = str_drop(key, i);
    if (str_eqz(method, "*"))
        return str_eqz(key, "*/*");
    return str_eqz(method, "ANY") || http_method_of(method) != M_OTHER;
}

/* The two API types name their settings differently. */
static void settings_of_type(struct load *ld, const struct api *api, const struct node *n)
{
    static const char *const rest[] = {"methodSettings", NULL};
    static const char *const http[] = {"defaultRouteSettings", "routeSettings", NULL};
    const char *const *wrong = api->type == API_REST ? http : rest;

    for (unsigned i = 0; wrong[i]; i++) {
        const struct node *key = node_key(n, str_z(wrong[i]));

        if (key)
            node_error(ld->diag, ld->tree, key,
                       api->type == API_REST ? "`methodSettings`"
                                             : "`defaultRouteSettings` or `routeSettings`",
                       "`%s` is not a setting of %s APIs", wrong[i], api_type_name(api->type));
    }
}

static void read_settings(struct load *ld, const struct api *api, struct needs *needs,
                          const struct node *n)
{
    const struct node *methods = node_getz(n, "methodSettings"),
                      *routes = node_getz(n, "routeSettings");

    settings_of_type(ld, api, n);
    for (uint32_t i = 0; methods && methods->type == NODE_MAP && i < methods->count; i++) {
        if (!setting_key_ok(methods->keys[i]->text))
            node_error(ld->diag, ld->tree, methods->keys[i],
                       "*/*, or a path without its first slash and a method, such as pets/{id}/GET",
                       "'%.*s' names no method", STR_ARG(str_take(methods->keys[i]->text, 80)));
        settings_needs(ld, needs, methods->items[i]);
    }
    settings_needs(ld, needs, node_getz(n, "defaultRouteSettings"));
    for (uint32_t i = 0; routes && routes->type == NODE_MAP && i < routes->count; i++)
        settings_needs(ld, needs, routes->items[i]);
    if (schema_bool(stage_table, n, "cacheClusterEnabled"))
        needs_add(ld, needs, "cache", node_getz(n, "cacheClusterEnabled"));
    if (node_getz(n, "accessLogSettings") && node_getz(n, "accessLogSettings")->type == NODE_MAP)
        needs_add(ld, needs, "access-log", node_getz(n, "accessLogSettings"));
}

static const struct deployment *find_deployment(struct load *ld, const struct api *api,
                                                const struct node *n)
{
    str name = n && n->type == NODE_STRING ? n->text : STR("latest");
    const char **names = LOAD_NEW(ld, const char *, api->deployment_count);

    for (unsigned i = 0; names && i < api->deployment_count; i++) {
        if (str_eq(api->deployments[i]->id, name))
            return api->deployments[i];
        names[i] = load_str(ld, api->deployments[i]->id).p;
    }
    if (names && n && n->type == NODE_STRING)
        node_unknown(ld->diag, ld->tree, n, n, "deployment", names, api->deployment_count);
    return NULL;
}

static void read_canary(struct load *ld, const struct api *api, struct needs *needs,
                        const struct node *n)
{
    const struct node *vars = node_getz(n, "stageVariableOverrides"),
                      *percent = node_getz(n, "percentTraffic");
    double v;

    if (!n || n->type != NODE_MAP)
        return;
    needs_add(ld, needs, "canary", n);
    find_deployment(ld, api, node_getz(n, "deployment"));
    if (percent && scalar_real(percent, &v) == 0 && (v < 0 || v > 100))
        node_error(ld->diag, ld->tree, percent, "0 to 100", "'%.*s' is out of range",
                   STR_ARG(percent->text));
    for (uint32_t i = 0; vars && vars->type == NODE_MAP && i < vars->count; i++)
        check_var(ld, vars->keys[i], vars->items[i]);
}

static void check_stage_name(struct load *ld, const struct api *api, const struct node *key)
{
    str s = key->text;

    if (api->type == API_HTTP && str_eqz(s, "$default"))
        return;
    if (s.n == 0 || s.n > 128 || !chars_ok(s, "_-"))
        node_error(ld->diag, ld->tree, key, "1 to 128 characters of A-Z, a-z, 0-9, '_' and '-'",
                   "'%.*s' is not a stage's name", STR_ARG(str_take(s, 140)));
}

const struct stage_var *stage_var(const struct stage *s, str name)
{
    for (unsigned i = 0; s && i < s->var_count; i++)
        if (str_eq(s->vars[i].name, name))
            return &s->vars[i];
    return NULL;
}

str stage_var_value(const struct stage *s, str name)
{
    const struct stage_var *v = stage_var(s, name);

    return v ? v->value : STR("");
}

static void read_stage(struct load *ld, struct api *api, const struct node *key,
                       const struct node *n)
{
    struct stage *st = &api->stages[api->stage_count];
    struct needs needs = {0};

    check_stage_name(ld, api, key);
    if (n->type != NODE_MAP && n->type != NODE_NULL)
        return;
    st->node = key;
    st->name = key->text;
    st->index = api->stage_count++;
    st->deployment = find_deployment(ld, api, node_getz(n, "deployment"));
    read_vars(ld, st, node_getz(n, "variables"));
    read_settings(ld, api, &needs, n);
    read_canary(ld, api, &needs, node_getz(n, "canarySettings"));
    load_api_plugins(ld, node_getz(n, "x-sallyport-plugins"), &st->plugins, &st->plugin_count);
    needs_take(ld, &needs, &st->needs, &st->needs_node);
}

void load_stages(struct load *ld, struct api *api, bool sure)
{
    const struct node *map = node_getz(api->node, "stages");
    struct needs none = {0};

    if (map && map->type != NODE_MAP && map->type != NODE_NULL)
        return;
    if (map && map->count) {
        api->stages = LOAD_NEW(ld, struct stage, map->count);
        for (uint32_t i = 0; api->stages && i < map->count; i++)
            read_stage(ld, api, map->keys[i], map->items[i]);
        return;
    }
    if (api->type == API_REST && !sure)
        return;
    if (api->type == API_REST) {
        node_error(ld->diag, ld->tree, map ? map : api->node,
                   "`stages:` with at least one stage, such as `stages: {prod: {}}`",
                   "a REST API is reached through a stage, and this one has none");
        return;
    }
    api->stages = LOAD_NEW(ld, struct stage, 1);
    if (!api->stages)
        return;
    api->stages[0].node = api->node;
    api->stages[0].name = STR("$default");
    api->stages[0].deployment = find_deployment(ld, api, NULL);
    needs_take(ld, &none, &api->stages[0].needs, &api->stages[0].needs_node);
    api->stage_count = 1;
}

void stage_check_uris(struct load *ld, struct api *api)
{
    for (unsigned s = 0; s < api->stage_count; s++) {
        const struct deployment *dep = api->stages[s].deployment;

        for (unsigned m = 0; dep && m < dep->method_count; m++)
            uri_check_stage(ld, &dep->methods[m].integration, &api->stages[s]);
    }
}
