/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a byte for the API's type, then three lines: an integration URI, the value of its
 * stage variable `v`, a resource's path. What is accepted is put together again from its parts, and
 * an authority that comes out can name nothing but a host and a port. */
#include <stdlib.h>

#include "base/diag.h"
#include "base/text.h"
#include "model/openapi.h"
#include "model/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)           \
    do {                  \
        if (!(x)) abort(); \
    } while (0)

static void check_parts(const struct integration *in)
{
    struct text t;

    text_init(&t);
    for (unsigned i = 0; i < in->authority_part_count + in->part_count; i++) {
        bool authority = i < in->authority_part_count;
        const struct uri_part *p =
            authority ? &in->authority_parts[i] : &in->parts[i - in->authority_part_count];

        MUST(!authority || p->kind != URI_PATH_PARAM); /* request data chooses no host */
        MUST(p->text.n > 0);
        if (p->kind == URI_PATH_PARAM)
            text_printf(&t, "{%.*s}", STR_ARG(p->text));
        else if (p->kind == URI_STAGE_VAR)
            text_printf(&t, "${stageVariables.%.*s}", STR_ARG(p->text));
        else
            text_add(&t, p->text);
    }
    MUST(str_eq(text_str(&t), in->uri));
    text_fini(&t);
}

static void check_authority(const struct integration *in, const struct stage *st, struct arena *a)
{
    str scheme, authority, prefix;

    if (integration_authority(in, st, a, &scheme, &authority) != 0)
        return;
    MUST(integration_prefix(in, st, a, &prefix) == 0);
    MUST(str_eq(scheme, STR("http")) || str_eq(scheme, STR("https")));
    MUST(authority.n > 0 && authority.n < 300);
    for (size_t i = 0; i < authority.n; i++) {
        char c = chr_lower(authority.p[i]);

        MUST((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._:[]", c)));
    }
    MUST(prefix.n == 0 || prefix.p[0] == '/');
    MUST(str_chr(prefix, '?') == prefix.n && str_chr(prefix, '#') == prefix.n);
}

static void check_uri(struct load *ld, struct node *n, const struct stage *st)
{
    struct integration in = {.kind = INT_HTTP_PROXY, .node = n};
    unsigned before = ld->diag->errors;
    bool fixed = true;

    if (!uri_parse(ld, &in, n)) {
        MUST(ld->diag->errors == before + 1);
        return;
    }
    MUST(ld->diag->errors == before);
    check_parts(&in);
    for (unsigned i = 0; i < in.authority_part_count; i++)
        fixed &= in.authority_parts[i].kind == URI_TEXT;
    str scheme, authority;
    MUST(!fixed || integration_authority(&in, NULL, ld->arena, &scheme, &authority) == 0);
    check_authority(&in, NULL, ld->arena);
    check_authority(&in, st, ld->arena);
    before = ld->diag->errors;
    uri_check_stage(ld, &in, st);
    MUST(ld->diag->errors ==
         before + (fixed || integration_authority(&in, st, ld->arena, &scheme, &authority) == 0 ? 0 : 1));
}

static void check_path(struct load *ld, enum api_type type, struct node *n)
{
    unsigned before = ld->diag->errors, vars = 0;
    str rest = n->text, seg;
    struct text t;
    bool greedy = false;

    if (!path_check(ld, type, n, n)) {
        MUST(ld->diag->errors == before + 1);
        return;
    }
    MUST(ld->diag->errors == before);
    text_init(&t);
    while (path_segment(&rest, &seg)) {
        MUST(!greedy); /* {proxy+} is the last one */
        str name = path_var(seg, &greedy);
        text_chr(&t, '/');
        text_add(&t, seg);
        MUST(seg.n == 0 || str_chr(seg, '/') == seg.n);
        MUST(!name.p || (name.n > 0 && path_has_param(n->text, name) && ++vars <= 32));
        if (!name.p)
            greedy = false;
    }
    MUST(str_eq(text_str(&t), n->text));
    text_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 20000)
        return 0;
    struct node_tree *tree = node_tree_new();
    struct diag d;
    struct load ld = {.tree = tree, .diag = &d};

    MUST(tree && node_tree_file(tree, "fuzz") >= 0);
    diag_init(&d);
    ld.arena = &tree->arena;
    str rest = arena_str(&tree->arena, str_n((const char *)data + 1, size - 1));
    str uri = str_cut(&rest, '\n'), value = str_cut(&rest, '\n');
    struct stage_var var = {.name = STR("v"), .value = value.p ? value : STR("")};
    struct stage st = {.name = STR("s"), .vars = &var, .var_count = 1};
    struct node n = {.type = NODE_STRING, .line = 1, .col = 1, .text = uri};
    struct node path = {.type = NODE_STRING, .line = 3, .col = 1, .text = rest.p ? rest : STR("")};
    check_uri(&ld, &n, &st);
    check_path(&ld, data[0] & 1 ? API_REST : API_HTTP, &path);
    diag_fini(&d);
    node_tree_free(tree);
    return 0;
}
