# SPDX-License-Identifier: Apache-2.0
"""Targets by name: all their addresses, changes without a reload, TTLs, names that cannot be found at the start."""
import socket
import time

import pytest

import backend as peer
import prom
from confgen import plain_api, upstream
from dns import AAAA, NameServer
from gateway import CHAOS, SLOW, free_port
from wire import wait_until

PATIENCE = 10.0


@pytest.fixture
def dns():
    made = NameServer()
    yield made
    made.stop()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def same_port(make, *hosts):
    """A backend on each address, all on one port, named by their addresses."""
    for _ in range(20):
        port = free_port()
        try:
            return [make.backend(peer.named(h), host=h, port=port) for h in hosts], port
        except OSError:
            continue
    raise AssertionError("no common port")


def start(make, dns, port, **more):
    conf = {"upstreams": [upstream("u", "pets.test:%d" % port, **more)], "threads": 1,
            "resolver": {"servers": dns.address, "timeout": "300ms", "tries": 1, "ttl_negative": "1s"}}
    return make.gateway(conf, [plain_api("p", "u")])


def names(gw, n=12):
    got = [gw.ask() for _ in range(n)]
    return {a.headers.one("x-backend") if a.status == 200 else a.status for a in got}


def test_all_addresses_and_changes(make, dns):
    _, port = same_port(make, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    dns.names["pets.test"] = ["127.0.0.2", "127.0.0.3"]
    gw = start(make, dns, port)
    assert names(gw) == {"127.0.0.2", "127.0.0.3"}
    dns.names["pets.test"] = ["127.0.0.3", "127.0.0.4"]
    wait_until(lambda: names(gw, 6) == {"127.0.0.3", "127.0.0.4"}, PATIENCE * SLOW, "the new addresses")
    dns.silent = True  # the old ones stay while nobody answers
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert names(gw, 2) <= {"127.0.0.3", "127.0.0.4"}
    dns.silent = False
    dns.names.clear()  # who must know says that it is gone
    wait_until(lambda: gw.ask().status == 503, PATIENCE * SLOW, "the name's end")
    dns.names["pets.test"] = ["127.0.0.2"]
    wait_until(lambda: names(gw, 2) == {"127.0.0.2"}, PATIENCE * SLOW, "the name's return")


def test_both_families(make, dns):
    if not has_ipv6():
        pytest.skip("no IPv6 on loopback")
    _, port = same_port(make, "127.0.0.2", "::1")
    dns.names["pets.test"] = ["127.0.0.2", "::1"]
    gw = start(make, dns, port)
    assert names(gw) == {"127.0.0.2", "::1"}
    assert dns.count("pets.test", AAAA) >= 1


def test_a_family_that_is_not_reached(make, dns):
    """Requests go on to the other, at no one's cost."""
    _, port = same_port(make, "127.0.0.2")
    dns.names["pets.test"] = ["127.0.0.2", "2001:db8::1"]
    gw = start(make, dns, port, timeouts={"connect": "300ms"})
    assert names(gw) == {"127.0.0.2"}
    assert gw.ask("POST", "/", body=b"x").status == 200


def test_ttl(make, dns):
    """Not asked again while it lasts; a chain is as short-lived as its shortest part."""
    _, port = same_port(make, "127.0.0.2", "127.0.0.3")
    dns.names.update({"pets.test": ["127.0.0.2"]})
    dns.ttl = 60
    gw = start(make, dns, port)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert names(gw, 1) == {"127.0.0.2"}
        time.sleep(0.02)
    assert dns.count("pets.test") == 1


def test_alias(make, dns):
    _, port = same_port(make, "127.0.0.2", "127.0.0.3")
    dns.names.update({"pets.test": ("cname", "real.test"), "real.test": ["127.0.0.2"]})
    gw = start(make, dns, port)
    assert names(gw) == {"127.0.0.2"}
    dns.names.update({"pets.test": ("cname", "other.test"), "other.test": ["127.0.0.3"]})
    wait_until(lambda: names(gw, 2) == {"127.0.0.3"}, PATIENCE * SLOW, "the other alias")


def verbose(gw):
    got = gw.status_page("/readyz?verbose")
    return got.status, got.body.decode()


@pytest.mark.parametrize("how", ["silent", "no such name"])
def test_unresolvable_at_start_recovers_alone(make, dns, how):
    """It does not hold the start up, shows, and is found without a request."""
    _, port = same_port(make, "127.0.0.2")
    if how == "silent":
        dns.names["pets.test"] = ["127.0.0.2"]
        dns.silent = True
    begun = time.monotonic()
    gw = start(make, dns, port)
    assert time.monotonic() - begun < 15 * SLOW
    wait_until(lambda: "[-] upstream u: 0 of 1 targets usable" in verbose(gw)[1], PATIENCE * SLOW, "a line about the name")
    status, text = verbose(gw)
    assert status == 200 and text.endswith("ready\n")
    assert ("no such name" if how != "silent" else "no name server answered in time") in text
    assert gw.ask().status == 503
    m = prom.parse(gw.metrics())
    assert m.value("sallyport_upstream_healthy", upstream="u", target="pets.test:%d" % port) == 0
    dns.names["pets.test"], dns.silent = ["127.0.0.2"], False
    wait_until(lambda: "[+] upstream u: 1 of 1 targets usable" in verbose(gw)[1], PATIENCE * SLOW, "the name")
    assert names(gw, 3) == {"127.0.0.2"}


def test_a_dead_address_of_a_name(make, dns):
    """Its calls go on to the others; it is ejected, and used again when it is back."""
    backs, port = same_port(make, "127.0.0.2", "127.0.0.3")
    dns.names["pets.test"] = ["127.0.0.2", "127.0.0.3"]
    dns.ttl = 60
    gw = start(make, dns, port, ejection={"failures": 2, "time": "200ms", "max_time": "200ms"})
    assert names(gw) == {"127.0.0.2", "127.0.0.3"}
    backs[1].stop()
    assert names(gw, 20) == {"127.0.0.2"}
    if not CHAOS:
        gw.wait_log("127.0.0.3:%d is ejected" % port)
    make.backend(peer.named("127.0.0.3"), host="127.0.0.3", port=port)
    wait_until(lambda: "127.0.0.3" in names(gw, 2), PATIENCE * SLOW, "the address' return")


def test_checks_of_a_name(make, dns):
    """Every address is checked by itself; new ones are checked too."""
    bad = {"127.0.0.3"}

    def serve(host):
        return lambda req: peer.named(host)(req) if req.target != "/hz" or host not in bad else b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    backs, port = same_port(make, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    for host, b in zip(("127.0.0.2", "127.0.0.3", "127.0.0.4"), backs):
        b.program(serve(host))
    dns.names["pets.test"] = ["127.0.0.2", "127.0.0.3"]
    gw = start(make, dns, port, health={"path": "/hz", "interval": "50ms"})
    gw.wait_log("127.0.0.3:%d is unhealthy" % port)
    assert names(gw) == {"127.0.0.2"}
    bad.add("127.0.0.4")
    dns.names["pets.test"] = ["127.0.0.3", "127.0.0.4"]
    gw.wait_log("127.0.0.4:%d is unhealthy" % port)
    wait_until(lambda: gw.ask().status == 503, PATIENCE * SLOW, "nobody left")
    bad.clear()
    wait_until(lambda: names(gw) == {"127.0.0.3", "127.0.0.4"}, PATIENCE * SLOW, "both")
