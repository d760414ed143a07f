/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind host_variable_*; made and freed with the registry of modules. */
#ifndef PIPELINE_HOST_VARS_H
#define PIPELINE_HOST_VARS_H

#include "pipeline/host.h"

struct host_vars;
struct host_vars *host_vars_new(void) MUST_USE;
void host_vars_free(struct host_vars *);

#endif
