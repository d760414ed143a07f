/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement-only "limit" relay: what a userspace proxy on sockets costs when it does nothing.
 *
 *   limit -l PORT -u UPSTREAM_PORT [-b bufbytes] [-z] [-S cert.pem key.pem] [-P n] [-i]
 *
 * One thread, edge-triggered epoll, every descriptor registered once (no epoll_ctl per request),
 * keepalive on both sides, LIFO pool of upstream connections. It looks for \r\n\r\n and for
 * Content-Length and nothing else: no validation, no rewriting, no timers, no limits, no security.
 * The cost per request in the common case is recv+send+recv+send and a share of one epoll_wait.
 *
 *   -z     bodies that do not fit one read are spliced through a pipe instead of copied
 *   -S     TLS downstream (OpenSSL, TLS 1.3)
 *   -P n   multiplexes all clients by HTTP pipelining over n upstream connections and writes once
 *          per event-loop turn: NOT a safe gateway (head-of-line blocking), shows what coalescing
 *          upstream traffic (as HTTP/2 upstreams could) is worth
 *   -i     busy poll: epoll_wait with timeout 0 (no sleep)
 */
#include "limit.h"

static uint64_t body_len(const char *h, size_t hlen)
{
    const char *v = find_header(h, hlen, "content-length:", 15);
    return v ? strtoull(v, NULL, 10) : 0;
}

static void up_done(struct conn *u)
{
    struct conn *c = u->mate;
    u->mate = NULL;
    c->mate = NULL;
    c->state = HEAD;
    up_put(u);
}

