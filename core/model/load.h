/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms that load a conf share while they do: one gateway, its tree and the list of
 * everything wrong. One thread. */
#ifndef MODEL_LOAD_H
#define MODEL_LOAD_H

#include "base/map.h"
#include "model/check.h"
#include "model/gateway.h"
#include "model/keep.h"
#include "model/scalar.h"
#include "model/tables.h"

struct load {
    struct gateway *gw;
    struct node_tree *tree; /* the main conf's; while an API is read, that API's */
    struct arena *arena;    /* the tree's: everything that the gateway, or the API, holds */
    struct diag *diag;
    struct keep *keep; /* records what is read, or gives what was read before; may be NULL */
    struct map files; /* path -> root node of every file read into the tree */
    struct map docs;  /* paths of the OpenAPI documents that some API names */
    bool nomem;
};

/* Memory that lives as long as the gateway, cleared. Sets ld->nomem and reports once when there is
 * none. n 0: not NULL. */
void *load_alloc(struct load *, size_t n) MUST_USE;
void load_nomem(struct load *);
#define LOAD_NEW(ld, type, n) ((type *)load_alloc(ld, sizeof(type) * ((n) ? (n) : 1)))
str load_str(struct load *, str);

/* files.c: paths are relative to the file that names them. NUL-terminated, in the arena; NULL when
 * memory is out. */
const char *load_path(struct load *, const struct node *from);
/* Byte-sorted files of a pattern at `n`; *count. A name without wildcards that does not exist is an
 * error. */
const char **load_glob(struct load *, const struct node *n, unsigned *count);
/* Reads a conf file into the tree, once; later calls yield the same root. NULL with a diag. `from`
 * (of the same tree, may be NULL) names it, for the message. */
struct node *load_file(struct load *, const char *path, const struct node *from);
/* Whole bytes of a small file; p NULL with a diag at n. */
str load_bytes(struct load *, const char *path, const struct node *n, size_t max);
/* A text of at most 1 MB that stands for a value: in UTF-8, without NUL, its last newline left out. p NULL with a diag at n. */
str load_text(struct load *, const char *path, const struct node *n);

/* subst.c: ${env:NAME:-default}, ${env:NAME}, ${file:PATH}, and $${ for ${, in all scalars but
 * below `skip`. */
void load_subst(struct load *, struct node *, const struct node *skip);

/* include.c: the main conf with all its includes merged; NULL when it cannot be read. */
struct node *load_main(struct load *, const char *path);
/* A key that the map has not yet. 0 or E_NOMEM, reported. */
int load_map_append(struct load *, struct node *map, struct node *key, struct node *value);

/* environ.c: SALLYPORT_* over the keys of the main conf. */
void load_environ(struct load *, struct node *root);

/* gateway_tls.c: the options at `map`, their files read; NULL: none, or reported. hash takes the
 * files' content in. */
const struct tls_srv_conf *load_listener_tls(struct load *, const struct node *map, str name);
const struct tls_cli_conf *load_upstream_tls(struct load *, const struct node *map, uint64_t *hash);

/* gateway_*.c */
void load_listeners(struct load *);
void load_settings(struct load *);
void load_upstreams(struct load *);
void load_upstream_policy(struct load *, struct gw_upstream *, const struct node *); /* how targets are chosen */
void load_plugins(struct load *);
void load_order(struct load *);
/* Errors at a name that nobody defined, with the nearest that somebody did. */
void load_upstream_unknown(struct load *, const struct node *);
void load_plugin_unknown(struct load *, const struct node *at, const struct node *value);
/* Index of an entry of plugins:, or -1. */
int load_plugin_index(const struct load *, str id);
/* "first at FILE:LINE:COL" */
str load_first_at(struct load *, const struct node_tree *, const struct node *);

/* apis.c, api.c */
void load_apis(struct load *);
/* Into ld->tree, which the API then owns; NULL: it is no API, and the tree is still the caller's.
 */
struct api *load_api(struct load *, struct node *root);
/* Entries of x-sallyport-plugins at a place; `n` may be NULL. */
void load_api_plugins(struct load *, const struct node *n, struct api_plugin **out,
                      unsigned *count);

/* stage.c */
/* sure: the API's type is known; else nothing is said about what the type asks for. */
void load_stages(struct load *, struct api *, bool sure);
void load_hosts(struct load *, struct api *);
/* Every stage: do its integrations' addresses come out as addresses? */
void stage_check_uris(struct load *, struct api *);

/* A growing set of capability names with the nodes that asked. */
struct needs {
    const char **v;
    const struct node **at;
    unsigned n, cap;
};
void needs_add(struct load *, struct needs *, const char *need, const struct node *at);
void needs_take(struct load *, struct needs *, const char ***v, const struct node ***at);

/* openapi.c: one document into one deployment. */
void load_openapi(struct load *, struct api *, struct deployment *, const struct node *doc);
/* upstream: without a document. */
void load_plain(struct load *, struct api *, struct deployment *, const struct node *upstream);

#endif
