# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as a conversation: who speaks when, who stops first, and what the other side sees of it."""
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

import backend as peer
import prom
from client import Client
from confgen import plain_api, upstream
from gateway import CHAOS, free_port, rss_kb, sanitized
from wire import Closed, Timeout, WireError, chunk_bytes, request_bytes, response_bytes, wait_until

MB = 1 << 20
PROMPT = 6.0 if sanitized() else 1.5  # seconds in which an end on one side has to reach the other
LANES = 40


class Env:
    """A lane is a host with a backend of its own, for a conversation that the test spells out."""

    def __init__(self, gw, lanes):
        self.gw, self.lanes, self.used = gw, lanes, 0

    def lane(self, serve=None, **how):
        back = self.lanes[self.used]
        back.program(serve=serve, **how)
        self.used += 1
        return "lane%d.test" % (self.used - 1), back


@pytest.fixture(scope="module")
def env(shared):
    lanes = [shared.backend(rcvbuf=65536, sndbuf=65536) for _ in range(LANES)]
    ups = [upstream("lane%d" % k, b) for k, b in enumerate(lanes)] + [upstream("gone", "127.0.0.1:%d" % free_port())]
    apis = [plain_api("lane%d" % k, "lane%d" % k, "lane%d.test" % k) for k in range(LANES)] + [plain_api("gone", "gone", "gone.test")]
    apis.append(plain_api("refused", "lane0", "refused.test", **{"x-sallyport-plugins": {"respond": {"status": 403, "body": "no"}}}))
    gw = shared.gateway({"upstreams": ups, "threads": 1, "plugins": ["respond"], "limits": {"body": "1GB"}, "timeouts": {"half_closed": "1s"}}, apis)
    yield Env(gw, lanes)
    for b in lanes:  # one that waited in vain for another request is no matter
        assert not [e for e in b.errors if not isinstance(e, Timeout)], b.errors


def once(event, timeout=10.0):
    assert event.wait(timeout), "the test did not get there"


# Pipelining
def test_pipelined_answers_keep_their_order_whatever_each_takes(env):
    def serve(conn):
        while True:
            req = conn.read_request()
            if req.target in ("/0", "/3", "/7"):
                time.sleep(0.05)
            if req.method == "HEAD":
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            elif req.target == "/5":
                conn.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            else:
                conn.send(response_bytes(200, [], req.target.encode() + req.body, chunked=req.target in ("/1", "/6"), sizes=[1, 2]))
    host, _ = env.lane(serve)
    asked = [("HEAD" if k == 2 else "POST" if k % 3 == 0 else "GET", "/%d" % k) for k in range(10)]
    data = b"".join(request_bytes(m, t, host, body=b"-body" if m == "POST" else None, chunked=t == "/6") for m, t in asked)
    for seed in range(3):
        rnd = random.Random(seed)
        with env.gw.connect() as c:
            at = 0
            while at < len(data):
                n = rnd.choice([1, 7, 100, 1000])
                c.send(data[at:at + n])
                at += n
            for method, target in asked:
                got = c.read(method)
                want = b"" if method == "HEAD" or target == "/5" else target.encode() + (b"-body" if method == "POST" else b"")
                assert (got.status, got.body) == (304 if target == "/5" else 200, want)
            assert c.quiet(0.02)


def test_thousand_pipelined_requests_do_not_pile_up(env):
    """The client sends far more than it reads: the gateway stops reading, and goes on when answers are taken."""
    host, back = env.lane(handler=lambda r: response_bytes(200, [], r.target.encode() + b"x" * 2000))
    data = b"".join(request_bytes("GET", "/%d" % k, host, [("A", "b" * 500)]) for k in range(1000))
    before = rss_kb(env.gw.worker)
    with env.gw.connect(timeout=30) as c:
        t = threading.Thread(target=c.try_send, args=(data,))
        t.start()
        back.wait_requests(5)
        time.sleep(0.2)
        for k in range(1000):
            assert c.read().body.startswith(b"/%dx" % k)
        t.join()
    if not sanitized():
        assert rss_kb(env.gw.worker) - before < 8 * 1024


