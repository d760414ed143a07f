/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL's errors mean, for counters and for people. */
#include "net/tls_int.h"

const char *const tls_cause_names[TLS_CAUSES] = {"protocol",    "plain_http", "version", "alpn",
                                                 "certificate", "closed",     "timeout"};

static bool is_one_of(int reason, const int *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == reason) return true;
    return false;
}

enum tls_cause tls_cause_of(int reason)
{
    static const int version[] = {
        SSL_R_NO_SHARED_CIPHER,      SSL_R_UNSUPPORTED_PROTOCOL,
        SSL_R_VERSION_TOO_LOW,       SSL_R_UNKNOWN_PROTOCOL,
        SSL_R_WRONG_VERSION_NUMBER,  SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
        SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
        SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY};
    static const int cert[] = {
        SSL_R_CERTIFICATE_VERIFY_FAILED,       SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
        SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,     SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
        SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
        SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
        SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED};
    if (reason == SSL_R_NO_APPLICATION_PROTOCOL) return TLS_FAIL_ALPN;
    if (is_one_of(reason, version, ARRAY_LEN(version))) return TLS_FAIL_VERSION;
    return is_one_of(reason, cert, ARRAY_LEN(cert)) ? TLS_FAIL_CERT : TLS_FAIL_PROTOCOL;
}

const char *tls_verify_reason(long code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "TLS: the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "TLS: the certificate is not valid yet";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "TLS: the certificate is self-signed and not trusted";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "TLS: the certificate comes from an unknown authority";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "TLS: the certificate is for another name";
    case X509_V_ERR_CERT_REVOKED:
        return "TLS: the certificate has been revoked";
    default:
        return X509_verify_cert_error_string(code);
    }
}
