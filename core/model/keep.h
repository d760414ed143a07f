/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a conf as they were read: what a load has seen can be kept, and loaded again when the disk says something else by now.
 * Files that plugins read themselves are not among them. One thread. */
#ifndef MODEL_KEEP_H
#define MODEL_KEEP_H

#include "base/text.h"

struct keep;

struct keep *keep_new(void) MUST_USE; /* records; NULL: out of memory */
/* What keep_write has written, for a load from it. The text is copied. NULL: malformed, or out of memory. */
struct keep *keep_read(str text) MUST_USE;
void keep_free(struct keep *);
/* E_NOMEM: something could not be recorded, or written. */
int keep_write(const struct keep *, struct text *) MUST_USE;

/* For the loaders. NULL records nothing and replays nothing. */
bool keep_replays(const struct keep *);
void keep_file(struct keep *, str path, str bytes);
bool keep_file_get(const struct keep *, str path, str *bytes);
void keep_glob(struct keep *, str pattern, const char *const *paths, unsigned n);
/* The paths one behind the other, each with its NUL; empty when nothing matched. */
str keep_glob_get(const struct keep *, str pattern);

#endif
