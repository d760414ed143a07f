# SPDX-License-Identifier: Apache-2.0
"""What the machine has no more of: descriptors, local ports, memory. New work waits or is refused with 503, counted and told once a minute;
what is in flight goes on, and no target is blamed."""
import os
import resource
import subprocess
import sys
import threading
import time

import pytest

import backend as peer
import prom
from client import Client
from confgen import plain_api, upstream
from gateway import rss_kb, sanitized
from wire import request_bytes, response_bytes, wait_until

pytestmark = pytest.mark.nochaos  # descriptors and bytes are counted
EASILY_BLAMED = {"ejection": {"failures": 1, "time": "30s"}}


def shortages(gw, resource_, at):
    return prom.parse(gw.metrics()).value("sallyport_shortages_total", resource=resource_, at=at)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def leave(gw, n):
    """The worker may open n descriptors more; None: as many as before."""
    if n is None:
        resource.prlimit(gw.worker, resource.RLIMIT_NOFILE, gw.nofile)
        return
    if not hasattr(gw, "nofile"):
        gw.nofile = resource.prlimit(gw.worker, resource.RLIMIT_NOFILE)
    def gapless():
        held = sorted(int(x) for x in os.listdir("/proc/%d/fd" % gw.worker))
        return held == list(range(len(held))) and len(held)
    wait_until(gapless, 5, "no gap between descriptors")
    seen = []
    for _ in range(20):  # what opens and closes all the time, as health checks do, does not count as held
        seen.append(gapless())
        time.sleep(0.01)
    highest = min(n for n in seen if n) - 1
    resource.prlimit(gw.worker, resource.RLIMIT_NOFILE, (highest + 1 + n, gw.nofile[1]))


def test_no_descriptor_for_a_backend(make):
    """503 for who needs a new connection; the target is not blamed; who has a connection goes on."""
    free = threading.Event()

    def slow(req):
        if req.target == "/slow":
            free.wait(20)
        return peer.ok(req)
    back, other = make.backend(slow), make.backend(slow)  # a target that is alone is never ejected
    gw = make.gateway({"upstreams": [upstream("u", back, other, **EASILY_BLAMED, retries={"attempts": 2})], "threads": 1},
                      [plain_api("p", "u")])
    with gw.connect() as first, gw.connect() as second:
        first.send(request_bytes("GET", "/slow"))
        wait_until(lambda: len(back.requests) + len(other.requests) == 1, 10, "the request at a backend")
        gw.metrics()  # whatever it opens once is open
        leave(gw, 0)
        for _ in range(5):
            assert second.ask().status == 503
        leave(gw, None)
        assert second.ask().status == 200
        free.set()
        assert first.read().status == 200
    assert shortages(gw, "descriptors", "connect") == 5
    assert prom.parse(gw.metrics()).sum("sallyport_upstream_ejections_total") == 0
    assert gw.log().count("backends cannot be connected to: no file descriptors are left") == 1


def test_calls_of_plugins_blame_nobody_either(make):
    back, other = make.backend(peer.ok), make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("backend", back, other, **EASILY_BLAMED, pool={"idle": 0})], "threads": 1,
                       "plugins": [{"use": "answers", "with": {"case": "cancel-in-mid"}}]}, [plain_api("p", "backend")])
    with gw.connect() as c:
        assert c.ask().status == 203  # accepted: what the page opens comes behind it, and leaves no gap
        gw.metrics()
        leave(gw, 0)
        before = len(back.requests) + len(other.requests)
        for _ in range(3):
            c.ask()
        leave(gw, None)
        assert len(back.requests) + len(other.requests) == before
        assert shortages(gw, "descriptors", "connect") >= 3
        assert c.ask().status == 203
    assert prom.parse(gw.metrics()).sum("sallyport_upstream_ejections_total") == 0


def test_idle_connections_make_room_for_new_ones(make):
    one, two = make.backend(peer.ok), make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("one", one), upstream("two", two)], "threads": 1},
                      [plain_api("a", "one", "one.test"), plain_api("b", "two", "two.test")])
    with gw.connect() as c:
        assert c.ask(host="one.test").status == 200  # its connection is kept
        gw.metrics()
        leave(gw, 0)
        assert c.ask(host="two.test").status == 200
        assert c.ask(host="one.test").status == 200
        leave(gw, None)
    assert one.accepted == 2 and two.accepted == 1
    assert shortages(gw, "descriptors", "connect") == 0


