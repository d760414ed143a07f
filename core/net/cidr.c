/* SPDX-License-Identifier: Apache-2.0 */
/* Address ranges (RFC 4632 notation); IPv4 is compared in its v4-mapped form. */
#include <arpa/inet.h>

#include "net/addr.h"

static bool in_range(const struct cidr *c, const uint8_t ip[16])
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    if (memcmp(c->ip, ip, whole) != 0) return false;
    return rest == 0 || ((c->ip[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

int cidr_parse(struct cidr *c, str text)
{
    if (str_eq(text, STR("unix:"))) {
        *c = (struct cidr){.bits = CIDR_UNIX};
        return 0;
    }
    str bits = text, ip_text = str_cut(&bits, '/');
    struct addr_ip ip;
    if (addr_ip_parse(&ip, ip_text) != 0) return E_ARG;
    bool v4 = str_chr(ip_text, ':') == ip_text.n;
    uint64_t n = v4 ? 32 : 128;
    if (bits.p && (bits.n > 3 || str_u64(bits, &n) != 0 || n > (v4 ? 32 : 128))) return E_ARG;
    memcpy(c->ip, ip.ip, 16);
    c->bits = (uint8_t)(v4 ? n + 96 : n);
    /* Bits behind the prefix mean a slip of the pen. */
    for (unsigned i = c->bits; i < 128; i++) {
        if (c->ip[i / 8] & (0x80u >> (i % 8))) return E_ARG;
    }
    return 0;
}

bool cidr_match(const struct cidr *set, unsigned n, const struct addr_ip *ip)
{
    if (ip->family == 0) return false;
    for (unsigned i = 0; i < n; i++) {
        if (ip->family == AF_UNIX || set[i].bits == CIDR_UNIX) {
            if (ip->family == AF_UNIX && set[i].bits == CIDR_UNIX) return true;
        } else if (in_range(&set[i], ip->ip)) {
            return true;
        }
    }
    return false;
}
