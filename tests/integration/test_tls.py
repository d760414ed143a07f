# SPDX-License-Identifier: Apache-2.0
"""TLS listeners: versions, certificates by name and kind, ALPN, resumption, mutual TLS, reload, and peers that misbehave."""
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

import backend as peer
import gateway
import prom
from client import Client
from confgen import plain_api, upstream
from gateway import free_port, rss_kb, sanitized
from tlskit import Authority, TlsClient, client_context, openssl
from wire import Closed, Stream, request_bytes, response_bytes, wait_until

CERT_EDITS = {"use": "headers", "id": "cert-facts", "with": {"request": {"set": {
    "X-Cert-Subject": "$context.identity.clientCert.subjectDN", "X-Cert-Issuer": "$context.identity.clientCert.issuerDN",
    "X-Cert-Serial": "$context.identity.clientCert.serialNumber",
    "X-Cert-Until": "$context.identity.clientCert.validity.notAfter",
    "X-Tls": "${context.tlsVersion} ${context.cipherSuite}"}}}}
BIG = 20 << 20


class Env:
    """One gateway with a listener of each kind, and its authorities."""

    def __init__(self, shared, folder):
        self.ca, self.clients = Authority(folder / "ca"), Authority(folder / "clients", "Clients CA")
        self.other = Authority(folder / "other", "Other CA")
        ca = self.ca
        self.first = ca.cert("first.test")
        self.certs = {"ec": ca.cert("a.test", "DNS:a.test,DNS:www.a.test"), "rsa": ca.cert("a.test", alg="RSA"),
                      "wild": ca.cert("*.b.test"), "exact": ca.cert("x.b.test", alg="RSA")}
        self.good, self.expired = self.clients.cert("alice"), self.clients.cert("old", days=-1)
        self.revoked, self.stranger = self.clients.cert("mallory"), self.other.cert("bob")
        crl = self.clients.crl(self.revoked)
        all_certs = [self.first.conf] + [c.conf for c in self.certs.values()]
        mutual = {"certificates": [self.first.conf], "client_ca": self.clients.pem, "client_crl": crl}
        self.kinds = {
            "main": {"certificates": all_certs},
            "new": {"certificates": [self.first.conf], "min_version": "1.3"},
            "mutual": mutual,
            "optional": dict(mutual, client_verify="optional"),
            "bare": {"certificates": [self.first.conf], "tickets": False, "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
        }
        self.port = {k: free_port() for k in list(self.kinds) + ["hasty"]}
        self.back = shared.backend(peer.echo)
        self.gw = shared.gateway(self.conf(), [plain_api("p", "up")])

    def conf(self):
        listen = [{"address": "127.0.0.1:%d" % self.port[k], "tls": v} for k, v in self.kinds.items()]
        listen.append({"address": "127.0.0.1:%d" % self.port["hasty"], "tls": {"certificates": [self.first.conf]},
                       "timeouts": {"header": "600ms"}})
        return {"upstreams": [upstream("up", self.back)], "listen": listen, "plugins": [CERT_EDITS]}

    def connect(self, kind="main", name="a.test", ctx=None, session=None, **how):
        return TlsClient(self.port[kind], ctx or client_context(), name, session, **how)

    def ask(self, kind="main", name="a.test", ctx=None):
        with self.connect(kind, name, ctx) as c:
            got = c.ask("GET", "/x")
            assert got.status == 200, got
            return json.loads(got.body), c

    def counts(self):
        m = prom.parse(self.gw.metrics())
        out = {dict(k)["cause"]: v for k, v in m.match("sallyport_tls_failed_handshakes_total", side="client").items()}
        out["resumed"] = m.value("sallyport_tls_resumed_total", side="client")
        for v in ("1.2", "1.3"):
            out[v] = m.value("sallyport_tls_handshakes_total", side="client", version=v)
        return out

    def counted(self, cause, before, by=1):
        wait_until(lambda: self.counts()[cause] >= before[cause] + by, 5, "%s counted" % cause)


@pytest.fixture(scope="module")
def env(shared, tmp_path_factory):
    return Env(shared, tmp_path_factory.mktemp("tls"))


# What is spoken
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_versions(env, version):
    before = env.counts()
    ctx = client_context(env.ca, version=version)
    seen, c = env.ask(ctx=ctx)
    assert c.version == "TLSv" + version and dict(seen["headers"])["X-Tls"] == "%s %s" % (c.version, c.cipher)
    assert any(n == "Forwarded" and "proto=https" in v or n == "X-Forwarded-Proto" and v == "https" for n, v in seen["headers"])
    assert env.counts()[version] == before[version] + 1


def test_an_old_version_is_refused(env):
    before = env.counts()
    with pytest.raises(ssl.SSLError):
        env.connect("new", ctx=client_context(version="1.2"))
    with Client(env.port["main"]) as c:  # TLS 1.1, as a browser of 2010 begins
        c.send(bytes.fromhex("160302002f0100002b0302") + b"r" * 32 + bytes.fromhex("000004c00900350100"))
        assert rest(c)[0] == bytes.fromhex("15030200020246")  # protocol_version
    with pytest.raises(ssl.SSLError):  # its one cipher is another
        env.connect("bare", ctx=client_context(version="1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"))
    env.counted("version", before, 3)
    assert env.ask("bare", ctx=client_context(version="1.2"))[1].cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("offer,got", [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (None, None)])
def test_alpn(env, offer, got):
    with env.connect(ctx=client_context(alpn=offer)) as c:
        assert c.tls.selected_alpn_protocol() == got
        assert c.ask("GET", "/").status == 200


def test_alpn_without_overlap_is_an_alert(env):
    before = env.counts()
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        env.connect(ctx=client_context(alpn=["h2", "http/1.0"]))
    env.counted("alpn", before)


def test_curl(env):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", env.ca.pem, "--resolve", "a.test:%d:127.0.0.1" % env.port["main"],
                           "-d", "hello", "https://a.test:%d/y?z=1" % env.port["main"]],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["target"], seen["sha"]) == ("/y?z=1", hashlib.sha256(b"hello").hexdigest())


