/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: opt-in, in an explicit mode; reference-counted buffers that travel without copies. */
#ifndef SALLYPORT_BODY_H
#define SALLYPORT_BODY_H

#include <sallyport/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SP_BODY_SKIP = 0,   /* this entry's body hook does not run: the default */
    SP_BODY_STREAM = 1, /* each chunk once, as it comes */
    SP_BODY_BUFFER = 2, /* the head is held until the whole body is there; the hook runs once with SP_CHUNK_WHOLE | SP_CHUNK_END */
    SP_BODY_OBSERVE = 0x10 /* or-ed in: this entry only looks (emit and hold are refused), so that the body's length stays known */
};

/* side: SP_SIDE_REQUEST or SP_SIDE_RESPONSE.
 *
 * A body hook that returns SP_NEXT without emit() or hold() passes its chunk on as it is. Once it has called emit() or hold() in
 * that run, only what it emitted goes on. SP_PENDING holds the flow (reading stops when the bounds are reached) until a continuation
 * returns SP_NEXT. */
struct sp_body_api {
    uint32_t size, reserved;
    /* At STAGE or REQUEST (SP_SIDE_REQUEST), at RESPONSE (SP_SIDE_RESPONSE). max: bytes for BUFFER, 0: the route's limit; past it
     * the request is answered with REQUEST_TOO_LARGE, a response with INTEGRATION_FAILURE. SP_E_PHASE elsewhere, or when the
     * plugin has no such body hook. The strongest mode asked by any entry decides when the head leaves. */
    sp_status (*want)(struct sp_exchange *, uint32_t side, uint32_t mode, uint64_t max);
    /* Inside a STAGE, REQUEST, INTEGRATION or RESPONSE hook: waits for the whole body (return SP_PENDING), then fn runs with
     * SP_EV_COLLECTED and the body as call->chunk; the body still goes on to the integration or the client afterwards.
     * status SP_E_LIMIT: larger than max (0: the route's limit); what was read still flows on when fn returns SP_NEXT. */
    sp_op (*collect)(struct sp_exchange *, uint32_t side, uint64_t max, uint32_t timeout_ms, sp_fn fn, void *arg);
    /* In a body hook or its continuation: gives bytes downstream in place of the chunk. Buffers of the slices are referenced; slices without
     * a buffer are copied. After RESPONSE_STREAM, and in INTEGRATION continuations: produces the response's body; flags SP_CHUNK_END
     * ends it. SP_E_AGAIN: taken, but stop here until SP_EV_ROOM (ask with on_room). SP_E_PHASE: elsewhere, where this entry only
     * observes, and on the request's side when the request was answered while the hook waited (SP_NUM_STATUS is not 0 then): nobody
     * takes these bytes any more, and the continuation's verdict does not count. */
    sp_status (*emit)(struct sp_exchange *, uint32_t side, const struct sp_slice *v, uint32_t nv, uint32_t flags);
    /* In a body hook: nothing of this chunk goes on (unless emitted). */
    sp_status (*hold)(struct sp_exchange *, uint32_t side);
    /* After RESPONSE_STREAM: fn runs with SP_EV_ROOM when there is room, once per call. When it gives nothing and asks again, it runs behind
     * the next bytes that something else gives. A streamed answer that has not ended, and whose entry has nothing outstanding in the
     * exchange that could continue it, is broken off as misuse. */
    sp_op (*on_room)(struct sp_exchange *, uint32_t side, sp_fn fn, void *arg);
};

struct sp_buffer_api {
    uint32_t size, reserved;
    /* n writable bytes (data()); one reference, the caller's. NULL: out of memory. Any thread. */
    struct sp_buffer *(*create)(size_t n);
    /* Shows the caller's memory: release(arg) runs when the last reference goes, on the thread that drops it. Any thread. */
    struct sp_buffer *(*wrap)(const void *p, size_t n, void (*release)(void *arg), void *arg);
    /* Any thread. Bytes are constant once the buffer was emitted. */
    void (*ref)(struct sp_buffer *);
    void (*unref)(struct sp_buffer *);
    char *(*data)(struct sp_buffer *, size_t *n);
};

#ifdef __cplusplus
}
#endif
#endif
