/* SPDX-License-Identifier: Apache-2.0 */
/* Between OpenSSL and the socket: reads come with one recv, writes are always taken; what the
 * kernel did not take is held until it does. */
#include <pthread.h>

#include "net/tls_conn.h"

#define HELD_MAX (512u * 1024)

_Thread_local struct out *tls_out;

static BIO_METHOD *method;
static pthread_key_t out_key; /* frees tls_out behind the thread */
static pthread_once_t once = PTHREAD_ONCE_INIT;

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

ssize_t tls_drain(struct stream *s)
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

bool tls_put(struct stream *s, const char *a, size_t an, const char *b, size_t bn)
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
    if (tls_out->owner != t) return tls_put(s, "", 0, p, (size_t)n) ? n : -1;
    if (tls_out->more && tls_out->n + (uint32_t)n <= sizeof tls_out->b) {
        memcpy(tls_out->b + tls_out->n, p, (size_t)n);
        tls_out->n += (uint32_t)n;
        return n;
    }
    uint32_t before = tls_out->n;
    tls_out->n = 0;
    return tls_put(s, tls_out->b, before, p, (size_t)n) ? n : -1;
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
    if (LIKELY(tls_out != NULL) || !method) return method != NULL;
    if (!(tls_out = calloc(1, sizeof *tls_out))) return false;
    if (pthread_setspecific(out_key, tls_out) == 0) return true;
    free(tls_out);
    tls_out = NULL;
    return false;
}

BIO *tls_bio(struct stream *s)
{
    BIO *bio = ready() ? BIO_new(method) : NULL;
    if (!bio) return NULL;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}