static int do_splice(struct conn *u)
{
    struct conn *c = u->mate;
    if (!u->pipe[1]) {
        if (pipe2(u->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
            return -1;
        fcntl(u->pipe[1], F_SETPIPE_SZ, 1 << 20);
    }
    for (;;) {
        int moved = 0;
        if (u->left) {
            ssize_t n =
                splice(u->fd, NULL, u->pipe[1], NULL, u->left > (1 << 20) ? (1 << 20) : u->left,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
            if (n == 0)
                return -1;
            if (n < 0 && errno != EAGAIN)
                return -1;
            if (n > 0) {
                u->piped += (size_t)n;
                u->left -= (uint64_t)n;
                moved = 1;
            }
        }
        if (u->piped) {
            ssize_t n = splice(u->pipe[0], NULL, c->fd, NULL, u->piped,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (u->left ? SPLICE_F_MORE : 0));
            if (n < 0 && errno != EAGAIN)
                return -1;
            if (n > 0) {
                u->piped -= (size_t)n;
                moved = 1;
            }
        }
        if (!u->left && !u->piped) {
            up_done(u);
            return 0;
        }
        if (!moved)
            return 0;
    }
}

static void on_up(struct conn *u)
{
    for (;;) {
        struct conn *c = u->mate;
        if (unlikely(!c)) { /* idle upstream connection: closed by the server */
            ssize_t n = rd(u, scratch->data, bufsz);
            if (n != 0) {
                pool_remove(u);
                conn_drop(u);
            }
            return;
        }
        if (c->pend)
            return; /* resumes when the client takes more */
        if (u->state == BODY && use_splice && !c->ssl) {
            if (do_splice(u) < 0)
                conn_drop(u);
            return;
        }
        size_t have = 0;
        if (unlikely(u->stash)) {
            memcpy(scratch->data, u->stash, u->stash_len);
            have = u->stash_len;
            free(u->stash);
            u->stash = NULL;
        }
        ssize_t n = rd(u, scratch->data + have, bufsz - have);
        if (n < 0) {
            conn_drop(u);
            return;
        }
        if (n == 0 && !have)
            return;
        int full = (size_t)n == bufsz - have;
        have += (size_t)n;
        if (u->state == HEAD) {
            char *h = memmem(scratch->data, have, "\r\n\r\n", 4);
            if (!h) {
                u->stash = malloc(have);
                memcpy(u->stash, scratch->data, have);
                u->stash_len = have;
                if (full)
                    continue;
                return;
            }
            size_t hlen = (size_t)(h + 4 - scratch->data);
            u->left = body_len(scratch->data, hlen) + hlen;
            u->state = BODY;
        }
        u->left -= have;
        int p = put(c, have);
        if (p < 0) {
            conn_drop(u);
            return;
        }
        if (!u->left) {
            if (p == 0) {
                up_done(u);
                return;
            }
            c->draining = 1;
            return;
        }
        if (p == 1 || !full) {
            if (p == 0 && use_splice && !c->ssl)
                continue;
            return;
        }
    }
}

static void mux_request(struct conn *c, size_t n);

static void on_client(struct conn *c)
{
    if (c->ssl && !c->handshaken) {
        int r = SSL_accept(c->ssl);
        if (r <= 0) {
            int e = SSL_get_error(c->ssl, r);
            if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
                ERR_clear_error();
                conn_drop(c);
            }
            return;
        }
        c->handshaken = 1;
    }
    for (;;) {
        if (c->mate && c->mate->pend)
            return;
        size_t have = 0;
        if (unlikely(c->stash)) {
            memcpy(scratch->data, c->stash, c->stash_len);
            have = c->stash_len;
            free(c->stash);
            c->stash = NULL;
        }
        ssize_t n = rd(c, scratch->data + have, bufsz - have);
        if (n < 0) {
            conn_drop(c);
            return;
        }
        if (n == 0 && !have)
            return;
        int full = (size_t)n == bufsz - have;
        have += (size_t)n;
        if (c->state == WAIT) {
            conn_drop(c);
            return;
        } /* client-side pipelining: not supported */
        if (c->state == HEAD) {
            char *h = memmem(scratch->data, have, "\r\n\r\n", 4);
            if (!h) {
                c->stash = malloc(have);
                memcpy(c->stash, scratch->data, have);
                c->stash_len = have;
                if (n == 0)
                    return;
                continue;
            }
            size_t hlen = (size_t)(h + 4 - scratch->data);
            c->left = hlen + (scratch->data[0] == 'G' ? 0 : body_len(scratch->data, hlen));
            if (mux) {
                if (c->left != have) {
                    c->stash = malloc(have);
                    memcpy(c->stash, scratch->data, have);
                    c->stash_len = have;
                    return;
                }
                c->state = WAIT;
                mux_request(c, have);
                return;
            }
            struct conn *u = up_get();
            if (!u) {
                conn_drop(c);
                return;
            }
            c->mate = u;
            u->mate = c;
            u->state = HEAD;
            c->state = BODY;
        }
        c->left -= have;
        if (put(c->mate, have) < 0) {
            conn_drop(c);
            return;
        }
        if (!c->left) {
            c->state = WAIT;
            return;
        }
        if (!full && !c->ssl)
            return;
    }
}

/* ---- -P: pipelined multiplexing ---- */
static void mux_request(struct conn *c, size_t n)
{
    unsigned k = mux_rr++ % (unsigned)mux;
    struct conn *u = muxc[k];
    if (!u) {
        u = muxc[k] = up_get();
        if (!u) {
            conn_drop(c);
            return;
        }
        u->fifo = calloc(FIFO, sizeof *u->fifo);
        u->out = malloc(8 << 20);
        if (!u->fifo || !u->out)
            die("malloc");
    }
    u->fifo[u->ft++ % FIFO] = c;
    memcpy(u->out + u->out_len, scratch->data, n);
    u->out_len += n;
    u->dirty = 1;
}
static void mux_flush(void)
{
    for (int k = 0; k < mux; k++) {
        struct conn *u = muxc[k];
        if (!u || !u->dirty)
            continue;
        ssize_t w = wr(u, u->out, u->out_len);
        if (w < 0)
            die("upstream");
        memmove(u->out, u->out + w, u->out_len - (size_t)w);
        u->out_len -= (size_t)w;
        u->dirty = u->out_len != 0;
    }
}
static void mux_up(struct conn *u)
{
    static char rb[1 << 20];
    size_t have = 0;
    if (u->stash) {
        memcpy(rb, u->stash, u->stash_len);
        have = u->stash_len;
        free(u->stash);
        u->stash = NULL;
    }
    ssize_t n = rd(u, rb + have, sizeof rb - have);
    if (n < 0)
        die("upstream closed");
    have += (size_t)n;
    char *s = rb, *end = rb + have;
    while (s < end) {
        char *h = memmem(s, (size_t)(end - s), "\r\n\r\n", 4);
        if (!h)
            break;
        size_t hlen = (size_t)(h + 4 - s), len = hlen + body_len(s, hlen);
        if ((size_t)(end - s) < len)
            break;
        struct conn *c = u->fifo[u->fh++ % FIFO];
        if (c->kind == CLIENT) {
            c->state = HEAD;
            if (wr(c, s, len) != (ssize_t)len)
                conn_drop(c);
        }
        s += len;
    }
    if (s < end) {
        u->stash_len = (size_t)(end - s);
        u->stash = malloc(u->stash_len);
        memcpy(u->stash, s, u->stash_len);
    }
}

static void on_listen(void)
{
    for (int fd; (fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        set_nodelay(fd);
        struct conn *c = conn_new(CLIENT, fd);
        if (ctx) {
            c->ssl = SSL_new(ctx);
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
        }
    }
}

/* -1: the connection was dropped. */
static int on_writable(struct conn *c)
{
    if (!c->pend) {
        if (c->kind == CLIENT && c->mate && c->mate->piped && do_splice(c->mate) < 0) {
            conn_drop(c);
            return -1;
        }
        return 0;
    }
    int r = flush_pend(c);
    if (r < 0) {
        conn_drop(c);
        return -1;
    }
    if (r == 0 && c->mate) {
        if (c->kind == CLIENT && c->draining) {
            c->draining = 0;
            up_done(c->mate);
        } else if (c->kind == CLIENT)
            on_up(c->mate);
        else
            on_client(c->mate);
    }
    return c->kind < 0 ? -1 : 0;
}

static void on_event(struct conn *c, uint32_t e)
{
    if (c->kind == LISTEN) {
        on_listen();
        return;
    }
    if (c->kind < 0 || ((e & EPOLLOUT) && on_writable(c) < 0))
        return;
    if (!(e & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
        return;
    if (c->kind == CLIENT)
        on_client(c);
    else if (mux)
        mux_up(c);
    else
        on_up(c);
}

static void tls_init(const char *cert, const char *key)
{
    ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_read_ahead(ctx, 1);
}

static void serve(int busy)
{
    for (;;) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, busy ? 0 : -1);

        for (int i = 0; i < n; i++)
            on_event(ev[i].data.ptr, ev[i].events);
        if (mux)
            mux_flush();
        while (dead) {
            struct conn *d = dead;
            dead = d->next_free;
            conn_free(d);
        }
    }
}

int main(int argc, char **argv)
{
    static struct conn lc = {.kind = LISTEN};
    struct epoll_event le = {EPOLLIN, {.ptr = &lc}};
    int port = 0, busy = 0;

    for (int o; (o = getopt(argc, argv, "l:u:b:zS:P:i")) != -1;) {
        switch (o) {
        case 'l':
            port = (int)number(optarg);
            break;
        case 'u':
            up_port = (int)number(optarg);
            break;
        case 'b':
            bufsz = (size_t)number(optarg);
            break;
        case 'z':
            use_splice = 1;
            break;
        case 'S':
            tls_init(optarg, argv[optind]), optind++;
            break;
        case 'P':
            mux = (int)number(optarg);
            break;
        case 'i':
            busy = 1;
            break;
        default:
            return 2;
        }
    }
    if (!port || !up_port || mux > 64) {
        fprintf(stderr, "usage: limit -l PORT -u PORT [-b N] [-z] [-S cert key] [-P n]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    ep = epoll_create1(EPOLL_CLOEXEC);
    scratch = buf_get();
    lfd = listen_loopback(port);
    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &le);
    serve(busy);
}
