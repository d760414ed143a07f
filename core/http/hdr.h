/* SPDX-License-Identifier: Apache-2.0 */
/* Header table: names, values and small integers for the names that code asks for. Knows no wire format. */
#ifndef HTTP_HDR_H
#define HTTP_HDR_H

#include "base/arena.h"

/* Known names; the generated order is alphabetical. hdr_intern adds more while plugins load. */
enum hdr_id {
    HDR_OTHER = 0,
#define HDR(sym, name) HDR_##sym,
#include "http/hdr_names.h"
#undef HDR
    HDR_KNOWN
};
#define HDR_ID_MAX 1024

struct hdr {
    str name, value; /* name as it came; value without surrounding white space */
    uint16_t id;     /* HDR_OTHER: no id */
    uint8_t flags;
    uint8_t proto; /* bits of the protocol that parsed it; cleared by every edit */
};
enum { HDR_F_REMOVED = 1, HDR_F_NEVER_INDEX = 2 };

struct hdrs {
    struct hdr *v;
    uint64_t seen; /* bit id % 64 of every header that was ever added: what is not there needs no search */
    uint32_t n, cap;
    bool shared; /* v belongs to another table: copied before the first edit */
};
static inline uint64_t hdr_bit(uint16_t id) { return UINT64_C(1) << (id & 63); }

/* Names are compared without case. Lookup is O(1) in the name's length. */
uint16_t hdr_id_of(str name);
str hdr_id_name(uint16_t id); /* canonical spelling */
/* Main thread, also beside traffic: an id for any token (RFC 9110 5.1). 0 when the table is full or the name is malformed. */
uint16_t hdr_intern(str name);
bool hdr_name_ok(str name);
bool hdr_value_ok(str value); /* no CR, LF, NUL; printable, space, tab, obs-text */

/* Room for one more at the end, not counted in n and not initialised; NULL when memory is out or the table is full. Who fills it
 * adds its id's bit to `seen`. */
struct hdr *hdrs_room(struct hdrs *, struct arena *) MUST_USE;
/* Copies nothing: views must live as long as the table. id HDR_OTHER: it is looked up. */
int hdrs_add(struct hdrs *, struct arena *, uint16_t id, str name, str value) MUST_USE;
/* First one is replaced in place, further ones removed; added when there was none. */
int hdrs_set(struct hdrs *, struct arena *, uint16_t id, str name, str value) MUST_USE;
/* How many were removed, or E_NOMEM. */
int hdrs_del(struct hdrs *, struct arena *, uint16_t id, str name);
/* id HDR_OTHER: by name. NULL when absent. */
const struct hdr *hdrs_get(const struct hdrs *, uint16_t id, str name, unsigned nth);
static inline const struct hdr *hdrs_first(const struct hdrs *h, uint16_t id)
{
    if (!(h->seen & hdr_bit(id)))
        return NULL;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->v[i].id == id && !(h->v[i].flags & HDR_F_REMOVED))
            return &h->v[i];
    return NULL;
}
/* `to` shows `from`'s headers until its first edit. `from` must not change any more. */
void hdrs_share(struct hdrs *to, const struct hdrs *from);
/* Does a comma list of all values of id contain the token (case-insensitive)? */
bool hdrs_has_token(const struct hdrs *, uint16_t id, str token);

#endif
