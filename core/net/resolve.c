/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses: the cache, waiters of one query, c-ares on the loop. */
#include "net/resolve.h"

#include <ares.h>
#include <netdb.h>

#include "base/map.h"
#include "net/hosts.h"

#define NAME_MAX_LEN 253u
#define IPS_MAX 64u

struct watch { /* a socket of c-ares */
    struct list link;
    struct resolver *r;
    ev_io rd, wr;
    ares_socket_t fd;
};

struct entry { /* a name: known, or being asked for */
    struct resolver *r;
    struct list lru; /* in r->lru, asked for last: first */
    struct list ops; /* waiting, while pending */
    str name;        /* lower case; the map's key, owned */
    bool pending;
    bool *starting; /* set while the query is being started: the answer may come at once */
    int status;
    const char *error;
    uint64_t expires_ms;
    struct addr_ip *ips;
    unsigned count;
};

struct resolve_op {
    struct list link;
    void (*fn)(void *, const struct resolve_result *);
    void *arg;
};

struct resolver {
    struct loop *l;
    struct resolver_conf conf;
    ares_channel channel;
    struct hosts hosts;
    struct map entries; /* name to struct entry */
    struct list lru, watches;
    struct timer timer;
    bool closing;
};

/* c-ares and the loop. */

static void rearm(struct resolver *r)
{
    struct timeval tv, *t = r->closing ? NULL : ares_timeout(r->channel, NULL, &tv);
    if (!t) timer_cancel(&r->timer);
    else timer_set(r->l, &r->timer, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1);
}

static void on_timer(struct loop *l, struct timer *t)
{
    struct resolver *r = CONTAINER_OF(t, struct resolver, timer);
    (void)l;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(r);
}

static void on_socket(struct ev_loop *ev, ev_io *io, int revents)
{
    struct watch *w = io->data;
    struct resolver *r = w->r;
    ares_socket_t fd = w->fd;
    (void)ev;
    /* May close the socket and free w. */
    ares_process_fd(r->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD,
                    revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
    rearm(r);
    loop_done(r->l);
}

static struct watch *watch_of(struct resolver *r, ares_socket_t fd)
{
    LIST_EACH(&r->watches, it)
    {
        struct watch *w = LIST_ITEM(it, struct watch, link);
        if (w->fd == fd) return w;
    }
    struct watch *w = calloc(1, sizeof *w);
    if (!w) return NULL; /* the query ends with its timeout */
    w->r = r;
    w->fd = fd;
    ev_io_init(&w->rd, on_socket, fd, EV_READ);
    ev_io_init(&w->wr, on_socket, fd, EV_WRITE);
    w->rd.data = w->wr.data = w;
    list_push(&r->watches, &w->link);
    return w;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct watch *w = watch_of(r, fd);
    if (!w) return;
    if (readable) ev_io_start(r->l->ev, &w->rd);
    else ev_io_stop(r->l->ev, &w->rd);
    if (writable) ev_io_start(r->l->ev, &w->wr);
    else ev_io_stop(r->l->ev, &w->wr);
    if (readable || writable) return;
    list_del(&w->link);
    free(w);
}

/* Entries. */

static void entry_free(struct entry *e)
{
    list_del(&e->lru);
    (void)map_del(&e->r->entries, e->name);
    free((char *)(uintptr_t)e->name.p);
    free(e->ips);
    free(e);
}

static struct entry *entry_new(struct resolver *r, str name)
{
    struct entry *e = calloc(1, sizeof *e);
    char *copy = str_dup(name);
    if (!e || !copy) goto fail;
    e->r = r;
    e->name = str_n(copy, name.n);
    list_init(&e->ops);
    if (map_put(&r->entries, e->name, e, NULL) != 0) goto fail;
    list_add(&r->lru, &e->lru);
    return e;
fail:
    free(copy);
    free(e);
    return NULL;
}

/* Room for one more: the one asked for longest ago, that nobody waits for, goes. */
static bool make_room(struct resolver *r)
{
    if (r->conf.max_entries == 0 || r->entries.count < r->conf.max_entries) return true;
    for (struct list *it = r->lru.prev; it != &r->lru; it = it->prev) {
        struct entry *e = LIST_ITEM(it, struct entry, lru);
        if (e->pending) continue;
        entry_free(e);
        return true;
    }
    return false;
}

static int status_of(int ares, const char **error)
{
    switch (ares) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        *error = "no such name";
        return E_NONE;
    case ARES_ETIMEOUT:
        *error = "no answer from the name servers in time";
        return E_TIMEOUT;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED:
        *error = "the resolver is closing";
        return E_ABORT;
    case ARES_ENOMEM:
        *error = "out of memory";
        return E_NOMEM;
    case ARES_ECONNREFUSED:
        *error = "no name server can be reached";
        return E_IO;
    default:
        *error = ares_strerror(ares);
        return E_IO;
    }
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
    if (high && n > high) n = high;
    return n < low ? low : n;
}

