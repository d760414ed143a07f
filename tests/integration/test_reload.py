# SPDX-License-Identifier: Apache-2.0
"""Reload: routes, plugins and backends change under load without a failed request or a closed connection; bad confs change nothing."""
import os
import re
import signal
import socket
import threading

import pytest

import backend as peer
import client
import gateway
from confgen import doc_api, operation, plain_api, upstream
from gateway import free_port, rss_kb, sanitized
from wire import Stream, request_bytes, response_bytes, wait_until


class Load:
    """Clients on keep-alive connections that never reconnect: any failure, wrong answer or close is recorded."""

    def __init__(self, gw, allowed, clients=4, target="/x", host="p.test"):
        self.gw, self.allowed, self.target, self.host = gw, allowed, target, host
        self.stopping = threading.Event()
        self.failed, self.seen, self.count = [], set(), 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        try:
            with self.gw.connect() as c:
                while not self.stopping.is_set():
                    got = c.ask("GET", self.target, self.host)
                    answer = got.body.decode()
                    if got.status != 200 or answer not in self.allowed:
                        raise AssertionError("unexpected answer %r" % got)
                    with self.lock:
                        self.seen.add(answer)
                        self.count += 1
        except Exception as e:  # pylint: disable=broad-except
            self.failed.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def more(self, n):
        goal = self.count + n
        wait_until(lambda: self.count >= goal or self.failed, 20, "%d more requests" % n)

    def __exit__(self, *exc):
        self.stopping.set()
        for t in self.threads:
            t.join()
        if not exc[0]:
            assert not self.failed, self.failed


def text(name):
    return lambda req: response_bytes(200, [], name.encode())


def test_backends_and_routes_change_under_load(make):
    one, two = make.backend(text("one")), make.backend(text("two"))
    conf = {"upstreams": [upstream("one", one), upstream("two", two)], "threads": 2}
    gw = make.gateway(conf, [plain_api("p", "one", "p.test")])
    connections = len(one.conns)
    with Load(gw, {"one", "two"}) as load, gw.connect() as idle:
        assert idle.ask("GET", "/x", "p.test").body == b"one"
        for k in range(8):
            name = "two" if k % 2 == 0 else "one"
            gw.write(apis=[plain_api("p", name, "p.test")])
            gw.reload()
            assert gw.ask("GET", "/x", host="p.test").body == name.encode()  # the answer was synchronous
            assert idle.ask("GET", "/x", "p.test").body == name.encode()     # old connections see it too
            load.more(20)
        assert load.seen == {"one", "two"}
    assert connections == 0 and one.accepted <= 8 and two.accepted <= 8  # pools survived: no reconnecting per reload


def test_targets_of_an_upstream_change_under_load(make):
    one, two = make.backend(text("one")), make.backend(text("two"))
    gw = make.gateway({"upstreams": [upstream("up", one)]}, [plain_api("p", "up", "p.test")])
    with Load(gw, {"one", "two"}) as load:
        for b, name in ((two, b"two"), (one, b"one"), (two, b"two")):
            gw.write({"upstreams": [upstream("up", b)]})
            gw.reload()
            assert gw.ask("GET", "/x", host="p.test").body == name
            load.more(20)


def test_plugins_change_under_load(make):
    back = make.backend(text("b"))

    def conf(value):
        entry = {"use": "headers", "with": {"response": {"set": {"X-Version": value}}}}
        return {"upstreams": [upstream("up", back)], "plugins": [entry] if value else []}
    gw = make.gateway(conf("v0"), [plain_api("p", "up", "p.test")])
    with Load(gw, {"b"}) as load, gw.connect() as c:
        for k in range(5):
            gw.write(conf("v%d" % k))
            gw.reload()
            assert c.ask("GET", "/x", "p.test").headers.one("x-version") == "v%d" % k
            load.more(10)
        gw.write(conf(None))
        gw.reload()
        assert "x-version" not in c.ask("GET", "/x", "p.test").headers


def test_documents_change_under_load(make):
    back = make.backend(lambda r: response_bytes(200, [], r.target.encode()))

    def api(version):
        return doc_api("d", {"/x": {"get": operation("http://%s/%s" % (back.target, version))}}, "REST", "p.test", map_stage="prod")
    gw = make.gateway({}, [api("v0")])
    with Load(gw, {"/v%d" % k for k in range(6)}) as load:
        for k in range(1, 6):
            gw.write(apis=[api("v%d" % k)])
            gw.reload()
            assert gw.ask("GET", "/x", host="p.test").body == b"/v%d" % k
            load.more(10)
        assert len(load.seen) == 6


