/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets (RFC 9112 3.2), body framing (6.3) and what else a head means. */
#include "http/h1_msg.h"

#include "http/h1_guard.h"

static void set_path(struct http_req *req, str target)
{
    size_t mark = str_chr(target, '?');
    req->path = str_take(target, mark);
    req->query = mark < target.n ? str_drop(target, mark + 1) : STR_NONE;
}

/* Without the port that the scheme means anyway. */
static str plain_authority(str a, str scheme)
{
    str port = str_eq(scheme, STR("https")) ? STR(":443") : STR(":80");
    if (str_ends(a, port)) return str_take(a, a.n - port.n);
    return str_ends(a, STR(":")) ? str_take(a, a.n - 1) : a;
}

static int absolute_form(struct h1_head *p, struct http_req *req, str rest)
{
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?') end++;
    str authority = str_take(rest, end), scheme = req->scheme;
    if (!h1_host_ok(authority)) return h1_refuse(p, 400, "invalid authority in the request target");
    if (p->meta.hosts &&
        !str_ieq(plain_authority(authority, scheme), plain_authority(p->meta.host, scheme))) {
        return h1_refuse(p, 400, "Host and request target disagree");
    }
    req->authority = authority;
    set_path(req, str_drop(rest, end));
    /* RFC 9112 3.2.4: OPTIONS without a path is about the whole server. */
    if (req->path.n == 0)
        req->path = req->method == M_OPTIONS && !req->query.p ? STR("*") : STR("/");
    return 0;
}

static int target_forms(struct h1_head *p, struct http_req *req)
{
    str t = p->target, s = req->scheme;
    req->authority = p->meta.host.p ? p->meta.host : STR("");
    if (t.p[0] == '/') {
        set_path(req, t);
        return 0;
    }
    if (str_istarts(t, s) && str_starts(str_drop(t, s.n), STR("://")))
        return absolute_form(p, req, str_drop(t, s.n + 3));
    if (str_istarts(t, STR("http://")) || str_istarts(t, STR("https://")))
        return h1_refuse(p, 400, "the target's scheme is not the connection's"); /* RFC 9110 7.4 */
    if (!str_eq(t, STR("*"))) return h1_refuse(p, 400, "request target is not a path");
    if (req->method != M_OPTIONS)
        return h1_refuse(p, 400, "target * with a method other than OPTIONS");
    req->path = t;
    return 0;
}

int h1_request_of(struct h1_head *p, struct http_req *req, str scheme)
{
    const struct h1_meta *m = &p->meta;
    req->method_name = p->method.p ? p->method : STR("");
    req->method = (uint8_t)http_method_of(req->method_name);
    req->version_minor = p->minor;
    req->scheme = scheme;
    req->authority = req->path = STR("");
    req->has_body = m->chunked || m->content_length > 0;
    req->content_length = m->chunked              ? BODY_UNKNOWN
                          : m->content_length > 0 ? m->content_length
                                                  : BODY_NONE;
    /* RFC 9110 10.1.1: without a body, and from HTTP/1.0, it means nothing. */
    req->expect_continue = m->expect_continue && p->minor == 1 && req->has_body;
    if (!p->line_ok) return p->bad ? E_PROTO : h1_refuse(p, 400, "malformed request line");
    if (p->bad) {
        if (p->target.n && p->target.p[0] == '/') set_path(req, p->target);
        return E_PROTO;
    }
    return target_forms(p, req);
}

enum h1_body_kind h1_response_of(const struct h1_head *p, struct http_res *res, bool head_request)
{
    const struct h1_meta *m = &p->meta;
    res->status = (uint16_t)p->status;
    if (head_request || http_status_bodyless(p->status)) {
        res->has_body = false;
        /* The length that a GET would have had, where it was told. */
        res->content_length = m->content_length >= 0 ? m->content_length : BODY_UNKNOWN;
        return H1_NONE;
    }
    res->has_body = m->chunked || m->content_length != 0;
    res->content_length = m->chunked || m->content_length < 0 ? BODY_UNKNOWN : m->content_length;
    if (m->chunked) return H1_CHUNKED;
    if (m->content_length < 0) return H1_CLOSE;
    return m->content_length ? H1_LENGTH : H1_NONE;
}
