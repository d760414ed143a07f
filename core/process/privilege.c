/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping root: groups, ids, capabilities. */
#include "process/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

int privilege_find(struct privilege *p, const char *user, char *why, size_t cap)
{
    char buf[16384];
    struct passwd pw, *found = NULL;
    uint64_t uid;
    *p = (struct privilege){.uid = geteuid(), .gid = getegid()};
    if (!user)
        return 0;
    int err = getpwnam_r(user, &pw, buf, sizeof buf, &found);
    if (!found && str_u64(str_z(user), &uid) == 0 && uid < UINT32_MAX) {
        err = getpwuid_r((uid_t)uid, &pw, buf, sizeof buf, &found);
    }
    if (!found) {
        snprintf(why, cap, "--user %s: %s", user, err ? strerror(err) : "no such user");
        return E_NONE;
    }
    snprintf(p->name, sizeof p->name, "%s", pw.pw_name);
    p->change = pw.pw_uid != geteuid();
    p->uid = pw.pw_uid;
    p->gid = pw.pw_gid;
    if (p->change && geteuid() != 0) {
        snprintf(why, cap, "--user %s: only root can become another user", user);
        return E_DENIED;
    }
    return 0;
}

static void keep_bind_service(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = 0}};
    uint32_t bit = 1u << CAP_NET_BIND_SERVICE;
    data[0].effective = data[0].permitted = data[0].inheritable = bit;
    if (syscall(SYS_capset, &head, data) == 0) {
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
    } else { /* it was not ours to keep: none at all then */
        memset(data, 0, sizeof data);
        (void)syscall(SYS_capset, &head, data);
    }
}

int privilege_drop(const struct privilege *p, char *why, size_t cap)
{
    if (!p->change)
        return 0;
    bool ok = prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
    ok = ok && initgroups(p->name, p->gid) == 0 && setgid(p->gid) == 0 && setuid(p->uid) == 0;
    if (!ok) {
        snprintf(why, cap, "cannot become user %s: %s", p->name, strerror(errno));
        return E_DENIED;
    }
    keep_bind_service();
    (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0,
                0); /* /proc/self stays readable for us: we execute /proc/self/exe */
    return 0;
}

void privilege_raise_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= r.rlim_max)
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

uint64_t privilege_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return r.rlim_cur;
}
