/* SPDX-License-Identifier: Apache-2.0 */
/* Integration URIs: http://host[:port]/path/{param}/${stageVariables.x}. Request data fills the
 * path and the query only. */
#include "model/uri.h"

#define VAR_OPEN "${stageVariables."

/* Length of a variable at the start of s and its name, or 0. */
static size_t var_at(str s, str *name)
{
    size_t end;

    if (!str_starts(s, STR(VAR_OPEN)))
        return 0;
    *name = str_drop(s, sizeof(VAR_OPEN) - 1);
    end = str_chr(*name, '}');
    if (end == name->n || end == 0)
        return 0;
    *name = str_take(*name, end);
    return sizeof(VAR_OPEN) - 1 + end + 1;
}

static size_t param_at(str s, str *name)
{
    size_t end = str_chr(s, '}');

    if (s.n < 3 || s.p[0] != '{' || end == s.n || end == 1)
        return 0;
    *name = str_n(s.p + 1, end - 1);
    return end + 1;
}

static void part_add(struct uri_part *v, unsigned *n, enum uri_part_kind kind, str text)
{
    if (kind == URI_TEXT && text.n == 0)
        return;
    v[*n] = (struct uri_part){(uint8_t)kind, text};
    ++*n;
}

/* Cuts s into parts; v has room for one part per two bytes and one more. */
static void cut(str s, bool params, struct uri_part *v, unsigned *n)
{
    str text = str_take(s, 0);

    while (s.n) {
        str name = STR_NONE;
        size_t took = var_at(s, &name);
        enum uri_part_kind kind = URI_STAGE_VAR;

        /* "${other}" is AWS's to leave alone: its brace is not a parameter's */
        if (!took && params && !str_starts(s, STR("${"))) {
            took = param_at(s, &name);
            kind = URI_PATH_PARAM;
        }
        if (!took) {
            took = str_starts(s, STR("${")) ? 2 : 1;
            text.n += took;
            s = str_drop(s, took);
            continue;
        }
        part_add(v, n, URI_TEXT, text);
        part_add(v, n, kind, name);
        s = str_drop(s, took);
        text = str_take(s, 0);
    }
    part_add(v, n, URI_TEXT, text);
}

/* Bytes of scheme://authority: up to the first '/', '?' or '#' that is not inside a variable. */
static size_t authority_end(str s)
{
    size_t i = str_find(s, STR("://")) + 3;

    while (i < s.n && !strchr("/?#", s.p[i])) {
        str name;
        size_t took = var_at(str_drop(s, i), &name);

        i += took ? took : 1;
    }
    return i > s.n ? s.n : i;
}

