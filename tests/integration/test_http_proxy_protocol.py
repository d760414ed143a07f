# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol on listeners: whose address counts, who is believed, what is closed and counted."""
import os
import socket
import struct
import time

import pytest

import backend as peer
import prom
from client import Client
from confgen import plain_api, upstream
from gateway import free_port
from wire import Closed, Stream, request_bytes, wait_until

SIG = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n"
GET = request_bytes("GET", "/x", "p.test")


def v2(src="203.0.113.9", dst="198.51.100.1", sport=4711, dport=443, tlvs=b"", command=1):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    block = socket.inet_pton(family, src) + socket.inet_pton(family, dst) + struct.pack("!HH", sport, dport) + tlvs
    return SIG + bytes([0x20 | command, 0x21 if ":" in src else 0x11]) + struct.pack("!H", len(block)) + block


class Env:
    def __init__(self, gw, back, required, trusted, path):
        self.gw, self.back, self.required, self.trusted, self.path = gw, back, required, trusted, path

    def counter(self, name, **labels):
        return prom.parse(self.gw.metrics()).sum("sallyport_proxy_protocol_" + name, **labels)

    def told(self, data, port=None, step=0):
        """What the backend was told of a client that begins with these bytes."""
        with Client(port or self.required) as c:
            for at in range(0, len(data), step or len(data) or 1):
                c.send(data[at:at + (step or len(data))])
                if step:
                    time.sleep(0.001)
            c.send(GET)
            assert c.read().status == 200
        h = self.back.last.headers
        return h.get("x-forwarded-for"), h.get("x-forwarded-port")

    def closed(self, data, port=None, reason="malformed", finish=False):
        """Closed without a byte, counted, and no request reached the backend."""
        before, n = self.counter("refused_total", reason=reason), len(self.back.requests)
        with Client(port or self.required) as c:
            c.try_send(data)
            if finish:
                c.finish()
            with pytest.raises(Closed) as e:
                c.read()
            assert e.value.clean
        assert self.counter("refused_total", reason=reason) == before + 1
        assert len(self.back.requests) == n


@pytest.fixture(scope="module")
def env(shared):
    back = shared.backend(peer.echo)
    required, trusted = free_port(), free_port()
    path = os.path.join(str(shared.factory.mktemp("s")), "s")
    path = path if len(path) < 100 else "/tmp/sp-%d.sock" % os.getpid()
    gw = shared.gateway({
        "upstreams": [upstream("back", back)], "threads": 1, "trusted_proxies": ["127.0.0.7"],
        "timeouts": {"header": "700ms"},
        "listen": [
            {"address": "127.0.0.1:%d" % required, "proxy_protocol": "required", "proxy_protocol_from": "127.0.0.1"},
            {"address": "127.0.0.1:%d" % trusted, "proxy_protocol": "trusted"},
            {"address": "unix:" + path, "proxy_protocol": "required", "proxy_protocol_from": ["unix:"]},
        ],
    }, [plain_api("p", "back")])
    yield Env(gw, back, required, trusted, path)
    back.check()


def from_proxy(port, data, source="127.0.0.7"):
    with socket.socket() as s:
        s.bind((source, 0))
        s.settimeout(10)
        s.connect(("127.0.0.1", port))
        s.sendall(data)
        return Stream(s).read_response_head().status


def test_version_1(env):
    assert env.told(V1) == ("203.0.113.9", "443")
    assert env.told(b"PROXY TCP6 2001:db8::5 2001:db8::1 4711 8443\r\n") == ("2001:db8::5", "8443")


def test_version_2(env):
    before = env.counter("connections_total")
    assert env.told(v2()) == ("203.0.113.9", "443")
    assert env.told(v2("2001:db8::5", "2001:db8::1", 4711, 8443)) == ("2001:db8::5", "8443")
    assert env.told(v2(tlvs=b"\x04\0\x10" + b"n" * 16 + b"\xea\0\0")) == ("203.0.113.9", "443")
    assert env.counter("connections_total") == before + 3


def test_the_balancers_own_connections(env):
    own = ("127.0.0.1", str(env.required))
    for data in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN whatever it says\r\n", SIG + b"\x20\0\0\0", v2(command=0), SIG + b"\x21\0\0\0"):
        assert env.told(data) == own, data


def test_a_client_on_a_unix_socket_of_the_balancer(env):
    unix = SIG + b"\x21\x31\0\xd8" + b"/run/a".ljust(108, b"\0") * 2
    assert env.told(unix)[0] is None


