/* SPDX-License-Identifier: Apache-2.0 */
/* ABI 0.1: the type of every member, functions with their signatures. Made by sdk/abi/gen-layout.py (make abi-record);
 * a change here is a change of the ABI and is explained in CHANGELOG.md. */
#include <sallyport/abi.h>

#define TYPE(expression, ...) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(expression), __VA_ARGS__), #expression)

TYPE((sp_status)0, int32_t);
TYPE((sp_verdict)0, int32_t);
TYPE((sp_token)0, uint64_t);
TYPE((sp_op)0, uint64_t);
TYPE((sp_fn)0, sp_verdict (*)(const struct sp_call *));
TYPE((sp_entry_fn)0, const struct sp_plugin *(*)(void));

TYPE(((struct sp_str *)0)->p, const char *);
TYPE(((struct sp_str *)0)->n, size_t);

TYPE(((struct sp_slice *)0)->buffer, struct sp_buffer *);
TYPE(((struct sp_slice *)0)->p, const char *);
TYPE(((struct sp_slice *)0)->n, size_t);

TYPE(((struct sp_chunk *)0)->size, uint32_t);
TYPE(((struct sp_chunk *)0)->flags, uint32_t);
TYPE(((struct sp_chunk *)0)->offset, uint64_t);
TYPE(((struct sp_chunk *)0)->bytes, uint64_t);
TYPE(((struct sp_chunk *)0)->v, const struct sp_slice *);
TYPE(((struct sp_chunk *)0)->nv, uint32_t);
TYPE(((struct sp_chunk *)0)->v_stride, uint32_t);

TYPE(((struct sp_call *)0)->size, uint32_t);
TYPE(((struct sp_call *)0)->point, uint16_t);
TYPE(((struct sp_call *)0)->event, uint16_t);
TYPE(((struct sp_call *)0)->x, struct sp_exchange *);
TYPE(((struct sp_call *)0)->module, struct sp_module *);
TYPE(((struct sp_call *)0)->ctx, void *);
TYPE(((struct sp_call *)0)->conf, const void *);
TYPE(((struct sp_call *)0)->state, void *);
TYPE(((struct sp_call *)0)->thread_state, void *);
TYPE(((struct sp_call *)0)->chunk, const struct sp_chunk *);
TYPE(((struct sp_call *)0)->op, sp_op);
TYPE(((struct sp_call *)0)->tag, uint64_t);
TYPE(((struct sp_call *)0)->arg, void *);
TYPE(((struct sp_call *)0)->status, int32_t);
TYPE(((struct sp_call *)0)->attempt, uint32_t);

TYPE(((struct sp_hook *)0)->point, uint32_t);
TYPE(((struct sp_hook *)0)->flags, uint32_t);
TYPE(((struct sp_hook *)0)->fn, sp_fn);

TYPE(((struct sp_option *)0)->type, uint32_t);
TYPE(((struct sp_option *)0)->flags, uint32_t);
TYPE(((struct sp_option *)0)->key, const char *);
TYPE(((struct sp_option *)0)->dflt, const char *);
TYPE(((struct sp_option *)0)->min, int64_t);
TYPE(((struct sp_option *)0)->max, int64_t);
TYPE(((struct sp_option *)0)->names, const char *const *);
TYPE(((struct sp_option *)0)->sub, const struct sp_option *);
TYPE(((struct sp_option *)0)->doc, const char *);

TYPE(((struct sp_need *)0)->capability, const char *);
TYPE(((struct sp_need *)0)->node, const struct sp_node *);
TYPE(((struct sp_need *)0)->definition, const struct sp_node *);

