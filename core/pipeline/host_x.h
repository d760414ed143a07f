/* SPDX-License-Identifier: Apache-2.0 */
/* The functions behind sp_exchange_api, one room per subject; host_exchange.c puts them into the table. */
#ifndef PIPELINE_HOST_X_H
#define PIPELINE_HOST_X_H

#include <sallyport/abi.h>

extern const struct sp_exchange_api host_exchange_api;
extern const struct sp_body_api host_body_api;
extern const struct sp_client_api host_client_api;
extern const struct sp_timer_api host_timer_api;
/* All tables together; lives for ever. */
const struct sp_host *host_tables(const char *version);

/* host_facts.c */
sp_status hx_fact(struct sp_exchange *, uint32_t fact, sp_str *out);
sp_status hx_number(struct sp_exchange *, uint32_t number, int64_t *out);
/* host_headers.c */
sp_status hx_header_get(struct sp_exchange *, uint32_t side, uint32_t id, uint32_t nth, sp_str *out);
sp_status hx_header_find(struct sp_exchange *, uint32_t side, sp_str name, uint32_t nth, sp_str *out);
sp_status hx_header_next(struct sp_exchange *, uint32_t side, uint32_t *cursor, struct sp_header *out);
sp_status hx_header_set(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value);
sp_status hx_header_add(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value);
sp_status hx_header_del(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name);
/* host_params.c */
sp_status hx_param_get(struct sp_exchange *, uint32_t kind, sp_str name, sp_str *out);
sp_status hx_param_next(struct sp_exchange *, uint32_t kind, uint32_t *cursor, struct sp_param *out);
sp_status hx_var_get(struct sp_exchange *, uint32_t id, struct sp_value *out);
sp_status hx_var_find(struct sp_exchange *, sp_str name, struct sp_value *out);
sp_status hx_var_set(struct sp_exchange *, uint32_t id, const struct sp_value *);
/* host_target.c */
sp_status hx_target_get(struct sp_exchange *, uint32_t what, sp_str *out);
sp_status hx_target_set(struct sp_exchange *, uint32_t what, sp_str value);
sp_status hx_choose_deployment(struct sp_exchange *, sp_str id);
sp_status hx_status_set(struct sp_exchange *, uint32_t status);

#endif