def test_an_exchange_keeps_the_unit_it_began_with(make):
    go = threading.Event()

    def hold(req):
        go.wait(15)
        return text("old")(req)
    old, new = make.backend(hold), make.backend(text("new"))
    conf = {"plugins": [{"use": "headers", "with": {"response": {"set": {"X-Version": "old"}}}}], "threads": 1}
    gw = make.gateway(dict(conf, upstreams=[upstream("up", old)]), [plain_api("p", "up", "p.test")])
    with gw.connect() as c:
        c.send(request_bytes("GET", "/x", "p.test"))
        old.wait_requests(1)
        conf["plugins"][0]["with"]["response"]["set"]["X-Version"] = "new"
        gw.write(dict(conf, upstreams=[upstream("up", new)]))
        gw.reload()
        fresh = gw.ask("GET", "/x", host="p.test")
        assert (fresh.body, fresh.headers.one("x-version")) == (b"new", "new")

        def known(b):
            return [u.get("draining", False) for u in gw.status()["upstreams"] if u["targets"][0]["target"] == b.target]
        assert known(old) == [True] and known(new) == [False]
        go.set()
        got = c.read()
        assert (got.body, got.headers.one("x-version")) == (b"old", "old")
        wait_until(lambda: known(old) == [], 5, "the old upstream's end")
        assert c.ask("GET", "/x", "p.test").body == b"new"


def test_apis_come_and_go(make):
    back = make.backend(text("b"))
    conf = {"upstreams": [upstream("up", back)]}
    gw = make.gateway(conf, [plain_api("a", "up", "a.test")])
    assert gw.ask(host="b.test").status in (403, 404)
    gw.write(apis=[plain_api("a", "up", "a.test"), plain_api("b", "up", "b.test")])
    gw.reload()
    assert gw.ask(host="a.test").status == 200 and gw.ask(host="b.test").status == 200
    gw.write(apis=[plain_api("b", "up", "b.test")])
    gw.reload()
    assert gw.ask(host="a.test").status in (403, 404) and gw.ask(host="b.test").status == 200


def test_listeners_change_by_their_addresses(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up")])
    other = free_port()
    both = {"listen": [{"address": "127.0.0.1:%d" % gw.port}, {"address": "127.0.0.1:%d" % other}], "upstreams": [upstream("up", back)]}
    with gw.connect() as first:
        assert first.ask().status == 200
        gw.write(both)
        gw.reload()
        assert client.ask(other).status == 200
        with client.Client(other) as second:
            assert second.ask().status == 200
            gw.write(dict(both, listen=both["listen"][:1]))
            gw.reload()
            with pytest.raises(ConnectionError):
                client.ask(other)
            got = second.ask()  # its connections are left alone
            assert got.status == 200
        assert first.ask().status == 200


@pytest.mark.parametrize("kind", ["a socket per thread", "one socket", "unix"])
def test_listeners_of_several_threads_come_and_go(make, kind):
    back = make.backend(text("b"))
    conf = {"threads": 3, "upstreams": [upstream("up", back, pool={"idle": 0})]}  # descriptors are counted
    gw = make.gateway(conf, [plain_api("p", "up")])
    own, port, path = {"address": "127.0.0.1:%d" % gw.port}, free_port(), os.path.join(gw.short, "more")
    more = {"address": "unix:" + path} if kind == "unix" else {"address": "127.0.0.1:%d" % port, "reuseport": kind != "one socket"}

    def reach():
        with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as s:
            s.connect(path if kind == "unix" else ("127.0.0.1", port))
            s.sendall(request_bytes(headers=[("Connection", "close")]))
            return Stream(s).read_response_head().status

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % gw.worker))
    held = []
    for _ in range(4):
        gw.write(dict(conf, listen=[own, more]))
        gw.reload()
        assert [reach() for _ in range(6)] == [200] * 6
        gw.write(dict(conf, listen=[own]))
        gw.reload()
        with pytest.raises(OSError):
            reach()
        assert gw.ask().status == 200
        held.append(descriptors())
    wait_until(lambda: descriptors() <= held[0], 5, "no descriptor more than after the first time: %s" % held)


