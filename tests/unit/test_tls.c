/* SPDX-License-Identifier: Apache-2.0 */
/* TLS streams against each other, with a wire between them that the test cuts as it likes. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "net/tls.h"
#include "unit.h"

#define BIG (600u * 1024)

static char cert_pem[4096], key_pem[1024], other_pem[4096], other_key[1024];

static void write_pem(BIO *b, char *to, size_t cap)
{
    int n = BIO_read(b, to, (int)cap - 1);
    assert_true(n > 0);
    to[n] = 0;
    BIO_free(b);
}

/* A self-signed certificate for a.test and *.b.test. */
static void make_cert(char *cert, char *key_text, long until)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    BIO *b = BIO_new(BIO_s_mem());
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
    X509_gmtime_adj(X509_getm_notBefore(x), -1000);
    X509_gmtime_adj(X509_getm_notAfter(x), until);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"a.test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    X509_EXTENSION *ext =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:a.test,DNS:*.b.test,IP:127.0.0.1");
    assert_non_null(ext);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    PEM_write_bio_X509(b, x);
    write_pem(b, cert, 4096);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    write_pem(b, key_text, 1024);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* Client and server, each at one end of a socket pair; the test carries the bytes between the
 * others. */
struct bed {
    struct stream c, s;
    int wire_c, wire_s;
    struct tls_srv *srv;
    struct tls_cli *cli;
    struct tls_tickets *tickets;
    struct tls_stats in, out;
    struct text up, down; /* on the wire, not yet delivered */
    uint64_t records_up;  /* seen */
    size_t skip_up;       /* bytes to the next record's head */
    char head[5];
    unsigned head_n;
    struct text said;
};

static void said(void *arg, const void *at, bool warning, const char *expected, const char *what)
{
    (void)at, (void)expected;
    text_printf(arg, "%s%s\n", warning ? "warning " : "", what);
}

static struct tls_srv *make_srv(struct bed *b, const char *name, bool min_13)
{
    struct tls_report r = {said, &b->said};
    struct tls_cert_conf cert = {.chain = {str_z(cert_pem), NULL}, .key = {str_z(key_pem), NULL}};
    struct tls_srv_conf conf = {
        .certs = &cert, .cert_count = 1, .tickets = true, .ticket_ms = 3600000, .min_13 = min_13, .name = str_z(name)};
    return tls_srv_new(&conf, b->tickets, &b->in, &r);
}

static struct tls_cli *make_cli(struct bed *b, bool verify)
{
    struct tls_report r = {said, &b->said};
    struct tls_cli_conf conf = {.verify = verify, .ca = {str_z(verify ? cert_pem : NULL), NULL}};
    return tls_cli_new(&conf, &b->out, &r);
}

static void bed_open(struct bed *b)
{
    memset(b, 0, sizeof *b);
    text_init(&b->up);
    text_init(&b->down);
    text_init(&b->said);
    assert_non_null(b->tickets = tls_tickets_new());
    assert_non_null(b->srv = make_srv(b, "one", false));
    assert_non_null(b->cli = make_cli(b, true));
    assert_int_equal(b->said.n, 0);
    b->c.fd = b->s.fd = b->wire_c = b->wire_s = -1;
}

static void connect_pair(struct stream *st, int *wire, int sndbuf)
{
    int sv[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
    if (sndbuf) setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf);
    *st = (struct stream){.fd = sv[0]};
    *wire = sv[1];
}

static void bed_connect(struct bed *b, const char *host, struct tls_session *session, int sndbuf)
{
    connect_pair(&b->c, &b->wire_c, sndbuf);
    connect_pair(&b->s, &b->wire_s, sndbuf);
    b->up.n = b->down.n = 0;
    b->records_up = b->skip_up = b->head_n = 0;
    assert_int_equal(tls_accept(&b->s, b->srv), 0);
    if (host) assert_int_equal(tls_connect(&b->c, b->cli, str_z(host), session), 0);
}

static void bed_part(struct bed *b)
{
    stream_close(&b->c);
    stream_close(&b->s);
    if (b->wire_c >= 0) close(b->wire_c);
    if (b->wire_s >= 0) close(b->wire_s);
    b->wire_c = b->wire_s = -1;
}

