/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled answer: what the options say, checked, with the body in a buffer that exchanges
 * share. */
#ifndef RESPOND_ANSWER_H
#define RESPOND_ANSWER_H

#include <sallyport/abi.h>

#define ANSWER_BODY_MAX    (1024 * 1024)
#define ANSWER_HEADERS_MAX 64

struct answer {
    const struct sp_host *host;
    uint32_t status;
    uint32_t header_count;
    sp_str content_type;
    struct sp_slice body; /* one reference of its buffer is ours */
    struct sp_header_line *headers;
};

/* conf_create and conf_free of the descriptor, whose state is the host. */
sp_status answer_create(struct sp_conf *);
void answer_destroy(struct sp_conf *);

#endif
