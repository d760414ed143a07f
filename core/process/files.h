/* SPDX-License-Identifier: Apache-2.0 */
/* How the process's descriptors are shared out. */
#ifndef PROCESS_FILES_H
#define PROCESS_FILES_H

#include <stdint.h>

/* Clients may have `connections`, and backends as many: each request may need one. Idle connections to backends count among
 * the latter, for they are closed when others want them. The rest is for listeners, threads, logs, health checks and plugins,
 * and a part of it is kept free of backends: for the status listener and for reloads. */
struct files {
    uint64_t limit; /* UINT64_MAX: none */
    uint64_t rest;
    uint32_t connections;
    int ceiling; /* connections to backends stay below this descriptor */
};
struct files files_share(uint64_t limit, unsigned threads, unsigned sockets);
/* Descriptors that so many connections need. */
uint64_t files_needed(const struct files *, uint64_t connections);

#endif
