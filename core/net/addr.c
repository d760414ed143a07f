/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses: text to address and back, the compact form of connections. */
#include "net/addr.h"

#include <arpa/inet.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Literal of either family; no zone, no brackets. */
static bool parse_ip(str text, struct in_addr *v4, struct in6_addr *v6, int *family)
{
    char z[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n)) return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (inet_pton(AF_INET, z, v4) == 1) return *family = AF_INET, true;
    if (inet_pton(AF_INET6, z, v6) == 1) return *family = AF_INET6, true;
    return false;
}

static int parse_port(str text, uint16_t *port)
{
    uint64_t n;
    if (text.n > 5 || str_u64(text, &n) != 0 || n > 65535) return E_ARG;
    *port = (uint16_t)n;
    return 0;
}

int addr_split(str text, str *host, uint16_t *port, bool *is_ip)
{
    struct in_addr v4;
    struct in6_addr v6;
    int family = 0;
    str rest;
    if (text.n && text.p[0] == '[') {
        size_t end = str_chr(text, ']');
        if (end == text.n) return E_ARG;
        *host = str_n(text.p + 1, end - 1);
        rest = str_drop(text, end + 1);
        if (!parse_ip(*host, &v4, &v6, &family) || family != AF_INET6) return E_ARG;
    } else {
        size_t colon = str_chr(text, ':');
        *host = str_take(text, colon);
        rest = str_drop(text, colon);
        for (size_t i = 0; i < host->n; i++) {
            unsigned char c = (unsigned char)host->p[i];
            if (c <= 0x20 || c >= 0x7f || strchr("/?#@\\\"'<>", c)) return E_ARG;
        }
        (void)parse_ip(*host, &v4, &v6, &family);
    }
    *is_ip = family != 0;
    if (rest.n < 2 || rest.p[0] != ':') return E_ARG;
    return parse_port(str_drop(rest, 1), port);
}

static int parse_unix(struct addr *a, str path, const char **why)
{
    if (path.n == 0 || path.n >= sizeof a->u.un.sun_path) {
        *why = "a socket path of 1 to 107 bytes is needed";
        return E_ARG;
    }
    if (memchr(path.p, '\0', path.n)) {
        *why = "NUL in the socket path";
        return E_ARG;
    }
    a->u.un.sun_family = AF_UNIX;
    memcpy(a->u.un.sun_path, path.p, path.n);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    return 0;
}

int addr_parse(struct addr *a, str text, const char **why)
{
    const char *unused;
    str host;
    uint16_t port;
    bool ip;
    if (!why) why = &unused;
    memset(a, 0, sizeof *a);
    if (str_starts(text, STR("unix:"))) return parse_unix(a, str_drop(text, 5), why);
    if (addr_split(text, &host, &port, &ip) != 0) {
        *why = "not of the form host:port, [ipv6]:port or unix:/path";
        return E_ARG;
    }
    bool any = host.n == 0 || str_eq(host, STR("*"));
    int family = AF_INET6;
    struct in_addr v4;
    struct in6_addr v6 = in6addr_any;
    if (!any && !parse_ip(host, &v4, &v6, &family)) {
        *why = "the host is not an IP address";
        return E_ARG;
    }
    if (family == AF_INET) {
        a->u.in4 =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = v4};
        a->len = sizeof a->u.in4;
    } else {
        a->u.in6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = v6};
        a->len = sizeof a->u.in6;
    }
    return 0;
}

