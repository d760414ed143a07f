/* SPDX-License-Identifier: Apache-2.0 */
/* A name server of our own on a loopback port: answers every name as it was told last. */
#ifndef UNIT_DNS_STUB_H
#define UNIT_DNS_STUB_H

#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum dns_mode { DNS_ANSWER, DNS_NO_SUCH_NAME, DNS_SILENT };

struct dns_stub {
    int fd;
    pthread_t thread;
    char address[32]; /* 127.0.0.1:PORT */
    _Atomic bool stop;
    _Atomic int mode;
    _Atomic unsigned first, count; /* A records 127.0.0.FIRST and on */
    _Atomic unsigned asked;        /* A questions seen */
};

/* Question name's length in bytes, its ending zero counted; 0: malformed. */
static inline size_t dns_name(const unsigned char *q, size_t n)
{
    size_t at = 0;
    while (at < n && q[at] && q[at] < 64) at += q[at] + 1u;
    return at < n && q[at] == 0 ? at + 1 : 0;
}

static inline size_t dns_reply(struct dns_stub *s, unsigned char *p, size_t n, size_t cap)
{
    size_t name = n > 12 ? dns_name(p + 12, n - 12) : 0;
    if (name == 0 || 12 + name + 4 > n) return 0;
    size_t end = 12 + name + 4;
    bool a = p[12 + name] == 0 && p[12 + name + 1] == 1;
    unsigned count = a ? s->count : 0, first = s->first;
    if (a) s->asked++;
    if (s->mode == DNS_SILENT) return 0;
    bool none = s->mode == DNS_NO_SUCH_NAME;
    if (none) count = 0;
    p[2] = 0x84, p[3] = none ? 3 : 0;
    memset(p + 4, 0, 8);
    p[5] = 1, p[7] = (unsigned char)count;
    for (unsigned i = 0; i < count && end + 16 <= cap; i++, end += 16) {
        const unsigned char rr[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, (unsigned char)(first + i)};
        memcpy(p + end, rr, sizeof rr);
    }
    return end;
}

static inline void *dns_run(void *arg)
{
    struct dns_stub *s = arg;
    unsigned char p[4096];
    while (!s->stop) {
        struct pollfd f = {.fd = s->fd, .events = POLLIN};
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        if (poll(&f, 1, 20) != 1) continue;
        ssize_t n = recvfrom(s->fd, p, 512, 0, (struct sockaddr *)&from, &len);
        size_t out = n > 0 ? dns_reply(s, p, (size_t)n, sizeof p) : 0;
        if (out) sendto(s->fd, p, out, 0, (struct sockaddr *)&from, len);
    }
    return NULL;
}

static inline void dns_start(struct dns_stub *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, dns_run, s), 0);
}

static inline void dns_stop(struct dns_stub *s)
{
    s->stop = true;
    pthread_join(s->thread, NULL);
    close(s->fd);
}

#endif
