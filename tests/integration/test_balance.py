# SPDX-License-Identifier: Apache-2.0
"""Which target a request goes to: hashes, weights, open calls, targets that fail and come back."""
import threading
import time

import pytest

import backend as peer
import prom
from confgen import plain_api, upstream
from gateway import CHAOS, SLOW, free_port
from wire import request_bytes, response_bytes, wait_until

HASHES = {"header": {"hash": "header", "name": "X-User"}, "cookie": {"hash": "cookie", "name": "session"},
          "query": {"hash": "query", "name": "user"}, "path": {"hash": "path"}, "ip": {"hash": "client_ip"}}


def weighted(*pairs):
    return [{"address": b.target, "weight": w} for b, w in pairs]


class Env:
    def __init__(self, gw, backs):
        self.gw, self.backs = gw, backs

    def name(self, host, **how):
        got = self.gw.ask(how.pop("method", "GET"), how.pop("target", "/"), host=host, **how)
        assert got.status == 200, got
        return got.headers.one("x-backend")

    def metrics(self):
        return prom.parse(self.gw.metrics())


@pytest.fixture(scope="module")
def env(shared):
    backs = [shared.backend(peer.named("b%d" % k)) for k in range(4)]
    ups = [upstream("hash-" + k, *backs, balance=v) for k, v in HASHES.items()]
    ups += [{"id": "least", "targets": weighted((backs[0], 3), (backs[1], 1)), "balance": "least_connections"},
            {"id": "two", "targets": weighted((backs[0], 3), (backs[1], 1)), "balance": "random_two"}]
    gw = shared.gateway({"upstreams": ups, "threads": 2, "trusted_proxies": ["127.0.0.1"]},
                        [plain_api(u["id"], u["id"], u["id"] + ".test") for u in ups])
    return Env(gw, backs)


def by_key(kind, key):
    if kind == "header":
        return {"headers": [("X-User", key)]}
    if kind == "cookie":
        return {"headers": [("Cookie", "a=1; session=%s; sessions=none" % key)]}
    if kind == "query":
        return {"target": "/x?a=b&user=%s" % key}
    if kind == "path":
        return {"target": "/%s?anything=%g" % (key, time.monotonic())}
    return {"headers": [("X-Forwarded-For", "10.1.%d.%d" % divmod(hash(key) % 60000, 250))]}


@pytest.mark.parametrize("kind", HASHES)
def test_hash(env, kind):
    """The same key the same target, on every thread; many keys all targets."""
    host = "hash-%s.test" % kind
    first = {"k%d" % k: env.name(host, **by_key(kind, "k%d" % k)) for k in range(40)}
    again = {key: env.name(host, **by_key(kind, key)) for key in first}
    assert first == again
    assert set(first.values()) == {"b0", "b1", "b2", "b3"}


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
def test_without_a_key_by_turns(env, kind):
    got = [env.name("hash-%s.test" % kind) for _ in range(16)]
    assert set(got) == {"b0", "b1", "b2", "b3"}


def test_hash_survives_a_target_that_goes(make):
    """And its keys go to the others; with another conf of fewer targets as with a target that is ejected."""
    backs = [make.backend(peer.named("b%d" % k)) for k in range(3)]
    conf = {"upstreams": [upstream("h", *backs, balance=HASHES["header"])]}
    gw = make.gateway(conf, [plain_api("p", "h")])
    keys = ["user-%d" % k for k in range(60)]

    def names():
        return {k: gw.ask(headers=[("X-User", k)]).headers.one("x-backend") for k in keys}
    before = names()
    gw.write({"upstreams": [upstream("h", *backs[:2], balance=HASHES["header"])]})
    gw.reload()
    after = names()
    assert "b2" in before.values() and "b2" not in after.values()
    assert all(after[k] == b for k, b in before.items() if b != "b2")
    backs[1].stop()
    left = names()  # refused, and tried again elsewhere
    assert set(left.values()) == {"b0"}


