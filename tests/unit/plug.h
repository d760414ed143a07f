/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that load plugins: a registry with a host of this floor's tables, and a folder of
 * copies of the test plugins, with modes and owner of our own choice. */
#ifndef UNIT_PLUG_H
#define UNIT_PLUG_H

#include "unit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/host.h"
#include "pipeline/metric.h"
#include "pipeline/module.h"
#include "pipeline/upstream.h"

static const struct sp_host plug_host = {
    .size = sizeof(struct sp_host),
    .abi_major = SP_ABI_MAJOR,
    .abi_minor = SP_ABI_MINOR,
    .tables = SP_TABLE_CORE | SP_TABLE_CONF | SP_TABLE_BUFFER | SP_TABLE_METRIC | SP_TABLE_COMMAND |
              SP_TABLE_UPSTREAM,
    .version = "0.1.0",
    .core = &host_core_api,
    .conf = &host_conf_api,
    .buffer = &host_buffer_api,
    .metric = &host_metric_api,
    .command = &host_command_api,
    .upstream = &host_upstream_api,
};

struct plug {
    struct module_registry reg;
    struct metrics *metrics;
    struct upstreams *ups;
    char dir[512];
};

static inline char *plug_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        print_error("%s: cannot be read; build it with `make test-plugins`\n", path);
        fail();
    }
    char *p = malloc(8u << 20);
    assert_non_null(p);
    *n = fread(p, 1, 8u << 20, f);
    fclose(f);
    return p;
}

static inline void plug_write(const char *path, const void *p, size_t n, mode_t mode)
{
    unlink(path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* The path of a file in the test's folder; the text lives until the next call. */
static inline const char *plug_path(const struct plug *p, const char *file)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", p->dir, file);
    return path;
}

/* Copies tests/plug's NAME.so into the test's folder as `file`. */
static inline const char *plug_copy(const struct plug *p, const char *name, const char *file)
{
    char from[1024];
    size_t n;
    const char *top = getenv("top_builddir");
    snprintf(from, sizeof from, "%s/tests/plug/.libs/%s.so", top ? top : ".", name);
    char *bytes = plug_read(from, &n);
    plug_write(plug_path(p, file), bytes, n, 0755);
    free(bytes);
    return plug_path(p, file);
}

static inline struct plug *plug_new(void)
{
    struct plug *p = calloc(1, sizeof *p);
    assert_non_null(p);
    const char *top = getenv("top_builddir");
    snprintf(p->dir, sizeof p->dir, "%s/tests/plug/load.XXXXXX", top ? top : ".");
    if (!mkdtemp(p->dir))
        fail();
    assert_non_null(p->metrics = metrics_new(0));
    assert_non_null(p->ups = upstreams_new(0));
    assert_int_equal(module_registry_init(&p->reg, &plug_host, p->metrics, p->ups, "0.1.0"), 0);
    host_thread_enter(p->metrics, 0);
    return p;
}

static inline void plug_free(struct plug *p)
{
    module_registry_fini(&p->reg);
    upstreams_free(p->ups);
    metrics_free(p->metrics);
    host_thread_leave();
    DIR *d = opendir(p->dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && unlink(plug_path(p, e->d_name)))
            rmdir(plug_path(p, e->d_name));
    closedir(d);
    assert_int_equal(rmdir(p->dir), 0);
    free(p);
}

#endif
