/* SPDX-License-Identifier: Apache-2.0 */
/* Shortages: counted always, told once a minute. */
#include "base/shortage.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/log.h"

#define PERIOD_MS 60000u

const char *const shortage_names[SHORTAGES] = {"connections", "descriptors", "kernel_memory", "ports",
                                               "memory", "heap"};
const char *const shortage_places[SHORT_PLACES] = {"accept", "connect", "request", "loop"};

static const char *const what[SHORTAGES] = {
    [SHORT_CONNECTIONS] = "as many as may be are open (limits.connections)",
    [SHORT_DESCRIPTORS] = "no file descriptors are left (RLIMIT_NOFILE)",
    [SHORT_KERNEL] = "the kernel has no memory for sockets",
    [SHORT_PORTS] = "no local port is left (net.ipv4.ip_local_port_range)",
    [SHORT_MEMORY] = "limits.memory is reached",
    [SHORT_HEAP] = "the process gets no more memory"};
static const char *const then[SHORT_PLACES] = {
    [SHORT_AT_ACCEPT] = "connections cannot be accepted",
    [SHORT_AT_CONNECT] = "backends cannot be connected to",
    [SHORT_AT_REQUEST] = "requests are refused",
    [SHORT_AT_LOOP] = "event loops grow into what was set aside for them"};

static struct one {
    _Atomic uint64_t n, told; /* times; of them when it was last told */
    _Atomic uint64_t said_ms; /* plus 1; 0: never */
} all[SHORTAGES][SHORT_PLACES];

void shortage_note(enum shortage s, enum shortage_at at, uint64_t now_ms)
{
    struct one *o = &all[s][at];
    uint64_t n = atomic_fetch_add_explicit(&o->n, 1, memory_order_relaxed) + 1;
    uint64_t said = atomic_load_explicit(&o->said_ms, memory_order_relaxed);
    if (said && now_ms + 1 < said + PERIOD_MS)
        return;
    if (!atomic_compare_exchange_strong_explicit(&o->said_ms, &said, now_ms + 1,
                                                 memory_order_relaxed, memory_order_relaxed))
        return; /* another thread tells */
    uint64_t before = atomic_exchange_explicit(&o->told, n, memory_order_relaxed);
    if (n > before + 1)
        log_warn("%s: %s; %llu times since this was last told", then[at], what[s],
                 (unsigned long long)(n - before));
    else
        log_warn("%s: %s", then[at], what[s]);
}

uint64_t shortage_count(enum shortage s, enum shortage_at at)
{
    return atomic_load_explicit(&all[s][at].n, memory_order_relaxed);
}

bool shortage_of(int err, enum shortage *out)
{
    switch (err) {
    case EMFILE:
    case ENFILE:
        *out = SHORT_DESCRIPTORS;
        return true;
    case ENOBUFS:
    case ENOMEM:
        *out = SHORT_KERNEL;
        return true;
    case EADDRNOTAVAIL:
        *out = SHORT_PORTS;
        return true;
    default:
        return false;
    }
}