# Which certificate
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name,want", [
    ("a.test", "a.test"), ("WWW.a.Test", "www.a.test"), ("y.b.test", "*.b.test"), ("first.test", "first.test"),
    ("b.test", "first.test"), ("q.y.b.test", "first.test"), ("unknown.test", "first.test"), (None, "first.test")])
def test_certificates_by_name(env, name, want, version):
    with env.connect(name=name, ctx=client_context(version=version)) as c:
        assert want in c.names()
        assert c.ask("GET", "/").status == 200


@pytest.mark.parametrize("cipher,kind", [("ECDHE-RSA-AES128-GCM-SHA256", "RSA"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "EC")])
@pytest.mark.parametrize("name", ["a.test", "x.b.test"])  # x.b.test: RSA of its own, ECDSA the wildcard's
def test_certificates_by_kind_of_key(env, name, cipher, kind):
    with env.connect(name=name, ctx=client_context(version="1.2", ciphers=cipher)) as c:
        assert c.key_kind() == kind
        assert ("*.b.test" in c.names()) == (name == "x.b.test" and kind == "EC")


@pytest.mark.parametrize("sigalgs,kind", [("rsa_pss_rsae_sha256", "RSA"), ("ECDSA+SHA256", "ECDSA")])
def test_certificates_by_kind_of_key_with_tls_13(env, sigalgs, kind):
    out = openssl("s_client", "-connect", "127.0.0.1:%d" % env.port["main"], "-servername", "a.test", "-tls1_3",
                  "-sigalgs", sigalgs, stdin=b"").decode()
    assert re.search(r"Peer signature type: .*%s" % kind, out), out


