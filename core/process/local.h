/* SPDX-License-Identifier: Apache-2.0 */
/* A conf loaded and compiled in this very process, without threads and sockets: for check, explain
 * and plugins. */
#ifndef PROCESS_LOCAL_H
#define PROCESS_LOCAL_H

#include "pipeline/pipeline.h"

struct local {
    struct diag diag;
    struct pipeline *pipeline;
    struct snapshot *snap;
    str log_level, log_format, log_to; /* of the conf; empty when it is bad */
    unsigned drain_ms;
};

/* 0, E_CONF (diag says why) or E_NOMEM. To be ended by local_fini either way. */
int local_load(struct local *, const char *conf,
               void (*breadcrumb)(const char *plugin, const char *place)) MUST_USE;
void local_fini(struct local *);
/* "N error(s)" for the line behind a list. */
const char *local_count(const struct diag *, char *out, size_t cap);

#endif