TYPE(((struct sp_place *)0)->size, uint32_t);
TYPE(((struct sp_place *)0)->api_type, uint32_t);
TYPE(((struct sp_place *)0)->entry, sp_str);
TYPE(((struct sp_place *)0)->api, sp_str);
TYPE(((struct sp_place *)0)->stage, sp_str);
TYPE(((struct sp_place *)0)->method, sp_str);
TYPE(((struct sp_place *)0)->route, sp_str);
TYPE(((struct sp_place *)0)->api_node, const struct sp_node *);
TYPE(((struct sp_place *)0)->stage_node, const struct sp_node *);
TYPE(((struct sp_place *)0)->method_node, const struct sp_node *);
TYPE(((struct sp_place *)0)->needs, const struct sp_need *);
TYPE(((struct sp_place *)0)->nneeds, uint32_t);
TYPE(((struct sp_place *)0)->need_stride, uint32_t);

TYPE(((struct sp_load *)0)->size, uint32_t);
TYPE(((struct sp_load *)0)->reserved, uint32_t);
TYPE(((struct sp_load *)0)->host, const struct sp_host *);
TYPE(((struct sp_load *)0)->module, struct sp_module *);
TYPE(((struct sp_load *)0)->state, void *);

TYPE(((struct sp_thread *)0)->size, uint32_t);
TYPE(((struct sp_thread *)0)->id, uint32_t);
TYPE(((struct sp_thread *)0)->count, uint32_t);
TYPE(((struct sp_thread *)0)->reserved, uint32_t);
TYPE(((struct sp_thread *)0)->module, struct sp_module *);
TYPE(((struct sp_thread *)0)->state, void *);
TYPE(((struct sp_thread *)0)->thread_state, void *);

TYPE(((struct sp_conf *)0)->size, uint32_t);
TYPE(((struct sp_conf *)0)->reserved, uint32_t);
TYPE(((struct sp_conf *)0)->module, struct sp_module *);
TYPE(((struct sp_conf *)0)->state, void *);
TYPE(((struct sp_conf *)0)->node, const struct sp_node *);
TYPE(((struct sp_conf *)0)->place, const struct sp_place *);
TYPE(((struct sp_conf *)0)->errors, struct sp_errors *);
TYPE(((struct sp_conf *)0)->conf, void *);

TYPE(((struct sp_plugin *)0)->magic, uint32_t);
TYPE(((struct sp_plugin *)0)->abi_major, uint16_t);
TYPE(((struct sp_plugin *)0)->abi_minor, uint16_t);
TYPE(((struct sp_plugin *)0)->size, uint32_t);
TYPE(((struct sp_plugin *)0)->need_minor, uint16_t);
TYPE(((struct sp_plugin *)0)->reserved0, uint16_t);
TYPE(((struct sp_plugin *)0)->flags, uint32_t);
TYPE(((struct sp_plugin *)0)->ctx_size, uint32_t);
TYPE(((struct sp_plugin *)0)->tables, uint64_t);
TYPE(((struct sp_plugin *)0)->name, const char *);
TYPE(((struct sp_plugin *)0)->version, const char *);
TYPE(((struct sp_plugin *)0)->summary, const char *);
TYPE(((struct sp_plugin *)0)->options, const struct sp_option *);
TYPE(((struct sp_plugin *)0)->noptions, uint32_t);
TYPE(((struct sp_plugin *)0)->option_stride, uint32_t);
TYPE(((struct sp_plugin *)0)->hooks, const struct sp_hook *);
TYPE(((struct sp_plugin *)0)->nhooks, uint32_t);
TYPE(((struct sp_plugin *)0)->hook_stride, uint32_t);
TYPE(((struct sp_plugin *)0)->provides, const char *const *);
TYPE(((struct sp_plugin *)0)->load, sp_status(*)(struct sp_load *));
TYPE(((struct sp_plugin *)0)->unload, void(*)(void *state));
TYPE(((struct sp_plugin *)0)->thread_start, sp_status(*)(struct sp_thread *));
TYPE(((struct sp_plugin *)0)->thread_stop, void(*)(struct sp_thread *));
TYPE(((struct sp_plugin *)0)->conf_create, sp_status(*)(struct sp_conf *));
TYPE(((struct sp_plugin *)0)->conf_free, void(*)(struct sp_conf *));
TYPE(((struct sp_plugin *)0)->exchange_end, void(*)(const struct sp_call *));

