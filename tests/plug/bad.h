/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor with nothing wrong, which each bad plugin spoils in its own way. */
#ifndef TESTS_PLUG_BAD_H
#define TESTS_PLUG_BAD_H

#include <sallyport/abi.h>

static inline sp_verdict plug_next(const struct sp_call *call)
{
    (void)call;
    return SP_NEXT;
}

static inline struct sp_plugin plug_good(const char *name)
{
    struct sp_plugin p = {.magic = SP_MAGIC,
                          .abi_major = SP_ABI_MAJOR,
                          .abi_minor = SP_ABI_MINOR,
                          .size = sizeof(struct sp_plugin),
                          .name = name,
                          .version = "1.2.3",
                          .summary = "A plugin of the tests",
                          .option_stride = sizeof(struct sp_option),
                          .hook_stride = sizeof(struct sp_hook)};
    return p;
}

#define PLUG_COUNT(table) (uint32_t)(sizeof(table) / sizeof((table)[0]))

/* PLUG("bad-x", p.ctx_size = 1): the entry of a plugin that is good but for what the statement
 * does. */
#define PLUG(plugin_name, ...)                                                                     \
    const struct sp_plugin *sp_entry(void)                                                         \
    {                                                                                              \
        static struct sp_plugin p;                                                                 \
        p = plug_good(plugin_name);                                                                \
        __VA_ARGS__;                                                                               \
        return &p;                                                                                 \
    }

#endif
