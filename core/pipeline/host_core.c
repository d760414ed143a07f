/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's core table: log, clocks, header and variable ids, random bytes. */
#include <errno.h>
#include <stdarg.h>
#include <sys/random.h>

#include "base/log.h"
#include "http/hdr.h"
#include "pipeline/exchange_id.h"
#include "pipeline/host.h"
#include "pipeline/host_thread.h"
#include "pipeline/module.h"

#define LINE_MAX_BYTES 1024

static _Thread_local struct host_thread thread;

void host_thread_enter(struct metrics *metrics, unsigned loop_id)
{
    thread = (struct host_thread){metrics, loop_id};
}

void host_thread_leave(void)
{
    thread = (struct host_thread){NULL, 0};
}

struct host_thread host_thread(void)
{
    return thread;
}

PRINTF(4, 5)
static void core_log(struct sp_module *m, struct sp_exchange *x, int32_t level, const char *fmt,
                     ...)
{
    enum log_level l = level < SP_LOG_ERROR   ? LOG_ERROR
                       : level > SP_LOG_DEBUG ? LOG_DEBUG
                                              : (enum log_level)level;
    if (!fmt || !log_on(l))
        return;
    char line[LINE_MAX_BYTES], id[64];
    const char *name = m && m->magic == MODULE_MAGIC ? m->desc.name : "?";
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(line, sizeof line, fmt, ap) < 0)
        line[0] = 0;
    va_end(ap);
    if (!x) {
        log_kv(l, line, "plugin", name, NULL);
        return;
    }
    str rid = str_take(exchange_request_id(x), sizeof id - 1);
    if (rid.n)
        memcpy(id, rid.p, rid.n);
    id[rid.n] = 0;
    log_kv(l, line, "plugin", name, "request", id, NULL);
}

static uint64_t core_now_ms(void)
{
    return loop_now_ns() / 1000000u;
}

static uint64_t core_wall_ms(void)
{
    return loop_wall_ms();
}

static uint32_t core_header_id(struct sp_module *m, sp_str name)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    return m->in_load ? hdr_intern(name) : 0;
}

static uint32_t core_variable_id(struct sp_module *m, sp_str name)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    return m->in_load ? host_variable_id(m->registry, name) : 0;
}

static uint32_t core_variable_find(struct sp_module *m, sp_str name)
{
    CHECK_OBJ(m, MODULE_MAGIC);
    return host_variable_lookup(m->registry, name);
}

static uint32_t core_thread_id(void)
{
    return thread.loop_id ? thread.loop_id - 1 : 0;
}

static sp_status core_random(void *out, size_t n)
{
    char *p = out;
    if (n && !out)
        return SP_E_ARG;
    while (n) {
        ssize_t got = getrandom(p, n < 256 ? n : 256, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return SP_E_IO;
        p += got;
        n -= (size_t)got;
    }
    return SP_OK;
}

const struct sp_core_api host_core_api = {
    .size = sizeof(struct sp_core_api),
    .log = core_log,
    .now_ms = core_now_ms,
    .wall_ms = core_wall_ms,
    .header_id = core_header_id,
    .variable_id = core_variable_id,
    .thread_id = core_thread_id,
    .random = core_random,
    .variable_find = core_variable_find,
};
