/* SPDX-License-Identifier: Apache-2.0 */
/* Server contexts: certificates by name and kind of key, clients' certificates, tickets, ALPN. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/tls_int.h"

/* The kinds of key of which a context can hold one certificate each. */
enum { KIND_RSA = 0, KIND_EC, KIND_ED, KINDS };

struct tls_name {
    str name; /* lower case, without "*." */
    bool wild;
    int cert[KINDS]; /* index of its certificate, -1: none */
    SSL_CTX *ctx;
};

struct loaded {
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
    int kind;
};

struct build {
    struct tls_srv *srv;
    const struct tls_srv_conf *conf;
    struct tls_tickets *tickets;
    const struct tls_report *report;
    struct loaded *certs;
    unsigned name_cap;
    int (*sets)[KINDS]; /* of srv->ctxs */
    unsigned char sid[32];
};

static bool nomem(struct build *b)
{
    tls_say(b->report, b->conf->at, false, NULL, "out of memory");
    return false;
}

/* Names, exact ones and wildcards, each with the certificates that are for it. */

static int name_cmp(str a, bool a_wild, const struct tls_name *n)
{
    int d = str_cmp(a, n->name);
    return d ? d : (int)a_wild - (int)n->wild;
}

static int by_name(const void *a, const void *b)
{
    const struct tls_name *n = a;
    return name_cmp(n->name, n->wild, b);
}

static struct tls_name *name_find(const struct tls_srv *srv, str name, bool wild)
{
    unsigned lo = 0, hi = srv->name_count;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int d = name_cmp(name, wild, &srv->names[mid]);
        if (d == 0) return &srv->names[mid];
        if (d < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

/* While the names are gathered they are not sorted yet. */
static struct tls_name *name_put(struct build *b, str name, bool wild)
{
    struct tls_srv *srv = b->srv;
    for (unsigned i = 0; i < srv->name_count; i++)
        if (name_cmp(name, wild, &srv->names[i]) == 0) return &srv->names[i];
    if (srv->name_count == b->name_cap) {
        unsigned cap = b->name_cap ? b->name_cap * 2 : 8;
        struct tls_name *v = realloc(srv->names, cap * sizeof *v);
        if (!v) return NULL;
        srv->names = v;
        b->name_cap = cap;
    }
    struct tls_name *n = &srv->names[srv->name_count++];
    *n = (struct tls_name){.name = name, .wild = wild, .cert = {-1, -1, -1}};
    return n;
}

static bool add_name(struct build *b, int cert, const ASN1_STRING *text)
{
    const char *p = (const char *)ASN1_STRING_get0_data(text);
    int n = ASN1_STRING_length(text);
    if (n <= 0 || memchr(p, 0, (size_t)n)) return true;
    char *lower = arena_bytes(&b->srv->arena, (size_t)n);
    if (!lower) return nomem(b);
    for (int i = 0; i < n; i++) lower[i] = chr_lower(p[i]);
    str name = str_n(lower, (size_t)n);
    bool wild = str_starts(name, STR("*."));
    struct tls_name *to = name_put(b, wild ? str_drop(name, 2) : name, wild);
    if (!to) return nomem(b);
    int *slot = &to->cert[b->certs[cert].kind];
    if (*slot < 0) *slot = cert;
    return true;
}

/* The DNS names of its subjectAltName, else its common name. */
static bool add_names(struct build *b, int cert)
{
    X509 *leaf = sk_X509_value(b->certs[cert].chain, 0);
    GENERAL_NAMES *alt = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool ok = true, any = false;
    for (int i = 0; ok && i < sk_GENERAL_NAME_num(alt); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);
        if (g->type != GEN_DNS) continue;
        any = true;
        ok = add_name(b, cert, g->d.dNSName);
    }
    GENERAL_NAMES_free(alt);
    X509_NAME *subject = X509_get_subject_name(leaf);
    int at = any ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) ok = add_name(b, cert, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    ERR_clear_error();
    return ok;
}

/* A name with a certificate of its own for one kind of key has the wildcard's for the others. */
static void fill_from_wildcards(struct tls_srv *srv)
{
    for (unsigned i = 0; i < srv->name_count; i++) {
        struct tls_name *n = &srv->names[i], *w;
        size_t dot = str_chr(n->name, '.');
        if (n->wild || dot == n->name.n || !(w = name_find(srv, str_drop(n->name, dot + 1), true)))
            continue;
        for (unsigned k = 0; k < KINDS; k++)
            if (n->cert[k] < 0) n->cert[k] = w->cert[k];
    }
}

/* Handshake callbacks. */

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_srv *srv = arg;
    const char *z = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char lower[256];
    size_t n = z ? strlen(z) : 0;
    (void)alert;
    if (n && z[n - 1] == '.') n--;
    if (n == 0 || n >= sizeof lower) return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < n; i++) lower[i] = chr_lower(z[i]);
    str name = str_n(lower, n);
    const struct tls_name *found = name_find(srv, name, false);
    size_t dot = str_chr(name, '.');
    if (!found && dot < n) found = name_find(srv, str_drop(name, dot + 1), true);
    if (!found) return SSL_TLSEXT_ERR_NOACK; /* the first certificate */
    if (found->ctx != srv->base) SSL_set_SSL_CTX(ssl, found->ctx);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl, (void)arg;
    for (unsigned i = 0; i < n; i += 1u + in[i]) {
        if (n - i < sizeof ours - 1 || memcmp(in + i, ours, sizeof ours - 1) != 0) continue;
        *out = in + i + 1;
        *out_n = in[i];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
}

