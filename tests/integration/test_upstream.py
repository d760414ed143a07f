# SPDX-License-Identifier: Apache-2.0
"""Backends that lie, break, stall or are not there: the table of DESIGN 8 per API type, never a hang, never a reused connection."""
import json
import threading
import time

import pytest

import backend as peer
import prom
from confgen import doc_api, operation, plain_api, upstream
from gateway import CHAOS, free_port
from wire import WireError, request_bytes, response_bytes, wait_until

KINDS = ("rest", "http", "plain")
LANES = 144
LATE = 700  # ms: the backends' time for a head

UNREACHABLE = {"rest": 503, "http": 503, "plain": 503}
NETWORK = {"rest": 504, "http": 503, "plain": 502}
BAD = {"rest": 502, "http": 502, "plain": 502}
TIMEOUT = {"rest": 504, "http": 503, "plain": 504}


class Env:
    """Each lane is one backend that three APIs lead to: a REST document, an HTTP document and a plain upstream."""

    def __init__(self, gw, lanes):
        self.gw, self.lanes, self.used = gw, lanes, 0

    def lane(self, *args, **how):
        k = self.used
        self.used += 1
        self.lanes[k].program(*args, **how)
        return self.lanes[k], {kind: "%s%d.test" % (kind, k) for kind in KINDS}


def lane_apis(k, back):
    op = {"/{proxy+}": {"x-amazon-apigateway-any-method": operation(
        "http://%s/{proxy}" % back, "ANY", LATE, path_proxy="method.request.path.proxy")}}
    return [doc_api("rest%d" % k, op, "REST", "rest%d.test" % k, map_stage="prod"),
            doc_api("http%d" % k, op, "HTTP", "http%d.test" % k),
            plain_api("plain%d" % k, "lane%d" % k, "plain%d.test" % k)]


UP_TIMES = {"connect": "700ms", "first_byte": "%dms" % LATE, "idle": "700ms", "write": "2s"}


@pytest.fixture(scope="module")
def env(shared):
    lanes = [shared.backend() for _ in range(LANES)]
    ups = [upstream("lane%d" % k, b, timeouts=UP_TIMES) for k, b in enumerate(lanes)]
    apis = [a for k, b in enumerate(lanes) for a in lane_apis(k, b.target)]
    gw = shared.gateway({"upstreams": ups, "threads": 1}, apis)
    return Env(gw, lanes)


def check_error(answer, kind, status):
    assert answer.status == status, answer
    assert answer.headers.one("content-type") == "application/json" or kind == "http"
    message = json.loads(answer.body)["message"]
    assert message and isinstance(message, str)
    if kind == "rest":
        assert "x-amzn-requestid" in answer.headers and "x-amz-apigw-id" in answer.headers
        assert "x-amzn-errortype" in answer.headers
    else:
        assert "apigw-requestid" in answer.headers and "x-amzn-requestid" not in answer.headers
    return message


# Before the head has left: the whole answer, after which the backend ends or hangs.
LIES = {
    "garbage": b"this is no HTTP at all\r\n\r\n",
    "binary": bytes(range(256)) * 8,
    "bad version": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http/2 line": b"HTTP/2 200\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status of letters": b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    "status zero": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "length of letters": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    "overflowing length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
    "te gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "te chunked, gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "te twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare lf": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare lf in a field": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
    "bare cr in a field": b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n",
    "nul in a field": b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n",
    "fold": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "empty name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nwhat\r\nContent-Length: 0\r\n\r\n",
    "huge field": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300000 + b"\r\nContent-Length: 0\r\n\r\n",
    "endless 1xx": b"HTTP/1.1 100 Continue\r\n\r\n" * 20000,
}


