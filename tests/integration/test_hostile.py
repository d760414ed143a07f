# SPDX-License-Identifier: Apache-2.0
"""Requests that break framing, smuggle, stall or overflow: the right status, the connection closed, nothing sent upstream."""
import json
import re
import time

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from gateway import CHAOS
from wire import Closed, request_bytes

HEAD_LIMIT, URL_LIMIT, BODY_LIMIT, FIELDS = 4096, 1024, 20000, 50


class Env:
    """The sentinel: a good request behind each bad one. The backend must have got exactly that and not a byte more."""

    def __init__(self, gw, back):
        self.gw, self.back, self.count = gw, back, 0
        self.offsets = {}

    def start(self):
        for c in self.back.conns:
            if c.stream.count > 500000:  # the records stay small
                c.close()
        self.sentinel()
        self.back.forget()
        self.offsets = {c.index: len(c.stream.raw) for c in self.back.conns}

    def sentinel(self):
        self.count += 1
        name = "/sentinel-%d" % self.count
        assert self.gw.ask("GET", name, host="p.test").status == 200
        self.back.wait_for(lambda: self.back.requests and self.back.requests[-1].target == name, "the sentinel")
        return name

    def targets(self):
        return [r.target for r in self.back.requests]

    def nothing_upstream(self):
        before = self.targets()
        name = self.sentinel()
        assert self.targets() == before + [name]
        assert all(t.startswith("/sentinel-") for t in self.targets()), self.targets()
        for c in self.back.conns:  # no stray bytes between the sentinels either
            came = c.raw[self.offsets.get(c.index, 0):]
            heads = re.findall(rb"GET (\S+) HTTP/1.1\r\n", came)
            assert all(h.startswith(b"/sentinel-") for h in heads), heads
            assert came.count(b"\r\n\r\n") == len(heads) and not c.stream.buf, came


@pytest.fixture(scope="module")
def running(shared):
    back = shared.backend(peer.ok)
    rest = {"/{proxy+}": {"x-amazon-apigateway-any-method": operation("http://%s/x" % back.target)}}
    gw = shared.gateway({
        "upstreams": [upstream("back", back)], "threads": 1,
        "limits": {"header_block": HEAD_LIMIT, "url": URL_LIMIT, "body": BODY_LIMIT, "headers": FIELDS},
        "timeouts": {"header": "700ms", "body": "700ms", "idle": "1500ms"},
    }, [plain_api("p", "back", "p.test"), doc_api("rest", rest, "REST", "r.test", map_stage="prod")])
    env = Env(gw, back)
    yield env
    back.check()


@pytest.fixture
def env(running):
    running.start()
    return running


H = b"Host: p.test\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"