def test_health_checks_without_a_descriptor_say_nothing(make):
    back, other = make.backend(peer.ok), make.backend(peer.ok)
    check = {"interval": "100ms", "timeout": "400ms", "unhealthy": 1}
    gw = make.gateway({"upstreams": [upstream("h", back, health=dict(check, type="http", path="/h"), pool={"idle": 0}),
                                     upstream("t", other, health=dict(check, type="tcp"), pool={"idle": 0})], "threads": 1},
                      [plain_api("a", "h", "h.test"), plain_api("b", "t", "t.test")])
    with gw.connect() as c:
        assert c.ask(host="h.test").status == 200
        assert c.ask(host="t.test").status == 200
        wait_until(lambda: prom.parse(gw.metrics()).sum("sallyport_upstream_checks_total") >= 4, 10, "checks")
        leave(gw, 0)
        time.sleep(1.2)  # three times what a check may take
        leave(gw, None)
        for host in ("h.test", "t.test"):
            assert c.ask(host=host).status == 200
    assert shortages(gw, "descriptors", "connect") >= 4
    assert "unhealthy" not in gw.log()


def test_waiting_for_descriptors_costs_no_time(make):
    gw = make.gateway({"upstreams": [upstream("u", make.backend(peer.ok))], "threads": 1}, [plain_api("p", "u")])
    with gw.connect() as c:
        assert c.ask().status == 200
        leave(gw, 0)
        crowd = [Client(gw.port) for _ in range(30)]
        wait_until(lambda: "connections cannot be accepted: no file descriptors are left" in gw.log(), 10, "a line in the log")
        before = cpu_seconds(gw.worker)
        time.sleep(1)
        assert cpu_seconds(gw.worker) - before < 0.2
        leave(gw, None)
        for x in crowd:
            x.send(request_bytes())
        assert all(x.read().status == 200 for x in crowd)
        for x in crowd:
            x.close()
    assert shortages(gw, "descriptors", "accept") > 1


def poor(gw, files):
    """A worker that may have so many descriptors."""
    gw.may_crash = True
    resource.prlimit(gw.pid, resource.RLIMIT_NOFILE, (files, files))
    old, count = gw.worker, gw.log().count("serves")
    os.kill(old, 9)
    wait_until(lambda: gw.log().count("serves") > count and gw.worker != old, 20, "a worker with fewer descriptors")


def test_kept_connections_leave_descriptors_for_the_rest(make):
    """Idle connections to one backend fill what there may be: those of any thread go for the next backend, and some descriptors stay free
    for the status listener and for reloads throughout."""
    gate, count = threading.Event(), 55

    def hold(req):
        gate.wait(20)
        return peer.ok(req)
    backs = [make.backend(hold) for _ in range(3)]
    gw = make.gateway({"upstreams": [upstream("u%d" % i, b, pool={"idle": 200}) for i, b in enumerate(backs)], "threads": 2},
                      [plain_api("p%d" % i, "u%d" % i, "h%d.test" % i) for i in range(3)])
    poor(gw, 200)
    crowd = [gw.connect() for _ in range(count)]
    fewest = 200
    for i, back in enumerate(backs):
        gate.clear()
        # in different orders: a thread's own idle connections do not suffice
        for c in crowd:
            c.send(request_bytes(host="h%d.test" % i))
        wait_until(lambda: len(back.requests) >= count - 4, 10, "requests at backend %d" % i)
        fewest = min(fewest, 200 - len(os.listdir("/proc/%d/fd" % gw.worker)))
        assert gw.status_page("/readyz").status == 200
        gw.reload()
        gate.set()
        answers = [c.read().status for c in crowd]
        assert answers.count(200) >= count - 4, answers  # other threads' are asked for, and come a moment later
    with gw.connect() as late:
        assert late.ask(host="h0.test").status == 200
    for c in crowd:
        c.close()
    assert fewest >= 16, fewest


def test_few_descriptors_are_half_for_clients(make):
    """As many connections are taken as can all reach a backend; the conf's author is told, the rest waits."""
    gate = threading.Event()

    def slow(req):
        gate.wait(30)
        return peer.ok(req)
    back = make.backend(slow)
    gw = make.gateway({"upstreams": [upstream("u", back)], "threads": 2, "limits": {"connections": 50000}}, [plain_api("p", "u")])
    poor(gw, 200)
    wait_until(lambda: "200, so that 62 connections are taken at one time" in gw.log(), 5, "a warning")
    crowd = [Client(gw.port) for _ in range(90)]
    for c in crowd:
        c.send(request_bytes())
    back.wait_for(lambda: len(back.requests) >= 62, "all that may come")
    time.sleep(0.2)
    assert len(back.requests) == 62
    told = gw.reload()  # all else goes on
    assert "62 connections are taken" in told.stdout + told.stderr
    assert gw.status()["connections_max"] == 62
    assert [s["times"] > 0 for s in gw.status()["shortages"] if (s["resource"], s["at"]) == ("connections", "accept")] == [True]
    assert gw.status_page("/readyz").status == 200
    gate.set()
    for c in crowd:  # who waits comes when others go
        assert c.read().status == 200
        c.close()
    assert shortages(gw, "connections", "accept") >= 1 and shortages(gw, "descriptors", "connect") == 0


# Memory
def held(gw):
    return prom.parse(gw.metrics()).value("sallyport_buffer_bytes")