@pytest.mark.parametrize("end", ["close", "hang"])
@pytest.mark.parametrize("name", list(LIES))
def test_lies(env, name, end):
    back, hosts = env.lane(script=[peer.request(), peer.send(LIES[name]), peer.hang() if end == "hang" else peer.close()])
    kind = KINDS[len(name) % 3]  # each type gets its share
    start = time.monotonic()
    with env.gw.connect() as c:
        check_error(c.ask("GET", "/x", hosts[kind]), kind, BAD[kind])
        assert time.monotonic() - start < 10
        back.program(peer.ok)
        for _ in range(2):  # the client's connection is not to blame; the backend's is never used again
            assert c.ask("GET", "/y", hosts[kind]).body == b"ok"
    assert back.accepted >= 2 and len(back.conns[0].requests) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_lie_of_each_type(env, kind):
    _, hosts = env.lane(script=[peer.request(), peer.send(LIES["both lengths"]), peer.hang()])
    check_error(env.gw.ask("GET", "/x", host=hosts[kind]), kind, BAD[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_endless_headers(env, kind):
    def serve(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\n")
        for k in range(1000000):
            conn.send(b"X-%d: %s\r\n" % (k, b"y" * 1000))
    back, hosts = env.lane(serve=serve)
    check_error(env.gw.ask("GET", "/x", host=hosts[kind]), kind, BAD[kind])
    assert back.conns[0].ended.wait(10), "the lying connection stays open"


def test_endless_drip_of_headers_ends_in_time(env):
    def serve(conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\n")
        while not conn.stream.ended:
            conn.send(b"A: b\r\n")
            time.sleep(0.05)
    _, hosts = env.lane(serve=serve)
    start = time.monotonic()
    answer = env.gw.ask("GET", "/x", host=hosts["plain"])
    assert answer.status in (502, 504) and time.monotonic() - start < 8


# Behind the head: the client sees a cut body, never a whole one.
CUT = {
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunked without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "cut last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\nhello",
    "chunk too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
    "chunk with lf": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "bad trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nnot a field\r\n\r\n",
    "endless trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: bbbbbbbbbbbbbbbb\r\n" * 20000,
}


def cut_or_refused(c, data, statuses):
    """The answer must not look whole: 5xx before the head left, else a body that is cut and a closed connection."""
    c.send(data)
    try:
        answer = c.read()
    except WireError:
        assert c.closed()
        return None
    assert answer.status in statuses, answer
    return answer


@pytest.mark.parametrize("end", ["close", "reset", "hang"])
@pytest.mark.parametrize("name", list(CUT))
def test_cut_bodies(env, name, end):
    last = {"close": peer.close(), "reset": peer.reset(), "hang": peer.hang()}[end]
    back, hosts = env.lane(script=[peer.request(), peer.send(CUT[name]), last])
    kind = "plain" if end == "hang" else KINDS[len(name) % 3]  # the time between body bytes is an upstream's option
    start = time.monotonic()
    with env.gw.connect() as c:
        cut_or_refused(c, request_bytes("GET", "/x", hosts[kind]), (502, 503, 504))
    assert time.monotonic() - start < 8
    back.program(peer.ok)
    assert env.gw.ask("GET", "/y", host=hosts[kind]).body == b"ok"
    assert back.accepted == 2, "a broken connection was used again"


def test_body_that_stalls(env):
    _, hosts = env.lane(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), peer.hang()])
    start = time.monotonic()
    with env.gw.connect() as c:
        cut_or_refused(c, request_bytes("GET", "/x", hosts["plain"]), (502, 504))
    assert time.monotonic() - start < 8


def test_garbage_behind_a_body_spoils_the_connection(env):
    back, hosts = env.lane(script=[[peer.request(), peer.send(response_bytes(200, body=b"fine") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
                                    peer.hang()], [peer.request(), peer.send(response_bytes(200, body=b"good")), peer.hang()]])
    with env.gw.connect() as c:
        first = c.ask("GET", "/x", hosts["plain"])
        assert first.body == b"fine"
        assert c.ask("GET", "/y", hosts["plain"]).body == b"good"
    assert back.accepted == 2


def test_unsolicited_bytes_on_an_idle_connection_spoil_it(env):
    go = threading.Event()
    back, hosts = env.lane(script=[[peer.request(), peer.send(response_bytes(200, body=b"fine")), peer.wait(go),
                                    peer.send(response_bytes(200, body=b"evil")), peer.hang()],
                                   [peer.request(), peer.send(response_bytes(200, body=b"good")), peer.hang()]])
    assert env.gw.ask("GET", "/x", host=hosts["plain"]).body == b"fine"
    go.set()
    assert back.conns[0].ended.wait(5), "the connection with unsolicited bytes stays open"
    assert env.gw.ask("GET", "/y", host=hosts["plain"]).body == b"good"


@pytest.mark.parametrize("kind", KINDS)
def test_refused(env, kind):
    back, hosts = env.lane()
    back.refuse()
    message = check_error(env.gw.ask("GET", "/x", host=hosts[kind]), kind, UNREACHABLE[kind])
    assert message in ("Service Unavailable", "Internal server error")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_closed_before_a_byte(env, kind, how):
    back, hosts = env.lane(script=[peer.request(), peer.close() if how == "close" else peer.reset()])
    answer = env.gw.ask("POST", "/x", host=hosts[kind], body=b"not idempotent")
    check_error(answer, kind, NETWORK[kind])
    assert len(back.requests) == 1, "a POST was sent twice"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_closed_in_the_head(env, kind, part):
    _, hosts = env.lane(script=[peer.request(), peer.send(part), peer.close()])
    assert env.gw.ask("POST", "/x", host=hosts[kind], body=b"x").status in (NETWORK[kind], BAD[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_reset_in_the_head(env, kind):
    _, hosts = env.lane(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nA: "), peer.reset()])
    assert env.gw.ask("POST", "/x", host=hosts[kind], body=b"x").status in (NETWORK[kind], BAD[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_in_time(env, kind):
    back, hosts = env.lane(script=[peer.request(), peer.hang()])
    start = time.monotonic()
    message = check_error(env.gw.ask("GET", "/x", host=hosts[kind]), kind, TIMEOUT[kind])
    assert LATE / 1000 * 0.7 < time.monotonic() - start < 8
    if kind == "rest":
        assert message == "Endpoint request timed out"
    if kind == "http":
        assert message == "Service Unavailable"
    assert back.conns[0].ended.wait(5), "the late connection stays open"
    assert len(back.requests) == 1


def test_backend_that_does_not_read(env):
    """Neither reads the body nor answers: the write timeout or the answer's ends it."""
    gone = threading.Event()

    def serve(conn):
        conn.read_head()
        gone.wait(15)
    _, hosts = env.lane(serve=serve)
    with env.gw.connect(timeout=20) as c:
        threading.Thread(target=c.try_send, args=(request_bytes("POST", "/x", hosts["plain"], body=b"x" * 9000000),), daemon=True).start()
        assert c.read().status in (502, 503, 504)
    gone.set()


def test_head_is_late_but_in_time(env):
    go = threading.Event()
    _, hosts = env.lane(script=[peer.request(), peer.wait(go), peer.send(response_bytes(200, body=b"phew")), peer.hang()])
    with env.gw.connect() as c:
        c.send(request_bytes("GET", "/x", hosts["plain"]))
        assert c.quiet(0.2)
        go.set()
        assert c.read().body == b"phew"


def test_answer_in_pieces(env):
    data = response_bytes(200, [("A", "b"), ("C", "d" * 100)], b"hello world", chunked=True, sizes=[3])
    _, hosts = env.lane(script=[peer.request(), peer.pieces(data, 1), peer.hang()])
    got = env.gw.ask("GET", "/x", host=hosts["plain"])
    assert got.body == b"hello world" and got.headers.one("c") == "d" * 100


def test_idle_connection_that_died_costs_an_idempotent_request_nothing(env):
    """The backend closes at the moment the next request comes: tried again on a fresh connection (RFC 9110 9.2.2)."""
    answer = peer.send(response_bytes(200, body=b"one"))
    back, hosts = env.lane(script=[[peer.request(), answer, peer.request(), peer.close()],
                                   [peer.request(), answer, peer.hang()]])
    assert env.gw.ask("GET", "/1", host=hosts["plain"]).body == b"one"
    got = env.gw.ask("GET", "/2", host=hosts["plain"])
    assert got.status == 200 and back.accepted == 2
    assert [r.target for r in back.requests] == ["/1", "/2", "/2"]


def test_connections_closed_while_idle_are_noticed(make):
    """So that even a POST does not meet one."""
    answer = peer.send(response_bytes(200, body=b"one"))
    back = make.backend(script=[peer.request(), answer, peer.close()])
    gw = make.gateway({"upstreams": [upstream("u", back)], "threads": 1}, [plain_api("p", "u")])
    for k in range(10):
        assert gw.ask("POST", "/", body=b"x").status == 200
        back.conns[k].ended.wait(5)
        wait_until(lambda: idle(gw) == 0, 10, "the closed connection's end")
    assert back.accepted == len(back.requests) == 10


def idle(gw):
    return prom.parse(gw.metrics()).value("sallyport_upstream_connections", upstream="u", target=gw.conf["upstreams"][0]["targets"][0], state="idle")


def test_a_post_is_not_repeated(env):
    answer = peer.send(response_bytes(200, body=b"one"))
    back, hosts = env.lane(script=[[peer.request(), answer, peer.request(), peer.close()], [peer.request(), answer, peer.hang()]])
    assert env.gw.ask("GET", "/1", host=hosts["plain"]).body == b"one"
    got = env.gw.ask("POST", "/2", host=hosts["plain"], body=b"once")
    check_error(got, "plain", NETWORK["plain"])
    assert [r.target for r in back.requests] == ["/1", "/2"]


def test_targets_are_used_in_turn(make):
    backs = [make.backend(peer.named("b%d" % k)) for k in range(3)]
    gw = make.gateway({"upstreams": [upstream("many", *backs)], "threads": 1}, [plain_api("p", "many")])
    got = [gw.ask().headers.one("x-backend") for _ in range(30)]
    assert {n: got.count(n) for n in set(got)} == {"b0": 10, "b1": 10, "b2": 10}


def test_weights(make):
    backs = [make.backend(peer.named("b%d" % k)) for k in range(2)]
    up = {"id": "many", "targets": [{"address": backs[0].target, "weight": 3}, {"address": backs[1].target, "weight": 1}]}
    gw = make.gateway({"upstreams": [up], "threads": 1}, [plain_api("p", "many")])
    got = [gw.ask().headers.one("x-backend") for _ in range(40)]
    assert got.count("b0") == 30 and got.count("b1") == 10


def test_a_dead_target_among_living_ones(make):
    """Idempotent requests may go on to another target; the dead one's share is a 503 at worst, never a hang."""
    alive = make.backend(peer.named("alive"))
    gw = make.gateway({"upstreams": [upstream("many", alive, "127.0.0.1:%d" % free_port())], "threads": 1}, [plain_api("p", "many")])
    got = [gw.ask().status for _ in range(20)]
    assert set(got) <= {200, 503} and got.count(200) >= 10


def test_pool_bound(make):
    gate = threading.Event()

    def hold(req):
        gate.wait(10)
        return peer.ok(req)
    back = make.backend(hold)
    gw = make.gateway({"upstreams": [upstream("back", back, pool={"max": 2})], "threads": 1}, [plain_api("p", "back")])
    clients = [gw.connect() for _ in range(2)]
    for c in clients:
        c.send(request_bytes())
    back.wait_requests(2)
    check_error(gw.ask(), "plain", 503)
    gate.set()
    for c in clients:
        assert c.read().status == 200
        c.close()
    assert gw.ask().status == 200 and back.accepted == 2


def test_idle_connections_to_the_backend_are_closed_in_time(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", back, pool={"idle_timeout": "500ms"})]}, [plain_api("p", "back")])
    assert gw.ask().status == 200
    assert back.conns[0].ended.wait(8)
    assert gw.ask().status == 200


def test_unresolvable_name(make):
    gw = make.gateway({"upstreams": [upstream("lost", "no-such-name.invalid:80")], "resolver": {"servers": ["127.0.0.1:%d" % free_port()],
                                                                                              "timeout": "300ms", "tries": 1}},
                      [plain_api("p", "lost")])
    start = time.monotonic()
    check_error(gw.ask(), "plain", 503)
    assert time.monotonic() - start < 10


def test_names_from_the_hosts_file(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("back", "localhost:%d" % back.port)]}, [plain_api("p", "back")])
    assert gw.ask().status == 200


def kinds_of(up):
    """A REST, an HTTP and a plain API in front of a named upstream."""
    def linked():
        op = operation("http://any.internal/x", "GET")
        op["x-amazon-apigateway-integration"].update({"connectionType": "VPC_LINK", "connectionId": up})
        return {"/x": {"get": op}}
    return [doc_api(up + "-rest", linked(), "REST", up + "-rest.test", map_stage="prod"),
            doc_api(up + "-http", linked(), "HTTP", up + "-http.test"), plain_api(up + "-plain", up, up + "-plain.test", timeout="400ms")]


@pytest.fixture(scope="module")
def causes(shared):
    """Upstreams that cannot be called, each for its own reason."""
    gate = threading.Event()

    def hold(req):
        if req.target == "/hold":
            gate.wait(60)
        return peer.ok(req)
    busy = shared.backend(hold)
    dead = "127.0.0.1:%d" % free_port()
    ups = [upstream("lost", "no-such-name.invalid:80"), upstream("ill", dead, health={"type": "tcp", "interval": "50ms"}),
           upstream("full", busy, pool={"max": 1}), upstream("gone", dead, "127.0.0.1:%d" % free_port(), retries={"on": ["connect", "reset"]})]
    gw = shared.gateway({"upstreams": ups, "threads": 1, "vpc_links": {u["id"]: u["id"] for u in ups},
                         "resolver": {"servers": ["127.0.0.1:%d" % free_port()], "timeout": "300ms", "tries": 1}},
                        [a for u in ups for a in kinds_of(u["id"])] + [plain_api("holder", "full", "holder.test")])
    gw.wait_log("target %s is unhealthy: connection refused" % dead)
    with gw.connect() as c:
        c.send(request_bytes("GET", "/hold", "holder.test"))
        busy.wait_requests(1)
        yield gw
        gate.set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cause", ["lost", "ill", "full", "gone"])
def test_causes_of_503(causes, cause, kind):
    start = time.monotonic()
    message = check_error(causes.ask("GET", "/x", host="%s-%s.test" % (cause, kind)), kind, UNREACHABLE[kind])
    assert message == "Service Unavailable" and time.monotonic() - start < 5


def test_timeout_of_a_plain_api(make):
    back = make.backend(script=[peer.request(), peer.hang()])
    gw = make.gateway({"upstreams": [upstream("u", back)]}, [plain_api("p", "u", timeout="300ms")])
    start = time.monotonic()
    check_error(gw.ask(), "plain", 504)
    assert 0.25 < time.monotonic() - start < 8


def test_aws_strict_answers_500_for_a_refused_rest_integration(make):
    gw = make.gateway({"limits_mode": "aws-strict"}, lane_apis(0, "127.0.0.1:%d" % free_port())[:1])
    check_error(gw.ask("GET", "/x", host="rest0.test"), "rest", 500)


def test_one_bad_backend_does_not_hold_up_others(env):
    _, stuck = env.lane(script=[peer.request(), peer.hang()])
    _, fine = env.lane()
    clients = [env.gw.connect() for _ in range(50)]
    for c in clients:
        c.send(request_bytes("GET", "/x", stuck["plain"]))
    start = time.monotonic()
    for _ in range(20):
        assert env.gw.ask("GET", "/y", host=fine["plain"]).status == 200
    assert time.monotonic() - start < LATE / 1000 * 3 or CHAOS
    for c in clients:
        assert c.read().status == 504
        c.close()
