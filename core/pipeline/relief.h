/* SPDX-License-Identifier: Apache-2.0 */
/* When limits.memory is reached. */
#ifndef PIPELINE_RELIEF_H
#define PIPELINE_RELIEF_H

#include "net/loop.h"

/* Is too much held, also after this thread has given up what it keeps for reuse? The others are told to do so. On a traffic thread. */
bool pl_short_of_memory(struct loop *);

#endif
