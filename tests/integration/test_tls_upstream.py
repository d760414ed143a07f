# SPDX-License-Identifier: Apache-2.0
"""TLS to backends: verification and each of its failures, SNI, client certificates, resumption, peers that misbehave."""
import hashlib
import json
import os
import shutil
import threading
import time

import pytest

import backend as peer
import prom
from confgen import doc_api, operation, plain_api, upstream
from gateway import SLOW, free_port, rss_kb, sanitized
from tlskit import Authority, TlsClient, client_context, server_context
from wire import Closed, response_bytes

BIG = 20 << 20


def speak_http(conn):
    conn.sock.recv(10)
    conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    conn.drain()


class Env:
    def __init__(self, shared, folder):
        self.ca, self.other = Authority(folder / "ca"), Authority(folder / "other", "Other CA")
        ca = self.ca
        self.good = ca.cert("localhost", "DNS:localhost,IP:127.0.0.1")
        self.client = ca.cert("gateway")
        self.names = []
        ctx = server_context(self.good)
        ctx.sni_callback = lambda s, name, c: self.names.append(name)
        self.back = shared.backend(peer.echo, tls=ctx)
        self.shared = shared
        self.ups, self.apis, self.lanes = [], [], 0
        self.gw = None

    def add(self, target, tls, **more):
        """An upstream and an API of its own; the API's host."""
        name = "u%d" % self.lanes
        self.lanes += 1
        self.ups.append(upstream(name, target, tls=tls, **more))
        self.apis.append(plain_api(name, name, name + ".test"))
        return name + ".test"

    def start(self):
        self.gw = self.shared.gateway({"upstreams": self.ups, "timeouts": {"integration": "5s"}, "log": {"level": "debug"}},
                                      self.apis, env={"SSL_CERT_FILE": self.ca.pem})

    def local(self, backend):
        return "localhost:%d" % backend.port

    def metrics(self):
        return prom.parse(self.gw.metrics())


@pytest.fixture(scope="module")
def env(shared, tmp_path_factory):
    e = Env(shared, tmp_path_factory.mktemp("tls"))
    ca, trust = e.ca, {"ca": e.ca.pem}

    def back(pair, **how):
        return shared.backend(peer.ok, tls=server_context(pair, **how))
    e.expired, e.selfsigned = back(ca.cert("localhost", days=-1)), back(ca.cert("localhost", self_signed=True))
    e.misnamed, e.unknown = back(ca.cert("elsewhere.test")), back(e.other.cert("localhost"))
    e.asking, e.newer = back(e.good, client_ca=ca), back(e.good, version="1.3")
    e.older, e.plain = back(e.good, version="1.2"), shared.backend(serve=speak_http)
    e.host = {
        "good": e.add(e.local(e.back), trust), "ip": e.add(e.back.target, trust),
        "system": e.add(e.local(e.back), {}), "named": e.add(e.misnamed.target, dict(trust, server_name="elsewhere.test")),
        "expired": e.add(e.local(e.expired), trust), "selfsigned": e.add(e.local(e.selfsigned), trust),
        "misnamed": e.add(e.local(e.misnamed), trust), "misnamed-ip": e.add(e.misnamed.target, trust),
        "unknown": e.add(e.local(e.unknown), trust), "pinned": e.add(e.local(e.unknown), {"ca": e.other.pem}),
        "blind": e.add(e.local(e.expired), {"verify": False}),
        "no-cert": e.add(e.local(e.asking), trust), "cert": e.add(e.local(e.asking), dict(trust, certificate=e.client.conf)),
        "wrong-cert": e.add(e.local(e.asking), dict(trust, certificate=e.other.cert("gateway").conf)),
        "1.3": e.add(e.local(e.newer), dict(trust, min_version="1.3")), "1.2": e.add(e.local(e.older), trust),
        "too-old": e.add(e.local(e.older), dict(trust, min_version="1.3")),
        "plain": e.add(e.local(e.plain), trust),
    }
    e.start()
    return e


@pytest.mark.parametrize("lane", ["good", "ip", "system", "named", "pinned", "blind", "cert", "1.2", "1.3"])
def test_accepted(env, lane):
    for _ in range(2):
        got = env.gw.ask("POST", "/x", host=env.host[lane], body=b"hello")
        assert got.status == 200, got
    env.back.check()


@pytest.mark.parametrize("lane,why", [
    ("expired", "the certificate has expired"), ("selfsigned", "self-signed"), ("misnamed", "for another name"),
    ("misnamed-ip", "for another name"), ("unknown", "unknown authority"), ("no-cert", "tlsv13 alert certificate required"),
    ("wrong-cert", "tlsv1 alert unknown ca"), ("too-old", "tlsv1 alert protocol version"), ("plain", "wrong version number")])