TYPE(((struct sp_header *)0)->size, uint32_t);
TYPE(((struct sp_header *)0)->id, uint32_t);
TYPE(((struct sp_header *)0)->name, sp_str);
TYPE(((struct sp_header *)0)->value, sp_str);

TYPE(((struct sp_value *)0)->type, uint32_t);
TYPE(((struct sp_value *)0)->reserved, uint32_t);
TYPE(((struct sp_value *)0)->str, sp_str);
TYPE(((struct sp_value *)0)->i, int64_t);
TYPE(((struct sp_value *)0)->r, double);

TYPE(((struct sp_param *)0)->size, uint32_t);
TYPE(((struct sp_param *)0)->reserved, uint32_t);
TYPE(((struct sp_param *)0)->name, sp_str);
TYPE(((struct sp_param *)0)->value, sp_str);

TYPE(((struct sp_response *)0)->size, uint32_t);
TYPE(((struct sp_response *)0)->status, uint32_t);
TYPE(((struct sp_response *)0)->content_type, sp_str);
TYPE(((struct sp_response *)0)->body, sp_str);
TYPE(((struct sp_response *)0)->slices, const struct sp_slice *);
TYPE(((struct sp_response *)0)->nslices, uint32_t);
TYPE(((struct sp_response *)0)->slice_stride, uint32_t);
TYPE(((struct sp_response *)0)->flags, uint32_t);
TYPE(((struct sp_response *)0)->reserved, uint32_t);

TYPE(((struct sp_exchange_api *)0)->size, uint32_t);
TYPE(((struct sp_exchange_api *)0)->reserved, uint32_t);
TYPE(((struct sp_exchange_api *)0)->alloc, void *(*)(struct sp_exchange *, size_t n));
TYPE(((struct sp_exchange_api *)0)->fact, sp_status(*)(struct sp_exchange *, uint32_t fact, sp_str *out));
TYPE(((struct sp_exchange_api *)0)->number, sp_status(*)(struct sp_exchange *, uint32_t number, int64_t *out));
TYPE(((struct sp_exchange_api *)0)->header_get, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t id, uint32_t nth, sp_str *out));
TYPE(((struct sp_exchange_api *)0)->header_find, sp_status(*)(struct sp_exchange *, uint32_t side, sp_str name, uint32_t nth, sp_str *out));
TYPE(((struct sp_exchange_api *)0)->header_next, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t *cursor, struct sp_header *out));
TYPE(((struct sp_exchange_api *)0)->header_set, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value));
TYPE(((struct sp_exchange_api *)0)->header_add, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name, sp_str value));
TYPE(((struct sp_exchange_api *)0)->header_del, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t id, sp_str name));
TYPE(((struct sp_exchange_api *)0)->param_get, sp_status(*)(struct sp_exchange *, uint32_t kind, sp_str name, sp_str *out));
TYPE(((struct sp_exchange_api *)0)->param_next, sp_status(*)(struct sp_exchange *, uint32_t kind, uint32_t *cursor, struct sp_param *out));
TYPE(((struct sp_exchange_api *)0)->var_get, sp_status(*)(struct sp_exchange *, uint32_t id, struct sp_value *out));
TYPE(((struct sp_exchange_api *)0)->var_find, sp_status(*)(struct sp_exchange *, sp_str name, struct sp_value *out));
TYPE(((struct sp_exchange_api *)0)->var_set, sp_status(*)(struct sp_exchange *, uint32_t id, const struct sp_value *));
TYPE(((struct sp_exchange_api *)0)->target_get, sp_status(*)(struct sp_exchange *, uint32_t what, sp_str *out));
TYPE(((struct sp_exchange_api *)0)->target_set, sp_status(*)(struct sp_exchange *, uint32_t what, sp_str value));
TYPE(((struct sp_exchange_api *)0)->choose_deployment, sp_status(*)(struct sp_exchange *, sp_str id));
TYPE(((struct sp_exchange_api *)0)->status_set, sp_status(*)(struct sp_exchange *, uint32_t status));
TYPE(((struct sp_exchange_api *)0)->respond, sp_verdict(*)(struct sp_exchange *, const struct sp_response *));
TYPE(((struct sp_exchange_api *)0)->fail, sp_verdict(*)(struct sp_exchange *, uint32_t type, const char *fmt, ...));
TYPE(((struct sp_exchange_api *)0)->fail_message, sp_verdict(*)(struct sp_exchange *, uint32_t type, sp_str message, const char *fmt, ...));
TYPE(((struct sp_exchange_api *)0)->suspend, sp_token(*)(struct sp_exchange *, uint32_t timeout_ms, uint32_t flags, sp_fn fn, void *arg));
TYPE(((struct sp_exchange_api *)0)->resume, sp_status(*)(sp_token, uint64_t tag));
TYPE(((struct sp_exchange_api *)0)->traced, int32_t(*)(struct sp_exchange *));
TYPE(((struct sp_exchange_api *)0)->trace, void(*)(struct sp_exchange *, const char *fmt, ...));
TYPE(((struct sp_exchange_api *)0)->thread_state, void *(*)(struct sp_exchange *, struct sp_module *));