static void shorten(uint64_t *ttl_s, int ttl)
{
    if (ttl >= 0 && (uint64_t)ttl < *ttl_s) *ttl_s = (uint64_t)ttl;
}

/* Takes over the addresses of an answer; *ttl_s of the shortest-lived record, aliases counted. */
static int take_ips(struct entry *e, const struct ares_addrinfo *ai, uint64_t *ttl_s)
{
    unsigned n = 0;
    for (const struct ares_addrinfo_node *i = ai->nodes; i; i = i->ai_next) n++;
    if (n > IPS_MAX) n = IPS_MAX;
    e->ips = n ? calloc(n, sizeof *e->ips) : NULL;
    if (!e->ips) return n ? ARES_ENOMEM : ARES_ENODATA;
    *ttl_s = UINT32_MAX;
    for (const struct ares_addrinfo_node *i = ai->nodes; i && e->count < n; i = i->ai_next) {
        struct addr a = {.len = (socklen_t)i->ai_addrlen};
        if (i->ai_family != AF_INET && i->ai_family != AF_INET6) continue;
        memcpy(&a.u, i->ai_addr, i->ai_addrlen);
        addr_to_ip(&a, &e->ips[e->count++]);
        shorten(ttl_s, i->ai_ttl);
    }
    for (const struct ares_addrinfo_cname *c = ai->cnames; c; c = c->next) shorten(ttl_s, c->ttl);
    return e->count ? ARES_SUCCESS : ARES_ENODATA;
}

static void tell(const struct entry *e, void (*fn)(void *, const struct resolve_result *),
                 void *arg)
{
    struct resolve_result res = {
        .status = e->status, .ips = e->ips, .count = e->count, .error = e->error};
    fn(arg, &res);
}

static void on_answer(void *arg, int ares, int timeouts, struct ares_addrinfo *ai)
{
    struct entry *e = arg;
    const struct resolver_conf *conf = &e->r->conf;
    uint64_t ttl_s = 0;
    (void)timeouts;
    if (ares == ARES_SUCCESS && ai) ares = take_ips(e, ai, &ttl_s);
    if (ai) ares_freeaddrinfo(ai);
    e->error = NULL;
    e->status = status_of(ares, &e->error);
    if (e->status == 0) ttl_s = clamp(ttl_s, conf->ttl_min_s, conf->ttl_max_s);
    else ttl_s = e->status == E_NONE ? conf->ttl_negative_s : 0;
    e->expires_ms = loop_now_ms(e->r->l) + ttl_s * 1000;
    /* Still pending while the waiters are told: so it cannot go from under us. */
    while (!list_empty(&e->ops)) {
        struct resolve_op *op = LIST_ITEM(e->ops.next, struct resolve_op, link);
        list_del(&op->link);
        tell(e, op->fn, op->arg);
        free(op);
    }
    e->pending = false;
    if (e->starting) *e->starting = false;
    if (ttl_s == 0) entry_free(e);
}

/* Asking. */

static struct resolve_op *no(int status, const char *error,
                             void (*fn)(void *, const struct resolve_result *), void *arg)
{
    struct resolve_result res = {.status = status, .error = error};
    fn(arg, &res);
    return NULL;
}

static bool is_localhost(str name)
{
    return str_eq(name, STR("localhost")) || str_ends(name, STR(".localhost")); /* RFC 6761 6.3 */
}

/* What needs no query. */
static bool known(struct resolver *r, str name, void (*fn)(void *, const struct resolve_result *),
                  void *arg)
{
    struct addr_ip ip[2];
    struct resolve_result res = {.status = 0, .ips = ip, .count = 1};
    const struct host_ips *h = hosts_get(&r->hosts, name);
    if (h) {
        res.ips = h->v;
        res.count = h->n;
    } else if (is_localhost(name)) {
        res.count = 2;
        if (addr_ip_parse(&ip[0], STR("127.0.0.1")) != 0 || addr_ip_parse(&ip[1], STR("::1")) != 0)
            return false;
    } else if (addr_ip_parse(&ip[0], name) != 0) {
        return false;
    }
    fn(arg, &res);
    return true;
}

