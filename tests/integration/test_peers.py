# SPDX-License-Identifier: Apache-2.0
"""The scripted peers themselves, against each other: a framework that cannot fail proves nothing."""
import threading

import pytest

import backend as peer
import confgen
import prom
from client import Client, ask
from wire import Closed, Timeout, WireError, request_bytes, response_bytes


def test_round_trip_with_every_framing(make):
    def echo(req):
        return response_bytes(200, [("X-Framing", req.framing)], req.body, chunked=req.framing == "chunked",
                              sizes=[3, 5], trailers=[("X-T", "1")] if req.framing == "chunked" else None)
    b = make.backend(echo)
    with Client(b.port) as c:
        got = c.ask("POST", "/", body=b"hello world")
        assert (got.status, got.body, got.framing) == (200, b"hello world", "length")
        got = c.ask("POST", "/", body=b"hello world", chunked=True, sizes=[1, 2])
        assert (got.body, got.framing, got.chunks) == (b"hello world", "chunked", [3, 5, 3])
        assert got.trailers == [("X-T", "1")]
        assert c.ask("GET", "/").headers.one("x-framing") == "none"
    b.wait_requests(3)
    assert b.requests[1].chunks == [1, 2, 1, 2, 1, 2, 1, 1]
    assert b.accepted == 1


@pytest.mark.parametrize("bad", [
    b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
])
def test_reader_refuses_malformed_answers(make, bad):
    b = make.backend(script=[peer.request(), peer.send(bad)])
    with pytest.raises(WireError):
        ask(b.port)


def test_reader_tells_a_cut_body_from_a_whole_one(make):
    b = make.backend(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")])
    with pytest.raises(Closed) as e:
        ask(b.port)
    assert not e.value.clean
    b = make.backend(script=[peer.request()])
    with pytest.raises(Closed) as e:
        ask(b.port)
    assert e.value.clean


def test_scripts_wait_for_events(make):
    go = threading.Event()
    b = make.backend(script=[peer.request(), peer.wait(go), peer.send(response_bytes(200, body=b"late")), peer.hang()])
    with Client(b.port, timeout=0.2) as c:
        c.send(request_bytes())
        with pytest.raises(Timeout):
            c.read()
        go.set()
        c.stream.timeout = 5
        c.sock.settimeout(5)
        assert c.read().body == b"late"
        assert c.quiet()


def test_backend_reports_malformed_requests(make):
    b = make.backend()
    with Client(b.port) as c:
        c.send(b"GET / HTTP/1.1\nHost: x\n\n")
        assert c.closed()
    b.wait_for(lambda: b.errors, "an error")
    with pytest.raises(AssertionError):
        b.check()


def test_chaos_goes_around_every_entry_and_into_every_order():
    conf = {"plugins": ["a", {"b": {"x": 1}}, {"use": "c", "id": "c2"}], "order": {"REST": ["c2", "a", "b"], "HTTP": ["a"]}}
    got = confgen.with_chaos(conf, 7)
    ids = [confgen.entry_id(e) for e in got["plugins"]]
    assert ids == ["chaos-0", "a", "chaos-1", "b", "chaos-2", "c2", "chaos-3"]
    for kind in ("REST", "HTTP"):
        assert sorted(x for x in got["order"][kind] if x.startswith("chaos")) == ["chaos-%d" % i for i in range(4)]
        bare = [x for x in got["order"][kind] if not x.startswith("chaos")]
        assert bare == conf["order"][kind]
    assert conf["plugins"][0] == "a" and len(conf["plugins"]) == 3
    assert [confgen.entry_id(e) for e in confgen.with_chaos({}, 1)["plugins"]] == ["chaos-0"]


def test_yaml_writer():
    text = confgen.to_yaml({"a": "x y", "b": [1, {"c": "no", "d": []}, ["e"]], "f": {"g": True, "h": None}, "i": "10s"})
    assert text == ('a: "x y"\nb:\n  - 1\n  - c: "no"\n    d: []\n  - - e\nf:\n  g: true\n  h: null\ni: 10s\n')


@pytest.mark.parametrize("bad", [
    "a_total 1",                                           # no newline at the end
    "# TYPE a counter\na 1\n",                              # counters end in _total
    "# TYPE a_total counter\na_total{x=\"1} 1\n",
    "# TYPE a_total counter\na_total 1\na_total 2\n",       # the same series twice
    "# TYPE a_total counter\n# TYPE a_total counter\n",
    "a_total 1\n# TYPE a_total counter\n",
    "# TYPE a gauge\na one\n",
    "# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n",
    "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
    "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
])
def test_metric_parser_refuses(bad):
    with pytest.raises(prom.PromError):
        prom.parse(bad)


def test_metric_parser_reads():
    text = ('# HELP a_total Things.\n# TYPE a_total counter\na_total{x="a\\"b\\\\c\\n"} 1.5e3\na_total{x="z"} 0\n'
            '# TYPE h histogram\nh_bucket{le="0.1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n')
    got = prom.parse(text)
    assert got.value("a_total", x='a"b\\c\n') == 1500
    assert got.sum("a_total") == 1500
    assert got.families["h"].kind == "histogram"