# Trailers
def test_trailers_both_ways(env):
    def serve(conn):
        while True:
            req = conn.read_request()
            conn.send(response_bytes(200, [("Trailer", "X-Sum"), ("X-Got", repr(list(req.trailers)))], b"answer", chunked=True, sizes=[2],
                                     trailers=[("X-Sum", "42"), ("X-Two", ""), ("Content-Length", "9"), ("Set-Cookie", "a=b")]))
    host, back = env.lane(serve)
    with env.gw.connect() as c:
        got = c.ask("POST", "/", host, [("TE", "trailers"), ("Trailer", "X-Req")], b"abc", chunked=True, sizes=[1],
                    trailers=[("X-Req", "1"), ("Host", "evil.test"), ("x-low", "2")])
        assert got.body == b"answer" and back.last.body == b"abc"
        if not CHAOS:  # a hook that holds the whole body takes the trailers' place away
            assert list(got.trailers) == [("X-Sum", "42"), ("X-Two", "")]
            assert list(back.last.trailers) == [("X-Req", "1"), ("x-low", "2")]
            assert back.last.headers.one("te") == "trailers"
        assert "x-req" not in back.last.headers and "x-sum" not in got.headers
        got = c.ask("GET", "/", host)  # who does not ask for trailers gets none
        assert got.body == b"answer" and not got.trailers and "te" not in back.last.headers


# Interim answers and Expect
def test_103_goes_on_at_once_with_its_headers(env):
    go = threading.Event()

    def serve(conn):
        while True:
            conn.read_request()
            conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n")
            once(go)
            conn.send(response_bytes(200, [], b"final"))
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        c.send(request_bytes("GET", "/", host))
        if not CHAOS:
            assert c.stream.line() == b"HTTP/1.1 103 Early Hints"
            fields = c.stream.fields()
            assert fields.one("link") == "</style.css>; rel=preload" and "x-hop" not in fields and "content-length" not in fields
        go.set()
        assert c.read().body == b"final"
    with env.gw.connect() as c:  # never to HTTP/1.0 (RFC 9110 15.2)
        got = c.ask("GET", "/", host, version="1.0")
        assert got.body == b"final" and got.infos == []


def expecting(host, n=5):
    return request_bytes("POST", "/", host, [("Expect", "100-continue"), ("Content-Length", n)])


def test_continue_is_said_when_the_backend_takes_the_body(env):
    seen, go = threading.Event(), threading.Event()

    def serve(conn):
        req = conn.read_head()
        assert "expect" not in req.headers
        seen.set()
        once(go)
        conn.stream.read_body(req)
        conn.send(response_bytes(200, [], req.body))
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        c.send(expecting(host))
        assert c.stream.line() == b"HTTP/1.1 100 Continue" and c.stream.line() == b""
        if not CHAOS:
            once(seen)
        go.set()
        c.send(b"12345")
        got = c.read()
        assert got.body == b"12345" and got.infos == []


def test_no_continue_before_a_refusal(env):
    if CHAOS:
        return  # a hook may want the body
    for host, status in (("gone.test", 503), ("refused.test", 403)):
        with env.gw.connect() as c:
            c.send(expecting(host))
            got = c.read()
            # a target that cannot be reached is known only behind the attempt: the client may have been asked for the body by then
            assert got.status == status and (got.infos == [] or host == "gone.test")