@pytest.mark.parametrize("data", [V1, v2(), v2(tlvs=b"\x04\x0c\x00" + b"n" * 3072)], ids=["v1", "v2", "tlv"])
def test_pieces_make_no_difference(env, data):
    step = 1 if len(data) < 200 else 300
    assert env.told(data, step=step) == ("203.0.113.9", "443")
    assert env.told(data + b"") == ("203.0.113.9", "443")


def test_header_and_requests_in_one_piece(env):
    with Client(env.required) as c:
        c.send(v2() + GET * 3)
        for _ in range(3):
            assert c.read().status == 200
        assert c.ask("POST", "/", "p.test", body=b"x" * 100000).status == 200
    assert env.back.last.headers.one("x-forwarded-for") == "203.0.113.9"


@pytest.mark.parametrize("data", [
    GET, b"\x16\x03\x01\x02\x00", b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n" + GET, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", b"PROXY " + b"x" * 200, v2()[:12] + b"\x41" + v2()[13:], SIG + b"\x21\x11\0\x04abcd",
    SIG + b"\x21\x11\xff\xff" + b"x" * 100, SIG + b"\x21\x12\0\x0c" + b"x" * 12, v2(tlvs=b"\x04\0\x09abc"),
], ids=["http", "tls", "field missing", "port", "lf", "too long", "version", "short", "length", "datagram", "tlv"])
def test_what_is_no_header_is_closed(env, data):
    env.closed(data)


@pytest.mark.parametrize("data", [b"", b"PRO", V1[:-1], v2()[:20]], ids=["nothing", "begun", "v1", "v2"])
def test_a_header_that_never_comes_whole(env, data):
    env.closed(data, reason="missing", finish=True)
    start = time.monotonic()
    env.closed(data, reason="timeout")
    assert 0.5 < time.monotonic() - start < 6


def test_who_is_not_believed(env):
    before = env.counter("refused_total", reason="untrusted")
    with pytest.raises((Closed, OSError)):
        from_proxy(env.required, V1 + GET, "127.0.0.9")
    assert env.counter("refused_total", reason="untrusted") == before + 1
    # where only some speak through a balancer, a stranger's header is no HTTP
    with Client(env.trusted) as c:
        c.send(V1 + GET)
        assert c.read().status == 400
    assert env.told(b"", env.trusted) == ("127.0.0.1", str(env.trusted))


def test_who_is_believed_must_begin_with_it(env):
    assert from_proxy(env.trusted, V1 + GET) == 200
    assert env.back.last.headers.one("x-forwarded-for") == "203.0.113.9"
    before = env.counter("refused_total", reason="malformed")
    with pytest.raises((Closed, OSError)):
        from_proxy(env.trusted, GET)
    assert env.counter("refused_total", reason="malformed") == before + 1


def test_the_clients_address_is_the_one_that_is_told_not_the_balancers(env):
    """X-Forwarded-For is believed from the client that PROXY names, when that one is trusted, and not for the balancer's sake."""
    with Client(env.required) as c:
        c.send(V1 + request_bytes("GET", "/", "p.test", [("X-Forwarded-For", "6.6.6.6")]))
        assert c.read().status == 200
        assert env.back.last.headers.one("x-forwarded-for") == "203.0.113.9"
    with Client(env.required) as c:
        c.send(v2("127.0.0.7") + request_bytes("GET", "/", "p.test", [("X-Forwarded-For", "6.6.6.6")]))
        assert c.read().status == 200
        assert env.back.last.headers.one("x-forwarded-for") == "6.6.6.6, 127.0.0.7"


def test_on_a_unix_socket(env):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(env.path)
        s.sendall(V1 + GET)
        assert Stream(s).read_response_head().status == 200
    assert env.back.last.headers.one("x-forwarded-for") == "203.0.113.9"


def test_waiting_connections_are_counted_and_hold_nobody_up(env):
    waiting = [Client(env.required) for _ in range(50)]
    try:
        assert env.told(V1) == ("203.0.113.9", "443")
        wait_until(lambda: prom.parse(env.gw.metrics()).sum("sallyport_connections") >= 50, what="50 connections")
    finally:
        for c in waiting:
            c.close()
    wait_until(lambda: prom.parse(env.gw.metrics()).sum("sallyport_connections") <= 1, what="none are left")


def test_a_stop_closes_waiting_connections(make):
    back = make.backend(peer.ok)
    port = free_port()
    gw = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"drain": "300ms"},
                       "listen": [{"address": "127.0.0.1:%d" % port, "proxy_protocol": "required", "proxy_protocol_from": "127.0.0.1"}]},
                      [plain_api("p", "back")])
    with Client(port) as c:
        c.send(b"PROXY TC")
        time.sleep(0.1)
        gw.stop()
        assert c.closed()