static void bed_close(struct bed *b)
{
    bed_part(b);
    tls_srv_free(b->srv);
    tls_cli_free(b->cli);
    tls_tickets_free(b->tickets);
    text_fini(&b->up);
    text_fini(&b->down);
    text_fini(&b->said);
}

/* Counts the records that pass. */
static void watch(struct bed *b, const char *p, size_t n)
{
    while (n) {
        size_t part = b->skip_up < n ? b->skip_up : n;
        b->skip_up -= part, p += part, n -= part;
        if (n == 0) return;
        b->head[b->head_n++] = *p++, n--;
        if (b->head_n < 5) continue;
        b->head_n = 0;
        b->records_up++;
        b->skip_up = (size_t)(unsigned char)b->head[3] << 8 | (unsigned char)b->head[4];
    }
}

static bool carry_one(struct bed *b, int from, int to, struct text *t, size_t most)
{
    char buf[65536];
    bool moved = false;
    ssize_t n = t->n < 1u << 20 ? recv(from, buf, most < sizeof buf ? most : sizeof buf, 0) : -1;
    if (n > 0) {
        if (t == &b->up) watch(b, buf, (size_t)n);
        text_add(t, str_n(buf, (size_t)n));
        moved = true;
    }
    size_t part = t->n < most ? t->n : most;
    n = part ? send(to, t->p, part, MSG_NOSIGNAL) : 0;
    if (n > 0) {
        memmove(t->p, t->p + n, t->n - (size_t)n);
        t->n -= (size_t)n;
        moved = true;
    }
    return moved;
}

static bool carry(struct bed *b, size_t most)
{
    bool up = carry_one(b, b->wire_c, b->wire_s, &b->up, most);
    return carry_one(b, b->wire_s, b->wire_c, &b->down, most) || up;
}

/* 0, or what the client's or the server's handshake says. */
static int shake(struct bed *b, size_t most, int *server)
{
    int c = -EAGAIN, s = -EAGAIN;
    for (unsigned i = 0; i < 100000 && (c == -EAGAIN || s == -EAGAIN); i++) {
        if (c == -EAGAIN) c = stream_handshake(&b->c);
        if (s == -EAGAIN) s = stream_handshake(&b->s);
        if (!carry(b, most) && i > 2000) break;
    }
    if (server) *server = s;
    return c ? c : s == -EAGAIN ? s : 0;
}

static void all_over(struct bed *b)
{
    while (carry(b, 65536)) continue;
}

static void test_handshake(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    const size_t steps[] = {65536, 1, 17};
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        struct tls_session session = {NULL};
        int server;
        bed_connect(&b, "a.test", &session, 0);
        assert_int_equal(shake(&b, steps[i], &server), 0);
        assert_int_equal(server, 0);
        assert_false(b.c.opening);
        assert_false(b.s.opening);
        bed_part(&b);
        tls_session_fini(&session);
    }
    assert_int_equal(b.in.handshakes, 3);
    assert_int_equal(b.out.v13, 3);
    bed_close(&b);
}

static ssize_t recv_all(struct stream *s, char *to, size_t n, size_t room)
{
    size_t got = 0;
    while (got < n) {
        ssize_t one = stream_recv(s, to + got, n - got < room ? n - got : room);
        if (one <= 0) return got ? (ssize_t)got : one;
        got += (size_t)one;
    }
    return (ssize_t)got;
}

