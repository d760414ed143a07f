/* SPDX-License-Identifier: Apache-2.0 */
/* Exact lines, versions, hosts and framing headers of an HTTP/1 head. */
#include "http/h1_guard.h"

/* "HTTP/1.0" or "HTTP/1.1" at v; the status says how wrong it is. */
static int check_version(struct h1_head *p, str v)
{
    if (v.n == 8 && memcmp(v.p, "HTTP/1.", 7) == 0 && (v.p[7] == '0' || v.p[7] == '1')) {
        p->minor = (uint8_t)(v.p[7] - '0');
        return 0;
    }
    bool http = v.n == 8 && memcmp(v.p, "HTTP/", 5) == 0 && v.p[6] == '.' && v.p[5] >= '0' &&
                v.p[5] <= '9' && v.p[7] >= '0' && v.p[7] <= '9';
    if (http) return h1_refuse(p, p->response ? 502 : 505, "not HTTP/1.0 or HTTP/1.1");
    return h1_refuse(p, p->response ? 502 : 400, "malformed HTTP version");
}

int h1_guard_method(struct h1_head *p, str method)
{
    static const char *const refused[] = {
        "CONNECT", "PRI", "SOURCE", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN",
        "GET_PARAMETER", "SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH",
    };
    if (!hdr_name_ok(method)) return h1_refuse(p, 400, "malformed method");
    if (http_method_of(method) != M_OTHER) return 0;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (str_eqz(method, refused[i])) return h1_refuse(p, 501, "method not served");
    }
    return 0;
}

static int check_target(struct h1_head *p)
{
    str t = p->target;
    if (t.n == 0) return h1_refuse(p, 400, "two spaces in the request line");
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= 0x20 || c >= 0x7f) return h1_refuse(p, 400, "invalid byte in the request target");
        if (c == '#') return h1_refuse(p, 400, "fragment in the request target");
    }
    return 0;
}

static int request_line(struct h1_head *p, str line)
{
    str rest = line;
    str method = str_cut(&rest, ' ');
    if (!rest.p) {
        return hdr_name_ok(method) ? h1_refuse(p, 400, "request line without a target")
                                   : h1_refuse(p, 400, "malformed request line");
    }
    p->method = method;
    int rc = h1_guard_method(p, method);
    if (rc != 0) return rc;
    str target = str_cut(&rest, ' ');
    p->target = target;
    rc = check_target(p);
    if (rc != 0) return rc;
    if (!rest.p) return h1_refuse(p, 505, "HTTP/0.9 request");
    if (rest.n && rest.p[0] == ' ') return h1_refuse(p, 400, "two spaces in the request line");
    return check_version(p, rest);
}

static int status_line(struct h1_head *p, str line)
{
    str version = str_take(line, 8), rest = str_drop(line, 8);
    int rc = check_version(p, version);
    if (rc != 0) return rc;
    if (rest.n < 4 || rest.p[0] != ' ' || (rest.n > 4 && rest.p[4] != ' ')) {
        return h1_refuse(p, 502, "malformed status line");
    }
    for (unsigned i = 1; i < 4; i++) {
        if (rest.p[i] < '0' || rest.p[i] > '9') return h1_refuse(p, 502, "malformed status code");
        p->status = p->status * 10 + (unsigned)(rest.p[i] - '0');
    }
    if (p->status < 100 || p->status > 599)
        return h1_refuse(p, 502, "status below 100 or above 599"); /* RFC 9110 15 */
    if (!hdr_value_ok(str_drop(rest, 4)))
        return h1_refuse(p, 502, "invalid byte in the status line");
    return 0;
}

int h1_guard_line(struct h1_head *p, const char *base, size_t n)
{
    unsigned bad = p->response ? 502 : 400;
    if (n < 2 || base[n - 2] != '\r') return h1_refuse(p, bad, "bare LF in the first line");
    str line = str_n(base, n - 2);
    if (memchr(line.p, '\r', line.n)) return h1_refuse(p, bad, "bare CR in the first line");
    if (memchr(line.p, '\0', line.n)) return h1_refuse(p, bad, "NUL in the first line");
    return p->response ? status_line(p, line) : request_line(p, line);
}

