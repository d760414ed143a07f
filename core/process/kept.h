/* SPDX-License-Identifier: Apache-2.0 */
/* The conf in service, held by the master as an unnamed file of the files it was read from: a worker that follows one that has died serves
 * the same conf, whatever the disk says in between. */
#ifndef PROCESS_KEPT_H
#define PROCESS_KEPT_H

#include "model/keep.h"

int kept_write(const struct keep *); /* a descriptor, or -errno */
struct keep *kept_read(int fd);      /* NULL: out of memory, or nothing that kept_write has written */

#endif
