/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between master and worker: framing, queueing, descriptors. */
#include "process/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "net/sock.h"

#define PACKET   32768u
#define HEAD_MAX 96u
#define SMALL    512u

struct chan_out {
    struct chan_out *next;
    int fd;
    uint32_t n;
    char data[];
};

int chan_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0 ? 0
                                                                                           : -errno;
}

static void forget_out(struct chan *c)
{
    struct chan_out *o = c->first;
    c->first = o->next;
    if (!c->first)
        c->last = &c->first;
    c->queued -= o->n;
    if (o->fd >= 0)
        close(o->fd);
    free(o);
}

static void forget_text(struct chan *c, char *text)
{
    if (text != c->brief)
        free(text);
}

static void shut(struct chan *c)
{
    if (!c->loop || c->fd < 0)
        return; /* never initialised, or shut before */
    ev_io_stop(c->loop->ev, &c->rd);
    ev_io_stop(c->loop->ev, &c->wr);
    close(c->fd);
    c->fd = -1;
    while (c->first)
        forget_out(c);
    if (c->in_fd >= 0)
        close(c->in_fd);
    c->in_fd = -1;
    forget_text(c, c->text);
    c->text = NULL;
}

static void die(struct chan *c, const char *why)
{
    if (c->fd < 0)
        return;
    shut(c);
    c->ev->closed(c, why);
}

/* Writes what the socket takes. */
static int push_out(struct chan *c)
{
    while (c->first) {
        struct chan_out *o = c->first;
        int rc = sock_send_fds(c->fd, o->data, o->n, &o->fd, o->fd >= 0 ? 1 : 0);
        if (rc == -EAGAIN) {
            ev_io_start(c->loop->ev, &c->wr);
            return 0;
        }
        if (rc < 0)
            return E_IO;
        forget_out(c);
    }
    ev_io_stop(c->loop->ev, &c->wr);
    return 0;
}

static int queue(struct chan *c, const char *head, size_t head_n, str part, int fd)
{
    struct chan_out *o = malloc(sizeof *o + head_n + part.n);
    if (!o)
        return E_NOMEM;
    o->next = NULL;
    o->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd >= 0 && o->fd < 0) {
        free(o);
        return E_LIMIT;
    }
    o->n = (uint32_t)(head_n + part.n);
    memcpy(o->data, head, head_n);
    if (part.n)
        memcpy(o->data + head_n, part.p, part.n);
    *c->last = o;
    c->last = &o->next;
    c->queued += o->n;
    return 0;
}

/* What is short goes without memory when nothing waits before it. False: it does not, or the socket takes no more. */
static bool send_now(struct chan *c, const char *head, size_t n, str text, int fd)
{
    char data[SMALL];
    if (c->first || n + text.n > sizeof data)
        return false;
    memcpy(data, head, n);
    if (text.n)
        memcpy(data + n, text.p, text.n);
    return sock_send_fds(c->fd, data, n + text.n, &fd, fd >= 0 ? 1 : 0) >= 0;
}

int chan_send(struct chan *c, const char *verb, uint64_t id, str text, int fd)
{
    char head[HEAD_MAX];
    if (c->fd < 0)
        return E_GONE;
    if (text.n > CHAN_TEXT_MAX || strlen(verb) > CHAN_VERB_MAX)
        return E_ARG;
    if (c->queued + text.n > CHAN_QUEUE_MAX)
        return E_LIMIT;
    int n = snprintf(head, sizeof head, "%s %" PRIu64 " %zu\n", verb, id, text.n);
    if (send_now(c, head, (size_t)n, text, fd))
        return 0;
    str part = str_take(text, PACKET - (size_t)n);
    int rc = queue(c, head, (size_t)n, part, fd);
    for (text = str_drop(text, part.n); rc == 0 && text.n; text = str_drop(text, part.n)) {
        part = str_take(text, PACKET);
        rc = queue(c, "", 0, part, -1);
        if (rc)
            die(c, "out of memory"); /* half a message is worse than none */
    }
    if (rc || c->fd < 0)
        return rc ? rc : E_GONE;
    if (push_out(c) != 0) { /* the reader finds out why, and tells */
        while (c->first)
            forget_out(c);
        return E_GONE;
    }
    return 0;
}

