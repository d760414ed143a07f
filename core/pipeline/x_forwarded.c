/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is behind trusted proxies, and what the integration is told of it: X-Forwarded-*,
 * Forwarded (RFC 7239), Via (RFC 9110 7.6.3). What an untrusted peer claims is replaced or dropped. */
#include "base/text.h"
#include "pipeline/exchange.h"

#define ELEMENTS_MAX 64 /* of one Forwarded line; a longer one is not believed */

/* The ids stand side by side. */
#define IS_X_FORWARDED(id) ((id) >= HDR_X_FORWARDED_FOR && (id) <= HDR_X_FORWARDED_PROTO)
_Static_assert(HDR_X_FORWARDED_PROTO - HDR_X_FORWARDED_FOR == 3, "For, Host, Port, Proto");

static bool is_trusted(const struct exchange *x, const struct addr_ip *ip)
{
    return x->listener->trusted_count && cidr_match(x->listener->trusted, x->listener->trusted_count, ip);
}

/* An address as proxies write it: bare, in brackets, with or without a port. */
static bool node_ip(str s, struct addr_ip *ip)
{
    bool is_ip = false;
    uint16_t port;
    str host;

    if (addr_ip_parse(ip, s) == 0)
        return true;
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return addr_ip_parse(ip, str_n(s.p + 1, s.n - 2)) == 0 && ip->family != 0 && memchr(s.p, ':', s.n);
    return addr_split(s, &host, &port, &is_ip) == 0 && is_ip && addr_ip_parse(ip, host) == 0;
}

/* The next hop outwards. False: the walk ends here. */
static bool step(struct exchange *x, str node)
{
    struct addr_ip ip;

    if (!node_ip(node, &ip))
        return false;
    x->client = ip;
    return is_trusted(x, &ip);
}

static bool walk_list(struct exchange *x, str v)
{
    while (v.n) {
        size_t i = v.n;

        while (i > 0 && v.p[i - 1] != ',')
            i--;
        if (!step(x, str_trim(str_drop(v, i), " \t")))
            return false;
        v = str_take(v, i ? i - 1 : 0);
    }
    return true;
}

static bool is_tchar(char c)
{
    return hdr_name_ok(str_n(&c, 1));
}

/* A token or a quoted string at the front of *s, cut off; quotes are taken off, escapes are refused. */
static bool cut_value(str *s, str *value)
{
    size_t i = 0;

    if (s->n && s->p[0] == '"') {
        for (i = 1; i < s->n && s->p[i] != '"'; i++)
            if (s->p[i] == '\\')
                return false;
        if (i >= s->n)
            return false;
        *value = str_n(s->p + 1, i - 1);
        *s = str_drop(*s, i + 1);
        return true;
    }
    while (i < s->n && is_tchar(s->p[i]))
        i++;
    *value = str_take(*s, i);
    *s = str_drop(*s, i);
    return i > 0;
}

/* One element: parameters with `;` between. *node: its for=, empty when it has none. */
static bool cut_element(str *s, str *node)
{
    *node = STR("");
    for (;;) {
        str name, value;

        *s = str_trim(*s, " \t");
        if (!cut_value(s, &name) || s->n == 0 || s->p[0] != '=')
            return false;
        *s = str_drop(*s, 1);
        if (!cut_value(s, &value))
            return false;
        if (str_ieq(name, STR("for")))
            *node = value;
        *s = str_trim(*s, " \t");
        if (s->n == 0)
            return true;
        char c = s->p[0];
        *s = str_n(s->p + 1, s->n - 1);
        if (c == ',')
            return s->n > 0;
        if (c != ';')
            return false;
    }
}

static bool walk_forwarded(struct exchange *x, str v)
{
    str nodes[ELEMENTS_MAX];
    unsigned n = 0;

    while (v.n)
        if (n == ELEMENTS_MAX || !cut_element(&v, &nodes[n++]))
            return false;
    while (n-- > 0)
        if (!step(x, nodes[n]))
            return false;
    return true;
}

/* The right-most address that no trusted proxy has. */
void x_find_client(struct exchange *x)
{
    const struct pl_listener *l = x->listener;
    const struct hdrs *h = &x->st->req.h;

    x->client = *srv_peer(x->st);
    if (l->forwarded_read == GW_READ_NONE || !is_trusted(x, &x->client))
        return;
    bool listed = l->forwarded_read == GW_READ_X_FORWARDED_FOR;
    uint16_t id = listed ? HDR_X_FORWARDED_FOR : HDR_FORWARDED;
    for (uint32_t i = h->n; i-- > 0;)
        if (h->v[i].id == id && !(listed ? walk_list : walk_forwarded)(x, h->v[i].value))
            return;
}

/* What came, by one look at the table. */
struct came {
    bool any[4]; /* X-Forwarded-For, -Host, -Port, -Proto */
    bool forwarded, via;
};

