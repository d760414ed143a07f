/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of loaded plugins: find by name, load once, start on threads, unload at the end. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "model/schema.h"
#include "pipeline/host_vars.h"
#include "pipeline/mod_int.h"
#include "pipeline/upstream.h"

int module_registry_init(struct module_registry *reg, const struct sp_host *host,
                         struct metrics *metrics, struct upstreams *upstreams, const char *version)
{
    memset(reg, 0, sizeof *reg);
    reg->host = host;
    reg->metrics = metrics;
    reg->upstreams = upstreams;
    reg->version = version;
    reg->vars = host_vars_new();
    return reg->vars ? 0 : E_NOMEM;
}

static void module_free(struct sp_module *m)
{
    arena_fini(&m->arena);
    free(m->path);
    m->magic = 0;
    free(m);
}

void module_registry_fini(struct module_registry *reg)
{
    for (unsigned i = reg->count; i-- > 0;)
        if (reg->v[i]->desc.unload)
            reg->v[i]->desc.unload(reg->v[i]->state);
    while (reg->count)
        module_free(reg->v[--reg->count]);
    while (reg->failed) {
        struct sp_module *m = reg->failed;
        reg->failed = m->next_failed;
        module_free(m);
    }
    for (unsigned i = 0; i < reg->command_count; i++) {
        free(reg->commands[i].name);
        free(reg->commands[i].usage);
    }
    free(reg->commands);
    for (unsigned i = 0; i < reg->defined_count; i++)
        upstream_unref(reg->defined[i].upstream);
    free(reg->defined);
    free(reg->destinations);
    host_vars_free(reg->vars);
    memset(reg, 0, sizeof *reg);
}

struct sp_module *module_find(const struct module_registry *reg, str name)
{
    for (unsigned i = 0; i < reg->count; i++)
        if (str_eqz(name, reg->v[i]->desc.name))
            return reg->v[i];
    return NULL;
}

const struct sp_hook *module_hook(const struct sp_module *m, unsigned point)
{
    for (unsigned i = 0; i < m->desc.nhooks; i++)
        if (m->hooks[i].point == point)
            return &m->hooks[i];
    return NULL;
}

bool module_provides(const struct sp_module *m, const char *capability)
{
    for (const char *const *p = m->desc.provides; p && *p; p++)
        if (strcmp(*p, capability) == 0)
            return true;
    return false;
}

bool module_stale(const struct sp_module *m)
{
    return !mod_file_same(m);
}

const char *mod_status_text(int status)
{
    static const char *const words[] = {"ok",
                                        "bad argument",
                                        "not allowed here",
                                        "out of memory",
                                        "a bound was reached",
                                        "gone",
                                        "no such thing",
                                        "not supported",
                                        "denied",
                                        "exists already",
                                        "try again",
                                        "I/O error",
                                        "timeout",
                                        "protocol error",
                                        "TLS error",
                                        "was cancelled"};
    return status <= 0 && status > -(int)ARRAY_LEN(words) ? words[-status] : "unknown status";
}

/* Errors of the conf entry that asks for the plugin. */
struct ask {
    struct module_registry *reg;
    str name;
    const struct node_tree *tree;
    const struct node *at;
    struct diag *diag;
};

static struct sp_module *use_loaded(const struct ask *a, struct sp_module *m, const char *path,
                                    str pin)
{
    /* The directories may have been spelled otherwise: the file decides. */
    struct stat st;
    if (path && strcmp(path, m->path) != 0 && stat(path, &st) == 0 &&
        (st.st_dev != m->dev || st.st_ino != m->ino)) {
        node_error(a->diag, a->tree, a->at, NULL,
                   "the plugin '%s' was loaded from %s; another file, such as %s, needs an upgrade "
                   "(`sallyport upgrade`)",
                   m->desc.name, m->path, path);
        return NULL;
    }
    char sum[65] = "";
    if (!str_empty(pin))
        module_sha256(m, sum);
    if (!str_empty(pin) && !str_ieq(pin, str_z(sum))) {
        node_error(a->diag, a->tree, a->at, NULL,
                   "the plugin '%s' was loaded with the SHA-256 sum %s; the conf pins %.*s",
                   m->desc.name, sum[0] ? sum : "of a file that has changed since", STR_ARG(str_take(pin, 80)));
        return NULL;
    }
    return m;
}

/* The plugin whose name is nearest, among the files of the directories. */
static str suggest(const struct ask *a, const str *dirs, unsigned ndirs)
{
    const char *names[256];
    unsigned n = 0;
    for (unsigned i = 0; i < ndirs; i++) {
        char *dir = str_dup(dirs[i]);
        DIR *d = dir ? opendir(dir) : NULL;
        struct dirent *e;
        while (d && n < ARRAY_LEN(names) && (e = readdir(d))) {
            str file = str_z(e->d_name);
            if (!str_ends(file, STR(".so")))
                continue;
            char *name = arena_strz(&a->diag->arena, str_take(file, file.n - 3));
            if (name)
                names[n++] = name;
        }
        if (d)
            closedir(d);
        free(dir);
    }
    return str_z(diag_nearest(a->name, names, n));
}

static void not_found(const struct ask *a, const str *dirs, unsigned ndirs)
{
    struct arena *mem = &a->diag->arena;
    str places = ndirs ? STR("") : STR("no directory (there is none)");
    for (unsigned i = 0; i < ndirs && places.p; i++)
        places = arena_cat(mem, 3, (str[]){places, i ? STR(", ") : STR(""), dirs[i]});
    str what = STR("out of memory");
    if (places.p)
        what =
            arena_printf(mem, "the plugin '%.*s' is not installed: %.*s.so was looked for in %.*s",
                         STR_ARG(a->name), STR_ARG(a->name), STR_ARG(places));
    diag_add(a->diag, DIAG_ERROR, node_where(a->tree, a->at),
             a->at ? node_path(mem, a->at) : STR_NONE, what, STR_NONE, suggest(a, dirs, ndirs));
}

