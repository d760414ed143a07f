/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement-only HTTP/1.1 backend: one thread, epoll, keepalive, pipelining, fixed 200 answers.
 *
 *   backend SPEC...      SPEC = PORT[:key=value]...   keys: s=body bytes (128)  d=delay ms (0)
 *                                                           c=Cache-Control max-age seconds (none)
 *                                                           t=content type (text/plain)
 * A request may override with its query:  GET /x?s=16384&d=5&c=60
 * With `h=1` the port answers any path from memory: it doubles as the "static limit" (a cache
 * hit served by a server that does nothing else). */
#include "common.h"

#define MAXRESP 256
#define BUFSZ   (256 * 1024)
#define Q       64

struct resp {
    size_t size;
    long cc;
    const char *ct;
    char *buf;
    size_t len;
};
static struct resp resps[MAXRESP];
static int nresps;

struct port {
    int isport, fd, port;
    size_t size;
    long cc;
    int delay;
    const char *ct;
};

struct conn {
    int isport, fd;
    struct port *port;
    uint64_t skip;   /* request body bytes still to be discarded */
    uint8_t chunked; /* inside a chunked request body */
    uint8_t owed;    /* response is owed once the body has been read */
    uint8_t out_armed, closing, waiting;
    struct resp *owed_resp;
    int owed_delay;
    char *stash;
    size_t stash_len;
    struct resp *q[Q];
    unsigned qh, qt;
    size_t qoff;  /* answers waiting to be written */
    uint64_t due; /* for delayed answers */
    size_t heap_i;
};

static int ep;
static char buf[BUFSZ];

static struct resp *resp_get(size_t size, long cc, const char *ct)
{
    for (int i = 0; i < nresps; i++)
        if (resps[i].size == size && resps[i].cc == cc && resps[i].ct == ct)
            return &resps[i];
    if (nresps == MAXRESP)
        return &resps[0];
    struct resp *r = &resps[nresps++];
    char head[512], ccb[64] = "";
    if (cc >= 0)
        snprintf(ccb, sizeof ccb, "Cache-Control: public, max-age=%ld\r\n", cc);
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", ct,
        ccb, size);
    r->size = size;
    r->cc = cc;
    r->ct = ct;
    r->len = (size_t)n + size;
    r->buf = malloc(r->len);
    if (!r->buf)
        die("malloc");
    memcpy(r->buf, head, (size_t)n);
    for (size_t i = 0; i < size; i++)
        r->buf[(size_t)n + i] = (char)('a' + (i % 26));
    return r;
}

/* ---- delayed answers: binary heap on due time ---- */
static struct conn **heap;
static size_t nheap, capheap;
static void heap_swap(size_t a, size_t b)
{
    struct conn *t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
    heap[a]->heap_i = a;
    heap[b]->heap_i = b;
}
static void heap_up(size_t i)
{
    while (i && heap[i]->due < heap[(i - 1) / 2]->due) {
        heap_swap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}
static void heap_down(size_t i)
{
    for (;;) {
        size_t l = 2 * i + 1, m = i;
        if (l < nheap && heap[l]->due < heap[m]->due)
            m = l;
        if (l + 1 < nheap && heap[l + 1]->due < heap[m]->due)
            m = l + 1;
        if (m == i)
            return;
        heap_swap(i, m);
        i = m;
    }
}
static void heap_push(struct conn *c)
{
    if (nheap == capheap) {
        capheap = capheap ? capheap * 2 : 64;
        heap = realloc(heap, capheap * sizeof *heap);
        if (!heap)
            die("realloc");
    }
    heap[nheap] = c;
    c->heap_i = nheap;
    heap_up(nheap++);
}
static void heap_del(size_t i)
{
    nheap--;
    if (i != nheap) {
        heap_swap(i, nheap);
        heap_up(i);
        heap_down(i);
    }
}

static void conn_free(struct conn *c)
{
    if (c->waiting)
        heap_del(c->heap_i);
    close(c->fd);
    free(c->stash);
    free(c);
}

/* Writes the queued answers. -1: connection is gone. */
static int flush_q(struct conn *c)
{
    while (c->qh != c->qt) {
        struct iovec iov[Q];
        int n = 0;
        size_t want = 0;
        for (unsigned i = c->qh; i != c->qt; i++) {
            struct resp *r = c->q[i % Q];
            size_t off = i == c->qh ? c->qoff : 0;
            iov[n].iov_base = r->buf + off;
            iov[n].iov_len = r->len - off;
            want += iov[n].iov_len;
            n++;
        }
        ssize_t w = n == 1 ? send(c->fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL)
                           : writev(c->fd, iov, n);
        if (w < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN) {
                conn_free(c);
                return -1;
            }
            w = 0;
        }
        size_t left = (size_t)w;
        while (left) {
            struct resp *r = c->q[c->qh % Q];
            size_t rem = r->len - c->qoff;
            if (left >= rem) {
                left -= rem;
                c->qoff = 0;
                c->qh++;
            } else {
                c->qoff += left;
                left = 0;
            }
        }
        if ((size_t)w < want) {
            if (!c->out_armed) {
                struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}};
                epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
                c->out_armed = 1;
            }
            return 0;
        }
    }
    if (c->out_armed) {
        struct epoll_event e = {EPOLLIN, {.ptr = c}};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
        c->out_armed = 0;
    }
    if (c->closing) {
        conn_free(c);
        return -1;
    }
    return 0;
}

