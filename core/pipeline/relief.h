/* SPDX-License-Identifier: Apache-2.0 */
/* When limits.memory is reached, or descriptors are short. */
#ifndef PIPELINE_RELIEF_H
#define PIPELINE_RELIEF_H

#include "net/loop.h"

/* Is too much held, also after this thread has given up what it keeps for reuse? The others are told to do so. On a traffic thread. */
bool pl_short_of_memory(struct loop *);
/* Some idle connections to backends are closed: of this thread, else of all others, a moment later. On a traffic thread. */
void pl_short_of_files(struct loop *);

#endif
