/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that have to begin with a PROXY protocol header: read from the bare socket, exactly
 * its bytes, before any protocol sees the stream. What does not begin with one is closed. */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/shortage.h"
#include "http/srv_conn.h"
#include "net/proxy_proto.h"

struct proxied {
    struct srv_conn c; /* first: in the thread's list, so that its owner can close it */
    int fd;
    struct addr peer;
    ev_io rd;
    struct timer timer;
    unsigned char *part; /* what has come of a header that is not whole; PROXY_PROTO_MAX bytes */
    size_t have;
};

static void leave(struct proxied *p)
{
    struct srv_thread *th = p->c.th;
    ev_io_stop(th->loop->ev, &p->rd);
    timer_cancel(&p->timer);
    list_del(&p->c.link);
    SRV_COUNT(th->stats.idle, -1);
    free(p->part);
    p->c.magic = 0;
    if (p->c.conf->unref) p->c.conf->unref(p->c.conf);
    free(p);
}

static void count_refused(struct srv_thread *th, enum srv_proxied why)
{
    SRV_COUNT(th->stats.proxied_bad[why], 1);
}

static void refuse(struct proxied *p, enum srv_proxied why, const char *text)
{
    if (log_on(LOG_DEBUG)) {
        char from[ADDR_TEXT];
        size_t n = addr_text(&p->peer, from);
        log_debug("PROXY protocol: connection from %.*s closed: %s", (int)n, from, text);
    }
    count_refused(p->c.th, why);
    close(p->fd);
    leave(p);
}

static void close_now(struct srv_conn *c)
{
    struct proxied *p = (struct proxied *)c;
    close(p->fd);
    leave(p);
}

static const struct srv_proto proxied_proto = {.close = close_now}; /* it has no stream */

/* The header is whole and read: the rest is a connection like any other. */
static void hand_over(struct proxied *p, const struct proxy_proto *h)
{
    struct srv_thread *th = p->c.th;
    SRV_COUNT(th->stats.proxied, 1);
    if (h1_srv_accept(th, p->fd, h->told ? &h->src : &p->peer, h->told ? &h->dst : NULL,
                      p->c.conf) != 0)
        shortage_note(SHORT_HEAP, SHORT_AT_ACCEPT, loop_now_ms(th->loop));
    leave(p);
}

/* Exactly n bytes that are known to be there. */
static bool take(int fd, void *to, size_t n)
{
    ssize_t got;
    do got = recv(fd, to, n, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n;
}

/* Another piece of the header at all[have..): looked at first, then taken as far as it is ours. */
static void look(struct proxied *p, unsigned char *all)
{
    struct proxy_proto h;
    const char *why = NULL;
    ssize_t n = recv(p->fd, all + p->have, PROXY_PROTO_MAX - p->have, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        refuse(p, SRV_PROXIED_MISSING, "it ended before the header was whole");
        return;
    }
    int size = proxy_proto_parse(&h, all, p->have + (size_t)n, &why);
    if (size < 0) {
        refuse(p, SRV_PROXIED_MALFORMED, why);
        return;
    }
    size_t ours = size ? (size_t)size - p->have : (size_t)n;
    if (!take(p->fd, all + p->have, ours)) {
        refuse(p, SRV_PROXIED_MISSING, "the header cannot be read");
    } else if (size) {
        hand_over(p, &h);
    } else if (!p->part) {
        p->part = malloc(PROXY_PROTO_MAX);
        if (p->part) memcpy(p->part, all, ours);
        p->have = ours;
        if (!p->part) refuse(p, SRV_PROXIED_MISSING, "out of memory");
    } else {
        p->have += ours;
    }
}

static void on_readable(struct ev_loop *ev, ev_io *io, int revents)
{
    struct proxied *p = io->data;
    struct loop *l = p->c.th->loop;
    unsigned char first[PROXY_PROTO_MAX];
    (void)ev, (void)revents;
    look(p, p->part ? p->part : first);
    loop_flush(l);
}

static void on_timer(struct loop *l, struct timer *t)
{
    (void)l;
    refuse(CONTAINER_OF(t, struct proxied, timer), SRV_PROXIED_TIMEOUT, "no whole header in time");
}

int srv_proxied_accept(struct srv_thread *th, int fd, const struct addr *peer,
                       const struct srv_conf *conf)
{
    struct addr_ip ip;
    addr_to_ip(peer, &ip);
    if (!cidr_match(conf->proxied_from, conf->proxied_from_count, &ip)) {
        if (conf->proxied == SRV_PROXIED_TRUSTED) return h1_srv_accept(th, fd, peer, NULL, conf);
        count_refused(th, SRV_PROXIED_UNTRUSTED);
        close(fd);
        return 0;
    }
    struct proxied *p = calloc(1, sizeof *p);
    if (!p) {
        close(fd);
        return E_NOMEM;
    }
    p->c = (struct srv_conn){
        .magic = SRV_CONN_MAGIC, .proto = &proxied_proto, .conf = conf, .th = th};
    p->fd = fd;
    p->peer = *peer;
    if (conf->ref) conf->ref(conf);
    list_push(&th->conns, &p->c.link);
    SRV_COUNT(th->stats.idle, 1);
    timer_init(&p->timer, on_timer);
    if (conf->t_header_ms) timer_set(th->loop, &p->timer, conf->t_header_ms);
    ev_io_init(&p->rd, on_readable, fd, EV_READ);
    p->rd.data = p;
    ev_io_start(th->loop->ev, &p->rd);
    return 0;
}
