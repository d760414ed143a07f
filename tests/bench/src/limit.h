/* SPDX-License-Identifier: Apache-2.0 */
/* The limit relay's connections: buffers, the upstream pool, raw reads and writes, what is still to
 * be written. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H
#include "common.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { LISTEN, CLIENT, UP };
enum { HEAD, BODY, WAIT };

struct nbuf {
    struct nbuf *next;
    size_t off, len;
    char data[];
};

struct conn {
    int kind, fd;
    uint8_t state, handshaken, draining, spliced, close_after;
    struct conn *mate; /* the other side, while a request is in flight */
    uint64_t left;     /* body bytes of the current message still to be relayed */
    struct nbuf *pend; /* bytes that could not be written to this fd yet */
    SSL *ssl;
    int pipe[2];
    size_t piped;
    struct conn *next_free;
    char *stash;
    size_t stash_len;
    /* -P mode, upstream side */
    struct conn **fifo;
    unsigned fh, ft;
    char *out;
    size_t out_len;
    uint8_t dirty;
};

static int ep, lfd, up_port, use_splice, mux;
static size_t bufsz = 256 * 1024;
static struct nbuf *scratch, *freebufs;
static struct conn *pool; /* idle upstream connections */
static SSL_CTX *ctx;
static struct conn *muxc[64];
static unsigned mux_rr;
#define FIFO 4096

static struct nbuf *buf_get(void)
{
    struct nbuf *b = freebufs;
    if (b)
        freebufs = b->next;
    else if (!(b = malloc(sizeof *b + bufsz)))
        die("malloc");
    b->off = b->len = 0;
    b->next = NULL;
    return b;
}
static void buf_put(struct nbuf *b)
{
    b->next = freebufs;
    freebufs = b;
}

static void conn_free(struct conn *c)
{
    if (c->ssl)
        SSL_free(c->ssl);
    if (c->pend)
        buf_put(c->pend);
    if (c->pipe[1]) {
        close(c->pipe[0]);
        close(c->pipe[1]);
    }
    close(c->fd);
    free(c->stash);
    c->kind = -1;
    free(c);
}
static struct conn *dead; /* freed at the end of the batch: events may still name them */
static void conn_drop(struct conn *c)
{
    if (c->kind < 0)
        return;
    if (c->mate) {
        struct conn *m = c->mate;
        c->mate = NULL;
        m->mate = NULL;
        conn_drop(m);
    }
    epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
    shutdown(c->fd, SHUT_RDWR);
    c->kind = -1;
    c->next_free = dead;
    dead = c;
}

static struct conn *conn_new(int kind, int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        die("calloc");
    c->kind = kind;
    c->fd = fd;
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = c}};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl");
    return c;
}

static struct conn *up_get(void)
{
    struct conn *u = pool;
    if (u) {
        pool = u->next_free;
        u->next_free = NULL;
        return u;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)up_port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    set_nodelay(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return conn_new(UP, fd);
}
static void up_put(struct conn *u)
{
    u->state = HEAD;
    u->next_free = pool;
    pool = u;
}
static void pool_remove(struct conn *u)
{
    for (struct conn **p = &pool; *p; p = &(*p)->next_free)
        if (*p == u) {
            *p = u->next_free;
            return;
        }
}

/* Raw read/write on either kind of connection. 0 = would block, -1 = gone. */
static ssize_t rd(struct conn *c, char *p, size_t n)
{
    if (c->ssl) {
        int r = SSL_read(c->ssl, p, (int)n);
        if (r > 0)
            return r;
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
            return 0;
        ERR_clear_error();
        return -1;
    }
    ssize_t r = recv(c->fd, p, n, 0);
    if (r > 0)
        return r;
    return r < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}
static ssize_t wr(struct conn *c, const char *p, size_t n)
{
    if (c->ssl) {
        size_t done = 0;
        while (done < n) {
            size_t k = n - done > 16384 ? 16384 : n - done;
            int r = SSL_write(c->ssl, p + done, (int)k);
            if (r > 0) {
                done += (size_t)r;
                continue;
            }
            int e = SSL_get_error(c->ssl, r);
            if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
                return (ssize_t)done;
            ERR_clear_error();
            return -1;
        }
        return (ssize_t)done;
    }
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Sends scratch[0..n) to c; what is not taken stays with c. 0 all taken, 1 pending, -1 gone. */
static int put(struct conn *c, size_t n)
{
    ssize_t w = wr(c, scratch->data, n);
    if (w < 0)
        return -1;
    if ((size_t)w == n)
        return 0;
    scratch->off = (size_t)w;
    scratch->len = n;
    c->pend = scratch;
    scratch = buf_get();
    return 1;
}
static int flush_pend(struct conn *c)
{
    while (c->pend) {
        ssize_t w = wr(c, c->pend->data + c->pend->off, c->pend->len - c->pend->off);
        if (w < 0)
            return -1;
        if (w == 0)
            return 1;
        c->pend->off += (size_t)w;
        if (c->pend->off == c->pend->len) {
            buf_put(c->pend);
            c->pend = NULL;
        }
    }
    return 0;
}
#endif
