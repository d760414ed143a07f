/* SPDX-License-Identifier: Apache-2.0 */
/* Integration URIs: cut into parts, checked, resolved per stage. */
#ifndef MODEL_URI_H
#define MODEL_URI_H

#include "model/load.h"

/* Fills uri, parts and authority_parts of the integration from `n`. False with a diag when it is
 * not a URI. */
bool uri_parse(struct load *, struct integration *, const struct node *n);
/* An error at the URI when it makes no address with the stage's variables. */
void uri_check_stage(struct load *, const struct integration *, const struct stage *);

#endif