/* The file's path, in the diag's arena. NULL: told. */
static const char *find_file(const struct ask *a, const char *explicit_path, const str *dirs,
                             unsigned ndirs)
{
    struct stat st;
    if (explicit_path)
        return explicit_path;
    for (unsigned i = 0; i < ndirs; i++) {
        str path =
            arena_printf(&a->diag->arena, "%.*s/%.*s.so", STR_ARG(dirs[i]), STR_ARG(a->name));
        if (path.p && (stat(path.p, &st) == 0 || (errno != ENOENT && errno != ENOTDIR)))
            return path.p;
    }
    not_found(a, dirs, ndirs);
    return NULL;
}

static void leave_failed(struct module_registry *reg, struct sp_module *m)
{
    struct sp_module **at = &reg->failed;
    while (*at && *at != m)
        at = &(*at)->next_failed;
    if (*at)
        *at = m->next_failed;
    m->next_failed = NULL;
}

/* Calls load() and puts the module into service. */
static int start(const struct ask *a, struct sp_module *m)
{
    struct sp_load call = {.size = sizeof call, .host = a->reg->host, .module = m};
    sp_status rc = SP_OK;
    m->in_load = true;
    if (m->desc.load)
        rc = m->desc.load(&call);
    m->in_load = false;
    if (rc != SP_OK) {
        mod_command_drop(m);
        node_error(a->diag, a->tree, a->at, NULL,
                   "the plugin '%s' refuses to start: its load() answered %d (%s); its log lines "
                   "may say why",
                   m->desc.name, rc, mod_status_text(rc));
        return E_CONF;
    }
    m->state = call.state;
    m->loaded = true;
    m->index = (uint16_t)a->reg->count;
    leave_failed(a->reg, m);
    a->reg->v[a->reg->count++] = m;
    return 0;
}

struct sp_module *module_load(struct module_registry *reg, str name, const char *explicit_path,
                              str pin, const str *dirs, unsigned ndirs,
                              const struct node_tree *tree, const struct node *at,
                              struct diag *diag)
{
    struct ask a = {reg, name, tree, at, diag};
    struct module_report report;
    struct sp_module *m = module_find(reg, name);
    if (m)
        return use_loaded(&a, m, explicit_path, pin);
    if (!mod_name_ok(name)) {
        node_error(diag, tree, at, "a letter a-z, then a-z, 0-9 and -, 63 at most",
                   "'%.*s' is not a plugin's name", STR_ARG(str_take(name, 80)));
        return NULL;
    }
    if (reg->count >= ARRAY_LEN(reg->v)) {
        node_error(diag, tree, at, NULL, "too many plugins are loaded (%u)", reg->count);
        return NULL;
    }
    const char *path = find_file(&a, explicit_path, dirs, ndirs);
    if (!path)
        return NULL;
    if (module_open(reg, path, pin, &report, &m)) {
        node_error(diag, tree, at, NULL, "the plugin %s %s%s%s", path, report.problem,
                   report.advice[0] ? ": " : "", report.advice);
        return NULL;
    }
    if (!str_eqz(name, m->desc.name)) {
        node_error(diag, tree, at, NULL, "%s holds the plugin '%s', not '%.*s'", path, m->desc.name,
                   STR_ARG(name));
        return NULL;
    }
    if (report.notice[0])
        node_warn(diag, tree, at, NULL, "the plugin %s %s", path, report.notice);
    return start(&a, m) ? NULL : m;
}

int module_thread_start(struct sp_module *m, struct loop *loop, unsigned thread_count)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    if (loop->id == 0 || loop->id >= LOOP_MAX)
        return E_ARG;
    if (m->thread_started[loop->id])
        return 0;
    struct sp_thread call = {.size = sizeof call,
                             .id = loop->id - 1,
                             .count = thread_count,
                             .module = m,
                             .state = m->state};
    sp_status rc = m->desc.thread_start ? m->desc.thread_start(&call) : SP_OK;
    if (rc != SP_OK)
        return rc < 0 ? rc : E_ARG;
    m->thread_state[loop->id] = call.thread_state;
    m->thread_started[loop->id] = true;
    return 0;
}

void module_thread_stop(struct sp_module *m, struct loop *loop)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    if (loop->id >= LOOP_MAX || !m->thread_started[loop->id])
        return;
    struct sp_thread call = {.size = sizeof call,
                             .id = loop->id - 1,
                             .module = m,
                             .state = m->state,
                             .thread_state = m->thread_state[loop->id]};
    if (m->desc.thread_stop)
        m->desc.thread_stop(&call);
    m->thread_state[loop->id] = NULL;
    m->thread_started[loop->id] = false;
}

int module_check_entry(const struct sp_module *m, const struct node *node, const struct node *entry,
                       struct node_tree *tree, struct diag *diag)
{
    if (node)
        return schema_check(m->schema, node, tree, diag);
    int rc = 0;
    for (const struct schema *s = m->schema; s->key; s++) {
        if (!(s->flags & S_REQUIRED))
            continue;
        node_error(diag, tree, entry, NULL, "the plugin '%s' requires the option '%s'",
                   m->desc.name, s->key);
        rc = E_CONF;
    }
    return rc;
}

int module_check_options(const struct sp_module *m, const struct node *node, struct node_tree *tree,
                         struct diag *diag)
{
    return module_check_entry(m, node, NULL, tree, diag);
}
