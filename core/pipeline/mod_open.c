/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a plugin's file: the file's checks, dlopen, sp_entry, the descriptor's checks. */
#include <dlfcn.h>
#include <unistd.h>

#include "pipeline/mod_int.h"

/* Absolute, without resolving links: a link's name is the plugin's name. */
static char *absolute(const char *path)
{
    if (path[0] == '/')
        return str_dup(str_z(path));
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return NULL;
    struct text t;
    text_init(&t);
    text_printf(&t, "%s/%s", cwd, path);
    free(cwd);
    size_t n;
    char *out = text_take(&t, &n);
    text_fini(&t);
    return out;
}

/* "headers" of "/usr/lib/sallyport/plugins-0/headers.so"; empty when it does not end in .so */
static str plain_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    str file = str_z(slash ? slash + 1 : path);
    return str_ends(file, STR(".so")) ? str_take(file, file.n - 3) : STR_NONE;
}

static struct sp_module *make(struct module_registry *reg, const char *path)
{
    struct sp_module *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->magic = MODULE_MAGIC;
    m->registry = reg;
    arena_init(&m->arena, NULL);
    m->path = absolute(path);
    if (m->path)
        return m;
    free(m);
    return NULL;
}

static void discard(struct sp_module *m)
{
    arena_fini(&m->arena);
    free(m->path);
    m->magic = 0;
    free(m);
}

/* The dynamic linker answers a known path with the code it has, whatever the file holds by now. */
static int check_known(const struct module_registry *reg, const struct sp_module *m,
                       struct module_report *r)
{
    const struct sp_module *k = reg->failed;
    while (k && strcmp(k->path, m->path) != 0)
        k = k->next_failed;
    if (!k || mod_file_same(k))
        return 0;
    return mod_refuse(r, "`sallyport upgrade` or a restart loads the new one",
                      "was replaced since this process looked at it");
}

static int refuse_dl(struct module_report *r)
{
    const char *why = dlerror(), *at;
    if (!why)
        why = "unknown reason";
    if ((at = strstr(why, "undefined symbol: ")))
        return mod_refuse(
            r,
            "link the library that defines it (-Wl,--no-undefined finds such gaps); the gateway "
            "itself exports nothing",
            "has an unresolved symbol: %s", at + strlen("undefined symbol: "));
    if ((at = strstr(why, ": cannot open shared object file")) && why[0] != '/')
        return mod_refuse(r, "install the package that holds it",
                          "needs the library %.*s, which is not installed", (int)(at - why), why);
    return mod_refuse(r, NULL, "cannot be loaded: %s", why);
}

/* dlopen and sp_entry(). */
static int enter(const struct sp_module *m, struct module_report *r, const void **descriptor)
{
    void *dl = dlopen(m->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!dl)
        return refuse_dl(r);
    if (!mod_file_same(m))
        return mod_refuse(r, "try again", "was replaced while it was being loaded");
    /* A data pointer to a function pointer, by way of POSIX's own recipe. */
    sp_entry_fn entry;
    void *sym = dlsym(dl, "sp_entry");
    if (!sym)
        return mod_refuse(r, "export `const struct sp_plugin *sp_entry(void)` with SP_EXPORT",
                          "is not a Sallyport plugin: it has no function sp_entry");
    memcpy(&entry, &sym, sizeof entry);
    *descriptor = entry();
    if (!*descriptor)
        return mod_refuse(r, "return the address of the descriptor",
                          "gives no descriptor: sp_entry() returned NULL");
    if ((uintptr_t)*descriptor % _Alignof(struct sp_plugin))
        return mod_refuse(r, "return the address of a struct sp_plugin",
                          "gives a descriptor at a misaligned address");
    return 0;
}

static int look(struct sp_module *m, str pin, struct module_report *r, bool *opened)
{
    const void *descriptor = NULL;
    str name = plain_name(m->path);
    *opened = false;
    if (!name.p)
        return mod_refuse(r, "rename it to NAME.so", "is not named NAME.so");
    int rc = mod_file_check(m, m->path, pin, r);
    if (!rc)
        rc = check_known(m->registry, m, r);
    if (rc)
        return rc;
    *opened = true;
    rc = enter(m, r, &descriptor);
    return rc ? rc : mod_check_descriptor(m, descriptor, name, r);
}

int module_open(struct module_registry *reg, const char *path, str pin,
                struct module_report *report, struct sp_module **out)
{
    struct module_report local, *r = report ? report : &local;
    bool opened;
    memset(r, 0, sizeof *r);
    *out = NULL;
    struct sp_module *m = make(reg, path);
    if (!m) {
        mod_refuse(r, NULL, "out of memory");
        return E_NOMEM;
    }
    int rc = look(m, pin, r, &opened);
    if (!opened) {
        discard(m);
        return rc;
    }
    /* Its code is mapped for good from here on, whether it is fit for use or not. */
    m->next_failed = reg->failed;
    reg->failed = m;
    if (rc)
        return rc;
    r->ok = true;
    *out = m;
    return 0;
}
