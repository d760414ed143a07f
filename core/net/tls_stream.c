/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over a connected socket. What is written becomes as few records and sends as it can: small
 * pieces are joined into one record, several records leave together. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/addr.h"
#include "net/tls_conn.h"

/* Failures. */

static enum tls_cause cause_of(const struct tls *t, unsigned long e)
{
    if (t->plain) return TLS_FAIL_PLAIN;
    return e == 0 && (t->eof || t->err) ? TLS_FAIL_CLOSED : tls_cause_of(ERR_GET_REASON(e));
}

static const char *reason_of(const struct tls *t, unsigned long e)
{
    long verified = SSL_get_verify_result(t->ssl);
    if (t->plain) return "HTTP without TLS";
    if (e == 0 && t->eof) return "TLS: the connection was closed";
    if (e == 0 && t->err) return "TLS: the connection was reset";
    if (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        return tls_verify_reason(verified);
    const char *s = ERR_reason_error_string(e);
    return s ? s : "TLS failed";
}

/* After a failure OpenSSL has said its alert, and must not be asked again. */
static void failed(struct stream *s)
{
    struct tls *t = tls_of(s);
    unsigned long e = ERR_peek_error();
    t->why = reason_of(t, e);
    t->failed = true;
    if (s->opening) tls_count(&t->stats->failed[cause_of(t, e)]);
    ERR_clear_error();
}

/* Handshake. */

/* A resumed session brings the certificate that was verified when it began. */
static bool outdated(const SSL *ssl)
{
    bool counts = SSL_session_reused(ssl) && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
    X509 *x = counts ? SSL_get0_peer_certificate(ssl) : NULL;
    return x && X509_cmp_current_time(X509_get0_notAfter(x)) < 0;
}

static int through(struct stream *s)
{
    struct tls *t = tls_of(s);
    if (outdated(t->ssl)) {
        t->why = "TLS: the certificate has expired";
        t->failed = true;
        tls_count(&t->stats->failed[TLS_FAIL_CERT]);
        return -EPROTO;
    }
    s->opening = false;
    s->pending = SSL_has_pending(t->ssl);
    tls_count(&t->stats->handshakes);
    if (SSL_session_reused(t->ssl)) tls_count(&t->stats->resumed);
    tls_count(SSL_version(t->ssl) == TLS1_3_VERSION ? &t->stats->v13 : &t->stats->v12);
    return 0;
}

static int op_handshake(struct stream *s)
{
    struct tls *t = tls_of(s);
    if (t->failed) return -EPROTO;
    if (s->held) {
        ssize_t sent = tls_drain(s);
        if (sent < 0 && sent != -EAGAIN) t->err = (int)-sent;
    }
    t->budget = TLS_RECVS;
    ERR_clear_error();
    tls_out->owner = t; /* what it says leaves together */
    tls_out->n = 0;
    tls_out->more = true;
    int rc = t->err ? -1 : SSL_do_handshake(t->ssl);
    tls_out->owner = NULL;
    if (tls_out->n && !tls_put(s, "", 0, tls_out->b, tls_out->n)) rc = -1;
    if (rc == 1) return through(s);
    if (!t->err && SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ) return -EAGAIN;
    failed(s);
    return t->plain ? STREAM_PLAIN : -EPROTO;
}

/* Reading. */

/* Behind a failed handshake: so that the alert is not destroyed by a reset. */
static ssize_t drop_raw(struct stream *s, void *p, size_t n)
{
    ssize_t got;
    do got = recv(s->fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    return got >= 0 ? got : -errno;
}

static ssize_t read_ended(struct stream *s, int rc)
{
    struct tls *t = tls_of(s);
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        if (t->eof) return STREAM_CUT;
        t->failed = true;
        t->why = "TLS: the connection was reset";
        ERR_clear_error();
        return t->err ? -t->err : -EPROTO;
    default:
        failed(s);
        return -EPROTO;
    }
}

/* All that can be had up to n: no event will tell of what OpenSSL has read already. */
static ssize_t op_recv(struct stream *s, void *p, size_t n)
{
    struct tls *t = tls_of(s);
    size_t got = 0;
    if (t->failed) return s->opening ? drop_raw(s, p, n) : -EPROTO;
    s->pending = false;
    t->budget = TLS_RECVS;
    ERR_clear_error();
    while (got < n) {
        size_t one;
        int rc = SSL_read_ex(t->ssl, (char *)p + got, n - got, &one);
        if (rc == 1) {
            got += one;
            if (SSL_has_pending(t->ssl)) continue; /* mostly the beginning of a record */
            return (ssize_t)got;
        }
        ssize_t end = read_ended(s, rc);
        if (got == 0) return end;
        if (end != -EAGAIN) s->pending = true; /* to be told at the next call */
        return (ssize_t)got;
    }
    s->pending = SSL_has_pending(t->ssl);
    return (ssize_t)got;
}

/* Writing. */

struct cursor {
    const struct iovec *v;
    unsigned n;
    size_t off;  /* in *v */
    size_t left; /* in all */
};

static void skip(struct cursor *c, size_t n)
{
    c->left -= n;
    while (n) {
        size_t piece = c->v->iov_len - c->off, part = piece < n ? piece : n;
        c->off += part;
        n -= part;
        if (c->off == c->v->iov_len) c->v++, c->n--, c->off = 0;
    }
}

/* The next record's bytes: a large piece as it lies, small ones joined. */
static str next_record(struct cursor *c)
{
    size_t n = 0, piece = c->v->iov_len - c->off;
    if (piece >= TLS_RECORD || piece == c->left) {
        str s = str_n((const char *)c->v->iov_base + c->off, piece < TLS_RECORD ? piece : TLS_RECORD);
        skip(c, s.n);
        return s;
    }
    while (c->left && n < TLS_RECORD) {
        piece = c->v->iov_len - c->off;
        if (n && piece >= TLS_RECORD) break;
        size_t part = piece < TLS_RECORD - n ? piece : TLS_RECORD - n;
        memcpy(tls_out->joined + n, (const char *)c->v->iov_base + c->off, part);
        skip(c, part);
        n += part;
    }
    return str_n(tls_out->joined, n);
}

/* Plaintext bytes made into records and handed over or held; false: the stream has failed. */
static bool seal(struct stream *s, struct cursor *c)
{
    struct tls *t = tls_of(s);
    bool ok = true;
    tls_out->owner = t;
    tls_out->n = 0;
    for (unsigned k = 1; ok && c->left && !s->held; k++) {
        str r = next_record(c);
        size_t w;
        tls_out->more = c->left && k % TLS_BATCH != 0;
        ok = SSL_write_ex(t->ssl, r.p, r.n, &w) == 1;
    }
    tls_out->owner = NULL;
    return ok;
}

/* `n` plaintext bytes that were not told yet are out or held. What is told to have left never
 * includes the last held byte, so that the caller comes back for it; nor more than he gave. */
static ssize_t told(struct tls *t, size_t n, size_t given)
{
    size_t held = t->held ? t->held->n - t->held->off : 0;
    size_t gone = n > held ? n - held : 0;
    if (gone > given) gone = given;
    t->debt = (uint32_t)(n - gone);
    return gone ? (ssize_t)gone : -EAGAIN;
}

static ssize_t op_sendv(struct stream *s, const struct iovec *v, unsigned n)
{
    struct tls *t = tls_of(s);
    struct cursor c = {.v = v, .n = n};
    size_t all;
    if (t->failed || t->mute || s->opening) return -EPIPE;
    for (unsigned i = 0; i < n; i++) c.left += v[i].iov_len;
    all = c.left;
    if (s->held) {
        ssize_t sent = tls_drain(s);
        if (sent < 0) return sent;
        if (s->held) return told(t, t->debt, all);
    }
    ERR_clear_error();
    skip(&c, t->debt < all ? t->debt : all);
    size_t before = c.left;
    if (c.left && !seal(s, &c)) {
        t->mute = true;
        ERR_clear_error();
        return t->err ? -t->err : -EPIPE;
    }
    return told(t, t->debt + (before - c.left), all);
}

static int op_flush(struct stream *s)
{
    ssize_t sent = s->held ? tls_drain(s) : 0;
    if (sent < 0) return (int)sent;
    return s->held ? -EAGAIN : 0;
}

/* The end. */

static void say_bye(struct stream *s)
{
    struct tls *t = tls_of(s);
    if (t->failed || t->mute || s->opening || s->cut) return;
    ERR_clear_error();
    t->budget = 0;
    (void)SSL_shutdown(t->ssl); /* sends close_notify, once */
    ERR_clear_error();
}

static void op_shutdown(struct stream *s)
{
    say_bye(s);
    (void)shutdown(s->fd, SHUT_WR);
}

static void free_tls(struct stream *s)
{
    struct tls *t = tls_of(s);
    SSL_free(t->ssl);
    free(t->held);
    free(t);
    s->ops = NULL;
    s->state = NULL;
    s->opening = s->pending = s->held = false;
}

static void op_close(struct stream *s)
{
    say_bye(s);
    free_tls(s);
    close(s->fd);
}

static const struct stream_ops tls_ops = {
    .handshake = op_handshake,
    .recv = op_recv,
    .sendv = op_sendv,
    .flush = op_flush,
    .shutdown = op_shutdown,
    .close = op_close,
};

void tls_strip(struct stream *s)
{
    free_tls(s);
}

/* The beginning. */

static int put_over(struct stream *s, SSL_CTX *ctx, struct tls_stats *stats, bool client)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = tls_bio(s);
    SSL *ssl = SSL_new(ctx);
    if (!t || !bio || !ssl) {
        free(t);
        BIO_free(bio);
        SSL_free(ssl);
        ERR_clear_error();
        return E_NOMEM;
    }
    SSL_set_bio(ssl, bio, bio);
    t->ssl = ssl;
    t->stats = stats;
    t->client = client;
    if (client) SSL_set_connect_state(ssl);
    else SSL_set_accept_state(ssl);
    s->ops = &tls_ops;
    s->state = t;
    s->opening = true;
    return 0;
}