static int bad_value(struct h1_head *p, str v)
{
    unsigned bad = p->response ? 502 : 400;
    if (memchr(v.p, '\n', v.n)) return h1_refuse(p, bad, "folded header line or bare LF");
    if (memchr(v.p, '\r', v.n)) return h1_refuse(p, bad, "bare CR in a header");
    if (memchr(v.p, '\0', v.n)) return h1_refuse(p, bad, "NUL in a header");
    return h1_refuse(p, bad, "invalid byte in a header value");
}

/* One header line at `at`: name ':' OWS value OWS CRLF. Where the next line starts, or NULL. */
static const char *guard_line(struct h1_head *p, struct hdr *e, const char *at, const char *end)
{
    unsigned bad = p->response ? 502 : 400;
    if (e->name.n == 0) return h1_refuse(p, bad, "empty header name"), NULL;
    if (e->name.p != at) return h1_refuse(p, bad, "malformed or folded header line"), NULL;
    at += e->name.n;
    if (at == end || *at != ':')
        return h1_refuse(p, bad, "white space in or behind a header name"), NULL;
    at++;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    if (e->value.n && e->value.p != at)
        return h1_refuse(p, bad, "malformed or folded header line"), NULL;
    if (!hdr_value_ok(e->value)) return bad_value(p, e->value), NULL;
    e->value.p = at;
    at += e->value.n;
    while (e->value.n && (at[-1] == ' ' || at[-1] == '\t') && at > e->value.p) at--, e->value.n--;
    e->proto = H1_CAME | H1_RAW;
    if (at < end && (*at == ' ' || *at == '\t')) {
        e->proto = H1_CAME;
        while (at < end && (*at == ' ' || *at == '\t')) at++;
    }
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
        return h1_refuse(p, bad,
                         at < end && *at == '\r' ? "bare CR in a header" : "bare LF in a header"),
               NULL;
    }
    return at + 2;
}

int64_t h1_guard_lines(struct h1_head *p, const char *base, size_t line, size_t n)
{
    const char *at = base + line, *end = base + n;
    for (uint32_t i = 0; i < p->h->n; i++) {
        struct hdr *e = &p->h->v[i];
        at = guard_line(p, e, at, end);
        if (!at) return E_PROTO;
        e->id = hdr_id_of(e->name);
        p->h->seen |= hdr_bit(e->id);
    }
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
        return h1_refuse(p, p->response ? 502 : 400, "bare LF at the end of the head");
    }
    return at + 2 - base;
}

/* Digits only, no sign, no list; 2^63 - 1 at most. */
static int content_length(struct h1_head *p, str v)
{
    uint64_t n;
    unsigned bad = p->response ? 502 : 400;
    if (p->meta.content_length >= 0) return h1_refuse(p, bad, "two Content-Length headers");
    if (v.n == 0 || str_u64(v, &n) != 0 || n > INT64_MAX)
        return h1_refuse(p, bad, "malformed Content-Length");
    p->meta.content_length = (int64_t)n;
    return 0;
}

static int transfer_encoding(struct h1_head *p, str v, bool *other)
{
    unsigned bad = p->response ? 502 : 400;
    for (str rest = v; rest.p;) {
        str token = str_trim(str_cut(&rest, ','), " \t");
        if (token.n == 0) return h1_refuse(p, bad, "empty Transfer-Encoding");
        if (p->meta.chunked) return h1_refuse(p, bad, "chunked is not the final transfer coding");
        if (str_ieq(token, STR("chunked"))) p->meta.chunked = true;
        else if (str_ieq(token, STR("identity")))
            return h1_refuse(p, bad, "Transfer-Encoding: identity");
        else *other = true;
    }
    return 0;
}

static void connection(struct h1_meta *m, str v)
{
    for (str rest = v; rest.p;) {
        str token = str_trim(str_cut(&rest, ','), " \t");
        if (str_ieq(token, STR("close"))) m->close = true;
        else if (str_ieq(token, STR("keep-alive"))) m->keep_alive = true;
        else if (token.n) m->names_headers = true;
    }
}

static int one_header(struct h1_head *p, const struct hdr *e, bool *te, bool *te_other)
{
    struct h1_meta *m = &p->meta;
    switch (e->id) {
    case HDR_CONTENT_LENGTH:
        return content_length(p, e->value);
    case HDR_TRANSFER_ENCODING:
        *te = true;
        return transfer_encoding(p, e->value, te_other);
    case HDR_CONNECTION:
        connection(m, e->value);
        return 0;
    case HDR_HOST:
        if (m->hosts < 2) m->hosts++;
        m->host = e->value;
        return 0;
    case HDR_EXPECT:
        if (str_ieq(e->value, STR("100-continue"))) m->expect_continue = true;
        else m->expect_other = true;
        return 0;
    default:
        return 0;
    }
}

