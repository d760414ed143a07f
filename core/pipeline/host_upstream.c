/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's table of upstreams: made from a URL at run time, where the conf's policy allows the
 * destination. */
#include "base/log.h"
#include "pipeline/host.h"
#include "pipeline/module.h"
#include "pipeline/upstream.h"

#define DEFINED_MAX    1024
#define URL_MAX        1024
#define TIMEOUT_MAX_MS 600000u
#define CA_MAX         (4u << 20)

/* The policy */

static bool host_ok(str h)
{
    if (h.n == 0 || h.n > 253)
        return false;
    for (size_t i = 0; i < h.n; i++) {
        char c = chr_lower(h.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_' || c == ':'))
            return false;
    }
    return true;
}

/* "name[:port]" in two; port 0: none was given. */
static int split(str text, str *host, uint16_t *port)
{
    bool is_ip;
    *port = 0;
    if (addr_split(text, host, port, &is_ip) == 0)
        return 0;
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = str_n(text.p + 1, text.n - 2);
    else if (str_chr(text, ':') < text.n) {
        /* Only a bare IPv6 address has colons without being host:port. */
        struct addr_ip ip;
        if (addr_ip_parse(&ip, text))
            return E_ARG;
    }
    *host = text;
    return 0;
}

static bool pattern_ok(str p)
{
    str host;
    uint16_t port;
    if (str_eq(p, STR("*")))
        return true;
    if (str_starts(p, STR("*.")))
        p = str_drop(p, 2);
    return split(p, &host, &port) == 0 && host_ok(host);
}

static bool pattern_match(str pattern, str host, uint16_t port)
{
    str want;
    uint16_t want_port;
    if (str_eq(pattern, STR("*")))
        return true;
    bool below = str_starts(pattern, STR("*."));
    if (split(below ? str_drop(pattern, 2) : pattern, &want, &want_port))
        return false;
    if (want_port && want_port != port)
        return false;
    if (!below)
        return str_ieq(want, host);
    return host.n > want.n + 1 && host.p[host.n - want.n - 1] == '.' &&
           str_ieq(str_drop(host, host.n - want.n), want);
}

int host_upstream_policy(struct module_registry *reg, const str *patterns, unsigned n,
                         unsigned *bad)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!pattern_ok(patterns[i])) {
            if (bad)
                *bad = i;
            return E_ARG;
        }
        bytes += patterns[i].n;
    }
    /* One block: the views, then what they show. */
    str *v = malloc((n + 1) * sizeof *v + bytes);
    if (!v)
        return E_NOMEM;
    char *at = (char *)(v + n + 1);
    for (unsigned i = 0; i < n; i++) {
        memcpy(at, patterns[i].p, patterns[i].n);
        v[i] = str_n(at, patterns[i].n);
        at += patterns[i].n;
    }
    free(reg->destinations);
    reg->destinations = v;
    reg->destination_count = n;
    return 0;
}

static bool allowed(const struct module_registry *reg, str host, uint16_t port)
{
    for (unsigned i = 0; i < reg->destination_count; i++)
        if (pattern_match(reg->destinations[i], host, port))
            return true;
    return false;
}

/* Definitions */

struct url {
    bool tls;
    str authority, host;
    uint16_t port;
};

static sp_status parse_url(str url, struct url *out)
{
    bool is_ip;
    if (url.n == 0 || url.n > URL_MAX || !url.p)
        return SP_E_ARG;
    if (str_istarts(url, STR("https://")))
        out->tls = true;
    else if (!str_istarts(url, STR("http://")))
        return str_find(url, STR("://")) < url.n ? SP_E_UNSUP : SP_E_ARG;
    str rest = str_drop(url, out->tls ? 8 : 7);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
        end++;
    out->authority = str_take(rest, end);
    if (str_chr(out->authority, '@') < out->authority.n)
        return SP_E_ARG;
    out->port = out->tls ? 443 : 80;
    if (addr_split(out->authority, &out->host, &out->port, &is_ip)) {
        uint16_t none;
        if (split(out->authority, &out->host, &none) || none)
            return SP_E_ARG;
    }
    return host_ok(out->host) && out->port ? SP_OK : SP_E_ARG;
}

static bool id_ok(str id)
{
    if (id.n == 0 || id.n > 63)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
    }
    return true;
}

/* Takes u's reference over. An id that was defined with another URL before now stands for the new
 * one. */
static sp_status keep(struct sp_module *m, struct upstream *u, uint64_t hash, str *id_out)
{
    struct module_registry *reg = m->registry;
    for (unsigned i = 0; i < reg->defined_count; i++) {
        struct module_upstream *k = &reg->defined[i];
        if (k->module != m || !str_eq(k->id, upstream_id(u)))
            continue;
        upstream_unref(k->upstream);
        k->upstream = u;
        k->hash = hash;
        *id_out = k->id;
        return SP_OK;
    }
    sp_status rc = reg->defined_count >= DEFINED_MAX ? SP_E_LIMIT : SP_OK;
    struct module_upstream *v =
        rc == SP_OK ? realloc(reg->defined, (reg->defined_count + 1) * sizeof *v) : NULL;
    if (v)
        reg->defined = v;
    str id = v ? arena_str(&m->arena, upstream_id(u)) : STR_NONE;
    if (!id.p) {
        upstream_unref(u);
        return rc == SP_OK ? SP_E_NOMEM : rc;
    }
    reg->defined[reg->defined_count++] = (struct module_upstream){m, id, u, hash};
    *id_out = id;
    return SP_OK;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(1099511628211);
}

