/* SPDX-License-Identifier: Apache-2.0 */
/* Starting our own executable again, and noticing its end by SIGCHLD. */
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

#define FDS_MAX 8
#define FD_HIGH 16 /* sources of dup2 stand above every target */

extern char **environ;

static void on_sigchld(struct ev_loop *ev, ev_signal *w, int revents)
{
    struct children *all = w->data;
    (void)ev, (void)revents;
    LIST_EACH_SAFE(&all->all, it)
    {
        struct child *c = LIST_ITEM(it, struct child, link);
        int status;
        if (waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        list_del(&c->link);
        c->pid = 0;
        c->fn(c, status);
        break; /* fn may have changed the list */
    }
    LIST_EACH(&all->all, it)
    { /* another one that has ended needs another turn */
        siginfo_t info = {.si_pid = 0};
        pid_t pid = LIST_ITEM(it, struct child, link)->pid;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
            continue;
        ev_feed_event(all->loop->ev, &all->sig, EV_SIGNAL);
        break;
    }
    loop_flush(all->loop);
}

void children_init(struct children *all, struct loop *loop)
{
    all->loop = loop;
    list_init(&all->all);
    ev_signal_init(&all->sig, on_sigchld, SIGCHLD);
    all->sig.data = all;
    ev_signal_start(loop->ev, &all->sig);
}

void children_fini(struct children *all)
{
    LIST_EACH_SAFE(&all->all, it) child_drop(LIST_ITEM(it, struct child, link));
    ev_signal_stop(all->loop->ev, &all->sig);
}

static int plan_fds(posix_spawn_file_actions_t *fa, const struct child_fd *fds, unsigned n,
                    int *high)
{
    int rc = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        high[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, FD_HIGH);
        if (high[i] < 0)
            return errno;
        rc = posix_spawn_file_actions_adddup2(fa, high[i], fds[i].to);
    }
    return rc;
}

static int plan_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL), sigdelset(&all, SIGSTOP);
    int rc = posix_spawnattr_setsigmask(attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    return rc ? rc : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int child_start(struct children *all, struct child *c, const char *const *argv,
                const struct child_fd *fds, unsigned nfds, void (*fn)(struct child *, int))
{
    int high[FDS_MAX] = {-1, -1, -1, -1, -1, -1, -1, -1};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    pid_t pid;
    if (nfds > FDS_MAX)
        return -EINVAL;
    if (posix_spawn_file_actions_init(&fa) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&fa);
        return -ENOMEM;
    }
    int rc = plan_fds(&fa, fds, nfds, high);
    if (rc == 0)
        rc = plan_signals(&attr);
    if (rc == 0)
        rc = posix_spawn(&pid, "/proc/self/exe", &fa, &attr, (char *const *)(uintptr_t)argv,
                         environ);
    if (rc == 0) {
        *c = (struct child){.pid = pid, .fn = fn};
        list_push(&all->all, &c->link);
    }
    for (unsigned i = 0; i < nfds; i++)
        if (high[i] >= 0)
            close(high[i]);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return -rc;
}

void child_kill(const struct child *c, int sig)
{
    if (c->pid > 0)
        (void)kill(c->pid, sig); /* it is not reaped yet: the number is its own */
}

void child_drop(struct child *c)
{
    if (c->pid <= 0)
        return;
    child_kill(c, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    list_del(&c->link);
    c->pid = 0;
}

const char *child_status_text(int status, char *out, size_t cap)
{
    if (WIFSIGNALED(status)) {
        const char *name = strsignal(WTERMSIG(status));
        snprintf(out, cap, "signal %d (%s)", WTERMSIG(status), name ? name : "unknown");
    } else {
        snprintf(out, cap, "exit status %d", WEXITSTATUS(status));
    }
    return out;
}
