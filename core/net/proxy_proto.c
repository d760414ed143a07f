/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol headers: the text line of version 1, the binary block of version 2. Nothing is
 * guessed: a connection that does not begin with one is refused. */
#include "net/proxy_proto.h"

#include <arpa/inet.h>

#include "base/cc.h"

#define V1_MAX   107 /* "PROXY TCP6 ", two addresses, two ports, CRLF */
#define V2_FIXED 16

static const char v1_mark[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const unsigned char v2_mark[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                        0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static int refuse(const char **why, const char *text)
{
    *why = text;
    return E_PROTO;
}

/* Does p begin with the mark, as far as it has come? */
static bool begins(const void *p, size_t n, const void *mark, size_t size)
{
    return memcmp(p, mark, n < size ? n : size) == 0;
}

static bool port_ok(str s, uint16_t *port)
{
    uint64_t n;
    if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0')) return false;
    if (str_u64(s, &n) != 0 || n > 65535) return false;
    *port = (uint16_t)n;
    return true;
}

static bool endpoint(struct addr *a, int family, str ip, str port)
{
    char z[INET6_ADDRSTRLEN];
    uint16_t number;
    memset(a, 0, sizeof *a);
    if (ip.n == 0 || ip.n >= sizeof z || memchr(ip.p, '\0', ip.n) || !port_ok(port, &number))
        return false;
    memcpy(z, ip.p, ip.n);
    z[ip.n] = '\0';
    a->u.sa.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->u.in4.sin_port = htons(number);
        a->len = sizeof a->u.in4;
        return inet_pton(AF_INET, z, &a->u.in4.sin_addr) == 1;
    }
    a->u.in6.sin6_port = htons(number);
    a->len = sizeof a->u.in6;
    return inet_pton(AF_INET6, z, &a->u.in6.sin6_addr) == 1;
}

/* The line behind "PROXY ": family, source, destination, their ports, one space between. */
static int v1_fields(struct proxy_proto *h, str rest, const char **why)
{
    str family = str_cut(&rest, ' ');
    if (str_eq(family, STR("UNKNOWN"))) return 0; /* what follows is to be ignored */
    int af = str_eq(family, STR("TCP4")) ? AF_INET : str_eq(family, STR("TCP6")) ? AF_INET6 : 0;
    if (!af) return refuse(why, "unknown family");
    str src = str_cut(&rest, ' '), dst = str_cut(&rest, ' '), sport = str_cut(&rest, ' ');
    if (!rest.p || !endpoint(&h->src, af, src, sport) || !endpoint(&h->dst, af, dst, rest))
        return refuse(why, "malformed address or port");
    h->told = true;
    return 0;
}

static int v1(struct proxy_proto *h, str p, const char **why)
{
    size_t cr = str_chr(str_take(p, V1_MAX), '\r');
    if (cr >= V1_MAX - 1) return refuse(why, "the line is too long");
    if (memchr(p.p, '\n', cr)) return refuse(why, "bare LF");
    if (cr + 1 >= p.n) return 0;
    if (p.p[cr + 1] != '\n') return refuse(why, "bare CR");
    int rc = v1_fields(h, str_n(p.p + sizeof v1_mark, cr - sizeof v1_mark), why);
    return rc < 0 ? rc : (int)cr + 2;
}

static void v2_inet(struct proxy_proto *h, const unsigned char *p)
{
    struct sockaddr_in *src = &h->src.u.in4, *dst = &h->dst.u.in4;
    src->sin_family = dst->sin_family = AF_INET;
    memcpy(&src->sin_addr, p, 4);
    memcpy(&dst->sin_addr, p + 4, 4);
    memcpy(&src->sin_port, p + 8, 2);
    memcpy(&dst->sin_port, p + 10, 2);
    h->src.len = h->dst.len = sizeof *src;
}

static void v2_inet6(struct proxy_proto *h, const unsigned char *p)
{
    struct sockaddr_in6 *src = &h->src.u.in6, *dst = &h->dst.u.in6;
    src->sin6_family = dst->sin6_family = AF_INET6;
    memcpy(&src->sin6_addr, p, 16);
    memcpy(&dst->sin6_addr, p + 16, 16);
    memcpy(&src->sin6_port, p + 32, 2);
    memcpy(&dst->sin6_port, p + 34, 2);
    h->src.len = h->dst.len = sizeof *src;
}

/* Paths name sockets of the sender's machine: that it is a unix socket is all that is kept. */
static void v2_unix(struct proxy_proto *h)
{
    h->src.u.sa.sa_family = h->dst.u.sa.sa_family = AF_UNIX;
    h->src.len = h->dst.len = sizeof(sa_family_t);
}

/* Type, length, value: nobody asks for them, but they have to fit. */
static bool tlvs_ok(const unsigned char *p, size_t n)
{
    while (n) {
        size_t size = n < 3 ? 0 : 3 + ((size_t)p[1] << 8 | p[2]);
        if (size == 0 || size > n) return false;
        p += size;
        n -= size;
    }
    return true;
}

static int v2_addresses(struct proxy_proto *h, unsigned char family, const unsigned char *p,
                        size_t n, const char **why)
{
    static const struct {
        unsigned char family, size;
    } known[] = {{0x00, 0}, {0x11, 12}, {0x21, 36}, {0x31, 216}};
    size_t i = 0;
    while (i < ARRAY_LEN(known) && known[i].family != family) i++;
    if (i == ARRAY_LEN(known)) return refuse(why, "family or transport that no stream has");
    if (n < known[i].size) return refuse(why, "too short for its addresses");
    if (!tlvs_ok(p + known[i].size, n - known[i].size)) return refuse(why, "malformed TLV");
    if (family == 0x11) v2_inet(h, p);
    else if (family == 0x21) v2_inet6(h, p);
    else if (family == 0x31) v2_unix(h);
    h->told = family != 0;
    return 0;
}

static int v2(struct proxy_proto *h, const unsigned char *p, size_t n, const char **why)
{
    if (n > 12 && p[12] != 0x20 && p[12] != 0x21) return refuse(why, "unknown version or command");
    if (n < V2_FIXED) return 0;
    size_t size = (size_t)p[14] << 8 | p[15];
    if (V2_FIXED + size > PROXY_PROTO_MAX) return refuse(why, "the header is too long");
    if (n < V2_FIXED + size) return 0;
    /* LOCAL: the balancer speaks for itself; whatever addresses it gives are to be ignored. */
    int rc = p[12] == 0x20 ? 0 : v2_addresses(h, p[13], p + V2_FIXED, size, why);
    return rc < 0 ? rc : (int)(V2_FIXED + size);
}

int proxy_proto_parse(struct proxy_proto *h, const void *p, size_t n, const char **why)
{
    memset(h, 0, sizeof *h);
    if (n == 0) return 0;
    if (begins(p, n, v2_mark, sizeof v2_mark)) return v2(h, p, n, why);
    if (!begins(p, n, v1_mark, sizeof v1_mark)) return refuse(why, "no PROXY header");
    return n < sizeof v1_mark ? 0 : v1(h, str_n(p, n), why);
}
