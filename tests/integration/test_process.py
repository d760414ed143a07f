# SPDX-License-Identifier: Apache-2.0
"""Processes: a killed worker comes back on the same sockets, SIGTERM drains, nothing starts twice, nothing is left behind."""
import json
import os
import signal
import socket
import stat
import threading
import time

import pytest

import backend as peer
import client
from confgen import operation, plain_api, upstream
from gateway import alive, children, free_port, run_binary, sanitized
from wire import Closed, Stream, request_bytes, response_bytes, wait_until


@pytest.fixture
def gw(make):
    back = make.backend(peer.ok)
    made = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"drain": "3s"}}, [plain_api("p", "back")])
    made.back = back
    return made


def killed(gw, number):
    worker = gw.worker
    gw.may_crash = True
    os.kill(worker, number)
    wait_until(lambda: not alive(worker), 10, "the worker's death")
    return worker


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_killed_worker_is_restarted_on_the_same_sockets(gw, number):
    if number != signal.SIGKILL and sanitized():
        pytest.skip("a sanitizer catches the signal")
    assert gw.ask().status == 200
    old = killed(gw, number)
    with gw.connect() as c:  # the socket never closed: this waits in its queue
        assert c.ask().status == 200
    assert gw.worker != old
    gw.wait_log("signal %d" % number, signal.Signals(number).name)
    assert gw.reload().returncode == 0


def rich(back, word):
    """A conf of many files: an include, a document, a value from a file."""
    return {"include": "more/*.yaml", "plugins": [{"use": "headers", "with": {"response": {"set": {"X-Word": "${file:word}"}}}}]}, [
        {"api": "doc", "definition": "../doc.json", "hosts": [{"name": "*", "base_path": "/doc", "stage": "prod"}],
         "stages": {"prod": {}}}, plain_api("p", "back")], {
        "word": word, "more/up.yaml": "upstreams: [{ id: back, targets: [%s] }]\n" % json.dumps(back.target),
        "doc.json": json.dumps({"openapi": "3.0.1", "info": {"title": "d", "version": "1"}, "paths": {
            "/x": {"get": operation("http://%s/x" % back.target)}}})}


def test_a_restarted_worker_serves_the_conf_in_service_whatever_the_disk_says(make):
    back = make.backend(peer.ok)
    conf, apis, files = rich(back, "one")
    gw = make.gateway(conf, apis, files=files)

    def words():
        return [gw.ask(target=t).headers.one("x-word") for t in ("/doc/x", "/p")]
    assert words() == ["one", "one"] and gw.status()["conf"]["source"] == "disk"
    was = gw.status()["conf"]["hash"]
    # an edit that nobody has taken into service, and then a broken one
    for break_it in (lambda: gw.put("word", "two"), lambda: gw.put("sallyport.yaml", "listen: [{ adress: nowhere }\n"),
                     lambda: [os.unlink(os.path.join(gw.root, f)) for f in ("word", "doc.json", "more/up.yaml", "apis.d/p.yaml")]):
        break_it()
        killed(gw, signal.SIGKILL)
        wait_until(lambda: gw.ask().status == 200, 10, "the next worker")
        assert words() == ["one", "one"]
        assert (gw.status()["conf"]["hash"], gw.status()["conf"]["source"]) == (was, "kept")
    assert "error" in gw.reload(ok=False).stderr
    assert words() == ["one", "one"]
    gw.files["word"] = "three"
    gw.write()
    gw.reload()
    assert words() == ["three", "three"] and gw.status()["conf"]["source"] == "disk"
    gw.put("word", "four")
    killed(gw, signal.SIGKILL)
    wait_until(lambda: gw.ask().status == 200, 10, "the next worker")
    assert words() == ["three", "three"]


