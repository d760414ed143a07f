/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar types, status codes, verdicts and tokens shared by the host and by every plugin. */
#ifndef SALLYPORT_TYPES_H
#define SALLYPORT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if UINTPTR_MAX != UINT64_MAX
#error "Sallyport's plugin ABI is defined for 64-bit platforms only"
#endif

/* A view of bytes. Not NUL-terminated. p may be NULL only when n is 0. */
typedef struct sp_str {
    const char *p;
    size_t n;
} sp_str;

/* A view of a string literal: SP_STR("abc"). */
#ifdef __cplusplus
#define SP_STR(lit) (sp_str{(lit), sizeof(lit) - 1})
#else
#define SP_STR(lit) ((sp_str){(lit), sizeof(lit) - 1})
#endif

/* Result of a host call: SP_OK or one of the SP_E_* codes. */
typedef int32_t sp_status;
enum {
    SP_OK = 0,
    SP_E_ARG = -1,    /* an argument is malformed: a NULL that must not be, a bad enum, bad bytes in a name */
    SP_E_PHASE = -2,  /* not allowed at this hook point, or the host owns this header */
    SP_E_NOMEM = -3,  /* allocation failed */
    SP_E_LIMIT = -4,  /* a bound of the conf or of the host was reached */
    SP_E_GONE = -5,   /* the token is stale: its exchange, operation or wait has ended */
    SP_E_NONE = -6,   /* no such header, variable, node, upstream ... */
    SP_E_UNSUP = -7,  /* this host does not provide that table or feature */
    SP_E_DENIED = -8, /* the conf's policy forbids it (destination not allowed, for instance) */
    SP_E_EXISTS = -9, /* the name is taken */
    SP_E_AGAIN = -10, /* no room now; a room callback follows */
    SP_E_IO = -11,    /* the network failed: refused, reset, unresolved */
    SP_E_TIMEOUT = -12,
    SP_E_PROTO = -13, /* the peer broke the protocol */
    SP_E_TLS = -14,   /* TLS handshake or verification failed */
    SP_E_ABORT = -15  /* cancelled because the exchange ended */
};

/* What a hook or a continuation answers. */
typedef int32_t sp_verdict;
enum {
    SP_NEXT = 0,    /* go on with the next hook */
    SP_RESPOND = 1, /* a response was set by respond(): skip to the response phase */
    SP_PENDING = 2, /* wait; legal only while this entry has something outstanding */
    SP_ABORT = 3,   /* close the client's connection (stream) without an answer */
    SP_ERROR = 4    /* a gateway response was chosen by fail(): skip to the response phase */
};

/* Handles of asynchronous things. Integers with a generation inside: a stale one is answered with
 * SP_E_GONE, never misdirected. 0 is "none". */
typedef uint64_t sp_token; /* one wait of an exchange; may be resumed from any thread */
typedef uint64_t sp_op;    /* one client call, timer, collect or watch; belongs to one thread */

/* Opaque for ever. */
struct sp_module;   /* a loaded plugin */
struct sp_exchange; /* one request with its response, first byte to log line */
struct sp_node;     /* a node of the conf tree, with file, line and column */
struct sp_errors;   /* the list that conf errors are collected in */
struct sp_buffer;   /* a reference-counted block of bytes owned by the host */
struct sp_dict;     /* a shared dictionary */

#ifdef __cplusplus
}
#endif
#endif