def test_refused(env, lane, why):
    """Nothing of the request reaches who is not believed; the answer is that of a failed integration, the log names the cause."""
    before = env.metrics().sum("sallyport_tls_failed_handshakes_total", side="upstream")
    got = env.gw.ask("POST", "/secret", host=env.host[lane], body=b"secret")
    assert got.status == 502, got
    assert env.gw.ask("GET", "/secret", host=env.host[lane]).status == 502
    env.gw.wait_log(why)
    for b in (env.expired, env.selfsigned, env.misnamed, env.unknown, env.plain):
        assert not any(r.target == "/secret" for r in b.requests)
    if lane not in ("no-cert", "wrong-cert"):  # with TLS 1.3 those handshakes had gone through
        assert env.metrics().sum("sallyport_tls_failed_handshakes_total", side="upstream") >= before + 2


def test_server_names(env):
    """SNI is the target's name; addresses are not sent."""
    seen = {}
    for lane in ("good", "ip"):
        env.names.clear()
        for _ in range(3):
            env.gw.ask("GET", "/", host=env.host[lane], headers=[("Connection", "close")])
        seen[lane] = set(env.names)
    assert seen["good"] <= {"localhost"} and seen["ip"] <= {None}


def test_sni_and_resumption(make, env):
    """A new connection to the same target resumes; SNI goes with each."""
    for version in ("1.2", "1.3"):
        ctx, names, reused = server_context(env.good, version=version), [], []
        ctx.sni_callback = lambda s, name, c, to=names: to.append(name)

        def serve(conn, to=reused):
            to.append(conn.sock.session_reused)
            while True:
                conn.read_request()
                conn.send(response_bytes(200, [("Connection", "close")], b"ok"))
                conn.bye()
                return
        back = make.backend(serve=serve, tls=ctx)
        gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})], "threads": 1},
                          [plain_api("p", "up")])
        for _ in range(4):
            assert gw.ask("GET", "/").body == b"ok"
        assert names == ["localhost"] * 4
        assert reused == [False, True, True, True], version
        m = prom.parse(gw.metrics())
        assert m.value("sallyport_tls_resumed_total", side="upstream") == 3
        assert m.value("sallyport_tls_handshakes_total", side="upstream", version=version) == 4


def test_what_is_not_verified_resumes_too(make, env):
    def serve(conn):
        conn.read_request()
        conn.send(response_bytes(200, [("Connection", "close")], b"ok"))
        conn.bye()
    back = make.backend(serve=serve, tls=server_context(env.ca.cert("localhost", days=-1)))
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"verify": False})], "threads": 1},
                      [plain_api("p", "up")])
    for _ in range(3):
        assert gw.ask("GET", "/").body == b"ok"
    assert prom.parse(gw.metrics()).value("sallyport_tls_resumed_total", side="upstream") == 2


def test_kept_connections_are_used_again(make, env):
    back = make.backend(tls=server_context(env.good))
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})], "threads": 1},
                      [plain_api("p", "up")])
    with gw.connect() as c:
        for _ in range(20):
            assert c.ask("POST", "/", body=b"x" * 1000).status == 200
    assert back.accepted == 1


def test_integrations_with_https(make, env):
    """Implicit upstreams are verified against the system's authorities; each kind of API has its own status."""
    bad = env.misnamed
    paths = {"/good": {"get": operation("https://localhost:%d/got" % env.back.port)},
             "/bad": {"get": operation("https://localhost:%d/got" % bad.port)}}
    gw = make.gateway({}, [doc_api("r", paths, "REST", "r.test", map_stage="prod"), doc_api("h", paths, "HTTP", "h.test")],
                      env={"SSL_CERT_FILE": env.ca.pem})
    for host, status in (("r.test", 504), ("h.test", 503)):
        got = gw.ask("GET", "/good", host=host)
        assert got.status == 200 and json.loads(got.body)["target"] == "/got"
        assert dict(json.loads(got.body)["headers"])["Host"] == "localhost:%d" % env.back.port
        assert gw.ask("GET", "/bad", host=host).status == status
    out = gw.json("explain", "GET", "http://r.test/good")["explain"]
    assert out["upstream"]["id"] == "https://localhost:%d" % env.back.port


@pytest.mark.nochaos
def test_a_vpc_link_keeps_what_its_uri_says(make, env):
    """https in the URI and an upstream without TLS: refused, never sent in the clear."""
    call = operation("https://api.internal/got")
    call["x-amazon-apigateway-integration"].update(connectionType="VPC_LINK", connectionId="link")
    api = doc_api("r", {"/x": {"get": call}}, "REST", "r.test", map_stage="prod")
    conf = {"vpc_links": {"link": "up"}, "upstreams": [upstream("up", env.local(env.back))]}
    gw = make.gateway(conf, [api], start=False)
    done = gw.command("check")
    assert done.returncode == 1 and "the VPC link's upstream `up` speaks no TLS" in done.stderr, done
    conf["upstreams"][0]["tls"] = {"ca": env.ca.pem}
    gw.start()
    seen = json.loads(gw.ask("GET", "/x", host="r.test").body)
    assert seen["target"] == "/got" and dict(seen["headers"])["Host"] == "api.internal"


