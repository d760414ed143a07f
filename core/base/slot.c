/* SPDX-License-Identifier: Apache-2.0 */
/* Handle table: tokens with a generation; one atomic word per slot decides every race between
 * firers and the owner. */
#include "base/slot.h"

#include <string.h>

enum { FREE = 0, ARMED = 1, FIRED = 2, FIRING = 3 };

static uint64_t word_of(uint32_t generation, unsigned state)
{
    return (uint64_t)generation << 2 | state;
}

static uint32_t generation_of(uint64_t word)
{
    return (uint32_t)(word >> 2);
}

static unsigned state_of(uint64_t word)
{
    return (unsigned)(word & 3);
}

void slot_table_init(struct slot_table *t, uint8_t owner, uint32_t max)
{
    const uint32_t all = SLOT_CHUNK * SLOT_CHUNKS;
    memset(t, 0, sizeof *t);
    t->owner = owner;
    t->max = max && max < all ? max : all;
}

void slot_table_fini(struct slot_table *t)
{
    for (uint32_t i = 0; i < SLOT_CHUNKS; i++) {
        free(atomic_load_explicit(&t->chunks[i], memory_order_relaxed));
    }
    memset(t, 0, sizeof *t);
}

/* The slot at an index, or NULL where none was made yet. */
static struct slot *slot_at(struct slot_table *t, uint32_t index)
{
    if (index >= SLOT_CHUNK * SLOT_CHUNKS)
        return NULL;
    struct slot *chunk = atomic_load_explicit(&t->chunks[index / SLOT_CHUNK], memory_order_acquire);
    return chunk ? &chunk[index % SLOT_CHUNK] : NULL;
}

static uint32_t index_of(uint64_t token)
{
    return (uint32_t)(token >> 32) & 0xffffff;
}

static void free_push(struct slot_table *t, uint32_t index, struct slot *s)
{
    uint32_t generation = generation_of(atomic_load_explicit(&s->word, memory_order_relaxed)) + 1;
    if (generation == 0)
        generation = 1;
    s->ptr = NULL;
    atomic_store_explicit(&s->word, word_of(generation, FREE), memory_order_release);
    s->next_free = t->free_head;
    t->free_head = index + 1;
}

/* Slots that were closed while a firer was between its two steps: free once it is through. */
static void sweep_limbo(struct slot_table *t)
{
    uint32_t *at = &t->limbo_head;
    while (*at) {
        uint32_t index = *at - 1;
        struct slot *s = slot_at(t, index);
        if (state_of(atomic_load_explicit(&s->word, memory_order_acquire)) == FIRING) {
            at = &s->next_free;
            continue;
        }
        *at = s->next_free;
        s->closed = false;
        free_push(t, index, s);
    }
}

static struct slot *slot_new(struct slot_table *t, uint32_t *index)
{
    if (t->count >= SLOT_CHUNK * SLOT_CHUNKS)
        return NULL;
    uint32_t chunk = t->count / SLOT_CHUNK;
    if (t->count % SLOT_CHUNK == 0) {
        struct slot *v = calloc(SLOT_CHUNK, sizeof *v);
        if (!v)
            return NULL;
        for (uint32_t i = 0; i < SLOT_CHUNK; i++) {
            v[i].owner = t->owner;
            atomic_init(&v[i].word, word_of(1, FREE));
        }
        atomic_store_explicit(&t->chunks[chunk], v, memory_order_release);
    }
    *index = t->count++;
    return slot_at(t, *index);
}

uint64_t slot_open(struct slot_table *t, void *ptr)
{
    struct slot *s;
    uint32_t index;
    if (t->limbo_head)
        sweep_limbo(t);
    if (t->live >= t->max)
        return 0;
    if (t->free_head) {
        index = t->free_head - 1;
        s = slot_at(t, index);
        t->free_head = s->next_free;
    } else {
        s = slot_new(t, &index);
        if (!s)
            return 0;
    }
    uint32_t generation = generation_of(atomic_load_explicit(&s->word, memory_order_relaxed));
    s->ptr = ptr;
    s->next_free = 0;
    t->live++;
    atomic_store_explicit(&s->word, word_of(generation, ARMED), memory_order_release);
    return (uint64_t)t->owner << 56 | (uint64_t)index << 32 | generation;
}

/* Owner: the slot of a live token, or NULL. */
static struct slot *live(struct slot_table *t, uint64_t token, uint64_t *word)
{
    if (slot_owner(token) != t->owner || (uint32_t)token == 0)
        return NULL;
    struct slot *s = slot_at(t, index_of(token));
    if (!s || s->closed)
        return NULL;
    *word = atomic_load_explicit(&s->word, memory_order_acquire);
    return generation_of(*word) == (uint32_t)token && state_of(*word) != FREE ? s : NULL;
}

int slot_close(struct slot_table *t, uint64_t token)
{
    uint64_t word = 0;
    uint32_t index = index_of(token);
    struct slot *s = live(t, token, &word);
    if (!s)
        return E_GONE;
    t->live--;
    /* armed -> fired by ourselves keeps late firers out; losing to one shows FIRING or FIRED. */
    if (state_of(word) == ARMED &&
        atomic_compare_exchange_strong_explicit(&s->word, &word, word_of((uint32_t)token, FIRED),
                                                memory_order_acq_rel, memory_order_acquire)) {
        word = word_of((uint32_t)token, FIRED);
    }
    if (state_of(word) == FIRING) {
        s->closed = true;
        s->ptr = NULL;
        s->next_free = t->limbo_head;
        t->limbo_head = index + 1;
    } else {
        free_push(t, index, s);
    }
    return 0;
}

void *slot_get(struct slot_table *t, uint64_t token)
{
    uint64_t word;
    struct slot *s = live(t, token, &word);
    return s ? s->ptr : NULL;
}

int slot_fire(struct slot_table *t, uint64_t token, uint64_t tag)
{
    uint32_t generation = (uint32_t)token;
    if (slot_owner(token) != t->owner || generation == 0)
        return E_ARG;
    struct slot *s = slot_at(t, index_of(token));
    if (!s)
        return E_ARG;
    uint64_t word = word_of(generation, ARMED);
    if (!atomic_compare_exchange_strong_explicit(&s->word, &word, word_of(generation, FIRING),
                                                 memory_order_acquire, memory_order_relaxed)) {
        int32_t ahead = (int32_t)(generation - generation_of(word));
        bool never = ahead > 0 || (ahead == 0 && state_of(word) == FREE);
        return never ? E_ARG : E_GONE;
    }
    /* Between FIRING and FIRED nobody else may touch the slot: the tag cannot meet the next
     * generation. */
    s->tag = tag;
    atomic_store_explicit(&s->word, word_of(generation, FIRED), memory_order_release);
    return 0;
}

void *slot_take(struct slot_table *t, uint64_t token, uint64_t *tag)
{
    uint64_t word;
    struct slot *s = live(t, token, &word);
    if (!s || state_of(word) != FIRED)
        return NULL;
    void *ptr = s->ptr;
    if (tag)
        *tag = s->tag;
    t->live--;
    free_push(t, index_of(token), s);
    return ptr;
}
