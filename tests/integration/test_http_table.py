# SPDX-License-Identifier: Apache-2.0
"""The tables of hostile requests and answers (hostile/): every row whole, behind a good message, and in pieces. What the gateway takes
is compared with what its other side got, read by the strict reader of tests/lib/wire.py: none is read differently."""
import random
import time

import pytest

from client import Client
from confgen import plain_api, upstream
from gateway import CHAOS
from hostile import requests, responses
from wire import Closed, Timeout, WireError, request_bytes, response_bytes

DONE = {"requests": 0, "answers": 0, "rows": set()}
BEFORE, AFTER = request_bytes("GET", "/before", "p.test"), request_bytes("GET", "/after", "p.test")
SMUGGLED = request_bytes("GET", "/smuggled", "p.test")


@pytest.fixture(scope="module")
def env(shared):
    back = shared.backend()
    gw = shared.gateway({
        "upstreams": [upstream("back", back)], "threads": 1,
        "limits": {"header_block": requests.HEAD_LIMIT, "url": requests.URL_LIMIT, "body": requests.BODY_LIMIT, "headers": requests.FIELDS},
        "timeouts": {"header": "5s", "body": "5s", "idle": "5s"},
    }, [plain_api("p", "back")])
    yield Env(gw, back)  # what the backend got is checked row by row


class Env:
    def __init__(self, gw, back):
        self.gw, self.back, self.count = gw, back, 0

    def sentinel(self):
        """What the backend got, up to a good request behind everything that came before."""
        self.count += 1
        name = "/sentinel-%d" % self.count
        assert self.gw.ask("GET", name, host="p.test").status == 200
        self.back.wait_for(lambda: self.back.requests and self.back.requests[-1].target == name, "the sentinel")
        got = self.back.requests[:-1]
        self.back.check()
        self.back.forget()
        for c in self.back.conns:  # the records stay small
            c.stream.raw.clear()
        return got


def cuts(data, rnd):
    """Ways to send it: whole, byte by byte or in random pieces."""
    ways = [[data]]
    if CHAOS:
        return ways
    if len(data) <= 400:
        ways.append([bytes([b]) for b in data])
    for _ in range(2):
        at = sorted(rnd.sample(range(1, len(data)), min(rnd.randrange(1, 6), len(data) - 1))) if len(data) > 1 else []
        ways.append([data[a:b] for a, b in zip([0] + at, at + [len(data)])])
    return ways


def send(c, pieces):
    for k, piece in enumerate(pieces):
        if k and len(pieces) <= 6:
            time.sleep(0.0005)  # so that they are read one by one
        if not c.try_send(piece):
            return


def check_request(got, want):
    assert (got.method, got.target, got.body) == (want.method, want.target, want.body), got
    assert list(got.trailers) == want.trailers or CHAOS, got.trailers
    for name, value in want.has.items():
        assert got.headers.all(name) == [value] or (CHAOS and name == "content-length"), got
    for name in want.lacks:
        assert name not in got.headers or (CHAOS and name == "content-length"), got
    assert len(got.headers.all("host")) == 1
    if not want.body and want.method == "GET":
        assert got.framing == "none", got


def read_verdict(c, verdict):
    """The client's side."""
    if isinstance(verdict, requests.Closed):
        with pytest.raises(Closed) as e:
            c.read()
        assert e.value.clean
    elif isinstance(verdict, requests.Accepted):
        answer = c.read(verdict.method)
        assert answer.status == 200, answer
        if not verdict.keeps:
            assert c.closed(), "the connection stays open"
    else:
        answer = c.read()
        assert answer.status == verdict.status, answer
        assert answer.headers.one("connection") == "close" and c.closed()


def run_request(env, pieces, verdict, before=False, finish=False, endless=False):
    accepted = isinstance(verdict, requests.Accepted)
    keeps = accepted and verdict.keeps
    env.sentinel()
    tail = AFTER if keeps else b"" if finish or endless else SMUGGLED
    with env.gw.connect() as c:
        if before:
            send(c, [BEFORE + pieces[0]] + pieces[1:] + [tail])
            assert c.read().status == 200
        else:
            send(c, pieces + ([tail] if tail else []))
        if finish:
            c.finish()
        read_verdict(c, verdict)
        if keeps:
            assert c.read().status == 200 and c.quiet(0.001)
    got = env.sentinel()
    if before:
        assert got.pop(0).target == "/before"
    if accepted:
        check_request(got.pop(0), verdict)
    if keeps:
        assert got.pop(0).target == "/after"
    assert not got, "the backend also got %r" % got
    DONE["requests"] += 1