@pytest.mark.parametrize("stall", ["nothing", "half"])
def test_the_connect_timeout_covers_the_handshake(make, env, stall):
    def serve(conn):
        if stall == "half":
            conn.sock.recv(100)
            conn.send(b"\x16\x03\x03\x00\x7a\x02\x00")
        conn.drain()
    back = make.backend(serve=serve)
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem}, timeouts={"connect": "500ms"})]},
                      [plain_api("p", "up")])
    begun = time.monotonic()
    assert gw.ask("GET", "/").status == 503  # as a connect that takes too long
    assert 0.4 < time.monotonic() - begun < 4 * SLOW
    m = prom.parse(gw.metrics())
    assert m.value("sallyport_tls_failed_handshakes_total", side="upstream", cause="timeout") == 1


@pytest.mark.parametrize("how", ["close", "garbage", "reset"])
def test_a_target_that_breaks_the_handshake(make, env, how):
    def serve(conn):
        conn.sock.recv(10)
        if how == "garbage":
            conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        elif how == "reset":
            conn.reset()
    back = make.backend(serve=serve)
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})]}, [plain_api("p", "up")])
    assert gw.ask("GET", "/").status == 502
    m = prom.parse(gw.metrics())
    assert m.sum("sallyport_tls_failed_handshakes_total", side="upstream") == 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_body_that_ends_with_the_connection(make, env, version):
    """Without close_notify it is a cut one: an attacker could have ended it."""
    head = b"HTTP/1.1 200 OK\r\n\r\nbody"

    def serve(conn):
        req = conn.read_request()
        conn.send(head)
        if req.target == "/whole":
            conn.bye()
    back = make.backend(serve=serve, tls=server_context(env.good, version=version))
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})]}, [plain_api("p", "up")])
    assert gw.ask("GET", "/whole").body == b"body"
    try:
        assert gw.ask("GET", "/cut").status == 502  # the end came before the head had left
    except Closed:
        pass


def test_a_kept_connection_that_the_target_closed(make, env):
    """Without close_notify, as many do: the next request goes over a new connection."""
    def serve(conn):
        conn.read_request()
        conn.send(response_bytes(200, [], b"ok"))  # and then the end
    back = make.backend(serve=serve, tls=server_context(env.good))
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})], "threads": 1}, [plain_api("p", "up")])
    for _ in range(10):
        assert gw.ask("GET", "/").body == b"ok"
    back.check()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_large_bodies(make, env, version):
    """A backend that reads late and a client that reads late, 20 MB each way, in flat memory."""
    body = os.urandom(1 << 16) * (BIG >> 16)
    sha = hashlib.sha256(body).hexdigest()

    def serve(conn):
        got = hashlib.sha256()
        msg = conn.read_head()
        time.sleep(0.3)
        conn.stream.read_body(msg, got.update)
        conn.send(b"HTTP/1.1 200 OK\r\nX-Sha: %s\r\nContent-Length: %d\r\n\r\n" % (got.hexdigest().encode(), BIG) + body)
        conn.drain()
    back = make.backend(serve=serve, tls=server_context(env.good, version=version), rcvbuf=65536)
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": env.ca.pem})], "limits": {"body": "100MB"}},
                      [plain_api("p", "up")])
    worker = gw.worker
    with gw.connect(rcvbuf=65536, timeout=30 * SLOW) as c:
        before = rss_kb(worker)
        sender = threading.Thread(target=c.send, args=(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % BIG + body,))
        sender.start()
        got = c.read_head()
        sender.join()
        assert got.headers.one("x-sha") == sha
        time.sleep(0.4)
        digest = hashlib.sha256()
        c.stream.read_body(got, digest.update)
        assert got.length == BIG and digest.hexdigest() == sha
        if not sanitized():
            assert rss_kb(worker) - before < 6 << 10


def test_files_of_an_upstream_change_by_reload(make, env, tmp_path):
    back = make.backend(tls=server_context(env.other.cert("localhost")))
    ca = tmp_path / "trust.pem"
    shutil.copy(env.ca.pem, ca)
    gw = make.gateway({"upstreams": [upstream("up", "localhost:%d" % back.port, tls={"ca": str(ca)})]}, [plain_api("p", "up")])
    assert gw.ask("GET", "/").status == 502
    shutil.copy(env.other.pem, ca)
    gw.reload()
    assert gw.ask("GET", "/").status == 200
    ca.write_text("nothing")
    assert "upstreams[0].tls.ca: holds no certificate" in gw.reload(ok=False).stderr
    assert gw.ask("GET", "/").status == 200


def test_tls_on_both_sides(make, env):
    port = free_port()
    gw = make.gateway({"listen": [{"address": "127.0.0.1:%d" % port, "tls": {"certificates": [env.good.conf]}}],
                       "upstreams": [upstream("up", env.local(env.back), tls={"ca": env.ca.pem})]}, [plain_api("p", "up")])
    assert gw.status()
    with TlsClient(port, client_context(env.ca), "localhost") as c:
        for n in (0, 1, 16383, 16384, 16385, 100000):
            body = os.urandom(n)
            got = json.loads(c.ask("POST", "/both", body=body).body)
            assert got["sha"] == hashlib.sha256(body).hexdigest()
