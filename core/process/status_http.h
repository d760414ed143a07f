/* SPDX-License-Identifier: Apache-2.0 */
/* The status listener: /livez, /readyz, /metrics over HTTP, on the worker's main loop. */
#ifndef PROCESS_STATUS_HTTP_H
#define PROCESS_STATUS_HTTP_H

#include "process/worker.h"

struct status_http;

struct status_http *status_http_new(struct worker *) MUST_USE;
/* Binds a new address; E_CONF with a diag. cancel forgets it, commit takes it into service and
 * closes the one before. */
int status_http_plan(struct status_http *, const struct gateway *, struct diag *) MUST_USE;
void status_http_cancel(struct status_http *);
void status_http_commit(struct status_http *);
void status_http_free(struct status_http *);

#endif
