/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD for programs that start themselves again while valgrind runs them: there
 * /proc/self/exe is valgrind. BENCH_EXE names the program instead. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *,
                     const posix_spawnattr_t *, char *const[], char *const[]);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
                const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    const char *exe = getenv("BENCH_EXE");
    spawn_fn *next = (spawn_fn *)dlsym(RTLD_NEXT, "posix_spawn");

    if (exe && strcmp(path, "/proc/self/exe") == 0)
        path = exe;
    return next(pid, path, fa, attr, argv, envp);
}
