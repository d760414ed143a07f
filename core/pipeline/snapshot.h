/* SPDX-License-Identifier: Apache-2.0 */
/* Between the rooms that build, publish and free snapshots. */
#ifndef PIPELINE_SNAPSHOT_H
#define PIPELINE_SNAPSHOT_H

#include "pipeline/pipeline.h"
#include "pipeline/thread.h"

struct pl_listener *pl_listener_new(const struct gateway *, const struct gw_listener *);
static inline struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}
void snapshot_unref(struct snapshot *); /* any thread */

#endif