# Name: (bytes, statuses allowed)
TABLE = {
    # Request line
    "http 0.9": (b"GET /\r\n", {400, 505}),
    "http 0.9 version": (b"GET / HTTP/0.9\r\n" + H + b"\r\n", {400, 505}),
    "http 2.0": (b"GET / HTTP/2.0\r\n" + H + b"\r\n", {400, 505}),
    "http 3": (b"GET / HTTP/3\r\n" + H + b"\r\n", {400, 505}),
    "http 1.2": (b"GET / HTTP/1.2\r\n" + H + b"\r\n", {400, 505}),
    "http 1.10": (b"GET / HTTP/1.10\r\n" + H + b"\r\n", {400, 505}),
    "http 01.1": (b"GET / HTTP/01.1\r\n" + H + b"\r\n", {400, 505}),
    "http lower case": (b"GET / http/1.1\r\n" + H + b"\r\n", {400}),
    "protocol name": (b"GET / HTTQ/1.1\r\n" + H + b"\r\n", {400, 505}),
    "no version": (b"GET / \r\n" + H + b"\r\n", {400, 505}),
    "h2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501, 505}),
    "rtsp": (b"SETUP / RTSP/1.0\r\n" + H + b"\r\n", {400, 501, 505}),
    "ice": (b"SOURCE / ICE/1.0\r\n" + H + b"\r\n", {400, 501, 505}),
    "rtsp method": (b"DESCRIBE / HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "ice method": (b"SOURCE / HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "method lower case": (b"get / HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "method unknown": (b"FROBNICATE / HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "method with colon": (b"G:T / HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "method empty": (b" / HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "connect": (b"CONNECT p.test:80 HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "two spaces behind": (b"GET /  HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "tab": (b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n", {400, 501}),
    "tab behind": (b"GET /\tHTTP/1.1\r\n" + H + b"\r\n", {400}),
    "tab in target": (b"GET /a\tb HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "space in target": (b"GET /a b HTTP/1.1\r\n" + H + b"\r\n", {400, 505}),
    "fragment": (b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "no leading slash": (b"GET a HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "nul in target": (b"GET /a\0b HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "control in target": (b"GET /a\x01b HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "delete in target": (b"GET /a\x7fb HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "star for get": (b"GET * HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "absolute with other host": (b"GET http://q.test/ HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "absolute with userinfo": (b"GET http://u:p@p.test/ HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "absolute ftp": (b"GET ftp://p.test/ HTTP/1.1\r\n" + H + b"\r\n", {400}),
    "space at the end": (b"GET / HTTP/1.1 \r\n" + H + b"\r\n", {400, 505}),
    "bare lf in the request line": (b"GET / HTTP/1.1\n" + H + b"\r\n", {400}),
    "bare cr in the request line": (b"GET / HTTP/1.1\r" + H + b"\r\n", {400}),
    "cr cr lf": (b"GET / HTTP/1.1\r\r\n" + H + b"\r\n", {400}),
    "rubbish": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, {400}),
    "spaces first": (b"  GET / HTTP/1.1\r\n" + H + b"\r\n", {400}),
    # Host
    "no host": (GET + b"\r\n", {400}),
    "two hosts": (GET + H + H + b"\r\n", {400}),
    "two different hosts": (GET + H + b"host: q.test\r\n\r\n", {400}),
    "host with path": (GET + b"Host: p.test/x\r\n\r\n", {400}),
    "host with userinfo": (GET + b"Host: u@p.test\r\n\r\n", {400}),
    "host with space": (GET + b"Host: p.test q.test\r\n\r\n", {400}),
    "host with comma": (GET + b"Host: p.test, q.test\r\n\r\n", {400}),
    "host with bad port": (GET + b"Host: p.test:80x\r\n\r\n", {400}),
    "host with quote": (GET + b"Host: \"p.test\"\r\n\r\n", {400}),
    # Fields
    "obs-fold": (GET + H + b"A: b\r\n c\r\n\r\n", {400}),
    "obs-fold with tab": (GET + H + b"A: b\r\n\tc\r\n\r\n", {400}),
    "fold as first line": (GET + b" A: b\r\n" + H + b"\r\n", {400}),
    "empty name": (GET + H + b": b\r\n\r\n", {400}),
    "no colon": (GET + H + b"Abc\r\n\r\n", {400}),
    "space before colon": (GET + H + b"A : b\r\n\r\n", {400}),
    "tab before colon": (GET + H + b"A\t: b\r\n\r\n", {400}),
    "space in name": (GET + H + b"A B: c\r\n\r\n", {400}),
    "bad character in name": (GET + H + b"A(: b\r\n\r\n", {400}),
    "high byte in name": (GET + H + b"\xc4: b\r\n\r\n", {400}),
    "nul in name": (GET + H + b"A\0: b\r\n\r\n", {400}),
    "nul in value": (GET + H + b"A: b\0c\r\n\r\n", {400}),
    "control in value": (GET + H + b"A: b\x02c\r\n\r\n", {400}),
    "delete in value": (GET + H + b"A: b\x7fc\r\n\r\n", {400}),
    "bare lf in a field": (GET + H + b"A: b\n\r\n", {400}),
    "bare lf between fields": (GET + H + b"A: b\nC: d\r\n\r\n", {400}),
    "bare cr in a value": (GET + H + b"A: b\rc\r\n\r\n", {400}),
    "bare cr before crlf": (GET + H + b"A: b\r\r\n\r\n", {400}),
    "bare lf at the end": (GET + H + b"A: b\r\n\n", {400}),
    "lf everywhere": (b"GET / HTTP/1.1\nHost: p.test\n\n", {400}),
    # Content-Length
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", {400}),
    "signed length": (POST + b"Content-Length: +5\r\n\r\n12345", {400}),
    "hex length": (POST + b"Content-Length: 0x5\r\n\r\n12345", {400}),
    "length with text": (POST + b"Content-Length: 5x\r\n\r\n12345", {400}),
    "length with inner space": (POST + b"Content-Length: 1 2\r\n\r\n12345", {400}),
    "empty length": (POST + b"Content-Length:\r\n\r\n", {400}),
    "fractional length": (POST + b"Content-Length: 5.0\r\n\r\n12345", {400}),
    "overflowing length": (POST + b"Content-Length: 18446744073709551617\r\n\r\nx", {400, 413}),
    "huge length": (POST + b"Content-Length: 99999999999999999999999999\r\n\r\nx", {400, 413}),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345" + SMUGGLED, {400}),
    "the same length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345" + SMUGGLED, {400}),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\n12345" + SMUGGLED, {400}),
    # Transfer-Encoding
    "cl.te": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", {400}),
    "te.cl": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n", {400}),
    "te.te": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "chunked chunked": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te identity": (POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, {400, 501}),
    "te gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n" + SMUGGLED, {400, 501}),
    "te gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te chunked, gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te empty": (POST + b"Transfer-Encoding:\r\n\r\n" + SMUGGLED, {400, 501}),
    "te xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te quoted": (POST + b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te with parameter": (POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te with vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    "te space before colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    "te folded": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    "te on http/1.0": (b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    "te in lf line": (POST + b"A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
}

# Chunk framing that breaks behind a good head: the request may have begun upstream, but must never become whole there.
CHUNKS = {
    "size is no number": b"zz\r\n",
    "size with sign": b"+5\r\n12345\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\n12345\r\n0\r\n\r\n",
    "size negative": b"-1\r\n",
    "size overflows": b"fffffffffffffffff\r\n",
    "size of 16 f": b"ffffffffffffffff\r\n12345",
    "size empty": b"\r\n12345\r\n0\r\n\r\n",
    "size with space": b"5 \r\n12345\r\n0\r\n\r\n",
    "size with leading space": b" 5\r\n12345\r\n0\r\n\r\n",
    "bare lf behind size": b"5\n12345\r\n0\r\n\r\n",
    "bare cr behind size": b"5\r12345\r\n0\r\n\r\n",
    "too much data": b"5\r\n123456\r\n0\r\n\r\n",
    "too little data": b"6\r\n12345\r\n0\r\n\r\n",
    "bare lf behind data": b"5\r\n12345\n0\r\n\r\n",
    "no crlf behind data": b"5\r\n123450\r\n\r\n",
    "extension with lf": b"5;a=b\n\r\n12345\r\n0\r\n\r\n",
    "extension with cr": b"5;a=b\rc\r\n12345\r\n0\r\n\r\n",
    "extension with nul": b"5;a=\0\r\n12345\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 20000 + b"\r\n12345\r\n0\r\n\r\n",
    "trailer without colon": b"5\r\n12345\r\n0\r\nabc\r\n\r\n",
    "trailer with fold": b"5\r\n12345\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer with space before colon": b"5\r\n12345\r\n0\r\nA : b\r\n\r\n",
    "trailer with lf": b"5\r\n12345\r\n0\r\nA: b\n\r\n",
    "bare lf at the end": b"5\r\n12345\r\n0\r\n\n",
}


def refused(env, data, statuses):
    answer, closed = env.gw.raw(data)
    assert answer is not None, "closed without an answer"
    assert answer.status in statuses, answer
    assert closed, "the connection stays open"
    assert answer.headers.get("connection", "").lower() == "close"
    if answer.body:
        assert "message" in json.loads(answer.body)
    assert "x-amzn-requestid" in answer.headers or "apigw-requestid" in answer.headers, answer
    return answer


def test_the_table_is_long_enough():
    assert len(TABLE) + len(CHUNKS) >= 60


@pytest.mark.parametrize("name", list(TABLE))
def test_broken_framing(env, name):
    refused(env, *TABLE[name])
    env.nothing_upstream()


@pytest.mark.parametrize("name", ["cl.te", "two lengths", "obs-fold", "two hosts", "bare lf in a field", "te.te"])
def test_broken_framing_behind_a_good_request(env, name):
    data, statuses = TABLE[name]
    with env.gw.connect() as c:
        assert c.ask("GET", "/sentinel-before", "p.test").status == 200
        c.try_send(data + SMUGGLED)
        got = c.read()
        assert got.status in statuses and c.closed()
    env.nothing_upstream()


@pytest.mark.parametrize("name", ["cl.te", "obs-fold", "rubbish", "no host", "te gzip", "fragment"])
def test_broken_framing_byte_by_byte(env, name):
    data, statuses = TABLE[name]
    with env.gw.connect() as c:
        for byte in data:
            if not c.try_send(bytes([byte])):
                break
        got = c.read()
        assert got.status in statuses and c.closed()
    env.nothing_upstream()


@pytest.mark.parametrize("name", list(CHUNKS))
def test_broken_chunks(env, name):
    before = len(env.back.requests)
    answer, closed = env.gw.raw(CHUNKED + CHUNKS[name] + SMUGGLED)
    assert closed
    assert answer is None or answer.status == 400, answer
    env.sentinel()
    whole = env.targets()[before:]
    assert len(whole) == 1 and whole[0].startswith("/sentinel-"), whole  # not the broken one, not the smuggled one


def test_requests_that_are_unusual_but_right(env):
    for data in (b"GET / HTTP/1.1\r\nhOsT: p.test\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost:p.test\r\nA:\r\nB:   c \t \r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: p.test\r\nA: \xe4\xf6\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: p.test\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;ext=\"1\"\r\n12345\r\n000\r\nT: 1\r\n\r\n",
                 b"\r\n\r\nGET / HTTP/1.1\r\nHost: p.test\r\n\r\n",
                 b"GET http://p.test/ HTTP/1.1\r\nHost: p.test\r\n\r\n"):
        with env.gw.connect() as c:
            c.send(data)
            assert c.read().status == 200, data


def test_http_1_0_without_keep_alive_ignores_what_follows(env):
    with env.gw.connect() as c:
        c.send(b"GET /sentinel-x HTTP/1.0\r\n" + H + b"\r\n" + SMUGGLED)
        assert c.read().status == 200 and c.closed()
    env.nothing_upstream()


def test_hop_by_hop_smuggling(env):
    """Connection: may not name what frames or routes the message away."""
    env.gw.ask("POST", "/sentinel-h", host="p.test", headers=[("Connection", "Content-Length, Host, close")], body=b"12345")
    got = env.back.requests[0]
    assert got.body == b"12345" and len(got.headers.all("host")) == 1


# Limits
@pytest.mark.parametrize("host", ["p.test", "r.test"])
def test_header_block_too_large(env, host):
    good = [("X-%d" % k, "v" * 100) for k in range(20)]
    assert env.gw.ask("GET", "/sentinel-l", host=host if host == "p.test" else "p.test", headers=good).status == 200
    with env.gw.connect() as c:
        c.try_send(request_bytes("GET", "/", host, [("X-Big", "v" * HEAD_LIMIT)]))
        assert c.read().status == 431 and c.closed()
    env.nothing_upstream()


def test_endless_header_block(env):
    with env.gw.connect() as c:
        c.try_send(GET + H)
        for k in range(1000):
            if not c.try_send(b"X-%d: %s\r\n" % (k, b"v" * 100)):
                break
        assert c.read().status == 431 and c.closed()
    env.nothing_upstream()


def test_too_many_headers(env):
    assert env.gw.ask("GET", "/sentinel-n", host="p.test", headers=[("A", "1")] * (FIELDS - 5)).status == 200
    with env.gw.connect() as c:
        c.try_send(request_bytes("GET", "/", "p.test", [("A", "1")] * (FIELDS + 5)))
        assert c.read().status == 431 and c.closed()
    env.nothing_upstream()


def test_url_too_long(env):
    assert env.gw.ask("GET", "/sentinel-" + "u" * (URL_LIMIT - 20), host="p.test").status == 200
    env.back.wait_for(lambda: env.back.requests, "it")
    with env.gw.connect() as c:
        c.try_send(request_bytes("GET", "/" + "u" * URL_LIMIT, "p.test"))
        assert c.read().status == 414 and c.closed()
    with env.gw.connect() as c:
        c.try_send(request_bytes("GET", "/?" + "u" * URL_LIMIT, "p.test"))
        assert c.read().status == 414 and c.closed()
    env.nothing_upstream()


def test_body_too_large_by_its_length(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", "p.test", [("Content-Length", BODY_LIMIT + 1)]))
        got = c.read()
        assert got.status == 413 and c.closed()
        assert "message" in json.loads(got.body)
    env.nothing_upstream()


def test_body_of_the_largest_size(env):
    assert env.gw.ask("POST", "/sentinel-b", host="p.test", body=b"x" * BODY_LIMIT).status == 200
    assert env.gw.ask("POST", "/sentinel-c", host="p.test", body=b"x" * BODY_LIMIT, chunked=True, sizes=[1000]).status == 200


def test_body_too_large_by_its_chunks(env):
    before = len(env.back.requests)
    with env.gw.connect() as c:
        c.try_send(request_bytes("POST", "/", "p.test", body=b"x" * (BODY_LIMIT * 4), chunked=True, sizes=[1000]))
        try:
            assert c.read().status == 413
        except Closed:
            pytest.fail("closed without an answer")
        assert c.closed()
    env.sentinel()
    assert len(env.back.requests) == before + 1  # it never became whole


def test_413_is_not_preceded_by_100(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", "p.test", [("Expect", "100-continue"), ("Content-Length", BODY_LIMIT + 1)]))
        got = c.read()
        assert got.status == 413 and got.infos == []


# Time
def elapsed(start):
    return time.monotonic() - start


@pytest.mark.parametrize("begin", [b"G", b"GET / HTTP/1.1\r\n", GET + H, GET + H + b"A: b"])
def test_slow_header(env, begin):
    start = time.monotonic()
    with env.gw.connect() as c:
        c.send(begin)
        assert c.read().status == 408 and c.closed()
    assert 0.5 < elapsed(start) < 6
    env.nothing_upstream()


def test_header_that_drips_in(env):
    start = time.monotonic()
    with env.gw.connect() as c:
        c.send(GET + H)
        while elapsed(start) < 10 and c.quiet(0.1):
            if not c.try_send(b"A: b\r\n"):
                break
        assert c.read().status == 408 and c.closed()
    assert elapsed(start) < 6
    env.nothing_upstream()


def test_silent_connection_is_closed(env):
    start = time.monotonic()
    with env.gw.connect() as c:
        try:
            assert c.read().status == 408
        except Closed as e:
            assert e.clean
        assert c.closed()
    assert elapsed(start) < 6


def test_idle_keep_alive_connection_is_closed_silently(env):
    with env.gw.connect() as c:
        assert c.ask("GET", "/sentinel-i", "p.test").status == 200
        start = time.monotonic()
        assert c.closed(8)
        assert elapsed(start) > 1


@pytest.mark.parametrize("chunked", [False, True])
def test_slow_body(env, chunked):
    before = len(env.back.requests)
    start = time.monotonic()
    with env.gw.connect() as c:
        c.send(CHUNKED + b"5\r\n12" if chunked else POST + b"Content-Length: 100\r\n\r\n12")
        assert c.read().status == 408 and c.closed()
    assert 0.5 < elapsed(start) < 6
    env.sentinel()
    assert len(env.back.requests) == before + 1


def test_body_with_pauses_below_the_limit(env):
    with env.gw.connect() as c:
        c.send(b"POST /sentinel-p HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\n")
        for byte in b"12345":
            assert c.quiet(0.2)
            c.send(bytes([byte]))
        assert c.read().status == 200


def test_client_that_leaves_early(env):
    for data in (b"", b"GE", GET + H, POST + b"Content-Length: 10\r\n\r\n123"):
        c = env.gw.connect()
        c.send(data)
        c.close()
        c = env.gw.connect()
        c.send(data)
        c.reset()
    if not CHAOS:
        env.sentinel()
    assert env.gw.ask("GET", "/sentinel-after", host="p.test").status == 200


def test_500_connections_that_say_nothing_hold_nobody_up(env):
    clients = [env.gw.connect() for _ in range(500)]
    try:
        for c in clients:
            c.send(b"GET / HT")
        start = time.monotonic()
        assert env.gw.ask("GET", "/sentinel-500", host="p.test").status == 200
        assert elapsed(start) < 2
    finally:
        for c in clients:
            c.close()


def test_errors_of_rest_look_like_rest(env):
    answer = refused(env, b"GET / HTTP/1.1\r\nHost: r.test\r\nA : b\r\n\r\n", {400})
    assert answer.headers.get("content-type") == "application/json"