static void tls_said(void *arg, const void *at, bool warning, const char *expected, const char *what)
{
    const struct sp_upstream_def *d = arg;

    (void)at, (void)expected;
    if (!warning)
        log_error("upstream %.*s of a plugin: %.*s: %s", STR_ARG(d->id), STR_ARG(d->ca_file), what);
}

/* The whole file; p NULL: unreadable, or larger than any list of authorities. */
static str read_file(str path, struct arena *a)
{
    char *z = arena_strz(a, path), *bytes = z ? arena_bytes(a, CA_MAX) : NULL;
    FILE *in = bytes ? fopen(z, "re") : NULL;
    size_t n = in ? fread(bytes, 1, CA_MAX, in) : 0;
    bool ok = in && !ferror(in) && n < CA_MAX;

    if (in)
        fclose(in);
    return ok ? str_n(bytes, n) : STR_NONE;
}

/* What the definition says of TLS. The context is tried, so that a bad file is told from a lack of memory. */
static sp_status read_tls(const struct sp_upstream_def *d, struct tls_cli_conf *c, struct arena *a)
{
    struct tls_report report = {tls_said, (void *)(uintptr_t)d};
    struct tls_stats unused;

    *c = (struct tls_cli_conf){.verify = true, .server_name = d->server_name};
    if (d->server_name.n && !host_ok(d->server_name))
        return SP_E_ARG;
    if (d->ca_file.n == 0)
        return SP_OK;
    c->ca.bytes = read_file(d->ca_file, a);
    if (!c->ca.bytes.p)
        return SP_E_IO;
    struct tls_cli *trial = tls_cli_new(c, &unused, &report);
    tls_cli_free(trial);
    return trial ? SP_OK : SP_E_ARG;
}

static uint64_t mix_text(uint64_t h, str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = mix(h, (unsigned char)s.p[i]);
    return mix(h, s.n);
}

static uint64_t hash_of(const struct sp_upstream_def *d, str target, const struct tls_cli_conf *tls)
{
    uint64_t h = mix(UINT64_C(14695981039346656037), d->connect_timeout_ms);
    h = mix(h, d->first_byte_timeout_ms);
    for (size_t i = 0; i < target.n; i++)
        h = mix(h, (unsigned char)chr_lower(target.p[i]));
    if (tls)
        h = mix_text(mix_text(mix(h, 1), tls->server_name), tls->ca.bytes);
    return h;
}

/* One per plugin, URL and timeouts: the same definition again is the same upstream, under its first
 * id. */
static sp_status define(struct sp_module *m, const struct sp_upstream_def *d, const struct url *url,
                        const struct tls_cli_conf *tls, str *id_out)
{
    struct module_registry *reg = m->registry;
    bool v6 = str_chr(url->host, ':') < url->host.n;
    char text[320];
    int n =
        snprintf(text, sizeof text, v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(url->host), url->port);
    struct gw_target t = {
        .text = str_n(text, (size_t)n), .host = url->host, .port = url->port, .weight = 1};
    uint64_t hash = hash_of(d, t.text, tls);
    for (unsigned i = 0; i < reg->defined_count; i++)
        if (reg->defined[i].module == m && reg->defined[i].hash == hash) {
            *id_out = reg->defined[i].id;
            return SP_OK;
        }
    char id[160];
    n = snprintf(id, sizeof id, "%s.%.*s", m->desc.name, STR_ARG(d->id));
    struct gw_upstream gu = {.id = str_n(id, (size_t)n),
                             .targets = &t,
                             .target_count = 1,
                             .authority = url->authority,
                             .t_connect = d->connect_timeout_ms,
                             .t_first_byte = d->first_byte_timeout_ms,
                             .tls = tls,
                             .hash = hash};
    const struct gw_timeouts defaults = {.integration = 29000, .write = 30000};
    struct upstream *u = upstream_get(reg->upstreams, &gu, &defaults);
    if (!u)
        return SP_E_NOMEM;
    return keep(m, u, hash, id_out);
}

static sp_status upstream_define(struct sp_module *m, const struct sp_upstream_def *d,
                                 sp_str *id_out)
{
    struct url url = {0};
    struct sp_upstream_def def = {0};
    CHECK_OBJ(m, MODULE_MAGIC);
    if (!d || !id_out || d->size < offsetof(struct sp_upstream_def, ca_file))
        return SP_E_ARG;
    memcpy(&def, d, d->size < sizeof def ? d->size : sizeof def);
    *id_out = STR("");
    if (!m->registry->upstreams)
        return SP_E_UNSUP;
    if (!id_ok(def.id) || def.connect_timeout_ms > TIMEOUT_MAX_MS ||
        def.first_byte_timeout_ms > TIMEOUT_MAX_MS)
        return SP_E_ARG;
    sp_status rc = parse_url(def.url, &url);
    if (rc != SP_OK)
        return rc;
    if (!allowed(m->registry, url.host, url.port))
        return SP_E_DENIED;
    struct tls_cli_conf tls;
    struct arena a;
    arena_init(&a, NULL);
    rc = url.tls ? read_tls(&def, &tls, &a) : SP_OK;
    if (rc == SP_OK)
        rc = define(m, &def, &url, url.tls ? &tls : NULL, id_out);
    arena_fini(&a);
    return rc;
}

const struct sp_upstream_api host_upstream_api = {
    .size = sizeof(struct sp_upstream_api),
    .define = upstream_define,
};
