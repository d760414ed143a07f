/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 server connections over TLS: the handshake, and what becomes of one that fails. */
#include "base/log.h"
#include "http/h1_srv.h"

static struct loop *loop_of(const struct h1_conn *c)
{
    return c->c.th->loop;
}

/* Who forgot the s is told so in his own language. */
static void answer_plain(struct h1_conn *c)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 48\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "This port speaks HTTPS: the URL needs https://.\n";
    struct iovec v = {(char *)(uintptr_t)text, sizeof text - 1};
    tls_strip(&c->io);
    SRV_COUNT(c->c.th->stats.bad[srv_bad_index(400)], 1);
    (void)stream_sendv(&c->io, &v, 1);
}

bool h1_srv_open(struct h1_conn *c)
{
    if (c->state != H1_S_IDLE) return true; /* it failed: what still comes is dropped */
    int rc = stream_handshake(&c->io);
    if (rc == 0) {
        c->read_ms = loop_now_ms(loop_of(c)); /* the request's time begins */
        if (h1_srv_blocked(c) && !c->io.held) ev_io_stop(loop_of(c)->ev, &c->wr);
        h1_srv_arm(c);
        return c->io.pending; /* else the request is still to come */
    }
    if (rc == -EAGAIN) {
        if (c->io.held) ev_io_start(loop_of(c)->ev, &c->wr);
        return false;
    }
    log_debug("TLS handshake failed: %s", tls_reason(&c->io));
    if (rc == STREAM_PLAIN) answer_plain(c);
    ev_io_stop(loop_of(c)->ev, &c->wr);
    h1_srv_linger(c);
    if (c->state != H1_S_DEAD) h1_srv_arm(c);
    return false;
}

void h1_srv_open_writable(struct h1_conn *c)
{
    int rc = stream_flush(&c->io);
    if (rc == -EAGAIN) return;
    ev_io_stop(loop_of(c)->ev, &c->wr);
    if (rc != 0) h1_srv_close(c);
}

void h1_srv_open_timeout(struct h1_conn *c)
{
    SRV_COUNT(c->c.th->stats.timeouts_header, 1);
    tls_timed_out(&c->io);
    h1_srv_close(c);
}