def test_a_taken_port_refuses_the_reload(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up")])
    with peer.Backend() as taken:
        gw.write({"listen": [{"address": "127.0.0.1:%d" % gw.port}, {"address": taken.target}], "upstreams": [upstream("up", back)]})
        done = gw.reload(ok=False)
        assert "in use" in done.stdout + done.stderr and taken.target in done.stdout + done.stderr
        assert re.search(r"sallyport\.yaml:\d+", done.stdout + done.stderr)
    assert gw.ask().status == 200


BAD = {"upstreams": [{"id": "up", "targets": ["127.0.0.1:99999"], "tiemouts": {}}], "thraeds": 3, "limits": {"body": "lots"}}


@pytest.mark.nochaos
def test_a_bad_conf_changes_nothing_and_the_caller_gets_the_list(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up", "p.test")])
    good = gw.conf
    with Load(gw, {"b"}) as load:
        gw.write(BAD)
        done = gw.reload(ok=False)
        assert done.returncode == 1
        lines = [l for l in (done.stdout + done.stderr).splitlines() if ": error: " in l]
        assert len(lines) >= 4, done
        assert all(re.match(r"^\S*sallyport\.yaml:\d+:\d+: error: ", l) for l in lines), lines
        for word in ("tiemouts", "thraeds", "lots", "99999"):
            assert any(word in l for l in lines), (word, lines)
        load.more(20)
        listed = gw.json("reload", code=1)
        assert listed["ok"] is False and len(listed["errors"]) == len(lines)
        gw.write(good)
        gw.reload()
        load.more(20)


@pytest.mark.nochaos
def test_an_api_file_that_breaks_changes_nothing(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up", "p.test")])
    for content in ("api: [\n", "api: p\nupstream: nobody\n", "{ \"api\": 1", "", "api: p\nupstream: up\nhosts: [{name: \"a b\"}]\n"):
        gw.put("apis.d/p.yaml", content)
        done = gw.reload(ok=False)
        assert "apis.d/p.yaml:" in done.stdout + done.stderr, (content, done)
        assert gw.ask(host="p.test").body == b"b"
    os.unlink(os.path.join(gw.root, "sallyport.yaml"))
    done = gw.reload(ok=False)
    assert "sallyport.yaml" in done.stdout + done.stderr
    assert gw.ask(host="p.test").body == b"b"


def test_reloads_at_once_are_served_one_by_one(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up", "p.test")])
    results = []
    with Load(gw, {"b"}):
        threads = [threading.Thread(target=lambda: results.append(gw.command("reload"))) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert [r.returncode for r in results] == [0] * 8, results


def test_sighup(make):
    one, two = make.backend(text("one")), make.backend(text("two"))
    gw = make.gateway({"upstreams": [upstream("up", one)]}, [plain_api("p", "up")])
    gw.write({"upstreams": [upstream("up", two)]})
    gw.forget_states()
    gw.signal(signal.SIGHUP)
    assert gw.wait_state("RELOADING=1") and gw.wait_state("READY=1")
    assert any(s.startswith("MONOTONIC_USEC=") for s in gw.states)
    assert gw.ask().body == b"two"
    gw.write(BAD)
    gw.forget_states()
    gw.signal(signal.SIGHUP)
    assert gw.wait_state("READY=1")  # ready again, with the old conf
    assert gw.ask().body == b"two"
    gw.wait_log("thraeds")


def test_an_unchanged_conf_keeps_units_and_pools(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)], "threads": 1}, [plain_api("p", "up"), plain_api("q", "up", "q.test")])
    assert gw.ask().status == 200
    for _ in range(3):
        gw.reload()
        assert gw.ask().status == 200
    assert back.accepted == 1


def test_limits_and_timeouts_apply_to_new_connections(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up")])
    with gw.connect() as old:
        assert old.ask("POST", "/", body=b"x" * 5000).status == 200
        gw.write({"upstreams": [upstream("up", back)], "limits": {"body": "1KB"}})
        gw.reload()
        assert gw.ask("POST", "/", body=b"x" * 5000).status == 413
        assert old.ask("POST", "/", body=b"x").status == 200


def test_the_log_level_can_change(make):
    back = make.backend(text("b"))
    gw = make.gateway({"upstreams": [upstream("up", back)], "log": {"level": "info"}}, [plain_api("p", "up")])
    gw.write({"upstreams": [upstream("up", back)], "log": {"level": "error"}})
    gw.reload()
    assert gw.ask().status == 200


@pytest.mark.nochaos
def test_a_crash_while_compiling_kills_only_the_trial(make):
    """A plugin whose conf_create crashes: the caller is told who and where, the worker lives."""
    back = make.backend(text("b"))
    crash = crash_plugin()
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up", "p.test")])
    good, worker = gw.conf, gw.worker
    with Load(gw, {"b"}) as load:
        gw.write(dict(good, plugins=[crash]))
        done = gw.reload(ok=False)
        out = done.stdout + done.stderr
        assert "signal" in out and crash["use"] in out, out
        assert re.search(r"sallyport\.yaml:\d+", out), out
        load.more(20)
        assert gw.worker == worker
        gw.write(good)
        gw.reload()
        load.more(20)


def crash_plugin():
    """The entry of a plugin that aborts in conf_create; `make test-plugins` builds it."""
    gateway.plugin_file("conf-case")
    return {"use": "conf-case", "with": {"case": "crash"}}


def test_fifty_reloads_leave_nothing_behind(make):
    back = make.backend(text("b"))
    conf = {"upstreams": [upstream("up", back)], "plugins": [{"use": "headers", "with": {"response": {"set": {"X-K": "0"}}}}]}
    gw = make.gateway(conf, [plain_api("p", "up", "p.test")])
    worker = gw.worker

    def turn(k):
        conf["plugins"][0]["with"]["response"]["set"]["X-K"] = str(k)
        gw.write(conf)
        gw.reload()
        assert gw.ask(host="p.test").headers.one("x-k") == str(k)

    def files():
        return len(os.listdir("/proc/%d/fd" % worker))
    for k in range(10):
        turn(k)
    memory, open_files = rss_kb(worker), files()
    for k in range(40):
        turn(k)
    wait_until(lambda: files() <= open_files + 4, 5, "closed files")  # client connections may still be closing
    if not sanitized():
        assert rss_kb(worker) - memory < 3000, "40 reloads cost %d KB" % (rss_kb(worker) - memory)
    assert gw.worker == worker
