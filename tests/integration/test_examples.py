# SPDX-License-Identifier: Apache-2.0
"""The SDK's examples on the real gateway: what WRITING.md promises."""
import os

import pytest

import backend as peer
import gateway
from confgen import plain_api, upstream
from wire import response_bytes

BUILT = os.path.join(os.environ.get("SALLYPORT_TEST_TOP_BUILDDIR", ""), "sdk", "examples", ".libs")
pytestmark = pytest.mark.skipif(not os.path.isdir(BUILT), reason="the examples are not built: make test-plugins")


def run(make, plugins, handler=peer.ok, ups=()):
    back = make.backend(handler)
    conf = {"plugin_dirs": gateway.PLUGIN_DIRS + [BUILT], "plugins": plugins,
            "upstreams": [upstream("backend", back)] + list(ups)}
    return make.gateway(conf, [plain_api("plain", "backend")]), back


def test_hello(make):
    gw, _ = run(make, ["hello"])
    assert gw.ask().headers.one("X-Hello") == "world"
    gw, _ = run(make, [{"hello": {"text": "good morning"}}])
    assert gw.ask().headers.one("X-Hello") == "good morning"


@pytest.mark.nochaos
def test_hello_refuses_an_empty_text(make):
    conf = {"plugin_dirs": [BUILT], "plugins": [{"hello": {"text": ""}}], "upstreams": [upstream("backend", "127.0.0.1:9")]}
    gw = make.gateway(conf, [plain_api("plain", "backend")], start=False)
    done = gw.command("check")
    assert done.returncode == 1 and "'text' is empty, expected what to say" in done.stderr


def test_body_upper_streams(make):
    text = b"abc xyz {} 09 " * 20000

    def handler(request):
        kind = "text/plain; charset=utf-8" if request.target == "/text" else "application/octet-stream"
        return response_bytes(200, [("Content-Type", kind)], text, chunked=request.target == "/text")
    gw, _ = run(make, ["body-upper"], handler)
    assert gw.ask(target="/text").body == text.upper()
    assert gw.ask(target="/other").body == text
    assert gw.ask("HEAD", "/text").body == b""


def users(request):
    name = request.target.rpartition("/")[2]
    known = {"anna": "17", "bert": "18"}
    if name not in known:
        return response_bytes(404)
    return response_bytes(200, [("X-Id", known[name])], b"{}")


def test_async_lookup(make):
    lookup = make.backend(users)
    plugin = {"async-lookup": {"upstream": "users", "timeout": "5s"}}
    gw, back = run(make, [plugin], peer.echo, [upstream("users", lookup)])
    for name, number in (("anna", "17"), ("bert", "18"), ("anna", "17")):
        assert gw.ask(headers=[("X-User", name)]).status == 200
        assert back.last.headers.all("X-User-Id") == [number]
    assert [r.target for r in lookup.requests] == ["/users/anna", "/users/bert", "/users/anna"]
    count = len(back.requests)
    assert gw.ask(headers=[("X-User", "carl")]).status == 401
    assert gw.ask(headers=[("X-User", "../anna")]).status == 401
    assert gw.ask().status == 401
    assert len(back.requests) == count


def test_async_lookup_denies_when_it_cannot_ask(make):
    lookup = make.backend(script=[peer.head(), peer.hang()])
    gw, back = run(make, [{"async-lookup": {"upstream": "users", "timeout": "150ms"}}], peer.ok, [upstream("users", lookup)])
    assert gw.ask(headers=[("X-User", "anna")]).status == 500
    lookup.refuse()
    assert gw.ask(headers=[("X-User", "anna")]).status == 500
    assert not back.requests
