/* SPDX-License-Identifier: Apache-2.0 */
/* Composing one log line within a fixed room. Private to the log. */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <time.h>

#include "base/log.h"

#define LOG_LINE_MAX 1000u /* bytes of a line with its newline; longer ones are cut */

struct log_line {
    char *p; /* room for LOG_LINE_MAX */
    size_t n;
    enum log_format format;
    bool full;   /* the rest is cut: "..." marks the place, and in JSON "cut":true */
    bool marked; /* with "..." */
};

/* "2026-01-02T03:04:05.678Z" into 24 bytes, no NUL. */
void log_stamp(char out[24], struct timespec when);
void log_line_begin(struct log_line *, char *room, enum log_format, struct timespec when,
                    enum log_level, const char *process);
void log_line_message(struct log_line *, str msg, bool cut); /* cut: msg itself is not whole */
void log_line_field(struct log_line *, const char *key, str value);
void log_line_end(
    struct log_line *); /* with the newline; always one whole line, in JSON one whole object */

#endif
