# SPDX-License-Identifier: Apache-2.0
"""The shipped plugins headers and respond, and noop: what they do to real requests, and what they refuse in a conf."""
import json

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from wire import response_bytes


def entry(use="headers", name=None, **options):
    return dict({"use": use, "with": options}, **({"id": name} if name else {}))


def plain(make, plugins, handler=peer.echo, more=None, **how):
    """A gateway with these plugins in front of a backend that tells what came."""
    back = make.backend(handler)
    conf = dict({"plugins": plugins, "upstreams": [upstream("backend", back)]}, **(more or {}))
    return make.gateway(conf, [plain_api("plain", "backend")], **how), back


def seen(answer):
    """The headers that the echoing backend got, names in lower case."""
    out = {}
    for name, value in json.loads(answer.body)["headers"]:
        out.setdefault(name.lower(), []).append(value)
    return out


# headers
def test_request_headers_are_edited(make):
    gw, _ = plain(make, [entry(request={
        "remove": ["X-Gone", "x-also-gone"], "rename": {"X-Old": "X-New"},
        "set": {"X-Set": "fixed", "X-Several": ["a", "b"]}, "add": {"X-Add": ["two", "three"]}})])
    got = seen(gw.ask(headers=[("X-Gone", "1"), ("x-gone", "2"), ("X-Also-Gone", "3"), ("X-Old", "o1"), ("x-old", "o2"),
                               ("X-New", "n"), ("X-Set", "client"), ("X-Set", "again"), ("X-Several", "c"),
                               ("X-Add", "one"), ("X-Kept", "k")]))
    assert "x-gone" not in got and "x-also-gone" not in got and "x-old" not in got
    assert got["x-new"] == ["n", "o1", "o2"]
    assert got["x-set"] == ["fixed"] and got["x-several"] == ["a", "b"]
    assert got["x-add"] == ["one", "two", "three"] and got["x-kept"] == ["k"]


def test_response_headers_are_edited(make):
    def handler(_):
        return response_bytes(200, [("Server", "secret/1"), ("X-Old", "v"), ("X-Keep", "k"), ("ETag", '"e"')], b"ok")
    gw, _ = plain(make, [entry(response={"remove": "Server", "rename": {"X-Old": "X-New"},
                                         "set": {"X-Tag": "tag ${response.header.ETag}"}, "add": {"X-Keep": "l"}})], handler)
    got = gw.ask()
    assert got.headers.all("Server") != ["secret/1"] and "X-Old" not in got.headers
    assert got.headers.one("X-New") == "v" and got.headers.one("X-Tag") == 'tag "e"'
    assert got.headers.all("X-Keep") == ["k", "l"] and got.body == b"ok"


def test_values_refer_to_request_context_and_stage(make):
    back = make.backend(peer.echo)
    paths = {"/pets/{id}": {"get": operation("http://%s/pets/{id}" % back.target,
                                             path_id="method.request.path.id")}}
    conf = {"plugins": [entry(request={"set": {
        "X-Id": "$context.requestId", "X-Ip": "ip=${context.identity.sourceIp};", "X-Stage": "${context.stage}",
        "X-Var": "v-${stageVariables.version}", "X-Pet": "${request.path.id}", "X-Path": "${request.path}",
        "X-Q": "${request.querystring.q}", "X-Agent": "${request.header.user-agent}/${request.header.X-Two}",
        "X-Money": "$$5 $$${x}", "X-Route": "${context.httpMethod} ${context.resourcePath}"}})]}
    api = doc_api("pets", paths, host="*", map_stage="prod", stages={"prod": {"variables": {"version": "7"}}})
    gw = make.gateway(conf, [api])
    answer = gw.ask(target="/pets/42?q=a%20b&q=c&z=1", headers=[("User-Agent", "me"), ("X-Two", "1"), ("X-Two", "2")])
    got = seen(answer)
    assert got["x-id"] == [answer.headers.one("x-amzn-RequestId")]
    assert got["x-ip"] == ["ip=127.0.0.1;"] and got["x-stage"] == ["prod"] and got["x-var"] == ["v-7"]
    assert got["x-pet"] == ["42"] and got["x-path"] == ["/pets/42"] and got["x-q"] == ["a b,c"]
    assert got["x-agent"] == ["me/1,2"] and got["x-route"] == ["GET /pets/{id}"]
    assert got["x-money"] == ["$5 ${x}"]  # of $$$, the conf itself takes the last: its own $${ is a ${


