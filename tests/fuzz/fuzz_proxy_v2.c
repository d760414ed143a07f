/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: PROXY protocol headers, the first byte behind which the signature is put for half of
 * the inputs. A verdict does not depend on the pieces, and never changes. */
#include <stdlib.h>
#include <string.h>

#include "net/proxy_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x)           \
    do {                  \
        if (!(x)) abort(); \
    } while (0)

static void check_told(const struct proxy_proto *h)
{
    char text[ADDR_TEXT];
    struct addr_ip ip;
    struct addr back;
    int family = h->src.u.sa.sa_family;
    MUST(family == AF_INET || family == AF_INET6 || family == AF_UNIX);
    MUST(h->dst.u.sa.sa_family == family);
    MUST(addr_text(&h->src, text) > 0 && addr_text(&h->dst, text) > 0);
    if (family == AF_UNIX) return;
    addr_to_ip(&h->src, &ip);
    MUST(ip.family != 0);
    addr_from_ip(&back, &ip);
    MUST(ip.family != family || addr_equal(&back, &h->src));
}

static void check(const unsigned char *p, size_t n)
{
    struct proxy_proto h;
    const char *why = NULL;
    int last = 0;
    for (size_t k = 0; k <= n; k++) {
        unsigned char *exact = malloc(k ? k : 1); /* a read behind the end is seen */
        MUST(exact);
        memcpy(exact, p, k);
        int rc = proxy_proto_parse(&h, exact, k, &why);
        free(exact);
        MUST(rc >= 0 ? rc <= (int)k && rc <= PROXY_PROTO_MAX : rc == E_PROTO && why);
        MUST(last == 0 || rc == last);
        MUST(rc <= 0 || last > 0 || rc == (int)k); /* whole exactly when its last byte is there */
        MUST(k < PROXY_PROTO_MAX || rc != 0);
        if (rc > 0 && h.told) check_told(&h);
        last = rc;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const unsigned char mark[] = "\r\n\r\n\0\r\nQUIT\n";
    unsigned char block[600];
    if (n == 0 || n > 512) return 0;
    if (data[0] & 1) {
        memcpy(block, mark, 12);
        memcpy(block + 12, data + 1, n - 1);
        check(block, n + 11);
    } else {
        check(data + 1, n - 1);
    }
    return 0;
}
