/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the load generator: opening, sending, reading and checking every answer. */
#include "lgen.h"

static size_t req_i;
static char rbuf[512 * 1024];

static void iq_push(int i)
{
    idleq[iq_t++ % iq_cap] = i;
}
int iq_pop(void)
{
    return iq_h == iq_t ? -1 : idleq[iq_h++ % iq_cap];
}

static void conn_close(int i)
{
    struct conn *c = &cs[i];
    if (c->ssl) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->st = FREE;
}

static void arm(int i, int out)
{
    struct conn *c = &cs[i];
    if (c->want_out == out)
        return;
    struct epoll_event e = {EPOLLIN | (out ? EPOLLOUT : 0), {.u32 = (uint32_t)i}};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    c->want_out = (uint8_t)out;
}

void conn_open(int i)
{
    struct conn *c = &cs[i];
    c->fd = connect_loopback(port);
    if (c->fd < 0) {
        perror("connect");
        exit(1);
    }
    struct epoll_event e = {EPOLLIN | EPOLLOUT, {.u32 = (uint32_t)i}};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    c->want_out = 1;
    c->st = CONNECTING;
    c->first = 1;
    pending++;
}

static void became_idle(int i)
{
    struct conn *c = &cs[i];
    arm(i, 0);
    c->st = IDLE;
    iq_push(i);
}

static void finish(int i, int ok);

static int try_send(int i)
{
    struct conn *c = &cs[i];
    while (c->out_len) {
        ssize_t w;
        if (c->ssl) {
            int r = SSL_write(c->ssl, c->out, (int)(c->out_len > 16384 ? 16384 : c->out_len));
            if (r <= 0) {
                int e = SSL_get_error(c->ssl, r);
                if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
                    arm(i, 1);
                    return 0;
                }
                ERR_clear_error();
                return -1;
            }
            w = r;
        } else {
            w = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
            if (w < 0) {
                if (errno == EAGAIN) {
                    arm(i, 1);
                    return 0;
                }
                return -1;
            }
        }
        c->out += w;
        c->out_len -= (size_t)w;
    }
    arm(i, 0);
    c->st = READING;
    return 0;
}

void start_req(int i, uint64_t t0)
{
    struct conn *c = &cs[i];
    c->out = reqs[req_i];
    c->out_len = reql[req_i];
    if (++req_i == nreq)
        req_i = 0;
    c->t0 = t0;
    c->got = 0;
    c->head_done = 0;
    c->hlen = 0;
    c->chunked = 0;
    c->close_after = 0;
    c->body_got = 0;
    c->status = 0;
    c->st = SENDING;
    if (try_send(i) < 0)
        finish(i, 0);
}

/* One request is over. ok=0: connection failed. Starts the next one when there is one to start. */
static void finish(int i, int ok)
{
    struct conn *c = &cs[i];
    uint64_t t = now_ns();
    int reopen = 0;
    if (ok) {
        uint64_t l = t - c->t0;
        hist_add(l);
        int s = c->status;
        if (s < 300)
            g.st2++;
        else if (s < 400)
            g.st3++;
        else if (s < 500)
            g.st4++;
        else
            g.st5++;
        if (expect && s != expect)
            g.bad_status++;
        if (body_expect >= 0 && (long long)c->body_got != body_expect)
            g.bad_body++;
    } else if (c->got)
        g.e_partial++;
    else
        g.e_closed0++;
    g.done++;
    c->first = 0;
    if (!ok || perconn || c->close_after) {
        if (ok && !perconn)
            g.reconnects++;
        conn_close(i);
        reopen = 1;
    }
    if (reopen) {
        /* per-connection mode opens a connection only for a request that it will send */
        if (perconn) {
            if (g.started < g.goal && !rate) {
                g.started++;
                conn_open(i);
                cs[i].t0 = now_ns();
            }
        } else
            conn_open(i);
        return;
    }
    if (!rate && g.started < g.goal) {
        g.started++;
        start_req(i, t);
    } else
        became_idle(i);
}

/* The connection is usable: either it carries a request now or it waits. */
static void ready(int i)
{
    struct conn *c = &cs[i];
    pending--;
    if (perconn) {
        uint64_t t0 = c->t0;
        start_req(i, t0);
        return;
    }
    if (!rate && g.started < g.goal) {
        g.started++;
        start_req(i, now_ns());
    } else
        became_idle(i);
}

static int parse_head(struct conn *c, const char *h, size_t n)
{
    if (n < 12 || memcmp(h, "HTTP/1.", 7))
        return -1;
    c->status = (int)number(h + 9);
    const char *v = find_header(h, n, "content-length:", 15);
    c->body_left = 0;
    c->chunked = 0;
    if (v)
        c->body_left = strtoull(v, NULL, 10);
    else if ((v = find_header(h, n, "transfer-encoding:", 18)) && !strncasecmp(v, "chunked", 7)) {
        c->chunked = 1;
        c->chunk_state = 0;
    }
    if ((v = find_header(h, n, "connection:", 11)) && !strncasecmp(v, "close", 5))
        c->close_after = 1;
    if (c->status == 204 || c->status == 304) {
        c->body_left = 0;
        c->chunked = 0;
    }
    return 0;
}