# Resumption
def resumable(c):
    """TLS 1.3 brings tickets behind the handshake: with the first answer."""
    assert c.ask("GET", "/").status == 200
    return c.tls.session


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption_also_after_a_reload(env, version):
    ctx = client_context(env.ca, version=version)
    before = env.counts()
    with env.connect(ctx=ctx) as c:
        session = resumable(c)
        assert not c.tls.session_reused
    with env.connect(ctx=ctx, session=session) as c:
        assert c.tls.session_reused
        session = resumable(c)
    env.gw.reload()
    with env.connect(ctx=ctx, session=session) as c:
        assert c.tls.session_reused
        assert c.ask("GET", "/").status == 200
    assert env.counts()["resumed"] == before["resumed"] + 2


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_without_tickets_nothing_resumes(env, version):
    ctx = client_context(version=version)
    with env.connect("bare", ctx=ctx) as c:
        session = resumable(c)
        assert session is None or not session.has_ticket
    with env.connect("bare", ctx=ctx, session=session) as c:
        assert not c.tls.session_reused and c.ask("GET", "/").status == 200


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_ticket_is_for_its_listener_alone(env, version):
    ctx = client_context(cert=env.good, version=version)
    with env.connect("optional", ctx=ctx) as c:
        session = resumable(c)
    with env.connect("optional", ctx=ctx, session=session) as c:
        assert c.tls.session_reused
        assert json.loads(c.ask("GET", "/").body) and True
    for kind in ("mutual", "main"):
        with env.connect(kind, ctx=ctx, session=session) as c:
            assert not c.tls.session_reused and c.ask("GET", "/").status == 200


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_foreign_ticket_does_not_pass_for_a_certificate(env, version):
    bare = client_context(version=version)
    with env.connect("main", ctx=bare) as c:
        session = resumable(c)
    assert refused(env, "mutual", bare, session)


# Mutual TLS
def refused(env, kind, ctx, session=None):
    """With TLS 1.3 the client learns it with its first read."""
    try:
        with env.connect(kind, ctx=ctx, session=session) as c:
            c.try_send(request_bytes())
            c.tls.recv(1)
            return c.stream.at_end()
    except ssl.SSLError as e:
        return e
    except ConnectionError as e:
        return e


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["mutual", "optional"])
def test_client_certificates(env, kind, version):
    seen, _ = env.ask(kind, ctx=client_context(cert=env.good, version=version))
    heads = dict(seen["headers"])
    assert heads["X-Cert-Subject"] == "O=Tests,CN=alice" and heads["X-Cert-Issuer"] == "CN=Clients CA"
    assert heads["X-Cert-Serial"] == "a1:00:01" and re.match(r"^\w{3} +\d+ [\d:]{8} 20\d\d GMT$", heads["X-Cert-Until"])
    before = env.counts()
    for cert in (env.stranger, env.expired, env.revoked):
        assert refused(env, kind, client_context(cert=cert, version=version)), cert.chain
    env.counted("certificate", before, 3)
    if kind == "mutual":
        assert refused(env, kind, client_context(version=version))
        env.counted("certificate", before, 4)
    else:
        seen, _ = env.ask(kind, ctx=client_context(version=version))
        assert not any(n.startswith("X-Cert") for n, _ in seen["headers"])


def test_depth_of_client_chains(make, env):
    """client_depth counts the authorities in between: one here, which the client sends along."""
    sub = env.clients.sub()
    pair = sub.cert("carol")
    with open(pair.chain, "a", encoding="ascii") as f, open(sub.pem, encoding="ascii") as ca:
        f.write(ca.read())
    ports = {depth: free_port() for depth in (0, 1)}
    gw = make.gateway({"upstreams": [upstream("up", env.back)], "listen": [
        {"address": "127.0.0.1:%d" % port, "tls": {"certificates": [env.first.conf], "client_ca": env.clients.pem, "client_depth": depth}}
        for depth, port in ports.items()]}, [plain_api("p", "up")])
    assert gw.status()
    ctx = client_context(cert=pair)
    with TlsClient(ports[1], ctx) as c:
        assert c.ask("GET", "/").status == 200
    with pytest.raises(OSError):
        with TlsClient(ports[0], ctx) as c:
            c.try_send(request_bytes())
            c.tls.recv(1)
    with TlsClient(ports[0], client_context(cert=env.good)) as c:
        assert c.ask("GET", "/").status == 200


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumed_sessions_keep_their_certificate(env, version):
    ctx = client_context(cert=env.good, version=version)
    with env.connect("mutual", ctx=ctx) as c:
        session = resumable(c)
    with env.connect("mutual", ctx=ctx, session=session) as c:
        assert c.tls.session_reused
        heads = dict(json.loads(c.ask("GET", "/").body)["headers"])
        assert heads["X-Cert-Subject"] == "O=Tests,CN=alice"


