/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, keys, trust anchors and revocation lists out of PEM text, with words for what is
 * wrong. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/tls_int.h"

#define CHAIN_MAX 32
#define TRUST_MAX 4096

void tls_say(const struct tls_report *r, const void *at, bool warning, const char *expected,
             const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    ERR_clear_error();
    if (r && r->fn) r->fn(r->arg, at, warning, expected, what);
}

/* OpenSSL's word for what failed last. */
static const char *reason(void)
{
    const char *s = ERR_reason_error_string(ERR_peek_last_error());
    return s ? s : "unknown reason";
}

static BIO *open_pem(const struct tls_pem *pem)
{
    return pem->bytes.n <= INT32_MAX ? BIO_new_mem_buf(pem->bytes.p, (int)pem->bytes.n) : NULL;
}

/* Behind a loop of reads: was it the end of the text that ended it? */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) *tls_pem_chain(const struct tls_pem *pem, const struct tls_report *r)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *in = open_pem(pem);
    X509 *x = NULL;
    bool ok = chain && in;
    ERR_clear_error();
    while (ok && sk_X509_num(chain) < CHAIN_MAX && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)))
        if (!sk_X509_push(chain, x)) X509_free(x), ok = false;
    BIO_free(in);
    if (!ok) tls_say(r, pem->at, false, NULL, "out of memory");
    else if (sk_X509_num(chain) == 0 && at_end())
        tls_say(r, pem->at, false, "PEM text, the server's certificate first", "holds no certificate"), ok = false;
    else if (x) tls_say(r, pem->at, false, NULL, "holds more than %d certificates", CHAIN_MAX), ok = false;
    else if (!at_end())
        tls_say(r, pem->at, false, NULL, "its certificate %d cannot be read: %s",
                sk_X509_num(chain) + 1, reason()), ok = false;
    ERR_clear_error();
    if (ok) return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

static int no_passphrase(char *buf, int size, int rw, void *asked)
{
    (void)buf, (void)size, (void)rw;
    *(bool *)asked = true;
    return -1;
}

EVP_PKEY *tls_pem_key(const struct tls_pem *pem, const struct tls_report *r)
{
    bool encrypted = false;
    BIO *in = open_pem(pem);
    ERR_clear_error();
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &encrypted) : NULL;
    BIO_free(in);
    if (key) return key;
    if (encrypted) tls_say(r, pem->at, false, "a key without a passphrase", "the key is encrypted");
    else if (str_find(pem->bytes, STR("PRIVATE KEY-----")) == pem->bytes.n)
        tls_say(r, pem->at, false, "PEM text", "holds no private key");
    else tls_say(r, pem->at, false, NULL, "the key cannot be read: %s", reason());
    return NULL;
}

unsigned tls_pem_trust(const struct tls_pem *pem, X509_STORE *store, STACK_OF(X509_NAME) *names,
                       const struct tls_report *r)
{
    BIO *in = open_pem(pem);
    unsigned n = 0;
    X509 *x = NULL;
    bool ok = in != NULL;
    ERR_clear_error();
    while (ok && n < TRUST_MAX && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        X509_NAME *name = names ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;
        ok = X509_STORE_add_cert(store, x) == 1; /* one that is there already counts as added */
        if (names && (!name || !sk_X509_NAME_push(names, name))) X509_NAME_free(name), ok = false;
        X509_free(x);
        n++;
    }
    BIO_free(in);
    if (ok && !x && n && at_end()) {
        ERR_clear_error();
        return n;
    }
    if (!ok) tls_say(r, pem->at, false, NULL, "its certificate %u cannot be taken: %s", n, reason());
    else if (x) tls_say(r, pem->at, false, NULL, "holds more than %d certificates", TRUST_MAX);
    else if (at_end()) tls_say(r, pem->at, false, "PEM text", "holds no certificate");
    else tls_say(r, pem->at, false, NULL, "its certificate %u cannot be read: %s", n + 1, reason());
    return 0;
}

bool tls_pem_crl(const struct tls_pem *pem, X509_STORE *store, const struct tls_report *r)
{
    BIO *in = open_pem(pem);
    unsigned n = 0;
    X509_CRL *crl;
    bool ok = in != NULL, outdated = false;
    ERR_clear_error();
    while (ok && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
        const ASN1_TIME *until = X509_CRL_get0_nextUpdate(crl);
        outdated |= until && X509_cmp_current_time(until) < 0;
        ok = X509_STORE_add_crl(store, crl) == 1;
        X509_CRL_free(crl);
        n++;
    }
    BIO_free(in);
    ok = ok && n && at_end();
    if (!ok && n) tls_say(r, pem->at, false, NULL, "a revocation list cannot be read: %s", reason());
    else if (!ok) tls_say(r, pem->at, false, "PEM text", "holds no revocation list");
    else if (outdated)
        tls_say(r, pem->at, true, NULL, "a revocation list is outdated: its authority's clients are refused");
    ERR_clear_error();
    if (ok) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return ok;
}

/* "May 28 12:30:02 2019 GMT" */
static void time_text(const ASN1_TIME *t, char *to, size_t cap)
{
    BIO *out = BIO_new(BIO_s_mem());
    int n = out && ASN1_TIME_print(out, t) ? BIO_read(out, to, (int)cap - 1) : 0;
    to[n > 0 ? n : 0] = 0;
    BIO_free(out);
}

static bool in_time(X509 *leaf, const struct tls_pem *chain, const struct tls_report *r)
{
    char when[64];
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) {
        time_text(X509_get0_notAfter(leaf), when, sizeof when);
        tls_say(r, chain->at, false, "a certificate that is valid", "the certificate expired at %s", when);
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
        time_text(X509_get0_notBefore(leaf), when, sizeof when);
        tls_say(r, chain->at, true, NULL, "the certificate is not valid before %s", when);
    }
    return true;
}

bool tls_use(SSL_CTX *ctx, STACK_OF(X509) *chain, EVP_PKEY *key, const struct tls_cert_conf *conf,
             const struct tls_report *r)
{
    X509 *leaf = sk_X509_value(chain, 0);
    STACK_OF(X509) *rest = sk_X509_dup(chain);
    ERR_clear_error();
    if (!rest) {
        tls_say(r, conf->chain.at, false, NULL, "out of memory");
        return false;
    }
    (void)sk_X509_shift(rest);
    bool ok = false;
    if (!X509_check_private_key(leaf, key))
        tls_say(r, conf->key.at, false, "the key of the chain's first certificate",
                "the key does not belong to the certificate");
    else if (!in_time(leaf, &conf->chain, r)) /* said already */;
    else if (SSL_CTX_use_cert_and_key(ctx, leaf, key, rest, 1) != 1)
        tls_say(r, conf->chain.at, false, NULL, "the certificate cannot be used: %s", reason());
    else ok = true;
    sk_X509_free(rest);
    ERR_clear_error();
    return ok;
}

bool tls_common(SSL_CTX *ctx, bool min_13)
{
    static const char suites[] =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    static const char ciphers[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* a record comes with one recv */
    return SSL_CTX_set_min_proto_version(ctx, min_13 ? TLS1_3_VERSION : TLS1_2_VERSION) &&
           SSL_CTX_set_ciphersuites(ctx, suites) && SSL_CTX_set_cipher_list(ctx, ciphers) &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
}
