/* SPDX-License-Identifier: Apache-2.0 */
/* requestParameters of an integration. */
#ifndef MODEL_PARAMS_H
#define MODEL_PARAMS_H

#include "model/openapi.h"

/* Fills params of the method's integration: what `map` (may be NULL) says, and for every {x} of the
 * URI that it leaves out the path variable x. An {x} that nothing fills is an error. */
void params_read(struct doc *, struct api_method *, const struct node *map);

#endif
