/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's listening sockets: from the master's deposits or bound anew, kept by address across
 * reloads. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/shortage.h"
#include "model/schema.h"
#include "net/sock.h"
#include "pipeline/relief.h"
#include "process/worker.h"

#define BACKLOG 4096
#define GATE_MS 50u

/* Accepting, on a traffic thread */
static void on_gate(struct loop *l, struct timer *timer)
{
    struct wthread *t = CONTAINER_OF(timer, struct wthread, gate);
    LIST_EACH_SAFE(&t->gated, it)
    {
        struct wsocket *s = LIST_ITEM(it, struct wsocket, gated);
        if (pipeline_enter(l, str_z(s->owner->text)) != 0)
            continue;
        pipeline_leave(l);
        list_del(&s->gated);
        listener_pause(&s->l, false);
    }
    if (!list_empty(&t->gated))
        timer_set(l, timer, GATE_MS);
}

/* limits.connections and limits.memory: the rest waits in the kernel's queue, and the thread looks again a little later. */
static bool enter(struct listener *l)
{
    struct wsocket *s = l->arg;
    struct wthread *t = s->thread;
    int rc = pipeline_enter(l->loop, str_z(s->owner->text));
    if (rc == 0)
        return true;
    list_push(&t->gated, &s->gated);
    if (rc == E_LIMIT)
        __atomic_store_n(&s->limited, s->limited + 1, __ATOMIC_RELAXED);
    shortage_note(rc == E_LIMIT ? SHORT_CONNECTIONS : SHORT_MEMORY, SHORT_AT_ACCEPT,
                  loop_now_ms(l->loop));
    listener_pause(l, true);
    if (!timer_is_set(&t->gate))
        timer_set(l->loop, &t->gate, GATE_MS);
    return false;
}

static void leave(struct listener *l)
{
    pipeline_leave(l->loop);
}

static void scarce(struct listener *l)
{
    pl_short_of_files(l->loop);
}

static void on_accept(struct listener *l, int fd, const struct addr *peer)
{
    struct wsocket *s = l->arg;
    if (sock_at_ceiling(fd))
        scarce(l);
    pipeline_accept(l->loop, str_z(s->owner->text), fd, peer);
    leave(l);
}

void worker_gate_init(struct wthread *t)
{
    list_init(&t->gated);
    timer_init(&t->gate, on_gate);
}

/* libev tells the kernel late of a watcher that was stopped, when something comes for it. So each thread polls a descriptor of its own, and
 * closes it itself: nobody else's descriptor has its number meanwhile. */
void worker_socket_stop(struct wsocket *s)
{
    int *fd = &s->owner->fds[s->thread->id - 1];
    listener_stop(&s->l);
    list_del(&s->gated);
    s->on = false;
    close(*fd);
    *fd = -1;
}

static void socket_start(struct wthread *t, struct wlistener *wl)
{
    struct wsocket *s = &wl->sockets[t->id - 1];
    listener_start(&s->l, t->loop, wl->fds[t->id - 1], on_accept, s);
    s->l.enter = enter;
    s->l.leave = leave;
    s->l.scarce = scarce;
    s->on = true;
}

/* The list itself does not change while threads are at it: the main thread waits for them. */
void worker_listen_thread(struct wthread *t, void *arg)
{
    (void)arg;
    if (t->draining)
        return;
    LIST_EACH(&t->w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        struct wsocket *s = &wl->sockets[t->id - 1];
        if (wl->is_new && !s->on) {
            socket_start(t, wl);
        } else if (!wl->stays && s->on) {
            worker_socket_stop(s);
        }
    }
}

/* Binding, on the main thread */
/* SO_REUSEPORT would let us share the address with a stranger of the same user: a bind without it
 * tells. */
static int probe_address(const struct addr *a)
{
    int on = 1, off = 0, rc = 0;
    if (a->u.sa.sa_family != AF_INET && a->u.sa.sa_family != AF_INET6)
        return 0;
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0; /* the real one tells */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr)) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, &a->u.sa, a->len) != 0 && errno == EADDRINUSE)
        rc = -EADDRINUSE;
    close(fd);
    return rc;
}

int worker_bind(struct worker *w, const struct addr *a, str key, bool reuseport, bool probe,
                bool *is_new)
{
    int fd = deposit_take(&w->deposits, key);
    *is_new = fd < 0;
    if (fd >= 0)
        return fd;
    int rc = probe ? probe_address(a) : 0;
    return rc ? rc : sock_listen(a, reuseport, BACKLOG);
}

static void listener_free(struct wlistener *wl)
{
    for (unsigned i = 0; i < ARRAY_LEN(wl->fds); i++)
        if (wl->fds[i] >= 0)
            close(wl->fds[i]);
    list_del(&wl->link);
    free(wl->sockets);
    free(wl);
}

static void bind_error(struct diag *d, const struct gateway *g, const struct gw_listener *gl,
                       int err)
{
    const char *hint = err == EADDRINUSE ? "an address that nobody else listens on"
                       : err == EACCES ? "a port above 1023, or the capability CAP_NET_BIND_SERVICE"
                       : err == EADDRNOTAVAIL ? "an address of this machine"
                                              : NULL;
    const struct node *n = node_getz(gl->node, "address");
    struct diag_at at = node_where(g->tree, n ? n : gl->node);
    char where[80];
    snprintf(where, sizeof where, "listen[%u].address", (unsigned)(gl - g->listeners));
    diag_error(d, at, where, hint, "cannot listen on %.*s: %s", STR_ARG(gl->text), strerror(err));
}

