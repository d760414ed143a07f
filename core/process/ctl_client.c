/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running gateway: blocking, but never longer than the caller allows. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "process/ctl.h"

struct ask {
    const struct ctl_ask *how;
    int fd;
    uint64_t end_ns;
    char *why;
    size_t cap;
};

static int fail(struct ask *a, int rc, const char *what)
{
    snprintf(a->why, a->cap, "%s: %s", a->how->path, what);
    return rc;
}

static int fail_errno(struct ask *a, int err)
{
    if (err == ENOENT || err == ECONNREFUSED)
        return fail(a, E_NONE, "no gateway is running there");
    return fail(a, err == EACCES || err == EPERM ? E_DENIED : E_IO, strerror(err));
}

static int wait_for(struct ask *a, short what)
{
    for (;;) {
        uint64_t now = loop_now_ns();
        struct pollfd p = {.fd = a->fd, .events = what};
        if (now >= a->end_ns)
            break;
        uint64_t ms = (a->end_ns - now) / 1000000u + 1;
        int n = poll(&p, 1, ms > 1000000 ? 1000000 : (int)ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return fail_errno(a, errno);
    }
    char text[80];
    snprintf(text, sizeof text, "no answer within %u s", a->how->timeout_ms / 1000);
    return fail(a, E_TIMEOUT, text);
}

static int send_all(struct ask *a, str s)
{
    while (s.n) {
        int rc = wait_for(a, POLLOUT);
        if (rc)
            return rc;
        ssize_t n = send(a->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return fail_errno(a, errno);
        if (n > 0)
            s = str_drop(s, (size_t)n);
    }
    return 0;
}

/* Reads until a line is whole. */
static int read_line(struct ask *a, struct text *answer)
{
    char part[16384];
    for (;;) {
        int rc = wait_for(a, POLLIN);
        if (rc)
            return rc;
        ssize_t n = recv(a->fd, part, sizeof part, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return fail_errno(a, errno);
        if (n == 0)
            return fail(a, E_PROTO, "the gateway ended without an answer");
        str got = str_n(part, (size_t)n);
        size_t nl = str_chr(got, '\n');
        text_add(answer, str_take(got, nl));
        if (answer->failed)
            return fail(a, E_NOMEM, "out of memory");
        if (nl < got.n)
            return 0;
        if (answer->n > CTL_ANSWER_MAX)
            return fail(a, E_LIMIT, "the answer is too long");
    }
}

static void read_to_end(struct ask *a)
{
    char part[1024];
    while (wait_for(a, POLLIN) == 0) {
        ssize_t n = recv(a->fd, part, sizeof part, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

static int connect_to(struct ask *a)
{
    for (;;) { /* a full backlog says EAGAIN on unix sockets */
        a->fd = sock_unix_connect(a->how->path);
        if (a->fd >= 0)
            return 0;
        if (a->fd != -EAGAIN || loop_now_ns() >= a->end_ns)
            return fail_errno(a, -a->fd);
        (void)poll(NULL, 0, 20);
    }
}

int ctl_ask(const struct ctl_ask *how, struct text *answer, char *why, size_t cap)
{
    struct ask a = {.how = how, .fd = -1, .why = why, .cap = cap};
    a.end_ns = loop_now_ns() + (uint64_t)how->timeout_ms * 1000000u;
    int rc = connect_to(&a);
    if (rc == 0)
        rc = send_all(&a, how->request);
    if (rc == 0)
        rc = send_all(&a, STR("\n"));
    if (rc == 0)
        rc = read_line(&a, answer);
    if (rc == 0 && how->until_closed)
        read_to_end(&a);
    if (a.fd >= 0)
        close(a.fd);
    return rc;
}
