/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the options into an answer; everything that is wrong is reported at its place, in one pass.
 */
#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <sallyport/sugar.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    const struct sp_host *host;
    const struct sp_conf_api *api;
    struct sp_conf *conf;
    struct answer *answer;
    sp_status status; /* the first thing that went wrong */
};

static void wrong(struct reader *r, sp_status st)
{
    if (r->status == SP_OK)
        r->status = st;
}

static bool token(sp_str name)
{
    size_t i;

    for (i = 0; i < name.n; i++) {
        unsigned char ch = (unsigned char)name.p[i];
        bool alnum = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z');
        if (!alnum && (ch == 0 || strchr("!#$%&'*+-.^_`|~", ch) == NULL))
            return false;
    }
    return name.n != 0 && name.n <= 256;
}

/* Framing and connection headers are the gateway's (RFC 9110 7.6.1, RFC 9112 6); Content-Type has
 * an option. */
static bool reserved(sp_str name)
{
    static const char *const owned[] = {
        "connection", "content-length", "content-type",      "keep-alive", "proxy-connection",
        "te",         "trailer",        "transfer-encoding", "upgrade",
    };
    size_t i;

    for (i = 0; i < SP_COUNT(owned); i++)
        if (sp_equal_nocase(name, sp_of(owned[i])))
            return true;
    return false;
}

static bool value_ok(sp_str s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
            return false;
    }
    return s.n == 0 ||
           (s.p[0] != ' ' && s.p[0] != '\t' && s.p[s.n - 1] != ' ' && s.p[s.n - 1] != '\t');
}

static sp_str copy(struct reader *r, sp_str s)
{
    char *p = (char *)malloc(s.n + 1);

    if (p == NULL) {
        wrong(r, SP_E_NOMEM);
        return (sp_str){NULL, 0};
    }
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (sp_str){p, s.n};
}

static void read_headers(struct reader *r)
{
    const struct sp_node *map = r->api->get(r->conf->node, "headers");
    uint32_t i, n = map == NULL ? 0 : r->api->count(map);

    if (n == 0)
        return;
    if (n > ANSWER_HEADERS_MAX) {
        wrong(r, r->api->error(r->conf, map, "%u headers, expected at most %d", (unsigned)n,
                               ANSWER_HEADERS_MAX));
        return;
    }
    r->answer->headers = (struct sp_header_line *)calloc(n, sizeof(struct sp_header_line));
    if (r->answer->headers == NULL) {
        wrong(r, SP_E_NOMEM);
        return;
    }
    for (i = 0; i < n; i++) {
        const struct sp_node *node = r->api->at(map, i);
        sp_str name = r->api->key_at(map, i), value = r->api->text(node);
        if (!token(name))
            wrong(r,
                  r->api->error(r->conf, node, "'" SP_FMT "' is not a header name", SP_ARG(name)));
        else if (reserved(name))
            wrong(r, r->api->error(r->conf, node, "'" SP_FMT "' belongs to the gateway%s",
                                   SP_ARG(name),
                                   sp_equal_nocase(name, SP_STR("content-type"))
                                       ? ": use the option content_type"
                                       : ""));
        else if (!value_ok(value))
            wrong(r,
                  r->api->error(r->conf, node,
                                "header '" SP_FMT "': control characters, or white space at an end",
                                SP_ARG(name)));
        else
            r->answer->headers[r->answer->header_count++] =
                (struct sp_header_line){copy(r, name), copy(r, value)};
    }
}

/* The buffer of n bytes that the body stands in. */
static char *body_room(struct reader *r, size_t n)
{
    struct sp_slice *body = &r->answer->body;
    size_t room;

    body->buffer = r->host->buffer->create(n);
    if (body->buffer == NULL) {
        wrong(r, SP_E_NOMEM);
        return NULL;
    }
    body->p = r->host->buffer->data(body->buffer, &room);
    body->n = n;
    return (char *)(uintptr_t)body->p;
}