def test_a_missing_value_removes_what_the_client_sent(make):
    gw, _ = plain(make, [entry(request={"set": {"X-User": "${context.authorizer.claims.sub}", "X-Mixed": "u=${request.header.No}"},
                                        "add": {"X-More": "${request.querystring.none}"}})])
    got = seen(gw.ask(headers=[("X-User", "admin"), ("X-More", "one")]))
    assert "x-user" not in got and got["x-mixed"] == ["u="] and got["x-more"] == ["one"]


def test_a_query_string_cannot_smuggle_a_header_in(make):
    gw, back = plain(make, [entry(request={"set": {"X-Q": "${request.querystring.q}", "X-R": "r${request.querystring.q}"}})])
    got = seen(gw.ask(target="/?q=a%0d%0aX-Evil:%201", headers=[("X-Q", "client")]))
    assert "x-q" not in got and got["x-r"] == ["r"] and "x-evil" not in got
    back.check()


def test_host_of_the_backend_can_be_set(make):
    gw, back = plain(make, [entry(request={"set": {"Host": "inner.example"}})])
    gw.ask()
    assert back.last.headers.all("Host") == ["inner.example"]


@pytest.mark.parametrize("status,code,expected", [("404", 404, True), ("404", 200, False), (["5xx", "201"], 503, True),
                                                  (["5xx", "201"], 201, True), (["5xx", "201"], 404, False)])
def test_response_edits_may_be_for_some_statuses(make, status, code, expected):
    gw, _ = plain(make, [entry(response={"status": status, "set": {"X-Mark": "here"}})], lambda _: response_bytes(code))
    assert ("X-Mark" in gw.ask().headers) == expected


def test_local_answers_get_response_edits_too(make):
    back = make.backend(peer.ok)
    conf = {"plugins": [entry(response={"set": {"X-Mark": "${context.error.responseType}"}})]}
    api = doc_api("pets", {"/pets": {"get": operation("http://%s/" % back.target)}}, host="*", map_stage="prod")
    gw = make.gateway(conf, [api])
    answer = gw.ask(target="/none")
    assert answer.status == 403 and answer.headers.one("X-Mark") == "MISSING_AUTHENTICATION_TOKEN"
    assert "X-Mark" not in gw.ask(target="/pets").headers


def test_places_have_options_of_their_own(make):
    back = make.backend(peer.ok)
    uri = "http://%s/" % back.target
    paths = {"/plain": {"get": operation(uri)},
             "/marked": {"get": dict(operation(uri), **{"x-sallyport-plugins": {"headers": {"response": {"set": {"X-A": "m"}}}}}),
                         "post": operation(uri)},
             "/off": {"x-sallyport-plugins": {"always": {"enabled": False}}, "get": operation(uri)}}
    conf = {"plugins": ["headers", entry(name="always", response={"set": {"X-Always": "y"}})]}
    gw = make.gateway(conf, [doc_api("pets", paths, host="*", map_stage="prod")])
    assert "X-A" not in gw.ask(target="/plain").headers and gw.ask(target="/plain").headers.one("X-Always") == "y"
    assert gw.ask(target="/marked").headers.one("X-A") == "m"
    assert "X-A" not in gw.ask("POST", "/marked", body=b"").headers
    assert "X-Always" not in gw.ask(target="/off").headers


def test_the_response_phase_runs_backwards(make):
    gw, _ = plain(make, [entry(name="first", request={"add": {"X-O": "1"}}, response={"add": {"X-O": "1"}}),
                         entry(name="second", request={"add": {"X-O": "2"}}, response={"add": {"X-O": "2"}})])
    answer = gw.ask()
    assert seen(answer)["x-o"] == ["1", "2"] and answer.headers.all("X-O") == ["2", "1"]


def test_shadow_edits_nothing(make):
    gw, _ = plain(make, [dict(entry(request={"set": {"X-S": "1"}}, response={"set": {"X-S": "1"}}), mode="shadow")])
    answer = gw.ask()
    assert "X-S" not in answer.headers and "x-s" not in seen(answer)


