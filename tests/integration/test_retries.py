# SPDX-License-Identifier: Apache-2.0
"""Further attempts: only where nothing can be done twice, on another target, within the budget and the integration's time."""
import hashlib
import json
import threading
import time

import pytest

import backend as peer
import prom
from confgen import doc_api, operation, plain_api, upstream
from gateway import CHAOS, SLOW, free_port
from wire import request_bytes, response_bytes, wait_until

OFF = {"failures": 0}  # so that the bad target keeps its turns
WIDE = {"percent": 1000, "min_per_second": 1000}
ALL = ["connect", "reset", "timeout", 429, 502, 503, 504]
LANES = 24


class Lane:
    """Two targets, good and bad: of many requests half go to the bad one first."""

    def __init__(self, gw, good, bad, host):
        self.gw, self.good, self.bad, self.host = gw, good, bad, host

    def ask(self, method="GET", **how):
        return self.gw.ask(method, "/x", host=self.host, **how)

    def both(self, method="GET", **how):
        """Two requests, one of which begins at the bad target."""
        return [self.ask(method, **how) for _ in range(2)]


@pytest.fixture(scope="module")
def lanes(shared):
    pairs = [(shared.backend(peer.echo), shared.backend()) for _ in range(LANES)]
    ups = [upstream("u%d" % k, *p, ejection=OFF, timeouts={"connect": "1s", "first_byte": "300ms"},
                    retries={"on": ALL, "budget": WIDE}) for k, p in enumerate(pairs)]
    apis = [plain_api("p%d" % k, "u%d" % k, "p%d.test" % k) for k in range(LANES)]
    gw = shared.gateway({"upstreams": ups, "threads": 1}, apis)
    return iter([Lane(gw, good, bad, "p%d.test" % k) for k, (good, bad) in enumerate(pairs)])


@pytest.fixture
def lane(lanes):
    return next(lanes)


def sha(body):
    return hashlib.sha256(body).hexdigest()


FAILS = {"reset": [peer.request(), peer.reset()], "close": [peer.request(), peer.close()], "hang": [peer.request(), peer.hang()],
         "503": [peer.request(), peer.send(response_bytes(503, body=b"busy")), peer.hang()],
         "429": [peer.request(), peer.send(response_bytes(429, body=b"busy")), peer.hang()]}


@pytest.mark.parametrize("how", FAILS)
def test_idempotent_is_tried_elsewhere(lane, how):
    lane.bad.program(script=FAILS[how])
    assert [a.status for a in lane.both()] == [200, 200]
    body = b"put " * 1000
    for answer in lane.both("PUT", body=body):
        assert answer.status == 200
        seen = json.loads(answer.body)
        assert seen["method"] == "PUT" and seen["sha"] == sha(body) and seen["length"] == len(body)
    if not CHAOS:
        assert len(lane.bad.requests) == 2 and len(lane.good.requests) == 4


@pytest.mark.parametrize("how", FAILS)
def test_a_post_is_sent_once(lane, how):
    lane.bad.program(script=FAILS[how])
    got = [a.status for a in lane.both("POST", body=b"pay")]
    expected = {"reset": 502, "close": 502, "hang": 504, "503": 503, "429": 429}[how]
    assert sorted(got) == [200, expected]
    assert len(lane.bad.requests) + len(lane.good.requests) == 2


def test_a_post_that_could_not_be_sent_goes_elsewhere(lane):
    lane.bad.refuse()
    body = b"pay " * 3000
    for _ in range(3):
        for answer in lane.both("POST", body=body):
            assert answer.status == 200 and json.loads(answer.body)["sha"] == sha(body)
    chunked = lane.both("POST", body=body, chunked=True)
    for answer in chunked:
        assert answer.status == 200 and json.loads(answer.body)["sha"] == sha(body)


def test_a_body_that_is_gone_is_not_sent_again(lane):
    """More than is kept: the failure is the answer, and never half a body arrives."""
    lane.bad.program(script=FAILS["reset"])
    body = b"x" * 300000
    got = [lane.ask("PUT", body=body) for _ in range(4)]
    assert {a.status for a in got} == {200, 502}
    for answer in got:
        if answer.status == 200:
            assert json.loads(answer.body)["sha"] == sha(body)


def test_a_body_still_on_its_way(lane):
    """The first part was sent to a target that fails; the rest comes later and goes to the next one behind it."""
    lane.bad.program(serve=lambda c: (c.read_head(), c.reset()))
    for _ in range(2):
        with lane.gw.connect() as c:
            c.send(b"PUT /x HTTP/1.1\r\nHost: %s\r\nContent-Length: 12\r\n\r\nfirst " % lane.host.encode())
            time.sleep(0.15)
            c.send(b"second")
            answer = c.read("PUT")
            assert answer.status == 200 and json.loads(answer.body)["sha"] == sha(b"first second")


