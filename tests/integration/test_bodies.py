# SPDX-License-Identifier: Apache-2.0
"""Bodies both ways: every framing, sizes to 20 MB, slow readers and slow writers, trailers, bounded memory, cut bodies."""
import hashlib
import random
import threading
import time

import pytest

import backend as peer
from client import Client
from confgen import plain_api, upstream
from gateway import CHAOS, rss_kb, sanitized
from wire import Closed, WireError, chunk_bytes, request_bytes, response_bytes, wait_until

MB = 1 << 20
BIG = 20 * MB


def kernel_buffers():
    """What the kernel may hold of one connection on its own, by its settings."""
    total = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open("/proc/sys/net/ipv4/" + name, encoding="ascii") as f:
            total += int(f.read().split()[2])
    return total


HUGE = max(BIG, 2 * kernel_buffers())  # a stuck receiver is felt by the sender
SLACK_KB = 12 * 1024  # what the worker may grow by while 20 MB are on their way


def pattern(n, seed=1):
    return random.Random(seed).randbytes(n)


def sha(data):
    return hashlib.sha256(data).hexdigest()


LANES = 24


class Env:
    """Lanes: hosts with a backend of their own (small socket buffers), for conversations that a test spells out."""

    def __init__(self, gw, back, lanes):
        self.gw, self.back, self.lanes = gw, back, lanes
        self.worker = gw.worker
        self.used = 0

    def lane(self, serve):
        back = self.lanes[self.used]
        back.program(serve=serve)
        self.used += 1
        return "lane%d.test" % (self.used - 1), back


@pytest.fixture(scope="module")
def running(shared):
    back = shared.backend(peer.echo)
    lanes = [shared.backend(rcvbuf=65536, sndbuf=65536) for _ in range(LANES)]
    ups = [upstream("back", back)] + [upstream("lane%d" % k, b) for k, b in enumerate(lanes)]
    apis = [plain_api("p", "back")] + [plain_api("lane%d" % k, "lane%d" % k, "lane%d.test" % k) for k in range(LANES)]
    gw = shared.gateway({"upstreams": ups, "threads": 1, "limits": {"body": "256MB"}}, apis)
    yield Env(gw, back, lanes)
    back.check()


@pytest.fixture
def env(running):
    running.back.program(peer.echo)
    running.back.forget()
    return running


SIZES = [0, 1, 2, 1000, 4096, 16384, 32767, 32768, 32769, 65536, 100000, MB]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True])
def test_request_bodies(env, size, chunked):
    body = pattern(size)
    with env.gw.connect() as c:
        for _ in range(2):
            got = c.ask("POST", "/", body=body, chunked=chunked, sizes=[7000, 1, 33000])
            assert got.status == 200
            came = env.back.last
            assert (came.length, sha(came.body)) == (size, sha(body))
            if not chunked and not CHAOS:
                assert came.headers.one("content-length") == str(size) and came.framing == "length"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True])
def test_answer_bodies(env, size, chunked):
    body = pattern(size)
    env.back.program(lambda r: response_bytes(200, [], body, chunked=chunked, sizes=[7000, 1, 33000]))
    with env.gw.connect() as c:
        for _ in range(2):
            got = c.ask()
            assert got.status == 200 and (got.length, sha(got.body)) == (size, sha(body))
            if not chunked and not CHAOS:
                assert got.framing == "length"
            if chunked and not CHAOS:
                assert got.framing == "chunked" or size == 0


def test_answer_body_to_the_end_of_the_connection(env):
    body = pattern(300000)
    env.back.program(lambda r: (response_bytes(200, [("X-A", "1")], body, length=False),))
    with env.gw.connect() as c:
        for _ in range(2):
            got = c.ask()
            assert got.status == 200 and got.body == body and got.framing == "chunked"


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_bodies_of_methods_that_seldom_have_one(env, method):
    assert env.gw.ask(method, body=b"unusual").status == 200
    assert env.back.last.body == b"unusual"


def test_no_body_is_no_framing(env):
    env.gw.ask("GET")
    assert env.back.last.framing == "none"
    env.gw.ask("POST", headers=[("Content-Length", "0")])
    assert env.back.last.length == 0


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(env, status):
    env.back.program(lambda r: response_bytes(status, [("X-A", "1"), ("ETag", '"e"')]))
    with env.gw.connect() as c:
        for _ in range(3):
            got = c.ask()
            assert got.status == status and got.headers.one("etag") == '"e"'
            assert "transfer-encoding" not in got.headers
            if status == 204:
                assert "content-length" not in got.headers


