/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement-only TLS server that is nothing but OpenSSL: what an idle TLS connection costs when
 * there is no gateway around it.
 *
 *   tlsidle -l PORT -s bodybytes cert.pem key.pem
 *
 * One thread, epoll. A connection is its SSL object and its descriptor, which that object knows;
 * every request (any bytes that arrive) is answered from memory, then the connection waits for the
 * next one. OpenSSL is set up as the relay sets it up. */
#include "common.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static int ep;
static char *answer, in[65536];
static size_t answer_len;

static void drop(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    ERR_clear_error();
    SSL_free(ssl);
    close(fd);
}

static void on_client(SSL *ssl)
{
    for (;;) {
        int r = SSL_read(ssl, in, sizeof in); /* does the handshake, too */

        if (r > 0)
            r = SSL_write(ssl, answer, (int)answer_len);
        if (r > 0)
            continue;
        if (SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ)
            drop(ssl); /* also one that does not take its small answer */
        return;
    }
}

static void on_listen(SSL_CTX *ctx, int lfd)
{
    for (int fd; (fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        SSL *ssl = SSL_new(ctx);
        struct epoll_event e = {EPOLLIN, {.ptr = ssl}};

        if (!ssl)
            die("SSL_new");
        set_nodelay(fd);
        SSL_set_fd(ssl, fd);
        SSL_set_accept_state(ssl);
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
            die("epoll_ctl");
    }
}

static SSL_CTX *context(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

static void make_answer(size_t body)
{
    char head[128];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);

    answer_len = (size_t)n + body;
    answer = malloc(answer_len);
    if (!answer)
        die("malloc");
    memcpy(answer, head, (size_t)n);
    memset(answer + n, 'x', body);
}

int main(int argc, char **argv)
{
    int port = 0, lfd;
    size_t body = 128;
    SSL_CTX *ctx;

    for (int o; (o = getopt(argc, argv, "l:s:")) != -1;) {
        if (o == 'l')
            port = (int)number(optarg);
        else if (o == 's')
            body = (size_t)number(optarg);
        else
            return 2;
    }
    if (!port || body > 8192 || argc - optind != 2) {
        fprintf(stderr, "usage: tlsidle -l PORT [-s BODY] CERT KEY\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    ctx = context(argv[optind], argv[optind + 1]);
    make_answer(body);
    ep = epoll_create1(EPOLL_CLOEXEC);
    lfd = listen_loopback(port);
    struct epoll_event le = {EPOLLIN, {.ptr = NULL}};
    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &le);
    for (;;) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, -1);

        for (int i = 0; i < n; i++) {
            if (ev[i].data.ptr)
                on_client(ev[i].data.ptr);
            else
                on_listen(ctx, lfd);
        }
    }
}
