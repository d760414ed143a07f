/* SPDX-License-Identifier: Apache-2.0 */
/* Between the rooms that build, publish and free snapshots. */
#ifndef PIPELINE_SNAPSHOT_H
#define PIPELINE_SNAPSHOT_H

#include "pipeline/pipeline.h"
#include "pipeline/thread.h"

/* E_CONF: its TLS options are wrong, diag says how. E_NOMEM. */
int pl_listener_new(struct pipeline *, const struct gateway *, const struct gw_listener *, struct diag *, struct pl_listener **);
/* Would its TLS options make a context? False: diag says why not. */
bool pl_upstream_tls_ok(const struct gateway *, const struct gw_upstream *, struct diag *);
static inline struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}
void snapshot_unref(struct snapshot *); /* any thread */

#endif
