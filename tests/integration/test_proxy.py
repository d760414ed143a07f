# SPDX-License-Identifier: Apache-2.0
"""Heads and connections of proxied requests: keep-alive, pipelining, versions, forwarded headers, request ids, 1xx."""
import json
import re
import threading

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from gateway import CHAOS
from wire import Headers, request_bytes, response_bytes

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
EXTENDED = r"^[A-Za-z0-9+/_-]{15}=$"


class Env:
    def __init__(self, gw, back):
        self.gw, self.back = gw, back


@pytest.fixture(scope="module")
def running(shared):
    back = shared.backend(peer.echo)
    uri = "http://%s/{proxy}" % back.target
    every = operation(uri, path_proxy="method.request.path.proxy")
    root = operation("http://%s/" % back.target)
    paths = {"/{proxy+}": {"x-amazon-apigateway-any-method": every}, "/": {"x-amazon-apigateway-any-method": root}}
    gw = shared.gateway({"upstreams": [upstream("back", back)], "threads": 2}, [
        plain_api("plain", "back", "p.test"),
        doc_api("rest", paths, "REST", "r.test", map_stage="prod"),
        doc_api("http", paths, "HTTP", "h.test"),
    ])
    yield Env(gw, back)
    back.check()


@pytest.fixture
def env(running):
    running.back.program(peer.echo)
    running.back.forget()
    return running


def seen(answer):
    assert answer.status == 200, answer
    got = json.loads(answer.body)
    got["headers"] = Headers(tuple(x) for x in got["headers"])
    return got


