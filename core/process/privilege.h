/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming another user at the start, and keeping only the right to bind low ports. */
#ifndef PROCESS_PRIVILEGE_H
#define PROCESS_PRIVILEGE_H

#include <sys/types.h>

#include "base/cc.h"

struct privilege {
    uid_t uid;
    gid_t gid;
    bool change; /* --user was given, and it is not who we are */
    char name[64];
};

/* Who we shall be. user NULL: who we are. E_NONE: no such user; E_DENIED: we are not root, and it
 * is somebody else. why gets a sentence. */
int privilege_find(struct privilege *, const char *user, char *why, size_t cap);
/* Becomes that user for good, with CAP_NET_BIND_SERVICE as an ambient capability, so that the
 * worker we execute has it too (capabilities(7)). Without it when the kernel refuses: then low
 * ports fail with a clear error. */
int privilege_drop(const struct privilege *, char *why, size_t cap);
/* As many descriptors as we may have: each connection takes one or two, each deposit one. */
void privilege_raise_files(void);
uint64_t privilege_files(void); /* how many descriptors the process may have; UINT64_MAX: any number */

#endif