static int read_all(int fd, char *to, size_t n)
{
    while (n != 0) {
        ssize_t got = read(fd, to, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? EIO : errno;
        to += got;
        n -= (size_t)got;
    }
    return 0;
}

static void read_file(struct reader *r, const struct sp_node *node, const char *path)
{
    struct stat st;
    char *to;
    int failed, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        wrong(r, r->api->error(r->conf, node, "%s: %s", path, strerror(errno)));
    } else if (!S_ISREG(st.st_mode)) {
        wrong(r, r->api->error(r->conf, node, "%s is not a regular file", path));
    } else if (st.st_size > ANSWER_BODY_MAX) {
        wrong(r, r->api->error(r->conf, node, "%s has %lld bytes, expected at most %d", path,
                               (long long)st.st_size, ANSWER_BODY_MAX));
    } else if (st.st_size != 0 && (to = body_room(r, (size_t)st.st_size)) != NULL) {
        failed = read_all(fd, to, (size_t)st.st_size);
        if (failed != 0)
            wrong(r, r->api->error(r->conf, node, "%s: %s", path, strerror(failed)));
    }
    if (fd >= 0)
        close(fd);
}

static void read_body(struct reader *r)
{
    const struct sp_node *text = r->api->get(r->conf->node, "body");
    const struct sp_node *file = r->api->get(r->conf->node, "body_file");
    sp_str s = text == NULL ? (sp_str){NULL, 0} : r->api->text(text);
    char *to, *path;

    if (text != NULL && file != NULL) {
        wrong(r, r->api->error(r->conf, file, "'body' and 'body_file' exclude each other"));
    } else if (s.n > ANSWER_BODY_MAX) {
        wrong(r,
              r->api->error(r->conf, text, "%zu bytes, expected at most %d", s.n, ANSWER_BODY_MAX));
    } else if (s.n != 0) {
        to = body_room(r, s.n);
        if (to != NULL)
            memcpy(to, s.p, s.n);
    } else if (file != NULL) {
        path = r->api->path(r->conf, file, r->api->text(file));
        if (path == NULL)
            wrong(r, SP_E_NOMEM);
        else
            read_file(r, file, path);
        free(path);
    }
    if (r->answer->body.n != 0 &&
        (r->answer->status == 204 || r->answer->status == 205 || r->answer->status == 304))
        wrong(r, r->api->error(r->conf, text != NULL ? text : file, "a %u answer has no body",
                               (unsigned)r->answer->status));
}

static void read_type(struct reader *r)
{
    const struct sp_node *node = r->api->get(r->conf->node, "content_type");

    if (node != NULL && !value_ok(r->api->text(node)))
        wrong(r,
              r->api->error(r->conf, node,
                            "control characters, or white space at an end, expected a media type"));
    else if (node != NULL)
        r->answer->content_type = copy(r, r->api->text(node));
    else if (r->answer->body.n != 0)
        r->answer->content_type = copy(r, SP_STR("text/plain; charset=utf-8"));
}

static void answer_free(struct answer *a)
{
    uint32_t i;

    for (i = 0; i < a->header_count; i++) {
        free((void *)(uintptr_t)a->headers[i].name.p);
        free((void *)(uintptr_t)a->headers[i].value.p);
    }
    free(a->headers);
    free((void *)(uintptr_t)a->content_type.p);
    if (a->body.buffer != NULL)
        a->host->buffer->unref(a->body.buffer);
    free(a);
}

sp_status answer_create(struct sp_conf *conf)
{
    const struct sp_host *host = (const struct sp_host *)conf->state;
    struct reader r = {host, host->conf, conf, NULL, SP_OK};
    int64_t status = 200;

    /* No options: it stands in the order and is switched on per place. */
    if (conf->node == NULL || host->conf->count(conf->node) == 0)
        return SP_DECLINE;
    r.answer = (struct answer *)calloc(1, sizeof(*r.answer));
    if (r.answer == NULL)
        return SP_E_NOMEM;
    r.answer->host = host;
    if (host->conf->get_int(conf, "status", &status) != SP_OK)
        status = 200;
    r.answer->status = (uint32_t)status;
    read_body(&r);
    read_type(&r);
    read_headers(&r);
    if (r.status != SP_OK) {
        answer_free(r.answer);
        return r.status;
    }
    conf->conf = r.answer;
    return SP_OK;
}

void answer_destroy(struct sp_conf *conf)
{
    answer_free((struct answer *)conf->conf);
}