static bool bytes_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`#", c))
            return false;
    }
    return true;
}

static bool authority_ok(str a)
{
    str host = a, port = STR("");
    size_t colon;

    if (a.n && a.p[0] == '[') {
        struct addr_ip ip;
        size_t end = str_chr(a, ']');

        if (end == a.n || addr_ip_parse(&ip, str_n(a.p + 1, end - 1)))
            return false;
        host = STR("ok");
        port = str_drop(a, end + 1);
        if (port.n && port.p[0] != ':')
            return false;
        colon = 0;
    } else {
        colon = str_chr(a, ':');
        host = str_take(a, colon);
        port = str_drop(a, colon);
    }
    if (port.n) {
        uint64_t v;

        if (str_u64(str_drop(port, 1), &v) || v < 1 || v > 65535)
            return false;
    }
    for (size_t i = 0; i < host.n; i++) {
        char c = chr_lower(host.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return host.n > 0 && host.n <= 253 && host.p[0] != '.' && host.p[0] != '-';
}

static int resolve(const struct integration *in, const struct stage *st, struct arena *a,
                   str *scheme, str *authority, str *prefix)
{
    str all = STR(""), rest;
    size_t end;

    for (unsigned i = 0; i < in->authority_part_count; i++) {
        const struct uri_part *p = &in->authority_parts[i];

        all = arena_cat(a, 2, (str[]){all, p->kind == URI_TEXT ? p->text : stage_var_value(st, p->text)});
        if (!all.p)
            return E_NOMEM;
    }
    *scheme = str_take(all, str_find(all, STR("://")));
    rest = str_drop(all, scheme->n + 3);
    end = str_chr(rest, '/');
    *authority = str_take(rest, end);
    *prefix = str_drop(rest, end);
    if (!str_eqz(*scheme, "http") && !str_eqz(*scheme, "https"))
        return E_ARG;
    if (!authority_ok(*authority) || str_chr(*prefix, '?') < prefix->n ||
        str_chr(*prefix, '#') < prefix->n)
        return E_ARG;
    return 0;
}

int integration_authority(const struct integration *in, const struct stage *st, struct arena *a,
                          str *scheme, str *authority)
{
    str prefix;

    return resolve(in, st, a, scheme, authority, &prefix);
}

int integration_prefix(const struct integration *in, const struct stage *st, struct arena *a,
                       str *prefix)
{
    str scheme, authority;

    return resolve(in, st, a, &scheme, &authority, prefix);
}

/* A "{" or "}" that is left as text is a mistake: "{proxy+}", "{}" or a brace without its mate. */
static bool braces_ok(struct load *ld, const struct integration *in, const struct node *n)
{
    for (unsigned i = 0; i < in->part_count; i++) {
        const struct uri_part *p = &in->parts[i];

        if (p->kind == URI_PATH_PARAM && p->text.p[p->text.n - 1] == '+') {
            node_error(ld->diag, ld->tree, n, "the name without the '+'",
                       "'{%.*s}' in the URI has a '+'", STR_ARG(p->text));
            return false;
        }
        if (p->kind == URI_TEXT && str_chr(p->text, '{') < p->text.n &&
            str_find(p->text, STR("${")) == p->text.n) {
            node_error(ld->diag, ld->tree, n, "{name} or ${stageVariables.name}",
                       "the URI has a '{' that opens no name");
            return false;
        }
    }
    return true;
}

static bool authority_parts_ok(struct load *ld, const struct integration *in, const struct node *n)
{
    str scheme, authority;
    bool fixed = true;

    for (unsigned i = 0; i < in->authority_part_count; i++) {
        const struct uri_part *p = &in->authority_parts[i];

        fixed &= p->kind == URI_TEXT;
        if (p->kind == URI_TEXT && str_chr(p->text, '{') < p->text.n) {
            node_error(ld->diag, ld->tree, n, "stage variables at most",
                       "request data cannot choose the host of '%.*s'",
                       STR_ARG(str_take(in->uri, 100)));
            return false;
        }
    }
    if (fixed && integration_authority(in, NULL, ld->arena, &scheme, &authority)) {
        node_error(ld->diag, ld->tree, n, "http://host[:port]/path",
                   "Invalid HTTP endpoint specified for URI: '%.*s'",
                   STR_ARG(str_take(in->uri, 100)));
        return false;
    }
    return true;
}

bool uri_parse(struct load *ld, struct integration *in, const struct node *n)
{
    str s = in->uri = n->text;
    size_t end;

    if ((!str_starts(s, STR("http://")) && !str_starts(s, STR("https://"))) || !bytes_ok(s) ||
        s.n > 8192) {
        node_error(ld->diag, ld->tree, n, "http://host[:port]/path",
                   "Invalid HTTP endpoint specified for URI: '%.*s'", STR_ARG(str_take(s, 100)));
        return false;
    }
    end = authority_end(s);
    in->authority_parts = LOAD_NEW(ld, struct uri_part, end / 2 + 2);
    in->parts = LOAD_NEW(ld, struct uri_part, (s.n - end) / 2 + 2);
    if (!in->authority_parts || !in->parts)
        return false;
    cut(str_take(s, end), false, in->authority_parts, &in->authority_part_count);
    cut(str_drop(s, end), true, in->parts, &in->part_count);
    return authority_parts_ok(ld, in, n) && braces_ok(ld, in, n);
}

void uri_check_stage(struct load *ld, const struct integration *in, const struct stage *st)
{
    str scheme, authority;
    bool fixed = true;

    if (in->kind != INT_HTTP_PROXY && !in->vpc_link)
        return;
    for (unsigned i = 0; i < in->authority_part_count; i++)
        fixed &= in->authority_parts[i].kind == URI_TEXT;
    if (fixed || integration_authority(in, st, &ld->diag->arena, &scheme, &authority) == 0)
        return;
    node_error(ld->diag, ld->tree, node_getz(in->node, "uri"),
               "stage variables that make an address",
               "in stage '%.*s' the URI's host comes out as '%.*s'", STR_ARG(st->name),
               STR_ARG(str_take(authority, 80)));
}
