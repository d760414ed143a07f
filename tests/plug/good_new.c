/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin as newer headers make it: descriptor, hooks and options have members that this gateway
 * does not know. */
#include "bad.h"

struct new_hook {
    struct sp_hook h;
    uint64_t more[3];
};
struct new_option {
    struct sp_option o;
    const char *unit;
};

static const struct new_hook hooks[] = {{{SP_HP_STAGE, 0, plug_next}, {1, 2, 3}},
                                        {{SP_HP_LOG, 0, plug_next}, {4, 5, 6}}};
static const struct new_option inner[] = {{{.type = SP_OPT_INT, .key = "a"}, "ms"},
                                          {{.type = SP_OPT_BOOL, .key = "b"}, NULL},
                                          {{.key = NULL}, NULL}};
static const struct new_option options[] = {
    {{.type = SP_OPT_STRING, .key = "first"}, "s"},
    {{.type = SP_OPT_MAP, .key = "second", .sub = &inner[0].o}, "m"}};

const struct sp_plugin *sp_entry(void)
{
    static struct {
        struct sp_plugin p;
        uint64_t more[4];
    } new_one;
    struct sp_plugin *p = &new_one.p;
    *p = plug_good("good-new");
    p->abi_minor = SP_ABI_MINOR + 1;
    p->need_minor = SP_ABI_MINOR;
    p->size = sizeof new_one;
    p->hooks = &hooks[0].h;
    p->nhooks = PLUG_COUNT(hooks);
    p->hook_stride = sizeof(struct new_hook);
    p->options = &options[0].o;
    p->noptions = PLUG_COUNT(options);
    p->option_stride = sizeof(struct new_option);
    return p;
}
