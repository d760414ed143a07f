/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that option tables name: ids, addresses, networks, sums. */
#include "model/check.h"

#include "http/hdr.h"
#include "model/scalar.h"
#include "net/addr.h"

const char id_expected[] = "1 to 63 characters of a-z, 0-9 and '-'";
const char name_expected[] = "1 to 63 characters of A-Z, a-z, 0-9, '-' and '_'";

bool id_ok(str s, bool extra)
{
    if (s.n == 0 || s.n > ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';

        if (!ok && !(extra && ((c >= 'A' && c <= 'Z') || c == '_')))
            return false;
    }
    return true;
}

static bool all_of(str s, size_t n, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(set, s.p[i]))
            return false;
    return s.n == n;
}

#define CHECK(name)                                                                                \
    void name(const struct schema *s UNUSED, const struct node *n, struct node_tree *t,            \
              struct diag *d)

CHECK(check_api_id)
{
    if (!id_ok(n->text, false))
        scalar_error(d, t, n, id_expected, "is not a valid API id");
}

CHECK(check_name)
{
    if (!id_ok(n->text, true))
        scalar_error(d, t, n, name_expected, "is not a valid name");
}

CHECK(check_address)
{
    const char *why = NULL;
    struct addr a;
    str what;

    if (addr_parse(&a, n->text, &why) == 0)
        return;
    what = arena_printf(&d->arena, "is not an address to listen on: %s", why ? why : "malformed");
    scalar_error(d, t, n, "an address such as 127.0.0.1:8080, [::1]:8080, *:8080 or unix:/path",
                 what.p ? what.p : "is malformed");
}

CHECK(check_cidr)
{
    struct cidr c;

    if (cidr_parse(&c, n->text))
        scalar_error(d, t, n, "a network such as 10.0.0.0/8 or ::1, or unix:", "is not a network");
}

CHECK(check_server)
{
    struct addr_ip ip;
    uint16_t port;
    bool is_ip;
    str host;

    if (addr_ip_parse(&ip, n->text) && (addr_split(n->text, &host, &port, &is_ip) || !is_ip))
        scalar_error(d, t, n, "an IP address, with or without a port",
                     "is not a name server's address");
}

CHECK(check_log_to)
{
    if (!str_eqz(n->text, "stderr") && !str_eqz(n->text, "stdout") &&
        !str_starts(n->text, STR("/")))
        scalar_error(d, t, n, "stderr, stdout or an absolute path", "is no place to log to");
}

CHECK(check_account)
{
    if (!all_of(n->text, 12, "0123456789"))
        scalar_error(d, t, n, "12 digits, in quotes", "is not an account id");
}

CHECK(check_sha256)
{
    if (!all_of(n->text, 64, "0123456789abcdef"))
        scalar_error(d, t, n, "64 lower-case hexadecimal digits", "is not a SHA-256 sum");
}

/* A pseudonym, or host and port. */
CHECK(check_via)
{
    str name = n->text;
    size_t colon = str_chr(name, ':');
    uint64_t port;

    if (hdr_name_ok(str_take(name, colon)) &&
        (colon == name.n || (str_u64(str_drop(name, colon + 1), &port) == 0 && port <= 65535)))
        return;
    scalar_error(d, t, n, "a name such as edge-1 or host:port", "is not a name for Via");
}

CHECK(check_host)
{
    for (size_t i = 0; i < n->text.n; i++) {
        unsigned char c = (unsigned char)n->text.p[i];

        if (c > ' ' && c < 0x7f && !strchr("/?#@\\\"<>{}|^`", c))
            continue;
        scalar_error(d, t, n, "host or host:port", "is not a Host value");
        return;
    }
}

CHECK(check_server_name)
{
    static const char set[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct addr_ip ip;

    if (!all_of(n->text, n->text.n, set) && addr_ip_parse(&ip, n->text))
        scalar_error(d, t, n, "a host name without a port", "is not a server's name");
}