static void test_records(void **state)
{
    (void)state;
    struct bed b;
    struct tls_session session = {NULL};
    static char big[40000], got[80000];
    memset(big, 'b', sizeof big);
    bed_open(&b);
    bed_connect(&b, "a.test", &session, 0);
    assert_int_equal(shake(&b, 65536, NULL), 0);
    all_over(&b);
    static const struct {
        unsigned n;
        size_t len[4];
        uint64_t records;
    } cases[] = {{1, {100}, 1},           {2, {200, 4000}, 1},      {4, {1, 2, 3, 16378}, 1},
                 {2, {200, 16384}, 2},    {3, {10, 10, 16380}, 2},  {1, {40000}, 3},
                 {3, {100, 20000, 5}, 3}, {2, {16384, 16384}, 2},   {4, {9000, 9000, 9000, 5769}, 3}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct iovec v[4];
        size_t all = 0;
        for (unsigned k = 0; k < cases[i].n; k++) {
            v[k] = (struct iovec){big, cases[i].len[k]};
            all += cases[i].len[k];
        }
        uint64_t before = b.records_up;
        assert_int_equal(stream_sendv(&b.c, v, cases[i].n), (ssize_t)all);
        assert_false(b.c.held);
        all_over(&b);
        assert_int_equal(b.records_up - before, cases[i].records);
        assert_int_equal(recv_all(&b.s, got, all, sizeof got), (ssize_t)all);
        assert_memory_equal(got, big, all);
        assert_false(b.s.pending);
        assert_int_equal(stream_recv(&b.s, got, 1), -EAGAIN);
    }
    /* What OpenSSL has read and could not be given is told of. */
    struct iovec v = {big, 5000};
    assert_int_equal(stream_sendv(&b.c, &v, 1), 5000);
    all_over(&b);
    assert_int_equal(stream_recv(&b.s, got, 1000), 1000);
    assert_true(b.s.pending);
    assert_int_equal(stream_recv(&b.s, got, 4000), 4000);
    assert_false(b.s.pending);
    bed_part(&b);
    tls_session_fini(&session);
    bed_close(&b);
}

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* Far more than the sockets take, with a slow wire: counts never run ahead of what has left, and
 * nothing is lost, doubled or held without bound. */
static void test_big(void **state)
{
    (void)state;
    struct bed b;
    struct tls_session session = {NULL};
    static char from[BIG], to[BIG];
    uint32_t seed = 1;
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < BIG; i++) from[i] = (char)next_random(&seed);
    bed_open(&b);
    bed_connect(&b, "127.0.0.1", &session, 4096);
    assert_int_equal(shake(&b, 65536, NULL), 0);
    while (got < BIG) {
        struct iovec v[5];
        unsigned n = 0;
        for (size_t at = sent; n < 5 && at < BIG; n++) {
            size_t part = 1 + next_random(&seed) % (next_random(&seed) % 3 ? 3000 : 60000);
            if (part > BIG - at) part = BIG - at;
            v[n] = (struct iovec){from + at, part};
            at += part;
        }
        ssize_t w = n ? stream_sendv(&b.c, v, n) : 0;
        assert_true(w > 0 || w == -EAGAIN || n == 0);
        if (w > 0) sent += (size_t)w;
        assert_true(sent < BIG || !b.c.held); /* what is held is never told to have left */
        for (unsigned k = next_random(&seed) % 4; k; k--) carry(&b, 1 + next_random(&seed) % 9000);
        size_t room = 1 + next_random(&seed) % 40000;
        ssize_t r = got < BIG ? stream_recv(&b.s, to + got, room < BIG - got ? room : BIG - got) : 0;
        assert_true(r > 0 || r == -EAGAIN);
        if (r > 0) got += (size_t)r;
        assert_true(got <= sent + 200000);
    }
    assert_memory_equal(from, to, BIG);
    assert_int_equal(sent, BIG);
    bed_part(&b);
    tls_session_fini(&session);
    bed_close(&b);
}

static void test_ends(void **state)
{
    (void)state;
    struct bed b;
    struct tls_session session = {NULL};
    char buf[64];
    bed_open(&b);
    for (int cut = 0; cut < 3; cut++) {
        bed_connect(&b, "a.test", &session, 0);
        assert_int_equal(shake(&b, 65536, NULL), 0);
        char text[] = "last";
        struct iovec v = {text, 4};
        assert_int_equal(stream_sendv(&b.c, &v, 1), 4);
        if (cut == 1) b.c.cut = true;
        if (cut == 2) stream_shutdown(&b.c); /* half of it */
        else stream_close(&b.c);
        all_over(&b);
        shutdown(b.wire_s, SHUT_WR);
        assert_int_equal(stream_recv(&b.s, buf, sizeof buf), 4);
        assert_int_equal(b.s.pending, cut != 1); /* nobody but OpenSSL knows of close_notify */
        assert_int_equal(stream_recv(&b.s, buf, sizeof buf), cut == 1 ? STREAM_CUT : 0);
        assert_int_equal(stream_sendv(&b.s, &v, 1), 4); /* the other half still works */
        bed_part(&b);
    }
    tls_session_fini(&session);
    bed_close(&b);
}