TYPE(((struct sp_body_api *)0)->size, uint32_t);
TYPE(((struct sp_body_api *)0)->reserved, uint32_t);
TYPE(((struct sp_body_api *)0)->want, sp_status(*)(struct sp_exchange *, uint32_t side, uint32_t mode, uint64_t max));
TYPE(((struct sp_body_api *)0)->collect, sp_op(*)(struct sp_exchange *, uint32_t side, uint64_t max, uint32_t timeout_ms, sp_fn fn, void *arg));
TYPE(((struct sp_body_api *)0)->emit, sp_status(*)(struct sp_exchange *, uint32_t side, const struct sp_slice *v, uint32_t nv, uint32_t flags));
TYPE(((struct sp_body_api *)0)->hold, sp_status(*)(struct sp_exchange *, uint32_t side));
TYPE(((struct sp_body_api *)0)->on_room, sp_op(*)(struct sp_exchange *, uint32_t side, sp_fn fn, void *arg));

TYPE(((struct sp_buffer_api *)0)->size, uint32_t);
TYPE(((struct sp_buffer_api *)0)->reserved, uint32_t);
TYPE(((struct sp_buffer_api *)0)->create, struct sp_buffer *(*)(size_t n));
TYPE(((struct sp_buffer_api *)0)->wrap, struct sp_buffer *(*)(const void *p, size_t n, void (*release)(void *arg), void *arg));
TYPE(((struct sp_buffer_api *)0)->ref, void(*)(struct sp_buffer *));
TYPE(((struct sp_buffer_api *)0)->unref, void(*)(struct sp_buffer *));
TYPE(((struct sp_buffer_api *)0)->data, char *(*)(struct sp_buffer *, size_t *n));

TYPE(((struct sp_header_line *)0)->name, sp_str);
TYPE(((struct sp_header_line *)0)->value, sp_str);

TYPE(((struct sp_client_request *)0)->size, uint32_t);
TYPE(((struct sp_client_request *)0)->flags, uint32_t);
TYPE(((struct sp_client_request *)0)->upstream, sp_str);
TYPE(((struct sp_client_request *)0)->method, sp_str);
TYPE(((struct sp_client_request *)0)->path, sp_str);
TYPE(((struct sp_client_request *)0)->host, sp_str);
TYPE(((struct sp_client_request *)0)->headers, const struct sp_header_line *);
TYPE(((struct sp_client_request *)0)->nheaders, uint32_t);
TYPE(((struct sp_client_request *)0)->header_stride, uint32_t);
TYPE(((struct sp_client_request *)0)->body, sp_str);
TYPE(((struct sp_client_request *)0)->max_body, uint64_t);
TYPE(((struct sp_client_request *)0)->timeout_ms, uint32_t);
TYPE(((struct sp_client_request *)0)->retries, uint32_t);
TYPE(((struct sp_client_request *)0)->fn, sp_fn);
TYPE(((struct sp_client_request *)0)->arg, void *);

