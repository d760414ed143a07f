/* SPDX-License-Identifier: Apache-2.0 */
/* Typed reading of scalars, and the messages that several rooms of the model share. */
#ifndef MODEL_SCALAR_H
#define MODEL_SCALAR_H

#include "model/schema.h"

/* Bit of node.plain: the text came out of ${env:} or ${file:}, so that messages must not show it.
 */
#define NODE_SUBSTITUTED 2
/* And: the substitution failed and was reported; what is left of the text is not worth a second
 * error. */
#define NODE_BROKEN 4

/* By the entry's type. E_ARG: not of the type; E_LIMIT: does not fit. */
int scalar_i64(const struct schema *, const struct node *, int64_t *out);
int scalar_text_i64(const struct schema *, str text, int64_t *out);
int scalar_real(const struct node *, double *out);
int scalar_text_real(str text, double *out);
/* Is it the special word of an S_INT (`auto`), which stands for 0? */
bool scalar_is_word(const struct schema *, const struct node *);
/* "empty", "a list": for messages. */
const char *node_article(const struct node *);
const struct schema *schema_find(const struct schema *table, str key);
/* Words for what a value must be; constant or in the arena. */
str schema_expected(struct arena *, const struct schema *);
/* "'TEXT' PROBLEM" at the node; the text is hidden when it came out of a substitution. */
void scalar_error(struct diag *, const struct node_tree *, const struct node *,
                  const char *expected, const char *problem);
/* "unknown KIND 'x'" at `key`, the place being that of `value`, with the nearest of the names or
 * all of them. */
void node_unknown(struct diag *, const struct node_tree *, const struct node *key,
                  const struct node *value, const char *kind, const char *const *names,
                  unsigned count);

#endif
