/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes, object checks and the status codes that every floor returns. */
#ifndef BASE_CC_H
#define BASE_CC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define MUST_USE __attribute__((warn_unused_result))
#define NONNULL __attribute__((nonnull))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Statuses: 0 or one of these. The same numbers as SP_E_* of the ABI, so that they cross it unchanged. */
enum {
    E_OK = 0,
    E_ARG = -1,
    E_PHASE = -2,
    E_NOMEM = -3,
    E_LIMIT = -4,
    E_GONE = -5,
    E_NONE = -6,
    E_UNSUP = -7,
    E_DENIED = -8,
    E_EXISTS = -9,
    E_AGAIN = -10,
    E_IO = -11,
    E_TIMEOUT = -12,
    E_PROTO = -13,
    E_TLS = -14,
    E_ABORT = -15,
    E_CONF = -16 /* the conf is wrong; the reasons are in the diag list */
};

/* Objects that cross a room carry a magic word first; every entry checks it, in release builds too. */
#define CHECK_OBJ(obj, mag)                                                                         \
    do {                                                                                            \
        if (UNLIKELY((obj) == NULL || (obj)->magic != (mag))) {                                     \
            fprintf(stderr, "%s:%d: %s: bad object, want %s\n", __FILE__, __LINE__, __func__, #mag); \
            abort();                                                                                \
        }                                                                                           \
    } while (0)

#define BUG(msg)                                                                  \
    do {                                                                          \
        fprintf(stderr, "%s:%d: %s: bug: %s\n", __FILE__, __LINE__, __func__, msg); \
        abort();                                                                  \
    } while (0)

#endif
