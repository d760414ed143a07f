# SPDX-License-Identifier: Apache-2.0
"""Active health checks against backends that die, stall, refuse and recover; what status, metrics and readiness say of it."""
import threading
import time

import pytest

import backend as peer
import prom
from confgen import plain_api, upstream
from gateway import SLOW, free_port
from wire import response_bytes, wait_until

CHECK = {"interval": "60ms", "timeout": "200ms", "healthy": 2, "unhealthy": 2}
PATIENCE = 10.0


class Sick:
    """A backend whose checks answer what the test says; traffic is answered by its name."""

    def __init__(self, make, name, path="/hz", **how):
        self.path, self.name, self.status, self.stall = path, name, 200, False
        self.checks, self.hosts = 0, []
        self.gate = threading.Event()
        self.back = make.backend(self.answer, **how)
        self.target, self.port = self.back.target, self.back.port

    def answer(self, req):
        if req.target != self.path:
            return response_bytes(200, [("X-Backend", self.name)], b"served")
        self.checks += 1
        self.hosts.append(req.headers.one("host"))
        if self.stall:
            self.gate.wait(20)
        return response_bytes(self.status, body=b"x" * 1000)


def metrics(gw):
    return prom.parse(gw.metrics())


def healthy(gw, up, target):
    return metrics(gw).value("sallyport_upstream_healthy", upstream=up, target=target)


def wait_healthy(gw, up, target, value):
    wait_until(lambda: healthy(gw, up, target) == value, PATIENCE * SLOW, "healthy %d of %s" % (value, target))


def names(gw, n=12, host="any.test"):
    out = set()
    for _ in range(n):
        got = gw.ask(host=host)
        out.add(got.headers.one("x-backend") if got.status == 200 else got.status)
    return out


def ready_lines(gw):
    got = gw.status_page("/readyz?verbose")
    return got.status, got.body.decode()


def test_out_and_back(make):
    a, b = Sick(make, "a"), Sick(make, "b")
    gw = make.gateway({"upstreams": [upstream("u", a, b, health=dict(CHECK, path="/hz"))]}, [plain_api("p", "u")])
    assert names(gw) == {"a", "b"}
    a.status = 500
    wait_healthy(gw, "u", a.target, 0)
    assert names(gw) == {"b"}
    status, text = ready_lines(gw)
    assert status == 200 and "[+] upstream u: 1 of 2 targets usable (unhealthy)" in text
    b.back.refuse()
    wait_healthy(gw, "u", b.target, 0)
    assert names(gw, 3) == {503}  # none is left: never a call that cannot succeed
    before = len(a.back.requests) - a.checks
    assert gw.ask().status == 503 and len(a.back.requests) - a.checks == before
    status, text = ready_lines(gw)  # the gateway itself is ready: other APIs are served
    assert status == 200 and "[-] upstream u: 0 of 2 targets usable (unhealthy)" in text and text.endswith("ready\n")
    assert gw.status_page("/readyz").body == b"ready\n"
    a.status = 204
    wait_healthy(gw, "u", a.target, 1)
    assert names(gw) == {"a"}
    log = gw.log()
    assert log.count("target %s is unhealthy: its answer's status" % a.target) == 1
    assert log.count("target %s is healthy again" % a.target) == 1
    assert log.count("target %s is unhealthy: connection refused" % b.target) == 1
    m = metrics(gw)
    assert m.value("sallyport_upstream_checks_total", upstream="u", target=a.target, result="ok") >= 2
    assert m.value("sallyport_upstream_checks_total", upstream="u", target=b.target, result="failed") >= 2


def test_stalls_and_resets_are_bad(make):
    a = Sick(make, "a")
    late = make.backend(serve=lambda c: (c.read_request(), c.send(b"HTTP/1.1 200 OK\r\n"), c.drain()))
    lies = make.backend(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), peer.hang()])
    cut = make.backend(script=[peer.request(), peer.reset()])
    gw = make.gateway({"upstreams": [upstream("u", a, late, lies, cut, health=dict(CHECK, path="/hz"))]}, [plain_api("p", "u")])
    for bad in (late, lies, cut):
        wait_healthy(gw, "u", bad.target, 0)
    assert names(gw) == {"a"} and healthy(gw, "u", a.target) == 1
    a.stall = True
    wait_healthy(gw, "u", a.target, 0)
    a.gate.set()
    a.stall = False
    wait_healthy(gw, "u", a.target, 1)


