/* SPDX-License-Identifier: Apache-2.0 */
/* No plugin: preloaded, it lets one allocation in so many fail, at random, in the process that a shared file
 * names. tests/integration/test_limits_machine.py writes the file while the gateway runs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct control {
    _Atomic uint32_t pid, one_in, failed; /* one_in 0: all succeed */
} *control;
static _Thread_local uint32_t state __attribute__((tls_model("initial-exec")));
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);

static void find(void)
{
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SALLYPORT_TEST_STARVE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    control = p == MAP_FAILED ? NULL : p;
    close(fd);
}

static int fails(void)
{
    uint32_t one_in = control ? control->one_in : 0;
    if (!next_realloc)
        find();
    if (one_in == 0 || control->pid != (uint32_t)getpid())
        return 0;
    if (!state)
        state = (uint32_t)(uintptr_t)&state | 1; /* each thread its own */
    state ^= state << 13; /* xorshift */
    state ^= state >> 17;
    state ^= state << 5;
    if (state % one_in)
        return 0;
    control->failed++;
    errno = ENOMEM;
    return 1;
}

EXPORT void *malloc(size_t n)
{
    return fails() ? NULL : next_malloc(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : next_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t n)
{
    return fails() ? NULL : next_realloc(p, n);
}
