/* SPDX-License-Identifier: Apache-2.0 */
/* What ran out, and what was slowed or refused for it: a count each, and a line a minute in the log. Any thread. */
#ifndef BASE_SHORTAGE_H
#define BASE_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

enum shortage {
    SHORT_CONNECTIONS, /* limits.connections, or what descriptors leave of them */
    SHORT_DESCRIPTORS, /* EMFILE, ENFILE */
    SHORT_KERNEL,      /* ENOBUFS, ENOMEM of a system call */
    SHORT_PORTS,       /* EADDRNOTAVAIL at connect(2) */
    SHORT_MEMORY,      /* limits.memory */
    SHORT_HEAP,        /* malloc */
    SHORTAGES
};
enum shortage_at {
    SHORT_AT_ACCEPT,  /* connections wait in the kernel's queue */
    SHORT_AT_CONNECT, /* calls of upstreams fail with 503 */
    SHORT_AT_REQUEST, /* requests are answered 503 */
    SHORT_AT_LOOP,    /* libev would abort, loop_mem.h */
    SHORT_PLACES
};
extern const char *const shortage_names[SHORTAGES];
extern const char *const shortage_places[SHORT_PLACES];

/* now_ms: of a monotonic clock. */
void shortage_note(enum shortage, enum shortage_at, uint64_t now_ms);
uint64_t shortage_count(enum shortage, enum shortage_at);
/* Is errno one of the machine's own shortages? */
bool shortage_of(int err, enum shortage *out);

#endif
