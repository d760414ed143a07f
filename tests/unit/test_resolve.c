/* SPDX-License-Identifier: Apache-2.0 */
/* Names against a name server of the test's own on loopback: answers, cache, shared queries,
 * failures, cancelling. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/sock.h"
#include "unit.h"

struct server {
    int fd;
    char where[32];
    unsigned queries;
    bool silent;
};

struct result {
    unsigned calls;
    int status;
    unsigned count;
    char ip[2][ADDR_TEXT];
};

static void on_result(void *arg, const struct resolve_result *res)
{
    struct result *r = arg;
    r->calls++;
    r->status = res->status;
    r->count = res->count;
    for (unsigned i = 0; i < res->count && i < 2; i++) addr_ip_text(&res->ips[i], r->ip[i]);
    if (res->status != 0) assert_non_null(res->error);
}

static void server_open(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(s->where, sizeof s->where, "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
}

/* Behind the question: its name is an alias, for so many seconds, of one with an address for 60. */
static size_t add_alias(unsigned char *a, size_t at, unsigned char ttl)
{
    const unsigned char rr[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, ttl, 0, 3, 1, 'x', 0,
                                1, 'x', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
    memcpy(a + at, rr, sizeof rr);
    a[7] = 2;
    return at + sizeof rr;
}

/* One query: "good..." has A 192.0.2.1 with a TTL of 60, "short..." one with 0, "alias..." an alias
 * for 1 s, others do not exist. */
static void serve(struct server *s)
{
    unsigned char q[512], a[600];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(s->fd, q, sizeof q, 0, (struct sockaddr *)&from, &len);
    if (n < 17) return;
    s->queries++;
    if (s->silent) return;
    size_t name = 12, end = name;
    while (q[end]) end += q[end] + 1u;
    unsigned type = q[end + 2];
    bool good = memcmp(q + name + 1, "good", 4) == 0, brief = memcmp(q + name + 1, "short", 5) == 0;
    size_t at = end + 5;
    bool alias = memcmp(q + name + 1, "alias", 5) == 0;
    memcpy(a, q, at);
    a[2] = 0x81, a[3] = good || brief || alias ? 0x80 : 0x83;
    memset(a + 6, 0, 6);
    if (alias && type == 1) at = add_alias(a, at, 1);
    if ((good || brief) && type == 1) {
        static const unsigned char rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
        memcpy(a + at, rr, sizeof rr);
        if (brief) a[at + 9] = 0;
        at += sizeof rr;
        a[7] = 1;
    }
    (void)sendto(s->fd, a, at, 0, (struct sockaddr *)&from, len);
}

static void wait_for(struct loop *l, struct server *s, struct result *r, unsigned calls)
{
    for (int i = 0; i < 4000 && r->calls < calls; i++) {
        loop_turn(l, false);
        serve(s);
        usleep(500);
    }
    assert_int_equal(r->calls, calls);
}

static struct resolver *open_all(struct loop **l, struct server *s)
{
    struct resolver_conf conf = {.timeout_ms = 100, .tries = 1, .ttl_min_s = 0, .ttl_max_s = 100,
                                 .ttl_negative_s = 10, .max_entries = 4};
    server_open(s);
    *l = loop_new(0, 4096);
    conf.servers = s->where;
    struct resolver *r = resolver_new(*l, &conf);
    assert_non_null(r);
    return r;
}

static void test_answers(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0}, b = {.calls = 0}, c = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    assert_non_null(resolve(r, STR("good.example."), on_result, &a));
    assert_non_null(resolve(r, STR("GOOD.example"), on_result, &b)); /* the same query */
    struct resolve_op *op = resolve(r, STR("good.example"), on_result, &c);
    resolve_cancel(op);
    wait_for(l, &s, &a, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(c.calls, 0);
    assert_int_equal(a.status, 0);
    assert_int_equal(a.count, 1);
    assert_string_equal(a.ip[0], "192.0.2.1");
    unsigned asked = s.queries;
    assert_true(asked <= 2); /* A and AAAA */
    assert_null(resolve(r, STR("good.example"), on_result, &a)); /* from the cache */
    assert_int_equal(a.calls, 2);
    assert_int_equal(s.queries, asked);
    resolver_free(r);
    loop_free(l);
    close(s.fd);
}

/* A chain lives as long as its shortest part. */
static void test_alias(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    assert_non_null(resolve(r, STR("alias.example"), on_result, &a));
    wait_for(l, &s, &a, 1);
    assert_int_equal(a.status, 0);
    assert_string_equal(a.ip[0], "192.0.2.7");
    assert_null(resolve(r, STR("alias.example"), on_result, &a));
    usleep(1100000);
    loop_turn(l, false);
    struct resolve_op *op = resolve(r, STR("alias.example"), on_result, &a);
    assert_non_null(op);
    resolve_cancel(op);
    resolver_free(r);
    loop_free(l);
    close(s.fd);
}

static void test_failures(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    assert_non_null(resolve(r, STR("none.example"), on_result, &a));
    wait_for(l, &s, &a, 1);
    assert_int_equal(a.status, E_NONE);
    assert_null(resolve(r, STR("none.example"), on_result, &a)); /* kept for a while */
    assert_int_equal(a.status, E_NONE);
    s.silent = true;
    assert_non_null(resolve(r, STR("good.silent.example"), on_result, &a));
    wait_for(l, &s, &a, 3);
    assert_int_equal(a.status, E_TIMEOUT);
    s.silent = false; /* not kept: asked anew */
    assert_non_null(resolve(r, STR("good.silent.example"), on_result, &a));
    wait_for(l, &s, &a, 4);
    assert_int_equal(a.status, 0);
    assert_null(resolve(r, STR(""), on_result, &a));
    assert_int_equal(a.status, E_NONE);
    assert_null(resolve(r, str_n("a\0b", 3), on_result, &a));
    assert_int_equal(a.status, E_NONE);
    resolver_free(r);
    loop_free(l);
    close(s.fd);
}

static void test_known(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    assert_null(resolve(r, STR("127.0.0.9"), on_result, &a));
    assert_string_equal(a.ip[0], "127.0.0.9");
    assert_null(resolve(r, STR("2001:DB8::1"), on_result, &a));
    assert_string_equal(a.ip[0], "2001:db8::1");
    assert_null(resolve(r, STR("x.localhost"), on_result, &a));
    assert_string_equal(a.ip[0], "127.0.0.1");
    assert_int_equal(a.calls, 3);
    assert_int_equal(s.queries, 0);
    resolver_free(r);
    loop_free(l);
    close(s.fd);
}

/* The table is bounded; names that are being asked for stay. */
static void test_bound(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    s.silent = true;
    assert_non_null(resolve(r, STR("good1.example"), on_result, &a));
    assert_non_null(resolve(r, STR("good2.example"), on_result, &a));
    assert_non_null(resolve(r, STR("good3.example"), on_result, &a));
    assert_non_null(resolve(r, STR("good4.example"), on_result, &a));
    assert_null(resolve(r, STR("good5.example"), on_result, &a));
    assert_int_equal(a.status, E_IO);
    wait_for(l, &s, &a, 5);
    s.silent = false;
    for (unsigned i = 0; i < 8; i++) {
        char name[] = "goodX.example";
        name[4] = (char)('a' + i);
        assert_non_null(resolve(r, str_z(name), on_result, &a));
        wait_for(l, &s, &a, 6 + i);
    }
    assert_int_equal(a.status, 0);
    assert_non_null(resolve(r, STR("gooda.example"), on_result, &a)); /* had to go */
    resolver_free(r); /* tells the one that waits */
    assert_int_equal(a.status, E_ABORT);
    loop_free(l);
    close(s.fd);
}

static void test_no_server(void **state)
{
    struct loop *l;
    struct server s;
    struct result a = {.calls = 0};
    struct resolver *r = open_all(&l, &s);
    (void)state;
    close(s.fd);
    s.fd = -1;
    (void)resolve(r, STR("good.example"), on_result, &a);
    wait_for(l, &s, &a, 1);
    assert_true(a.status == E_IO ||
                a.status == E_TIMEOUT); /* whether the refusal is told depends on c-ares */
    resolver_free(r);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_failures),
        cmocka_unit_test(test_known),     cmocka_unit_test(test_bound),
        cmocka_unit_test(test_no_server), cmocka_unit_test(test_alias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
