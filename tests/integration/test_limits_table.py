# SPDX-License-Identifier: Apache-2.0
"""Every limit and timeout of the conf: provoked once each, with the status the client gets and the counter that tells of it."""
import resource
import socket
import time

import pytest

import backend as peer
import prom
from client import Client, raw
from confgen import doc_api, operation, plain_api, upstream
from gateway import free_port, sanitized
from wire import Closed, request_bytes, response_bytes, wait_until

pytestmark = pytest.mark.nochaos  # the counters of single exchanges
H = b"Host: p.test\r\n"
POST = b"POST / HTTP/1.1\r\n" + H
SLOW = 4 if sanitized() else 1


class Env:
    def __init__(self, gw, back, hole):
        self.gw, self.back, self.hole = gw, back, hole

    def counter(self, name, **labels):
        return prom.parse(self.gw.metrics()).sum("sallyport_" + name, **labels)


@pytest.fixture(scope="module")
def env(shared):
    def slow(req):
        if req.target == "/never":
            time.sleep(3)
        if req.target == "/big":
            return response_bytes(200, [], b"x" * 30000000)
        return peer.ok(req)
    back = shared.backend(slow)
    stall = shared.backend(serve=stalling)
    deaf = shared.backend(serve=lambda c: time.sleep(5), rcvbuf=4096)
    rest = {"/never": {"get": operation("http://%s/never" % back.target, timeout=300)}}
    own = free_port()
    main = free_port()
    gw = shared.gateway({
        "upstreams": [upstream("back", back), upstream("stall", stall, timeouts={"idle": "300ms"}),
                      upstream("first", back, timeouts={"first_byte": "300ms"}),
                      upstream("total", back, timeouts={"total": "300ms"}),
                      upstream("deaf", deaf, timeouts={"write": "300ms"}),
                      upstream("one", back, pool={"max": 1}),
                      upstream("refused", "127.0.0.1:%d" % free_port()),
                      upstream("nowhere", "192.0.2.1:9", timeouts={"connect": "200ms"})],
        "threads": 1,
        "listen": [{"address": "127.0.0.1:%d" % main},
                   {"address": "127.0.0.1:%d" % own, "limits": {"header_block": "2KB", "url": 512, "headers": 5, "body": 100},
                    "timeouts": {"header": "200ms", "body": "200ms", "idle": "200ms", "write": "200ms", "half_closed": "200ms"}}],
        "limits": {"header_block": "4KB", "url": "1KB", "headers": 20, "body": "64MB"},
        "timeouts": {"header": "600ms", "body": "600ms", "idle": "600ms", "write": "600ms", "half_closed": "600ms", "integration": "2s"},
    }, [plain_api(n, n, n + ".test") for n in ("stall", "first", "total", "deaf", "one", "refused", "nowhere")]
        + [plain_api("p", "back", "p.test"), doc_api("rest", rest, "REST", "rest.test", map_stage="prod"),
           doc_api("http", rest, "HTTP", "http.test", stages={"$default": {}})])
    gw.port, gw.own = main, own
    yield Env(gw, back, stall)


def stalling(conn):
    conn.read_request()
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    conn.drain()


def status_of(port, data, finish=False):
    got, closed = raw(port, data, finish=finish)
    assert closed
    return got and got.status


def head(fields=b"", target=b"/", body=b""):
    return b"POST " + target + b" HTTP/1.1\r\n" + H + fields + b"\r\n" + body


def big(port, size):
    return head(b"Transfer-Encoding: chunked\r\n", body=b"%x\r\n" % size + b"x" * 50)