TYPE(((struct sp_client_api *)0)->size, uint32_t);
TYPE(((struct sp_client_api *)0)->reserved, uint32_t);
TYPE(((struct sp_client_api *)0)->send, sp_op(*)(struct sp_module *, struct sp_exchange *x, const struct sp_client_request *, sp_status *why));
TYPE(((struct sp_client_api *)0)->status, uint32_t(*)(sp_op));
TYPE(((struct sp_client_api *)0)->header, sp_status(*)(sp_op, sp_str name, uint32_t nth, sp_str *out));
TYPE(((struct sp_client_api *)0)->header_next, sp_status(*)(sp_op, uint32_t *cursor, struct sp_header_line *out));
TYPE(((struct sp_client_api *)0)->pause, sp_status(*)(sp_op, int32_t on));
TYPE(((struct sp_client_api *)0)->cancel, void(*)(sp_op));

TYPE(((struct sp_timer_api *)0)->size, uint32_t);
TYPE(((struct sp_timer_api *)0)->reserved, uint32_t);
TYPE(((struct sp_timer_api *)0)->once, sp_op(*)(struct sp_module *, struct sp_exchange *x, uint64_t ms, sp_fn fn, void *arg));
TYPE(((struct sp_timer_api *)0)->every, sp_op(*)(struct sp_module *, uint64_t ms, uint64_t jitter_ms, sp_fn fn, void *arg));
TYPE(((struct sp_timer_api *)0)->cancel, void(*)(sp_op));

TYPE(((struct sp_upstream_def *)0)->size, uint32_t);
TYPE(((struct sp_upstream_def *)0)->flags, uint32_t);
TYPE(((struct sp_upstream_def *)0)->id, sp_str);
TYPE(((struct sp_upstream_def *)0)->url, sp_str);
TYPE(((struct sp_upstream_def *)0)->connect_timeout_ms, uint32_t);
TYPE(((struct sp_upstream_def *)0)->first_byte_timeout_ms, uint32_t);
TYPE(((struct sp_upstream_def *)0)->ca_file, sp_str);
TYPE(((struct sp_upstream_def *)0)->server_name, sp_str);

TYPE(((struct sp_upstream_api *)0)->size, uint32_t);
TYPE(((struct sp_upstream_api *)0)->reserved, uint32_t);
TYPE(((struct sp_upstream_api *)0)->define, sp_status(*)(struct sp_module *, const struct sp_upstream_def *, sp_str *id_out));

TYPE(((struct sp_dict_result *)0)->size, uint32_t);
TYPE(((struct sp_dict_result *)0)->reserved, uint32_t);
TYPE(((struct sp_dict_result *)0)->status, sp_status);
TYPE(((struct sp_dict_result *)0)->reserved2, uint32_t);
TYPE(((struct sp_dict_result *)0)->value, sp_str);
TYPE(((struct sp_dict_result *)0)->version, uint64_t);
TYPE(((struct sp_dict_result *)0)->counter, int64_t);
TYPE(((struct sp_dict_result *)0)->ttl_ms, uint64_t);

TYPE(((struct sp_dict_api *)0)->size, uint32_t);
TYPE(((struct sp_dict_api *)0)->reserved, uint32_t);
TYPE(((struct sp_dict_api *)0)->open, struct sp_dict *(*)(struct sp_module *, const char *name, uint64_t max_bytes));
TYPE(((struct sp_dict_api *)0)->get, sp_status(*)(struct sp_dict *, struct sp_exchange *, sp_str key, struct sp_dict_result *out, sp_fn fn, void *arg));
TYPE(((struct sp_dict_api *)0)->set, sp_status(*)(struct sp_dict *, struct sp_exchange *, sp_str key, sp_str value, uint64_t ttl_ms, uint64_t if_version, struct sp_dict_result *out, sp_fn fn, void *arg));
TYPE(((struct sp_dict_api *)0)->incr, sp_status(*)(struct sp_dict *, struct sp_exchange *, sp_str key, int64_t by, uint64_t ttl_ms, struct sp_dict_result *out, sp_fn fn, void *arg));
TYPE(((struct sp_dict_api *)0)->del, sp_status(*)(struct sp_dict *, struct sp_exchange *, sp_str key, struct sp_dict_result *out, sp_fn fn, void *arg));

