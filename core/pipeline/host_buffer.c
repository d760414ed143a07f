/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI's table of buffers: a struct sp_buffer is a struct buf. */
#include "base/buf.h"
#include "pipeline/host.h"

/* Lengths and offsets of a block are 32 bits wide. */
#define BUFFER_MAX ((size_t)1 << 31)

static struct buf *buf_of(struct sp_buffer *b)
{
    return (struct buf *)(void *)b;
}

static struct sp_buffer *buffer_create(size_t n)
{
    if (n > BUFFER_MAX)
        return NULL;
    struct buf *b = buf_get(NULL, n ? (uint32_t)n : 1);
    if (b)
        b->len = (uint32_t)n; /* all of it is the plugin's to fill */
    return (struct sp_buffer *)(void *)b;
}

struct wrapped {
    void (*release)(void *arg);
    void *arg;
};

static void wrapped_release(void *arg, struct buf *b)
{
    struct wrapped *w = arg;
    (void)b;
    w->release(w->arg);
    free(w);
}

static struct sp_buffer *buffer_wrap(const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    if (n > BUFFER_MAX || (n && !p))
        return NULL;
    /* Nobody writes into a block that is not its own memory. */
    char *data = (char *)(uintptr_t)p;
    if (!release)
        return (struct sp_buffer *)(void *)buf_wrap(data, (uint32_t)n, NULL, NULL);
    struct wrapped *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    *w = (struct wrapped){release, arg};
    struct buf *b = buf_wrap(data, (uint32_t)n, wrapped_release, w);
    if (!b)
        free(w);
    return (struct sp_buffer *)(void *)b;
}

static void buffer_ref(struct sp_buffer *b)
{
    if (b)
        buf_ref(buf_of(b));
}

static void buffer_unref(struct sp_buffer *b)
{
    if (b)
        buf_unref(buf_of(b));
}

static char *buffer_data(struct sp_buffer *b, size_t *n)
{
    if (n)
        *n = b ? buf_of(b)->len : 0;
    return b ? buf_of(b)->data : NULL;
}

const struct sp_buffer_api host_buffer_api = {
    .size = sizeof(struct sp_buffer_api),
    .create = buffer_create,
    .wrap = buffer_wrap,
    .ref = buffer_ref,
    .unref = buffer_unref,
    .data = buffer_data,
};