def test_an_answer_that_has_begun_is_final(lane):
    lane.bad.program(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nA: b"), peer.reset()])
    got = sorted(a.status for a in lane.both())
    assert got == [200, 502] and len(lane.good.requests) == 1


def test_lies_are_not_tried_again(lane):
    lane.bad.program(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), peer.hang()])
    assert sorted(a.status for a in lane.both()) == [200, 502]


def test_refusals_everywhere_are_passed_on(lane):
    """The last target's own answer reaches the client."""
    for b in (lane.good, lane.bad):
        b.program(lambda _: response_bytes(503, [("Retry-After", "7")], b"all are busy"))
    answer = lane.ask()
    assert answer.status == 503 and answer.body == b"all are busy" and answer.headers.one("retry-after") == "7"
    assert len(lane.good.requests) == len(lane.bad.requests) == 1


def test_nobody_is_there(lane):
    lane.good.refuse()
    lane.bad.refuse()
    start = time.monotonic()
    assert lane.ask().status == 503 and lane.ask("POST", body=b"x").status == 503
    assert time.monotonic() - start < 3 * SLOW


def metrics(gw):
    return prom.parse(gw.metrics())


def test_default_is_connect_alone(make):
    good, bad = make.backend(peer.echo), make.backend(script=FAILS["reset"])
    dead = "127.0.0.1:%d" % free_port()
    gw = make.gateway({"upstreams": [upstream("r", good, bad), upstream("c", good, dead), upstream("none", good, dead, retries={"attempts": 1})],
                       "threads": 1}, [plain_api(n, n, n + ".test") for n in ("r", "c", "none")])
    assert sorted(gw.ask(host="r.test").status for _ in range(2)) == [200, 502]
    assert [gw.ask("POST", "/", host="c.test", body=b"x").status for _ in range(4)] == [200] * 4
    assert sorted(gw.ask(host="none.test").status for _ in range(2)) == [200, 503]


def test_budget(make):
    good = make.backend(peer.echo)
    up = upstream("u", good, "127.0.0.1:%d" % free_port(), ejection=OFF, retries={"budget": {"percent": 10, "min_per_second": 0}})
    gw = make.gateway({"upstreams": [up], "threads": 1}, [plain_api("p", "u")])
    got = [gw.ask().status for _ in range(100)]
    assert got.count(503) in range(40, 43) and got.count(200) == 100 - got.count(503)
    m = metrics(gw)
    assert m.value("sallyport_upstream_retries_total", upstream="u") in range(8, 11)
    assert m.value("sallyport_upstream_retry_budget_exhausted_total", upstream="u") == got.count(503)


def test_attempts_are_bounded(make):
    backs = [make.backend(script=FAILS["close"]) for _ in range(5)]
    gw = make.gateway({"upstreams": [upstream("u", *backs, retries={"on": "reset", "attempts": 3})], "threads": 1}, [plain_api("p", "u")])
    assert gw.ask().status == 502
    assert sum(len(b.requests) for b in backs) == 3 and max(len(b.requests) for b in backs) == 1


def test_the_integration_bounds_all_attempts(make):
    backs = [make.backend(script=FAILS["hang"]) for _ in range(5)]
    up = upstream("u", *backs, timeouts={"first_byte": "250ms"}, retries={"on": "timeout", "attempts": 5, "budget": WIDE})
    op = operation("http://any.internal/x", "GET", 600)
    op["x-amazon-apigateway-integration"].update({"connectionType": "VPC_LINK", "connectionId": "link"})
    gw = make.gateway({"upstreams": [up], "vpc_links": {"link": "u"}, "threads": 1},
                      [doc_api("r", {"/x": {"get": op}}, "REST", "rest.test", map_stage="prod")])
    start = time.monotonic()
    assert gw.ask("GET", "/x", host="rest.test").status == 504
    assert 0.55 < time.monotonic() - start < 2 * SLOW
    assert sum(len(b.requests) for b in backs) in (2, 3)


def test_attempt_hooks_run_for_each(make):
    """And what they edit is gone with their attempt."""
    good, bad = make.backend(peer.echo), make.backend(script=FAILS["reset"])
    up = upstream("u", good, bad, ejection=OFF, retries={"on": "reset", "budget": WIDE})
    gw = make.gateway({"upstreams": [up], "threads": 1, "plugins": [{"use": "misuse", "with": {"case": "number-attempts"}}]}, [plain_api("p", "u")])
    assert [gw.ask().status for _ in range(4)] == [200] * 4
    first = {h for r in bad.requests for h in r.headers if h[0].startswith("X-Attempt")}
    assert first == {("X-Attempt-1", "1")}
    seen = sorted(tuple(h for h in r.headers if h[0].startswith("X-Attempt")) for r in good.requests)
    assert seen == [(("X-Attempt-1", "1"),)] * 2 + [(("X-Attempt-2", "2"),)] * 2