REFUSED, TIMEOUTS = "refused_requests_total", "client_timeouts_total"
# what, on the main listener, on the one with limits of its own, status, counter, its labels
CLIENT = [
    ("malformed", head(b"A : b\r\n"), head(b"A : b\r\n"), 400, REFUSED, {"status": "400"}),
    ("malformed chunk", head(b"Transfer-Encoding: chunked\r\n", body=b"zz\r\n"), head(b"Transfer-Encoding: chunked\r\n", body=b"zz\r\n"), 400,
     REFUSED, {"status": "400"}),
    ("header_block", head(b"A: " + b"b" * 5000 + b"\r\n"), head(b"A: " + b"b" * 2100 + b"\r\n"), 431, REFUSED, {"status": "431"}),
    ("headers", head(b"A: b\r\n" * 21), head(b"A: b\r\n" * 6), 431, REFUSED, {"status": "431"}),
    ("url", head(target=b"/" + b"a" * 1024), head(target=b"/" + b"a" * 512), 414, REFUSED, {"status": "414"}),
    ("body, by its length", head(b"Content-Length: 67108865\r\n"), head(b"Content-Length: 101\r\n"), 413, REFUSED, {"status": "413"}),
    ("body, by its chunks", big(0, (64 << 20) + 1), big(0, 101), 413, REFUSED, {"status": "413"}),
    ("expectation", head(b"Expect: x\r\n"), head(b"Expect: x\r\n"), 417, REFUSED, {"status": "417"}),
    ("method", b"BREW / HTTP/1.1\r\n" + H + b"\r\n", b"BREW / HTTP/1.1\r\n" + H + b"\r\n", 501, REFUSED, {"status": "501"}),
    ("coding", head(b"Transfer-Encoding: gzip, chunked\r\n"), head(b"Transfer-Encoding: gzip, chunked\r\n"), 501, REFUSED, {"status": "501"}),
    ("version", b"GET / HTTP/2.0\r\n" + H + b"\r\n", b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505, REFUSED, {"status": "505"}),
    ("header timeout", POST, POST, 408, TIMEOUTS, {"timeout": "header"}),
    ("header timeout of a silent client", b"", b"", 408, TIMEOUTS, {"timeout": "header"}),
    ("header timeout, in refused", POST, POST, 408, REFUSED, {"status": "408"}),
    ("body timeout", head(b"Content-Length: 9\r\n", body=b"x"), head(b"Content-Length: 9\r\n", body=b"x"), 408, TIMEOUTS, {"timeout": "body"}),
    ("body timeout, in refused", head(b"Content-Length: 9\r\n"), head(b"Content-Length: 9\r\n"), 408, REFUSED, {"status": "408"}),
]


@pytest.mark.parametrize("what,main,own,status,counter,labels", CLIENT, ids=[r[0] for r in CLIENT])
def test_client(env, what, main, own, status, counter, labels):
    assert what
    before, start = env.counter(counter, **labels), time.monotonic()
    assert status_of(env.gw.port, main) == status
    took = time.monotonic() - start
    assert env.counter(counter, **labels) == before + 1
    assert status_of(env.gw.own, own) == status
    assert env.counter(counter, **labels) == before + 2
    if status == 408:
        assert 0.55 < took < 3 * SLOW


def test_what_is_just_within(env):
    ok = head(b"A: b\r\n" * 18 + b"Content-Length: 0\r\n", target=b"/" + b"a" * 1023)
    with env.gw.connect() as c:
        c.send(ok)
        assert c.read().status == 200
        c.send(head(b"Content-Length: 0\r\nA: " + b"b" * (4096 - 65) + b"\r\n"))
        assert c.read().status == 200


@pytest.mark.parametrize("own", [False, True])
def test_idle_timeout(env, own):
    before = env.counter(TIMEOUTS, timeout="idle")
    with Client(env.gw.own if own else env.gw.port) as c:
        assert c.ask("GET", "/", "p.test").status == 200
        start = time.monotonic()
        assert c.closed(5)
        assert (0.15 if own else 0.55) < time.monotonic() - start < 3 * SLOW
    assert env.counter(TIMEOUTS, timeout="idle") == before + 1


@pytest.mark.parametrize("own", [False, True])
def test_write_timeout(env, own):
    """A client that asks for much and takes nothing is disconnected; the call to the backend ends with it."""
    before = env.counter(TIMEOUTS, timeout="write")
    with Client(env.gw.own if own else env.gw.port, rcvbuf=4096) as c:
        c.send(request_bytes("GET", "/big", "p.test"))
        wait_until(lambda: env.counter(TIMEOUTS, timeout="write") == before + 1, 5 * SLOW, "the write timeout")
        with pytest.raises(Closed):
            c.read()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("shut", [False, True])
def test_half_closed_timeout(env, own, shut):
    """A client that is gone, or may be: its call is ended when no answer begins in time."""
    before, n = env.counter(TIMEOUTS, timeout="half_closed"), len(env.back.requests)
    start = time.monotonic()
    c = Client(env.gw.own if own else env.gw.port)
    c.send(request_bytes("GET", "/never", "p.test"))
    env.back.wait_for(lambda: len(env.back.requests) > n, "the request")
    if shut:
        c.finish()
        with pytest.raises(Closed):
            c.read()
    c.close()
    wait_until(lambda: env.counter(TIMEOUTS, timeout="half_closed") == before + 1, 5 * SLOW, "the counter")
    assert (0.15 if own else 0.55) < time.monotonic() - start < 2 * SLOW