static struct wlistener *listener_new(struct worker *w, const struct gw_listener *gl)
{
    struct wlistener *wl = calloc(1, sizeof *wl);
    unsigned threads = w->thread_count;
    if (wl)
        wl->sockets = calloc(threads ? threads : 1, sizeof wl->sockets[0]);
    if (!wl || !wl->sockets || gl->text.n >= sizeof wl->text) {
        if (wl)
            free(wl->sockets);
        free(wl);
        return NULL;
    }
    for (unsigned i = 0; i < ARRAY_LEN(wl->fds); i++)
        wl->fds[i] = -1;
    memcpy(wl->text, gl->text.p, gl->text.n);
    wl->reuseport = gl->reuseport && gl->addr.u.sa.sa_family != AF_UNIX;
    wl->nsockets = threads;
    wl->is_new = wl->stays = true;
    for (unsigned i = 0; i < threads; i++) {
        list_init(&wl->sockets[i].gated);
        wl->sockets[i].owner = wl;
        wl->sockets[i].thread = &w->threads[i];
    }
    list_push(&w->listeners, &wl->link);
    return wl;
}

static int bind_all(struct worker *w, struct wlistener *wl, const struct gw_listener *gl)
{
    char key[DEPOSIT_KEY_MAX];
    unsigned want = wl->reuseport && w->thread_count ? w->thread_count : 1;
    bool probe = true;
    for (unsigned i = 0; i < want; i++) {
        int fd = worker_bind(w, &gl->addr, str_z(deposit_key(key, gl->text, i)), wl->reuseport,
                             probe, &wl->bound[i]);
        if (fd < 0)
            return fd;
        wl->fds[wl->nfds++] = fd;
        probe = false; /* we are there ourselves */
    }
    for (unsigned i = want; i < w->thread_count; i++) {
        wl->fds[i] = fcntl(wl->fds[0], F_DUPFD_CLOEXEC, 3);
        if (wl->fds[i] < 0)
            return -errno;
    }
    return 0;
}

static struct wlistener *find_listener(struct worker *w, str text)
{
    LIST_EACH(&w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        if (str_eqz(text, wl->text))
            return wl;
    }
    return NULL;
}

int worker_listen_plan(struct worker *w, const struct gateway *g, struct diag *d)
{
    unsigned before = d->errors;
    LIST_EACH(&w->listeners, it) LIST_ITEM(it, struct wlistener, link)->stays = false;
    for (unsigned i = 0; i < g->listener_count; i++) {
        const struct gw_listener *gl = &g->listeners[i];
        struct wlistener *wl = find_listener(w, gl->text);
        if (wl) {
            wl->stays = true;
            if (wl->reuseport != (gl->reuseport && gl->addr.u.sa.sa_family != AF_UNIX)) {
                node_warn(d, g->tree, gl->node, NULL, "`reuseport` changes at the next start only");
            }
            continue;
        }
        wl = listener_new(w, gl);
        int rc = wl ? bind_all(w, wl, gl) : -ENOMEM;
        if (rc)
            bind_error(d, g, gl, -rc);
    }
    if (d->errors == before)
        return 0;
    worker_listen_cancel(w);
    return E_CONF;
}

void worker_listen_cancel(struct worker *w)
{
    LIST_EACH_SAFE(&w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        if (wl->is_new && wl->bound[0] && strncmp(wl->text, "unix:/", 6) == 0)
            (void)unlink(wl->text + 5);
        if (wl->is_new)
            listener_free(wl);
        else
            wl->stays = true;
    }
}

static void withdraw(struct worker *w, const struct wlistener *wl)
{
    char key[DEPOSIT_KEY_MAX];
    for (unsigned i = 0; i < wl->nfds; i++) {
        worker_say(w, "withdraw", 0, str_z(deposit_key(key, str_z(wl->text), i)), -1);
    }
}

static void deposit_new(struct worker *w, struct wlistener *wl)
{
    char key[DEPOSIT_KEY_MAX];
    for (unsigned i = 0; i < wl->nfds; i++) {
        if (!wl->bound[i])
            continue;
        worker_say(w, "deposit", 0, str_z(deposit_key(key, str_z(wl->text), i)), wl->fds[i]);
        wl->bound[i] = false;
    }
}

/* Listened on by the worker before us, and no longer in the conf. */
static void give_back_rest(struct worker *w)
{
    LIST_EACH(&w->deposits.all, it)
    {
        worker_say(w, "withdraw", 0, str_z(LIST_ITEM(it, struct deposit, link)->key), -1);
    }
    deposits_fini(&w->deposits);
}

void worker_listen_commit(struct worker *w)
{
    LIST_EACH_SAFE(&w->listeners, it)
    {
        struct wlistener *wl = LIST_ITEM(it, struct wlistener, link);
        if (!wl->stays) {
            log_info("no longer listening on %s", wl->text);
            withdraw(w, wl);
            listener_free(wl);
        } else if (wl->is_new) {
            deposit_new(w, wl);
            wl->is_new = false;
            log_info("listening on %s", wl->text);
        }
    }
    give_back_rest(w); /* the status listener has taken its own in its plan */
}

void worker_listen_close(struct worker *w)
{
    LIST_EACH_SAFE(&w->listeners, it) listener_free(LIST_ITEM(it, struct wlistener, link));
}
