/* SPDX-License-Identifier: Apache-2.0 */
/* Resource matching as AWS does it (semantics 1.2, 1.3, 7.1): a compiled trie, cost by path length, not by number of routes.
 * Literal before {param} before {proxy+}, method-aware with backtracking. Immutable after route_trie_build. */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include "model/api.h"

#define ROUTE_PARAMS_MAX 32

struct route_match {
    const struct api_method *method;
    unsigned param_count;
    str values[ROUTE_PARAMS_MAX]; /* views of the path, not decoded; of {proxy+}: with its slashes, no leading one */
};

enum route_result { ROUTE_FOUND = 0, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/* E_CONF with diags: two resources that cannot both exist ("sibling already has a variable path part", child below greedy ...). */
int route_trie_build(struct deployment *, enum api_type, struct node_tree *, struct diag *);
/* path: behind stage and base path, starts with '/', or empty. No allocation. */
enum route_result route_find(const struct route_trie *, enum api_type, str path, enum http_method, struct route_match *out);
/* The names of a route's path parameters, in their order; *count of them. route_find() fills in values only: the names lie elsewhere in
 * memory, and few ask for them. */
const str *route_names(const struct route_trie *, const struct api_method *, unsigned *count);
int route_name_index(const struct route_trie *, const struct api_method *, str name); /* -1: no parameter is called so */
/* Compiled size in bytes. */
size_t route_trie_size(const struct route_trie *);

/* Which API and stage a request means, by host and path. */
struct site; /* the index of one snapshot */
struct site_match {
    const struct api *api;
    const struct stage *stage;      /* NULL: the API was found, the stage was not */
    const struct host_mapping *map; /* NULL: by {api-id}.execute-api host */
    str base_path;                  /* what was cut off for the mapping */
    str path;                       /* what is left for the resource tree; starts with '/' or is empty */
    unsigned api_index;
};
struct site *site_build(struct api *const *apis, unsigned n, struct node_tree *, struct diag *) MUST_USE;
void site_free(struct site *);
/* host: authority as sent (port and case are dealt with). False: no API answers that host. Longest base path wins; exact host
 * before *.wildcard before "*"; {api-id}.execute-api.<anything>. */
bool site_find(const struct site *, str host, str path, struct site_match *out);

#endif