BAD_HEADERS = [
    ({"request": {"set": {"X A": "1"}}}, "'X A' is not a header name"),
    ({"request": {"set": {"Content-Length": "1"}}}, "'Content-Length' belongs to the gateway"),
    ({"response": {"remove": ["transfer-encoding"]}}, "'transfer-encoding' belongs to the gateway"),
    ({"request": {"rename": {"Connection": "X-C"}}}, "'Connection' belongs to the gateway"),
    ({"request": {"rename": {"X-C": "Upgrade"}}}, "'Upgrade' belongs to the gateway"),
    ({"request": {"remove": "Host"}}, "it can be set, but not added, removed or renamed"),
    ({"response": {"set": {"Host": "x"}}}, "'Host' belongs to the gateway"),
    ({"request": {"rename": {"X-A": "x-a"}}}, "are one header: names have no case"),
    ({"request": {"set": {"X-A": "1", "x-a": "2"}}}, "header 'x-a' is there twice"),
    ({"request": {"set": {"X-A": "${context.requestID}"}}}, "there is no $context.requestID (did you mean 'requestId'?)"),
    ({"request": {"set": {"X-A": "${contxt.requestId}"}}}, "unknown reference 'contxt.requestId'"),
    ({"request": {"set": {"X-A": "a $ b"}}}, "a lone '$' at byte 3"),
    ({"request": {"set": {"X-A": "${context.stage"}}}, "'${' without '}'"),
    ({"request": {"set": {"X-A": "${response.header.A}"}}}, "a request has no response yet"),
    ({"request": {"set": {"X-A": "a\nb"}}}, "control character 0x0a"),
    ({"request": {"set": {"X-A": " a"}}}, "white space at its begin or end"),
    ({"request": {"set": {}}}, "'set' is empty"),
    ({"request": {"remove": []}}, "'remove' is empty"),
    ({"request": {"add": {"X-A": []}}}, "header 'X-A' has an empty list of values"),
    ({"response": {"status": ["6xx"], "remove": "Server"}}, "'6xx' is no status"),
    ({"request": {"status": ["4xx"], "remove": "Server"}}, "status"),
    ({"request": {"sett": {"X-A": "1"}}}, "sett"),
    ({"request": {"set": "X-A"}}, "set"),
]


@pytest.mark.nochaos
@pytest.mark.parametrize("options,expected", BAD_HEADERS, ids=[e for _, e in BAD_HEADERS])
def test_headers_refuses_bad_options(make, options, expected):
    gw, _ = plain(make, [entry(**options)], start=False)
    done = gw.command("check")
    lines = [x for x in done.stderr.splitlines() if ": error: " in x]
    assert done.returncode == 1 and len(lines) >= 1, done.stderr
    assert any(expected in x and "sallyport.yaml:" in x for x in lines), done.stderr


@pytest.mark.nochaos
def test_every_mistake_of_an_entry_is_told_at_once(make):
    gw, _ = plain(make, [entry(request={"set": {"X A": "1", "X-B": "$", "Content-Length": "3"}, "remove": ["Upgrade"]})], start=False)
    done = gw.command("check")
    lines = [x for x in done.stderr.splitlines() if ": error: " in x]
    assert done.returncode == 1 and len(lines) == 4, done.stderr
    positions = [x.split(": error: ")[0] for x in lines]
    assert len(set(positions)) == 4, positions


# respond
def test_respond_answers_and_declines(make):
    back = make.backend(peer.ok)
    uri = "http://%s/" % back.target
    paths = {"/robots.txt": {"get": dict(operation(uri), **{"x-sallyport-plugins": {"respond": {
                 "body": "User-agent: *\n", "headers": {"Cache-Control": "max-age=60", "X-A": "b"}}}})},
             "/gone": {"get": dict(operation(uri), **{"x-sallyport-plugins": {"respond": {"status": 410}}})},
             "/json": {"get": dict(operation(uri), **{"x-sallyport-plugins": {"respond": {
                 "status": 503, "body": "{}", "content_type": "application/json"}}})},
             "/through": {"get": operation(uri)}}
    gw = make.gateway({"plugins": ["respond"]}, [doc_api("a", paths, host="*", map_stage="prod")])
    got = gw.ask(target="/robots.txt")
    assert got.status == 200 and got.body == b"User-agent: *\n"
    assert got.headers.one("Content-Type") == "text/plain; charset=utf-8"
    assert got.headers.one("Cache-Control") == "max-age=60" and got.headers.one("X-A") == "b"
    got = gw.ask(target="/gone")
    assert got.status == 410 and got.body == b"" and "Content-Type" not in got.headers
    got = gw.ask(target="/json")
    assert got.status == 503 and got.body == b"{}" and got.headers.one("Content-Type") == "application/json"
    assert back.accepted == 0
    assert gw.ask(target="/through").body == b"ok"


