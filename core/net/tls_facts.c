/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's certificate as text, in the forms of AWS's $context.identity.clientCert. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/tls_int.h"

/* What has been written to the memory BIO; it is empty again. */
static str take(BIO *out, struct arena *a)
{
    char *p;
    long n = BIO_get_mem_data(out, &p);
    str s = n >= 0 ? arena_str(a, str_n(p, (size_t)n)) : STR_NONE;
    (void)BIO_reset(out);
    return s;
}

/* "a1:0f:..." */
static bool put_serial(BIO *out, const ASN1_INTEGER *serial)
{
    const unsigned char *p = ASN1_STRING_get0_data(serial);
    int n = ASN1_STRING_length(serial);
    for (int i = 0; i < n; i++)
        if (BIO_printf(out, "%s%02x", i ? ":" : "", p[i]) < 0) return false;
    return true;
}

int tls_facts_of(X509 *x, struct arena *a, struct tls_facts *f)
{
    BIO *out = BIO_new(BIO_s_mem());
    if (!out) return E_NOMEM;
    bool ok = PEM_write_bio_X509(out, x) == 1;
    f->pem = take(out, a);
    ok = ok && X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0;
    f->subject = take(out, a);
    ok = ok && X509_NAME_print_ex(out, X509_get_issuer_name(x), 0, XN_FLAG_RFC2253) >= 0;
    f->issuer = take(out, a);
    ok = ok && put_serial(out, X509_get0_serialNumber(x));
    f->serial = take(out, a);
    ok = ok && ASN1_TIME_print(out, X509_get0_notBefore(x)) == 1;
    f->not_before = take(out, a);
    ok = ok && ASN1_TIME_print(out, X509_get0_notAfter(x)) == 1;
    f->not_after = take(out, a);
    BIO_free(out);
    ERR_clear_error();
    return ok && f->pem.p && f->subject.p && f->issuer.p && f->serial.p && f->not_before.p &&
                   f->not_after.p
               ? 0
               : E_NOMEM;
}
