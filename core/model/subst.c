/* SPDX-License-Identifier: Apache-2.0 */
/* ${env:NAME:-default}, ${env:NAME} and ${file:PATH} in scalars of the main conf and of API files.
 * Never in an OpenAPI document: there ${...} is AWS's. Other ${...} forms are left as they stand,
 * for plugins and for stage variables. */
#include <stdlib.h>

#include "base/text.h"
#include "model/load.h"

#define SUBST_OUT_MAX (4u << 20)

static bool env_name_ok(str s)
{
    if (s.n == 0 || s.n > 255 || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

static void subst_env(struct load *ld, const struct node *n, str body, struct text *out)
{
    size_t cut = str_find(body, STR(":-"));
    str name = str_take(body, cut);
    bool has_default = cut < body.n;
    char tmp[256];
    const char *value;

    if (!env_name_ok(name)) {
        node_error(ld->diag, ld->tree, n, "${env:NAME} or ${env:NAME:-default}",
                   "'%.*s' is not the name of an environment variable",
                   STR_ARG(str_take(name, 80)));
        return;
    }
    memcpy(tmp, name.p, name.n);
    tmp[name.n] = 0;
    value = getenv(tmp);
    if (value && (value[0] || !has_default))
        text_addz(out, value);
    else if (has_default)
        text_add(out, str_drop(body, cut + 2));
    else
        node_error(ld->diag, ld->tree, n, "a value, or a default as in ${env:NAME:-default}",
                   "the environment variable '%s' is not set", tmp);
}

static void subst_file(struct load *ld, const struct node *n, str body, struct text *out)
{
    struct node name = *n;
    const char *path;
    str bytes;

    if (body.n == 0) {
        node_error(ld->diag, ld->tree, n, "${file:PATH}", "the file's path is empty");
        return;
    }
    name.text = body;
    path = load_path(ld, &name);
    bytes = path ? load_text(ld, path, n) : STR_NONE;
    if (bytes.p)
        text_add(out, bytes);
}

/* A word and a colon behind "${" is meant for us even when it is misspelt. */
static bool looks_ours(str rest)
{
    size_t i = 0;

    while (i < rest.n &&
           ((rest.p[i] >= 'a' && rest.p[i] <= 'z') || (rest.p[i] >= 'A' && rest.p[i] <= 'Z')))
        i++;
    return i > 0 && i < rest.n && rest.p[i] == ':';
}

/* At "${": appends what it stands for; returns how many bytes it took, 0: not ours. */
static size_t subst_one(struct load *ld, const struct node *n, str at, struct text *out)
{
    str rest = str_drop(at, 2);
    size_t end = str_chr(rest, '}');
    str body = str_take(rest, end);

    if (!looks_ours(rest))
        return 0;
    if (end == rest.n) {
        node_error(ld->diag, ld->tree, n, "a closing '}'", "'%.*s' has no end",
                   STR_ARG(str_take(at, 60)));
        return at.n;
    }
    if (str_starts(body, STR("env:")))
        subst_env(ld, n, str_drop(body, 4), out);
    else if (str_starts(body, STR("file:")))
        subst_file(ld, n, str_drop(body, 5), out);
    else
        node_error(ld->diag, ld->tree, n,
                   "${env:NAME}, ${env:NAME:-default} or ${file:PATH}; $${ writes ${",
                   "unknown substitution '${%.*s}'", STR_ARG(str_take(body, 60)));
    return end + 3;
}

static void subst_scalar(struct load *ld, struct node *n)
{
    unsigned errors = ld->diag->errors;
    struct text out;
    str s = n->text;

    if (n->type != NODE_STRING || (n->plain & NODE_SUBSTITUTED) || str_find(s, STR("${")) == s.n)
        return;
    text_init(&out);
    while (s.n) {
        size_t took = 0;

        if (str_starts(s, STR("$${"))) {
            text_addz(&out, "${");
            took = 3;
        } else if (str_starts(s, STR("${"))) {
            took = subst_one(ld, n, s, &out);
        }
        if (!took) {
            text_chr(&out, s.p[0]);
            took = 1;
        }
        s = str_drop(s, took);
        if (out.n > SUBST_OUT_MAX) {
            node_error(ld->diag, ld->tree, n, NULL, "the substituted text is longer than 4 MB");
            break;
        }
    }
    if (out.failed)
        load_nomem(ld);
    n->text = load_str(ld, text_str(&out));
    n->plain |= ld->diag->errors > errors ? NODE_SUBSTITUTED | NODE_BROKEN : NODE_SUBSTITUTED;
    text_fini(&out);
}

void load_subst(struct load *ld, struct node *n, const struct node *skip)
{
    if (n == skip)
        return;
    if (n->type != NODE_LIST && n->type != NODE_MAP) {
        subst_scalar(ld, n);
        return;
    }
    for (uint32_t i = 0; i < n->count; i++)
        load_subst(ld, n->items[i], skip);
}