# Reload
def test_certificates_change_by_reload(make, tmp_path):
    ca = Authority(tmp_path / "ca")
    old, new = ca.cert("old.test"), ca.cert("new.test")
    back = make.backend()
    port, folder = free_port(), tmp_path / "live"
    folder.mkdir()

    def put(chain, key):
        shutil.copy(chain, folder / "chain.pem")
        shutil.copy(key, folder / "key.pem")
    put(old.chain, old.key)
    conf = {"upstreams": [upstream("up", back)],
            "listen": [{"address": "127.0.0.1:%d" % port, "tls": {"certificates": [
                {"chain": str(folder / "chain.pem"), "key": str(folder / "key.pem")}]}}]}
    gw = make.gateway(conf, [plain_api("p", "up")])
    ctx = client_context()

    def names():
        with TlsClient(port, ctx) as c:
            assert c.ask("GET", "/").status == 200
            return c.names()
    with TlsClient(port, ctx) as kept:
        assert kept.ask("GET", "/").status == 200
        assert names() == ["old.test"]
        put(new.chain, new.key)
        assert names() == ["old.test"]
        gw.reload()
        assert names() == ["new.test"]
        put(new.chain, old.key)  # no pair
        done = gw.reload(ok=False)
        line = next(l for l in done.stderr.splitlines() if "error" in l)
        assert re.search(r"sallyport\.yaml:\d+:\d+: error: listen\[0\]\.tls\.certificates\[0\]\.key: the key does not belong", line), line
        assert names() == ["new.test"]
        os.unlink(folder / "chain.pem")
        assert "No such file" in gw.reload(ok=False).stderr
        assert names() == ["new.test"]
        put(new.chain, new.key)
        conf["listen"][0]["tls"]["min_version"] = "1.3"  # another conf of the same socket
        gw.write(conf)
        with Client(port) as waiting:  # in the socket's queue or accepted: it is not lost
            gw.reload()
            waiting.sock.settimeout(20)
            tls = client_context().wrap_socket(waiting.sock, server_hostname="a.test")
            assert tls.version() == "TLSv1.3"
        with pytest.raises(ssl.SSLError):
            TlsClient(port, client_context(version="1.2"))
        assert kept.ask("GET", "/").status == 200  # through all of it