/* Contexts. */

/* A ticket is good where the same clients would be let in: on this listener, with this trust. */
static bool make_sid(struct build *b)
{
    const struct tls_srv_conf *c = b->conf;
    const str parts[] = {c->name, c->client_ca.bytes, c->client_crl.bytes};
    unsigned char rest[2] = {(unsigned char)c->client_optional, (unsigned char)c->client_depth};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (unsigned i = 0; ok && i < ARRAY_LEN(parts); i++) {
        uint64_t n = parts[i].n;
        ok = EVP_DigestUpdate(md, &n, sizeof n) == 1 &&
             (n == 0 || EVP_DigestUpdate(md, parts[i].p, parts[i].n) == 1);
    }
    ok = ok && EVP_DigestUpdate(md, rest, sizeof rest) == 1 &&
         EVP_DigestFinal_ex(md, b->sid, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok || nomem(b);
}

static bool set_clients(struct build *b, SSL_CTX *ctx)
{
    const struct tls_srv_conf *c = b->conf;
    int mode = SSL_VERIFY_PEER | (c->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    if (!c->client_ca.bytes.p) return true;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    if (!names) return nomem(b);
    if (!tls_pem_trust(&c->client_ca, store, names, b->report) ||
        (c->client_crl.bytes.p && !tls_pem_crl(&c->client_crl, store, b->report))) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return false;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* whatever the file holds is trusted */
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_verify_depth(ctx, (int)c->client_depth);
    return true;
}

static bool set_up(struct build *b, SSL_CTX *ctx)
{
    const struct tls_srv_conf *c = b->conf;
    char list[1024];
    snprintf(list, sizeof list, "%.*s", STR_ARG(c->ciphers));
    if (!tls_common(ctx, c->min_13)) return nomem(b);
    if (c->ciphers.n && (c->ciphers.n >= sizeof list || !SSL_CTX_set_cipher_list(ctx, list))) {
        tls_say(b->report, c->ciphers_at, false, "OpenSSL's names of TLS 1.2 ciphers, joined by ':'",
                "is no list of ciphers");
        return false;
    }
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, b->sid, sizeof b->sid);
    if (c->tickets) {
        tls_tickets_use(b->tickets, ctx, c->ticket_ms);
    } else {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, b->srv);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return set_clients(b, ctx);
}

/* A context with these certificates: one that is there, or a new one. */
static SSL_CTX *ctx_of(struct build *b, const int set[KINDS])
{
    struct tls_srv *srv = b->srv;
    for (unsigned i = 0; i < srv->ctx_count; i++)
        if (memcmp(b->sets[i], set, sizeof b->sets[i]) == 0) return srv->ctxs[i];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool ok = ctx ? set_up(b, ctx) : nomem(b);
    for (unsigned k = 0; ok && k < KINDS; k++) {
        if (set[k] < 0) continue;
        struct loaded *l = &b->certs[set[k]];
        ok = tls_use(ctx, l->chain, l->key, &b->conf->certs[set[k]], NULL);
    }
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    memcpy(b->sets[srv->ctx_count], set, sizeof b->sets[0]);
    return srv->ctxs[srv->ctx_count++] = ctx;
}

static int kind_of(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return KIND_RSA;
    case EVP_PKEY_EC:
        return KIND_EC;
    case EVP_PKEY_ED25519:
        return KIND_ED;
    default:
        return -1;
    }
}

