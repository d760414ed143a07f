/* SPDX-License-Identifier: Apache-2.0 */
/* Non-blocking sockets: listen, connect, accept, names. */
#include "net/sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ip(const struct addr *a)
{
    return a->u.sa.sa_family == AF_INET || a->u.sa.sa_family == AF_INET6;
}

void sock_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on); /* no TCP socket: no delay either */
}

void sock_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int sock_error(int fd)
{
    int err = 0;
    socklen_t n = sizeof err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0) return -errno;
    return -err;
}

int sock_local(int fd, struct addr *a)
{
    a->len = sizeof a->u;
    return getsockname(fd, &a->u.sa, &a->len) == 0 ? 0 : -errno;
}

int sock_peer(int fd, struct addr *a)
{
    a->len = sizeof a->u;
    return getpeername(fd, &a->u.sa, &a->len) == 0 ? 0 : -errno;
}

static int close_with(int fd, int err)
{
    close(fd);
    return -err;
}

/* Takes a stale socket file away: one that nobody listens on. -EADDRINUSE when somebody does, or
 * when it is no socket. */
static int unix_unstale(const struct addr *a)
{
    struct stat st;
    const char *path = a->u.un.sun_path;
    if (lstat(path, &st) != 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode)) return -EADDRINUSE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int rc = connect(fd, &a->u.sa, a->len) == 0 ? 0 : errno;
    close(fd);
    if (rc != ECONNREFUSED) return -EADDRINUSE;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int listen_at(const struct addr *a, bool reuseport, int backlog)
{
    int on = 1, off = 0,
        fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (is_ip(a)) {
        bool any6 = a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
            return close_with(fd, errno);
        if (reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
            return close_with(fd, errno);
        if (any6)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
                             sizeof off); /* "*": both families */
        sock_nodelay(fd); /* accepted sockets inherit it */
    }
    if (bind(fd, &a->u.sa, a->len) != 0 || listen(fd, backlog) != 0) return close_with(fd, errno);
    return fd;
}

int sock_listen(const struct addr *a, bool reuseport, int backlog)
{
    if (a->u.sa.sa_family == AF_UNIX) {
        int rc = unix_unstale(a);
        return rc ? rc : listen_at(a, false, backlog);
    }
    int fd = listen_at(a, reuseport, backlog);
    /* "*" on a machine without IPv6 */
    if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && a->u.sa.sa_family == AF_INET6 &&
        IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr)) {
        struct addr v4 = {.len = sizeof v4.u.in4};
        v4.u.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = a->u.in6.sin6_port};
        fd = listen_at(&v4, reuseport, backlog);
    }
    return fd;
}

static _Atomic int ceiling = INT_MAX;

void sock_set_ceiling(int fd)
{
    atomic_store_explicit(&ceiling, fd, memory_order_relaxed);
}

bool sock_at_ceiling(int fd)
{
    return UNLIKELY(fd >= atomic_load_explicit(&ceiling, memory_order_relaxed));
}

int sock_connect(const struct addr *a, bool *done)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (sock_at_ceiling(fd)) return close_with(fd, EMFILE);
    if (is_ip(a)) sock_nodelay(fd);
    *done = connect(fd, &a->u.sa, a->len) == 0;
    if (!*done && errno != EINPROGRESS && errno != EINTR) return close_with(fd, errno);
    return fd;
}

int sock_accept(int fd, struct addr *peer)
{
    for (;;) {
        peer->len = sizeof peer->u;
        peer->u.sa.sa_family = AF_UNSPEC; /* an unnamed unix peer leaves it so */
        int got = accept4(fd, &peer->u.sa, &peer->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (got >= 0) return got;
        if (errno != EINTR) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

static int unix_addr(struct addr *a, const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof a->u.un.sun_path) return -ENAMETOOLONG;
    memset(a, 0, sizeof *a);
    a->u.un.sun_family = AF_UNIX;
    memcpy(a->u.un.sun_path, path, n + 1);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return 0;
}

int sock_unix_listen(const char *path, unsigned mode)
{
    struct addr a;
    int rc = unix_addr(&a, path);
    if (rc == 0) rc = unix_unstale(&a);
    if (rc != 0) return rc;
    /* Nobody can connect before listen(), so the file has its mode in time. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (bind(fd, &a.u.sa, a.len) != 0) return close_with(fd, errno);
    if (chmod(path, (mode_t)mode) != 0 || listen(fd, 64) != 0) {
        int err = errno;
        unlink(path);
        return close_with(fd, err);
    }
    return fd;
}

int sock_unix_connect(const char *path)
{
    struct addr a;
    bool done;
    int rc = unix_addr(&a, path);
    return rc ? rc : sock_connect(&a, &done);
}