size_t addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN];
    int n = 0;
    switch (a->u.sa.sa_family) {
    case AF_INET:
        n = snprintf(out, ADDR_TEXT, "%s:%u", inet_ntop(AF_INET, &a->u.in4.sin_addr, ip, sizeof ip),
                     (unsigned)ntohs(a->u.in4.sin_port));
        break;
    case AF_INET6:
        if (IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr)) {
            n = snprintf(out, ADDR_TEXT, "*:%u", (unsigned)ntohs(a->u.in6.sin6_port));
        } else {
            n = snprintf(out, ADDR_TEXT, "[%s]:%u",
                         inet_ntop(AF_INET6, &a->u.in6.sin6_addr, ip, sizeof ip),
                         (unsigned)ntohs(a->u.in6.sin6_port));
        }
        break;
    case AF_UNIX:
        n = snprintf(out, ADDR_TEXT, "unix:%.107s",
                     a->len > sizeof(sa_family_t) ? a->u.un.sun_path : "");
        break;
    default:
        n = snprintf(out, ADDR_TEXT, "unknown");
    }
    return n < 0 ? 0 : (size_t)n < ADDR_TEXT ? (size_t)n : ADDR_TEXT - 1;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->u.sa.sa_family != b->u.sa.sa_family) return false;
    switch (a->u.sa.sa_family) {
    case AF_INET:
        return a->u.in4.sin_port == b->u.in4.sin_port &&
               a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
    case AF_INET6:
        return a->u.in6.sin6_port == b->u.in6.sin6_port &&
               memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0;
    case AF_UNIX:
        return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
    default:
        return false;
    }
}

void addr_to_ip(const struct addr *a, struct addr_ip *ip)
{
    memset(ip, 0, sizeof *ip);
    if (a->u.sa.sa_family == AF_INET) {
        memcpy(ip->ip, v4_mapped, 12);
        memcpy(ip->ip + 12, &a->u.in4.sin_addr, 4);
        ip->port = ntohs(a->u.in4.sin_port);
        ip->family = AF_INET;
    } else if (a->u.sa.sa_family == AF_INET6) {
        memcpy(ip->ip, &a->u.in6.sin6_addr, 16);
        ip->port = ntohs(a->u.in6.sin6_port);
        /* A v4 client of a dual-stack socket is a v4 client. */
        ip->family = memcmp(ip->ip, v4_mapped, 12) == 0 ? AF_INET : AF_INET6;
    } else if (a->u.sa.sa_family == AF_UNIX) {
        ip->family = AF_UNIX;
    }
}

void addr_from_ip(struct addr *a, const struct addr_ip *ip)
{
    memset(a, 0, sizeof *a);
    if (ip->family == AF_INET) {
        a->u.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(ip->port)};
        memcpy(&a->u.in4.sin_addr, ip->ip + 12, 4);
        a->len = sizeof a->u.in4;
    } else if (ip->family == AF_INET6) {
        a->u.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(ip->port)};
        memcpy(&a->u.in6.sin6_addr, ip->ip, 16);
        a->len = sizeof a->u.in6;
    } else if (ip->family == AF_UNIX) {
        a->u.un.sun_family = AF_UNIX;
        a->len = sizeof(sa_family_t);
    }
}

/* Once per proxied request, so without printf. */
static size_t v4_text(const uint8_t ip[4], char *out)
{
    char *at = out;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = ip[i];
        if (i) *at++ = '.';
        if (n >= 100) *at++ = (char)('0' + n / 100);
        if (n >= 10) *at++ = (char)('0' + n / 10 % 10);
        *at++ = (char)('0' + n % 10);
    }
    *at = '\0';
    return (size_t)(at - out);
}

size_t addr_ip_text(const struct addr_ip *ip, char out[ADDR_TEXT])
{
    if (ip->family == AF_INET) return v4_text(ip->ip + 12, out);
    if (ip->family == AF_INET6) return inet_ntop(AF_INET6, ip->ip, out, ADDR_TEXT) ? strlen(out) : 0;
    return (size_t)snprintf(out, ADDR_TEXT, "%s", ip->family == AF_UNIX ? "unix" : "unknown");
}

int addr_ip_parse(struct addr_ip *ip, str text)
{
    struct addr a = {.len = 0};
    int family;
    struct in_addr v4;
    struct in6_addr v6;
    if (!parse_ip(text, &v4, &v6, &family)) return E_ARG;
    a.u.sa.sa_family = (sa_family_t)family;
    if (family == AF_INET) a.u.in4.sin_addr = v4;
    else a.u.in6.sin6_addr = v6;
    addr_to_ip(&a, ip);
    return 0;
}
