/* SPDX-License-Identifier: Apache-2.0 */
/* Kept confs in memory files. */
#include "process/kept.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        s = str_drop(s, (size_t)n);
    }
    return 0;
}

int kept_write(const struct keep *k)
{
    struct text t;
    text_init(&t);
    int fd = -ENOMEM;
    if (keep_write(k, &t) == 0) {
        fd = memfd_create("sallyport-conf", MFD_CLOEXEC);
        int rc = fd < 0 ? -errno : write_all(fd, text_str(&t));
        if (rc && fd >= 0)
            close(fd);
        fd = rc ? rc : fd;
    }
    text_fini(&t);
    return fd;
}

struct keep *kept_read(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return NULL;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    struct keep *k = keep_read(str_n(p, (size_t)st.st_size));
    (void)munmap(p, (size_t)st.st_size);
    return k;
}
