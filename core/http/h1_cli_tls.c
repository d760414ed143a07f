/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 client connections over TLS: between the connect and the request. */
#include "http/h1_cli.h"

bool h1_cli_secure(struct h1_cli *c)
{
    struct cli_pool *p = c->c.pool;
    if (tls_connect(&c->io, p->tls, p->tls_host, &p->session) != 0) {
        h1_cli_fail(c, E_NOMEM, "no memory for TLS");
        return false;
    }
    c->state = H1_C_CONNECT;
    ev_io_start(c->loop->ev, &c->rd);
    return true;
}

void h1_cli_handshake(struct h1_cli *c)
{
    struct ev_loop *ev = c->loop->ev;
    int rc = stream_handshake(&c->io);
    if (rc == 0) {
        if (!c->io.held) ev_io_stop(ev, &c->wr);
        h1_cli_connected(c);
        if (c->io.pending) ev_feed_event(ev, &c->rd, EV_READ);
        loop_dirty(c->loop, &c->flusher);
    } else if (rc == -EAGAIN) {
        if (c->io.held) ev_io_start(ev, &c->wr);
        else ev_io_stop(ev, &c->wr);
    } else {
        h1_cli_fail(c, E_TLS, tls_reason(&c->io));
    }
}
