/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets by name ("127.0.0.1:8080#0"): the master's duplicates, and what a new worker
 * gets back of them. */
#ifndef PROCESS_DEPOSIT_H
#define PROCESS_DEPOSIT_H

#include "base/list.h"
#include "base/str.h"

#define DEPOSIT_KEY_MAX 160

struct deposit {
    struct list link;
    int fd;
    char key[DEPOSIT_KEY_MAX];
};
struct deposits {
    struct list all;
    unsigned count;
};

void deposits_init(struct deposits *);
void deposits_fini(struct deposits *); /* closes all */
/* Owns fd from now on, also on failure (E_ARG: the key is too long, E_NOMEM). Replaces one of the
 * same key. */
int deposit_put(struct deposits *, str key, int fd) MUST_USE;
/* Closes one; E_NONE. */
int deposit_drop(struct deposits *, str key);
/* Takes the descriptor out; the caller owns it. -1: none. */
int deposit_take(struct deposits *, str key);
/* The file of a key's unix socket ("unix:/run/x.sock#0"), for its removal; NULL: it has none. */
const char *deposit_file(str key, char out[DEPOSIT_KEY_MAX]);
/* The key of a listener's i-th socket. */
const char *deposit_key(char out[DEPOSIT_KEY_MAX], str address, unsigned index);

#endif
