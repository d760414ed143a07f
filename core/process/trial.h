/* SPDX-License-Identifier: Apache-2.0 */
/* The trial: a conf is loaded and compiled by a process of its own, so that a plugin that crashes
 * or hangs there kills only that process. Both sides: the one that asks and the child. */
#ifndef PROCESS_TRIAL_H
#define PROCESS_TRIAL_H

#include "base/text.h"
#include "process/child.h"
#include "process/opt.h"

#define TRIAL_TIMEOUT_MS 60000u

struct trial;
/* json: an answer (process/answer.h), lives until fn returns. Runs on the loop, once. */
typedef void (*trial_fn)(void *arg, str json);
/* NULL: the process could not be started; *err is -errno then. timeout_ms 0: the default. */
struct trial *trial_start(struct children *, const char *conf, unsigned timeout_ms, trial_fn fn,
                          void *arg, int *err) MUST_USE;
void trial_cancel(struct trial *); /* fn is not called */
/* Runs one and waits for it, with a loop of its own. The answer is added to *json. 0 or a negative
 * E_*. */
int trial_wait(const char *conf, struct text *json);

/* The child's side: `check --trial`. Writes its answer to descriptor 3 and whom to blame to
 * descriptor 4. */
int trial_main(const struct cli *);

#endif