static void start(struct entry *e, bool *starting)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolver *r = e->r;
    e->pending = *starting = true;
    e->starting = starting;
    ares_getaddrinfo(r->channel, e->name.p, NULL, &hints, on_answer, e);
    if (*starting) e->starting = NULL; /* else e may be gone */
    rearm(r);
}

struct resolve_op *resolve(struct resolver *r, str name,
                           void (*fn)(void *arg, const struct resolve_result *), void *arg)
{
    char low[NAME_MAX_LEN];
    bool waiting = true;
    if (r->closing) return no(E_ABORT, "the resolver is closing", fn, arg);
    if (name.n && name.p[name.n - 1] == '.') name.n--;
    if (name.n == 0 || name.n > sizeof low || memchr(name.p, '\0', name.n))
        return no(E_NONE, "no such name", fn, arg);
    for (size_t i = 0; i < name.n; i++) low[i] = chr_lower(name.p[i]);
    name.p = low;
    if (known(r, name, fn, arg)) return NULL;
    struct entry *e = map_get(&r->entries, name);
    if (e && !e->pending) {
        if (e->expires_ms > loop_now_ms(r->l)) {
            list_del(&e->lru);
            list_add(&r->lru, &e->lru);
            tell(e, fn, arg);
            return NULL;
        }
        entry_free(e);
        e = NULL;
    }
    if (!e && !make_room(r)) return no(E_IO, "too many names are being resolved", fn, arg);
    bool fresh = !e;
    struct resolve_op *op = calloc(1, sizeof *op);
    if (!e && op) e = entry_new(r, name);
    if (!e || !op) {
        free(op);
        return no(E_NOMEM, "out of memory", fn, arg);
    }
    op->fn = fn;
    op->arg = arg;
    list_push(&e->ops, &op->link);
    if (fresh) start(e, &waiting);
    return waiting ? op : NULL;
}

void resolve_cancel(struct resolve_op *op)
{
    if (!op) return;
    list_del(&op->link);
    free(op);
}

struct resolver *resolver_new(struct loop *l, const struct resolver_conf *conf)
{
    struct ares_options o = {.flags = ARES_FLAG_NOALIASES, .lookups = (char *)(uintptr_t)"b"};
    int mask = ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    struct resolver *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->l = l;
    r->conf = *conf;
    r->conf.servers = NULL; /* not kept */
    o.sock_state_cb = on_socket_state;
    o.sock_state_cb_data = r;
    if (conf->timeout_ms) o.timeout = (int)conf->timeout_ms, mask |= ARES_OPT_TIMEOUTMS;
    if (conf->tries) o.tries = (int)conf->tries, mask |= ARES_OPT_TRIES;
    list_init(&r->lru);
    list_init(&r->watches);
    timer_init(&r->timer, on_timer);
    map_init(&r->entries, false);
    if (hosts_read(&r->hosts, "/etc/hosts") != 0) {
        free(r);
        return NULL;
    }
    /* ares_library_init is for Windows, and not made for several threads. */
    if (ares_init_options(&r->channel, &o, mask) != ARES_SUCCESS) goto fail;
    if (conf->servers && ares_set_servers_ports_csv(r->channel, conf->servers) != ARES_SUCCESS)
        goto fail_channel;
    return r;
fail_channel:
    ares_destroy(r->channel);
fail:
    hosts_fini(&r->hosts);
    free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (!r) return;
    r->closing = true;
    ares_destroy(r->channel); /* the pending ones are told, the sockets closed */
    timer_cancel(&r->timer);
    while (!list_empty(&r->lru)) entry_free(LIST_ITEM(r->lru.next, struct entry, lru));
    while (!list_empty(&r->watches)) {
        struct watch *w = LIST_ITEM(r->watches.next, struct watch, link);
        ev_io_stop(r->l->ev, &w->rd);
        ev_io_stop(r->l->ev, &w->wr);
        list_del(&w->link);
        free(w);
    }
    map_fini(&r->entries);
    hosts_fini(&r->hosts);
    free(r);
}