def test_respond_answers_head_without_a_body(make):
    gw, _ = plain(make, [entry("respond", body="hello")])
    with gw.connect() as c:
        assert c.ask("HEAD").body == b""
        assert c.ask("GET").body == b"hello"
        assert c.ask("POST", body=b"x" * 1000).body == b"hello"


def test_respond_reads_a_file_once(make):
    data = bytes(range(256)) * 4000
    back = make.backend(peer.ok)
    gw = make.gateway({"plugins": [entry("respond", body_file="files/page.bin", content_type="application/octet-stream")],
                       "upstreams": [upstream("backend", back)]}, [plain_api("plain", "backend")], start=False,
                      files={"files/page.bin": ""})
    with open(gw.root + "/files/page.bin", "wb") as f:
        f.write(data)
    gw.files = {}
    gw.start()
    for _ in range(3):
        assert gw.ask().body == data


def test_outer_plugins_still_see_a_local_answer(make):
    gw, _ = plain(make, [entry(name="outer", response={"set": {"X-Outer": "1"}}), entry("respond", body="hello"),
                         entry(name="inner", response={"set": {"X-Inner": "1"}})])
    got = gw.ask()
    assert got.headers.one("X-Outer") == "1" and "X-Inner" not in got.headers


BAD_RESPOND = [
    ({"status": 199}, "status"), ({"status": 600}, "status"), ({"status": "teapot"}, "status"),
    ({"body": "a", "body_file": "x"}, "exclude each other"),
    ({"status": 204, "body": "a"}, "a 204 answer has no body"),
    ({"body_file": "missing.txt"}, "No such file or directory"),
    ({"body_file": "."}, "not a regular file"),
    ({"content_type": "a\nb", "body": "x"}, "control characters"),
    ({"headers": {"Content-Type": "x"}}, "use the option content_type"),
    ({"headers": {"Connection": "x"}}, "'Connection' belongs to the gateway"),
    ({"headers": {"X A": "x"}}, "'X A' is not a header name"),
    ({"headers": {"X-A": "x\r\ny"}}, "control characters"),
    ({"headers": {"X-%d" % i: "x" for i in range(65)}}, "65 headers, expected at most 64"),
    ({"bdy": "x"}, "bdy"),
]


@pytest.mark.nochaos
@pytest.mark.parametrize("options,expected", BAD_RESPOND, ids=[str(i) for i in range(len(BAD_RESPOND))])
def test_respond_refuses_bad_options(make, options, expected):
    gw, _ = plain(make, [entry("respond", **options)], start=False)
    done = gw.command("check")
    assert done.returncode == 1, done.stderr
    assert any(expected in x and ": error: " in x and "sallyport.yaml:" in x for x in done.stderr.splitlines()), done.stderr


# noop
def test_a_hundred_noops_change_nothing(make):
    gw, _ = plain(make, [{"use": "noop", "id": "noop-%d" % i} for i in range(100)])
    body = b"x" * 100000
    with gw.connect(timeout=60.0) as c:
        for _ in range(20):
            got = c.ask("POST", "/a?b=c", body=body, headers=[("X-A", "b")])
            assert got.status == 200 and seen(got)["x-a"] == ["b"] and json.loads(got.body)["length"] == len(body)


@pytest.mark.nochaos
def test_plugins_tells_of_the_shipped_ones(make):
    gw, _ = plain(make, ["headers", "respond"], start=False)
    for name in ("headers", "respond"):
        done = gw.command("plugins", name)
        assert done.returncode == 0 and name in done.stdout, done.stdout + done.stderr
    assert "body_file" in gw.command("plugins", "respond").stdout