@pytest.mark.parametrize("name,section,data,verdict", requests.ROWS, ids=[r[0] for r in requests.ROWS])
def test_request(env, name, section, data, verdict):
    assert section
    DONE["rows"].add("request " + name)
    if CHAOS and b" HTTP/1.0" in data:
        return  # a hook may take the length away, and with it the connection
    for pieces in cuts(data, random.Random(name)):
        run_request(env, pieces, verdict, endless=name in requests.ENDLESS)
    run_request(env, [data], verdict, before=True, endless=name in requests.ENDLESS)


@pytest.mark.parametrize("name,section,data,verdict", requests.EARLY, ids=[r[0] for r in requests.EARLY])
def test_request_that_ends_early(env, name, section, data, verdict):
    assert section
    for pieces in cuts(data, random.Random(name)):
        run_request(env, pieces, verdict, finish=True)
    run_request(env, [data], verdict, before=True, finish=True)
    DONE["rows"].add("request " + name)


# Answers
class Script:
    """The backend: a row's bytes for /row, a good answer with the connection's number for anything else."""

    def __init__(self):
        self.pieces, self.closes = [], False
        self.at = None

    def serve(self, conn):
        while True:
            req = conn.read_request()
            if req.target != "/row":
                conn.send(response_bytes(200, [("X-Conn", str(conn.index))], b"next"))
                continue
            self.at = conn.index
            try:
                send(Sender(conn), self.pieces)
            except OSError:
                return
            if self.closes:
                return


class Sender:
    def __init__(self, conn):
        self.conn = conn

    def try_send(self, data):
        self.conn.send(data)
        return True


@pytest.fixture(scope="module")
def scripted(shared):
    script = Script()
    back = shared.backend(serve=script.serve)
    gw = shared.gateway({"upstreams": [upstream("back", back)], "threads": 1}, [plain_api("p", "back")])
    yield gw, back, script


def check_answer(c, method, verdict):
    if isinstance(verdict, responses.Cut):
        try:
            got = c.read(method)
        except WireError as e:
            assert not isinstance(e, Timeout) and c.closed()
            return
        assert got.status == 502, "a broken answer came through as %r" % got  # its head had not left yet
        return
    got = c.read(method)
    if isinstance(verdict, responses.Bad):
        assert got.status == 502 and (b"message" in got.body or method == "HEAD"), got
        return
    assert (got.status, got.body) == (verdict.status, verdict.body), got
    assert got.infos == verdict.infos
    assert list(got.trailers) == verdict.trailers or CHAOS, got.trailers
    for name, value in verdict.has.items():
        assert got.headers.all(name) == [value] or CHAOS, got
    for name in verdict.lacks:
        assert name not in got.headers, got


def run_response(scripted, method, pieces, closes, verdict):
    gw, _, script = scripted
    script.pieces, script.closes, script.at = pieces, closes, None
    ask = [("TE", "trailers")] if isinstance(verdict, responses.Gets) and verdict.trailers else []
    with Client(gw.port) as c:
        c.send(request_bytes(method, "/row", "p.test", ask))
        check_answer(c, method, verdict)
    time.sleep(0.002)  # what stands behind the answer arrives
    with Client(gw.port) as c:
        got = c.ask("GET", "/next", "p.test")
        assert (got.status, got.body) == (200, b"next"), got
        reused = got.headers.one("x-conn") == str(script.at)
        assert reused == (isinstance(verdict, responses.Gets) and verdict.reused), "reused: %s" % reused
    DONE["answers"] += 1


@pytest.mark.parametrize("name,section,method,data,closes,verdict", responses.ROWS, ids=[r[0] for r in responses.ROWS])
def test_answer(scripted, name, section, method, data, closes, verdict):
    assert section
    for pieces in cuts(data, random.Random(name)):
        run_response(scripted, method, pieces, closes, verdict)
    DONE["rows"].add("answer " + name)


def test_closing_count(request, capsys):
    rows = len(requests.ROWS) + len(requests.EARLY) + len(responses.ROWS)
    assert rows >= 150
    ids = [r[0] for r in requests.ROWS + requests.EARLY], [r[0] for r in responses.ROWS]
    assert all(len(set(x)) == len(x) for x in ids)
    whole = len(request.session.items) >= rows
    with capsys.disabled():
        print("\nhostile: %d rows (%d requests, %d answers), sent %d and %d times whole and in pieces; %d rows as they should be" % (
            rows, len(ids[0]), len(ids[1]), DONE["requests"], DONE["answers"], len(DONE["rows"])))
    assert not whole or len(DONE["rows"]) == rows or request.session.testsfailed