static struct came look(const struct hdrs *h)
{
    const uint64_t any = hdr_bit(HDR_X_FORWARDED_FOR) | hdr_bit(HDR_X_FORWARDED_HOST) | hdr_bit(HDR_X_FORWARDED_PORT) |
                         hdr_bit(HDR_X_FORWARDED_PROTO) | hdr_bit(HDR_FORWARDED) | hdr_bit(HDR_VIA);
    struct came c = {.via = false};

    if (!(h->seen & any))
        return c;
    for (uint32_t i = 0; i < h->n; i++) {
        uint16_t id = h->v[i].id;
        if (h->v[i].flags & HDR_F_REMOVED)
            continue;
        if (IS_X_FORWARDED(id))
            c.any[id - HDR_X_FORWARDED_FOR] = true;
        else if (id == HDR_FORWARDED)
            c.forwarded = true;
        else if (id == HDR_VIA)
            c.via = true;
    }
    return c;
}

static int put(struct exchange *x, bool came, uint16_t id, str value)
{
    if (!value.p)
        return E_NOMEM;
    if (came)
        return hdrs_set(&x->req.h, x->arena, id, hdr_id_name(id), value);
    return hdrs_add(&x->req.h, x->arena, id, hdr_id_name(id), value);
}

static int drop(struct exchange *x, bool came, uint16_t id)
{
    int rc = came ? hdrs_del(&x->req.h, x->arena, id, STR_NONE) : 0;

    return rc < 0 ? rc : 0;
}

static str kept(struct exchange *x, struct text *t)
{
    str s = t->failed ? STR_NONE : arena_str(x->arena, text_str(t));

    text_fini(t);
    return s;
}

/* All lines of that name as one list, and `add` behind them. */
static str joined(struct exchange *x, uint16_t id, str add)
{
    const struct hdrs *h = &x->req.h;
    struct text t;

    text_init(&t);
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->v[i].id != id || h->v[i].flags & HDR_F_REMOVED || !h->v[i].value.n)
            continue;
        text_addz(&t, t.n ? ", " : "");
        text_add(&t, h->v[i].value);
    }
    text_addz(&t, t.n && add.n ? ", " : "");
    text_add(&t, add);
    return kept(x, &t);
}

static str ip_text(struct exchange *x, const struct addr_ip *ip)
{
    char t[ADDR_TEXT];

    return arena_str(x->arena, str_n(t, addr_ip_text(ip, t)));
}

static bool has_address(const struct addr_ip *ip)
{
    return ip->family == AF_INET || ip->family == AF_INET6;
}

static str port_text(struct exchange *x)
{
    char *p = arena_bytes(x->arena, 5);
    unsigned n = srv_local_ip(x->st)->port, i = 5;

    if (!p)
        return STR_NONE;
    do
        p[--i] = (char)('0' + n % 10);
    while (n /= 10);
    return str_n(p + i, 5 - i);
}

static int add_for(struct exchange *x, bool came, bool trusted)
{
    const struct addr_ip *peer = srv_peer(x->st);
    str own = STR("");

    if (!has_address(peer)) { /* a unix socket has none to tell */
        if (!trusted)
            return drop(x, came, HDR_X_FORWARDED_FOR);
        return 0;
    }
    own = ip_text(x, peer);
    return put(x, came, HDR_X_FORWARDED_FOR, trusted && came && own.p ? joined(x, HDR_X_FORWARDED_FOR, own) : own);
}

static int add_x_forwarded(struct exchange *x, const struct came *c, bool trusted)
{
    int rc = add_for(x, c->any[0], trusted);

    if (!rc && x->req.authority.n && !(trusted && c->any[1]))
        rc = put(x, c->any[1], HDR_X_FORWARDED_HOST, x->req.authority);
    else if (!rc && !trusted)
        rc = drop(x, c->any[1], HDR_X_FORWARDED_HOST);
    if (!rc && !(trusted && c->any[2]))
        rc = put(x, c->any[2], HDR_X_FORWARDED_PORT, port_text(x));
    if (!rc && !(trusted && c->any[3]))
        rc = put(x, c->any[3], HDR_X_FORWARDED_PROTO, x->req.scheme);
    return rc;
}

static int drop_x_forwarded(struct exchange *x, const struct came *c)
{
    int rc = 0;

    for (uint16_t i = 0; i < 4 && !rc; i++)
        rc = drop(x, c->any[i], (uint16_t)(HDR_X_FORWARDED_FOR + i));
    return rc;
}

/* RFC 7239 6: an IPv6 address stands in brackets and quotes. */
static str node_text(struct exchange *x, const struct addr_ip *ip)
{
    str t = has_address(ip) ? ip_text(x, ip) : STR("unknown");
    const str parts[] = {STR("\"["), t, STR("]\"")};

    return t.n && memchr(t.p, ':', t.n) ? arena_cat(x->arena, 3, parts) : t;
}

