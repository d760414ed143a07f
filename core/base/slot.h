/* SPDX-License-Identifier: Apache-2.0 */
/* Handle table: integer tokens with a generation, so that a stale handle is refused and never misdirected.
 *
 * token = owner (8 bits) | index (24 bits) | generation (32 bits, never 0). The generation and the armed state live in one atomic
 * word: with two words a late resume can hit the next user of the slot. slot_open/slot_close/slot_get: the owner's thread only.
 * slot_fire: any thread. Slots are never given back to the heap before slot_table_fini. */
#ifndef BASE_SLOT_H
#define BASE_SLOT_H

#include <stdatomic.h>

#include "base/cc.h"

#define SLOT_CHUNK 256u
#define SLOT_CHUNKS 4096u

struct slot {
    _Atomic uint64_t word; /* generation << 2 | state: 0 free, 1 armed, 2 fired, 3 being fired */
    void *ptr;             /* owner's thread only */
    uint64_t tag;          /* written by the firer that won, read by the owner after slot_take */
    uint32_t next_free;
    uint8_t owner;
    bool closed; /* owner's thread only: closed while being fired, see limbo_head */
};

struct slot_table {
    _Atomic(struct slot *) chunks[SLOT_CHUNKS];
    uint32_t count, free_head; /* free_head: index + 1 */
    uint32_t limbo_head; /* as free_head: closed slots whose firer was still writing */
    uint32_t live, max;
    uint8_t owner;
};

void slot_table_init(struct slot_table *, uint8_t owner, uint32_t max);
void slot_table_fini(struct slot_table *);
/* 0 when the table is full or memory is out. */
uint64_t slot_open(struct slot_table *, void *ptr) MUST_USE;
/* Owner: whatever the state, the token is dead from now on. E_GONE when it already was. */
int slot_close(struct slot_table *, uint64_t token);
/* Owner: the pointer behind a live token (armed or fired), or NULL. */
void *slot_get(struct slot_table *, uint64_t token);
/* Any thread: armed -> fired, exactly once. E_GONE for all others; E_ARG for a token that was never made. */
int slot_fire(struct slot_table *, uint64_t token, uint64_t tag);
/* Owner, when the firing's message arrives: the pointer and the tag if the token is still live and fired, and closes it. */
void *slot_take(struct slot_table *, uint64_t token, uint64_t *tag);
static inline unsigned slot_owner(uint64_t token) { return (unsigned)(token >> 56); }

#endif