def test_a_reload_while_no_worker_runs_takes_the_disk(make):
    back = make.backend(peer.ok)
    conf, apis, files = rich(back, "one")
    gw = make.gateway(conf, apis, files=files)
    for word in ("two", "three", "four"):
        gw.files["word"] = word
        gw.write()
        os.kill(gw.worker, signal.SIGKILL)
        gw.may_crash = True
        done = gw.command("reload")  # meets a dead worker, one that starts, or one that has just begun to serve
        wait_until(lambda: gw.ask(target="/p").status == 200, 15, "a worker")
        if done.returncode == 0:
            assert gw.ask(target="/p").headers.one("x-word") == word
        else:
            gw.reload()


def test_clients_that_connect_while_the_worker_is_dead_are_served(gw):
    stop, failed, served = threading.Event(), [], []

    def client():
        while not stop.is_set():
            try:
                with gw.connect() as c:
                    served.append(c.ask().status)
            except ConnectionRefusedError as e:
                failed.append(e)
            except (Closed, ConnectionError):
                pass  # was in flight when the worker died
    threads = [threading.Thread(target=client) for _ in range(3)]
    for t in threads:
        t.start()
    for _ in range(2):
        old = killed(gw, signal.SIGKILL)
        n = len(served)
        wait_until(lambda: len(served) > n + 10, 15, "requests behind the restart")
        assert gw.worker != old
    stop.set()
    for t in threads:
        t.join()
    assert not failed, "the listening socket was closed"
    assert set(served) == {200}


def test_a_worker_that_keeps_dying_is_restarted_ever_more_slowly(gw):
    for _ in range(4):
        killed(gw, signal.SIGKILL)
        wait_until(lambda: [p for p in children(gw.pid) if alive(p)], 15, "a new worker")
        assert gw.ask().status == 200
    assert alive(gw.pid)


def test_the_worker_ends_with_the_master(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"drain": "1s"}}, [plain_api("p", "back")])
    worker = gw.worker
    gw.signal(signal.SIGKILL)
    gw.proc.wait(10)
    wait_until(lambda: not alive(worker), 15, "the worker's end")
    gw.checked = True  # its exit was ours
    with pytest.raises(ConnectionError):
        gw.ask()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stop"])
def test_drain_lets_a_request_in_flight_finish(make, how):
    go = threading.Event()

    def hold(req):
        if req.target == "/slow":
            go.wait(15)
        return response_bytes(200, [], b"whole")
    back = make.backend(hold)
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back")])
    with gw.connect() as busy, gw.connect() as idle:
        assert idle.ask().status == 200
        busy.send(request_bytes("GET", "/slow"))
        back.wait_for(lambda: any(r.target == "/slow" for r in back.requests), "the slow request")
        if how == "stop":
            waiter = threading.Thread(target=lambda: gw.command("stop"))
            waiter.start()
        else:
            gw.signal(getattr(signal, how))
        assert gw.wait_state("STOPPING=1")
        wait_until(lambda: refused(gw.port), 5, "the listener's end")
        got = idle.ask()  # an idle connection is served once more, and told
        assert got.status == 200 and got.headers.one("connection").lower() == "close" and idle.closed()
        assert gw.proc.poll() is None
        go.set()
        got = busy.read()
        assert got.body == b"whole" and got.headers.one("connection").lower() == "close" and busy.closed()
    assert gw.wait_exit() == 0
    if how == "stop":
        waiter.join(10)


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it was in the queue when the listener went
        return True


def test_drain_ends_at_its_timeout(make):
    back = make.backend(script=[peer.request(), peer.hang()])
    gw = make.gateway({"upstreams": [upstream("back", back)], "timeouts": {"drain": "1s"}}, [plain_api("p", "back")])
    with gw.connect() as c:
        c.send(request_bytes())
        back.wait_requests(1)
        start = time.monotonic()
        gw.signal(signal.SIGTERM)
        assert gw.wait_exit() == 0
        assert 0.7 < time.monotonic() - start < 8
        with pytest.raises(Closed):
            c.read()


