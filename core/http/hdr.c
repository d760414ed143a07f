/* SPDX-License-Identifier: Apache-2.0 */
/* Header table: adding, replacing, removing, finding; a shared table is copied before its edit. */
#include "http/hdr.h"

#define FIRST_CAP 16u
#define COUNT_MAX 65536u

/* RFC 9110 5.6.2: tchar */
static const bool token_char[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,         ['&'] = 1,         ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,         ['^'] = 1,         ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1,
};

bool hdr_name_ok(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!token_char[(unsigned char)name.p[i]]) return false;
    }
    return name.n > 0;
}

/* RFC 9110 5.5: VCHAR, obs-text, space and tab. */
static inline bool value_char(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Does one of eight bytes look like a control character? (Tab does: look closer.) */
static inline bool has_control8(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t x;
    memcpy(&x, p, 8);
    uint64_t below_space = (x - ones * 0x20) & ~x & high;
    uint64_t del = x ^ (ones * 0x7f);
    return (below_space | ((del - ones) & ~del & high)) != 0;
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline bool has_control16(const char *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
    return _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)))) != 0;
}
#else
static inline bool has_control16(const char *p)
{
    return has_control8(p) || has_control8(p + 8);
}
#endif

static bool every_char_ok(str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (!value_char((unsigned char)value.p[i])) return false;
    }
    return true;
}

bool hdr_value_ok(str value)
{
    size_t n = value.n;
    bool look; /* the last window overlaps the one before it */
    if (n < 8) return every_char_ok(value);
    if (n < 16) {
        look = has_control8(value.p) || has_control8(value.p + n - 8);
    } else {
        look = has_control16(value.p + n - 16);
        for (size_t i = 0; i + 16 < n && !look; i += 16) look = has_control16(value.p + i);
    }
    return LIKELY(!look) || every_char_ok(value);
}

static __attribute__((noinline)) int grow(struct hdrs *h, struct arena *a)
{
    if (h->n >= COUNT_MAX) return E_LIMIT;
    uint32_t cap = h->n < FIRST_CAP ? FIRST_CAP : h->n + h->n / 2;
    struct hdr *v = arena_alloc(a, cap * sizeof *v);
    if (!v) return E_NOMEM;
    if (h->n) memcpy(v, h->v, h->n * sizeof *v);
    *h = (struct hdrs){.v = v, .seen = h->seen, .n = h->n, .cap = cap};
    return 0;
}

/* An array of its own with room for one more. */
static inline int make_room(struct hdrs *h, struct arena *a)
{
    return LIKELY(h->n < h->cap && !h->shared) ? 0 : grow(h, a);
}

static bool is_match(const struct hdr *e, uint16_t id, str name)
{
    if (e->flags & HDR_F_REMOVED) return false;
    if (id != HDR_OTHER || e->id != HDR_OTHER) return e->id == id;
    return str_ieq(e->name, name);
}

struct hdr *hdrs_room(struct hdrs *h, struct arena *a)
{
    return make_room(h, a) == 0 ? &h->v[h->n] : NULL;
}

int hdrs_add(struct hdrs *h, struct arena *a, uint16_t id, str name, str value)
{
    int rc = make_room(h, a);
    if (rc != 0) return rc;
    if (id == HDR_OTHER) id = hdr_id_of(name);
    h->v[h->n++] = (struct hdr){.name = name, .value = value, .id = id};
    h->seen |= hdr_bit(id);
    return 0;
}

int hdrs_set(struct hdrs *h, struct arena *a, uint16_t id, str name, str value)
{
    bool done = false;
    if (id == HDR_OTHER) id = hdr_id_of(name);
    uint32_t n = h->seen & hdr_bit(id) ? h->n : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_match(&h->v[i], id, name)) continue;
        if (h->shared) {
            int rc = make_room(h, a);
            if (rc != 0) return rc;
        }
        struct hdr *e = &h->v[i];
        if (done) e->flags |= HDR_F_REMOVED, e->proto = 0;
        else *e = (struct hdr){.name = name, .value = value, .id = id};
        done = true;
    }
    return done ? 0 : hdrs_add(h, a, id, name, value);
}

int hdrs_del(struct hdrs *h, struct arena *a, uint16_t id, str name)
{
    int n = 0;
    if (id == HDR_OTHER) id = hdr_id_of(name);
    if (!(h->seen & hdr_bit(id))) return 0;
    for (uint32_t i = 0; i < h->n; i++) {
        if (!is_match(&h->v[i], id, name)) continue;
        if (h->shared) {
            int rc = make_room(h, a);
            if (rc != 0) return rc;
        }
        h->v[i].flags |= HDR_F_REMOVED;
        h->v[i].proto = 0;
        n++;
    }
    return n;
}

const struct hdr *hdrs_get(const struct hdrs *h, uint16_t id, str name, unsigned nth)
{
    if (id == HDR_OTHER) id = hdr_id_of(name);
    if (!(h->seen & hdr_bit(id))) return NULL;
    for (uint32_t i = 0; i < h->n; i++) {
        if (is_match(&h->v[i], id, name) && nth-- == 0) return &h->v[i];
    }
    return NULL;
}

void hdrs_share(struct hdrs *to, const struct hdrs *from)
{
    *to = *from;
    to->shared = true;
}

bool hdrs_has_token(const struct hdrs *h, uint16_t id, str token)
{
    if (!(h->seen & hdr_bit(id))) return false;
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->v[i].id != id || h->v[i].flags & HDR_F_REMOVED) continue;
        str rest = h->v[i].value;
        while (rest.p) {
            if (str_ieq(str_trim(str_cut(&rest, ','), " \t"), token)) return true;
        }
    }
    return false;
}