static int answer(struct conn *c, struct resp *r, int delay)
{
    if (c->qt - c->qh == Q && flush_q(c) < 0)
        return -1;
    if (c->qt - c->qh == Q) {
        conn_free(c);
        return -1;
    }
    c->q[c->qt++ % Q] = r;
    if (delay > 0 && !c->waiting) {
        c->waiting = 1;
        c->due = now_ns() + (uint64_t)delay * 1000000ull;
        heap_push(c);
    }
    return 0;
}

/* Consumes requests from p[0..n). Returns bytes used, or -1 when the connection is gone. */
static ssize_t consume(struct conn *c, const char *p, size_t n)
{
    const char *s = p, *end = p + n;
    for (;;) {
        if (c->skip) {
            size_t k = c->skip < (uint64_t)(end - s) ? (size_t)c->skip : (size_t)(end - s);
            s += k;
            c->skip -= k;
            if (c->skip)
                return s - p;
        }
        if (c->chunked) {
            const char *nl = memchr(s, '\n', (size_t)(end - s));
            if (!nl)
                return s - p;
            unsigned long long len = strtoull(s, NULL, 16);
            if (len) {
                s = nl + 1;
                c->skip = len + 2;
                continue;
            }
            if (end - (nl + 1) < 2)
                return s - p;
            s = nl + 3;
            c->chunked = 0; /* no trailers are expected */
        }
        if (c->owed) {
            c->owed = 0;
            if (answer(c, c->owed_resp, c->owed_delay) < 0)
                return -1;
        }
        if (s >= end)
            return s - p;
        const char *h = memmem(s, (size_t)(end - s), "\r\n\r\n", 4);
        if (!h)
            return s - p;
        size_t hlen = (size_t)(h + 4 - s);
        struct port *pt = c->port;
        size_t size = pt->size;
        long cc = pt->cc;
        int delay = pt->delay;
        const char *eol = memchr(s, '\r', hlen), *q = memchr(s, '?', (size_t)(eol - s));
        if (unlikely(q != NULL)) {
            for (q++; q < eol && *q != ' ';) {
                char k = *q;
                const char *v = q + 2;
                if (q[1] == '=') {
                    if (k == 's')
                        size = strtoul(v, NULL, 10);
                    else if (k == 'd')
                        delay = (int)number(v);
                    else if (k == 'c')
                        cc = strtol(v, NULL, 10);
                }
                while (q < eol && *q != '&' && *q != ' ')
                    q++;
                if (q < eol && *q == '&')
                    q++;
            }
            if (size > (64u << 20))
                size = 64u << 20;
        }
        struct resp *r = resp_get(size, cc, pt->ct);
        if (*s != 'G') {
            const char *v = find_header(s, hlen, "content-length:", 15);
            if (v)
                c->skip = strtoull(v, NULL, 10);
            else if ((v = find_header(s, hlen, "transfer-encoding:", 18)) &&
                     strncasecmp(v, "chunked", 7) == 0)
                c->chunked = 1;
        }
        const char *cv = find_header(s, hlen, "connection:", 11);
        if (cv && strncasecmp(cv, "close", 5) == 0)
            c->closing = 1;
        s += hlen;
        c->owed = 1;
        c->owed_resp = r;
        c->owed_delay = delay;
    }
}