@pytest.mark.parametrize("host", ["least.test", "two.test"])
def test_weights_when_idle(env, host):
    got = [env.name(host) for _ in range(200)]
    assert 120 <= got.count("b0") <= 180, got.count("b0")


def test_least_connections_counts_all_threads(make):
    gate = threading.Event()

    def hold(req):
        gate.wait(20)
        return peer.ok(req)
    backs = [make.backend(hold) for _ in range(2)]
    gw = make.gateway({"upstreams": [upstream("l", *backs, balance="least_connections")], "threads": 4}, [plain_api("p", "l")])
    clients = []
    for k in range(12):
        clients.append(gw.connect())
        clients[-1].send(request_bytes())
        wait_until(lambda n=k + 1: sum(len(b.requests) for b in backs) == n, 5 * SLOW, "request %d" % (k + 1))
    assert [len(b.requests) for b in backs] == [6, 6]
    gate.set()
    for c in clients:
        assert c.read().status == 200
        c.close()


def test_a_failing_target_is_ejected_and_comes_back(make):
    good, bad = make.backend(peer.named("good")), make.backend(script=[peer.request(), peer.reset()])
    gw = make.gateway({"upstreams": [upstream("u", good, bad, ejection={"failures": 2, "time": "300ms", "max_time": "300ms"})], "threads": 1},
                      [plain_api("p", "u")])
    env = Env(gw, [good, bad])
    end = time.monotonic() + 10 * SLOW
    failed = 0
    while "is ejected for 300 ms" not in gw.log():
        failed += gw.ask("POST", "/", body=b"x").status == 502
        assert time.monotonic() < end
    assert failed >= 2 or CHAOS
    if not CHAOS:
        assert len(bad.requests) == failed == 2
    assert env.metrics().value("sallyport_upstream_ejections_total", upstream="u", target=bad.target) >= 1
    bad.program(peer.named("bad"))
    wait_until(lambda: gw.ask().headers.one("x-backend") == "bad", 5 * SLOW, "the bad one's return")
    gw.wait_log("target %s answers again" % bad.target)
    wait_until(lambda: env.metrics().value("sallyport_upstream_healthy", upstream="u", target=bad.target) == 1, 5, "a healthy target")


def test_statuses_that_count_as_failures(make):
    good, bad = make.backend(peer.named("good")), make.backend(lambda _: response_bytes(503, body=b"no"))
    gw = make.gateway({"upstreams": [upstream("u", good, bad, ejection={"failures": 3, "time": "30s", "statuses": 503})], "threads": 1},
                      [plain_api("p", "u")])
    got = [gw.ask().status for _ in range(30)]
    assert got.count(503) == 3 and len(bad.requests) == 3, got


def test_the_only_target_is_never_ejected(make):
    back = make.backend(script=[peer.request(), peer.reset()])
    gw = make.gateway({"upstreams": [upstream("u", back, ejection={"failures": 1, "time": "30s"})], "threads": 1}, [plain_api("p", "u")])
    assert [gw.ask("POST", "/", body=b"x").status for _ in range(4)] == [502] * 4
    back.program(peer.ok)
    assert gw.ask().status == 200


def test_ejection_survives_a_reload(make):
    """Of the same upstream, and of one that changed."""
    good = make.backend(peer.named("good"))
    conf = {"upstreams": [upstream("u", good, "127.0.0.1:%d" % free_port(), ejection={"failures": 1, "time": "60s"})], "threads": 1}
    gw = make.gateway(conf, [plain_api("p", "u")])
    assert [gw.ask().status for _ in range(4)] == [200] * 4
    assert gw.log().count("is ejected for") == 1
    gw.write(dict(conf, timeouts={"idle": "70s"}))
    gw.reload()
    conf["upstreams"][0]["pool"] = {"idle": 3}
    gw.write(conf)
    gw.reload()
    assert [gw.ask().status for _ in range(4)] == [200] * 4
    status = gw.status()["worker"] if "worker" in gw.status() else gw.status()
    assert gw.log().count("is ejected for") == 1, status
