/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables of TLS, on both sides. */
#include "model/check.h"
#include "model/tables.h"

static const char *const versions[] = {"1.2", "1.3", NULL};
static const char *const verifies[] = {"required", "optional", NULL};

const struct schema certificate_table[] = {
    {.key = "chain",
     .type = S_FILE,
     .flags = S_REQUIRED,
     .doc = "PEM file: the certificate, then its intermediates."},
    {.key = "key",
     .type = S_FILE,
     .flags = S_REQUIRED,
     .doc = "PEM file: the private key, without a passphrase."},
    {.key = NULL}};
static const struct schema certificate_item = {.type = S_MAP, .sub = certificate_table};

const struct schema listen_tls_table[] = {
    {.key = "certificates",
     .type = S_LIST,
     .flags = S_REQUIRED,
     .min = 1,
     .max = 1000,
     .item = &certificate_item,
     .doc = "Chosen by the name that the client asks for: exact names, then wildcards, then the "
            "first one. An RSA and an ECDSA certificate of the same name are both served."},
    {.key = "min_version",
     .type = S_ENUM,
     .names = versions,
     .dflt = "1.2",
     .doc = "The oldest version of TLS that is spoken."},
    {.key = "ciphers",
     .type = S_STRING,
     .min = 1,
     .max = 1000,
     .doc = "Ciphers of TLS 1.2 in OpenSSL's words, joined by colons; forward secret AEAD ciphers "
            "when left out."},
    {.key = "tickets",
     .type = S_BOOL,
     .dflt = "true",
     .doc = "Session tickets, so that a client can resume."},
    {.key = "client_ca",
     .type = S_FILE,
     .doc = "PEM file of the authorities whose client certificates are accepted (mutual TLS); "
            "clients are not asked for one when left out."},
    {.key = "client_verify",
     .type = S_ENUM,
     .names = verifies,
     .dflt = "required",
     .doc = "optional: clients without a certificate are let in too."},
    {.key = "client_depth",
     .type = S_INT,
     .dflt = "3",
     .min = 0,
     .max = 16,
     .doc = "Authorities between a client's certificate and one of client_ca, at most."},
    {.key = "client_crl",
     .type = S_FILE,
     .doc = "PEM file of revocation lists, one for each issuing authority of client_ca."},
    {.key = NULL}};

const struct schema upstream_tls_table[] = {
    {.key = "verify",
     .type = S_BOOL,
     .dflt = "true",
     .doc = "Whether the target's certificate must be valid and for its name."},
    {.key = "server_name",
     .type = S_STRING,
     .min = 1,
     .max = 253,
     .check = check_server_name,
     .doc = "The name sent as SNI and looked for in the certificate; the target's own host when "
            "left out."},
    {.key = "ca",
     .type = S_FILE,
     .doc = "PEM file of the authorities that are trusted; the system's when left out."},
    {.key = "certificate",
     .type = S_MAP,
     .sub = certificate_table,
     .doc = "The client certificate shown to targets that ask for one."},
    {.key = "min_version",
     .type = S_ENUM,
     .names = versions,
     .dflt = "1.2",
     .doc = "The oldest version of TLS that is spoken."},
    {.key = NULL}};

const struct schema tls_table[] = {
    {.key = "ticket_rotation",
     .type = S_DURATION,
     .dflt = "12h",
     .min = 1000,
     .max = 7 * 24 * (int64_t)HOUR,
     .doc = "How long a key seals session tickets; it opens them for as long again."},
    {.key = NULL}};