def test_memory_has_a_bound(make):
    """Uploads that a backend does not take fill the buffers; new requests are refused, new connections wait; then all goes on."""
    gate = threading.Event()

    def serve(conn):
        if not gate.is_set():
            gate.wait(60)
        while True:
            msg = conn.read_request()
            conn.send(response_bytes(200, [], b"%d" % len(msg.body)))
    back, quick = make.backend(serve=serve, rcvbuf=4096), make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("slow", back), upstream("quick", quick)], "threads": 2,
                       "limits": {"memory": "16MB"}, "timeouts": {"body": "60s", "write": "60s", "integration": "60s"}},
                      [plain_api("s", "slow", "slow.test"), plain_api("q", "quick", "quick.test")])
    size = 3 << 20
    early = gw.connect()
    assert early.ask(host="quick.test").status == 200
    uploads = [Client(gw.port) for _ in range(60)]
    sent = [0] * len(uploads)
    body = b"x" * 65536

    for i, c in enumerate(uploads):  # all of them begin before any of them is large
        c.send(b"POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: %d\r\n\r\n" % size)
        c.sock.setblocking(False)
        sent[i] = 1
    wait_until(lambda: gw.status()["exchanges"] == len(uploads), 20, "all uploads")

    def push():
        for i, c in enumerate(uploads):
            try:
                for _ in range(20):
                    sent[i] += c.sock.send(body[:min(65536, size + 1 - sent[i])] or b"", 0)
                    if sent[i] == size + 1:
                        break
            except BlockingIOError:
                pass

    def over():  # what is in flight goes on, well past the bound
        push()
        return held(gw) > 26 << 20
    wait_until(over, 30, "more than the bound")
    answer = early.ask(host="quick.test")
    assert answer.status == 503 and answer.body == b'{"message":"Service Unavailable"}', answer.body
    assert answer.headers.get("connection") == "close" and early.closed()  # its memory goes too, and its next request waits
    early.close()
    with Client(gw.port) as late:  # waits in the kernel's queue
        late.send(request_bytes(host="quick.test"))
        assert late.quiet(0.3)
        assert held(gw) < 64 << 20  # each one under way goes on up to its own bounds
        gate.set()

        def done():
            push()
            return all(n == size + 1 for n in sent)
        wait_until(done, 60, "the rest of the uploads")
        assert late.read().status in (200, 503)  # in the meantime the bound may have been reached again
        wait_until(lambda: gw.ask(host="quick.test").status == 200, 30, "an answer")
    for i, c in enumerate(uploads):
        c.sock.settimeout(60)
        answer = c.read()
        assert (answer.status, answer.body) == (200, b"%d" % size)
        c.close()
    assert gw.ask(host="quick.test").status == 200
    wait_until(lambda: held(gw) < 16 << 20, 10, "memory given back")
    assert shortages(gw, "memory", "request") >= 1 and shortages(gw, "memory", "accept") >= 1
    assert gw.log().count("requests are refused: limits.memory is reached") == 1


@pytest.mark.skipif(sanitized(), reason="sanitizers map far more than they use")
def test_malloc_that_fails(make):
    """RLIMIT_AS: requests fail one by one, nobody dies, and all is well when there is memory again."""
    back = make.backend(peer.echo)
    gw = make.gateway({"upstreams": [upstream("u", back)], "threads": 1, "limits": {"body": "64MB"}}, [plain_api("p", "u")], env={"MALLOC_ARENA_MAX": "1"})
    worker = gw.worker
    assert gw.ask("POST", body=b"a" * 100000).status == 200
    before = resource.prlimit(worker, resource.RLIMIT_AS)
    resource.prlimit(worker, resource.RLIMIT_AS, (rss_kb(worker, "VmSize") * 1024 + (256 << 10), before[1]))
    crowd = [Client(gw.port) for _ in range(200)]
    failed = 0
    for c in crowd:
        c.try_send(request_bytes("POST", body=b"b" * 200000)[:-1])
    for c in crowd:
        try:
            c.sock.settimeout(3)
            c.try_send(b"b")
            failed += c.read().status != 200
        except Exception:
            failed += 1
        c.close()
    resource.prlimit(worker, resource.RLIMIT_AS, before)
    assert failed > 0
    wait_until(lambda: gw.ask("POST", body=b"c" * 100000).status == 200, 10, "requests that go through again")
    assert gw.worker == worker


# Ports
def test_ports_that_run_out():
    """In a network of its own, where a connection has four ports to choose from."""
    probe = subprocess.run(["unshare", "-n", "sh", "-c", "echo 61000 61003 > /proc/sys/net/ipv4/ip_local_port_range"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip("no network namespace with ports of its own: " + probe.stderr.strip()[-100:])
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "few_ports.py")
    done = subprocess.run(["unshare", "-n", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", inside],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-3000:]
