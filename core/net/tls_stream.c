/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over a connected socket. What is written becomes as few records and sends as it can: small
 * pieces are joined into one record, several records leave together. The socket's BIO takes
 * everything at once; what the kernel did not take is held here until it does. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "net/addr.h"
#include "net/tls_int.h"

#define RECORD   16384u
#define BATCH    4u /* records of one send */
#define OUT_MAX  (BATCH * (RECORD + 320u))
#define HELD_MAX (512u * 1024)
#define RECVS    4u /* of the socket, in one call */

struct held { /* ciphertext that the socket did not take */
    uint32_t off, n, cap;
    char data[];
};

struct tls {
    SSL *ssl;
    struct held *held;
    struct tls_stats *stats;
    const char *why;
    uint32_t debt; /* plaintext that is in `held`, and was not counted as sent */
    int err;       /* of the socket: errno */
    uint8_t budget;
    bool failed;  /* neither way works any more */
    bool mute;    /* nothing can be sent any more */
    bool eof;     /* of the socket */
    bool begun;   /* bytes have come */
    bool plain;   /* they look like HTTP */
    bool client;
};

/* Of a thread that speaks TLS: the records of the write that is going on. */
struct out {
    const struct tls *owner; /* NULL: none is */
    bool more;               /* than the next record */
    uint32_t n;
    char b[OUT_MAX];
    char joined[RECORD]; /* small pieces */
};
static _Thread_local struct out *out;

static BIO_METHOD *method;
static pthread_key_t out_key; /* frees `out` behind the thread */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct tls *tls_of(const struct stream *s)
{
    return s->state;
}

/* The socket. */

static ssize_t put(int fd, struct iovec *v, unsigned n)
{
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    ssize_t sent;
    do sent = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : -errno;
}

static bool hold(struct stream *s, const char *p, size_t n)
{
    struct tls *t = tls_of(s);
    struct held *h = t->held;
    if (n == 0) return true;
    size_t have = h ? h->n : 0;
    if (have + n > HELD_MAX) return false;
    if (!h || h->cap - h->n < n) {
        size_t cap = have + n < 4096 ? 4096 : have + n;
        if (!(h = realloc(h, sizeof *h + cap))) return false;
        if (!t->held) h->off = h->n = 0;
        h->cap = (uint32_t)cap;
        t->held = h;
    }
    memcpy(h->data + h->n, p, n);
    h->n += (uint32_t)n;
    s->held = true;
    return true;
}

/* Bytes of `held` that have left, or -errno. */
static ssize_t drain(struct stream *s)
{
    struct tls *t = tls_of(s);
    struct held *h = t->held;
    struct iovec v = {h->data + h->off, h->n - h->off};
    ssize_t sent = put(s->fd, &v, 1);
    if (sent < 0) return sent;
    h->off += (uint32_t)sent;
    if (h->off == h->n) {
        free(h);
        t->held = NULL;
        s->held = false;
    }
    return sent;
}

/* Both at once; what does not leave is held. */
static bool put_or_hold(struct stream *s, const char *a, size_t an, const char *b, size_t bn)
{
    struct tls *t = tls_of(s);
    struct iovec v[2] = {{(char *)(uintptr_t)a, an}, {(char *)(uintptr_t)b, bn}};
    size_t gone = 0;
    if (!s->held) {
        ssize_t sent = an ? put(s->fd, v, 2) : put(s->fd, v + 1, 1);
        if (sent < 0 && sent != -EAGAIN) {
            t->err = (int)-sent;
            return false;
        }
        gone = sent > 0 ? (size_t)sent : 0;
    }
    size_t from = gone < an ? gone : an;
    if (hold(s, a + from, an - from) && hold(s, b + (gone - from), bn - (gone - from))) return true;
    t->err = ENOBUFS;
    return false;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct stream *s = BIO_get_data(bio);
    struct tls *t = tls_of(s);
    BIO_clear_retry_flags(bio);
    if (n <= 0 || t->plain) return n;
    if (out->owner != t) return put_or_hold(s, "", 0, p, (size_t)n) ? n : -1;
    if (out->more && out->n + (uint32_t)n <= sizeof out->b) {
        memcpy(out->b + out->n, p, (size_t)n);
        out->n += (uint32_t)n;
        return n;
    }
    uint32_t before = out->n;
    out->n = 0;
    return put_or_hold(s, out->b, before, p, (size_t)n) ? n : -1;
}