def test_idle_connections_do_not_hold_the_end_up(gw):
    clients = [gw.connect() for _ in range(20)]
    for c in clients:
        assert c.ask().status == 200
    start = time.monotonic()
    gw.signal(signal.SIGTERM)
    assert gw.wait_exit() == 0
    assert time.monotonic() - start < 8
    assert all(c.closed() for c in clients)


def test_sigquit_is_fast(make):
    back = make.backend(script=[peer.request(), peer.hang()])
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back")])
    with gw.connect() as c:
        c.send(request_bytes())
        back.wait_requests(1)
        start = time.monotonic()
        gw.signal(signal.SIGQUIT)
        assert gw.wait_exit() == 0
        assert time.monotonic() - start < 5


def test_stop_answers_and_ends(gw):
    done = gw.command("stop")
    assert done.returncode == 0, done
    assert gw.wait_exit() == 0
    assert gw.command("status").returncode == 1
    assert gw.command("stop").returncode == 1


def test_a_second_start_is_refused(gw):
    before = gw.log()
    done = gw.command("run")
    assert done.returncode == 1
    assert "already running" in done.stderr and str(gw.pid) in done.stderr, done
    assert gw.ask().status == 200
    assert "already running" not in gw.log()[len(before):]  # it says so to its own caller


def test_a_stale_control_socket_is_replaced(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back")], start=False)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(gw.sock)
    gw.start()
    assert gw.ask().status == 200


def test_a_taken_port_is_named_with_its_line(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"listen": [{"address": back.target}], "upstreams": [upstream("back", back)]}, [plain_api("p", "back")], start=False)
    gw.launch()
    assert gw.wait_exit() == 1
    gw.checked = True
    assert "in use" in gw.log() and back.target in gw.log() and "sallyport.yaml:" in gw.log()
    assert "READY=1" not in gw.states
    assert not os.path.exists(gw.sock) or gw.command("status").returncode == 1


@pytest.mark.nochaos
def test_a_bad_conf_starts_nothing(make):
    gw = make.gateway({"upstreams": [], "nonsense": 1}, start=False)
    gw.launch()
    assert gw.wait_exit() == 1
    gw.checked = True
    assert "nonsense" in gw.log() and refused(gw.port) and refused(gw.status_port)
    assert "READY=1" not in gw.states


def test_a_missing_conf(make):
    gw = make.gateway(start=False)
    os.unlink(gw.conf_path)
    gw.launch()
    assert gw.wait_exit() == 1
    gw.checked = True
    assert gw.conf_path in gw.log()


def test_service_manager_messages(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back)]}, [plain_api("p", "back")])
    assert "READY=1" in gw.states
    assert gw.ask().status == 200  # ready means ready
    gw.signal(signal.SIGTERM)
    assert gw.wait_state("STOPPING=1")
    assert gw.wait_exit() == 0


# The control socket
def control(gw):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(gw.sock)
    return s


def line(s):
    data = b""
    while not data.endswith(b"\n"):
        part = s.recv(65536)
        if not part:
            return data
        data += part
    return data


def test_control_socket_is_private(gw):
    mode = stat.S_IMODE(os.stat(gw.sock).st_mode)
    assert mode & 0o007 == 0, oct(mode)


def test_control_lines(gw):
    with control(gw) as s:
        for _ in range(3):
            s.sendall(b'{"command":"status"}\n')
            assert json.loads(line(s))["ok"] is True
        s.sendall(b'{"command":"rel')
        s.sendall(b'oad"}\n')
        assert json.loads(line(s))["ok"] is True


@pytest.mark.parametrize("bad", [b"nonsense\n", b"{}\n", b'{"command":1}\n', b'{"command":"frobnicate"}\n', b"[]\n", b'{"command":"status"\n',
                                 b"\xff\xfe\n", b'{"command":"status"}x\n', b"[" * 5000 + b"\n", b'{"command":"log level","level":5}\n',
                                 b'{"command":"log level","level":null}\n', b'{"command":"log level","level":{"a":1}}\n',
                                 b'{"command":"log level","level":"' + b"x" * 60000 + b'"}\n', b'{"command":"upstream"}\n'])
