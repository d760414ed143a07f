/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that seal session tickets: one to seal with, the one before it to open with. A key seals
 * for one interval and opens for two; nothing of it is written anywhere. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <time.h>

#include "net/tls_int.h"

#define INTERVAL_MS (12u * 3600 * 1000)

struct ticket_key {
    unsigned char name[16], aes[32], hmac[32];
    uint64_t made_ms; /* 0: none */
};

struct tls_tickets {
    pthread_mutex_t lock; /* a leaf; held for the copy of a key */
    uint64_t interval_ms;
    struct ticket_key now, before;
};

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *t = calloc(1, sizeof *t);
    if (t && pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return NULL;
    }
    if (t) t->interval_ms = INTERVAL_MS;
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (!t) return;
    pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

void tls_tickets_interval(struct tls_tickets *t, uint64_t ms)
{
    pthread_mutex_lock(&t->lock);
    t->interval_ms = ms ? ms : INTERVAL_MS;
    pthread_mutex_unlock(&t->lock);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* Under the lock. */
static bool rotate(struct tls_tickets *t, uint64_t now)
{
    struct ticket_key k = {.made_ms = now};
    if (t->now.made_ms && now - t->now.made_ms < t->interval_ms) return true;
    if (RAND_bytes(k.name, sizeof k.name) != 1 || RAND_priv_bytes(k.aes, sizeof k.aes) != 1 ||
        RAND_priv_bytes(k.hmac, sizeof k.hmac) != 1)
        return false;
    t->before = t->now;
    t->now = k;
    OPENSSL_cleanse(&k, sizeof k);
    return true;
}

static bool sealing_key(struct tls_tickets *t, struct ticket_key *k)
{
    pthread_mutex_lock(&t->lock);
    bool ok = rotate(t, now_ms());
    if (ok) *k = t->now;
    pthread_mutex_unlock(&t->lock);
    return ok;
}

/* 0: unknown or too old; 1; 2: good, and the ticket is to be made anew. */
static int opening_key(struct tls_tickets *t, const unsigned char *name, struct ticket_key *k)
{
    int rc = 0;
    uint64_t now = now_ms();
    pthread_mutex_lock(&t->lock);
    const struct ticket_key *of[] = {&t->now, &t->before};
    for (unsigned i = 0; i < ARRAY_LEN(of) && !rc; i++) {
        if (!of[i]->made_ms || CRYPTO_memcmp(of[i]->name, name, sizeof of[i]->name) != 0) continue;
        uint64_t age = now - of[i]->made_ms;
        if (age >= 2 * t->interval_ms) break;
        *k = *of[i];
        rc = i == 0 && age < t->interval_ms ? 1 : 2;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key k;
    char digest[] = "SHA256";
    int rc = 1;
    if (seal) {
        if (!sealing_key(t, &k) || RAND_bytes(iv, 16) != 1) return -1;
        memcpy(name, k.name, sizeof k.name);
    } else if ((rc = opening_key(t, name, &k)) == 0) {
        return 0; /* a full handshake */
    }
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.hmac, sizeof k.hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k.aes, iv, seal) != 1 ||
        EVP_MAC_CTX_set_params(mac, params) != 1)
        rc = -1;
    OPENSSL_cleanse(&k, sizeof k);
    /* A ticket of TLS 1.3 is good for one use (RFC 8446 C.4): the next one comes with it. */
    return rc == 1 && !seal && SSL_version(ssl) == TLS1_3_VERSION ? 2 : rc;
}

void tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx, uint64_t keep_ms)
{
    uint64_t s = keep_ms / 1000;
    SSL_CTX_set_app_data(ctx, t);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_timeout(ctx, (long)(s ? s : 1));
}
