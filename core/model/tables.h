/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables of the main conf and of an API file. Constant. */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "model/schema.h"

#define SECOND 1000 /* as S_DURATION has them, in milliseconds */
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

extern const struct schema conf_table[];   /* the main conf */
extern const struct schema listen_table[]; /* an entry of listen: */
extern const struct schema status_table[];
extern const struct schema limits_table[];
extern const struct schema timeouts_table[];
extern const struct schema forwarded_table[];
extern const struct schema resolver_table[];
extern const struct schema log_table[];
extern const struct schema aws_table[];
extern const struct schema tls_table[];        /* tls: of the gateway */
extern const struct schema listen_tls_table[]; /* of a listener */
extern const struct schema upstream_tls_table[];
extern const struct schema certificate_table[];
extern const struct schema upstream_table[]; /* an entry of upstreams: */
extern const struct schema upstream_timeouts_table[];
extern const struct schema upstream_pool_table[];
extern const struct schema target_table[]; /* a target's long form */
extern const struct schema upstream_balance_table[]; /* balance's long form */
extern const struct schema upstream_ejection_table[];
extern const struct schema upstream_health_table[];
extern const struct schema upstream_retries_table[];
extern const struct schema upstream_budget_table[];
extern const struct schema plugin_table[]; /* long form of an entry of plugins: */

extern const struct schema api_table[]; /* an API file */
extern const struct schema host_table[];
extern const struct schema stage_table[];
extern const struct schema method_settings_table[];
extern const struct schema canary_table[];

#endif