def test_control_lines_that_are_wrong(gw, bad):
    with control(gw) as s:
        s.sendall(bad)
        got = line(s)
        if got:
            answer = json.loads(got)
            assert answer["ok"] is False and answer.get("message") or answer.get("errors")
    with control(gw) as s:
        s.sendall(b'{"command":"status"}\n')
        assert json.loads(line(s))["ok"] is True


def test_log_level_until_the_next_reload(gw):
    """Master and worker follow; a reload brings the conf's level back; what is no level changes nothing."""
    assert gw.json("log", "level") == {"ok": True, "level": "info"}
    gw.ask()
    assert " debug " not in gw.log()
    done = gw.command("log", "level", "debug")
    assert (done.returncode, done.stdout) == (0, "debug\n"), done
    gw.wait_log("log level: debug until the next reload")
    gw.ask()
    gw.wait_log(" debug worker: ")
    for wrong in ("loud", "DEBUG", ""):
        done = gw.command("log", "level", wrong)
        assert done.returncode == 1 and "expected error, warn, info or debug" in done.stderr, done
    assert gw.json("log", "level")["level"] == "debug"
    gw.reload()
    assert gw.json("log", "level")["level"] == "info"


def test_upstreams_alone(gw):
    assert gw.json("upstreams")["upstreams"] == gw.status()["upstreams"] != []
    assert gw.command("upstreams").stdout.strip(), "nothing for people"


def test_control_line_without_end(gw):
    with control(gw) as s:
        try:
            for _ in range(300):
                s.sendall(b"x" * 65536)
        except (ConnectionError, socket.timeout):
            pass
    assert gw.command("status").returncode == 0


def test_control_clients_that_say_nothing(gw):
    silent = [control(gw) for _ in range(10)]
    assert gw.command("status").returncode == 0
    assert gw.reload().returncode == 0
    for s in silent:
        s.close()


def test_control_client_that_leaves_in_mid_reload(gw):
    for _ in range(5):
        with control(gw) as s:
            s.sendall(b'{"command":"reload"}\n')
    assert gw.reload().returncode == 0
    assert gw.ask().status == 200


def test_log_file_is_reopened(make):
    back = make.backend(peer.ok)
    gw = make.gateway(start=False)
    path = os.path.join(gw.root, "own.log")
    gw.write({"upstreams": [upstream("back", back)], "log": {"to": path}}, [plain_api("p", "back")])
    gw.start()
    assert wait_until(lambda: os.path.exists(path) and os.path.getsize(path), 5)
    os.rename(path, path + ".1")
    gw.signal(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(path), 5, "a new log file")
    gw.reload()
    wait_until(lambda: os.path.getsize(path) > 0, 5, "lines in the new log file")


def test_listening_on_ipv6_and_unix_sockets(make):
    back = make.backend(peer.ok)
    port = free_port("::1")
    gw = make.gateway(start=False)
    path = os.path.join(gw.short, "http")
    gw.write({"listen": [{"address": "[::1]:%d" % port}, {"address": "unix:" + path}], "upstreams": [upstream("back", back)]},
             [plain_api("p", "back")])
    gw.start()
    with client.Client(port, host="::1") as c:
        assert c.ask().status == 200
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(request_bytes(headers=[("Connection", "close")]))
        stream = Stream(s)
        got = stream.read_response_head()
        stream.read_body(got)
        assert (got.status, got.body) == (200, b"ok") and stream.at_end()


def test_nothing_listens_twice(gw):
    done = run_binary("-c", gw.conf_path, "-s", gw.sock + "2", "run")
    assert done.returncode == 1 and "in use" in done.stderr
    assert gw.ask().status == 200