@pytest.mark.nochaos
def test_what_is_wrong_with_certificates_is_told_with_its_place(make, tmp_path):
    ca = Authority(tmp_path / "ca")
    good, old, small = ca.cert("good.test"), ca.cert("old.test", days=-1), tmp_path / "small.pem"
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", tmp_path / "small.key", "-out", small, "-subj", "/CN=small")
    openssl("ec", "-in", good.key, "-aes128", "-passout", "pass:x", "-out", tmp_path / "locked.key")
    (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty.pem").write_text("nothing\n")
    for n in ("small.key", "locked.key", "junk.pem", "empty.pem"):
        os.chmod(tmp_path / n, 0o600)

    def path(name):
        return str(tmp_path / name)
    cases = [
        ({"chain": good.chain, "key": old.key}, ".key: the key does not belong to the certificate"),
        ({"chain": old.chain, "key": old.key}, ".chain: the certificate expired at "),
        ({"chain": str(small), "key": path("small.key")}, ".chain: the certificate cannot be used: ee key too small"),
        ({"chain": good.chain, "key": path("locked.key")}, ".key: the key is encrypted, expected a key without a passphrase"),
        ({"chain": path("junk.pem"), "key": good.key}, ".chain: its certificate 1 cannot be read: "),
        ({"chain": path("empty.pem"), "key": path("empty.pem")}, ".chain: holds no certificate"),
    ]
    tls = {"certificates": [c for c, _ in cases], "ciphers": "NO-SUCH", "client_ca": path("empty.pem")}
    ups = [{"id": "u%d" % i, "targets": ["127.0.0.1:1"], "tls": t} for i, t in enumerate([
        {"ca": path("empty.pem")}, {"certificate": {"chain": good.chain, "key": old.key}}])]
    conf = {"listen": [{"address": "127.0.0.1:1", "tls": tls}, {"address": "127.0.0.1:2", "tls": {"certificates": [good.conf],
            "client_ca": ca.pem, "client_crl": path("empty.pem")}}], "upstreams": ups[:1]}
    gw = make.gateway(conf, start=False)

    def lines():
        done = gw.command("check")
        assert done.returncode == 1
        return [l.replace(gw.root + "/", "") for l in done.stderr.splitlines()[:-1]]
    got = lines()
    for i, (_, text) in enumerate(cases):
        assert any(re.match(r"sallyport\.yaml:\d+:\d+: error: listen\[0\]\.tls\.certificates\[%d\]%s" % (i, re.escape(text)), l)
                   for l in got), (text, got)
    for text in (": error: listen[0].tls.ciphers: is no list of ciphers", ": error: listen[1].tls.client_crl: holds no revocation list",
                 ": error: upstreams[0].tls.ca: holds no certificate"):
        assert any(text in l for l in got), (text, got)
    gw.write({"upstreams": ups[1:]})
    assert any("upstreams[0].tls.certificate.key: the key does not belong" in l for l in lines())
    gw.write({"listen": [{"address": "127.0.0.1:1", "tls": {"certificates": [good.conf], "client_ca": path("empty.pem")}}]})
    assert any("listen[0].tls.client_ca: holds no certificate" in l for l in lines())


@pytest.mark.nochaos
def test_a_key_for_everybody_is_a_warning(make, tmp_path):
    ca = Authority(tmp_path / "ca")
    pair = ca.cert("a.test")
    os.chmod(pair.key, 0o644)
    gw = make.gateway({"listen": [{"address": "127.0.0.1:1", "tls": {"certificates": [pair.conf]}}]}, start=False)
    done = gw.command("check")
    assert done.returncode == 0 and "warning: listen[0].tls.certificates[0].key: everybody can read the key" in done.stderr
    os.chmod(pair.key, 0o640)
    assert "warning" not in gw.command("check").stderr
    out = gw.json("explain", "GET", "https://x.test/", code=1)["explain"]
    assert out["listener"]["scheme"] == "https"


def test_ticket_keys_rotate(make, tmp_path):
    ca = Authority(tmp_path / "ca")
    port, back = free_port(), make.backend()
    gw = make.gateway({"upstreams": [upstream("up", back)], "tls": {"ticket_rotation": "1s"},
                       "listen": [{"address": "127.0.0.1:%d" % port, "tls": {"certificates": [ca.cert("a.test").conf]}}]},
                      [plain_api("p", "up")])
    assert gw.status()
    ctx = client_context(version="1.2")
    with TlsClient(port, ctx) as c:
        first = resumable(c)
    with TlsClient(port, ctx, session=first) as c:
        assert c.tls.session_reused
    time.sleep(2.1)  # twice the interval
    with TlsClient(port, ctx, session=first) as c:
        assert not c.tls.session_reused and c.ask("GET", "/").status == 200


# Bodies and records
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_pipelined_and_dribbled_requests(env, version):
    with env.connect(ctx=client_context(version=version)) as c:
        c.send(b"".join(request_bytes("GET", "/%d" % i) for i in range(60)))  # in one record
        for i in range(60):
            assert json.loads(c.read().body)["target"] == "/%d" % i
        for b in request_bytes("POST", "/slow", body=b"abc"):  # a record each
            c.send(bytes([b]))
        assert json.loads(c.read().body)["target"] == "/slow"


def test_records_that_come_in_pieces(env):
    """The bytes of records cut at will: through a socket pair, with OpenSSL in memory."""
    ctx, come, go = client_context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ctx.wrap_bio(come, go, server_hostname="a.test")
    with Client(env.port["main"]) as c:
        def out(size):
            data = go.read()
            for at in range(0, len(data), size):
                c.send(data[at:at + size])
                if at % 97 == 0:
                    time.sleep(0.001)

        def until(step, size):
            while True:
                try:
                    got = step()
                    out(size)
                    return got
                except ssl.SSLWantReadError:
                    out(size)
                    data = c.sock.recv(65536)
                    assert data
                    come.write(data)
        until(tls.do_handshake, 7)
        body = os.urandom(40000)
        tls.write(request_bytes("POST", "/pieces", body=body))
        out(1000)

        class Plain:
            """What Stream needs of a socket."""
            def settimeout(self, seconds):
                pass

            def recv(self, size):
                return until(lambda: tls.read(size), 5)
        got = Stream(Plain())
        answer = got.read_response_head("POST")
        got.read_body(answer)
        assert answer.status == 200 and hashlib.sha256(body).hexdigest().encode() in answer.body


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_large_bodies_with_a_slow_reader_and_a_slow_backend(make, env, version):
    """Both ways at once: the one who is slow holds the other back, and the gateway's memory stays flat."""
    body = os.urandom(1 << 16) * (BIG >> 16)
    sha = hashlib.sha256(body).hexdigest()
    sent = [0]

    def serve(conn):
        got = hashlib.sha256()
        msg = conn.stream.read_request_head()
        time.sleep(0.3)
        conn.stream.read_body(msg, got.update)
        conn.send(b"HTTP/1.1 200 OK\r\nX-Sha: %s\r\nContent-Length: %d\r\n\r\n" % (got.hexdigest().encode(), BIG))
        for at in range(0, BIG, 65536):
            conn.send(body[at:at + 65536])
            sent[0] = at
        conn.drain()
    back = make.backend(serve=serve, rcvbuf=65536, sndbuf=65536)
    ca, port = env.ca, free_port()
    gw = make.gateway({"upstreams": [upstream("up", back)], "limits": {"body": "100MB"},
                       "listen": [{"address": "127.0.0.1:%d" % port, "tls": {"certificates": [ca.cert("a.test").conf]}}]},
                      [plain_api("p", "up")])
    worker = gw.worker
    with TlsClient(port, client_context(version=version), rcvbuf=65536) as c:
        before = rss_kb(worker)
        c.send(request_bytes("POST", "/", body=body))
        got = c.read_head()
        assert got.headers.one("x-sha") == sha
        wait_until(lambda: stalled(sent), 10, "the backend is held back")
        assert sent[0] < BIG * 0.7
        digest = hashlib.sha256()
        c.stream.read_body(got, digest.update)
        assert got.length == BIG and digest.hexdigest() == sha
        if not sanitized():
            assert rss_kb(worker) - before < 6 << 10


def stalled(sent):
    at = sent[0]
    time.sleep(0.3)
    return at and sent[0] == at


def test_a_reader_that_stops_is_disconnected(make, env):
    body = b"z" * (4 << 20)
    back = make.backend(lambda r: response_bytes(200, [], body))
    port = free_port()
    gw = make.gateway({"upstreams": [upstream("up", back)],
                       "listen": [{"address": "127.0.0.1:%d" % port, "timeouts": {"write": "800ms"},
                                   "tls": {"certificates": [env.first.conf]}}]}, [plain_api("p", "up")])
    assert gw.status()
    with TlsClient(port, client_context(), rcvbuf=16384) as c:
        c.send(request_bytes())
        got = c.read_head()
        time.sleep(2.5)
        with pytest.raises(Closed):
            c.stream.read_body(got)


# The end
def test_close_notify_is_sent_and_answered(env):
    with env.connect() as c:
        c.send(request_bytes("GET", "/", headers=[("Connection", "close")]))
        assert c.read().status == 200
        assert c.tls.recv(1) == b""  # an end, not a cut: Python raises SSLEOFError for that
    with env.connect() as c:
        assert c.ask("GET", "/").status == 200
        c.bye()
    with env.connect() as c:
        c.send(request_bytes("GET", "/late"))
        c.finish()  # TCP's end without TLS's: the whole request is answered all the same
        assert json.loads(c.read().body)["target"] == "/late"


def test_a_cut_answer_is_not_an_ended_one(make, env):
    """HTTP/1.0 has no other end than the connection's: a backend that breaks off must not look like it."""
    go = threading.Event()
    back = make.backend(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), peer.wait(go)])
    port = free_port()
    gw = make.gateway({"upstreams": [upstream("up", back)], "listen": [{"address": "127.0.0.1:%d" % port,
                       "tls": {"certificates": [env.first.conf]}}]}, [plain_api("p", "up")])
    assert gw.status()
    with TlsClient(port, client_context()) as c:
        c.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        data = b""
        with pytest.raises(OSError):  # never an ordinary end
            while True:
                part = c.tls.recv(65536)
                if not part:
                    break
                data += part
                if b"half" in data:
                    go.set()
            raise AssertionError("the cut answer looks whole: %r" % data)