/* Token or quoted string: a host with a port is none of the former. */
static str quoted(struct exchange *x, str s)
{
    const str parts[] = {STR("\""), s, STR("\"")};

    return hdr_name_ok(s) ? s : arena_cat(x->arena, 3, parts);
}

/* What a trusted proxy said by X-Forwarded-For, as elements in front of our own (RFC 7239 7.4); the last ones, if there are many. */
static str converted(struct exchange *x, str own)
{
    const struct hdr *p = hdrs_first(&x->req.h, HDR_X_FORWARDED_PROTO);
    str rest = joined(x, HDR_X_FORWARDED_FOR, STR(""));
    bool proto = p && (str_ieq(p->value, STR("http")) || str_ieq(p->value, STR("https")));
    unsigned n = 1;
    struct text t;

    text_init(&t);
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == ',';
    for (; rest.p && rest.n; n--) {
        struct addr_ip ip;
        str one = str_trim(str_cut(&rest, ','), " \t");

        if (!one.n || n > ELEMENTS_MAX)
            continue;
        if (!node_ip(one, &ip))
            ip.family = 0;
        text_addz(&t, "for=");
        text_add(&t, node_text(x, &ip));
        if (proto) /* it is the first one's */
            text_addz(&t, ";proto="), text_add(&t, p->value);
        text_addz(&t, ", ");
        proto = false;
    }
    text_add(&t, own);
    return kept(x, &t);
}

static int add_forwarded(struct exchange *x, const struct came *c, bool trusted)
{
    const str parts[] = {STR("by="), node_text(x, srv_local_ip(x->st)), STR(";for="), node_text(x, srv_peer(x->st)),
                         x->req.authority.n ? STR(";host=") : STR(""), x->req.authority.n ? quoted(x, x->req.authority) : STR(""),
                         STR(";proto="), x->req.scheme};
    str own = arena_cat(x->arena, 8, parts);

    if (own.p && trusted && c->forwarded)
        own = joined(x, HDR_FORWARDED, own);
    else if (own.p && trusted && c->any[0])
        own = converted(x, own);
    return put(x, c->forwarded, HDR_FORWARDED, own);
}

static int add_via(struct exchange *x, const struct came *c)
{
    const str parts[] = {x->st->req.version_minor ? STR("1.1 ") : STR("1.0 "), x->listener->via};
    str own = arena_cat(x->arena, 2, parts);

    return put(x, c->via, HDR_VIA, own.p && c->via ? joined(x, HDR_VIA, own) : own);
}

/* AWS: HTTP APIs send Forwarded in place of X-Forwarded-* to HTTP integrations (semantics 7.2), the others X-Forwarded-*. */
static unsigned what_to_send(const struct exchange *x)
{
    unsigned send = x->listener->forwarded_send;

    if (send != GW_SEND_AWS)
        return send;
    return x->api_type == API_HTTP && x->route->kind == INT_HTTP_PROXY ? GW_SEND_FORWARDED
                                                                                          : GW_SEND_X_FORWARDED;
}

int x_forward_headers(struct exchange *x)
{
    struct came c = look(&x->req.h);
    bool trusted = is_trusted(x, srv_peer(x->st));
    unsigned send = what_to_send(x);
    int rc = 0;

    if (send == GW_SEND_FORWARDED || send == GW_SEND_BOTH)
        rc = add_forwarded(x, &c, trusted);
    else if (!trusted)
        rc = drop(x, c.forwarded, HDR_FORWARDED);
    if (rc)
        return rc;
    if (send == GW_SEND_X_FORWARDED || send == GW_SEND_BOTH)
        rc = add_x_forwarded(x, &c, trusted);
    else if (!trusted || send == GW_SEND_FORWARDED)
        rc = drop_x_forwarded(x, &c);
    return !rc && x->listener->via.n ? add_via(x, &c) : rc;
}

/* RFC 9110 7.6.2, for OPTIONS and TRACE: true when the request ends here, and is answered. */
bool x_last_hop(struct exchange *x)
{
    const struct hdr *h = hdrs_first(&x->req.h, HDR_MAX_FORWARDS);
    bool trace = str_eq(x->req.method_name, STR("TRACE"));
    uint64_t n;

    if (!h || (x->req.method != M_OPTIONS && !trace) || str_u64(h->value, &n) != 0)
        return false;
    if (n == 0 && trace) {
        x_fail(x, GW_NOT_IMPLEMENTED, "TRACE ends here, and is not answered"); /* it would show what proxies added */
        return true;
    }
    if (n == 0 && x_set_local(x, 204, STR(""), STR("")) == 0) {
        x_to_response(x, STOP_ALL);
        return true;
    }
    str less = n ? arena_printf(x->arena, "%llu", (unsigned long long)(n - 1)) : STR_NONE;
    if (less.p && hdrs_set(&x->req.h, x->arena, HDR_MAX_FORWARDS, hdr_id_name(HDR_MAX_FORWARDS), less) == 0)
        return false;
    x_fail_memory(x);
    return true;
}