static void test_not_tls(void **state)
{
    (void)state;
    struct bed b;
    char buf[256];
    bed_open(&b);
    bed_connect(&b, NULL, NULL, 0);
    assert_int_equal(send(b.wire_s, "PATCH / HTTP/1.1\r\n\r\n", 20, 0), 20);
    assert_int_equal(stream_handshake(&b.s), STREAM_PLAIN);
    tls_strip(&b.s);
    char text[] = "plain";
    struct iovec v = {text, 5};
    assert_int_equal(stream_sendv(&b.s, &v, 1), 5);
    assert_int_equal(recv(b.wire_s, buf, sizeof buf, 0), 5); /* no alert before it */
    bed_part(&b);
    bed_connect(&b, NULL, NULL, 0);
    assert_int_equal(send(b.wire_s, "\x16\x03\x01\x00\x05hello and more", 19, 0), 19);
    assert_int_equal(stream_handshake(&b.s), -EPROTO);
    assert_int_equal(recv(b.wire_s, buf, sizeof buf, 0), 7); /* the alert */
    assert_int_equal(send(b.wire_s, "dropped", 7, 0), 7);
    assert_int_equal(stream_recv(&b.s, buf, sizeof buf), 7);
    assert_int_equal(stream_sendv(&b.s, &v, 1), -EPIPE);
    bed_part(&b);
    assert_int_equal(b.in.failed[TLS_FAIL_PLAIN], 1);
    assert_int_equal(b.in.failed[TLS_FAIL_PROTOCOL], 1);
    assert_int_equal(b.in.handshakes, 0);
    bed_close(&b);
}

static void refuse(struct bed *b, const char *host, const char *why)
{
    struct tls_session session = {NULL};
    bed_connect(b, host, &session, 0);
    assert_int_equal(shake(b, 65536, NULL), -EPROTO);
    assert_non_null(strstr(tls_reason(&b->c), why));
    bed_part(b);
    tls_session_fini(&session);
}

static void test_verification(void **state)
{
    (void)state;
    struct bed b;
    struct tls_session session = {NULL};
    static const char *const good[] = {"a.test", "A.TEST.", "x.b.test", "127.0.0.1"};
    bed_open(&b);
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        bed_connect(&b, good[i], &session, 0);
        assert_int_equal(shake(&b, 65536, NULL), 0);
        bed_part(&b);
        tls_session_fini(&session);
    }
    refuse(&b, "b.test", "another name");
    refuse(&b, "y.x.b.test", "another name");
    refuse(&b, "127.0.0.2", "another name");
    tls_cli_free(b.cli);
    struct tls_report r = {said, &b.said};
    struct tls_cli_conf conf = {.verify = true, .ca = {str_z(other_pem), NULL}};
    assert_non_null(b.cli = tls_cli_new(&conf, &b.out, &r));
    refuse(&b, "a.test", "self-signed");
    assert_int_equal(b.out.failed[TLS_FAIL_CERT], 4);
    tls_cli_free(b.cli);
    assert_non_null(b.cli = make_cli(&b, false));
    bed_connect(&b, "whoever.test", &session, 0);
    assert_int_equal(shake(&b, 65536, NULL), 0);
    struct tls_facts f;
    struct arena a;
    arena_init(&a, NULL);
    assert_int_equal(tls_peer_facts(&b.c, &a, &f), 0);
    assert_true(str_eqz(f.subject, "CN=a.test"));
    assert_true(str_eqz(f.serial, "12:67"));
    assert_true(str_eqz(f.pem, cert_pem));
    assert_int_equal(tls_peer_facts(&b.s, &a, &f), E_NONE);
    arena_fini(&a);
    bed_part(&b);
    tls_session_fini(&session);
    bed_close(&b);
}