# Peers that misbehave
def hello():
    """A ClientHello as bytes."""
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(come, go, server_hostname="a.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return go.read()


def rest(c):
    """Everything until the end, and how it ended."""
    data = b""
    try:
        while True:
            part = c.sock.recv(65536)
            if not part:
                return data, True
            data += part
    except ConnectionError:
        return data, False


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "CONNECT"])
def test_http_on_a_tls_port(env, method):
    before = env.counts()
    with Client(env.port["main"]) as c:
        c.send(b"%s / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc" % method.encode())
        got = c.read()
        assert got.status == 400 and b"https://" in got.body and c.closed()
    env.counted("plain_http", before)


@pytest.mark.parametrize("data,cause", [
    (b"\x00" * 64, "version"), (b"\x16\x03\x01\x00\x05hello", "protocol"), (b"\x16\x03\x01\x40\x00" + b"A" * 16384, "protocol"),
    (b"\x16\x03\x01\xff\xff" + b"\x01" * 70000, "protocol"), (b"\x80\x2e\x01\x00\x02" + b"\x00" * 43, None),
    (b"\x15\x03\x01\x00\x02\x02\x28", None), (b"\x17\x03\x03\x00\x10" + b"\x00" * 16, "protocol"), (b"\xff" * 3000, "version")])
