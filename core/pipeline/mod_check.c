/* SPDX-License-Identifier: Apache-2.0 */
/* Judges a plugin's descriptor and copies it: only bytes that the plugin says are there are read,
 * and members that it does not know read as zero. */
#include "pipeline/mod_int.h"

/* The descriptor of the oldest plugins: the calls may be missing, what they are may not. */
#define SIZE_MIN        ((uint32_t)offsetof(struct sp_plugin, load))
#define SIZE_SANE       65536u
#define STRIDE_SANE     4096u
#define PROVIDES_MAX    64
#define NAME_MAX_PLUGIN 63

static const char rebuild[] = "rebuild it against this gateway's sallyport-dev";

const char *mod_point_name(unsigned point)
{
    static const char *const names[] = {"none",         "STAGE",         "REQUEST",
                                        "REQUEST_BODY", "INTEGRATION",   "ATTEMPT",
                                        "RESPONSE",     "RESPONSE_BODY", "LOG"};
    return point < ARRAY_LEN(names) ? names[point] : "unknown";
}

bool mod_name_ok(str name)
{
    if (name.n == 0 || name.n > NAME_MAX_PLUGIN || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

/* The 12 bytes that never move, then as much of the rest as both sides know. */
static int copy_descriptor(struct sp_module *m, const void *from, struct module_report *r)
{
    struct {
        uint32_t magic;
        uint16_t abi_major, abi_minor;
        uint32_t size;
    } head;
    memcpy(&head, from, sizeof head);
    if (head.magic != SP_MAGIC)
        return mod_refuse(
            r, "set .magic = SP_MAGIC",
            "is not a Sallyport plugin: its descriptor begins with 0x%08x, not 0x%08x", head.magic,
            SP_MAGIC);
    r->abi_major = head.abi_major;
    r->abi_minor = head.abi_minor;
    if (head.abi_major != SP_ABI_MAJOR)
        return mod_refuse(r, rebuild, "was built for ABI %u.%u; this gateway speaks ABI %u.%u",
                          head.abi_major, head.abi_minor, SP_ABI_MAJOR, SP_ABI_MINOR);
    if (head.size < SIZE_MIN || head.size > SIZE_SANE)
        return mod_refuse(r, "set .size = sizeof(struct sp_plugin)",
                          "has a descriptor of %u bytes; %u to %u were expected", head.size,
                          SIZE_MIN, SIZE_SANE);
    memset(&m->desc, 0, sizeof m->desc);
    memcpy(&m->desc, from, head.size < sizeof m->desc ? head.size : sizeof m->desc);
    return 0;
}

static int check_minor(const struct sp_module *m, struct module_report *r)
{
    const struct sp_plugin *d = &m->desc;
    r->need_minor = d->need_minor;
    if (d->need_minor > SP_ABI_MINOR)
        return mod_refuse(r, "upgrade the gateway, or use an older version of the plugin",
                          "needs ABI %u.%u at least; this gateway speaks ABI %u.%u", d->abi_major,
                          d->need_minor, SP_ABI_MAJOR, SP_ABI_MINOR);
    if (d->abi_minor != SP_ABI_MINOR)
        snprintf(r->notice, sizeof r->notice,
                 "was built for ABI %u.%u; this gateway speaks %u.%u, and ABI %u is not frozen "
                 "yet: rebuild it",
                 d->abi_major, d->abi_minor, SP_ABI_MAJOR, SP_ABI_MINOR, SP_ABI_MAJOR);
    return 0;
}

static int check_name(const struct sp_module *m, str file_name, struct module_report *r)
{
    static const char rule[] =
        "set .name to the file's name without .so: a letter a-z, then a-z, 0-9 and -, 63 at most";
    const char *name = m->desc.name;
    if (!name || !name[0])
        return mod_refuse(r, rule, "has an empty name");
    size_t n = strnlen(name, NAME_MAX_PLUGIN + 1);
    if (n > NAME_MAX_PLUGIN)
        return mod_refuse(r, rule, "has a name of more than %d characters: '%.*s...'",
                          NAME_MAX_PLUGIN, NAME_MAX_PLUGIN, name);
    if (!mod_name_ok(str_n(name, n)))
        return mod_refuse(r, rule, "has a malformed name: '%s'", name);
    snprintf(r->name, sizeof r->name, "%s", name);
    if (!str_eq(str_n(name, n), file_name))
        return mod_refuse(r, rule, "names itself '%s', but its file is named '%.*s.so'", name,
                          STR_ARG(str_take(file_name, 80)));
    const struct sp_module *other = module_find(m->registry, str_n(name, n));
    if (other)
        return mod_refuse(r, "load one of them only",
                          "is a second plugin named '%s': one was loaded from %s", name,
                          other->path);
    if (!m->desc.version || !m->desc.version[0])
        return mod_refuse(r, "set .version", "has no version");
    snprintf(r->version, sizeof r->version, "%s", m->desc.version);
    return 0;
}

static int check_tables(const struct sp_module *m, struct module_report *r)
{
    static const char *const names[] = {"core",   "conf",  "exchange", "body",    "buffer",
                                        "client", "timer", "metric",   "command", "upstream",
                                        "dict",   "io",    "offload"};
    const struct sp_host *host = m->registry->host;
    uint64_t missing = host ? m->desc.tables & ~host->tables : 0;
    if (!missing)
        return 0;
    unsigned bit = (unsigned)__builtin_ctzll(missing);
    if (bit >= ARRAY_LEN(names))
        return mod_refuse(r, "upgrade the gateway, or correct .tables",
                          "needs the host table number %u, which this gateway does not know", bit);
    return mod_refuse(
        r, "use a gateway that has it, or drop its bit from .tables and test for NULL",
        "cannot live without the host table '%s', which this gateway (ABI %u.%u) does not have",
        names[bit], SP_ABI_MAJOR, SP_ABI_MINOR);
}

static int check_hook(struct sp_module *m, unsigned i, struct module_report *r)
{
    const struct sp_hook *h = &m->hooks[i];
    if (h->point < SP_HP_STAGE || h->point > SP_HP_LOG)
        return mod_refuse(r, "use one of SP_HP_STAGE to SP_HP_LOG",
                          "has a hook (number %u) at the unknown hook point %u", i, h->point);
    if (!h->fn)
        return mod_refuse(r, "set .fn", "has a hook at %s without a function",
                          mod_point_name(h->point));
    for (unsigned k = 0; k < i; k++)
        if (m->hooks[k].point == h->point)
            return mod_refuse(r, "make them one", "has two hooks at %s", mod_point_name(h->point));
    return 0;
}

static int check_hooks(struct sp_module *m, struct module_report *r)
{
    struct sp_plugin *d = &m->desc;
    if (d->nhooks == 0)
        return 0;
    if (!d->hooks)
        return mod_refuse(r, "set .hooks", "says it has %u hooks, but has no table of them",
                          d->nhooks);
    if (d->nhooks > ARRAY_LEN(m->hooks))
        return mod_refuse(r, "one hook per hook point is enough", "has %u hooks; %u at most",
                          d->nhooks, (unsigned)ARRAY_LEN(m->hooks));
    if (d->hook_stride < sizeof(struct sp_hook) || d->hook_stride > STRIDE_SANE ||
        d->hook_stride % 8)
        return mod_refuse(r, "set .hook_stride = sizeof(struct sp_hook)",
                          "has a hook stride of %u bytes; a hook has %zu", d->hook_stride,
                          sizeof(struct sp_hook));
    for (unsigned i = 0; i < d->nhooks; i++) {
        memcpy(&m->hooks[i], (const char *)d->hooks + (size_t)i * d->hook_stride,
               sizeof m->hooks[i]);
        int rc = check_hook(m, i, r);
        if (rc)
            return rc;
    }
    d->hooks = m->hooks;
    d->hook_stride = sizeof(struct sp_hook);
    return 0;
}

/* "integration:MOCK", "validator" */
static bool capability_ok(const char *c)
{
    size_t n = strnlen(c, 65);
    if (n == 0 || n > 64)
        return false;
    for (size_t i = 0; i < n; i++)
        if (c[i] <= 0x20 || c[i] > 0x7e)
            return false;
    return true;
}

static int check_provides(const struct sp_module *m, struct module_report *r)
{
    bool integration = false;
    const char *const *p = m->desc.provides;
    for (unsigned i = 0; p && p[i]; i++) {
        if (i >= PROVIDES_MAX)
            return mod_refuse(r, "end .provides with NULL", "provides more than %d capabilities",
                              PROVIDES_MAX);
        if (!capability_ok(p[i]))
            return mod_refuse(
                r, "a capability is 1 to 64 visible ASCII characters, such as integration:MOCK",
                "provides a malformed capability (number %u)", i);
        integration = integration || strncmp(p[i], "integration:", 12) == 0;
    }
    if (integration && !module_hook(m, SP_HP_INTEGRATION))
        return mod_refuse(r, "add the hook, or drop the capability",
                          "provides an integration type, but has no hook at INTEGRATION");
    return 0;
}

int mod_check_descriptor(struct sp_module *m, const void *descriptor, str file_name,
                         struct module_report *r)
{
    int rc = copy_descriptor(m, descriptor, r);
    if (!rc)
        rc = check_minor(m, r);
    if (!rc)
        rc = check_name(m, file_name, r);
    if (!rc)
        rc = check_tables(m, r);
    if (!rc && m->desc.ctx_size > SP_CTX_MAX)
        rc = mod_refuse(r, "keep large things in exchange->alloc",
                        "asks for %u bytes of ctx per exchange; %u at most", m->desc.ctx_size,
                        SP_CTX_MAX);
    if (!rc)
        rc = check_hooks(m, r);
    if (!rc)
        rc = check_provides(m, r);
    return rc ? rc : mod_check_options(m, r);
}
