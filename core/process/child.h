/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes of a loop: started from our own executable, and told about when they end. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <sys/types.h>

#include "net/loop.h"

struct child {
    struct list link;
    pid_t pid; /* 0: none */
    void (*fn)(struct child *,
               int wait_status); /* on the loop, once; the child is forgotten before */
};

/* One per process: it owns SIGCHLD. */
struct children {
    struct loop *loop;
    ev_signal sig;
    struct list all;
};

struct child_fd {
    int from, to; /* from stays the caller's */
};

void children_init(struct children *, struct loop *);
void children_fini(struct children *);
/* argv[0] is only a name: the program is /proc/self/exe. Standard input is /dev/null. Descriptors
 * besides 0, 1, 2 and those of `fds` stay here (CLOEXEC). Signals are at their defaults in the
 * child. 0 or -errno. */
int child_start(struct children *, struct child *, const char *const *argv,
                const struct child_fd *fds, unsigned nfds, void (*fn)(struct child *, int));
void child_kill(const struct child *, int sig);
/* Kills it and waits for its end; fn is not called. */
void child_drop(struct child *);
/* "exit status 3", "signal 11 (Segmentation fault)". */
const char *child_status_text(int wait_status, char *out, size_t cap);

#endif
