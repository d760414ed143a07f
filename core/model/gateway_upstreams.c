/* SPDX-License-Identifier: Apache-2.0 */
/* upstreams: and vpc_links: named groups of backends. */
#include "model/load.h"

static bool host_ok(str h, bool is_ip)
{
    if (is_ip)
        return true;
    if (h.n == 0 || h.n > 253 || h.p[0] == '.' || h.p[0] == '-')
        return false;
    for (size_t i = 0; i < h.n; i++) {
        char c = chr_lower(h.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return true;
}

static void read_target(struct load *ld, struct gw_upstream *u, const struct node *n)
{
    struct gw_target *t = &u->targets[u->target_count];
    const struct node *at = n;

    t->weight = 1;
    if (n->type == NODE_MAP) {
        if (schema_check(target_table, n, ld->tree, ld->diag))
            return;
        at = node_getz(n, "address");
        t->weight = (uint32_t)schema_i64(target_table, n, "weight");
    }
    if (at->type != NODE_STRING) {
        node_error(ld->diag, ld->tree, at, "host:port, or {address: host:port, weight: 1}", "is %s",
                   node_article(at));
        return;
    }
    t->text = at->text;
    if (addr_split(at->text, &t->host, &t->port, &t->is_ip) || !host_ok(t->host, t->is_ip)) {
        scalar_error(ld->diag, ld->tree, at, "host:port such as 10.0.0.5:9000", "is not a target");
        return;
    }
    if (t->port == 0) {
        scalar_error(ld->diag, ld->tree, at, "a port from 1 to 65535", "has no usable port");
        return;
    }
    for (unsigned i = 0; i < u->target_count; i++)
        if (str_eq(u->targets[i].text, t->text)) {
            node_error(ld->diag, ld->tree, at, "each target once; weights share the calls out",
                       "the target '%.*s' is named twice", STR_ARG(at->text));
            return;
        }
    u->target_count++;
}

static void read_pool(struct gw_upstream *u, const struct node *n)
{
    const struct node *times = node_getz(n, "timeouts"), *pool = node_getz(n, "pool");

    u->t_connect = schema_i64(upstream_timeouts_table, times, "connect");
    u->t_first_byte = schema_i64(upstream_timeouts_table, times, "first_byte");
    u->t_total = schema_i64(upstream_timeouts_table, times, "total");
    u->t_idle = schema_i64(upstream_timeouts_table, times, "idle");
    u->t_write = schema_i64(upstream_timeouts_table, times, "write");
    u->pool_max = schema_i64(upstream_pool_table, pool, "max");
    u->pool_idle = schema_i64(upstream_pool_table, pool, "idle");
    u->pool_queue = schema_i64(upstream_pool_table, pool, "queue");
    u->pool_queue_ms = schema_i64(upstream_pool_table, pool, "queue_timeout");
    u->pool_idle_ms = schema_i64(upstream_pool_table, pool, "idle_timeout");
    u->authority = schema_str(upstream_table, n, "host");
}

static void read_upstream(struct load *ld, const struct node *n, struct map *ids)
{
    struct gw_upstream *u = &ld->gw->upstreams[ld->gw->upstream_count];
    const struct node *targets = node_getz(n, "targets"), *id = node_getz(n, "id");
    struct gw_upstream *first;

    if (!id || id->type != NODE_STRING)
        return;
    *u = (struct gw_upstream){.node = n, .id = id->text}; /* one that was refused may have stood here */
    u->hash = node_hash(n);
    read_pool(u, n);
    load_upstream_policy(ld, u, n);
    u->tls = load_upstream_tls(ld, node_getz(n, "tls"), &u->hash);
    if (targets && targets->type == NODE_LIST) {
        u->targets = LOAD_NEW(ld, struct gw_target, targets->count);
        for (unsigned i = 0; u->targets && i < targets->count; i++)
            read_target(ld, u, targets->items[i]);
    }
    first = map_get(ids, u->id);
    if (first) {
        node_error(ld->diag, ld->tree, id, "another id",
                   "the upstream '%.*s' is defined twice, %.*s", STR_ARG(u->id),
                   STR_ARG(load_first_at(ld, ld->tree, node_getz(first->node, "id"))));
        return;
    }
    if (map_put(ids, u->id, u, NULL))
        load_nomem(ld);
    ld->gw->upstream_count++;
}

/* Reports an upstream's id that nobody defined. */
void load_upstream_unknown(struct load *ld, const struct node *n)
{
    unsigned count = ld->gw->upstream_count;
    const char **names = LOAD_NEW(ld, const char *, count);

    for (unsigned i = 0; names && i < count; i++)
        names[i] = ld->gw->upstreams[i].id.p;
    if (names)
        node_unknown(ld->diag, ld->tree, n, n, "upstream", names, count);
}

static void check_vpc_links(struct load *ld)
{
    const struct node *links = node_getz(ld->gw->root, "vpc_links");

    for (unsigned i = 0; links && links->type == NODE_MAP && i < links->count; i++) {
        const struct node *n = links->items[i];

        if (n->type == NODE_STRING && n->text.n && !gateway_upstream(ld->gw, n->text))
            load_upstream_unknown(ld, n);
    }
}

void load_upstreams(struct load *ld)
{
    const struct node *list = node_getz(ld->gw->root, "upstreams");
    struct map ids;

    map_init(&ids, false);
    if (list && list->type == NODE_LIST) {
        ld->gw->upstreams = LOAD_NEW(ld, struct gw_upstream, list->count);
        for (unsigned i = 0; ld->gw->upstreams && i < list->count; i++)
            if (list->items[i]->type == NODE_MAP)
                read_upstream(ld, list->items[i], &ids);
    }
    map_fini(&ids);
    check_vpc_links(ld);
}
