/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's server: several clients at once, one question at a time each, bounded in
 * bytes and time. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/sock.h"
#include "process/answer.h"
#include "process/ctl.h"

#define LINGER_MS 1000

struct ctl_client {
    struct list link;
    struct ctl_server *server;
    int fd;
    ev_io rd, wr;
    struct timer idle;
    struct ctl_lines in;
    struct text out;
    size_t sent;
    uint64_t ticket; /* of the question that waits for its answer; 0: none */
    bool closing;    /* behind what is in out */
    bool eof;        /* it will not ask anything more, but may wait for answers */
};

struct ctl_server {
    struct loop *loop;
    struct listener listener;
    int fd;
    char path[CTL_PATH_MAX];
    ctl_fn fn;
    void *arg;
    struct list clients;
    unsigned count;
    uint64_t last_ticket;
};

static void drop(struct ctl_client *c)
{
    struct ev_loop *ev = c->server->loop->ev;
    ev_io_stop(ev, &c->rd);
    ev_io_stop(ev, &c->wr);
    timer_cancel(&c->idle);
    list_del(&c->link);
    c->server->count--;
    close(c->fd);
    ctl_lines_fini(&c->in);
    text_fini(&c->out);
    free(c);
}

/* False: the client is gone. */
static bool flush(struct ctl_client *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            ev_io_start(c->server->loop->ev, &c->wr);
            return true;
        }
        if (n <= 0) {
            drop(c);
            return false;
        }
        c->sent += (size_t)n;
    }
    text_fini(&c->out);
    text_init(&c->out);
    c->sent = 0;
    ev_io_stop(c->server->loop->ev, &c->wr);
    if (!c->closing)
        return true;
    drop(c);
    return false;
}

static bool say(struct ctl_client *c, str json)
{
    text_add(&c->out, json);
    text_chr(&c->out, '\n');
    timer_set(c->server->loop, &c->idle, CTL_IDLE_MS);
    if (c->out.failed) {
        drop(c);
        return false;
    }
    return flush(c);
}

static bool refuse(struct ctl_client *c, const char *message)
{
    struct text t;
    text_init(&t);
    answer_fail(&t, NULL, "%s", message);
    c->closing = true;
    bool alive = say(c, text_str(&t));
    text_fini(&t);
    return alive;
}

static struct ctl_client *find(struct ctl_server *s, uint64_t ticket)
{
    LIST_EACH(&s->clients, it)
    {
        struct ctl_client *c = LIST_ITEM(it, struct ctl_client, link);
        if (c->ticket == ticket)
            return c;
    }
    return NULL;
}

/* Asks what has come in, one line after the other: the next one behind the answer to the one
 * before. False: the client is gone. */
static bool ask_next(struct ctl_client *c)
{
    struct ctl_server *s = c->server;
    str line;
    while (!c->ticket && !c->closing && ctl_lines_next(&c->in, &line)) {
        if (str_empty(str_trim(line, " \t")))
            continue;
        uint64_t ticket = c->ticket = ++s->last_ticket;
        timer_cancel(&c->idle); /* it is our turn */
        s->fn(s->arg, ticket, line);
        /* The answer may have come already, and the client gone with it. */
        bool alive = false;
        LIST_EACH(&s->clients, it) alive |= LIST_ITEM(it, struct ctl_client, link) == c;
        if (!alive)
            return false;
    }
    if (!c->eof || c->ticket || c->closing)
        return true;
    c->closing = true;
    return flush(c);
}

int ctl_answer(struct ctl_server *s, uint64_t ticket, str json)
{
    struct ctl_client *c = ticket ? find(s, ticket) : NULL;
    if (!c)
        return E_GONE;
    c->ticket = 0;
    if (say(c, json))
        ev_feed_event(s->loop->ev, &c->rd, EV_CUSTOM); /* the next line, but not from in here */
    return 0;
}

static void on_read(struct ev_loop *ev, ev_io *io, int revents)
{
    struct ctl_client *c = io->data;
    char part[8192];
    if (revents & EV_READ) {
        ssize_t n = recv(c->fd, part, sizeof part, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            drop(c);
            return;
        }
        if (n == 0) {
            c->eof = true;
            ev_io_stop(ev, io);
            ask_next(c);
            return;
        }
        if (c->closing)
            return; /* what comes behind a mistake is not read */
        if (!c->ticket)
            timer_set(c->server->loop, &c->idle, CTL_IDLE_MS);
        if (ctl_lines_feed(&c->in, str_n(part, (size_t)n)) != 0 ||
            c->in.n > 2 * (size_t)CTL_REQUEST_MAX) {
            c->ticket = 0;
            refuse(c, "a request is one line of at most 64 KB");
            return;
        }
    }
    ask_next(c);
}

static void on_write(struct ev_loop *ev, ev_io *io, int revents)
{
    (void)ev, (void)revents;
    flush(io->data);
}

static void on_idle(struct loop *l, struct timer *t)
{
    (void)l;
    drop(CONTAINER_OF(t, struct ctl_client, idle));
}

static void on_client(struct listener *l, int fd, const struct addr *peer)
{
    struct ctl_server *s = l->arg;
    struct ctl_client *c = calloc(1, sizeof *c);
    (void)peer;
    if (!c) {
        close(fd);
        return;
    }
    c->server = s;
    c->fd = fd;
    ctl_lines_init(&c->in, CTL_REQUEST_MAX);
    text_init(&c->out);
    ev_io_init(&c->rd, on_read, fd, EV_READ);
    ev_io_init(&c->wr, on_write, fd, EV_WRITE);
    c->rd.data = c->wr.data = c;
    timer_init(&c->idle, on_idle);
    list_push(&s->clients, &c->link);
    s->count++;
    ev_io_start(s->loop->ev, &c->rd);
    timer_set(s->loop, &c->idle, CTL_IDLE_MS);
    if (s->count > CTL_CLIENTS_MAX)
        refuse(c, "too many clients on the control socket");
}

struct ctl_server *ctl_server_new(struct loop *loop, const char *path, ctl_fn fn, void *arg,
                                  int *err)
{
    struct ctl_server *s = calloc(1, sizeof *s);
    *err = -ENOMEM;
    if (!s)
        return NULL;
    s->loop = loop;
    s->fn = fn;
    s->arg = arg;
    list_init(&s->clients);
    snprintf(s->path, sizeof s->path, "%s", path);
    s->fd = sock_unix_listen(path, 0660);
    if (s->fd < 0) {
        *err = s->fd;
        free(s);
        return NULL;
    }
    listener_start(&s->listener, loop, s->fd, on_client, s);
    *err = 0;
    return s;
}

/* Gives a client that reads slowly a moment to take its last answer. */
static void linger(struct ctl_client *c)
{
    uint64_t end = loop_now_ns() + LINGER_MS * UINT64_C(1000000);
    while (c->sent < c->out.n && loop_now_ns() < end) {
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (poll(&p, 1, 50) < 0 && errno != EINTR)
            break;
        ssize_t n =
            send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            c->sent += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
}

void ctl_server_free(struct ctl_server *s)
{
    if (!s)
        return;
    listener_stop(&s->listener);
    (void)unlink(s->path);
    close(s->fd);
    LIST_EACH_SAFE(&s->clients, it)
    {
        struct ctl_client *c = LIST_ITEM(it, struct ctl_client, link);
        linger(c);
        drop(c);
    }
    free(s);
}
