# SPDX-License-Identifier: Apache-2.0
"""Answers that plugins give (tests/plug/answers.c): streamed, out of body hooks, from views of the very body that they replace."""
import pytest

import backend as peer
from confgen import plain_api, upstream
from wire import Closed, response_bytes

BODY = b"the backend's own body, " * 40


def answers(make, case, handler=None, **conf):
    back = make.backend(handler or (lambda r: response_bytes(200, [("X-From", "backend")], BODY)))
    return make.gateway(dict({"plugins": [{"use": "answers", "with": {"case": case}}], "upstreams": [upstream("backend", back)]}, **conf),
                        [plain_api("plain", "backend")]), back


@pytest.mark.parametrize("case,body", [
    ("stream", b"x" * 10), ("stream-idle", b"x" * 5), ("stream-in-vain", b"at last"),
    pytest.param("stream-tiny", b"x" * 60000, marks=pytest.mark.nochaos, id="stream-tiny")])  # chaos waits at one piece in a few
def test_a_streamed_answer_comes_whole(make, case, body):
    gw, back = answers(make, case)
    worker = gw.worker
    with gw.connect(timeout=60.0) as c:  # many small pieces under a sanitizer
        for _ in range(2):
            got = c.ask()
            assert got.status == 200 and got.body == body
    assert gw.worker == worker and back.accepted == 0


@pytest.mark.parametrize("case", ["stream-dropped", "stream-timeout"])
def test_a_streamed_answer_that_nobody_continues_breaks_off(make, case):
    gw, _ = answers(make, case)
    with gw.connect() as c, pytest.raises(Closed):
        c.ask()
    assert gw.status()["exchanges"] == 0
    gw.wait_log("plugin answers")


FIRST = pytest.mark.nochaos  # takes the first slice for the whole, and chaos makes several


@pytest.mark.parametrize("case", [pytest.param("body-view", marks=FIRST), pytest.param("collect-view", marks=FIRST), "collect-slices"])
def test_the_answer_may_be_made_of_the_body_that_it_replaces(make, case):
    gw, _ = answers(make, case)
    with gw.connect() as c:
        for _ in range(2):
            got = c.ask()
            assert got.status == 203 and got.body == BODY
            assert "x-from" not in got.headers


@FIRST
def test_the_answer_may_be_made_of_the_request_body(make):
    gw, back = answers(make, "request-view")
    with gw.connect() as c:
        for _ in range(2):
            got = c.ask("POST", body=b"12345678" * 100)
            assert got.status == 203 and got.body == b"12345678" * 100
    assert back.accepted == 0


def test_a_buffering_response_hook_may_fail(make):
    gw, _ = answers(make, "body-fail")
    with gw.connect() as c:
        for _ in range(2):
            got = c.ask()
            assert got.status >= 500 and b"message" in got.body and int(got.headers.one("content-length")) == len(got.body)


def test_a_buffering_request_hook_may_fail(make):
    gw, back = answers(make, "body-fail-request")
    with gw.connect() as c:
        for _ in range(2):
            got = c.ask("POST", body=b"12345678")
            assert got.status == 400 and b"message" in got.body
    assert back.accepted == 0


def test_a_body_that_a_hook_cuts_ends_there(make):
    gw, _ = answers(make, "cut")
    with gw.connect() as c:
        for _ in range(2):
            assert c.ask().body == b"short"


def test_without_a_limit_every_body_is_buffered(make):
    gw, back = answers(make, "buffer-request", peer.ok, limits={"body": 0})
    with gw.connect() as c:
        assert c.ask("POST", body=b"y" * 300000).status == 200
    assert back.last.body == b"y" * 300000


def test_a_call_cancelled_in_its_middle_leaves_its_piece_readable(make):
    gw, back = answers(make, "cancel-in-mid", lambda r: response_bytes(200, [], b"7" * 5000000))
    with gw.connect() as c:
        for _ in range(3):
            got = c.ask()
            assert got.status == 203 and got.body == b"55"
    assert not [r for r in back.requests if r.target != "/big"]