TYPE(((struct sp_io_api *)0)->size, uint32_t);
TYPE(((struct sp_io_api *)0)->reserved, uint32_t);
TYPE(((struct sp_io_api *)0)->watch, sp_op(*)(struct sp_module *, int32_t fd, uint32_t events, sp_fn fn, void *arg));
TYPE(((struct sp_io_api *)0)->change, sp_status(*)(sp_op, uint32_t events));
TYPE(((struct sp_io_api *)0)->unwatch, void(*)(sp_op));
TYPE(((struct sp_io_api *)0)->post, sp_status(*)(struct sp_module *, uint32_t thread, uint64_t tag, sp_fn fn, void *arg));

TYPE(((struct sp_offload_api *)0)->size, uint32_t);
TYPE(((struct sp_offload_api *)0)->reserved, uint32_t);
TYPE(((struct sp_offload_api *)0)->run, sp_op(*)(struct sp_module *, struct sp_exchange *x, int32_t (*work)(void *arg), void *arg, uint32_t timeout_ms, sp_fn fn));

TYPE(((struct sp_core_api *)0)->size, uint32_t);
TYPE(((struct sp_core_api *)0)->reserved, uint32_t);
TYPE(((struct sp_core_api *)0)->log, void(*)(struct sp_module *, struct sp_exchange *x, int32_t level, const char *fmt, ...));
TYPE(((struct sp_core_api *)0)->now_ms, uint64_t(*)(void));
TYPE(((struct sp_core_api *)0)->wall_ms, uint64_t(*)(void));
TYPE(((struct sp_core_api *)0)->header_id, uint32_t(*)(struct sp_module *, sp_str name));
TYPE(((struct sp_core_api *)0)->variable_id, uint32_t(*)(struct sp_module *, sp_str name));
TYPE(((struct sp_core_api *)0)->thread_id, uint32_t(*)(void));
TYPE(((struct sp_core_api *)0)->random, sp_status(*)(void *out, size_t n));
TYPE(((struct sp_core_api *)0)->variable_find, uint32_t(*)(struct sp_module *, sp_str name));

TYPE(((struct sp_conf_api *)0)->size, uint32_t);
TYPE(((struct sp_conf_api *)0)->reserved, uint32_t);
TYPE(((struct sp_conf_api *)0)->get, const struct sp_node *(*)(const struct sp_node *map, const char *key));
TYPE(((struct sp_conf_api *)0)->at, const struct sp_node *(*)(const struct sp_node *list_or_map, uint32_t i));
TYPE(((struct sp_conf_api *)0)->key_at, sp_str(*)(const struct sp_node *map, uint32_t i));
TYPE(((struct sp_conf_api *)0)->count, uint32_t(*)(const struct sp_node *));
TYPE(((struct sp_conf_api *)0)->type, uint32_t(*)(const struct sp_node *));
TYPE(((struct sp_conf_api *)0)->text, sp_str(*)(const struct sp_node *));
TYPE(((struct sp_conf_api *)0)->get_str, sp_status(*)(struct sp_conf *, const char *key, sp_str *out));
TYPE(((struct sp_conf_api *)0)->get_int, sp_status(*)(struct sp_conf *, const char *key, int64_t *out));
TYPE(((struct sp_conf_api *)0)->get_real, sp_status(*)(struct sp_conf *, const char *key, double *out));
TYPE(((struct sp_conf_api *)0)->node_int, sp_status(*)(const struct sp_node *, uint32_t opt_type, int64_t *out));
TYPE(((struct sp_conf_api *)0)->error, sp_status(*)(struct sp_conf *, const struct sp_node *, const char *fmt, ...));
TYPE(((struct sp_conf_api *)0)->warn, void(*)(struct sp_conf *, const struct sp_node *, const char *fmt, ...));
TYPE(((struct sp_conf_api *)0)->path, char *(*)(struct sp_conf *, const struct sp_node *, sp_str path));

