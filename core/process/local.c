/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a conf for commands that look at it. */
#include "process/local.h"

int local_load(struct local *l, const char *conf, void (*breadcrumb)(const char *, const char *))
{
    const struct pipeline_conf pc = {
        .threads = 0, .version = PACKAGE_VERSION, .breadcrumb = breadcrumb};
    *l = (struct local){.pipeline = NULL};
    diag_init(&l->diag);
    struct gateway *g = gateway_load(conf, &l->diag);
    if (!g)
        return E_CONF;
    l->pipeline = pipeline_new(&pc, NULL);
    if (!l->pipeline) {
        gateway_free(g);
        return E_NOMEM;
    }
    l->snap = snapshot_build(l->pipeline, g, &l->diag);
    diag_sort(&l->diag);
    if (!l->snap)
        return E_CONF;
    const struct gateway *now = snapshot_gateway(l->snap);
    l->log_level = now->log_level;
    l->log_format = now->log_format;
    l->log_to = now->log_to;
    l->drain_ms = (unsigned)now->timeouts.drain;
    return 0;
}

void local_fini(struct local *l)
{
    if (l->snap)
        snapshot_free(l->snap);
    if (l->pipeline)
        pipeline_free(l->pipeline);
    diag_fini(&l->diag);
    l->snap = NULL;
    l->pipeline = NULL;
}

const char *local_count(const struct diag *d, char *out, size_t cap)
{
    snprintf(out, cap, "%u error%s", d->errors, d->errors == 1 ? "" : "s");
    return out;
}
