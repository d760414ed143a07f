/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing out the process's descriptors. */
#include "process/files.h"

#include <limits.h>

#define FIXED      64u /* logs, channel, kept conf, memory areas, plugins; and what is free */
#define FREE       32u
#define PER_THREAD 4u /* epoll, wake-up, names */

struct files files_share(uint64_t limit, unsigned threads, unsigned sockets)
{
    uint64_t rest = FIXED + (uint64_t)PER_THREAD * threads + sockets;
    uint64_t most = limit / 2; /* very few: half of them is for traffic all the same */
    struct files f = {.limit = limit, .rest = rest < most ? rest : most};
    uint64_t each = (limit - f.rest) / 2;
    uint64_t ceiling = limit - (FREE < f.rest / 2 ? FREE : f.rest / 2);
    f.connections = each > UINT32_MAX ? UINT32_MAX : each ? (uint32_t)each : 1;
    f.ceiling = ceiling > INT_MAX ? INT_MAX : (int)ceiling;
    return f;
}

uint64_t files_needed(const struct files *f, uint64_t connections)
{
    return connections * 2 + f->rest;
}
