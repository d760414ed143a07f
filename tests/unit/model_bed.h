/* SPDX-License-Identifier: Apache-2.0 */
/* A conf written into a folder of its own and loaded: for the unit tests of floor 3. */
#ifndef MODEL_BED_H
#define MODEL_BED_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "base/diag.h"
#include "base/text.h"
#include "model/gateway.h"
#include "model/route.h"

#define BED_LISTEN "listen: [{address: \"127.0.0.1:8080\"}]\n"
#define BED_UPSTREAMS                                                                              \
    "upstreams: [{id: orders, targets: [\"127.0.0.1:9000\"]}, {id: toys, targets: "                \
    "[\"127.0.0.1:9001\"]}]\n"

struct bed {
    char dir[64];
    struct diag diag;
    struct gateway *gw;
};

static inline void bed_init(struct bed *b)
{
    snprintf(b->dir, sizeof(b->dir), "/tmp/sallyport-model.XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    diag_init(&b->diag);
    b->gw = NULL;
}

static inline int bed_unlink(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void bed_fini(struct bed *b)
{
    gateway_free(b->gw);
    diag_fini(&b->diag);
    nftw(b->dir, bed_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* name may hold one folder, which is made. */
static inline void bed_write(struct bed *b, const char *name, str text)
{
    char path[256];
    const char *slash = strchr(name, '/');
    FILE *out;

    if (slash) {
        snprintf(path, sizeof(path), "%s/%.*s", b->dir, (int)(slash - name), name);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text.p, 1, text.n, out), text.n);
    assert_int_equal(fclose(out), 0);
}

static inline void bed_put(struct bed *b, const char *name, const char *text)
{
    bed_write(b, name, str_z(text));
}

/* Loads main.yaml; whatever was loaded or reported before is dropped. */
static inline bool bed_try(struct bed *b)
{
    char path[128];

    gateway_free(b->gw);
    diag_fini(&b->diag);
    diag_init(&b->diag);
    snprintf(path, sizeof(path), "%s/main.yaml", b->dir);
    b->gw = gateway_load(path, &b->diag);
    assert_true((b->gw != NULL) == (b->diag.errors == 0));
    return b->gw != NULL;
}

static inline void bed_load(struct bed *b)
{
    if (!bed_try(b))
        fail_msg("%.*s", STR_ARG(diag_text(&b->diag)));
}

/* One API file beside a plain main conf. */
static inline const struct api *bed_api(struct bed *b, const char *text)
{
    bed_put(b, "main.yaml",
            BED_LISTEN BED_UPSTREAMS
            "vpc_links: {link-1: toys}\nplugins: [one, two]\napis: {include: api.yaml}\n");
    bed_put(b, "api.yaml", text);
    bed_load(b);
    assert_int_equal(b->gw->api_count, 1);
    return b->gw->apis[0];
}

/* The text of all messages holds this part. */
static inline void bed_said(struct bed *b, const char *part)
{
    assert_has(diag_text(&b->diag), part);
}

#endif
