/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin noop: hooks that do nothing, at every point that any plugin may stand at. Benchmarks
 * load it a hundred times over to see what a hook costs. INTEGRATION is left out: that point has
 * one answerer per exchange, which a capability chooses. */
#include <sallyport/sugar.h>

static sp_verdict nothing(const struct sp_call *call)
{
    (void)call;
    return SP_NEXT;
}

static const struct sp_hook hooks[] = {
    {SP_HP_STAGE, 0, nothing},   {SP_HP_REQUEST, 0, nothing},  {SP_HP_REQUEST_BODY, 0, nothing},
    {SP_HP_ATTEMPT, 0, nothing}, {SP_HP_RESPONSE, 0, nothing}, {SP_HP_RESPONSE_BODY, 0, nothing},
    {SP_HP_LOG, 0, nothing},
};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("noop", PLUGIN_VERSION, "does nothing at every hook point"),
    SP_HOOKS(hooks),
};

SP_ENTRY(descriptor)