def test_garbage(env, data, cause):
    before = env.counts()
    with Client(env.port["main"]) as c:
        c.try_send(data)
        got, _ = rest(c)
        assert len(got) <= 64 and not got.startswith(b"HTTP")  # an alert at most
    if cause:
        env.counted(cause, before)
    else:
        causes = ("protocol", "version", "closed")
        wait_until(lambda: sum(env.counts()[k] for k in causes) > sum(before[k] for k in causes), 5, "counted")


def test_a_handshake_that_stalls_times_out(env):
    before = env.counts()
    whole = hello()
    begun = time.monotonic()
    with Client(env.port["hasty"]) as none, Client(env.port["hasty"]) as half, Client(env.port["hasty"]) as drip, \
            Client(env.port["hasty"]) as silent:
        half.send(whole[:len(whole) // 2])
        silent.send(whole)  # and no Finished behind the server's flight
        for b in whole[:20]:  # dribbling does not prolong it
            if not drip.try_send(bytes([b])):
                break
            time.sleep(0.05)
        for c in (none, half, drip, silent):
            c.sock.settimeout(10 * gateway.SLOW)
            rest(c)
        assert time.monotonic() - begun < 5 * gateway.SLOW
    env.counted("timeout", before, 4)


def test_a_client_that_leaves_in_the_handshake(env):
    before = env.counts()
    whole = hello()
    for size in (1, 5, 40, len(whole)):
        with Client(env.port["main"]) as c:
            c.send(whole[:size])
    with Client(env.port["main"]) as c:
        c.send(whole)
        c.reset()
    env.counted("closed", before, 5)


def test_a_huge_client_hello(env):
    """A hello of many records: too long for any purpose, bounded in memory."""
    before, worker = env.counts(), env.gw.worker
    rss = rss_kb(worker)
    with Client(env.port["main"]) as c:
        body = b"\x01" + struct.pack(">I", 0xfffff0)[1:]  # 16 MB are announced
        record = b"\x16\x03\x01\x40\x00" + (body + b"\x03\x03" + b"A" * 16384)[:16384]
        for _ in range(1000):
            if not c.try_send(record):
                break
        got, _ = rest(c)
        assert len(got) <= 64
    env.counted("protocol", before)
    if not sanitized():
        assert rss_kb(worker) - rss < 4 << 10


def test_a_broken_record_ends_the_connection(env):
    with env.connect() as c:
        assert c.ask("GET", "/").status == 200
        raw = socket.socket(fileno=os.dup(c.tls.fileno()))
        raw.sendall(b"\x17\x03\x03\x00\x20" + os.urandom(32))
        raw.settimeout(5)
        data = b""
        try:
            while True:
                part = raw.recv(65536)
                if not part:
                    break
                data += part
        except ConnectionError:
            pass
        raw.close()
        assert b"HTTP" not in data
    env.ask()


def test_renegotiation_is_refused(env):
    """The client's R: the server says no_renegotiation and goes on, or ends; it never does it."""
    p = subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % env.port["main"], "-tls1_2", "-legacy_renegotiation"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        p.stdin.write(b"R\n")
        p.stdin.flush()
        time.sleep(0.5)
        out, _ = p.communicate(b"Q\n", timeout=20)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    assert b"RENEGOTIATING" in out and (b"no renegotiation" in out or b"error" in out), out[-1500:]
    env.ask()


def test_idle_connections_are_closed_and_many_are_served(env):
    ctx = client_context()
    clients = [env.connect(ctx=ctx) for _ in range(60)]
    try:
        for c in clients:
            assert c.ask("GET", "/").status == 200
        for c in reversed(clients):
            assert c.ask("GET", "/").status == 200
    finally:
        for c in clients:
            c.close()


@pytest.mark.long
def test_testssl_finds_nothing_above_low(make, tmp_path):
    tool = shutil.which("testssl")
    assert tool, "testssl is missing: packaging/install-deps --long"
    ca = Authority(tmp_path / "ca")
    port = free_port()
    back = make.backend()
    gw = make.gateway({"upstreams": [upstream("up", back)], "listen": [{"address": "127.0.0.1:%d" % port, "tls": {"certificates": [
        ca.cert("localhost", "DNS:localhost,IP:127.0.0.1", days=90).conf,
        ca.cert("localhost", "DNS:localhost,IP:127.0.0.1", alg="RSA", days=90).conf]}}]}, [plain_api("p", "up")])
    assert gw.status()
    out = tmp_path / "out.json"
    done = subprocess.run([tool, "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--add-ca", ca.pem, "--jsonfile", str(out),
                           "--nodns", "none", "-p", "-s", "-f", "-e", "-S", "-P", "-U", "-g", "localhost:%d" % port],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False)
    found = json.loads(out.read_text())
    assert len(found) > 50, done.stdout.decode()[-3000:]
    # What the test's own authority and testssl's own openssl lack
    ours = {"cert_revocation", "cert_ocspURL", "cert_crlDistributionPoints", "engine_problem"}
    bad = [f for f in found if f["severity"] not in ("OK", "INFO", "LOW", "DEBUG") and f["id"].split(" ")[0] not in ours]
    assert not bad, json.dumps(bad, indent=1)
