# SPDX-License-Identifier: Apache-2.0
"""X-Forwarded-*, Forwarded (RFC 7239), Via, and whose address the client's is, for strangers and for trusted proxies."""
import os

import pytest

import backend as peer
from client import Client
from confgen import doc_api, operation, plain_api, upstream
from gateway import free_port
from wire import Stream, request_bytes

XFF, XFH, XFP, XFPROTO = "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"
CLAIMS = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "7.7.7.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"),
          ("X-Forwarded-Host", "evil.test"), ("Forwarded", "for=6.6.6.6;host=evil.test")]
# In every conf below 127.0.0.7 is a trusted proxy and 127.0.0.1 is a stranger.
TRUSTED = "127.0.0.7"
SHOW = {"headers": {"request": {"set": {"X-Seen": "$context.identity.sourceIp"}}}}


class Env:
    def __init__(self, gw, back):
        self.gw, self.back = gw, back

    def told(self, headers=(), host="p.test", source=None, version="1.1"):
        with Client(self.gw.port, source=source) as c:
            assert c.ask("GET", "/x", host, list(headers), version=version).status == 200
        return self.back.last.headers


def env_of(shared, **forwarded):
    back = shared.backend(peer.echo)
    paths = {"/{proxy+}": {"x-amazon-apigateway-any-method": operation("http://%s/{proxy}" % back.target)}}
    conf = {"upstreams": [upstream("back", back)], "threads": 1, "trusted_proxies": [TRUSTED, "10.0.0.0/8", "2001:db8:1::/48"],
            "plugins": [SHOW], "forwarded": forwarded}
    return Env(shared.gateway({k: v for k, v in conf.items() if v != {}}, [
        plain_api("p", "back", "p.test"), doc_api("rest", paths, "REST", "r.test", map_stage="prod"),
        doc_api("http", {"/{proxy+}": paths["/{proxy+}"]}, "HTTP", "h.test")]), back)


@pytest.fixture(scope="module")
def aws(shared):
    return env_of(shared)


@pytest.fixture(scope="module")
def both(shared):
    return env_of(shared, send="both", read="forwarded", via="edge-1")


@pytest.fixture(scope="module")
def none(shared):
    return env_of(shared, send="none", read="none")


@pytest.fixture(scope="module")
def rfc(shared):
    return env_of(shared, send="forwarded")


def x_forwarded(h):
    return [h.get(n) for n in (XFF, XFH, XFP, XFPROTO)]


@pytest.mark.parametrize("host", ["p.test", "r.test"])
def test_a_stranger(aws, host):
    ours = ["127.0.0.1", host, str(aws.gw.port), "http"]
    assert x_forwarded(aws.told(host=host)) == ours
    got = aws.told(CLAIMS, host)
    assert x_forwarded(got) == ours
    assert [len(got.all(n)) for n in (XFF, XFH, XFP, XFPROTO)] == [1] * 4
    assert "forwarded" not in got and "via" not in got
    assert got.one("x-seen") == "127.0.0.1"


def test_a_stranger_who_asks_to_have_them_removed(aws):
    """Connection may not take away what the gateway says."""
    got = aws.told([("Connection", "X-Forwarded-For, X-Forwarded-Proto, Forwarded")] + CLAIMS)
    assert x_forwarded(got) == ["127.0.0.1", "p.test", str(aws.gw.port), "http"]


def test_a_trusted_proxy(aws):
    got = aws.told(CLAIMS, source=TRUSTED)
    assert got.all(XFF) == ["6.6.6.6, 7.7.7.7, " + TRUSTED]
    assert x_forwarded(got)[1:] == ["evil.test", "443", "https"]
    assert got.one("forwarded") == "for=6.6.6.6;host=evil.test"
    assert got.one("x-seen") == "7.7.7.7"
    assert x_forwarded(aws.told(source=TRUSTED)) == [TRUSTED, "p.test", str(aws.gw.port), "http"]