static void deliver(struct chan *c)
{
    struct chan_msg m = {
        .verb = c->verb, .id = c->id, .text = str_n(c->text, c->have), .fd = c->in_fd};
    char *text = c->text;
    c->text = NULL;
    c->in_fd = -1;
    c->ev->msg(c, &m);
    if (m.fd >= 0)
        close(m.fd);
    forget_text(c, text);
}

static int begin(struct chan *c, str packet, int fd)
{
    size_t nl = str_chr(packet, '\n');
    str head = str_take(packet, nl), body = str_drop(packet, nl + 1);
    str verb = str_cut(&head, ' '), id = str_cut(&head, ' ');
    uint64_t want;
    c->in_fd = fd;
    if (nl == packet.n || verb.n == 0 || verb.n > CHAN_VERB_MAX || str_u64(id, &c->id) != 0 ||
        str_u64(head, &want) != 0 || want > CHAN_TEXT_MAX || body.n > want) {
        return E_PROTO;
    }
    memcpy(c->verb, verb.p, verb.n);
    c->verb[verb.n] = '\0';
    c->text = want < sizeof c->brief ? c->brief : malloc(want + 1);
    if (!c->text)
        return E_NOMEM;
    if (body.n)
        memcpy(c->text, body.p, body.n);
    c->have = body.n;
    c->want = want;
    return 0;
}

static int take_packet(struct chan *c, str packet, int fd)
{
    if (!c->text) {
        int rc = begin(c, packet, fd);
        if (rc)
            return rc;
    } else {
        if (fd >= 0)
            close(fd);
        if (packet.n > c->want - c->have)
            return E_PROTO;
        memcpy(c->text + c->have, packet.p, packet.n);
        c->have += packet.n;
    }
    if (c->have == c->want) {
        c->text[c->have] = '\0';
        deliver(c);
    }
    return 0;
}

static void on_read(struct ev_loop *ev, ev_io *io, int revents)
{
    struct chan *c = io->data;
    struct loop *loop = c->loop;
    (void)ev, (void)revents;
    for (int i = 0; i < 64 && c->fd >= 0; i++) {
        int fd = -1;
        unsigned nfds = 1;
        ssize_t got = sock_recv_fds(c->fd, c->packet, PACKET, &fd, &nfds);
        if (got == -EAGAIN)
            break;
        if (got <= 0) {
            die(c, got == 0 ? "closed by the other side" : strerror((int)-got));
        } else if (take_packet(c, str_n(c->packet, (size_t)got), nfds ? fd : -1) != 0) {
            die(c, "malformed message");
        }
    }
    loop_flush(loop);
}

static void on_write(struct ev_loop *ev, ev_io *io, int revents)
{
    struct chan *c = io->data;
    (void)ev, (void)revents;
    if (push_out(c) != 0)
        die(c, "write failed");
}

int chan_init(struct chan *c, struct loop *loop, int fd, const struct chan_events *events,
              void *arg)
{
    *c = (struct chan){.loop = loop, .fd = fd, .ev = events, .arg = arg, .in_fd = -1};
    c->last = &c->first;
    c->packet = malloc(PACKET);
    if (!c->packet) {
        close(fd);
        c->fd = -1;
        return E_NOMEM;
    }
    ev_io_init(&c->rd, on_read, fd, EV_READ);
    ev_io_init(&c->wr, on_write, fd, EV_WRITE);
    c->rd.data = c->wr.data = c;
    ev_io_start(loop->ev, &c->rd);
    return 0;
}

void chan_fini(struct chan *c)
{
    shut(c);
    free(c->packet);
    c->packet = NULL;
}

int chan_drain(struct chan *c, unsigned timeout_ms)
{
    uint64_t end = loop_now_ns() + (uint64_t)timeout_ms * 1000000u;
    while (c->fd >= 0 && c->first) {
        uint64_t now = loop_now_ns();
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (now >= end)
            return E_TIMEOUT;
        if (poll(&p, 1, (int)((end - now) / 1000000u) + 1) < 0 && errno != EINTR)
            return E_IO;
        if (push_out(c) != 0)
            return E_IO;
    }
    return c->fd >= 0 ? 0 : E_GONE;
}