# Backends: host, path, status by API style
BACKENDS = [
    ("no answer in time, plain", "p.test", "/never", 504), ("no answer in time, REST", "rest.test", "/never", 504),
    ("no answer in time, HTTP", "http.test", "/never", 503), ("first byte", "first.test", "/never", 504), ("total", "total.test", "/never", 504),
    ("connect", "nowhere.test", "/", 503), ("refused", "refused.test", "/", 503),
]


@pytest.mark.parametrize("what,host,path,status", BACKENDS, ids=[r[0] for r in BACKENDS])
def test_backend(env, what, host, path, status):
    labels = {"api": host.split(".")[0], "code": "5xx"}
    before, start = env.counter("requests_total", **labels), time.monotonic()
    assert env.gw.ask("GET", path, host=host).status == status, what
    assert time.monotonic() - start < 2.9 + SLOW
    wait_until(lambda: env.counter("requests_total", **labels) == before + 1, 5, "the counter")  # counted when the answer has left


def test_backend_that_stalls_in_its_body(env):
    before = env.counter("requests_total", api="stall", code="2xx")
    with env.gw.connect() as c:
        c.send(request_bytes("GET", "/", "stall.test"))
        with pytest.raises(Closed):
            c.read()
    wait_until(lambda: env.counter("requests_total", api="stall", code="2xx") == before + 1, 5, "the counter")  # its head had left


def test_backend_that_takes_nothing(env):
    with env.gw.connect(timeout=15) as c:
        c.try_send(request_bytes("POST", "/", "deaf.test", headers=[("Content-Length", 30000000)]))
        c.sock.setblocking(False)
        end = time.monotonic() + 10
        sent = 0
        while time.monotonic() < end:
            try:
                sent += c.sock.send(b"x" * 65536)
            except BlockingIOError:
                time.sleep(0.01)
                try:
                    if c.sock.recv(1, socket.MSG_PEEK):
                        break
                except BlockingIOError:
                    pass
            except OSError:
                break
        assert sent < 30000000
        c.sock.settimeout(15)
        assert c.read().status == 504


def test_pool_that_is_full(env):
    with env.gw.connect() as first, env.gw.connect() as second:
        n = len(env.back.requests)
        first.send(request_bytes("GET", "/never", "one.test"))
        env.back.wait_for(lambda: len(env.back.requests) > n, "the first request")
        before = env.counter("requests_total", api="one", code="5xx")
        assert second.ask("GET", "/", "one.test").status == 503
        wait_until(lambda: env.counter("requests_total", api="one", code="5xx") == before + 1, 5, "the counter")


# The machine, the end
def test_descriptors_that_run_out(make):
    """What is in flight goes on, new connections wait, a counter and one line in the log tell; then all is well again."""
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)], "threads": 1}, [plain_api("p", "back")])
    with gw.connect() as c:
        assert c.ask("GET", "/", "p.test").status == 200
        resource.prlimit(gw.worker, resource.RLIMIT_NOFILE, (64, 64))
        crowd = [Client(gw.port) for _ in range(80)]
        try:
            wait_until(lambda: "cannot be accepted" in gw.log(), 10, "a line in the log")
            for _ in range(20):
                assert c.ask("GET", "/", "p.test").status == 200
        finally:
            for x in crowd:
                x.close()
        wait_until(lambda: gw.ask("GET", "/", host="p.test").status == 200, 10, "a new connection")
    assert prom.parse(gw.metrics()).sum("sallyport_accept_failures_total") > 0
    assert gw.log().count("cannot be accepted") == 1


def test_drain_timeout(make):
    """A stop waits for what is going on, and no longer than timeouts.drain."""
    def slow(req):
        time.sleep(0.5 if req.target == "/soon" else 8)
        return peer.ok(req)
    back = make.backend(slow)
    gw = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"drain": "2s"}}, [plain_api("p", "back")])
    with gw.connect() as soon, gw.connect() as late:
        soon.send(request_bytes("GET", "/soon", "p.test"))
        late.send(request_bytes("GET", "/late", "p.test"))
        back.wait_requests(2)
        start = time.monotonic()
        gw.signal(15)
        got = soon.read()
        assert got.status == 200 and got.headers.one("connection") == "close"
        with pytest.raises(Closed):
            late.read()
        assert 1.9 < time.monotonic() - start < 6 * SLOW
    gw.stop()