@pytest.mark.parametrize("host", ["p.test", "r.test", "h.test"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(env, host, method):
    body = b"some body" if method in ("POST", "PUT", "PATCH") else None
    got = seen(env.gw.ask(method, "/a/b?x=1&y=%20", host=host, body=body))
    assert (got["method"], got["target"], got["length"]) == (method, "/a/b?x=1&y=%20", len(body or b""))


@pytest.mark.parametrize("host", ["p.test", "r.test", "h.test"])
def test_head(env, host):
    with env.gw.connect() as c:
        c.send(request_bytes("HEAD", "/a", host))
        got = c.read("HEAD")
        assert got.status == 200 and got.body == b""
        assert env.back.last.method == "HEAD"
        if not CHAOS:
            assert int(got.headers.one("content-length")) > 50  # what GET would have had
        assert c.ask("GET", "/b", host).status == 200  # in step


@pytest.mark.parametrize("target", ["/", "/a", "/a/", "/a//b", "/%2F%2e%2E/", "/a;b=c", "/a?", "/a?b", "/a?b=c?d/e", "/a=b,c:d@e!$&'()*+"])
def test_target_goes_as_it_came(env, target):
    assert seen(env.gw.ask("GET", target, host="p.test"))["target"] == target


def test_absolute_form(env):
    got = seen(env.gw.ask("GET", "http://p.test/x?y", host="p.test"))
    assert got["target"] == "/x?y"


def test_host_of_a_plain_upstream_is_the_clients(env):
    got = seen(env.gw.ask(host="P.Test:%d" % env.gw.port))
    assert got["headers"].one("host").lower() == "p.test:%d" % env.gw.port


@pytest.mark.parametrize("host", ["r.test", "h.test"])
def test_host_of_an_integration_is_its_uris(env, host):
    assert seen(env.gw.ask(target="/x", host=host))["headers"].one("host") == env.back.target


def test_headers_go_through_in_order_and_as_spelled(env):
    sent = [("X-One", "1"), ("x-two", "2"), ("X-ONE", "again"), ("Accept", "*/*"), ("Cookie", "a=b; c=d"), ("X-Empty", ""),
            ("X-High", "caf\xe9"), ("User-Agent", "test/1")]
    got = seen(env.gw.ask(host="p.test", headers=sent))
    kept = [tuple(h) for h in got["headers"] if h[0].lower() in {n.lower() for n, _ in sent}]
    assert kept == sent


def test_answers_headers_go_through(env):
    sent = [("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("x-lower", "v"), ("ETag", '"x"')]
    env.back.program(lambda r: response_bytes(201, sent, b"made", reason="Anything"))
    got = env.gw.ask("POST", host="p.test", body=b"x")
    assert got.status == 201 and got.body == b"made"
    assert [h for h in got.headers if h[0].lower() in {n.lower() for n, _ in sent}] == sent
    assert len(got.headers.all("date")) == 1


def test_hop_by_hop_headers_end_here(env):
    got = seen(env.gw.ask(host="p.test", headers=[
        ("Connection", "keep-alive, X-Private"), ("X-Private", "secret"), ("Keep-Alive", "timeout=5"), ("TE", "gzip"),
        ("Proxy-Connection", "keep-alive"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk"), ("X-Public", "yes")]))
    names = got["headers"].names()
    assert "x-public" in names
    for name in ("x-private", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "transfer-encoding"):
        assert name not in names, got["headers"]
    assert got["headers"].get("te", "trailers") == "trailers"
    env.back.program(lambda r: response_bytes(200, [("Connection", "X-Inner"), ("X-Inner", "1"), ("Keep-Alive", "max=3"),
                                                    ("X-Outer", "1")], b"ok"))
    got = env.gw.ask(host="p.test")
    assert "x-outer" in got.headers and "x-inner" not in got.headers and "keep-alive" not in got.headers


@pytest.mark.parametrize("host", ["p.test", "r.test"])
def test_forwarded_headers(env, host):
    got = seen(env.gw.ask(target="/x", host=host))["headers"]
    assert got.one("x-forwarded-for").split(",")[-1].strip() == "127.0.0.1"
    assert got.one("x-forwarded-proto") == "http"
    assert got.one("x-forwarded-port") == str(env.gw.port)


def test_forwarded_header_of_http_apis(env):
    """RFC 7239 in place of X-Forwarded-*, as AWS's HTTP APIs send it (semantics 7.2)."""
    got = seen(env.gw.ask(target="/x", host="h.test", headers=[("X-Forwarded-For", "6.6.6.6")]))["headers"]
    assert got.one("forwarded") == "by=127.0.0.1;for=127.0.0.1;host=h.test;proto=http"
    assert not [n for n in got.names() if n.startswith("x-forwarded-")]


@pytest.mark.parametrize("host", ["p.test", "r.test", "h.test"])
def test_trace_id(env, host):
    new = seen(env.gw.ask(target="/x", host=host))["headers"].one("x-amzn-trace-id")
    assert re.match(r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24}", new), new
    old = "Root=1-5f84c7a7-4e6f0e6c0123456789abcdef"
    kept = seen(env.gw.ask(target="/x", host=host, headers=[("X-Amzn-Trace-Id", old)]))["headers"].one("x-amzn-trace-id")
    assert kept.startswith(old)


def test_a_client_may_supply_the_request_id(env):
    """Semantics 0.2: a UUID is taken over, anything else is replaced."""
    own = "01234567-89ab-4def-8123-456789abcdef"
    assert env.gw.ask(target="/x", host="r.test", headers=[("x-amzn-RequestId", own)]).headers.one("x-amzn-requestid") == own
    got = env.gw.ask(target="/x", host="r.test", headers=[("x-amzn-RequestId", "evil")]).headers.one("x-amzn-requestid")
    assert re.match(UUID, got)


def test_a_strangers_forwarded_headers_are_not_believed(env):
    got = seen(env.gw.ask(target="/x", host="p.test", headers=[
        ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")]))["headers"]
    assert got.one("x-forwarded-for").split(",")[-1].strip() == "127.0.0.1"
    assert got.one("x-forwarded-proto") == "http"
    assert got.one("x-forwarded-port") == str(env.gw.port)


def test_a_trusted_proxys_forwarded_headers_are_kept(make):
    back = make.backend(peer.echo)
    gw = make.gateway({"upstreams": [upstream("back", back)], "trusted_proxies": ["127.0.0.0/8"]}, [plain_api("p", "back")])
    got = seen(gw.ask(headers=[("X-Forwarded-For", "6.6.6.6, 7.7.7.7"), ("X-Forwarded-Proto", "https")]))["headers"]
    hops = [x.strip() for x in got.one("x-forwarded-for").split(",")]
    assert hops == ["6.6.6.6", "7.7.7.7", "127.0.0.1"]
    assert got.one("x-forwarded-proto") == "https"


def test_request_ids_of_rest(env):
    ids = set()
    for _ in range(20):
        got = env.gw.ask(target="/x", host="r.test").headers
        assert re.match(UUID, got.one("x-amzn-requestid")), got
        assert re.match(EXTENDED, got.one("x-amz-apigw-id")), got
        ids |= {got.one("x-amzn-requestid"), got.one("x-amz-apigw-id")}
    assert len(ids) == 40


@pytest.mark.parametrize("host", ["h.test", "p.test"])
def test_request_ids_of_http(env, host):
    got = [env.gw.ask(target="/x", host=host).headers for _ in range(20)]
    assert all(re.match(EXTENDED, h.one("apigw-requestid")) for h in got), got
    assert len({h.one("apigw-requestid") for h in got}) == 20


def test_keep_alive_on_both_sides(make):
    back = make.backend(peer.echo)
    gw = make.gateway({"upstreams": [upstream("back", back)], "threads": 1}, [plain_api("p", "back")])
    with gw.connect() as c:
        for k in range(50):
            assert seen(c.ask("GET", "/%d" % k))["target"] == "/%d" % k
    with gw.connect() as c:
        assert c.ask("POST", "/", body=b"x" * 100).status == 200
    assert back.accepted == 1


def test_one_client_connection_reaches_many_apis(env):
    with env.gw.connect() as c:
        for host in ("p.test", "r.test", "h.test", "p.test"):
            assert seen(c.ask(target="/x", host=host))["target"] == "/x"
        assert c.ask(host="nobody.test").status in (403, 404)
        assert seen(c.ask(target="/y", host="p.test"))["target"] == "/y"


def test_connection_close_of_the_client(env):
    with env.gw.connect() as c:
        got = c.ask(host="p.test", headers=[("Connection", "close")])
        assert got.status == 200 and got.headers.one("connection").lower() == "close"
        assert c.closed()


def test_connection_close_of_the_backend_is_not_passed_on(env):
    env.back.program(lambda r: (response_bytes(200, [("Connection", "close")], b"bye"),))
    with env.gw.connect() as c:
        for _ in range(3):
            got = c.ask(host="p.test")
            assert got.body == b"bye" and "close" not in got.headers.get("connection", "")


def test_backend_closes_idle_connections(make):
    """A connection that the backend closed while it was idle costs no request."""
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)], "threads": 1}, [plain_api("p", "back")])
    with gw.connect() as c:
        for k in range(10):
            assert c.ask().status == 200
            back.conns[-1].close()
    assert back.accepted == 10


@pytest.mark.parametrize("headers,stays", [([], False), ([("Connection", "keep-alive")], True), ([("Connection", "close")], False)])
def test_http_1_0_client(env, headers, stays):
    with env.gw.connect() as c:
        got = c.ask("GET", "/old", "p.test", headers, version="1.0")
        assert seen(got)["target"] == "/old"
        assert got.framing in ("length", "close")
        if not CHAOS:
            assert got.framing == "length"
        if got.framing == "length" and stays:
            assert got.headers.one("connection").lower() == "keep-alive"
            assert c.ask("GET", "/again", "p.test", headers, version="1.0").status == 200
        else:
            assert c.closed()


def test_http_1_0_client_gets_an_unframed_body_to_the_end(env):
    env.back.program(lambda r: response_bytes(200, body=b"chunky" * 100, chunked=True, sizes=[7]))
    with env.gw.connect() as c:
        got = c.ask("GET", "/", "p.test", [("Connection", "keep-alive")], version="1.0")
        assert got.body == b"chunky" * 100 and "transfer-encoding" not in got.headers
        if got.framing == "close":
            assert c.closed()


def test_http_1_0_client_without_a_host(make):
    back = make.backend(peer.echo)
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back", "*")])
    assert seen(gw.ask(host=None, version="1.0"))["target"] == "/"


def test_http_1_0_backend(env):
    env.back.program(lambda r: (b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\nto the end",))
    with env.gw.connect() as c:
        for _ in range(3):
            got = c.ask(host="p.test")
            assert got.body == b"to the end" and got.headers.one("x-old") == "1" and got.framing == "chunked"


def test_pipelining_ten_requests_in_order(env):
    gate = threading.Event()

    def slow_first(req):
        if req.target == "/0":
            gate.wait(10)
        return peer.echo(req)
    env.back.program(slow_first)
    with env.gw.connect() as c:
        c.send(b"".join(request_bytes("POST" if k % 2 else "GET", "/%d" % k, "p.test", body=b"b" * k if k % 2 else None)
                        for k in range(10)))
        env.back.wait_requests(1)
        gate.set()
        for k in range(10):
            got = seen(c.read())
            assert (got["target"], got["length"]) == ("/%d" % k, k if k % 2 else 0)
        assert c.quiet()


def test_pipelined_requests_behind_a_close_are_dropped(env):
    with env.gw.connect() as c:
        c.send(request_bytes("GET", "/1", "p.test") + request_bytes("GET", "/2", "p.test", [("Connection", "close")])
               + request_bytes("GET", "/3", "p.test"))
        assert seen(c.read())["target"] == "/1"
        assert seen(c.read())["target"] == "/2"
        assert c.closed()
    env.gw.ask(target="/4", host="p.test")
    assert "/3" not in [r.target for r in env.back.requests]


def test_byte_by_byte(env):
    with env.gw.connect() as c:
        for byte in request_bytes("POST", "/slow", "p.test", [("X-A", "b")], b"hello", chunked=True, sizes=[2]):
            c.send(bytes([byte]))
        got = seen(c.read())
        assert (got["target"], got["length"]) == ("/slow", 5)


def test_empty_lines_before_a_request(env):
    with env.gw.connect() as c:
        c.send(b"\r\n" + request_bytes("GET", "/x", "p.test"))
        assert seen(c.read())["target"] == "/x"


def test_half_closed_client_still_gets_its_answer(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/half", "p.test", body=b"all of it"))
        c.finish()
        assert seen(c.read())["length"] == 9
        assert c.closed()


def test_client_that_goes_away_frees_the_backend(env):
    came, gone = threading.Event(), threading.Event()

    def hold(req):
        if req.target == "/gone":
            came.set()
            gone.wait(10)
        return peer.echo(req)
    env.back.program(hold)
    c = env.gw.connect()
    c.send(request_bytes("GET", "/gone", "p.test"))
    assert came.wait(10)
    c.reset()
    gone.set()
    for k in range(5):
        assert seen(env.gw.ask(target="/%d" % k, host="p.test"))["target"] == "/%d" % k


@pytest.mark.parametrize("status", [100, 102, 103])
def test_informational_answers(env, status):
    env.back.program(lambda r: b"HTTP/1.1 %d Wait\r\nX-Early: 1\r\n\r\n" % status * 3 + response_bytes(200, body=b"final"))
    with env.gw.connect() as c:
        got = c.ask(host="p.test")
        assert (got.status, got.body) == (200, b"final")
        assert set(got.infos) <= {status}
        assert c.ask(host="p.test").body == b"final"


def test_expect_continue(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", "p.test", [("Expect", "100-continue"), ("Content-Length", "5")]))
        assert c.stream.line() == b"HTTP/1.1 100 Continue" and c.stream.line() == b""
        c.send(b"12345")
        assert seen(c.read())["length"] == 5


def test_expect_continue_without_waiting(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", "p.test", [("Expect", "100-continue")], b"12345"))
        got = c.read()
        assert seen(got)["length"] == 5
        assert seen(c.ask(host="p.test"))["length"] == 0


def test_expect_continue_is_not_said_before_a_refusal(env):
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", "nobody.test", [("Expect", "100-continue"), ("Content-Length", "5")]))
        got = c.read()
        assert got.status in (403, 404) and got.infos == []


def test_unknown_expectation(env):
    got = env.gw.ask("POST", "/", host="p.test", headers=[("Expect", "200-fine")], body=b"x")
    assert got.status == 417


def test_options_star(env):
    got = env.gw.ask("OPTIONS", "*", host="p.test")
    assert got.status in (200, 204, 400, 403, 404)


def test_many_connections_at_once(env):
    failed = []

    def client(k):
        try:
            with env.gw.connect() as c:
                for n in range(20):
                    got = seen(c.ask("POST", "/%d/%d" % (k, n), "p.test", body=b"z" * (n * 100)))
                    assert (got["target"], got["length"]) == ("/%d/%d" % (k, n), n * 100)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(e)
    threads = [threading.Thread(target=client, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
