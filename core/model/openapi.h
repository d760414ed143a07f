/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms that read an OpenAPI document share. */
#ifndef MODEL_OPENAPI_H
#define MODEL_OPENAPI_H

#include "model/load.h"

struct doc {
    struct load *ld;
    struct api *api;
    struct deployment *dep;
    const struct node *root;
    struct needs needs; /* what the document asks for all methods */
    const struct node
        *validator;          /* x-amazon-apigateway-request-validator of the document, or NULL */
    const struct node *auth; /* x-amazon-apigateway-auth of the document, or NULL */
};

enum ext_level { EXT_DOC = 1, EXT_PATH = 2, EXT_METHOD = 4, EXT_SCHEME = 8, EXT_OTHER = 16 };

/* An error at a key, the place being its value's. */
void doc_key_error(struct doc *, const struct node *key, const struct node *value,
                   const char *expected, const char *fmt, ...) PRINTF(5, 6);
/* Follows local $refs; NULL with a diag when one leads nowhere. */
const struct node *doc_deref(struct doc *, const struct node *);
/* Keys of an object: OpenAPI's own (`words`, NULL-terminated), extensions allowed at this level.
 * Everything else is an error. */
void doc_check_keys(struct doc *, const struct node *map, const char *const *words, enum ext_level);
bool doc_is_operation(str key);

/* openapi_needs.c */
void doc_read_needs(struct doc *);
void doc_method_needs(struct doc *, struct api_method *, const struct node *op);
/* openapi_integration.c */
void doc_read_integration(struct doc *, struct api_method *, const struct node *op,
                          const struct node *key);
/* Declared parameters of an operation or of a path. */
void doc_read_params(struct doc *, const struct node *map);
/* path.c: is the template well-formed? Reports at key. */
bool path_check(struct load *, enum api_type, const struct node *key, const struct node *value);
/* Does the template have a variable of that name (greedy ones without the '+')? */
bool path_has_param(str path, str name);
/* Cuts the first segment off *rest (which starts with '/'); false at the end. */
bool path_segment(str *rest, str *seg);
/* The name inside {name} or {name+}; p NULL for a literal. */
str path_var(str seg, bool *greedy);

#endif
