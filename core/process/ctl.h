/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: where it is, its lines, its server and its client.
 *
 * One JSON object per line: {"command":"reload"} is answered by {"ok":true,...} or
 * {"ok":false,"message":...,"errors":[...]}. A client may ask again on the same connection behind
 * the answer. */
#ifndef PROCESS_CTL_H
#define PROCESS_CTL_H

#include <sys/types.h>

#include "base/text.h"
#include "net/loop.h"

#define CTL_PATH_MAX    108 /* of sockaddr_un, NUL included */
#define CTL_REQUEST_MAX (64u << 10)
#define CTL_ANSWER_MAX  (16u << 20)
#define CTL_CLIENTS_MAX 32
#define CTL_IDLE_MS     60000u

/* Where it is. given: -s, or NULL. Both answer 0 or E_*, with a sentence in why. */
/* For the gateway: makes the default's folder when it is missing (0750, owned by owner and group;
 * below /tmp 0700 and checked). */
int ctl_path_server(const char *given, uid_t owner, gid_t group, char out[CTL_PATH_MAX], char *why,
                    size_t cap);
/* For clients: the first default where a socket file is. */
int ctl_path_client(const char *given, char out[CTL_PATH_MAX], char *why, size_t cap);
/* The same rules with every place given; for tests. */
struct ctl_places {
    const char *run_dir, *xdg_dir, *tmp_dir;
    uid_t uid;
};
int ctl_place(const struct ctl_places *, bool make, uid_t owner, gid_t group,
              char out[CTL_PATH_MAX], char *why, size_t cap);

/* Cuts a byte stream into lines. */
struct ctl_lines {
    char *p;
    size_t n, cap, taken, max;
};
void ctl_lines_init(struct ctl_lines *, size_t max);
void ctl_lines_fini(struct ctl_lines *);
/* E_LIMIT: a line is longer than max; E_NOMEM. */
int ctl_lines_feed(struct ctl_lines *, str bytes) MUST_USE;
/* The next whole line without its end, valid until the next feed. */
bool ctl_lines_next(struct ctl_lines *, str *line);

/* Only one gateway per socket: a lock file beside it, held while the process lives. */
struct ctl_lock {
    int fd;
    char path[CTL_PATH_MAX + 8];
};
/* E_EXISTS: *pid holds it (0: unknown). E_IO with errno. */
int ctl_lock_take(struct ctl_lock *, const char *socket_path, long *pid) MUST_USE;
void ctl_lock_drop(struct ctl_lock *);

/* Server, on a loop. */
struct ctl_client;
struct ctl_server;
/* A question: answer it now or later with ctl_answer, exactly once. The client may be gone by then:
 * that is looked at there. */
typedef void (*ctl_fn)(void *arg, uint64_t ticket, str line);
struct ctl_server *ctl_server_new(struct loop *, const char *path, ctl_fn, void *arg,
                                  int *err) MUST_USE; /* NULL: *err is -errno */
/* Closes all clients (what was answered is written first, within a second) and removes the socket
 * file. */
void ctl_server_free(struct ctl_server *);
/* E_GONE: nobody waits for it any more. */
int ctl_answer(struct ctl_server *, uint64_t ticket, str json);

/* Client: one question, its answer's line without the end. Waits at most so long. 0, E_NONE (no
 * gateway answers there), E_DENIED, E_TIMEOUT, E_PROTO, E_LIMIT, E_NOMEM, E_IO; why gets a
 * sentence. until_closed: waits for the end of the connection behind the answer too. */
struct ctl_ask {
    const char *path;
    str request;
    unsigned timeout_ms;
    bool until_closed;
};
int ctl_ask(const struct ctl_ask *, struct text *answer, char *why, size_t cap) MUST_USE;

#endif