def test_final_answer_in_place_of_continue(env):
    """The backend answers from the head alone: that is what the client gets, body or not, and the connection stays in step."""
    host, _ = env.lane(serve=lambda conn: (conn.read_head(), conn.send(response_bytes(401, [("Connection", "close")], b"who?"))))
    with env.gw.connect() as c:
        c.send(expecting(host, 100000))
        got = c.read()
        assert got.status == 401 and got.body == b"who?"
        # whatever the client does now: half a body, then nothing. No smuggling.
        c.try_send(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert c.read().status == 0, "the body was taken for a request"
        except WireError:
            pass


def test_the_last_hop_of_options_and_trace(env):
    """Max-Forwards: 0 ends at the gateway (RFC 9110 7.6.2)."""
    host, back = env.lane(handler=peer.ok)
    with env.gw.connect() as c:
        got = c.ask("OPTIONS", "/x", host, [("Max-Forwards", "0")])
        assert got.status == 204 and got.body == b""
        assert c.ask("TRACE", "/x", host, [("Max-Forwards", "0")]).status == 501
        assert c.ask("GET", "/x", host).status == 200
    assert [r.method for r in back.requests] == ["GET"]


# Ends
def timed(event):
    start = time.monotonic()
    once(event)
    return time.monotonic() - start


@pytest.mark.parametrize("how", ["reset", "close in the request"])
@pytest.mark.parametrize("when", ["before the answer", "in the answer"])
def test_a_client_that_leaves_ends_the_call_at_once(env, how, when):
    came, gone = threading.Event(), threading.Event()

    def serve(conn):
        try:
            conn.read_head()
            if when == "in the answer":
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
            came.set()
            conn.drain()
        finally:
            gone.set()
    host, _ = env.lane(serve)
    if CHAOS and how != "reset":
        return  # a hook that waits for the whole body keeps the call from beginning
    c = env.gw.connect()
    if how == "reset":
        c.send(request_bytes("GET", "/", host))
    else:
        c.send(request_bytes("POST", "/", host, [("Content-Length", "10000")]) + b"x" * 5000)
    once(came)
    if when == "in the answer" and how == "reset":
        c.read_head()
    if how == "reset":
        c.reset()
    else:
        c.close()
    assert timed(gone) < PROMPT


def test_a_client_that_closes_behind_its_request_ends_an_endless_answer(env):
    gone = threading.Event()

    def serve(conn):
        try:
            conn.read_request()
            conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                conn.send(chunk_bytes(b"x" * 60000))
        except OSError:
            gone.set()
    host, _ = env.lane(serve)
    c = env.gw.connect()
    c.send(request_bytes("GET", "/", host))
    c.read_head()
    c.close()
    assert timed(gone) < PROMPT


def test_a_client_that_closes_behind_its_request_ends_the_call(env):
    """It might still be reading, so it is given timeouts.half_closed, and no more."""
    came, gone = threading.Event(), threading.Event()

    def serve(conn):
        try:
            conn.read_request()
            came.set()
            conn.drain()
        finally:
            gone.set()
    host, _ = env.lane(serve)
    c = env.gw.connect()
    c.send(request_bytes("GET", "/", host))
    once(came)
    c.close()
    assert not gone.wait(0.2)
    assert timed(gone) < 1 + PROMPT


def test_a_half_closed_client_gets_all_of_a_long_answer(env):
    body = random.Random(1).randbytes(8 * MB)
    host, _ = env.lane(handler=lambda r: response_bytes(200, [], body))
    with Client(env.gw.port, rcvbuf=32768) as c:
        c.send(request_bytes("POST", "/", host, body=b"all"))
        c.finish()
        time.sleep(0.1)
        assert c.read().body == body and c.closed()
    with env.gw.connect() as c:  # pipelined ones, too
        c.send(request_bytes("GET", "/1", host) + request_bytes("GET", "/2", host))
        c.finish()
        assert c.read().length == len(body) and c.read().length == len(body) and c.closed()


def test_a_half_closed_backend_still_gets_the_body(env):
    """It has answered and shut its side, and still reads: the answer is whole, nothing is cut."""
    import socket
    took = {}

    def serve(conn):
        req = conn.read_head()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        conn.sock.shutdown(socket.SHUT_WR)
        try:
            conn.stream.read_body(req)
        except WireError:
            pass
        took["n"] = req.length
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", host, [("Content-Length", "20000")]) + b"x" * 100)
        got = c.read()
        assert (got.status, got.body) == (200, b"ok")


def test_an_early_answer_reaches_a_client_that_goes_on_sending(env):
    """A backend that refuses an upload: the client hears it while it sends, and the connection is closed or in step behind it."""
    host, _ = env.lane(serve=lambda conn: (conn.read_head(), conn.send(response_bytes(413, [("Connection", "close")], b"too much"))))
    with env.gw.connect(timeout=20) as c:
        c.send(request_bytes("PUT", "/", host, [("Content-Length", 50 * MB)]))
        sent, result = 0, {}

        def read():
            result["got"] = c.read()
        t = threading.Thread(target=read)
        t.start()
        while sent < 50 * MB and t.is_alive():
            if not c.try_send(b"x" * 65536):
                break
            sent += 65536
        t.join(20)
        assert result["got"].status == 413 and result["got"].body == b"too much"
        assert sent < 50 * MB


def test_answer_and_request_flow_at_the_same_time(env):
    """A backend that answers what it has read so far, and a client that sends on only when it has read that."""
    def serve(conn):
        req = conn.stream.read_request_head()
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        conn.stream.read_body(req, lambda part: conn.send(chunk_bytes(part)))
        conn.send(b"0\r\n\r\n")
    host, _ = env.lane(serve)
    if CHAOS:
        return  # a hook that collects bodies ends the dialogue
    with env.gw.connect() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: " + host.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert c.read_head().framing == "chunked"
        for k in range(20):
            word = b"ping %d" % k
            c.send(chunk_bytes(word))
            got = b""
            while got != word:
                parts = []
                c.stream.exact(int(c.stream.line(), 16), parts.append)
                assert c.stream.line() == b""  # the chunk is whole at once: its end does not wait for the next one
                got += b"".join(parts)
        c.send(b"0\r\n\r\n")
        assert c.stream.line() == b"0" and c.stream.line() == b""


@pytest.mark.parametrize("where,status", [("before", 502), ("line", 502), ("head", 502), ("body", None)])
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_backend_that_breaks_off(env, where, status, how):
    parts = {"before": b"", "line": b"HTTP/1.1 2", "head": b"HTTP/1.1 200 OK\r\nContent-", "body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}

    def serve(conn):
        conn.read_request()
        conn.send(parts[where])
        time.sleep(0.05)
        getattr(conn, how)()
    host, _ = env.lane(serve)
    with env.gw.connect() as c:
        c.send(request_bytes("POST", "/", host, body=b"x"))  # not to be repeated
        if status:
            assert c.read().status == status
        else:
            with pytest.raises(WireError):
                got = c.read()
                assert got.status == 502
                raise Closed("held back by a hook")


def test_a_backend_that_dribbles(env):
    body = bytes(range(256))
    host, _ = env.lane(serve=lambda conn: [conn.read_request(), peer.pieces(response_bytes(
        200, [("X-A", "b")], body, chunked=True, sizes=[7, 1], trailers=[("X-T", "1")]), 1)(conn)])
    with env.gw.connect() as c:
        got = c.ask("GET", "/", host, [("TE", "trailers")])
        assert got.body == body and got.headers.one("x-a") == "b"


def test_memory_with_everyone_slow_at_once(env):
    """Clients that read slowly, clients that send slowly, backends that do: 60 bodies of 4 MB are under way, little is held."""
    if sanitized() or CHAOS:
        return
    go = threading.Event()
    body = b"z" * (4 * MB)

    def serve(conn):
        while True:
            req = conn.stream.read_request_head()
            if req.method == "POST":
                once(go, 30)
                conn.stream.read_body(req)
                conn.send(response_bytes(200, [], b"%d" % req.length))
            else:
                conn.send(response_bytes(200, [], body))
    host, _ = env.lane(serve)
    before, done = rss_kb(env.gw.worker), []

    def get():
        with Client(env.gw.port, rcvbuf=8192, timeout=60) as c:
            c.send(request_bytes("GET", "/", host))
            once(go, 30)
            done.append(c.read().length == len(body))

    def post():
        with Client(env.gw.port, sndbuf=8192, timeout=60) as c:
            c.send(request_bytes("POST", "/", host, body=body))
            done.append(c.read().body == b"%d" % len(body))
    threads = [threading.Thread(target=f) for f in [get] * 30 + [post] * 30]
    for t in threads:
        t.start()
    time.sleep(1.0)  # all that may flow has flown
    grown = rss_kb(env.gw.worker) - before
    go.set()
    for t in threads:
        t.join()
    assert done == [True] * 60
    assert grown < 60 * 1024, "%d KB for 240 MB under way" % grown  # bounded by water marks, not by bodies


# Real programs
def tool(name):
    path = shutil.which(name) or next((p for p in ("/usr/sbin/" + name,) if os.path.exists(p)), None)
    if not path:
        pytest.skip(name + " is not installed")
    return path


@pytest.fixture(scope="module")
def nginx(shared):
    """nginx in front of some files."""
    path, root, port = tool("nginx"), shared.factory.mktemp("nginx"), free_port()
    (root / "files").mkdir()
    (root / "files" / "small").write_bytes(b"small file\n")
    (root / "files" / "large").write_bytes(random.Random(3).randbytes(3 * MB))
    os.chmod(str(root), 0o755)
    conf = root / "nginx.conf"
    conf.write_text("""daemon off; master_process off; worker_processes 1; pid %(r)s/pid; error_log %(r)s/error.log;
events { worker_connections 256; }
http { access_log off; client_body_temp_path %(r)s/body; proxy_temp_path %(r)s/p; fastcgi_temp_path %(r)s/f; uwsgi_temp_path %(r)s/u;
scgi_temp_path %(r)s/s; client_max_body_size 100m;
server { listen 127.0.0.1:%(p)d; root %(r)s/files;
location = /seen { return 200 "$remote_addr|$http_x_forwarded_for|$http_host|$request_method|$http_via"; }
location /put/ { dav_methods PUT DELETE; create_full_put_path on; } } }
""" % {"r": root, "p": port})
    proc = subprocess.Popen([path, "-p", str(root), "-c", str(conf)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up():
        try:
            Client(port).close()
            return True
        except OSError:
            return proc.poll() is not None
    wait_until(up, what="nginx")
    assert proc.poll() is None, (root / "error.log").read_text()
    gw = shared.gateway({"upstreams": [upstream("nginx", "127.0.0.1:%d" % port)], "limits": {"body": "50MB"}, "forwarded": {"via": "edge"}},
                        [plain_api("n", "nginx")])
    yield gw, root
    proc.terminate()
    proc.wait(10)


def curl(gw, path, *args):
    out = subprocess.run([tool("curl"), "-sS", "--max-time", "20", "-H", "Host: any.test", *args, "http://127.0.0.1:%d%s" % (gw.port, path)],
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_nginx_behind_and_curl_before(nginx, tmp_path):
    gw, root = nginx
    large = (root / "files" / "large").read_bytes()
    assert curl(gw, "/small") == b"small file\n"
    assert curl(gw, "/large") == large
    assert curl(gw, "/large", "-r", "100-299") == large[100:300]
    assert curl(gw, "/large", "--http1.0") == large
    assert curl(gw, "/nothing", "-o", "/dev/null", "-w", "%{http_code}") == b"404"
    head = curl(gw, "/large", "-I").decode().lower()
    assert "http/1.1 200" in head and "content-length: %d" % len(large) in head
    etag = [h.split(": ", 1)[1].strip() for h in head.split("\n") if h.startswith("etag")][0]
    assert curl(gw, "/large", "-H", "If-None-Match: " + etag, "-w", "%{http_code}") == b"304"
    assert curl(gw, "/seen") == b"127.0.0.1|127.0.0.1|any.test|GET|1.1 edge"
    up = tmp_path / "up"
    up.write_bytes(large)
    # curl says Expect: 100-continue for large bodies, and chunked when it reads from a pipe
    assert curl(gw, "/put/a", "-T", str(up), "-w", "%{http_code}") in (b"201", b"204")
    assert (root / "files" / "put" / "a").read_bytes() == large
    assert curl(gw, "/put/b", "-T", str(up), "-H", "Transfer-Encoding: chunked", "-w", "%{http_code}") in (b"201", b"204")
    assert (root / "files" / "put" / "b").read_bytes() == large
    assert curl(gw, "/put/a", "-X", "DELETE", "-w", "%{http_code}") == b"204"
    # keep-alive on curl's side: three requests, one connection
    url = "http://127.0.0.1:%d/small" % gw.port
    assert curl(gw, "/small", url, url, "-w", "%{num_connects}").replace(b"small file\n", b"") in (b"100", b"010", b"001")


SLOW = {"headers": ["-H", "-i", "1", "-x", "10"], "body": ["-B", "-i", "2", "-s", "8192"],
        "read": ["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "5", "-k", "3"]}


@pytest.mark.long
@pytest.mark.parametrize("mode,counter", [("headers", "header"), ("body", "body"), ("read", "write")])
def test_slowhttptest(make, mode, counter):
    """300 attackers; a normal client is answered all the while, and the attackers are thrown out and counted."""
    path = tool("slowhttptest")
    small, big = response_bytes(200, [], b"ok"), response_bytes(200, [], b"x" * (2 * MB))
    back = make.backend(lambda r: big if r.target == "/big" else small)
    gw = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"header": "3s", "body": "1s", "write": "1s", "idle": "3s"}},
                      [plain_api("p", "back")])
    proc = subprocess.Popen([path, "-c", "300", "-r", "150", "-l", "12", "-p", "3", "-u", "http://127.0.0.1:%d/big" % gw.port, *SLOW[mode]],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, TERM="dumb"))
    try:
        worst, end = 0.0, time.monotonic() + 10
        while time.monotonic() < end:
            start = time.monotonic()
            assert gw.ask("GET", "/small").status == 200
            worst = max(worst, time.monotonic() - start)
            time.sleep(0.05)
        assert worst < 2.0 * (4 if sanitized() else 1), "a normal client waited %gs" % worst
        out = proc.communicate(timeout=30)[0].decode(errors="replace")
    finally:
        if proc.poll() is None:
            proc.kill()
            proc.wait(10)
    assert "service available:   YES" in " ".join(out.split("\x1b[0m")) or "YES" in out, out[-2000:]
    assert prom.parse(gw.metrics()).sum("sallyport_client_timeouts_total", timeout=counter) > 50
