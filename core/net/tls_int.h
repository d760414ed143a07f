/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the rooms of TLS: contexts and what streams need of them. */
#ifndef NET_TLS_INT_H
#define NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls_srv {
    SSL_CTX *base; /* of the first certificate; it decides everything but the certificate */
    struct tls_name *names; /* sorted */
    unsigned name_count;
    SSL_CTX **ctxs; /* all, base first; each holds one certificate per kind of key */
    unsigned ctx_count;
    struct tls_stats *stats;
    struct arena arena;
};

struct tls_cli {
    SSL_CTX *ctx;
    struct tls_stats *stats;
    str server_name;
    struct arena arena;
};

/* tls_pem.c: OpenSSL's error queue is empty behind each. */
void tls_say(const struct tls_report *, const void *at, bool warning, const char *expected,
             const char *fmt, ...) PRINTF(5, 6);
/* Leaf first. NULL: reported. */
STACK_OF(X509) *tls_pem_chain(const struct tls_pem *, const struct tls_report *);
EVP_PKEY *tls_pem_key(const struct tls_pem *, const struct tls_report *);
/* Trust anchors of a file into the store; the number of them, 0: reported. names (may be NULL): their
 * subjects are added. */
unsigned tls_pem_trust(const struct tls_pem *, X509_STORE *, STACK_OF(X509_NAME) *names,
                       const struct tls_report *);
bool tls_pem_crl(const struct tls_pem *, X509_STORE *, const struct tls_report *);
/* Puts a certificate with its chain and key into the context; warns when it is outdated. */
bool tls_use(SSL_CTX *, STACK_OF(X509) *chain, EVP_PKEY *, const struct tls_cert_conf *,
             const struct tls_report *);
/* What both sides' contexts have in common. */
bool tls_common(SSL_CTX *, bool min_13);

/* tls_why.c */
enum tls_cause tls_cause_of(int reason); /* of an SSL error */
const char *tls_verify_reason(long code); /* X509_V_ERR_*; constant text */

/* tls_facts.c */
int tls_facts_of(X509 *, struct arena *, struct tls_facts *);

/* tls_ticket.c */
void tls_tickets_use(struct tls_tickets *, SSL_CTX *, uint64_t keep_ms);

/* tls_cli.c: index of the stream's struct tls_session in an SSL. */
int tls_session_index(void);

static inline void tls_count(_Atomic uint64_t *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

#endif