@pytest.mark.parametrize("claim,seen", [
    ("", TRUSTED), (",", TRUSTED), ("9.9.9.9", "9.9.9.9"), ("8.8.8.8, 9.9.9.9", "9.9.9.9"), ("9.9.9.9, 10.1.1.1", "9.9.9.9"),
    ("9.9.9.9,10.1.1.1 ,\t10.2.2.2", "9.9.9.9"), ("10.1.1.1", "10.1.1.1"), ("10.1.1.1, 10.1.1.2", "10.1.1.1"),
    ("9.9.9.9, unknown, 10.1.1.1", "10.1.1.1"), ("9.9.9.9, , 10.1.1.1", "10.1.1.1"), ("9.9.9.9, rubbish", TRUSTED),
    ("9.9.9.9:4711", "9.9.9.9"), ("[2001:db8::1]:443", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"),
    ("9.9.9.9, 2001:db8:1::5", "9.9.9.9"), ("9.9.9.9, ::ffff:10.0.0.1", "9.9.9.9"), ("::ffff:9.9.9.9", "9.9.9.9"),
    ("[9.9.9.9]", TRUSTED), ("9.9.9.9:x", TRUSTED), ("9.9.9", TRUSTED), ("999.9.9.9", TRUSTED), ("fe80::1%eth0", TRUSTED),
])
def test_the_rightmost_untrusted_address_is_the_clients(aws, claim, seen):
    assert aws.told([("X-Forwarded-For", claim)], source=TRUSTED).one("x-seen") == seen


def test_several_lines_are_one_list(aws):
    got = aws.told([("X-Forwarded-For", "9.9.9.9"), ("x-forwarded-for", "10.1.1.1, 10.1.1.2"), ("X-FORWARDED-FOR", "10.1.1.3")], source=TRUSTED)
    assert got.one("x-seen") == "9.9.9.9"
    assert got.all(XFF) == ["9.9.9.9, 10.1.1.1, 10.1.1.2, 10.1.1.3, " + TRUSTED]


def test_http_apis_send_forwarded_as_aws_does(aws):
    own = "by=127.0.0.1;for=127.0.0.1;host=h.test;proto=http"
    got = aws.told(CLAIMS, "h.test")
    assert got.one("forwarded") == own and x_forwarded(got) == [None] * 4
    got = aws.told([("X-Forwarded-For", "6.6.6.6, 2001:db8::7"), ("X-Forwarded-Proto", "https")], "h.test", TRUSTED)
    assert got.one("forwarded") == 'for=6.6.6.6;proto=https, for="[2001:db8::7]", ' + own.replace("for=127.0.0.1", "for=" + TRUSTED)
    assert x_forwarded(got) == [None] * 4
    got = aws.told([("Forwarded", "for=6.6.6.6"), ("Forwarded", "for=7.7.7.7")], "h.test", TRUSTED)
    assert got.all("forwarded") == ["for=6.6.6.6, for=7.7.7.7, " + own.replace("for=127.0.0.1", "for=" + TRUSTED)]


def test_a_long_list_of_a_trusted_proxy_stays_bounded(aws):
    got = aws.told([("X-Forwarded-For", ",".join("a" * 3000))], "h.test", TRUSTED)
    assert len(got.one("forwarded")) < 2000


def test_a_host_with_a_port_is_quoted(rfc):
    got = rfc.told(host="p.test:8080")
    assert got.one("forwarded") == 'by=127.0.0.1;for=127.0.0.1;host="p.test:8080";proto=http'
    assert x_forwarded(got) == [None] * 4


def test_both_and_via(both):
    own = "by=127.0.0.1;for=%s;host=p.test;proto=http"
    got = both.told()
    assert got.one("forwarded") == own % "127.0.0.1" and got.one(XFF) == "127.0.0.1"
    assert got.one("via") == "1.1 edge-1"
    assert both.told([("Via", "1.0 old"), ("Via", "1.1 other (comment)")]).all("via") == ["1.0 old, 1.1 other (comment), 1.1 edge-1"]
    assert both.told([("Host", "p.test")][1:], version="1.0").one("via") == "1.0 edge-1"
    got = both.told(CLAIMS, source=TRUSTED)
    assert got.one("forwarded") == "for=6.6.6.6;host=evil.test, " + own % TRUSTED
    assert got.one(XFF) == "6.6.6.6, 7.7.7.7, " + TRUSTED


@pytest.mark.parametrize("claim,seen", [
    ("for=9.9.9.9", "9.9.9.9"), ("For=\"9.9.9.9:80\"", "9.9.9.9"), ('for="[2001:db8::1]"', "2001:db8::1"), ('for="[2001:db8::1]:443"', "2001:db8::1"),
    ("for=9.9.9.9;proto=http, for=10.1.1.1;by=10.0.0.1", "9.9.9.9"), ('by="a,b;c";for=9.9.9.9 , for=10.1.1.1', "9.9.9.9"),
    ("for=9.9.9.9, for=unknown", TRUSTED), ("for=9.9.9.9, for=_hidden, for=10.1.1.1", "10.1.1.1"), ("for=9.9.9.9, proto=http", TRUSTED),
    ("for=[2001:db8::1]", TRUSTED), ("9.9.9.9", TRUSTED), ("for=", TRUSTED), ('for="9.9.9.9', TRUSTED), ('for="9.9.9.9\\""', TRUSTED),
    ("for=9.9.9.9,", TRUSTED), ("for=9.9.9.9;;", TRUSTED), (", ".join(["for=10.1.1.1"] * 65), TRUSTED), ("", TRUSTED),
])
def test_forwarded_may_be_what_is_believed(both, claim, seen):
    assert both.told([("Forwarded", claim), ("X-Forwarded-For", "5.5.5.5")], source=TRUSTED).one("x-seen") == seen


def test_none(none):
    got = none.told(CLAIMS)
    assert x_forwarded(got) == [None] * 4 and "forwarded" not in got
    got = none.told(CLAIMS, source=TRUSTED)
    assert got.all(XFF) == ["6.6.6.6", "7.7.7.7"] and got.one("forwarded") == "for=6.6.6.6;host=evil.test"
    assert got.one("x-seen") == TRUSTED
    assert "forwarded" not in none.told(host="h.test")


def test_ipv6_and_unix_peers(make):
    back = make.backend(peer.echo)
    port, path = free_port("::1"), "/tmp/sp-fwd-%d.sock" % os.getpid()
    gw = make.gateway({"upstreams": [upstream("back", back)], "trusted_proxies": ["unix:"], "forwarded": {"send": "both"}, "plugins": [SHOW],
                       "listen": [{"address": "[::1]:%d" % port}, {"address": "unix:" + path}]}, [plain_api("p", "back")])
    with Client(port, host="::1") as c:
        assert c.ask("GET", "/", "p.test").status == 200
    got = back.last.headers
    assert got.one(XFF) == "::1" and got.one("forwarded") == 'by="[::1]";for="[::1]";host=p.test;proto=http'

    def by_unix(headers):
        import socket
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            s.sendall(request_bytes("GET", "/", "p.test", headers))
            assert Stream(s).read_response_head().status == 200
        return back.last.headers
    got = by_unix([("X-Forwarded-For", "9.9.9.9")])
    assert got.one(XFF) == "9.9.9.9" and got.one("x-seen") == "9.9.9.9"
    assert got.one("forwarded").endswith("by=unknown;for=unknown;host=p.test;proto=http")
    assert XFF not in by_unix([])
    del gw