static void on_read(struct conn *c)
{
    size_t have = 0;
    if (unlikely(c->stash_len)) {
        memcpy(buf, c->stash, c->stash_len);
        have = c->stash_len;
        c->stash_len = 0;
        free(c->stash);
        c->stash = NULL;
    }
    ssize_t n = recv(c->fd, buf + have, sizeof buf - have, 0);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (have) {
                c->stash = malloc(have);
                memcpy(c->stash, buf, have);
                c->stash_len = have;
            }
            return;
        }
        conn_free(c);
        return;
    }
    have += (size_t)n;
    ssize_t used = consume(c, buf, have);
    if (used < 0)
        return;
    if ((size_t)used < have) {
        c->stash_len = have - (size_t)used;
        c->stash = malloc(c->stash_len);
        if (!c->stash)
            die("malloc");
        memcpy(c->stash, buf + used, c->stash_len);
    }
    if (!c->waiting && c->qh != c->qt)
        flush_q(c);
}

int main(int argc, char **argv)
{
    static struct port ports[64];
    int np = 0;
    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    ep = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 1; i < argc && np < 64; i++) {
        struct port *p = &ports[np++];
        p->isport = 1;
        p->size = 128;
        p->cc = -1;
        p->ct = "text/plain";
        char *save, *t = strtok_r(argv[i], ":", &save);
        p->port = (int)number(t);
        while ((t = strtok_r(NULL, ":", &save))) {
            if (t[0] == 's')
                p->size = strtoul(t + 2, NULL, 10);
            else if (t[0] == 'd')
                p->delay = (int)number(t + 2);
            else if (t[0] == 'c')
                p->cc = strtol(t + 2, NULL, 10);
            else if (t[0] == 't')
                p->ct = strdup(t + 2);
        }
        p->fd = listen_loopback(p->port);
        struct epoll_event e = {EPOLLIN, {.ptr = p}};
        epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &e);
    }
    if (!np) {
        fprintf(stderr, "usage: backend PORT[:s=N][:d=MS][:c=SEC][:t=TYPE] ...\n");
        return 2;
    }
    for (;;) {
        struct epoll_event ev[256];
        int to = -1;
        if (nheap) {
            uint64_t t = now_ns();
            to = heap[0]->due <= t ? 0 : (int)((heap[0]->due - t + 999999) / 1000000);
        }
        int n = epoll_wait(ep, ev, 256, to);
        for (int i = 0; i < n; i++) {
            if (*(int *)ev[i].data.ptr) {
                struct port *p = ev[i].data.ptr;
                for (;;) {
                    int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (fd < 0)
                        break;
                    set_nodelay(fd);
                    struct conn *c = calloc(1, sizeof *c);
                    if (!c)
                        die("calloc");
                    c->fd = fd;
                    c->port = p;
                    struct epoll_event e = {EPOLLIN, {.ptr = c}};
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
                }
            } else {
                struct conn *c = ev[i].data.ptr;
                if (ev[i].events & EPOLLOUT) {
                    if (flush_q(c) < 0)
                        continue;
                }
                if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    on_read(c);
            }
        }
        if (nheap) {
            uint64_t t = now_ns();
            while (nheap && heap[0]->due <= t) {
                struct conn *c = heap[0];
                heap_del(0);
                c->waiting = 0;
                flush_q(c);
            }
        }
    }
}
