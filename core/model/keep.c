/* SPDX-License-Identifier: Apache-2.0 */
/* Files and matches of patterns by their names, and the same as one text: records of a kind, two lengths, name and bytes. */
#include "model/keep.h"

#include "base/arena.h"
#include "base/map.h"

enum kind { KEEP_FILE = 'F', KEEP_GLOB = 'G' };

struct record {
    uint8_t kind;
    uint32_t name_n;
    uint64_t bytes_n;
};
#define HEAD_N (1 + 4 + 8)

struct keep {
    struct arena arena;
    struct map files, globs; /* name -> str */
    bool replays, failed;
};

static struct keep *make(bool replays)
{
    struct keep *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    arena_init(&k->arena, NULL);
    map_init(&k->files, false);
    map_init(&k->globs, false);
    k->replays = replays;
    return k;
}

struct keep *keep_new(void)
{
    return make(false);
}

void keep_free(struct keep *k)
{
    if (!k)
        return;
    map_fini(&k->files);
    map_fini(&k->globs);
    arena_fini(&k->arena);
    free(k);
}

bool keep_replays(const struct keep *k)
{
    return k && k->replays;
}

/* The first bytes of a name count: a file that is read twice was the same for this load. */
static void put(struct keep *k, struct map *m, str name, str bytes)
{
    if (map_has(m, name))
        return;
    str *s = arena_zalloc(&k->arena, sizeof *s), key = arena_str(&k->arena, name);
    if (s)
        *s = arena_str(&k->arena, bytes);
    if (!s || !s->p || !key.p || map_put(m, key, s, NULL))
        k->failed = true;
}

void keep_file(struct keep *k, str path, str bytes)
{
    if (k && !k->replays)
        put(k, &k->files, path, bytes);
}

bool keep_file_get(const struct keep *k, str path, str *bytes)
{
    const str *s = k ? map_get(&k->files, path) : NULL;
    if (s)
        *bytes = *s;
    return s;
}

void keep_glob(struct keep *k, str pattern, const char *const *paths, unsigned n)
{
    struct text t;
    if (!k || k->replays)
        return;
    text_init(&t);
    for (unsigned i = 0; i < n; i++)
        text_add(&t, str_n(paths[i], strlen(paths[i]) + 1));
    if (t.failed)
        k->failed = true;
    else
        put(k, &k->globs, pattern, text_str(&t));
    text_fini(&t);
}

str keep_glob_get(const struct keep *k, str pattern)
{
    const str *s = k ? map_get(&k->globs, pattern) : NULL;
    return s ? *s : STR("");
}

static void write_map(const struct map *m, enum kind kind, struct text *t)
{
    uint32_t i = 0;
    str name;
    void *v;
    while (map_next(m, &i, &name, &v)) {
        const str *bytes = v;
        char head[HEAD_N] = {(char)kind};
        uint32_t name_n = (uint32_t)name.n;
        uint64_t bytes_n = bytes->n;
        memcpy(head + 1, &name_n, sizeof name_n);
        memcpy(head + 5, &bytes_n, sizeof bytes_n);
        text_add(t, str_n(head, sizeof head));
        text_add(t, name);
        text_add(t, *bytes);
    }
}

int keep_write(const struct keep *k, struct text *t)
{
    write_map(&k->files, KEEP_FILE, t);
    write_map(&k->globs, KEEP_GLOB, t);
    return k->failed || t->failed ? E_NOMEM : 0;
}

/* One record off the front of *s. */
static bool read_record(struct keep *k, str *s)
{
    struct record r;
    if (s->n < HEAD_N)
        return false;
    r.kind = (uint8_t)s->p[0];
    memcpy(&r.name_n, s->p + 1, sizeof r.name_n);
    memcpy(&r.bytes_n, s->p + 5, sizeof r.bytes_n);
    *s = str_drop(*s, HEAD_N);
    if ((r.kind != KEEP_FILE && r.kind != KEEP_GLOB) || r.name_n > s->n || r.bytes_n > s->n - r.name_n)
        return false;
    str name = str_take(*s, r.name_n), bytes = str_take(str_drop(*s, r.name_n), r.bytes_n);
    *s = str_drop(*s, r.name_n + r.bytes_n);
    if (r.kind == KEEP_GLOB && bytes.n && bytes.p[bytes.n - 1])
        return false; /* a path without its end */
    put(k, r.kind == KEEP_FILE ? &k->files : &k->globs, name, bytes);
    return !k->failed;
}

struct keep *keep_read(str text)
{
    struct keep *k = make(true);
    bool ok = k != NULL;
    while (ok && text.n)
        ok = read_record(k, &text);
    if (ok)
        return k;
    keep_free(k);
    return NULL;
}
