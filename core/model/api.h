/* SPDX-License-Identifier: Apache-2.0 */
/* An API as data: stages, deployments, resources, methods and their integrations. Words are AWS API Gateway's. Immutable. */
#ifndef MODEL_API_H
#define MODEL_API_H

#include <stdatomic.h>

#include "base/node.h"
#include "http/msg.h"

enum api_type { API_REST = 0, API_HTTP, API_WEBSOCKET, API_TYPES };
const char *api_type_name(enum api_type);

enum integration_kind { INT_NONE = 0, INT_HTTP_PROXY /* to a URI */, INT_UPSTREAM /* plain `upstream:` */, INT_PLUGIN /* any other type: a capability */ };

/* A part of an integration URI between its variables. */
enum uri_part_kind { URI_TEXT = 0, URI_PATH_PARAM /* {name}: filled by the path parameter */, URI_STAGE_VAR /* ${stageVariables.name} */ };
struct uri_part {
    uint8_t kind;
    str text; /* the text, or the name */
};

struct integration {
    const struct node *node;
    enum integration_kind kind;
    str type;        /* as AWS names it, upper-case: "HTTP_PROXY", "AWS_PROXY"; "UPSTREAM" for plain ones */
    str http_method; /* backend verb; empty or "ANY": the client's */
    str uri;         /* as written */
    struct uri_part *parts; /* of uri behind scheme and authority: path and query */
    unsigned part_count;
    struct uri_part *authority_parts; /* of scheme://authority; only URI_TEXT and URI_STAGE_VAR */
    unsigned authority_part_count;
    str upstream;    /* INT_UPSTREAM, or VPC_LINK's upstream: its id */
    bool vpc_link;
    int64_t timeout_ms; /* 0: the API type's default */
    /* requestParameters: integration.request.{path|header|querystring}.NAME = ... , checked; only method.request.path.X to
     * integration.request.path.Y, 'static' and method.request.header/querystring mappings of proxies */
    struct param_map *params;
    unsigned param_count;
};

enum param_place { P_PATH = 0, P_QUERY, P_HEADER, P_STATIC, P_STAGE_VAR, P_CONTEXT };
struct param_map {
    const struct node *node;
    uint8_t to_place;   /* P_PATH P_QUERY P_HEADER */
    uint8_t from_place; /* any */
    str to, from;       /* names, or the static text */
};

/* An entry of x-sallyport-plugins at some place: options of plugin entry `id` there; NULL with `enabled: false`. */
struct api_plugin {
    const struct node *node;
    str id;
    const struct node *with;
    bool disabled;
};

struct api_method {
    const struct node *node;
    struct api_resource *resource;
    uint8_t method; /* enum http_method, M_ANY */
    str operation_id;
    struct integration integration;
    struct api_plugin *plugins;
    unsigned plugin_count;
    const char **needs; /* capabilities this method asks for: "authorizer:JWT", "validator", "integration:AWS_PROXY"; NULL-terminated */
    const struct node **needs_node;
    unsigned index; /* in deployment->methods */
};

struct api_resource {
    const struct node *node;
    str path;     /* "/pets/{id}" : the route template for logs and metrics. "$default" for an HTTP API's catch-all */
    struct api_method *methods[M_ANY + 1]; /* by enum http_method; M_ANY: any-method */
    struct api_plugin *plugins;
    unsigned plugin_count;
};

struct route_trie;
struct deployment {
    str id; /* "latest" or the name under `deployments:` */
    const struct node *doc; /* the OpenAPI document, or the API file for `upstream:` */
    str doc_file;
    struct api_resource *resources;
    unsigned resource_count;
    struct api_method *methods; /* a resource's side by side: the any-method, then as enum http_method has them */
    unsigned method_count;
    struct route_trie *routes;
    struct api_plugin *plugins; /* document level */
    unsigned plugin_count;
};

struct stage_var {
    str name, value;
};

struct stage {
    const struct node *node;
    str name; /* "$default" for HTTP APIs without stages */
    const struct deployment *deployment;
    struct stage_var *vars;
    unsigned var_count;
    const char **needs; /* capabilities asked by stage settings: "throttle", "canary", "cache", "access-log" */
    const struct node **needs_node;
    struct api_plugin *plugins;
    unsigned plugin_count;
    unsigned index;
};
const struct stage_var *stage_var(const struct stage *, str name); /* NULL: there is none of that name, or no stage */
str stage_var_value(const struct stage *, str name);               /* what it stands for in URIs; AWS: empty where there is none */

struct host_mapping {
    const struct node *node;
    str name;      /* lower-case host, "*.example.org", or "*": any */
    str base_path; /* "/pets" or "" */
    str stage;     /* empty: the stage stands in the path */
};

/* Owns its own tree (the API file with its documents), so that a unit that outlives a reload pins this API alone. */
struct api {
    struct node_tree *tree;
    _Atomic unsigned refs; /* the gateway holds one, each compiled unit one */
    const struct node *node;
    str file;
    str id;
    enum api_type type;
    struct deployment **deployments;
    unsigned deployment_count;
    struct stage *stages;
    unsigned stage_count;
    struct host_mapping *hosts;
    unsigned host_count;
    bool disable_execute_api; /* no {api}.execute-api.* host */
    struct api_plugin *plugins; /* API file level */
    unsigned plugin_count;
    uint64_t hash; /* of everything above: equal hash, the unit is reused */
};

const struct stage *api_stage(const struct api *, str name);
/* Where an integration's URI leads in a stage: "http", "10.0.0.5:9000". Views of the arena. A missing stage variable is empty (AWS).
 * E_ARG: that is no address; gateway_load has refused it already for the API's own stages. */
int integration_authority(const struct integration *, const struct stage *, struct arena *, str *scheme, str *authority) MUST_USE;
/* What a stage variable brought along behind the authority ("http://${stageVariables.url}/x" with "10.0.0.5:80/v1": "/v1"); goes in
 * front of the path that `parts` make. Mostly empty. */
int integration_prefix(const struct integration *, const struct stage *, struct arena *, str *prefix) MUST_USE;
struct api *api_ref(struct api *);
void api_unref(struct api *); /* frees the tree behind the last */

#endif