TYPE(((struct sp_metric_api *)0)->size, uint32_t);
TYPE(((struct sp_metric_api *)0)->reserved, uint32_t);
TYPE(((struct sp_metric_api *)0)->define, uint32_t(*)(struct sp_module *, uint32_t kind, const char *name, const char *help, const char *const *labels, uint32_t nlabels, const double *buckets, uint32_t nbuckets));
TYPE(((struct sp_metric_api *)0)->series, uint32_t(*)(uint32_t metric, const sp_str *labels, uint32_t nlabels));
TYPE(((struct sp_metric_api *)0)->add, void(*)(uint32_t series, double by));
TYPE(((struct sp_metric_api *)0)->set, void(*)(uint32_t series, double value));
TYPE(((struct sp_metric_api *)0)->observe, void(*)(uint32_t series, double value));

TYPE(((struct sp_command *)0)->size, uint32_t);
TYPE(((struct sp_command *)0)->reserved, uint32_t);
TYPE(((struct sp_command *)0)->module, struct sp_module *);
TYPE(((struct sp_command *)0)->state, void *);
TYPE(((struct sp_command *)0)->name, sp_str);
TYPE(((struct sp_command *)0)->args, const sp_str *);
TYPE(((struct sp_command *)0)->nargs, uint32_t);
TYPE(((struct sp_command *)0)->reserved2, uint32_t);

TYPE(((struct sp_command_api *)0)->size, uint32_t);
TYPE(((struct sp_command_api *)0)->reserved, uint32_t);
TYPE(((struct sp_command_api *)0)->define, sp_status(*)(struct sp_module *, const char *name, const char *usage, sp_status (*fn)(const struct sp_command *)));
TYPE(((struct sp_command_api *)0)->reply, sp_status(*)(const struct sp_command *, sp_str json));
TYPE(((struct sp_command_api *)0)->fail, sp_status(*)(const struct sp_command *, const char *fmt, ...));

TYPE(((struct sp_host *)0)->size, uint32_t);
TYPE(((struct sp_host *)0)->abi_major, uint16_t);
TYPE(((struct sp_host *)0)->abi_minor, uint16_t);
TYPE(((struct sp_host *)0)->tables, uint64_t);
TYPE(((struct sp_host *)0)->version, const char *);
TYPE(((struct sp_host *)0)->core, const struct sp_core_api *);
TYPE(((struct sp_host *)0)->conf, const struct sp_conf_api *);
TYPE(((struct sp_host *)0)->exchange, const struct sp_exchange_api *);
TYPE(((struct sp_host *)0)->body, const struct sp_body_api *);
TYPE(((struct sp_host *)0)->buffer, const struct sp_buffer_api *);
TYPE(((struct sp_host *)0)->client, const struct sp_client_api *);
TYPE(((struct sp_host *)0)->timer, const struct sp_timer_api *);
TYPE(((struct sp_host *)0)->metric, const struct sp_metric_api *);
TYPE(((struct sp_host *)0)->command, const struct sp_command_api *);
TYPE(((struct sp_host *)0)->upstream, const struct sp_upstream_api *);
TYPE(((struct sp_host *)0)->dict, const struct sp_dict_api *);
TYPE(((struct sp_host *)0)->io, const struct sp_io_api *);
TYPE(((struct sp_host *)0)->offload, const struct sp_offload_api *);

TYPE(&sp_entry, sp_entry_fn);
