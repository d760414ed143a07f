/* SPDX-License-Identifier: Apache-2.0 */
/* An example: changes a response body while it streams. ASCII letters of text/plain answers become
 * capitals; nothing is buffered. */
#include <sallyport/sugar.h>

static const struct sp_host *host;

static sp_status on_load(struct sp_load *load)
{
    host = load->host;
    return SP_OK;
}

/* The head is there: decides whether this body is of interest. Those that are not cost nothing
 * further. */
static sp_verdict on_response(const struct sp_call *call)
{
    sp_str type;

    if (host->exchange->header_find(call->x, SP_SIDE_RESPONSE, SP_STR("Content-Type"), 0, &type) !=
            SP_OK ||
        !sp_starts(type, SP_STR("text/plain")))
        return SP_NEXT;
    if (host->body->want(call->x, SP_SIDE_RESPONSE, SP_BODY_STREAM, 0) != SP_OK)
        return host->exchange->fail(call->x, SP_GR_DEFAULT_5XX, "the body cannot be had");
    return SP_NEXT;
}

/* One slice, in capitals, goes on. The host keeps its own reference to the buffer for as long as it
 * needs the bytes. */
static sp_status give_upper(const struct sp_call *call, const struct sp_slice *from)
{
    struct sp_buffer *buffer = host->buffer->create(from->n);
    struct sp_slice slice;
    sp_status status;
    size_t room, i;
    char *to;

    if (buffer == NULL)
        return SP_E_NOMEM;
    to = host->buffer->data(buffer, &room);
    for (i = 0; i < from->n; i++)
        to[i] = from->p[i] >= 'a' && from->p[i] <= 'z' ? (char)(from->p[i] - 32) : from->p[i];
    slice = (struct sp_slice){buffer, to, from->n};
    status = host->body->emit(call->x, SP_SIDE_RESPONSE, &slice, 1, 0);
    host->buffer->unref(buffer);
    return status == SP_E_AGAIN ? SP_OK
                                : status; /* taken; the host slows the backend down by itself */
}

static sp_verdict on_body(const struct sp_call *call)
{
    uint32_t i;

    for (i = 0; i < call->chunk->nv; i++)
        if (call->chunk->v[i].n != 0 && give_upper(call, &call->chunk->v[i]) != SP_OK)
            return SP_ABORT; /* the head has left: a broken answer must not look whole */
    return SP_NEXT;
}

static const struct sp_hook hooks[] = {
    {SP_HP_RESPONSE, 0, on_response},
    {SP_HP_RESPONSE_BODY, 0, on_body},
};

static const struct sp_plugin descriptor = {
    SP_DESCRIPTOR("body-upper", "1.0.0", "writes text answers in capitals"),
    .tables = SP_TABLE_CORE | SP_TABLE_EXCHANGE | SP_TABLE_BODY | SP_TABLE_BUFFER,
    SP_HOOKS(hooks),
    .load = on_load,
};

SP_ENTRY(descriptor)