/* A connection that carries a byte each way, so that tickets come over. */
static void once(struct bed *b, struct tls_session *session)
{
    char buf[8];
    char text[] = "x";
    struct iovec v = {text, 1};
    bed_connect(b, "a.test", session, 0);
    assert_int_equal(shake(b, 65536, NULL), 0);
    assert_int_equal(stream_sendv(&b->s, &v, 1), 1);
    all_over(b);
    assert_int_equal(stream_recv(&b->c, buf, sizeof buf), 1);
    stream_close(&b->c);
    bed_part(b);
}

static void test_tickets(void **state)
{
    (void)state;
    struct bed b;
    struct tls_session session = {NULL};
    bed_open(&b);
    once(&b, &session);
    assert_non_null(session.held);
    once(&b, &session);
    assert_int_equal(b.in.resumed, 1);
    struct tls_srv *old = b.srv;
    assert_non_null(b.srv = make_srv(&b, "one", true)); /* a reload */
    once(&b, &session);
    assert_int_equal(b.in.resumed, 2);
    tls_srv_free(old);
    old = b.srv;
    assert_non_null(b.srv = make_srv(&b, "two", false)); /* another listener */
    once(&b, &session);
    assert_int_equal(b.in.resumed, 2);
    tls_srv_free(old);
    once(&b, &session);
    assert_int_equal(b.in.resumed, 3);
    assert_int_equal(b.out.resumed, 3);
    tls_tickets_interval(b.tickets, 1); /* whatever was sealed is too old */
    usleep(5000);
    once(&b, &session);
    assert_int_equal(b.in.resumed, 3);
    tls_session_fini(&session);
    bed_close(&b);
}

static void expect(struct bed *b, struct tls_srv_conf *c, const char *what)
{
    struct tls_report r = {said, &b->said};
    b->said.n = 0;
    assert_null(tls_srv_new(c, b->tickets, &b->in, &r));
    if (!strstr(b->said.p, what)) print_error("want %s, got %s", what, b->said.p);
    assert_non_null(strstr(b->said.p, what));
}

static void test_bad_confs(void **state)
{
    (void)state;
    struct bed b;
    static char old_pem[4096], old_key[1024];
    make_cert(old_pem, old_key, -10);
    bed_open(&b);
    text_addz(&b.said, " ");
    struct tls_cert_conf cert = {.chain = {str_z(cert_pem), NULL}, .key = {str_z(other_key), NULL}};
    struct tls_srv_conf c = {.certs = &cert, .cert_count = 1, .name = STR("x")};
    expect(&b, &c, "the key does not belong to the certificate");
    cert.key.bytes = STR("nothing");
    expect(&b, &c, "holds no private key");
    cert.key.bytes = str_z(key_pem);
    cert.chain.bytes = str_z(key_pem);
    expect(&b, &c, "holds no certificate");
    cert.chain.bytes = str_take(str_z(cert_pem), 300);
    expect(&b, &c, "certificate 1 cannot be read");
    cert.chain.bytes = str_z(old_pem);
    cert.key.bytes = str_z(old_key);
    expect(&b, &c, "the certificate expired at ");
    cert.chain.bytes = str_z(cert_pem);
    cert.key.bytes = str_z(key_pem);
    c.ciphers = STR("NONE:WHATEVER");
    expect(&b, &c, "is no list of ciphers");
    c.ciphers = STR_NONE;
    c.client_ca.bytes = STR("nothing");
    expect(&b, &c, "holds no certificate");
    c.client_ca.bytes = str_z(cert_pem);
    c.client_crl.bytes = STR("nothing");
    expect(&b, &c, "holds no revocation list");
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake), cmocka_unit_test(test_records),
        cmocka_unit_test(test_big),       cmocka_unit_test(test_ends),
        cmocka_unit_test(test_not_tls),   cmocka_unit_test(test_verification),
        cmocka_unit_test(test_tickets),   cmocka_unit_test(test_bad_confs),
    };
    make_cert(cert_pem, key_pem, 3600);
    make_cert(other_pem, other_key, 3600);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
