# SPDX-License-Identifier: Apache-2.0
"""The status listener: /livez, /readyz and /metrics, read strictly, with bounded labels and route templates only."""
import re

import pytest

import backend as peer
import client
import prom
from confgen import doc_api, operation, plain_api, upstream
from gateway import free_port
from wire import wait_until


class Env:
    def __init__(self, gw, back):
        self.gw, self.back = gw, back

    def metrics(self):
        return prom.parse(self.gw.metrics())


@pytest.fixture(scope="module")
def env(shared):
    back = shared.backend(peer.ok)
    uri = "http://%s/" % back.target
    paths = {"/pets": {"get": operation(uri)}, "/pets/{id}": {"get": operation(uri)}, "/any/{proxy+}": {"x-amazon-apigateway-any-method": operation(uri)}}
    gw = shared.gateway({"upstreams": [upstream("back", back)]}, [
        doc_api("pets", paths, "REST", "pets.test", map_stage="prod"), plain_api("plain", "back", "plain.test")])
    return Env(gw, back)


def test_livez(env):
    for _ in range(2):
        got = env.gw.status_page("/livez")
        assert got.status == 200 and got.body.strip() == b"ok"
        assert got.headers.one("content-type").startswith("text/plain")


def test_readyz(env):
    got = env.gw.status_page("/readyz")
    assert got.status == 200 and got.body == b"ready\n", got
    verbose = env.gw.status_page("/readyz?verbose")
    assert verbose.status == 200 and len(verbose.body.splitlines()) >= 3, verbose
    assert verbose.body.endswith(b"ready\n") and b"[-]" not in verbose.body


@pytest.mark.parametrize("path", ["/", "/nothing", "/livez/", "/metricsx", "//livez", "/../livez"])
def test_other_paths(env, path):
    assert env.gw.status_page(path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(env, method):
    got = env.gw.status_page("/metrics", method)
    assert got.status == 405 and "GET" in got.headers.get("allow", "GET")


def test_head(env):
    got = env.gw.status_page("/livez", "HEAD")
    assert got.status == 200 and got.body == b""


def test_keep_alive_and_framing(env):
    with client.Client(env.gw.status_port) as c:
        for path in ("/livez", "/metrics", "/readyz", "/metrics"):
            assert c.ask("GET", path, "status").status == 200
    answer, closed = client.raw(env.gw.status_port, b"GET /livez HTTP/1.1\r\nA : b\r\n\r\n")
    assert answer.status == 400 and closed


def test_metrics_parse_strictly(env):
    got = env.gw.status_page("/metrics")
    assert got.headers.one("content-type").startswith("text/plain; version=0.0.4")
    metrics = prom.parse(got.body.decode())
    assert len(metrics.families) >= 10
    for family in metrics.families.values():
        assert family.help, family.name
        assert family.name.startswith("sallyport_") or family.name.startswith("process_"), family.name
        assert not re.search(r"_(ms|milliseconds|us|microseconds|kb|percent)(_|$)", family.name), "base units only: " + family.name


def requests_family(metrics):
    family = metrics.families["sallyport_requests_total"]
    assert family.kind == "counter"
    assert all({k for k, _ in labels} == {"api", "stage", "method", "route", "code"} for _, labels in family.samples)
    return family


def settled(env):
    """The family once all requests before are in it: they are counted behind their answers."""
    last = {}

    def unchanged():
        nonlocal last
        before, metrics = last, env.metrics()
        last = metrics.families["sallyport_requests_total"].samples if "sallyport_requests_total" in metrics.families else {}
        return before and before == last
    wait_until(unchanged, 10, "requests that are counted", 0.05)
    return requests_family(env.metrics())


def test_requests_are_counted_by_route_template(env):
    env.gw.ask("GET", "/pets", host="pets.test")
    before = settled(env)
    for k in range(30):
        assert env.gw.ask("GET", "/pets/%d?token=secret%d" % (k, k), host="pets.test").status == 200
    for k in range(5):
        assert env.gw.ask("GET", "/nothing/%d" % k, host="pets.test").status == 403
    wait_until(lambda: sum(requests_family(env.metrics()).samples.values()) >= sum(before.samples.values()) + 35, 5, "35 more requests")
    after = requests_family(env.metrics())
    counted = {k: v - before.samples.get(k, 0) for k, v in after.samples.items() if v != before.samples.get(k, 0)}
    routes = {dict(k[1])["route"]: v for k, v in counted.items()}
    assert routes.pop("/pets/{id}") == 30 and len(routes) == 1 and sum(routes.values()) == 5, counted
    text = env.gw.metrics()
    assert "secret" not in text and "/pets/7" not in text and "/nothing" not in text


def test_hosts_and_methods_of_strangers_make_no_series(env):
    before = len(env.metrics().samples)
    for k in range(50):
        env.gw.ask("GET", "/x%d" % k, host="h%d.test" % k)
        env.gw.raw(b"BREW%d / HTTP/1.1\r\nHost: pets.test\r\n\r\n" % k)
    assert len(env.metrics().samples) < before + 12


def test_upstream_connections_are_counted(env):
    """Known to be published by the threads now and then, so this waits."""
    env.gw.ask("GET", "/x", host="plain.test")

    def connects():
        return env.metrics().sum("sallyport_upstream_connects_total", upstream="back")
    wait_until(lambda: connects() >= 1, 5, "a connect of the upstream")
    wait_until(lambda: env.metrics().sum("sallyport_upstream_calls_total", upstream="back", result="ok") >= 1, 5, "a call")


def test_latency_histograms_are_in_seconds(env):
    env.gw.ask("GET", "/pets/1", host="pets.test")
    settled(env)
    metrics = env.metrics()
    found = [f for f in metrics.families.values() if f.kind == "histogram"]
    assert found and all(f.name.endswith(("_seconds", "_bytes")) for f in found), [f.name for f in found]
    latency = [f for f in found if f.name.endswith("_seconds")][0]
    assert any(k[0].endswith("_count") and v > 0 for k, v in latency.samples.items())


def test_counters_only_grow(env):
    a = env.metrics()
    for k in range(5):
        env.gw.ask("GET", "/x", host="plain.test")
    b = env.metrics()
    for family in a.families.values():
        if family.kind == "counter":
            for k, v in family.samples.items():
                assert b.families[family.name].samples.get(k, -1) >= v, k


def test_metrics_survive_a_reload(env):
    env.gw.ask("GET", "/pets/1", host="pets.test")
    before = sum(settled(env).samples.values())
    env.gw.reload()
    assert sum(requests_family(env.metrics()).samples.values()) >= before


def test_readyz_tells_of_a_name_that_does_not_resolve(make):
    gw = make.gateway({"upstreams": [upstream("lost", "no-such-name.invalid:80")],
                       "resolver": {"servers": ["127.0.0.1:%d" % free_port()], "timeout": "200ms", "tries": 1}}, [plain_api("p", "lost")])
    gw.ask()
    got = gw.status_page("/readyz?verbose")
    assert got.status in (200, 503) and b"lost" in got.body, got
    assert gw.status_page("/livez").status == 200


def test_no_status_listener_unless_asked_for(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back")], status=False)
    assert gw.ask().status == 200
    with pytest.raises(ConnectionError):
        gw.status_page("/livez")


def test_many_scrapes(env):
    sizes = {len(env.metrics().samples) for _ in range(30)}
    assert max(sizes) - min(sizes) <= 5
