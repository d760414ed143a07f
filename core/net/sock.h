/* SPDX-License-Identifier: Apache-2.0 */
/* Non-blocking sockets: listen, connect, options, descriptor passing. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "net/addr.h"

/* All return a descriptor (CLOEXEC, NONBLOCK) or -errno. */
int sock_listen(const struct addr *, bool reuseport, int backlog);
/* *done: connected at once. TCP_NODELAY is on. */
int sock_connect(const struct addr *, bool *done);
/* The kernel gives the lowest free descriptor. From this one on connect() answers EMFILE, so that the last ones are left for other
 * things. Any thread. */
void sock_set_ceiling(int fd);
bool sock_at_ceiling(int fd);
int sock_accept(int fd, struct addr *peer); /* -EAGAIN, or a transient -errno */
int sock_error(int fd);                     /* SO_ERROR as -errno, or 0 */
int sock_local(int fd, struct addr *);
int sock_peer(int fd, struct addr *);
void sock_nodelay(int fd);
void sock_reset(int fd); /* closing it will reset the connection (TCP) */
/* Unix stream sockets for control. mode: of the file. A file that nobody listens on is replaced. */
int sock_unix_listen(const char *path, unsigned mode);
int sock_unix_connect(const char *path);
/* SCM_RIGHTS: at most 64 descriptors with 1 to 64 KB of text. Bytes sent or received, or -errno; a
 * stream may take fewer bytes than were given, the descriptors go with the first. *nfds: room in,
 * count out; the caller owns what came. */
int sock_send_fds(int fd, const void *data, size_t n, const int *fds, unsigned nfds);
ssize_t sock_recv_fds(int fd, void *data, size_t cap, int *fds, unsigned *nfds);

#endif
