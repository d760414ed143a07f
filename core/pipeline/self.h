/* SPDX-License-Identifier: Apache-2.0 */
/* Which traffic thread this is: for ABI calls that carry no exchange. */
#ifndef PIPELINE_SELF_H
#define PIPELINE_SELF_H

struct pl_thread;

/* NULL on threads that are not traffic threads. */
struct pl_thread *pl_self(void);

#endif
