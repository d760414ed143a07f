/* SPDX-License-Identifier: Apache-2.0 */
/* Client contexts: whom to trust, what to show, and the session to resume. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "net/addr.h"
#include "net/tls_int.h"

#define CHAIN_DEPTH 10

static int session_at = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_index(void)
{
    session_at = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

int tls_session_index(void)
{
    (void)pthread_once(&once, make_index);
    return session_at;
}

void tls_session_fini(struct tls_session *s)
{
    SSL_SESSION_free(s->held);
    s->held = NULL;
}

/* With TLS 1.3 they come after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *s = SSL_get_ex_data(ssl, tls_session_index());
    if (!s) return 0;
    tls_session_fini(s);
    s->held = session;
    return 1; /* kept */
}

static bool set_trust(SSL_CTX *ctx, const struct tls_cli_conf *c, const struct tls_report *r)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (!c->verify) return true;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
    if (!c->ca.bytes.p) return SSL_CTX_set_default_verify_paths(ctx) == 1;
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* whatever the file holds is trusted */
    return tls_pem_trust(&c->ca, store, NULL, r) > 0;
}

static bool set_cert(SSL_CTX *ctx, const struct tls_cert_conf *cert, const struct tls_report *r)
{
    if (!cert->chain.bytes.p) return true;
    STACK_OF(X509) *chain = tls_pem_chain(&cert->chain, r);
    EVP_PKEY *key = tls_pem_key(&cert->key, r);
    bool ok = chain && key && tls_use(ctx, chain, key, cert, r);
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    return ok;
}

struct tls_cli *tls_cli_new(const struct tls_cli_conf *conf, struct tls_stats *stats,
                            const struct tls_report *report)
{
    struct tls_cli *c = calloc(1, sizeof *c);
    if (!c) {
        tls_say(report, NULL, false, NULL, "out of memory");
        return NULL;
    }
    arena_init(&c->arena, NULL);
    c->stats = stats;
    c->server_name = arena_str(&c->arena, conf->server_name);
    c->ctx = SSL_CTX_new(TLS_client_method());
    bool ok = c->ctx && c->server_name.p && tls_common(c->ctx, conf->min_13) &&
              SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)"\x08http/1.1", 9) == 0;
    if (!ok) tls_say(report, NULL, false, NULL, "out of memory");
    bool trusted = ok && set_trust(c->ctx, conf, report);
    ok = ok && set_cert(c->ctx, &conf->cert, report) && trusted;
    ERR_clear_error();
    if (!ok) {
        tls_cli_free(c);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(c->ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_session);
    (void)tls_session_index();
    return c;
}

void tls_cli_free(struct tls_cli *c)
{
    if (!c) return;
    SSL_CTX_free(c->ctx);
    arena_fini(&c->arena);
    free(c);
}
