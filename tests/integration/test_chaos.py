# SPDX-License-Identifier: Apache-2.0
"""The plugin chaos itself: it waits, splits, holds, resumes late and twice, and the client sees nothing of it."""
import hashlib
import os

import pytest

import backend as peer
import prom
from confgen import plain_api, upstream
from wire import response_bytes

pytestmark = pytest.mark.nochaos  # these tests bring their own
SEED = int(os.environ.get("SALLYPORT_TEST_CHAOS_SEED", "0") or 0) or int.from_bytes(os.urandom(3), "big")


def entries(count, **options):
    return [{"use": "chaos", "id": "c%d" % i, "with": dict({"seed": SEED + i}, **options)} for i in range(count)]


def events(gw):
    got = prom.parse(gw.metrics()).match("sallyport_plugin_chaos_events_total")
    return {dict(k)["what"]: v for k, v in got.items()}


def busy(make, plugins, handler=peer.echo):
    back = make.backend(handler)
    gw = make.gateway({"plugins": plugins, "upstreams": [upstream("backend", back)]}, [plain_api("plain", "backend")])
    print("chaos seed %d" % SEED)
    return gw, back


def test_requests_and_bodies_stay_whole(make):
    gw, back = busy(make, entries(3, pending=60, body=90, split=70, hold=70, delay="2ms"))
    for i in range(60):
        body = os.urandom(1 + (i * 977) % 60000)
        with gw.connect() as c:
            for chunked in (False, True):
                got = c.ask("POST", "/x?n=%d" % i, body=body, chunked=chunked)
                assert got.status == 200, got
                assert hashlib.sha256(body).hexdigest().encode() in got.body, "seed %d" % SEED
    back.check()
    seen = events(gw)
    assert seen.get("bad", 0) == 0, "seed %d: %r" % (SEED, seen)
    for what in ("suspend", "timer", "race", "stale", "resumed", "double", "stream", "observe", "split", "hold", "body_wait"):
        assert seen[what] > 0, "seed %d: no %s in %r" % (SEED, what, seen)


def test_large_answers_stay_whole(make):
    data = os.urandom(3 << 20)
    gw, _ = busy(make, entries(2, pending=20, body=100, split=100, hold=100), lambda _: response_bytes(200, None, data))
    for _ in range(4):
        got = gw.ask()
        assert got.status == 200 and got.body == data, "seed %d" % SEED
    assert events(gw).get("bad", 0) == 0


def test_bytes_held_across_chunks_come_out_at_the_end(make):
    sizes = [20000] * 100  # more than one read brings
    data = os.urandom(2000000)
    gw, _ = busy(make, entries(2, pending=0, body=100, split=50, hold=90, across=True),
                 lambda _: response_bytes(200, None, data, chunked=True, sizes=sizes))
    for _ in range(10):
        assert gw.ask().body == data, "seed %d" % SEED
    seen = events(gw)
    assert seen.get("bad", 0) == 0 and seen["hold"] > 0


def test_late_resumes_are_refused(make):
    gw, _ = busy(make, entries(2, pending=100, body=0, delay="1ms"), peer.ok)
    for _ in range(40):
        assert gw.ask().body == b"ok"
    gw.ask()  # exchange_end moves the counts of the thread that resumes
    seen = events(gw)
    assert seen.get("bad", 0) == 0 and seen["late"] > 0 and seen["double"] > 0, "seed %d: %r" % (SEED, seen)


def test_clients_that_go_away_leave_nothing_behind(make):
    gw, _ = busy(make, entries(2, pending=100, body=100, delay="20ms"), lambda _: response_bytes(200, None, b"x" * 200000))
    for i in range(40):
        c = gw.connect()
        c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 50000\r\n\r\n" + b"y" * (i * 1000))
        (c.reset if i % 2 else c.close)()
    got = gw.ask("POST", body=b"z" * 1000)
    assert got.status == 200 and got.body == b"x" * 200000
    assert events(gw).get("bad", 0) == 0, "seed %d" % SEED


def test_bodies_that_grow_too_large_while_hooks_wait(make):
    """The request is answered without them: what they give then is refused, and nobody is the worse for it."""
    back = make.backend(peer.echo)
    gw = make.gateway({"plugins": entries(3, pending=100, body=100, hold=100, split=50, delay="15ms"), "limits": {"body": "64KB"},
                       "upstreams": [upstream("backend", back)]}, [plain_api("plain", "backend")])
    for i in range(40):
        with gw.connect() as c:
            c.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 16384 + b"\r\n" + b"1\r\ny\r\n" * (i % 5))
            c.quiet(0.002 + i % 10 * 0.004)  # some hook or other waits by then
            c.try_send(b"20000\r\n" + b"z" * 131072)
            assert c.read().status == 413
    assert events(gw).get("bad", 0) == 0, "seed %d" % SEED


def test_the_seed_is_in_the_log(make):
    gw, _ = busy(make, entries(1), peer.ok)
    gw.wait_log("seed ")  # the log has a writer of its own