int tls_accept(struct stream *s, const struct tls_srv *srv)
{
    return put_over(s, srv->base, srv->stats, false);
}

/* Whom we mean: in SNI (never an address, RFC 6066 3) and for the certificate. */
static bool set_peer(SSL *ssl, str host)
{
    struct addr_ip ip;
    char z[256];
    if (host.n && host.p[host.n - 1] == '.') host.n--;
    if (host.n == 0 || host.n >= sizeof z) return false;
    memcpy(z, host.p, host.n);
    z[host.n] = 0;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (addr_ip_parse(&ip, host) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), z) == 1;
    return SSL_set_tlsext_host_name(ssl, z) == 1 && SSL_set1_host(ssl, z) == 1;
}

int tls_connect(struct stream *s, const struct tls_cli *cli, str host, struct tls_session *session)
{
    int rc = put_over(s, cli->ctx, cli->stats, true);
    if (rc != 0) return rc;
    SSL *ssl = tls_of(s)->ssl;
    if (!set_peer(ssl, cli->server_name.n ? cli->server_name : host) ||
        SSL_set_ex_data(ssl, tls_session_index(), session) != 1) {
        free_tls(s);
        ERR_clear_error();
        return E_NOMEM;
    }
    if (session->held && SSL_SESSION_is_resumable(session->held))
        (void)SSL_set_session(ssl, session->held);
    ERR_clear_error();
    return 0;
}

const char *tls_reason(const struct stream *s)
{
    const struct tls *t = s->ops == &tls_ops ? tls_of(s) : NULL;
    return t && t->why ? t->why : "TLS failed";
}

void tls_timed_out(struct stream *s)
{
    struct tls *t = tls_of(s);
    if (s->opening && !t->failed) tls_count(&t->stats->failed[TLS_FAIL_TIMEOUT]);
    t->failed = true;
}

int tls_peer_facts(const struct stream *s, struct arena *a, struct tls_facts *f)
{
    X509 *x = s->ops == &tls_ops ? SSL_get0_peer_certificate(tls_of(s)->ssl) : NULL;
    return x ? tls_facts_of(x, a, f) : E_NONE;
}

const char *tls_version(const struct stream *s)
{
    return s->ops == &tls_ops ? SSL_get_version(tls_of(s)->ssl) : NULL;
}

const char *tls_cipher(const struct stream *s)
{
    return s->ops == &tls_ops ? SSL_get_cipher_name(tls_of(s)->ssl) : NULL;
}
