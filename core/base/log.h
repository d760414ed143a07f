/* SPDX-License-Identifier: Apache-2.0 */
/* Log of the program itself: levels, key=value or JSON lines, one bounded queue to one writer thread.
 *
 * log_* may be called on any thread, never blocks on the disk (a full queue drops the line and counts it) and never
 * allocates on the heap. Before log_start and after log_stop lines are written straight to stderr. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

#include "base/str.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT = 0, LOG_JSON };

struct log_conf {
    enum log_level level;
    enum log_format format;
    const char *to;   /* "stderr", "stdout" or a file's path */
    const char *name; /* "master", "worker" */
};

/* log_start, log_stop, log_reconf, log_reopen: any thread, but not a loop's (they open files, log_stop waits for the
 * disk). E_IO: the file cannot be opened (errno says why), and what was stays. E_EXISTS: started already. E_NONE: not
 * started. A child of fork(2) begins as if never started. The name is set by log_start only, 31 bytes of it. */
int log_start(const struct log_conf *);
void log_stop(void); /* writes out what is queued; lines of other threads from now on go to stderr */
int log_reconf(const struct log_conf *);
int log_reopen(void); /* a file is opened anew (rotation) */
void log_set_level(enum log_level);
enum log_level log_get_level(void);
bool log_on(enum log_level);
uint64_t log_dropped(void);
const char *log_level_name(enum log_level);
int log_level_of(str name); /* E_ARG */

/* One line of at most 1000 bytes: what is longer is cut, marked "..." and in JSON "cut":true. Control characters are escaped. errno is kept. */
void log_line(enum log_level, const char *fmt, ...) PRINTF(2, 3);
void log_vline(enum log_level, const char *fmt, va_list);
/* With a field list: key, value, key, value, ..., NULL (C strings). */
void log_kv(enum log_level, const char *msg, ...) __attribute__((sentinel));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                        \
    do {                                                      \
        if (UNLIKELY(log_on(LOG_DEBUG))) log_line(LOG_DEBUG, __VA_ARGS__); \
    } while (0)

#endif