def test_the_first_check_decides_at_once(make):
    a = Sick(make, "a")
    slow = dict(CHECK, path="/hz", interval="1m", unhealthy=100)
    gw = make.gateway({"upstreams": [upstream("u", a, "127.0.0.1:%d" % free_port(), health=slow)]}, [plain_api("p", "u")])
    wait_until(lambda: a.checks and metrics(gw).sum("sallyport_upstream_healthy", upstream="u") == 1, PATIENCE * SLOW, "one of two")
    assert names(gw) == {"a"} and a.checks == 1


def test_tcp(make):
    port = free_port()
    gw = make.gateway({"upstreams": [upstream("u", "127.0.0.1:%d" % port, health=dict(CHECK, type="tcp"))]}, [plain_api("p", "u")])
    target = "127.0.0.1:%d" % port
    wait_healthy(gw, "u", target, 0)
    assert gw.ask().status == 503
    back = make.backend(peer.ok, port=port)
    wait_healthy(gw, "u", target, 1)
    assert gw.ask().status == 200 and len(back.requests) == 1


def test_port_host_and_expect(make):
    a, checked = Sick(make, "a"), Sick(make, "checked", path="/deep?full=1")
    checked.status = 418
    gw = make.gateway({"upstreams": [upstream("u", a, health=dict(CHECK, path="/deep?full=1", port=checked.port, host="health.test", expect=418))]},
                      [plain_api("p", "u")])
    wait_until(lambda: checked.checks >= 3, PATIENCE * SLOW, "checks")
    assert set(checked.hosts) == {"health.test"} and a.checks == 0
    assert healthy(gw, "u", a.target) == 1
    checked.status = 200
    wait_healthy(gw, "u", a.target, 0)
    assert all(r.headers.one("user-agent") == "sallyport-health" and r.method == "GET" for r in checked.back.requests)


def test_one_thread_checks_for_all(make):
    """Four threads, one check per interval; and all of them know."""
    a, b = Sick(make, "a"), Sick(make, "b")
    gw = make.gateway({"upstreams": [upstream("u", a, b, health=dict(CHECK, path="/hz", interval="200ms"))], "threads": 4}, [plain_api("p", "u")])
    wait_until(lambda: a.checks >= 1, PATIENCE * SLOW, "a check")
    start, n = time.monotonic(), a.checks
    wait_until(lambda: a.checks >= n + 5, PATIENCE * SLOW, "more checks")
    assert time.monotonic() - start > 5 * 0.18 * 0.8
    a.status = 500
    wait_healthy(gw, "u", a.target, 0)
    assert names(gw, 24) == {"b"}


def conf_of(ups):
    return {"upstreams": ups}


def test_state_and_checks_over_a_reload(make):
    """Unchanged: the same checks go on. Changed: what is known of an address holds. Gone: its checks stop."""
    a, b = Sick(make, "a"), Sick(make, "b")
    up = upstream("u", a, b, health=dict(CHECK, path="/hz"))
    gw = make.gateway(conf_of([up]), [plain_api("p", "u")])
    b.status = 500
    wait_healthy(gw, "u", b.target, 0)
    gw.write(dict(conf_of([up]), timeouts={"idle": "60s"}))
    gw.reload()
    assert healthy(gw, "u", b.target) == 0 and names(gw) == {"a"}
    slow = dict(up, health=dict(CHECK, path="/hz", interval="1m"))
    gw.write(conf_of([slow]))
    gw.reload()
    assert healthy(gw, "u", b.target) == 0 and names(gw) == {"a"}
    time.sleep(0.4)  # old checks would have come five times
    n = b.checks
    time.sleep(0.4)
    assert b.checks == n, "checks of a retired upstream go on"
    plain = {k: v for k, v in up.items() if k != "health"}
    gw.write(conf_of([plain]))
    gw.reload()
    assert names(gw) == {"a", "b"}
    assert gw.log().count("target %s is unhealthy" % b.target) == 1


@pytest.mark.nochaos
def test_status_command(make):
    a = Sick(make, "a")
    gw = make.gateway(conf_of([upstream("u", a, health=dict(CHECK, path="/hz"))]), [plain_api("p", "u")])
    a.status = 500
    wait_healthy(gw, "u", a.target, 0)

    def find(value):
        if isinstance(value, dict):
            if value.get("id") == "u":
                return value
            value = list(value.values())
        if isinstance(value, list):
            return next((f for f in map(find, value) if f), None)
        return None
    target = find(gw.status())["targets"][0]
    assert target["healthy"] is False and target["unhealthy"] == 1 and target["checks_failed"] >= 1
    assert "u" in gw.command("status").stdout