static int bio_read(BIO *bio, char *p, int n)
{
    struct stream *s = BIO_get_data(bio);
    struct tls *t = tls_of(s);
    ssize_t got;
    BIO_clear_retry_flags(bio);
    if (t->budget == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    t->budget--;
    do got = recv(s->fd, p, (size_t)n, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        if (!t->begun) t->plain = !t->client && p[0] >= 'A' && p[0] <= 'Z';
        t->begun = true;
        return (int)got;
    }
    if (got == 0) t->eof = true;
    else if (errno == EAGAIN) BIO_set_retry_read(bio);
    else t->err = errno;
    return got == 0 ? 0 : -1;
}

static long bio_ctrl(BIO *bio, int cmd, long n, void *p)
{
    (void)bio, (void)n, (void)p;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport stream");
    if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) &&
        BIO_meth_set_ctrl(m, bio_ctrl) && pthread_key_create(&out_key, free) == 0)
        method = m;
}

/* What the process and this thread need once. */
static bool ready(void)
{
    (void)pthread_once(&once, make_method);
    if (LIKELY(out != NULL) || !method) return method != NULL;
    if (!(out = calloc(1, sizeof *out))) return false;
    if (pthread_setspecific(out_key, out) == 0) return true;
    free(out);
    out = NULL;
    return false;
}

/* Failures. */

static enum tls_cause cause_of(const struct tls *t, unsigned long e)
{
    if (t->plain) return TLS_FAIL_PLAIN;
    return t->eof || t->err ? TLS_FAIL_CLOSED : tls_cause_of(ERR_GET_REASON(e));
}

static const char *reason_of(const struct tls *t, unsigned long e)
{
    long verified = SSL_get_verify_result(t->ssl);
    if (t->plain) return "HTTP without TLS";
    if (t->eof) return "TLS: the connection was closed";
    if (t->err) return "TLS: the connection was reset";
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
    X509 *x = SSL_session_reused(ssl) ? SSL_get0_peer_certificate(ssl) : NULL;
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
        ssize_t sent = drain(s);
        if (sent < 0 && sent != -EAGAIN) t->err = (int)-sent;
    }
    t->budget = RECVS;
    ERR_clear_error();
    out->owner = t; /* what it says leaves together */
    out->n = 0;
    out->more = true;
    int rc = t->err ? -1 : SSL_do_handshake(t->ssl);
    out->owner = NULL;
    if (out->n && !put_or_hold(s, "", 0, out->b, out->n)) rc = -1;
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
    t->budget = RECVS;
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
    if (piece >= RECORD || piece == c->left) {
        str s = str_n((const char *)c->v->iov_base + c->off, piece < RECORD ? piece : RECORD);
        skip(c, s.n);
        return s;
    }
    while (c->left && n < RECORD) {
        piece = c->v->iov_len - c->off;
        if (n && piece >= RECORD) break;
        size_t part = piece < RECORD - n ? piece : RECORD - n;
        memcpy(out->joined + n, (const char *)c->v->iov_base + c->off, part);
        skip(c, part);
        n += part;
    }
    return str_n(out->joined, n);
}

/* Plaintext bytes made into records and handed over or held; false: the stream has failed. */
static bool seal(struct stream *s, struct cursor *c)
{
    struct tls *t = tls_of(s);
    bool ok = true;
    out->owner = t;
    out->n = 0;
    for (unsigned k = 1; ok && c->left && !s->held; k++) {
        str r = next_record(c);
        size_t w;
        out->more = c->left && k % BATCH != 0;
        ok = SSL_write_ex(t->ssl, r.p, r.n, &w) == 1;
    }
    out->owner = NULL;
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
        ssize_t sent = drain(s);
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
    ssize_t sent = s->held ? drain(s) : 0;
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
    BIO *bio = ready() ? BIO_new(method) : NULL;
    SSL *ssl = SSL_new(ctx);
    if (!t || !bio || !ssl) {
        free(t);
        BIO_free(bio);
        SSL_free(ssl);
        ERR_clear_error();
        return E_NOMEM;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
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