def test_304_may_tell_the_length_that_200_would_have(env):
    env.back.program(lambda r: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n")
    with env.gw.connect() as c:
        assert c.ask().status == 304
        assert c.ask().status == 304


def test_head_answers_keep_their_length_and_have_no_body(env):
    env.back.program(lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
                     if r.method == "HEAD" else response_bytes(200, body=b"x"))
    with env.gw.connect() as c:
        got = c.ask("HEAD")
        assert got.status == 200
        if not CHAOS:
            assert got.headers.one("content-length") == "5000"
        assert c.ask("GET").body == b"x"


def test_head_answer_that_says_chunked(env):
    env.back.program(lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with env.gw.connect() as c:
        assert c.ask("HEAD").status == 200
        assert c.ask("HEAD").status == 200


def test_request_trailers(env):
    with env.gw.connect() as c:
        c.ask("POST", headers=[("Trailer", "X-Sum")], body=b"abc", chunked=True, trailers=[("X-Sum", "42")])
        assert env.back.last.body == b"abc"
        assert list(env.back.last.trailers) in ([], [("X-Sum", "42")])  # may be dropped (RFC 9110 6.5.1), never merged
        assert "x-sum" not in env.back.last.headers
        assert c.ask().status == 200


def test_answer_trailers(env):
    env.back.program(lambda r: response_bytes(200, body=b"abc", chunked=True, trailers=[("X-Sum", "42")]))
    with env.gw.connect() as c:
        for _ in range(2):
            got = c.ask()
            assert got.body == b"abc" and "x-sum" not in got.headers
            assert list(got.trailers) in ([], [("X-Sum", "42")])


@pytest.mark.parametrize("seed", range(6))
def test_random_segmentation_both_ways(env, seed):
    rnd = random.Random(seed)
    body = pattern(rnd.randrange(1, 200000), seed)

    def cut(data, send):
        at = 0
        while at < len(data):
            n = rnd.choice([1, 2, 17, 1000, 4096, 40000])
            send(data[at:at + n])
            at += n

    def serve(conn):
        while True:
            req = conn.read_request()
            cut(response_bytes(200, [("X-Sha", sha(req.body))], req.body, chunked=seed % 2 == 0, sizes=[1, 500, 60000]), conn.send)
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        for _ in range(3):
            cut(request_bytes("POST", "/", host, body=body, chunked=seed % 3 == 0, sizes=[3, 9000]), c.send)
            got = c.read()
            assert got.status == 200 and got.headers.one("x-sha") == sha(body) and got.body == body


class Progress:
    """Bytes that went, and whether they still do."""

    def __init__(self):
        self.n = 0

    def stalled(self, seconds=0.4):
        last, since, end = self.n, time.monotonic(), time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.02)
            if self.n != last:
                last, since = self.n, time.monotonic()
            elif time.monotonic() - since >= seconds:
                return self.n
        raise AssertionError("never stalled; %d bytes went" % self.n)


def grown(env, before):
    return rss_kb(env.worker) - before


def check_growth(env, before):
    if not sanitized():
        assert grown(env, before) < SLACK_KB, "the worker grew by %d KB" % grown(env, before)


@pytest.mark.parametrize("chunked", [False, True])
def test_slow_reader_holds_the_backend_back(env, chunked):
    body, sent = pattern(HUGE), Progress()
    head = b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % HUGE)

    def serve(conn):
        conn.read_request()
        conn.send(head)
        for at in range(0, HUGE, 65536):
            part = body[at:at + 65536]
            conn.send(chunk_bytes(part) if chunked else part)
            sent.n += len(part)
        if chunked:
            conn.send(b"0\r\n\r\n")
        conn.drain()
    host, _ = env.lane(serve)
    with Client(env.gw.port, rcvbuf=65536) as c:
        before = rss_kb(env.worker)
        c.send(request_bytes("GET", "/", host))
        got = c.read_head()
        assert sent.stalled() < HUGE * 0.7
        check_growth(env, before)
        digest = hashlib.sha256()
        c.stream.read_body(got, digest.update)
        assert got.length == HUGE and digest.hexdigest() == sha(body)
        check_growth(env, before)


@pytest.mark.parametrize("chunked", [False, True])
def test_slow_backend_holds_the_sender_back(env, chunked):
    body, go, result = pattern(HUGE), threading.Event(), {}

    def serve(conn):
        req = conn.stream.read_request_head()
        go.wait(60)
        digest = hashlib.sha256()
        conn.stream.read_body(req, digest.update)
        result["sha"], result["n"] = digest.hexdigest(), req.length
        conn.send(response_bytes(200, body=b"got it"))
        conn.drain()
    sent = Progress()
    host, _ = env.lane(serve)
    with Client(env.gw.port, sndbuf=65536, timeout=30) as c:
        before = rss_kb(env.worker)

        def pump():
            c.send(b"POST / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n"
                   + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % HUGE))
            for at in range(0, HUGE, 65536):
                part = body[at:at + 65536]
                c.send(chunk_bytes(part) if chunked else part)
                sent.n += len(part)
            if chunked:
                c.send(b"0\r\n\r\n")
        t = threading.Thread(target=pump)
        t.start()
        assert sent.stalled() < HUGE * 0.7
        check_growth(env, before)
        go.set()
        got = c.read()
        t.join()
        assert got.body == b"got it" and result == {"sha": sha(body), "n": HUGE}
        check_growth(env, before)