/* Feeds n bytes. 1 = answer complete, 0 = more, -1 = protocol error. */
static int feed(struct conn *c, const char *p, size_t n)
{
    c->got += n;
    g.bytes += n;
    if (!c->head_done) {
        const char *h;
        size_t have = n;
        if (c->hlen) {
            if (c->hlen + n > 65536)
                return -1;
            memcpy(c->hbuf + c->hlen, p, n);
            c->hlen += n;
            p = c->hbuf;
            have = c->hlen;
        }
        h = memmem(p, have, "\r\n\r\n", 4);
        if (!h) {
            if (!c->hlen) {
                if (n > 65536)
                    return -1;
                if (!c->hbuf)
                    c->hbuf = malloc(65536 + 1);
                memcpy(c->hbuf, p, n);
                c->hlen = n;
            }
            return 0;
        }
        size_t hl = (size_t)(h + 4 - p);
        if (parse_head(c, p, hl) < 0)
            return -1;
        c->head_done = 1;
        p += hl;
        n = have - hl;
        if (c->status == 100) {
            c->head_done = 0;
            c->hlen = 0;
            return n ? feed(c, p, n) : 0;
        }
    }
    if (!c->chunked) {
        if (n > c->body_left)
            return -1;
        c->body_left -= n;
        c->body_got += n;
        return c->body_left == 0;
    }
    /* chunked: state 0 size line, 1 data, 2 CRLF after data, 3 final line */
    while (n) {
        if (c->chunk_state == 0) {
            char ch = *p++;
            n--;
            if (ch == '\n') {
                c->chunk_state = c->body_left ? 1 : 3;
            } else if (ch >= '0' && ch <= '9')
                c->body_left = c->body_left * 16 + (uint64_t)(ch - '0');
            else if ((ch | 32) >= 'a' && (ch | 32) <= 'f')
                c->body_left = c->body_left * 16 + (uint64_t)((ch | 32) - 'a' + 10);
            else if (ch != '\r')
                return -1;
        } else if (c->chunk_state == 1) {
            size_t k = c->body_left < n ? (size_t)c->body_left : n;
            p += k;
            n -= k;
            c->body_left -= k;
            c->body_got += k;
            if (!c->body_left)
                c->chunk_state = 2;
        } else if (c->chunk_state == 2) {
            if (*p == '\n')
                c->chunk_state = 0;
            p++;
            n--;
        } else {
            char ch = *p++;
            n--;
            if (ch == '\n')
                return n ? -1 : 1;
        }
    }
    return 0;
}

static void on_connect(int i, uint32_t ev)
{
    struct conn *c = &cs[i];
    struct timespec ts = {0, 200000};
    int err = 0;
    socklen_t sl = sizeof err;

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &sl);
    if (err || (ev & EPOLLERR)) {
        g.e_conn++;
        pending--;
        conn_close(i);
        nanosleep(&ts, NULL);
        if (g.e_conn > 100000) {
            fprintf(stderr, "cannot connect\n");
            exit(1);
        }
        conn_open(i);
        return;
    }
    if (!tls) {
        ready(i);
        return;
    }
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    c->st = HANDSHAKE;
}

static void on_handshake(int i)
{
    struct conn *c = &cs[i];
    int r = SSL_do_handshake(c->ssl);

    if (r == 1) {
        ready(i);
        return;
    }
    int e = SSL_get_error(c->ssl, r);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
        arm(i, e == SSL_ERROR_WANT_WRITE);
        return;
    }
    ERR_clear_error();
    g.e_tls++;
    pending--;
    conn_close(i);
    if (g.e_tls > 1000) {
        fprintf(stderr, "TLS handshakes fail\n");
        exit(1);
    }
    conn_open(i);
}

/* Bytes read, 0 at the end, -1 when nothing is there. */
static ssize_t take(struct conn *c)
{
    if (!c->ssl) {
        ssize_t n = recv(c->fd, rbuf, sizeof rbuf, 0);
        return n < 0 && errno != EAGAIN && errno != EINTR ? 0 : n;
    }
    int r = SSL_read(c->ssl, rbuf, sizeof rbuf);
    if (r > 0)
        return r;
    int e = SSL_get_error(c->ssl, r);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -1;
    ERR_clear_error();
    return 0;
}

static void on_end(int i)
{
    if (cs[i].st != IDLE) {
        finish(i, 0);
        return;
    }
    g.idle_closed++; /* closed between requests */
    for (unsigned k = iq_h; k != iq_t; k++)
        if (idleq[k % iq_cap] == i) {
            idleq[k % iq_cap] = idleq[iq_h % iq_cap];
            iq_h++;
            break;
        }
    conn_close(i);
    conn_open(i);
}

static void on_data(int i)
{
    struct conn *c = &cs[i];

    for (;;) {
        ssize_t n = take(c);
        if (n < 0)
            return;
        if (n == 0) {
            on_end(i);
            return;
        }
        if (c->st == IDLE) {
            g.e_proto++;
            return;
        }
        int r = feed(c, rbuf, (size_t)n);
        if (r < 0) {
            g.e_proto++;
            c->got = 1;
        }
        if (r) {
            finish(i, r > 0);
            return;
        }
        if (!c->ssl && (size_t)n < sizeof rbuf)
            return;
    }
}

void on_event(int i, uint32_t ev)
{
    struct conn *c = &cs[i];

    if (c->st == CONNECTING && (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        on_connect(i, ev);
        if (c->st != HANDSHAKE)
            return;
    }
    if (c->st == FREE || c->st == CONNECTING)
        return;
    if (c->st == HANDSHAKE) {
        on_handshake(i);
        return;
    }
    if (c->st == SENDING && (ev & EPOLLOUT) && try_send(i) < 0) {
        finish(i, 0);
        return;
    }
    if (ev & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_data(i);
}
