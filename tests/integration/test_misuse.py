# SPDX-License-Identifier: Apache-2.0
"""Plugins that break the rules: at run time (tests/plug/misuse.c) and while a conf is compiled (tests/plug/conf-case.c). The gateway
answers, says who it was, and lives on."""
import re
import threading
import time

import pytest

import backend as peer
import prom
from confgen import doc_api, operation, plain_api, upstream
from wire import Closed, wait_until

GONE, ARG, PHASE, LIMIT, NONE, DENIED = -5, -1, -2, -4, -6, -8


def misuse(make, case, entry=None, **how):
    back = make.backend(peer.ok)
    conf = {"plugins": [dict({"use": "misuse", "with": {"case": case}}, **entry or {})], "upstreams": [upstream("backend", back)]}
    return make.gateway(conf, [plain_api("plain", "backend")], **how), back


def report(answer):
    """{what: status} of the X-Misuse header."""
    return {k: int(v) for k, v in re.findall(r"(\S+)=(-?\d+)", answer.headers.one("X-Misuse"))}


def logged(gw, words):
    wait_until(lambda: words in gw.log(), 5, "%r in the log" % words)


def lives(gw):
    """The same process answers on; its log names the plugin."""
    pid = gw.worker
    assert gw.ask().status in (200, 203, 500, 504)
    assert gw.worker == pid


@pytest.mark.parametrize("case,words", [
    ("pending-nothing", "returned PENDING with nothing outstanding"), ("verdict-77", "returned verdict 77"),
    ("respond-without", "returned RESPOND without an answer"), ("error-without", "returned ERROR without an answer")])
def test_verdicts_that_make_no_sense_are_a_500(make, case, words):
    gw, back = misuse(make, case)
    answer = gw.ask()
    assert answer.status == 500 and b"message" in answer.body
    assert back.accepted == 0
    logged(gw, words)
    logged(gw, "plugin misuse (entry misuse) at REQUEST")
    lives(gw)


def test_an_answer_counts_even_with_next(make):
    gw, back = misuse(make, "respond-then-next")
    answer = gw.ask()
    assert answer.status == 203 and answer.body == b"the answer counts" and back.accepted == 0
    lives(gw)


def test_an_answer_that_http_does_not_know_is_a_500(make):
    gw, _ = misuse(make, "respond-status")
    assert gw.ask().status == 500
    lives(gw)


def test_headers_of_the_host_and_other_sides_are_refused(make):
    gw, back = misuse(make, "set-headers")
    answer = gw.ask("POST", body=b"12345678")
    assert report(answer) == {"length": PHASE, "coding": PHASE, "connection": PHASE, "client": PHASE, "response": PHASE,
                              "side": ARG, "name": ARG, "empty": ARG, "value": ARG, "id": ARG}
    assert answer.status == 200 and back.last.body == b"12345678"
    back.check()


def test_calls_at_the_wrong_hook_point_are_refused(make):
    gw, _ = misuse(make, "wrong-phase")
    got = report(gw.ask())
    assert got == {"status": PHASE, "deployment": PHASE, "want": PHASE, "mode": ARG, "emit": PHASE, "hold": PHASE,
                   "builtin": DENIED, "variable": got["variable"], "fact": got["fact"]}
    assert got["variable"] < 0 and got["fact"] < 0


def test_tokens_that_nobody_gave_are_refused(make):
    gw, _ = misuse(make, "tokens")
    got = report(gw.ask())
    assert got["zero"] == got["ones"] == got["forged"] == GONE
    assert got["no-time"] == got["too-long"] == got["no-fn"] == got["timer"] == 0
    lives(gw)


def test_the_first_resume_counts(make):
    gw, _ = misuse(make, "resume-twice")
    got = report(gw.ask())
    assert got["first"] == 0 and got["second"] == GONE and got["neighbour"] == GONE and got["event"] == 1


def test_a_wait_that_nobody_ends_is_a_504_that_names_the_plugin(make):
    gw, back = misuse(make, "never-resume")
    begun = time.monotonic()
    answer = gw.ask()
    assert answer.status == 504 and time.monotonic() - begun < 10
    assert back.accepted == 0
    logged(gw, "plugin misuse")
    lives(gw)


def test_a_wait_may_be_told_that_its_time_is_over(make):
    gw, _ = misuse(make, "never-resume-notify")
    answer = gw.ask()
    assert answer.status == 200 and report(answer)["timeout"] == 2


def test_client_calls_are_checked(make):
    gw, _ = misuse(make, "client")
    got = report(gw.ask())
    assert got == {"unknown": NONE, "no-time": ARG, "too-long": ARG, "path": ARG, "split": ARG, "method": ARG, "no-fn": ARG, "dead": 0}


def test_bounds_hold(make):
    gw, _ = misuse(make, "bounds")
    assert report(gw.ask()) == {"alloc": 0, "shared": 1, "labels": 0}
    flood = prom.parse(gw.metrics()).match("sallyport_plugin_misuse_flood_total")
    assert 0 < len(flood) < 30000  # of 60000: the bound on series
    lives(gw)


def test_what_is_left_outstanding_is_cancelled(make):
    gw, _ = misuse(make, "leave")
    for _ in range(50):
        assert report(gw.ask())["send"] == 0
    lives(gw)


@pytest.mark.parametrize("case", ["pending-log", "respond-log"])
def test_log_hooks_cannot_change_anything(make, case):
    gw, _ = misuse(make, case)
    for _ in range(3):
        assert gw.ask().body == b"ok"
    logged(gw, "plugin misuse (entry misuse) at LOG")


def test_pending_at_attempt_is_a_500(make):
    gw, back = misuse(make, "pending-attempt")
    assert gw.ask().status == 500 and not back.requests
    lives(gw)