def test_20_mb_both_ways_at_once(env):
    body = pattern(BIG)

    def serve(conn):
        while True:
            req = conn.stream.read_request_head()
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            conn.stream.read_body(req, lambda part: conn.send(chunk_bytes(part)))
            conn.send(b"0\r\n\r\n")
    host, _ = env.lane(serve)
    before = rss_kb(env.worker)
    with env.gw.connect(timeout=30) as c:
        t = threading.Thread(target=lambda: c.send(request_bytes("POST", "/", host, body=body)))
        t.start()
        digest = hashlib.sha256()
        got = c.read_head()
        c.stream.read_body(got, digest.update)
        t.join()
        assert got.length == BIG and digest.hexdigest() == sha(body)
    check_growth(env, before)


def test_answer_before_the_request_body_is_whole(env):
    """A backend that answers early is heard; the connection stays usable or is closed cleanly."""
    def serve(conn):
        conn.read_head()
        conn.send(response_bytes(403, [("Connection", "close")], b"no"))
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", host, headers=[("Content-Length", "1000000")]) + b"x" * 1000)
        got = c.read()
        assert got.status == 403 and got.body == b"no"


def test_client_that_leaves_in_mid_answer_ends_the_call(env):
    done = threading.Event()

    def serve(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * 100000)
        try:
            conn.drain()
        finally:
            done.set()
    host, _ = env.lane(serve)
    c = env.gw.connect()
    c.send(request_bytes("GET", "/", host))
    assert c.read_head().status == 200
    c.reset()
    assert done.wait(10), "the backend's connection is still open"


def test_client_that_leaves_in_mid_request_ends_the_call(env):
    done, began = threading.Event(), threading.Event()

    def serve(conn):
        conn.read_head()
        began.set()
        conn.drain()
        done.set()
    host, back = env.lane(serve)
    c = env.gw.connect()
    c.send(request_bytes("POST", "/", host, headers=[("Content-Length", "100000")]) + b"x" * 50000)
    if CHAOS:  # a buffering hook may hold the head back until the body is whole
        c.reset()
        return
    assert began.wait(10)
    c.reset()
    assert done.wait(10), "the backend's connection is still open"
    assert len(back.requests) == 1


@pytest.mark.parametrize("tail", [b"5\r\nabc", b"5\r\nabcde", b"5\r\nabcde\r\n", b"5\r\nabcde\r\n0\r\n", b"5\r\nabcdeXX", b"zz\r\n"])
def test_chunked_answer_that_breaks_is_cut(env, tail):
    env.back.program(lambda r: (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + tail,))
    with env.gw.connect() as c:
        c.send(request_bytes())
        try:
            got = c.read()
        except Closed:
            return  # cut behind the head
        assert got.status == 502, got  # the head had not left yet


def test_memory_does_not_creep(env):
    body = pattern(200000)
    with env.gw.connect() as c:
        for _ in range(20):
            c.ask("POST", "/", body=body)
        before = rss_kb(env.worker)
        for _ in range(150):
            assert c.ask("POST", "/", body=body).status == 200
    if not sanitized():
        assert grown(env, before) < 4096


@pytest.mark.long
def test_many_big_bodies_at_once(env):
    body, failed = pattern(BIG), []
    want = sha(body)
    env.back.program(lambda r: response_bytes(200, [("X-Sha", sha(r.body))], r.body, chunked=True, sizes=[60000]))
    before = rss_kb(env.worker)

    def one(k):
        try:
            with env.gw.connect(timeout=120) as c:
                t = threading.Thread(target=c.send, args=(request_bytes("POST", "/%d" % k, body=body),))
                t.start()
                digest = hashlib.sha256()
                got = c.read(sink=digest.update)
                t.join()
                assert got.headers.one("x-sha") == want == digest.hexdigest()
        except (AssertionError, WireError, OSError) as e:
            failed.append(e)
    threads = [threading.Thread(target=one, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    if not sanitized():
        assert grown(env, before) < 8 * SLACK_KB


def test_idle_connections_hold_no_buffers(env):
    if sanitized():
        pytest.skip("memory figures mean nothing in a sanitizer build")
    n = 400
    clients = []
    try:
        with env.gw.connect() as c:
            c.ask()
        before = rss_kb(env.worker)
        for _ in range(n):
            c = env.gw.connect()
            clients.append(c)
            assert c.ask("POST", "/", body=b"x" * 10000).status == 200
        wait_until(lambda: grown(env, before) < n * 4, 5, "under 4 KB per idle connection; grew by %d KB" % grown(env, before))
    finally:
        for c in clients:
            c.close()
