/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3): one datagram to the socket that $NOTIFY_SOCKET names. */
#include "process/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 2048

int notify_init(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct timeval wait = {.tv_sec = 1};
    *n = (struct notify){.fd = -1};
    if (!path || !*path)
        return E_NONE;
    size_t len = strlen(path);
    int rc =
        (path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof n->to.sun_path ? E_ARG : 0;
    if (rc == 0) {
        n->to.sun_family = AF_UNIX;
        memcpy(n->to.sun_path, path, len);
        if (path[0] == '@')
            n->to.sun_path[0] = '\0'; /* abstract: the length counts, no NUL behind */
        n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (n->fd < 0)
            rc = E_IO;
        else
            (void)setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    }
    unsetenv("NOTIFY_SOCKET");
    return rc;
}

void notify_fini(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

int notify_send(const struct notify *n, const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list ap;
    if (n->fd < 0)
        return E_NONE;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (len < 0)
        return E_ARG;
    if ((size_t)len >= sizeof text)
        len = (int)sizeof text - 1;
    ssize_t sent;
    do
        sent = sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                      n->to_len);
    while (sent < 0 && errno == EINTR);
    return sent == len ? 0 : E_IO;
}

int notify_ready(const struct notify *n, const char *status)
{
    return notify_send(n, "READY=1\nSTATUS=%s\nMAINPID=%ld", status, (long)getpid());
}

int notify_reloading(const struct notify *n)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    unsigned long long usec =
        (unsigned long long)t.tv_sec * 1000000u + (unsigned long long)t.tv_nsec / 1000u;
    return notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", usec);
}

int notify_stopping(const struct notify *n, const char *status)
{
    return notify_send(n, "STOPPING=1\nSTATUS=%s", status);
}
