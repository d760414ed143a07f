/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's table of conf: a struct sp_node is a struct node; options are read by the plugin's own
 * table. */
#include <unistd.h>

#include "model/scalar.h"
#include "pipeline/host.h"
#include "pipeline/module.h"

static const struct node *node_of(const struct sp_node *n)
{
    return (const struct node *)(const void *)n;
}

static const struct sp_node *give(const struct node *n)
{
    return (const struct sp_node *)(const void *)n;
}

static const struct sp_node *conf_get(const struct sp_node *map, const char *key)
{
    return map && key ? give(node_getz(node_of(map), key)) : NULL;
}

static uint32_t conf_count(const struct sp_node *n)
{
    const struct node *c = node_of(n);
    return c && (c->type == NODE_LIST || c->type == NODE_MAP) ? c->count : 0;
}

static const struct sp_node *conf_at(const struct sp_node *n, uint32_t i)
{
    return i < conf_count(n) ? give(node_of(n)->items[i]) : NULL;
}

static sp_str conf_key_at(const struct sp_node *n, uint32_t i)
{
    const struct node *c = node_of(n);
    return i < conf_count(n) && c->type == NODE_MAP ? c->keys[i]->text : STR("");
}

static uint32_t conf_type(const struct sp_node *n)
{
    return n ? node_of(n)->type : SP_NODE_NULL;
}

static sp_str conf_text(const struct sp_node *n)
{
    return n && node_is_scalar(node_of(n)) && node_of(n)->text.p ? node_of(n)->text : STR("");
}

/* The option's table entry and node; node NULL: absent. NULL: no such option. */
static const struct schema *option(const struct sp_conf *c, const char *key, const struct node **n)
{
    *n = NULL;
    if (!c || !c->module || !key)
        return NULL;
    const struct sp_module *m = c->module;
    CHECK_OBJ(m, MODULE_MAGIC);
    *n = c->node ? node_getz(node_of(c->node), key) : NULL;
    if (*n && (*n)->type == NODE_NULL)
        *n = NULL;
    return schema_find(m->schema, str_z(key));
}

static sp_status conf_get_str(struct sp_conf *c, const char *key, sp_str *out)
{
    const struct node *n;
    const struct schema *s = option(c, key, &n);
    *out = STR("");
    if (!s || (n && !node_is_scalar(n)))
        return SP_E_ARG;
    if (!n && !s->dflt)
        return SP_E_NONE;
    *out = n ? n->text : str_z(s->dflt);
    return SP_OK;
}

static sp_status conf_get_int(struct sp_conf *c, const char *key, int64_t *out)
{
    const struct node *n;
    const struct schema *s = option(c, key, &n);
    *out = 0;
    if (!s)
        return SP_E_ARG;
    if (!n && !s->dflt)
        return SP_E_NONE;
    int rc = n ? scalar_i64(s, n, out) : scalar_text_i64(s, str_z(s->dflt), out);
    return rc ? SP_E_ARG : SP_OK;
}

static sp_status conf_get_real(struct sp_conf *c, const char *key, double *out)
{
    const struct node *n;
    const struct schema *s = option(c, key, &n);
    *out = 0;
    if (!s)
        return SP_E_ARG;
    if (!n && !s->dflt)
        return SP_E_NONE;
    int rc = n ? scalar_real(n, out) : scalar_text_real(str_z(s->dflt), out);
    return rc ? SP_E_ARG : SP_OK;
}

static sp_status conf_node_int(const struct sp_node *n, uint32_t opt_type, int64_t *out)
{
    static const uint8_t types[] = {[SP_OPT_BOOL] = S_BOOL,
                                    [SP_OPT_INT] = S_INT,
                                    [SP_OPT_SIZE] = S_SIZE,
                                    [SP_OPT_DURATION] = S_DURATION};
    *out = 0;
    if (!n)
        return SP_E_NONE;
    if (opt_type >= ARRAY_LEN(types) || !types[opt_type])
        return SP_E_ARG;
    struct schema s = {.type = types[opt_type]};
    return scalar_i64(&s, node_of(n), out) ? SP_E_ARG : SP_OK;
}

PRINTF(4, 0)
static void tell(struct sp_conf *c, const struct sp_node *n, bool error, const char *fmt,
                 va_list ap)
{
    struct sp_errors *e = c->errors;
    if (!e || !fmt)
        return;
    str what = arena_vprintf(&e->diag->arena, fmt, ap);
    const struct node *at = n ? node_of(n) : c->node ? node_of(c->node) : e->entry;
    const char *name = c->module ? c->module->desc.name : "?";
    if (error)
        node_error(e->diag, e->tree, at, NULL, "%s: %s", name, what.p ? what.p : "out of memory");
    else
        node_warn(e->diag, e->tree, at, NULL, "%s: %s", name, what.p ? what.p : "out of memory");
}

PRINTF(3, 4)
static sp_status conf_error(struct sp_conf *c, const struct sp_node *n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(c, n, true, fmt, ap);
    va_end(ap);
    return SP_E_ARG;
}

PRINTF(3, 4)
static void conf_warn(struct sp_conf *c, const struct sp_node *n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(c, n, false, fmt, ap);
    va_end(ap);
}

static char *conf_path(struct sp_conf *c, const struct sp_node *n, sp_str path)
{
    const struct sp_errors *e = c->errors;
    const struct node *at = n ? node_of(n) : c->node ? node_of(c->node) : e ? e->entry : NULL;
    if (path.n && path.p[0] == '/')
        return str_dup(path);
    const char *file = e && at ? node_file(e->tree, at) : NULL;
    const char *slash = file ? strrchr(file, '/') : NULL;
    char *cwd = file && file[0] == '/' ? str_dup(STR("")) : getcwd(NULL, 0);
    struct text t;
    text_init(&t);
    if (cwd)
        text_printf(&t, "%s%s%.*s%s%.*s", cwd, cwd[0] ? "/" : "", slash ? (int)(slash - file) : 0,
                    file ? file : "", slash ? "/" : "", STR_ARG(path));
    size_t len;
    char *out = cwd ? text_take(&t, &len) : NULL;
    text_fini(&t);
    free(cwd);
    return out;
}

const struct sp_conf_api host_conf_api = {
    .size = sizeof(struct sp_conf_api),
    .get = conf_get,
    .at = conf_at,
    .key_at = conf_key_at,
    .count = conf_count,
    .type = conf_type,
    .text = conf_text,
    .get_str = conf_get_str,
    .get_int = conf_get_int,
    .get_real = conf_get_real,
    .node_int = conf_node_int,
    .error = conf_error,
    .warn = conf_warn,
    .path = conf_path,
};
