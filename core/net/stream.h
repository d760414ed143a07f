/* SPDX-License-Identifier: Apache-2.0 */
/* The byte stream of a connection: a plain socket, or what ops put over it. Plain reads and writes
 * are direct calls. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cc.h"

/* Of recv and handshake, beside those of the socket: */
#define STREAM_CUT   (-EPIPE)          /* the peer ended the connection without ending the stream */
#define STREAM_PLAIN (-EPROTONOSUPPORT) /* the peer speaks HTTP below ops; it was not answered */

struct stream;
struct stream_ops {
    /* 0: through; -EAGAIN: more is to come (stream_held: the socket must become writable); else
     * failed: what is still received is dropped, nothing can be sent. */
    int (*handshake)(struct stream *);
    ssize_t (*recv)(struct stream *, void *p, size_t n);
    ssize_t (*sendv)(struct stream *, const struct iovec *v, unsigned n);
    int (*flush)(struct stream *);     /* writes what ops hold back: 0 all, -EAGAIN, -errno */
    void (*shutdown)(struct stream *); /* no more will be sent */
    void (*close)(struct stream *);
};

struct stream {
    int fd;
    bool opening; /* the handshake is going on */
    bool pending; /* bytes wait in ops that no readiness event will tell of: recv again */
    bool held;    /* ops hold bytes back that the socket did not take: flush when it is writable */
    bool cut;     /* to be closed as broken: the peer must not take it for an end */
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

#define STREAM_FLAT 1024u /* so few bytes are copied cheaper than sendmsg() takes them from several places */

/* All of v in `flat`, when it fits: how many bytes; else 0. */
static inline size_t stream_flatten(char flat[STREAM_FLAT], const struct iovec *v, unsigned n)
{
    size_t all = 0, at = 0;
    for (unsigned i = 0; i < n; i++) {
        if (v[i].iov_len > STREAM_FLAT - all) return 0;
        all += v[i].iov_len;
    }
    for (unsigned i = 0; i < n; at += v[i++].iov_len) memcpy(flat + at, v[i].iov_base, v[i].iov_len);
    return all;
}

/* Bytes that have left: those behind them are to be given again. */
static inline ssize_t stream_sendv(struct stream *s, struct iovec *v, unsigned n)
{
    if (UNLIKELY(s->ops != NULL)) return s->ops->sendv(s, v, n);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    char flat[STREAM_FLAT];
    struct iovec one = {.iov_base = flat};
    ssize_t sent;
    if (n == 1) one = *v;
    else one.iov_len = stream_flatten(flat, v, n);
    do sent = one.iov_len ? send(s->fd, one.iov_base, one.iov_len, MSG_NOSIGNAL) : sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (UNLIKELY(sent < 0 && errno == EINTR));
    return sent >= 0 ? sent : -errno;
}

static inline int stream_handshake(struct stream *s)
{
    return s->ops ? s->ops->handshake(s) : 0;
}

static inline int stream_flush(struct stream *s)
{
    return s->held ? s->ops->flush(s) : 0;
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