/* Every certificate is tried alone, so that all that is wrong is told at once. */
static bool load_certs(struct build *b)
{
    const struct tls_srv_conf *c = b->conf;
    SSL_CTX *probe = SSL_CTX_new(TLS_server_method());
    bool all = probe || nomem(b);
    for (unsigned i = 0; probe && i < c->cert_count; i++) {
        struct loaded *l = &b->certs[i];
        l->chain = tls_pem_chain(&c->certs[i].chain, b->report);
        l->key = tls_pem_key(&c->certs[i].key, b->report);
        bool ok = l->chain && l->key;
        if (ok && (l->kind = kind_of(l->key)) < 0) {
            tls_say(b->report, c->certs[i].key.at, false, "an RSA, ECDSA or Ed25519 key",
                    "keys of this kind are not supported");
            ok = false;
        }
        ok = ok && tls_use(probe, l->chain, l->key, &c->certs[i], b->report) && add_names(b, (int)i);
        all = all && ok;
    }
    SSL_CTX_free(probe);
    return all;
}

static bool make_ctxs(struct build *b)
{
    struct tls_srv *srv = b->srv;
    int first[KINDS] = {-1, -1, -1};
    first[b->certs[0].kind] = 0;
    if (srv->name_count) qsort(srv->names, srv->name_count, sizeof *srv->names, by_name);
    fill_from_wildcards(srv);
    /* The first certificate's partners are those of the first name that is its own. */
    for (unsigned i = 0; i < srv->name_count; i++)
        if (srv->names[i].cert[b->certs[0].kind] == 0) {
            memcpy(first, srv->names[i].cert, sizeof first);
            break;
        }
    srv->base = ctx_of(b, first);
    bool ok = srv->base != NULL;
    for (unsigned i = 0; ok && i < srv->name_count; i++)
        ok = (srv->names[i].ctx = ctx_of(b, srv->names[i].cert)) != NULL;
    return ok;
}

static bool build(struct build *b)
{
    struct tls_srv *srv = b->srv;
    if (!make_sid(b)) return false;
    SSL_CTX *trial = SSL_CTX_new(TLS_server_method()); /* what is wrong beside the certificates */
    bool ok = trial ? set_up(b, trial) : nomem(b);
    SSL_CTX_free(trial);
    ok = load_certs(b) && ok;
    if (!ok) return false;
    b->report = NULL; /* all has been said */
    srv->ctxs = calloc(srv->name_count + 1, sizeof(SSL_CTX *));
    b->sets = calloc(srv->name_count + 1, sizeof b->sets[0]);
    return srv->ctxs && b->sets && make_ctxs(b);
}

struct tls_srv *tls_srv_new(const struct tls_srv_conf *conf, struct tls_tickets *tickets,
                            struct tls_stats *stats, const struct tls_report *report)
{
    struct build b = {.conf = conf, .tickets = tickets, .report = report};
    b.srv = calloc(1, sizeof *b.srv);
    b.certs = calloc(conf->cert_count, sizeof *b.certs);
    bool ok = b.srv && b.certs && conf->cert_count > 0;
    if (b.srv) {
        arena_init(&b.srv->arena, NULL);
        b.srv->stats = stats;
    }
    if (!ok) nomem(&b);
    else if (!build(&b)) {
        if (!b.report) tls_say(report, conf->at, false, NULL, "the TLS contexts cannot be made");
        ok = false;
    }
    for (unsigned i = 0; b.certs && i < conf->cert_count; i++) {
        sk_X509_pop_free(b.certs[i].chain, X509_free);
        EVP_PKEY_free(b.certs[i].key);
    }
    free(b.certs);
    free(b.sets);
    ERR_clear_error();
    if (ok) return b.srv;
    tls_srv_free(b.srv);
    return NULL;
}

void tls_srv_free(struct tls_srv *srv)
{
    if (!srv) return;
    for (unsigned i = 0; i < srv->ctx_count; i++) SSL_CTX_free(srv->ctxs[i]);
    free(srv->ctxs);
    free(srv->names);
    arena_fini(&srv->arena);
    free(srv);
}
