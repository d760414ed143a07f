# SPDX-License-Identifier: Apache-2.0
"""Hostile and unusual requests with the right verdict for each and the section that says so.

A row is (name, section, bytes, verdict). Sections without a number in front are of RFC 9112; `9110`, `3986`, `9113` stand for
the others; `design` marks where the gateway is stricter than it would have to be. Verdicts:
  Refused(status)   an answer with this status, then the connection closes; the backend sees nothing of it
  Accepted(...)     the backend got exactly this request, and the gateway's answer is the backend's
  Broken(status)    the head is good and the body breaks: the backend never gets a whole request; the client gets this status
  Closed()          the connection closes without an answer, and nothing whole reaches the backend
"""
import collections

HEAD_LIMIT, URL_LIMIT, BODY_LIMIT, FIELDS = 8192, 4096, 100000, 100

Refused = collections.namedtuple("Refused", "status")
Broken = collections.namedtuple("Broken", "status")
Closed = collections.namedtuple("Closed", "")


class Accepted:
    """What the backend must have got. keeps: the connection serves on. has, lacks: headers of the request there."""

    def __init__(self, method="GET", target="/", body=b"", keeps=True, has=(), lacks=(), trailers=(), infos=()):
        self.method, self.target, self.body, self.keeps = method, target, body, keeps
        self.has, self.lacks, self.trailers, self.infos = dict(has), list(lacks), list(trailers), list(infos)


ROWS = []
ENDLESS = {"target without end", "a name without end"}  # nothing is sent behind them
H = b"Host: p.test\r\n"


def row(name, section, data, verdict):
    ROWS.append((name, section, data, verdict))


def line(name, section, text, verdict):
    """A request line before a good head."""
    row(name, section, text + b"\r\n" + H + b"\r\n", verdict)


def field(name, section, text, verdict):
    """A field line in a good GET."""
    row(name, section, b"GET / HTTP/1.1\r\n" + H + text + b"\r\n\r\n", verdict)


def post(name, section, fields, body, verdict):
    row(name, section, b"POST /p HTTP/1.1\r\n" + H + fields + b"\r\n\r\n" + body, verdict)


def chunked(name, section, body, verdict):
    post(name, section, b"Transfer-Encoding: chunked", body, verdict)


def posted(body=b"12345", **more):
    return Accepted("POST", "/p", body, **more)


BAD, OK = Refused(400), Accepted()