int h1_guard_meta(struct h1_head *p)
{
    struct h1_meta *m = &p->meta;
    unsigned bad = p->response ? 502 : 400;
    bool te = false, te_other = false;
    for (uint32_t i = 0; i < p->h->n; i++) {
        int rc = one_header(p, &p->h->v[i], &te, &te_other);
        if (rc != 0) return rc;
    }
    if (te && p->minor == 0) return h1_refuse(p, bad, "Transfer-Encoding with HTTP/1.0");
    if (te && m->content_length >= 0)
        return h1_refuse(p, bad, "Transfer-Encoding and Content-Length");
    if (te && !m->chunked) return h1_refuse(p, bad, "chunked is not the final transfer coding");
    if (te_other)
        return h1_refuse(p, p->response ? 502 : 501, "transfer coding other than chunked");
    if (p->response) return 0;
    if (m->hosts > 1) return h1_refuse(p, 400, "two Host headers");
    if (m->hosts == 0 && p->minor == 1) return h1_refuse(p, 400, "no Host header");
    if (m->hosts == 1 && !h1_host_ok(m->host)) return h1_refuse(p, 400, "invalid Host header");
    if (m->expect_other) return h1_refuse(p, 417, "Expect other than 100-continue");
    return 0;
}

/* Behind the host: nothing, or a colon and a port. */
static bool port_ok(str s)
{
    uint64_t n;
    if (s.n == 0) return true;
    if (s.p[0] != ':') return false;
    s = str_drop(s, 1);
    return s.n == 0 || (s.n <= 5 && str_u64(s, &n) == 0 && n <= 65535);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (chr_lower(c) >= 'a' && chr_lower(c) <= 'f');
}

bool h1_host_ok(str host)
{
    size_t i = 0;
    if (host.n == 0 || host.n > 300) return false;
    if (host.p[0] == '[') {
        for (i = 1; i < host.n && (is_hex(host.p[i]) || host.p[i] == ':' || host.p[i] == '.');
             i++) {
        }
        return i > 2 && i < host.n && host.p[i] == ']' && port_ok(str_drop(host, i + 1));
    }
    for (; i < host.n && host.p[i] != ':'; i++) {
        char c = host.p[i], l = chr_lower(c);
        if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
            c == '~') {
            continue;
        }
        if (c != '%' || host.n - i < 3 || !is_hex(host.p[i + 1]) || !is_hex(host.p[i + 2]))
            return false;
        i += 2;
    }
    return i > 0 && port_ok(str_drop(host, i));
}

/* Fields that must not come behind the body (RFC 9110 6.5.1): framing, routing, connection. */
static bool trailer_forbidden(uint16_t id)
{
    return id == HDR_CONTENT_LENGTH || id == HDR_HOST || id == HDR_TRAILER ||
           id == HDR_AUTHORIZATION || id == HDR_SET_COOKIE || id == HDR_COOKIE ||
           id == HDR_CONTENT_ENCODING || id == HDR_CONTENT_TYPE || id == HDR_EXPECT ||
           http_hop_by_hop(id);
}

int h1_guard_trailers(struct hdrs *h, struct arena *a, str text, uint32_t max_headers)
{
    while (text.n) {
        size_t lf = str_chr(text, '\n');
        if (lf == text.n || lf == 0 || text.p[lf - 1] != '\r') return E_PROTO;
        str line = str_n(text.p, lf - 1);
        text = str_drop(text, lf + 1);
        if (line.n == 0) return text.n == 0 ? 0 : E_PROTO;
        size_t colon = str_chr(line, ':');
        str name = str_take(line, colon), value = str_trim(str_drop(line, colon + 1), " \t");
        if (colon == line.n || !hdr_name_ok(name) || !hdr_value_ok(value)) return E_PROTO;
        if (h->n >= max_headers) return E_LIMIT;
        uint16_t id = hdr_id_of(name);
        if (trailer_forbidden(id)) continue;
        int rc = hdrs_add(h, a, id, name, value);
        if (rc != 0) return rc;
    }
    return E_PROTO;
}