def test_backoff_waits_for_the_only_target(make):
    port = free_port()
    gw = make.gateway({"upstreams": [upstream("u", "127.0.0.1:%d" % port, retries={"attempts": 6, "backoff": "100ms", "budget": WIDE})],
                       "threads": 1}, [plain_api("p", "u")])
    with gw.connect() as c:
        c.send(request_bytes("POST", "/", body=b"patience"))
        assert c.quiet(0.1)
        back = make.backend(peer.echo, port=port)
        answer = c.read("POST")
    assert answer.status == 200 and json.loads(answer.body)["sha"] == sha(b"patience")
    assert len(back.requests) == 1


def test_a_client_that_leaves_while_it_waits(make):
    gw = make.gateway({"upstreams": [upstream("u", "127.0.0.1:%d" % free_port(), retries={"attempts": 6, "backoff": "200ms", "budget": WIDE})],
                       "threads": 1}, [plain_api("p", "u")])
    for _ in range(5):
        with gw.connect() as c:
            c.send(request_bytes("GET", "/"))
            assert c.quiet(0.05)
            c.reset()
    wait_until(lambda: metrics(gw).sum("sallyport_connections") == 0, 5 * SLOW, "no connection left")


def test_a_line_before_full_pools(make):
    """First come first served; its length and its time are bounded; who leaves gives up the place."""
    gates = [threading.Event() for _ in range(8)]

    def hold(req):
        gates[int(req.target[1:])].wait(20)
        return peer.ok(req)
    back = make.backend(hold)
    ups = [upstream("u", back, pool={"max": 1, "queue": 3, "queue_timeout": "20s"}),
           upstream("late", back, pool={"max": 1, "queue": 3, "queue_timeout": "300ms"})]
    gw = make.gateway({"upstreams": ups, "threads": 1}, [plain_api("p", "u"), plain_api("q", "late", "late.test")])

    def waiting(n):
        wait_until(lambda: metrics(gw).value("sallyport_upstream_queued", upstream="u") == n, 5 * SLOW, "%d in line" % n)
    clients = [gw.connect() for _ in range(4)]
    for k, c in enumerate(clients):
        c.send(request_bytes("POST", "/%d" % k, body=b"x" * 1000))
        back.wait_requests(1)
        waiting(k)
    assert gw.ask("GET", "/5").status == 503  # the line is full
    clients[2].reset()
    waiting(2)
    clients.append(gw.connect())
    clients[4].send(request_bytes("GET", "/4"))
    waiting(3)
    for k in (0, 1, 3):
        gates[k].set()
        assert clients[k].read("POST").status == 200
    gates[4].set()
    assert clients[4].read().status == 200
    assert [r.target for r in back.requests] == ["/0", "/1", "/3", "/4"]
    assert all(len(r.body) == 1000 for r in back.requests[:3])
    waiting(0)
    clients[0].send(request_bytes("GET", "/6", "late.test"))
    back.wait_requests(5)
    start = time.monotonic()
    assert gw.ask("GET", "/7", host="late.test").status == 503
    assert 0.25 < time.monotonic() - start < 10
    gates[6].set()
    assert clients[0].read().status == 200
    assert metrics(gw).value("sallyport_upstream_queue_timeouts_total", upstream="late") == 1
    for c in clients:
        c.close()


def test_a_full_pool_goes_elsewhere(make):
    gate = threading.Event()

    def hold(req):
        gate.wait(20)
        return peer.ok(req)
    backs = [make.backend(hold) for _ in range(2)]
    gw = make.gateway({"upstreams": [upstream("u", *backs, pool={"max": 2})], "threads": 1}, [plain_api("p", "u")])
    clients = [gw.connect() for _ in range(4)]
    for k, c in enumerate(clients):
        c.send(request_bytes())
        wait_until(lambda n=k + 1: sum(len(b.requests) for b in backs) == n, 5 * SLOW, "request %d" % (k + 1))
    assert [len(b.requests) for b in backs] == [2, 2]
    assert gw.ask().status == 503
    gate.set()
    for c in clients:
        assert c.read().status == 200
        c.close()
    assert metrics(gw).sum("sallyport_upstream_pool_full_total", upstream="u") >= 1
    assert metrics(gw).sum("sallyport_upstream_ejections_total", upstream="u") == 0
