/* SPDX-License-Identifier: Apache-2.0 */
/* The byte stream of a connection: a plain socket, or what ops put over it. Plain reads and writes
 * are direct calls. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cc.h"

struct stream;
struct stream_ops {
    ssize_t (*recv)(struct stream *, void *p, size_t n);
    ssize_t (*sendv)(struct stream *, const struct iovec *v, unsigned n);
    void (*shutdown)(struct stream *); /* no more will be sent */
    void (*close)(struct stream *);
};

struct stream {
    int fd;
    const struct stream_ops *ops; /* NULL: plain */
    void *state;                  /* of ops */
};

/* Bytes, 0 at the end, or -errno; -EAGAIN: not now. */
static inline ssize_t stream_recv(struct stream *s, void *p, size_t n)
{
    if (UNLIKELY(s->ops != NULL)) return s->ops->recv(s, p, n);
    ssize_t got;
    do got = recv(s->fd, p, n, 0);
    while (UNLIKELY(got < 0 && errno == EINTR));
    return got >= 0 ? got : -errno;
}

static inline ssize_t stream_sendv(struct stream *s, struct iovec *v, unsigned n)
{
    if (UNLIKELY(s->ops != NULL)) return s->ops->sendv(s, v, n);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    ssize_t sent;
    do sent = n == 1 ? send(s->fd, v->iov_base, v->iov_len, MSG_NOSIGNAL) : sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (UNLIKELY(sent < 0 && errno == EINTR));
    return sent >= 0 ? sent : -errno;
}

static inline void stream_shutdown(struct stream *s)
{
    if (s->ops) s->ops->shutdown(s);
    else (void)shutdown(s->fd, SHUT_WR);
}

static inline void stream_close(struct stream *s)
{
    if (s->fd < 0) return;
    if (s->ops) s->ops->close(s);
    else close(s->fd);
    s->fd = -1;
}

#endif
