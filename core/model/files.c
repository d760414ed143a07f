/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a conf: relative names, patterns in byte order, each file read once. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/load.h"

#define GLOB_MAX 10000
#define TEXT_MAX (1u << 20)

void load_nomem(struct load *ld)
{
    if (!ld->nomem)
        diag_error(ld->diag, (struct diag_at){NULL, 0, 0}, NULL, NULL,
                   "out of memory while the conf was read");
    ld->nomem = true;
}

void *load_alloc(struct load *ld, size_t n)
{
    void *p = arena_zalloc(ld->arena, n ? n : 1);

    if (!p)
        load_nomem(ld);
    return p;
}

str load_str(struct load *ld, str s)
{
    str out = arena_str(ld->arena, s);

    if (!out.p)
        load_nomem(ld);
    return out.p ? out : STR("");
}

str load_first_at(struct load *ld, const struct node_tree *t, const struct node *n)
{
    return arena_printf(&ld->diag->arena, "first at %s:%u:%u", node_file(t, n), n->line, n->col);
}

const char *load_path(struct load *ld, const struct node *from)
{
    const char *base = node_file(ld->tree, from), *slash = base ? strrchr(base, '/') : NULL;
    str dir = slash ? str_n(base, (size_t)(slash - base) + 1) : STR("");
    str out;

    if (from->text.n && from->text.p[0] == '/')
        dir = STR("");
    out = arena_cat(ld->arena, 2, (str[]){dir, from->text});
    if (!out.p)
        load_nomem(ld);
    return out.p;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_paths(struct load *ld, const glob_t *g, const char **v)
{
    for (size_t i = 0; i < g->gl_pathc; i++)
        v[i] = load_str(ld, str_z(g->gl_pathv[i])).p;
    qsort(v, g->gl_pathc, sizeof(*v), by_bytes);
}

/* A folder that is not there holds no file; one that may not be read is an error. */
static int glob_error(const char *path, int err)
{
    (void)path;
    return err != ENOENT && err != ENOTDIR;
}

static const char **kept_glob(struct load *ld, const char *pattern, unsigned *count)
{
    str all = keep_glob_get(ld->keep, str_z(pattern));
    unsigned n = 0;
    const char **v;

    for (size_t i = 0; i < all.n; i++)
        n += all.p[i] == '\0';
    v = LOAD_NEW(ld, const char *, n);
    for (unsigned i = 0; v && i < n; i++) {
        v[i] = load_str(ld, str_z(all.p)).p;
        all = str_drop(all, strlen(all.p) + 1);
    }
    *count = v ? n : 0;
    return v;
}

const char **load_glob(struct load *ld, const struct node *n, unsigned *count)
{
    const char *pattern = load_path(ld, n), **v = NULL;
    glob_t g = {0};
    int rc;

    *count = 0;
    if (!pattern)
        return NULL;
    if (keep_replays(ld->keep))
        return kept_glob(ld, pattern, count);
    rc = glob(pattern, GLOB_NOSORT, glob_error, &g);
    if (rc == GLOB_NOMATCH) {
        if (!strpbrk(pattern, "*?["))
            node_error(ld->diag, ld->tree, n, "a readable file", "there is no file '%s'", pattern);
    } else if (rc != 0) {
        node_error(ld->diag, ld->tree, n, NULL, "cannot read the directory of '%s': %s", pattern,
                   rc == GLOB_NOSPACE ? "out of memory" : strerror(errno));
    } else if (g.gl_pathc > GLOB_MAX) {
        node_error(ld->diag, ld->tree, n, "at most 10000", "%zu files match", g.gl_pathc);
    } else if ((v = LOAD_NEW(ld, const char *, g.gl_pathc)) != NULL) {
        sort_paths(ld, &g, v);
        *count = (unsigned)g.gl_pathc;
        keep_glob(ld->keep, str_z(pattern), v, *count);
    }
    globfree(&g);
    return v;
}

static struct node *read_text(struct load *ld, const char *path, str text)
{
    const struct node_limits limits = NODE_LIMITS_DEFAULT;
    struct node *root = node_read(ld->tree, ld->diag, path, text, &limits);

    if (root && map_put(&ld->files, str_z(path), root, NULL))
        load_nomem(ld);
    return root;
}

struct node *load_file(struct load *ld, const char *path, const struct node *from)
{
    const struct node_limits limits = NODE_LIMITS_DEFAULT;
    struct node *root = map_get(&ld->files, str_z(path));
    size_t n = 0;
    char *text;
    struct stat st;
    str kept;

    if (root)
        return root;
    if (keep_file_get(ld->keep, str_z(path), &kept))
        return read_text(ld, path, kept);
    if (from && (stat(path, &st) != 0 || !S_ISREG(st.st_mode))) {
        node_error(ld->diag, ld->tree, from, "a readable file", "cannot read '%s': %s", path,
                   errno && access(path, F_OK) != 0 ? strerror(errno) : "not a regular file");
        return NULL;
    }
    text = node_file_bytes(ld->diag, path, limits.bytes, &n);
    if (!text)
        return NULL;
    keep_file(ld->keep, str_z(path), str_n(text, n));
    root = read_text(ld, path, str_n(text, n));
    free(text);
    return root;
}

static int read_all(int fd, char *to, size_t max, size_t *n)
{
    *n = 0;
    while (*n < max) {
        ssize_t got = read(fd, to + *n, max - *n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return E_IO;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return 0;
}

str load_bytes(struct load *ld, const char *path, const struct node *n, size_t max)
{
    char *to = NULL;
    struct stat st;
    size_t got = 0;
    str kept;

    if (keep_file_get(ld->keep, str_z(path), &kept))
        return load_str(ld, kept);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        node_error(ld->diag, ld->tree, n, "a readable file", "cannot read '%s': %s", path,
                   strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        node_error(ld->diag, ld->tree, n, "a regular file", "'%s' is not a regular file", path);
    } else if ((size_t)st.st_size > max) {
        node_error(ld->diag, ld->tree, n, NULL, "'%s' is larger than %zu bytes", path, max);
    } else if (!(to = arena_bytes(ld->arena, (size_t)st.st_size + 1))) {
        load_nomem(ld);
    } else if (read_all(fd, to, (size_t)st.st_size, &got)) {
        node_error(ld->diag, ld->tree, n, NULL, "cannot read '%s': %s", path, strerror(errno));
        to = NULL;
    } else {
        to[got] = 0;
        keep_file(ld->keep, str_z(path), str_n(to, got));
    }
    if (fd >= 0)
        close(fd);
    return str_n(to, got);
}

str load_text(struct load *ld, const char *path, const struct node *n)
{
    str text = load_bytes(ld, path, n, TEXT_MAX);

    if (!text.p)
        return STR_NONE;
    if (str_chr(text, '\0') < text.n || !str_is_utf8(text)) {
        node_error(ld->diag, ld->tree, n, "a text in UTF-8", "'%s' is not a text", path);
        return STR_NONE;
    }
    if (str_ends(text, STR("\n")))
        text.n--;
    if (str_ends(text, STR("\r")))
        text.n--;
    return load_str(ld, text);
}
