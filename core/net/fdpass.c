/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors over unix sockets (SCM_RIGHTS, unix(7)): how master and workers hand listening
 * sockets on. */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/sock.h"

#define FDS_MAX 64u
#define TEXT_MAX 65536u

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

int sock_send_fds(int fd, const void *data, size_t n, const int *fds, unsigned nfds)
{
    union control c;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n == 0 || n > TEXT_MAX || nfds > FDS_MAX) return -EINVAL;
    if (nfds) {
        size_t size = sizeof(int) * nfds;
        memset(&c, 0, sizeof c);
        m.msg_control = c.bytes;
        m.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(h), fds, size);
    }
    ssize_t sent;
    do sent = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return -errno;
    return (int)sent; /* short on a full stream: the descriptors went with the first byte */
}

static void take_fds(struct msghdr *m, int *fds, unsigned *nfds, unsigned max)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(h) + i * sizeof got, sizeof got);
            if (*nfds < max) fds[(*nfds)++] = got;
            else close(got);
        }
    }
}

ssize_t sock_recv_fds(int fd, void *data, size_t cap, int *fds, unsigned *nfds)
{
    union control c;
    struct iovec iov = {.iov_base = data, .iov_len = cap};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof c.bytes};
    unsigned max = *nfds;
    *nfds = 0;
    ssize_t got;
    do got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    take_fds(&m, fds, nfds, max);
    if (m.msg_flags & MSG_CTRUNC) { /* some were lost: none is worth anything */
        for (unsigned i = 0; i < *nfds; i++) close(fds[i]);
        *nfds = 0;
        return -EMSGSIZE;
    }
    return got;
}
