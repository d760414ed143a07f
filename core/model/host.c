/* SPDX-License-Identifier: Apache-2.0 */
/* hosts: of an API: host names, base paths and the stages behind them. */
#include "model/load.h"

/* Letters, digits, '-', '_' and dots; a literal address too. */
static bool host_name_ok(str s)
{
    bool dot = true; /* a label must not be empty */

    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        struct addr_ip ip;

        return addr_ip_parse(&ip, str_n(s.p + 1, s.n - 2)) == 0;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  (c == '.' && !dot);

        if (!ok)
            return false;
        dot = c == '.';
    }
    return s.n > 0 && !dot;
}

static str lower(struct load *ld, str s)
{
    char *p = arena_bytes(ld->arena, s.n + 1);

    if (!p) {
        load_nomem(ld);
        return STR("");
    }
    for (size_t i = 0; i < s.n; i++)
        p[i] = chr_lower(s.p[i]);
    p[s.n] = 0;
    return str_n(p, s.n);
}

static void read_name(struct load *ld, struct host_mapping *h, const struct node *n)
{
    str s = lower(ld, n->text), bare = str_starts(s, STR("*.")) ? str_drop(s, 2) : s;

    if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--, bare.n--;
    h->name = s;
    if (!str_eqz(s, "*") && !host_name_ok(bare))
        scalar_error(ld->diag, ld->tree, n,
                     "a host without port and scheme, such as api.example.org, *.example.org, or *",
                     "is not a host name");
}

static bool base_path_ok(str s)
{
    if (s.n == 0 || s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (c == 0 || !strchr("$-_.+!*'()/~", c)))
            return false;
        if (c == '/' && (i + 1 == s.n || s.p[i + 1] == '/'))
            return false; /* an empty segment */
    }
    return true;
}

static void read_base_path(struct load *ld, struct host_mapping *h, const struct node *n)
{
    h->base_path = STR("");
    if (!n || n->type != NODE_STRING || n->text.n == 0 || str_eqz(n->text, "/"))
        return;
    h->base_path = n->text;
    if (!base_path_ok(n->text))
        scalar_error(ld->diag, ld->tree, n,
                     "a path such as /pets: a '/' first, none at the end, none doubled",
                     "is not a base path");
}

static void read_stage(struct load *ld, const struct api *api, struct host_mapping *h,
                       const struct node *n)
{
    const char **names;

    h->stage = STR("");
    if (!n || n->type != NODE_STRING || n->text.n == 0)
        return;
    h->stage = n->text;
    if (api_stage(api, n->text))
        return;
    names = LOAD_NEW(ld, const char *, api->stage_count);
    for (unsigned i = 0; names && i < api->stage_count; i++)
        names[i] = load_str(ld, api->stages[i].name).p;
    if (names)
        node_unknown(ld->diag, ld->tree, n, n, "stage", names, api->stage_count);
}

void load_hosts(struct load *ld, struct api *api)
{
    const struct node *list = node_getz(api->node, "hosts");

    if (!list || list->type != NODE_LIST)
        return;
    api->hosts = LOAD_NEW(ld, struct host_mapping, list->count);
    for (uint32_t i = 0; api->hosts && i < list->count; i++) {
        struct host_mapping *h = &api->hosts[api->host_count];
        const struct node *n = list->items[i], *name = node_getz(n, "name");

        if (!name || name->type != NODE_STRING || name->text.n == 0)
            continue;
        h->node = n;
        read_name(ld, h, name);
        read_base_path(ld, h, node_getz(n, "base_path"));
        read_stage(ld, api, h, node_getz(n, "stage"));
        api->host_count++;
    }
}