@pytest.mark.nochaos  # which may collect the body: then the head has not left yet
def test_an_answer_behind_the_head_breaks_the_connection_off(make):
    gw, _ = misuse(make, "respond-late")
    worker = gw.worker
    answer, closed = gw.raw(b"GET / HTTP/1.0\r\nHost: any.test\r\n\r\n")
    assert closed and (answer is None or answer.body != b"too late")
    assert gw.worker == worker


# on_error: allow
def passed_over(gw):
    return prom.parse(gw.metrics()).sum("sallyport_plugin_allowed_errors_total", entry="misuse")


@pytest.mark.parametrize("case", ["fail", "fail-response", "fail-body", "pending-nothing", "verdict-77", "respond-without",
                                  "error-without", "respond-status", "never-resume", "pending-attempt"])
def test_on_error_allow_goes_on_past_a_failure(make, case):
    gw, back = misuse(make, case, {"on_error": "allow"})
    with gw.connect() as c:
        for n in (1, 2):
            answer = c.ask("POST", body=b"12345678")
            assert answer.status == 200 and answer.body == b"ok"
            assert passed_over(gw) == n
    assert back.last.body == b"12345678"
    logged(gw, "the request goes on (on_error: allow)")
    back.check()


def test_on_error_allow_keeps_answers(make):
    gw, _ = misuse(make, "respond-then-next", {"on_error": "allow"})
    assert gw.ask().status == 203 and passed_over(gw) == 0


@pytest.mark.nochaos  # which may hold the first part back until the second comes
def test_on_error_allow_never_mixes_an_edited_body_with_the_rest(make):
    second = threading.Event()
    gw, back = misuse(make, "fail-edited-body", {"on_error": "allow"})
    back.program(script=[peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"),
                         peer.wait(second), peer.send(b"0123456789"), peer.hang()])
    with gw.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: any.test\r\n\r\n")
        c.read_head()
        while b"changed" not in c.stream.buf:
            c.stream.fill()
        second.set()
        with pytest.raises(Closed):
            while c.stream.fill():
                pass
            raise Closed("without its end")
        assert b"0123456789" not in c.stream.raw and b"0\r\n\r\n" not in c.stream.raw
    assert passed_over(gw) == 0


@pytest.mark.parametrize("case,status", [("fail", 403), ("fail-response", 403), ("error-without", 500), ("never-resume", 504)])
def test_without_on_error_allow_a_failure_is_the_answer(make, case, status):
    gw, _ = misuse(make, case, {"on_error": "close"})
    assert gw.ask().status == status and passed_over(gw) == 0


# While a conf is compiled
def five(make, case, **more):
    """Five routes, each with options of its own for conf-case, so that conf_create runs for each."""
    back = make.backend(peer.ok)
    paths = {"/%d" % i: {"get": dict(operation("http://%s/" % back.target), **{
        "x-sallyport-plugins": {"conf-case": dict({"case": case, "high": 50 + i}, **more)}})} for i in range(5)}
    return {"plugins": ["conf-case"]}, [doc_api("five", paths, host="*", map_stage="prod")]


def told(text):
    found = re.search(r"conf-case: calls=(\d+) created=(\d+) freed=(\d+)", text)
    assert found, text
    return [int(x) for x in found.groups()]


@pytest.mark.nochaos
def test_confs_are_freed_when_the_third_place_is_refused(make):
    gw = make.gateway(*five(make, "third"), start=False)
    done = gw.command("check")
    assert done.returncode == 1 and "the third place is refused" in done.stderr
    calls, created, freed = told(done.stderr)
    assert calls >= 3 and created == freed and created >= 2


@pytest.mark.nochaos
def test_confs_are_freed_when_all_is_well(make):
    gw = make.gateway(*five(make, "ok"), start=False)
    done = gw.command("check")
    assert done.returncode == 0, done.stderr
    calls, created, freed = told(done.stderr)
    assert calls >= 5 and created == freed == calls


@pytest.mark.nochaos
def test_a_cross_field_error_stands_at_its_option(make):
    conf, apis = five(make, "cross", low=90)
    gw = make.gateway(conf, apis, start=False)
    done = gw.command("check")
    lines = [x for x in done.stderr.splitlines() if "low is above high" in x]
    assert done.returncode == 1 and len(lines) == 5, done.stderr
    assert all(re.search(r"five\.yaml:\d+:\d+: error: ", x) for x in lines), lines


@pytest.mark.nochaos
@pytest.mark.parametrize("case", ["silent", "nomem"])
def test_a_plugin_that_fails_without_a_word_is_named(make, case):
    gw = make.gateway(*five(make, case), start=False)
    done = gw.command("check")
    assert done.returncode == 1 and "conf-case" in done.stderr and ": error: " in done.stderr
    assert told(done.stderr)[1] == told(done.stderr)[2]


@pytest.mark.nochaos
def test_options_are_checked_before_conf_create(make):
    conf, apis = five(make, "ok", low=101, odd=1)
    gw = make.gateway(conf, apis, start=False)
    done = gw.command("check")
    assert done.returncode == 1 and "odd" in done.stderr and "low" in done.stderr
    assert told(done.stderr)[0] <= 1  # the shared place without options may have been compiled


@pytest.mark.nochaos
def test_a_crash_in_conf_create_kills_the_trial_only(make):
    conf, apis = five(make, "ok")
    gw = make.gateway(conf, apis)
    worker = gw.worker
    assert gw.ask(target="/1").body == b"ok"
    conf, apis = five(make, "crash")
    gw.write(conf, apis)
    done = gw.reload(ok=False)
    words = done.stdout + done.stderr
    assert "conf-case" in words and "signal" in words, words
    assert gw.ask(target="/1").body == b"ok" and gw.worker == worker
