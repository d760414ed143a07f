/* SPDX-License-Identifier: Apache-2.0 */
/* What the options say, compiled: the edits of the request and of the response, in the order they
 * are done. */
#ifndef HEADERS_PROGRAM_H
#define HEADERS_PROGRAM_H

#include "value.h"

enum edit_op {
    EDIT_REMOVE = 0,
    EDIT_RENAME,
    EDIT_SET,
    EDIT_ADD,
    EDIT_HOST /* the Host sent to the backend */
};

struct edit {
    uint32_t op;
    sp_str name;
    sp_str to; /* RENAME: the new name */
    struct value value;
};

struct program_side {
    struct edit *edits;
    uint32_t count, room;
    bool filtered;       /* RESPONSE: only for the statuses below */
    uint64_t status[10]; /* a bit for each of 0 .. 639 */
};

struct program {
    struct program_side request, response;
};

/* conf_create and conf_free of the descriptor, whose state is the host. */
sp_status program_create(struct sp_conf *);
void program_destroy(struct sp_conf *);

/* Runs a side's edits. SP_NEXT, or SP_ERROR when one could not be made (out of memory, a bound). */
sp_verdict program_run(const struct sp_call *, const struct program_side *, uint32_t side);

#endif
