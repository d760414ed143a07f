/* SPDX-License-Identifier: Apache-2.0 */
/* TLS options of listeners and upstreams: what they say, and the files that they name, read. Whether
 * those hold what they should, the contexts tell that are made of them. */
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/load.h"

#define PEM_MAX (4u << 20)

static bool read_pem(struct load *ld, const struct node *map, const char *key, struct tls_pem *pem)
{
    const struct node *n = node_getz(map, key);
    const char *path;

    if (!n || n->type != NODE_STRING || n->text.n == 0)
        return false;
    pem->at = n;
    path = load_path(ld, n);
    if (path)
        pem->bytes = load_bytes(ld, path, n, PEM_MAX);
    return pem->bytes.p != NULL;
}

static bool ours(gid_t gid)
{
    struct group *g = gid == 0 || gid == getegid() ? NULL : getgrnam("sallyport");

    return gid == 0 || gid == getegid() || (g && g->gr_gid == gid);
}

/* Keys are for root and the gateway's group. */
static void check_mode(struct load *ld, const struct node *n)
{
    const char *path = load_path(ld, n);
    struct stat st;

    if (!path || stat(path, &st) != 0)
        return;
    if (st.st_mode & (S_IROTH | S_IWOTH))
        node_warn(ld->diag, ld->tree, n, "mode 0640 or less", "everybody can read the key '%s'",
                  path);
    else if ((st.st_mode & (S_IRGRP | S_IWGRP)) && !ours(st.st_gid))
        node_warn(ld->diag, ld->tree, n, "a key of group root or sallyport",
                  "the group %u can read the key '%s'", (unsigned)st.st_gid, path);
}

static bool read_cert(struct load *ld, const struct node *map, struct tls_cert_conf *c)
{
    bool chain = read_pem(ld, map, "chain", &c->chain), key = read_pem(ld, map, "key", &c->key);

    if (key)
        check_mode(ld, c->key.at);
    return chain && key;
}

static uint64_t mix(uint64_t h, str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return h * UINT64_C(0x9e3779b97f4a7c15) + s.n;
}

static void needs_ca(struct load *ld, const struct node *map)
{
    static const char *const keys[] = {"client_verify", "client_depth", "client_crl"};

    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        const struct node *n = node_getz(map, keys[i]);

        if (n)
            node_error(ld->diag, ld->tree, n, "`client_ca` beside it",
                       "`%s` has no effect without `client_ca`", keys[i]);
    }
}

const struct tls_srv_conf *load_listener_tls(struct load *ld, const struct node *map, str name)
{
    const struct node *list = node_getz(map, "certificates");
    struct tls_srv_conf *c;

    if (map && !node_getz(map, "client_ca"))
        needs_ca(ld, map);
    if (!map || map->type != NODE_MAP || !list || list->type != NODE_LIST || list->count == 0 ||
        !(c = LOAD_NEW(ld, struct tls_srv_conf, 1)) ||
        !(c->certs = LOAD_NEW(ld, struct tls_cert_conf, list->count)))
        return NULL;
    c->at = map;
    c->name = name;
    for (unsigned i = 0; i < list->count; i++)
        if (read_cert(ld, list->items[i], &c->certs[c->cert_count]))
            c->cert_count++;
    c->min_13 = schema_i64(listen_tls_table, map, "min_version") == 1;
    c->ticket_ms = (uint64_t)schema_i64(tls_table, node_getz(ld->gw->root, "tls"), "ticket_rotation");
    c->tickets = schema_bool(listen_tls_table, map, "tickets");
    c->ciphers = schema_str(listen_tls_table, map, "ciphers");
    c->ciphers_at = node_getz(map, "ciphers");
    c->client_optional = schema_i64(listen_tls_table, map, "client_verify") == 1;
    c->client_depth = (unsigned)schema_i64(listen_tls_table, map, "client_depth");
    if (read_pem(ld, map, "client_ca", &c->client_ca))
        (void)read_pem(ld, map, "client_crl", &c->client_crl);
    return c;
}

const struct tls_cli_conf *load_upstream_tls(struct load *ld, const struct node *map,
                                             uint64_t *hash)
{
    const struct node *cert = node_getz(map, "certificate"), *ca = node_getz(map, "ca"),
                      *verify = node_getz(map, "verify");
    struct tls_cli_conf *c;

    if (!map || map->type != NODE_MAP || !(c = LOAD_NEW(ld, struct tls_cli_conf, 1)))
        return NULL;
    c->verify = schema_bool(upstream_tls_table, map, "verify");
    c->min_13 = schema_i64(upstream_tls_table, map, "min_version") == 1;
    c->server_name = schema_str(upstream_tls_table, map, "server_name");
    if (!c->verify && ca)
        node_error(ld->diag, ld->tree, ca, "`verify: true`",
                   "`ca` has no effect where certificates are not verified");
    else
        (void)read_pem(ld, map, "ca", &c->ca);
    if (!c->verify)
        node_warn(ld->diag, ld->tree, verify, "true",
                  "anybody between the gateway and the targets can read and change the calls");
    if (cert)
        (void)read_cert(ld, cert, &c->cert);
    *hash = mix(mix(mix(*hash, c->ca.bytes), c->cert.chain.bytes), c->cert.key.bytes);
    return c;
}
