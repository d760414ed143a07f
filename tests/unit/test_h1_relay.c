/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client side connected to a relay: keep-alive on both sides, bodies both ways, backpressure, broken targets. */
#include <sys/socket.h>
#include <unistd.h>

#include "http_kit.h"

static void test_keepalive(void **state)
{
    struct kit k;
    struct text up, down;
    (void)state;
    kit_open(&k);
    k.mode = KIT_RELAY;
    int lfd = kit_target(&k), fd = kit_connect(&k), ufd = -1;
    text_init(&up);
    text_init(&down);
    for (int i = 0; i < 3; i++) {
        up.n = down.n = 0;
        kit_sendz(&k, fd, "GET /x HTTP/1.1\r\nHost: h\r\nA: 1\r\nConnection: keep-alive, B\r\nB: 2\r\nC:3 \r\n\r\n");
        if (ufd < 0) ufd = kit_target_accept(&k, lfd);
        kit_expect(&k, ufd, &up, "\r\n\r\n");
        assert_str(text_str(&up), "GET /x HTTP/1.1\r\nHost: h\r\nA: 1\r\nC: 3\r\n\r\n");
        kit_sendz(&k, ufd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 2\r\n\r\nok");
        kit_expect(&k, fd, &down, "ok");
        assert_str(kit_no_date(&down), "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok");
    }
    struct cli_pool_stats s = cli_pool_stats(k.pool);
    assert_int_equal(s.connects, 1);
    assert_int_equal(s.reused, 2);
    assert_int_equal(s.idle, 1);
    text_fini(&up);
    text_fini(&down);
    close(fd), close(ufd), close(lfd);
    kit_turn(&k);
    assert_int_equal(cli_pool_stats(k.pool).idle, 0);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keepalive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
