/* SPDX-License-Identifier: Apache-2.0 */
/* Where the control socket is, and the lock that keeps a second gateway away from it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/ctl.h"

#define NAME "control.sock"

static int complain(char *why, size_t cap, int rc, const char *fmt, ...) PRINTF(4, 5);
static int complain(char *why, size_t cap, int rc, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, cap, fmt, ap);
    va_end(ap);
    return rc;
}

static int join(char out[CTL_PATH_MAX], const char *dir, char *why, size_t cap)
{
    int n = snprintf(out, CTL_PATH_MAX, "%s/" NAME, dir);
    if (n > 0 && n < CTL_PATH_MAX)
        return 0;
    return complain(why, cap, E_LIMIT,
                    "%s/" NAME
                    " is too long for a socket (at most %d bytes): choose another with -s",
                    dir, CTL_PATH_MAX - 1);
}

/* A folder that is ours alone: below a folder that everybody may write to, nobody else may have
 * made it. */
static int private_dir(const char *dir, uid_t uid, char *why, size_t cap)
{
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return complain(why, cap, E_IO, "%s: %s", dir, strerror(errno));
    if (lstat(dir, &st) != 0)
        return complain(why, cap, E_IO, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != uid || (st.st_mode & 077)) {
        return complain(
            why, cap, E_DENIED,
            "%s: is not a folder of mode 0700 that belongs to us; choose another with -s", dir);
    }
    return 0;
}

/* The run folder: made when we may, given to the user that we are going to be. */
static bool run_dir(const char *dir, uid_t owner, gid_t group)
{
    struct stat st;
    if (mkdir(dir, 0750) == 0 && chown(dir, owner, group) != 0) {
        (void)rmdir(dir);
        return false;
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return false;
    if (geteuid() == 0 && owner != 0)
        return st.st_uid == owner;
    return access(dir, W_OK | X_OK) == 0;
}

static bool has_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* One place after the other: the first that can be used when a socket is to be made, the first that
 * has one otherwise. */
int ctl_place(const struct ctl_places *p, bool make, uid_t owner, gid_t group,
              char out[CTL_PATH_MAX], char *why, size_t cap)
{
    char dir[CTL_PATH_MAX];
    int rc;
    if (make ? run_dir(p->run_dir, owner, group) : true) {
        rc = join(out, p->run_dir, why, cap);
        if (rc || make || has_socket(out))
            return rc;
    }
    if (p->xdg_dir && p->xdg_dir[0] == '/') {
        snprintf(dir, sizeof dir, "%s/sallyport", p->xdg_dir);
        rc = make ? private_dir(dir, p->uid, why, cap) : 0;
        if (rc == 0)
            rc = join(out, dir, why, cap);
        if (rc || make || has_socket(out))
            return rc;
    }
    snprintf(dir, sizeof dir, "%s/sallyport-%lu", p->tmp_dir, (unsigned long)p->uid);
    rc = make || access(dir, F_OK) == 0 ? private_dir(dir, p->uid, why, cap) : 0;
    if (rc == 0)
        rc = join(out, dir, why, cap);
    if (rc || make || has_socket(out))
        return rc;
    return complain(why, cap, E_NONE,
                    "no gateway is running: no control socket in %s%s%s or %s; name it with -s",
                    p->run_dir, p->xdg_dir ? ", " : "", p->xdg_dir ? p->xdg_dir : "", dir);
}

static int take_given(const char *given, char out[CTL_PATH_MAX], char *why, size_t cap)
{
    size_t n = strlen(given);
    if (n == 0 || n >= CTL_PATH_MAX) {
        return complain(why, cap, E_LIMIT,
                        "the control socket's path has %zu bytes, at most %d are possible", n,
                        CTL_PATH_MAX - 1);
    }
    memcpy(out, given, n + 1);
    return 0;
}

static struct ctl_places usual_places(uid_t uid)
{
    return (struct ctl_places){SALLYPORT_RUNDIR, getenv("XDG_RUNTIME_DIR"), "/tmp", uid};
}

int ctl_path_server(const char *given, uid_t owner, gid_t group, char out[CTL_PATH_MAX], char *why,
                    size_t cap)
{
    if (given)
        return take_given(given, out, why, cap);
    struct ctl_places p = usual_places(geteuid());
    if (geteuid() == 0 && owner != 0)
        p.xdg_dir = NULL; /* root's own is of no use to the user we become */
    return ctl_place(&p, true, owner, group, out, why, cap);
}

int ctl_path_client(const char *given, char out[CTL_PATH_MAX], char *why, size_t cap)
{
    if (given)
        return take_given(given, out, why, cap);
    struct ctl_places p = usual_places(geteuid());
    return ctl_place(&p, false, 0, 0, out, why, cap);
}

static long holder(int fd)
{
    char text[32];
    uint64_t pid;
    ssize_t n = pread(fd, text, sizeof text, 0);
    str s = str_trim(str_n(text, n > 0 ? (size_t)n : 0), "\n");
    return str_u64(s, &pid) == 0 && pid < INT32_MAX ? (long)pid : 0;
}

/* Has the file that we locked been removed by its last holder? Then it guards nothing. */
static bool is_current(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int ctl_lock_take(struct ctl_lock *l, const char *socket_path, long *pid)
{
    char text[32];
    *pid = 0;
    snprintf(l->path, sizeof l->path, "%s.lock", socket_path);
    for (int tries = 0; tries < 16; tries++) {
        l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (l->fd < 0)
            return E_IO;
        if (flock(l->fd, LOCK_EX | LOCK_NB) != 0) {
            int err = errno;
            *pid = holder(l->fd);
            close(l->fd);
            l->fd = -1;
            errno = err;
            return err == EWOULDBLOCK ? E_EXISTS : E_IO;
        }
        if (is_current(l->fd, l->path)) {
            int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
            if (ftruncate(l->fd, 0) != 0 || pwrite(l->fd, text, (size_t)n, 0) != n)
                return E_IO;
            return 0;
        }
        close(l->fd);
    }
    l->fd = -1;
    errno = EAGAIN;
    return E_IO;
}

void ctl_lock_drop(struct ctl_lock *l)
{
    if (l->fd < 0)
        return;
    (void)unlink(l->path); /* while it is ours */
    close(l->fd);
    l->fd = -1;
}
