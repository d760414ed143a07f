/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that option tables name: what a type and its bounds cannot say. */
#ifndef MODEL_CHECK_H
#define MODEL_CHECK_H

#include "model/schema.h"

#define ID_MAX 63
/* 1 to 63 of a-z 0-9 and '-'; extra: also '_' and upper case letters. */
bool id_ok(str s, bool extra);
extern const char id_expected[], name_expected[];

/* Each for struct schema.check; an error at the node when the text is not ... */
#define CHECK(name)                                                                                \
    void name(const struct schema *, const struct node *, struct node_tree *, struct diag *)
CHECK(check_api_id);
CHECK(check_name);
CHECK(check_address);
CHECK(check_cidr);
CHECK(check_server);
CHECK(check_log_to);
CHECK(check_account);
CHECK(check_sha256);
CHECK(check_host);
CHECK(check_via);
CHECK(check_server_name);
#undef CHECK

#endif