# The request line
line("http/0.9 line", "9110 15.6.6", b"GET /", Refused(505))
row("http/0.9 alone", "9110 15.6.6", b"GET /\r\n\r\n", Refused(505))
line("version 0.9", "9110 15.6.6", b"GET / HTTP/0.9", Refused(505))
line("version 2.0", "9110 15.6.6", b"GET / HTTP/2.0", Refused(505))
line("version 3.1", "9110 15.6.6", b"GET / HTTP/3.1", Refused(505))
line("version 1.2", "design", b"GET / HTTP/1.2", Refused(505))
line("version 1.9", "design", b"GET / HTTP/1.9", Refused(505))
line("version without minor", "2.3", b"GET / HTTP/1", BAD)
line("version 2 without minor", "2.3", b"GET / HTTP/2", BAD)
line("version of two digits", "2.3", b"GET / HTTP/1.10", BAD)
line("version with leading zero", "2.3", b"GET / HTTP/01.1", BAD)
line("version with a sign", "2.3", b"GET / HTTP/+1.1", BAD)
line("version with a comma", "2.3", b"GET / HTTP/1,1", BAD)
line("version in lower case", "2.3", b"GET / http/1.1", BAD)
line("version misspelled", "2.3", b"GET / HTPT/1.1", BAD)
line("version with a space inside", "2.3", b"GET / HTTP/ 1.1", BAD)
line("version followed by text", "2.3", b"GET / HTTP/1.1x", BAD)
line("space behind the version", "3", b"GET / HTTP/1.1 ", BAD)
line("tab behind the version", "3", b"GET / HTTP/1.1\t", BAD)
line("version twice", "3", b"GET / HTTP/1.1 HTTP/1.1", BAD)
line("nul in the version", "3", b"GET / HTTP/1.\x001", BAD)
row("http/2 preface", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(501))
line("rtsp", "2.3", b"SETUP / RTSP/1.0", Refused(501))
line("ice", "2.3", b"SOURCE / ICE/1.0", Refused(501))
line("two spaces before the target", "3", b"GET  / HTTP/1.1", BAD)
line("two spaces before the version", "3", b"GET /  HTTP/1.1", BAD)
line("tab before the target", "3", b"GET\t/ HTTP/1.1", BAD)
line("tab before the version", "3", b"GET /\tHTTP/1.1", BAD)
line("vertical tab before the version", "3", b"GET /\x0bHTTP/1.1", BAD)
line("form feed before the version", "3", b"GET /\x0cHTTP/1.1", BAD)
line("no-break space before the version", "3", b"GET /\xa0HTTP/1.1", BAD)
line("space before the method", "3", b" GET / HTTP/1.1", BAD)
line("tab before the method", "3", b"\tGET / HTTP/1.1", BAD)
line("no method", "3", b"/ HTTP/1.1", BAD)
line("byte order mark", "3", b"\xef\xbb\xbfGET / HTTP/1.1", BAD)
line("bare cr in the line", "2.2", b"GET /\r HTTP/1.1", BAD)
line("bare cr behind the line", "2.2", b"GET / HTTP/1.1\r", BAD)
row("bare lf behind the line", "design", b"GET / HTTP/1.1\n" + H + b"\r\n", BAD)
row("bare cr for crlf", "2.2", b"GET / HTTP/1.1\r" + H + b"\r\n", BAD)
row("lf everywhere", "design", b"GET / HTTP/1.1\nHost: p.test\n\n", BAD)
row("lf cr", "2.2", b"GET / HTTP/1.1\n\rHost: p.test\n\r\n\r", BAD)
row("tls hello", "3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, BAD)
row("nothing but nul", "3", b"\0" * 16 + b"\r\n\r\n", BAD)
row("an empty line first", "2.2", b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", OK)
row("three empty lines first", "2.2", b"\r\n\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", OK)
row("a hundred empty lines first", "2.2", b"\r\n" * 100 + b"GET / HTTP/1.1\r\n" + H + b"\r\n", BAD)
row("an empty lf line first", "design", b"\nGET / HTTP/1.1\r\n" + H + b"\r\n", BAD)
row("a bare cr first", "2.2", b"\rGET / HTTP/1.1\r\n" + H + b"\r\n", BAD)

# Methods
line("method in lower case", "9110 9.1", b"get / HTTP/1.1", Refused(501))
line("method in mixed case", "9110 9.1", b"Get / HTTP/1.1", Refused(501))
line("unknown method", "9110 9.1", b"FROBNICATE / HTTP/1.1", Refused(501))
line("method that begins like another", "9110 9.1", b"GETX / HTTP/1.1", Refused(501))
line("method cut short", "9110 9.1", b"GE / HTTP/1.1", Refused(501))
line("method with a colon", "9110 9.1", b"G:T / HTTP/1.1", BAD)
line("method with a slash", "9110 9.1", b"GE/T / HTTP/1.1", BAD)
line("method with a nul", "9110 9.1", b"GE\0T / HTTP/1.1", BAD)
line("method of high bytes", "9110 9.1", b"G\xcb\x9dT / HTTP/1.1", BAD)
line("method of 5000 letters", "9110 9.1", b"A" * 5000 + b" / HTTP/1.1", Refused(501))
line("connect", "9110 9.3.6", b"CONNECT p.test:80 HTTP/1.1", Refused(501))
line("connect with a path", "9110 9.3.6", b"CONNECT / HTTP/1.1", Refused(501))
line("describe, of rtsp", "9110 9.1", b"DESCRIBE / HTTP/1.1", Refused(501))
line("propfind", "9110 9.1", b"PROPFIND / HTTP/1.1", Accepted("PROPFIND"))
line("patch without a body", "9110 8.6", b"PATCH / HTTP/1.1", Accepted("PATCH", has={"content-length": "0"}))

# Targets
line("target with a query", "3.2.1", b"GET /a?b=c&d HTTP/1.1", Accepted(target="/a?b=c&d"))
line("empty query", "3.2.1", b"GET /a? HTTP/1.1", Accepted(target="/a?"))
line("query with question marks", "3986 3.4", b"GET /a?b?c?/d HTTP/1.1", Accepted(target="/a?b?c?/d"))
line("encoded slash", "3986 2.2", b"GET /a%2Fb%2f..%2fc HTTP/1.1", Accepted(target="/a%2Fb%2f..%2fc"))
line("encoded dots", "3986 6.2.2.3", b"GET /a/%2e%2E/b HTTP/1.1", Accepted(target="/a/%2e%2E/b"))
line("dots", "3986 6.2.2.3", b"GET /a/../../b/./c HTTP/1.1", Accepted(target="/a/../../b/./c"))
line("encoded nul", "3986 2.1", b"GET /a%00b HTTP/1.1", Accepted(target="/a%00b"))
line("encoded crlf", "3986 2.1", b"GET /a%0d%0aX:y?%0d%0aHost:q HTTP/1.1", Accepted(target="/a%0d%0aX:y?%0d%0aHost:q"))
line("encoded space and http version", "3986 2.1", b"GET /%20HTTP/1.1 HTTP/1.1", Accepted(target="/%20HTTP/1.1"))
line("broken percent", "3986 2.1", b"GET /%zz%4 HTTP/1.1", Accepted(target="/%zz%4"))
line("double encoding", "3986 2.4", b"GET /%252e%252e/ HTTP/1.1", Accepted(target="/%252e%252e/"))
line("overlong utf-8, encoded", "3986 2.1", b"GET /%c0%ae%c0%ae/ HTTP/1.1", Accepted(target="/%c0%ae%c0%ae/"))
line("two slashes first", "3.2.1", b"GET //evil.test/x HTTP/1.1", Accepted(target="//evil.test/x"))
line("slashes and authority", "3.2.1", b"GET ///evil.test@p.test HTTP/1.1", Accepted(target="///evil.test@p.test"))
line("path that looks like a url", "3.2.1", b"GET /http://evil.test/ HTTP/1.1", Accepted(target="/http://evil.test/"))
line("path parameters", "3986 3.3", b"GET /a;b=c;d/..;/e HTTP/1.1", Accepted(target="/a;b=c;d/..;/e"))
line("backslashes", "3986 2", b"GET /a\\..\\b HTTP/1.1", Accepted(target="/a\\..\\b"))
line("fragment", "3.2", b"GET /a#b HTTP/1.1", BAD)
line("fragment behind a query", "3.2", b"GET /a?b#c HTTP/1.1", BAD)
line("space in the target", "3.2", b"GET /a b HTTP/1.1", BAD)
line("tab in the target", "3.2", b"GET /a\tb HTTP/1.1", BAD)
line("nul in the target", "3.2", b"GET /a\0b HTTP/1.1", BAD)
line("control byte in the target", "3.2", b"GET /a\x01b HTTP/1.1", BAD)
line("delete in the target", "3.2", b"GET /a\x7fb HTTP/1.1", BAD)
line("high byte in the target", "3.2", b"GET /caf\xe9 HTTP/1.1", BAD)
line("utf-8 in the target", "3.2", b"GET /caf\xc3\xa9 HTTP/1.1", BAD)
line("no leading slash", "3.2.1", b"GET a HTTP/1.1", BAD)
line("dot", "3.2.1", b"GET . HTTP/1.1", BAD)
line("query only", "3.2.1", b"GET ?a HTTP/1.1", BAD)
line("authority form for get", "3.2.3", b"GET p.test:80 HTTP/1.1", BAD)
line("star for get", "3.2.4", b"GET * HTTP/1.1", BAD)
line("star for post", "3.2.4", b"POST * HTTP/1.1", BAD)
line("star with a path", "3.2.4", b"OPTIONS */ HTTP/1.1", BAD)
line("star with a query", "3.2.4", b"OPTIONS *?a HTTP/1.1", BAD)
line("options without a path", "3.2.4", b"OPTIONS http://p.test HTTP/1.1", Accepted("OPTIONS", "*"))
line("options with a path", "3.2.4", b"OPTIONS http://p.test/ HTTP/1.1", Accepted("OPTIONS", "/"))
line("options with a query", "3.2.4", b"OPTIONS http://p.test?a HTTP/1.1", Accepted("OPTIONS", "/?a"))
line("options of the server", "3.2.4", b"OPTIONS * HTTP/1.1", Accepted("OPTIONS", "*"))
row("max-forwards of options", "9110 7.6.2", b"OPTIONS /a HTTP/1.1\r\n" + H + b"Max-Forwards: 3\r\n\r\n",
    Accepted("OPTIONS", "/a", has={"max-forwards": "2"}))
row("max-forwards of get", "9110 7.6.2", b"GET /a HTTP/1.1\r\n" + H + b"Max-Forwards: 0\r\n\r\n", Accepted("GET", "/a", has={"max-forwards": "0"}))
row("max-forwards that is no number", "9110 7.6.2", b"OPTIONS /a HTTP/1.1\r\n" + H + b"Max-Forwards: -1\r\n\r\n",
    Accepted("OPTIONS", "/a", has={"max-forwards": "-1"}))
row("trace", "9110 9.3.8", b"TRACE /a HTTP/1.1\r\n" + H + b"Max-Forwards: 1\r\n\r\n", Accepted("TRACE", "/a", has={"max-forwards": "0"}))
line("target at the limit", "3", b"GET /" + b"a" * (URL_LIMIT - 1) + b" HTTP/1.1", Accepted(target="/" + "a" * (URL_LIMIT - 1)))
line("target above the limit", "3", b"GET /" + b"a" * URL_LIMIT + b" HTTP/1.1", Refused(414))
row("target without end", "3", b"GET /" + b"a" * (URL_LIMIT * 3), Refused(414))

# Absolute form
line("absolute form", "3.2.2", b"GET http://p.test/a?b HTTP/1.1", Accepted(target="/a?b", has={"host": "p.test"}))
line("absolute form in capitals", "3986 3.1", b"GET HTTP://P.TEST/a HTTP/1.1", Accepted(target="/a"))
line("absolute form without a path", "3.2.2", b"GET http://p.test HTTP/1.1", Accepted(target="/"))
line("absolute form, query and no path", "3.2.2", b"GET http://p.test?a HTTP/1.1", Accepted(target="/?a"))
line("absolute form with the default port", "9110 4.2.3", b"GET http://p.test:80/a HTTP/1.1", Accepted(target="/a"))
line("absolute form with another port", "9110 7.2", b"GET http://p.test:81/a HTTP/1.1", BAD)
line("absolute form, another host", "9110 7.4", b"GET http://q.test/ HTTP/1.1", BAD)
line("absolute form with userinfo", "9110 4.2.4", b"GET http://u:p@p.test/ HTTP/1.1", BAD)
line("absolute form, host in userinfo", "9110 4.2.4", b"GET http://p.test@q.test/ HTTP/1.1", BAD)
line("absolute form, empty host", "9110 4.2.1", b"GET http:///a HTTP/1.1", BAD)
line("absolute form, port only", "9110 4.2.1", b"GET http://:80/a HTTP/1.1", BAD)
line("absolute form with one slash", "9110 4.2.1", b"GET http:/p.test/ HTTP/1.1", BAD)
line("absolute form without slashes", "9110 4.2.1", b"GET http:p.test HTTP/1.1", BAD)
line("absolute form with backslashes", "9110 4.2.1", b"GET http:\\\\p.test\\a HTTP/1.1", BAD)
line("absolute form, backslash in the host", "3986 3.2.2", b"GET http://p.test\\q.test/ HTTP/1.1", BAD)
line("absolute form with a fragment", "3.2.2", b"GET http://p.test/#a HTTP/1.1", BAD)
line("absolute form, port out of range", "9110 4.2.1", b"GET http://p.test:99999/ HTTP/1.1", BAD)
line("absolute form, port with a sign", "9110 4.2.1", b"GET http://p.test:+80/ HTTP/1.1", BAD)
line("ftp", "9110 7.4", b"GET ftp://p.test/ HTTP/1.1", BAD)
line("https on a plain connection", "9110 7.4", b"GET https://p.test/ HTTP/1.1", BAD)
line("file", "9110 7.4", b"GET file:///etc/passwd HTTP/1.1", BAD)
row("absolute form without host", "3.2", b"GET http://p.test/ HTTP/1.1\r\n\r\n", BAD)
row("absolute form with an empty host", "3.2", b"GET http://p.test/ HTTP/1.1\r\nHost:\r\n\r\n", BAD)
row("absolute form in http/1.0", "3.2.2", b"GET http://p.test/a HTTP/1.0\r\n\r\n", Accepted(target="/a", keeps=False, has={"host": "p.test"}))

# Host
for _name, _value, _verdict in (
        ("host with a port", b"p.test:8080", Accepted(has={"host": "p.test:8080"})),
        ("host with an empty port", b"p.test:", OK),
        ("host in capitals", b"P.TEST", Accepted(has={"host": "P.TEST"})),
        ("host of ipv4", b"127.0.0.1", OK),
        ("host of ipv6", b"[::1]:80", Accepted(has={"host": "[::1]:80"})),
        ("host of ipv6 without brackets", b"::1", BAD),
        ("host of ipv6, open bracket", b"[::1", BAD),
        ("host of ipv6, text behind", b"[::1]x", BAD),
        ("host of ipv6, rubbish inside", b"[::g]", BAD),
        ("host, empty brackets", b"[]", BAD),
        ("host with a zone", b"[fe80::1%25lo]", BAD),
        ("host, port out of range", b"p.test:65536", BAD),
        ("host, port with letters", b"p.test:80x", BAD),
        ("host, port with a sign", b"p.test:+80", BAD),
        ("host, negative port", b"p.test:-80", BAD),
        ("host, two ports", b"p.test:80:80", BAD),
        ("host with a path", b"p.test/x", BAD),
        ("host with a query", b"p.test?x", BAD),
        ("host with a fragment", b"p.test#x", BAD),
        ("host with userinfo", b"u@p.test", BAD),
        ("host with a space", b"p.test q.test", BAD),
        ("host with a tab", b"p.test\tq.test", BAD),
        ("host with a comma", b"p.test, q.test", BAD),
        ("host in quotes", b'"p.test"', BAD),
        ("host as a url", b"http://p.test", BAD),
        ("host with a backslash", b"p.test\\q", BAD),
        ("host with a nul", b"p.test\0.q", BAD),
        ("host with high bytes", b"caf\xe9.test", BAD),
        ("host with an angle bracket", b"p<x>.test", BAD),
        ("host with a broken percent", b"p%4.test", BAD),
        ("empty host", b"", BAD),
        ("host of white space", b"  \t", BAD),
        ("host of a colon", b":80", BAD),
        ("host of 400 letters", b"a" * 400, BAD)):
    row(_name, "3.2", b"GET / HTTP/1.1\r\nHost: " + _value + b"\r\n\r\n", _verdict)
row("no host", "3.2", b"GET / HTTP/1.1\r\n\r\n", BAD)
row("no host but others like it", "3.2", b"GET / HTTP/1.1\r\nX-Host: p.test\r\nForwarded: host=p.test\r\n\r\n", BAD)
row("two hosts", "3.2", b"GET / HTTP/1.1\r\n" + H + b"Host: q.test\r\n\r\n", BAD)
row("the same host twice", "3.2", b"GET / HTTP/1.1\r\n" + H + b"hOST: p.test\r\n\r\n", BAD)
row("two hosts, one empty", "3.2", b"GET / HTTP/1.1\r\n" + H + b"Host:\r\n\r\n", BAD)
row("host folded", "5.2", b"GET / HTTP/1.1\r\nHost:\r\n p.test\r\n\r\n", BAD)
row("space before host's colon", "5.1", b"GET / HTTP/1.1\r\nHost : p.test\r\n\r\n", BAD)
row("no host in http/1.0", "3.2", b"GET / HTTP/1.0\r\n\r\n", Accepted(keeps=False))
row("two hosts in http/1.0", "3.2", b"GET / HTTP/1.0\r\n" + H + H + b"\r\n", BAD)
row("host in lower case", "5.1", b"GET / HTTP/1.1\r\nhost:p.test\r\n\r\n", OK)

# Field lines
field("obs-fold with a space", "5.2", b"A: b\r\n c", BAD)
field("obs-fold with a tab", "5.2", b"A: b\r\n\tc", BAD)
field("obs-fold of nothing", "5.2", b"A: b\r\n ", BAD)
field("obs-fold that hides a field", "5.2", b"A: b\r\n Transfer-Encoding: chunked", BAD)
row("obs-fold as the first field", "2.2", b"GET / HTTP/1.1\r\n " + H + b"\r\n", BAD)
row("a line of spaces before the fields", "2.2", b"GET / HTTP/1.1\r\n  \r\n" + H + b"\r\n", BAD)
field("empty name", "5.1", b": b", BAD)
field("nothing but a colon", "5.1", b":", BAD)
field("no colon", "5", b"Abc", BAD)
field("no colon, like a request line", "5", b"GET /smuggled HTTP/1.1", BAD)
field("space before the colon", "5.1", b"A : b", BAD)
field("tab before the colon", "5.1", b"A\t: b", BAD)
field("space in a name", "5.1", b"A B: c", BAD)
field("parenthesis in a name", "5.1", b"A(: b", BAD)
field("slash in a name", "5.1", b"A/B: b", BAD)
field("at sign in a name", "5.1", b"A@B: b", BAD)
field("quoted name", "5.1", b'"A": b', BAD)
field("nul in a name", "5.1", b"A\0: b", BAD)
field("control byte in a name", "5.1", b"A\x01: b", BAD)
field("high byte in a name", "5.1", b"\xc4: b", BAD)
field("delete in a name", "5.1", b"A\x7f: b", BAD)
field("every token character", "9110 5.6.2", b"!#$%&'*+-.^_`|~09azAZ: b", Accepted(has={"!#$%&'*+-.^_`|~09azAZ": "b"}))
field("nul in a value", "9110 5.5", b"A: b\0c", BAD)
field("bare cr in a value", "9110 5.5", b"A: b\rc", BAD)
field("bare cr before crlf", "9110 5.5", b"A: b\r", BAD)
field("bare cr before a field", "2.2", b"A: b\rTransfer-Encoding: chunked", BAD)
field("bare lf before a field", "2.2", b"A: b\nTransfer-Encoding: chunked", BAD)
field("bare lf at the end of a field", "2.2", b"A: b\nB: c", BAD)
field("control byte in a value", "9110 5.5", b"A: b\x02c", BAD)
field("escape in a value", "9110 5.5", b"A: b\x1bc", BAD)
field("delete in a value", "9110 5.5", b"A: b\x7fc", BAD)
field("vertical tab around a value", "9110 5.5", b"A:\x0bb", BAD)
field("tab in a value", "9110 5.5", b"A: b\tc", Accepted(has={"a": "b\tc"}))
field("high bytes in a value", "9110 5.5", b"A: \xe4\xff", Accepted(has={"a": "\xe4\xff"}))
field("white space around a value", "5.1", b"A: \t b c \t ", Accepted(has={"a": "b c"}))
field("empty value", "9110 5.5", b"A:", Accepted(has={"a": ""}))
field("value of white space", "9110 5.5", b"A: \t ", Accepted(has={"a": ""}))
field("value with colons", "9110 5.5", b"A:: b: c", Accepted(has={"a": ": b: c"}))
row("bare lf for the empty line", "2.2", b"GET / HTTP/1.1\r\n" + H + b"\n", BAD)
row("bare cr for the empty line", "2.2", b"GET / HTTP/1.1\r\n" + H + b"\rGET /smuggled HTTP/1.1\r\n" + H + b"\r\n", BAD)
field("header block above the limit", "5.4", b"A: " + b"b" * HEAD_LIMIT, Refused(431))
field("header block without end", "5.4", b"A: " + b"b" * HEAD_LIMIT * 3, Refused(431))
row("a name without end", "5.4", b"GET / HTTP/1.1\r\n" + H + b"A" * HEAD_LIMIT * 2, Refused(431))
field("too many fields", "5.4", b"A: b\r\n" * FIELDS + b"A: b", Refused(431))

# Content-Length
for _name, _value, _verdict in (
        ("length", b"5", posted()),
        ("length with leading zeros", b"0000005", posted(has={"content-length": "5"})),
        ("length in white space", b"  5  ", posted()),
        ("length before a tab", b"5\t", BAD),  # llhttp takes spaces there, and no tab
        ("negative length", b"-5", BAD),
        ("length with a plus", b"+5", BAD),
        ("length in hex", b"0x5", BAD),
        ("length with letters", b"5x", BAD),
        ("length with a fraction", b"5.0", BAD),
        ("length with an exponent", b"5e0", BAD),
        ("length with an underscore", b"1_0", BAD),
        ("length with a space inside", b"5 0", BAD),
        ("length in quotes", b'"5"', BAD),
        ("length, list of equals", b"5, 5", BAD),
        ("length, list of others", b"5, 6", BAD),
        ("length with a comma", b"5,", BAD),
        ("length with a semicolon", b"5;x", BAD),
        ("empty length", b"", BAD),
        ("length of 2^63", b"9223372036854775808", BAD),
        ("length of 2^64 + 5", b"18446744073709551621", BAD),
        ("length of 40 digits", b"1" * 40, BAD),
        ("length of 2^63 - 1", b"9223372036854775807", Refused(413)),
        ("length above the limit", b"%d" % (BODY_LIMIT + 1), Refused(413)),
        ("length in arabic digits", "\u0665".encode(), BAD),
        ("length with a nul", b"5\0", BAD),
        ("length with a vertical tab", b"\x0b5", BAD)):
    post(_name, "9110 8.6", b"Content-Length: " + _value, b"12345", _verdict)
post("two lengths", "6.3", b"Content-Length: 5\r\nContent-Length: 6", b"12345", BAD)
post("the same length twice", "6.3", b"Content-Length: 5\r\ncontent-length: 5", b"12345", BAD)
post("length folded", "5.2", b"Content-Length:\r\n 5", b"12345", BAD)
post("length with a space before the colon", "5.1", b"Content-Length : 5", b"12345", BAD)
post("length with a nul in its name", "5.1", b"Content-Length\0: 5", b"12345", BAD)
post("length with an underscore in its name", "9110 5.1", b"Content_Length: 5", b"", Accepted("POST", "/p", has={"content_length": "5"}))
post("length behind a bare lf", "2.2", b"A: b\nContent-Length: 5", b"12345", BAD)
post("length zero", "9110 8.6", b"Content-Length: 0", b"", Accepted("POST", "/p"))
row("body of a get", "9110 9.3.1", b"GET /g HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n\r\nabc", Accepted("GET", "/g", b"abc"))
row("body of a delete", "9110 9.3.5", b"DELETE /g HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n\r\nabc", Accepted("DELETE", "/g", b"abc"))
row("body of a kept http/1.0 request", "9.3", b"GET /g HTTP/1.0\r\nConnection: keep-alive\r\n" + H + b"Content-Length: 3\r\n\r\nabc",
    Accepted("GET", "/g", b"abc"))

# Transfer-Encoding
for _name, _value, _verdict in (
        ("chunked", b"chunked", posted(lacks=["content-length"])),
        ("chunked in capitals", b"CHUNKED", posted()),
        ("chunked in white space", b" \t chunked \t", posted()),
        ("chunked twice in a list", b"chunked, chunked", BAD),
        ("chunked not last", b"chunked, gzip", BAD),
        ("chunked before identity", b"chunked, identity", BAD),
        ("identity before chunked", b"identity, chunked", BAD),
        ("identity", b"identity", BAD),
        ("gzip before chunked", b"gzip, chunked", Refused(501)),
        ("unknown coding", b"xchunked", BAD),
        ("gzip", b"gzip", BAD),
        ("coding with a parameter", b"chunked;q=1", BAD),
        ("coding in quotes", b'"chunked"', BAD),
        ("coding in brackets", b"[chunked]", BAD),
        ("coding with a vertical tab", b"\x0bchunked", BAD),
        ("coding with a nul", b"chunked\0", BAD),
        ("coding with a comma behind", b"chunked,", BAD),
        ("coding with a comma before", b",chunked", BAD),
        ("coding of commas", b", ,", BAD),
        ("coding with a space inside", b"chun ked", BAD),
        ("coding with a dotless letter", b"chun\xc4\xb0ed", BAD),
        ("coding without its last letter", b"chunke", BAD),
        ("empty coding", b"", BAD)):
    post(_name, "6.1", b"Transfer-Encoding: " + _value, b"5\r\n12345\r\n0\r\n\r\n", _verdict)
_ENDING = b"0\r\n\r\n"
post("length, then chunked", "6.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked", _ENDING, BAD)
post("chunked, then length", "6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 5", _ENDING, BAD)
post("chunked and length zero", "6.1", b"Content-Length: 0\r\nTransfer-Encoding: chunked", _ENDING, BAD)
post("length and identity", "6.1", b"Content-Length: 5\r\nTransfer-Encoding: identity", b"12345", BAD)
post("chunked in two lines", "6.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", _ENDING, BAD)
post("chunked, then identity in lines", "6.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", _ENDING, BAD)
post("identity, then chunked in lines", "6.1", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", _ENDING, BAD)
post("chunked, then an empty line of it", "6.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding:", _ENDING, BAD)
post("coding folded", "5.2", b"Transfer-Encoding:\r\n chunked", _ENDING, BAD)
post("coding with a space before the colon", "5.1", b"Transfer-Encoding : chunked", _ENDING, BAD)
post("coding with an underscore in its name", "9110 5.1", b"Transfer_Encoding: chunked\r\nContent-Length: 5", b"12345", posted())
post("coding with a prefix", "9110 5.1", b"X-Transfer-Encoding: chunked\r\nContent-Length: 5", b"12345", posted())
row("chunked in http/1.0", "6.1", b"POST /p HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n" + _ENDING, BAD)
row("chunked in http/1.0, kept alive", "6.1",
    b"POST /p HTTP/1.0\r\nConnection: keep-alive\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n" + _ENDING, BAD)

# Chunks
CUT = Broken(400)
for _name, _section, _body, _verdict in (
        ("chunks", "7.1", b"3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", posted()),
        ("chunk size with leading zeros", "7.1", b"00005\r\n12345\r\n0000\r\n\r\n", posted()),
        ("chunk size in capitals", "7.1", b"A\r\n1234567890\r\n0\r\n\r\n", posted(b"1234567890")),
        ("no chunks", "7.1", b"0\r\n\r\n", posted(b"")),
        ("chunk extension", "7.1.1", b"5;a=b\r\n12345\r\n0;c\r\n\r\n", posted()),
        ("chunk extension in quotes", "7.1.1", b'5;a="b; c"\r\n12345\r\n0\r\n\r\n', posted()),
        ("white space around an extension", "7.1.1", b"5 ; a = b\r\n12345\r\n0\t;c\r\n\r\n", posted()),
        ("crlf inside a chunk", "7.1", b"7\r\n1\r\n0\r\n2\r\n0\r\n\r\n", posted(b"1\r\n0\r\n2")),
        ("chunk size with 0x", "7.1", b"0x5\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size with a plus", "7.1", b"+5\r\n12345\r\n0\r\n\r\n", CUT),
        ("negative chunk size", "7.1", b"-5\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size with h", "7.1", b"5h\r\n12345\r\n0\r\n\r\n", CUT),
        ("empty chunk size", "7.1", b"\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size in quotes", "7.1", b'"5"\r\n12345\r\n0\r\n\r\n', CUT),
        ("chunk size with an underscore", "7.1", b"0_5\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size with a point", "7.1", b"5.0\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size with a comma", "7.1", b"5,\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size behind a space", "7.1", b" 5\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size before a space", "7.1", b"5 \r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size before a tab", "7.1", b"5\t\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size before space and digit", "7.1", b"5 5\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size before a nul", "7.1", b"5\0\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size of 2^60", "7.1", b"1000000000000000\r\n12345", Broken(413)),
        ("chunk size of 2^64 + 5", "7.1", b"10000000000000005\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk size of 100 digits", "7.1", b"0" * 100 + b"5\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare lf behind the size", "7.1", b"5\n12345\r\n0\r\n\r\n", CUT),
        ("bare cr behind the size", "7.1", b"5\r12345\r\n0\r\n\r\n", CUT),
        ("lf cr behind the size", "7.1", b"5\n\r12345\r\n0\r\n\r\n", CUT),
        ("cr cr lf behind the size", "7.1", b"5\r\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk longer than its size", "7.1", b"4\r\n12345\r\n0\r\n\r\n", CUT),
        ("chunk shorter than its size", "7.1", b"6\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare lf behind a chunk", "7.1", b"5\r\n12345\n0\r\n\r\n", CUT),
        ("bare cr behind a chunk", "7.1", b"5\r\n12345\r0\r\n\r\n", CUT),
        ("nothing behind a chunk", "7.1", b"5\r\n123450\r\n\r\n", CUT),
        ("empty line before a chunk", "7.1", b"\r\n5\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare lf in an extension", "7.1.1", b"5;a\nb\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare cr in an extension", "7.1.1", b"5;a\rb\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare lf behind an extension", "7.1.1", b"5;a\n12345\r\n0\r\n\r\n", CUT),
        ("nul in an extension", "7.1.1", b"5;a\0\r\n12345\r\n0\r\n\r\n", CUT),
        ("an extension without end", "7.1.1", b"5;" + b"a" * 20000 + b"\r\n12345\r\n0\r\n\r\n", CUT),
        ("bare lf behind the last size", "7.1", b"5\r\n12345\r\n0\n\r\n", CUT),
        ("bare lf at the end", "7.1", b"5\r\n12345\r\n0\r\n\n", CUT),
        ("bare cr at the end", "7.1", b"5\r\n12345\r\n0\r\n\rX", CUT),
        ("text at the end", "7.1", b"5\r\n12345\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n", CUT),
        ("body above the limit", "9110 15.5.14", b"%x\r\n" % (BODY_LIMIT + 1) + b"x" * 100, Broken(413))):
    chunked(_name, _section, _body, _verdict)

# Trailers
_C = b"5\r\n12345\r\n0\r\n"
chunked("trailer", "7.1.2", _C + b"X-Sum: 1\r\n\r\n", posted(trailers=[("X-Sum", "1")], lacks=["x-sum"]))
for _name in ("Content-Length: 3", "Transfer-Encoding: chunked", "Host: q.test", "Connection: X-Sum", "Authorization: x", "Cookie: a=b",
              "Content-Type: text/html", "Content-Encoding: gzip", "Expect: 100-continue", "Trailer: x", "TE: x", "Keep-Alive: 1"):
    chunked("trailer " + _name, "9110 6.5.1", _C + _name.encode() + b"\r\n\r\n", posted(trailers=[], lacks=["x-sum"]))
chunked("trailer without a colon", "7.1.2", _C + b"abc\r\n\r\n", CUT)
chunked("trailer folded", "7.1.2", _C + b"A: b\r\n c\r\n\r\n", CUT)
chunked("trailer with a space before the colon", "7.1.2", _C + b"A : b\r\n\r\n", CUT)
chunked("trailer with a bare lf", "7.1.2", _C + b"A: b\n\r\n", CUT)
chunked("trailer with a bare cr", "7.1.2", _C + b"A: b\rc\r\n\r\n", CUT)
chunked("trailer with a nul", "7.1.2", _C + b"A: b\0\r\n\r\n", CUT)
chunked("trailer with an empty name", "7.1.2", _C + b": b\r\n\r\n", CUT)
chunked("trailers without end", "7.1.2", _C + b"A: " + b"b" * HEAD_LIMIT * 2, Broken(413))
chunked("too many trailers", "7.1.2", _C + b"A: b\r\n" * (FIELDS + 1) + b"\r\n", Broken(400))

# Connection, Expect, versions
field("connection names the framing", "9110 7.6.1", b"Connection: Host, Content-Length, Transfer-Encoding", OK)
post("connection names the length", "9110 7.6.1", b"Connection: Content-Length\r\nContent-Length: 5", b"12345", posted())
post("connection names the coding", "9110 7.6.1", b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", b"5\r\n12345\r\n0\r\n\r\n", posted())
field("connection names a field", "9110 7.6.1", b"Connection: A, close\r\nA: b", Accepted(keeps=False, lacks=["a", "connection"]))
field("connection names a field in other case", "9110 7.6.1", b"connection: x-A\r\nX-a: b", Accepted(lacks=["x-a"]))
field("connection of commas", "9110 5.6.1", b"Connection: ,, ,", OK)
field("upgrade to h2c", "9110 7.8", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
      Accepted(lacks=["upgrade", "http2-settings", "connection"]))
field("upgrade to a websocket", "9110 7.8", b"Connection: Upgrade\r\nUpgrade: websocket", Accepted(lacks=["upgrade"]))
field("upgrade without connection", "9110 7.8", b"Upgrade: h2c", Accepted(lacks=["upgrade"]))
field("te", "9110 10.1.4", b"TE: trailers, deflate;q=0.5\r\nConnection: TE", Accepted(has={"te": "trailers"}))
field("proxy connection", "9110 7.6.1", b"Proxy-Connection: keep-alive\r\nKeep-Alive: timeout=5",
      Accepted(lacks=["proxy-connection", "keep-alive"]))
post("expectation", "9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: 5", b"12345", posted(lacks=["expect"]))
post("expectation in capitals", "9110 10.1.1", b"Expect: 100-CONTINUE\r\nContent-Length: 5", b"12345", posted(lacks=["expect"]))
post("unknown expectation", "9110 10.1.1", b"Expect: 200-fine\r\nContent-Length: 5", b"12345", Refused(417))
post("two expectations", "9110 10.1.1", b"Expect: 100-continue, x\r\nContent-Length: 5", b"12345", Refused(417))
field("expectation without a body", "9110 10.1.1", b"Expect: 100-continue", Accepted(lacks=["expect"]))
row("expectation in http/1.0", "9110 10.1.1", b"POST /p HTTP/1.0\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n12345",
    posted(keeps=False, lacks=["expect"]))
row("http/1.0", "9.3", b"GET / HTTP/1.0\r\n" + H + b"\r\n", Accepted(keeps=False))
row("http/1.0 kept alive", "9.3", b"GET / HTTP/1.0\r\n" + H + b"Connection: keep-alive\r\n\r\n", OK)
row("http/1.0 kept alive and closed", "9.3", b"GET / HTTP/1.0\r\n" + H + b"Connection: keep-alive, close\r\n\r\n", Accepted(keeps=False))
field("close in capitals", "9110 7.6.1", b"Connection: CLOSE", Accepted(keeps=False))
field("close in a second line", "9110 5.3", b"Connection: keep-alive\r\nConnection: close", Accepted(keeps=False))
field("close in quotes", "9110 7.6.1", b'Connection: "close"', OK)

# Early ends: the client shuts its side behind these
EARLY = [
    ("end before anything", "8", b"", Closed()),
    ("end in the line", "8", b"GET / HT", Closed()),
    ("end behind the line", "8", b"GET / HTTP/1.1\r\n", Closed()),
    ("end in a field", "8", b"GET / HTTP/1.1\r\nHost: p.te", Closed()),
    ("end before the empty line", "8", b"GET / HTTP/1.1\r\n" + H, Closed()),
    ("end in the empty line", "8", b"GET / HTTP/1.1\r\n" + H + b"\r", Closed()),
    ("end in a body of known length", "8", b"POST /p HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\n123", Closed()),
    ("end before a body of known length", "8", b"POST /p HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\n", Closed()),
    ("end in a chunk", "8", b"POST /p HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123", Closed()),
    ("end before the last chunk", "8", b"POST /p HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", Closed()),
    ("end in the last chunk", "8", b"POST /p HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n", Closed()),
    ("end in a trailer", "8", b"POST /p HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nA: b\r\n", Closed()),
    ("end behind a whole request", "9.6", b"POST /p HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\n12345", posted(keeps=False)),
]
