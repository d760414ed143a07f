# SPDX-License-Identifier: Apache-2.0
"""Which API, stage, route and backend a request means, and what is said when none: AWS's examples one by one."""
import base64
import hashlib
import json
import re

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from wire import response_bytes

REST_DENY = b'{"message":"Missing Authentication Token"}'
FORBIDDEN = b'{"message":"Forbidden"}'
NOT_FOUND = b'{"message":"Not Found"}'


def routes(back, table):
    """{"GET /a/{b}": "name"}: each route's backend path is /name followed by its path parameters."""
    paths = {}
    for key, name in table.items():
        method, _, path = key.partition(" ")
        names = re.findall(r"\{([^}+]+)\+?\}", path)
        uri = "http://%s/%s%s" % (back.target, name, "".join("/{%s}" % n for n in names))
        op = operation(uri, **{"path_" + n: "method.request.path." + n for n in names})
        where = "x-amazon-apigateway-any-method" if method == "ANY" else method.lower()
        paths.setdefault(path, {})[where] = op
    return paths


# REST APIs: resources, then request -> route (None: 403). "name/x": the backend's path.
REST_TABLES = {
    "siblings": ({"GET /part1": "part1", "GET /{param+}": "greedy", "GET /part1/hardcoded-value": "hard"}, [
        ("GET", "/part1/random-value", "greedy/part1/random-value"),
        ("GET", "/part1", "part1"),
        ("GET", "/part1/hardcoded-value", "hard"),
        ("GET", "/part1/hardcoded-value/more", "greedy/part1/hardcoded-value/more"),
        ("GET", "/other", "greedy/other"),
        ("GET", "/", None),
        ("POST", "/part1", None),
    ]),
    "methods": ({"POST /test": "post", "OPTIONS /{proxy+}": "options"}, [
        ("OPTIONS", "/test", "options/test"),
        ("POST", "/test", "post"),
        ("GET", "/test", None),
        ("POST", "/other", None),
    ]),
    "any": ({"ANY /test/any": "any", "OPTIONS /{proxy+}": "options"}, [
        ("OPTIONS", "/test/any", "any"),
        ("DELETE", "/test/any", "any"),
        ("OPTIONS", "/test", "options/test"),
        ("GET", "/test", None),
    ]),
    "exact": ({"ANY /a": "any", "GET /a": "get", "HEAD /only": "head"}, [
        ("GET", "/a", "get"), ("POST", "/a", "any"), ("PATCH", "/a", "any"), ("GET", "/only", None), ("HEAD", "/only", "head"),
    ]),
    "greedy": ({"ANY /x/{proxy+}": "greedy"}, [
        ("GET", "/x", None), ("GET", "/x/", None), ("GET", "/x/a", "greedy/a"), ("GET", "/x/a/b", "greedy/a/b"),
        ("GET", "/x/a/", "greedy/a"), ("GET", "/x/a//b", "greedy/a//b"),
        ("GET", "/y/a", None),
    ]),
    "params": ({"GET /pets/{id}": "pet", "GET /pets/{id}/toys/{toy}": "toy", "GET /pets/mine": "mine", "GET /pets/mine/toys/{toy}": "my"}, [
        ("GET", "/pets/1", "pet/1"), ("GET", "/pets/mine", "mine"), ("GET", "/pets/1/toys/2", "toy/1/2"),
        ("GET", "/pets/mine/toys/2", "my/2"), ("GET", "/pets/", None), ("GET", "/pets", None), ("GET", "/pets/1/toys", None),
        ("GET", "/pets/1/", "pet/1"), ("GET", "/pets/a%2Fb", "pet/a%2Fb"), ("GET", "/pets/caf%C3%A9", "pet/caf%C3%A9"),
        ("GET", "/PETS/1", None),
    ]),
    "backtrack": ({"GET /a/{x}/c": "param", "POST /a/b": "literal", "GET /a/{x}/{y+}": "deep", "GET /{all+}": "all"}, [
        ("GET", "/a/b/c", "param/b"), ("GET", "/a/b/d", "deep/b/d"), ("GET", "/a/b", "all/a/b"), ("POST", "/a/b", "literal"),
        ("GET", "/a", "all/a"), ("GET", "/a/b/c/d", "deep/b/c/d"),
    ]),
    "root": ({"GET /": "root", "GET /a": "a"}, [
        ("GET", "/", "root"), ("GET", "", "root"), ("GET", "/a/", "a"), ("GET", "/b", None), ("POST", "/", None),
    ]),
    "hard": ({"GET /hardcoded": "hard", "GET /a/b": "ab"}, [
        ("GET", "//hardcoded", "hard"), ("GET", "/a/b", "ab"), ("GET", "/a//b", None),
    ]),
    "chars": ({"GET /a.b,c:d-e_f": "odd"}, [("GET", "/a.b,c:d-e_f", "odd"), ("GET", "/axb,c:d-e_f", None)]),
}

# HTTP APIs: semantics 7.1's example and the rules around it.
HTTP_TABLES = {
    "example": ({"GET /pets/dog/1": "one", "GET /pets/dog/{id}": "dog", "GET /pets/{proxy+}": "pets", "ANY /{proxy+}": "any",
                 "$default": "default"}, [
        ("GET", "/pets/dog/1", "one"), ("GET", "/pets/dog/2", "dog/2"), ("GET", "/pets/cat/1", "pets/cat/1"),
        ("POST", "/test/5", "any/test/5"), ("GET", "/", "default/"),  # the whole path goes behind the URI
    ]),
    "nodefault": ({"GET /a": "a", "ANY /b": "b", "POST /b": "postb"}, [
        ("GET", "/a", "a"), ("POST", "/a", None), ("GET", "/", None), ("GET", "/c", None), ("POST", "/b", "postb"), ("PUT", "/b", "b"),
    ]),
}


def http_routes(back, table):
    paths = routes(back, {k: v for k, v in table.items() if k != "$default"})
    if "$default" in table:
        op = operation("http://%s/%s" % (back.target, table["$default"]))
        op["isDefaultRoute"] = True
        paths["/$default"] = {"x-amazon-apigateway-any-method": op}
    return paths


class Env:
    def __init__(self, gw, backs):
        self.gw, self.backs = gw, backs

    def path(self, method, target, host, **how):
        """The path that the backend saw, or the refusal."""
        got = self.gw.ask(method, target, host=host, **how)
        if "x-path" in got.headers:
            return got.headers.one("x-path")
        return got


def show(req):
    return response_bytes(200, [("X-Path", req.target)], b"x")


@pytest.fixture(scope="module")
def env(shared):
    back, other = shared.backend(show), shared.backend(peer.named("other"))
    apis = [doc_api("rest-" + name, routes(back, table), "REST", name + ".rest.test", map_stage="prod")
            for name, (table, _) in REST_TABLES.items()]
    apis += [doc_api("http-" + name, http_routes(back, table), "HTTP", name + ".http.test") for name, (table, _) in HTTP_TABLES.items()]
    simple = routes(back, {"GET /a": "a", "ANY /p/{proxy+}": "p"})
    apis += [
        doc_api("staged", simple, "REST", "staged.test", stages={"prod": {}, "dev_1": {}, "v-2": {}}),
        doc_api("hstaged", routes(back, {"GET /a": "a", "GET /prod/a": "inner"}), "HTTP", "hstaged.test",
                stages={"$default": {}, "prod": {}}),
        doc_api("honly", simple, "HTTP", "honly.test", stages={"prod": {}}),
        doc_api("based", simple, "REST", "based.test", map_stage="prod", base_path="/v1"),
        plain_api("exact", "other", "one.wild.test"),
        doc_api("wild", simple, "HTTP", "*.wild.test"),
        plain_api("other", "other", None),
        doc_api("closed", simple, "REST", "closed.test", map_stage="prod", disableExecuteApiEndpoint=True),
        doc_api("vars", {"/v": {"get": operation("http://${stageVariables.where}/${stageVariables.what}/x")}}, "REST", "vars.test",
                stages={"one": {"variables": {"where": back.target, "what": "first"}},
                        "two": {"variables": {"where": other.target, "what": "second"}}}),
    ]
    deep = doc_api("deep", simple, "REST", None)
    deep["hosts"] = [{"name": "based.test", "base_path": "/v1/deeper", "stage": "prod"}, {"name": "also.test", "stage": "prod"}]
    apis.append(deep)
    gw = shared.gateway({"upstreams": [upstream("other", other)]}, apis)
    yield Env(gw, [back, other])
    back.check()


@pytest.mark.parametrize("kind", ["REST", "HTTP"])
def test_the_integrations_uri(make, kind):
    """Its parts: text, path parameters by their names or mapped, stage variables, its own query, what has to be escaped."""
    back = make.backend(lambda req: response_bytes(200, [], req.target.encode()))
    at, mapped = "http://%s" % back.target, "method.request.path.id"
    own = operation(at + "/own/{proxy}", path_proxy="method.request.path.proxy")
    paths = {"/same/{id}": operation(at + "/x/{id}/{id}", path_id=mapped), "/other/{id}": operation(at + "/x/{there}", path_there=mapped),
             "/fixed/{id}": operation(at + "/x/{there}/{id}", path_there="'a/b'", path_id=mapped),
             "/two/{a}/{id}": operation(at + "/{id}/{a}", path_a="method.request.path.a", path_id=mapped),
             "/stage/{id}": operation(at + "/${stageVariables.v}/{id}${stageVariables.none}", path_id=mapped),
             "/ask/{id}": operation(at + "/q?own=1", path_id=mapped), "/asked/{id}": operation(at + "/${stageVariables.q}/{id}", path_id=mapped),
             "/bare": operation(at), "/added/{id}": operation(at + "/x/{id}", path_id=mapped, querystring_k=mapped), "/own/{proxy+}": own}
    lengths = [1, 41, 42, 43, 300]  # what is known of a URI stands with the route, as far as it fits
    paths.update({"/long/%d/{id}" % n: operation(at + "/" + "l" * n + "/{id}") for n in lengths})
    gw = make.gateway({}, [doc_api("uri", {p: {"get": op} for p, op in paths.items()}, kind, "uri.test", map_stage="prod",
                                   stages={"prod": {"variables": {"v": "var", "q": "a?b=c"}}})])
    for path, want in {"/same/1": "/x/1/1", "/other/1": "/x/1", "/fixed/7": "/x/a/b/7", "/two/1/2": "/2/1", "/stage/1": "/var/1",
                       "/ask/1": "/q?own=1", "/ask/1?client=2": "/q?own=1&client=2", "/asked/1": "/a?b=c/1", "/bare": "/", "/same/1?c=d": "/x/1/1?c=d",
                       "/added/1": "/x/1?k=1", "/added/1?c=d": "/x/1?c=d&k=1", "/own/a/b%3Fc/d": "/own/a/b%3Fc/d", "/same/%2f": "/x/%2f/%2f"}.items():
        assert gw.ask("GET", path, host="uri.test").body.decode() == want, path
    for n in lengths:
        assert gw.ask("GET", "/long/%d/9" % n, host="uri.test").body.decode() == "/" + "l" * n + "/9", n


def expect(got, want, body, status):
    if want is None:
        assert not isinstance(got, str), "reached %s" % got
        assert (got.status, got.body) == (status, body), got
    else:
        assert got == "/" + want


@pytest.mark.parametrize("name,method,path,want", [(n, *case) for n, (_, cases) in REST_TABLES.items() for case in cases
                                                   if case[1]])  # an empty path exists only below a stage
def test_rest(env, name, method, path, want):
    expect(env.path(method, path, name + ".rest.test"), want, b"" if method == "HEAD" else REST_DENY, 403)


@pytest.mark.parametrize("name,method,path,want", [(n, *case) for n, (_, cases) in REST_TABLES.items() for case in cases])
def test_rest_below_a_stage(env, name, method, path, want):
    """The same over the API's own host, the stage in the path."""
    host = "rest-%s.execute-api.local.test" % name
    expect(env.path(method, "/prod" + path, host), want, b"" if method == "HEAD" else REST_DENY, 403)


@pytest.mark.parametrize("name,method,path,want", [(n, *case) for n, (_, cases) in HTTP_TABLES.items() for case in cases])
def test_http(env, name, method, path, want):
    expect(env.path(method, path, name + ".http.test"), want, NOT_FOUND, 404)
    expect(env.path(method, path, "http-%s.execute-api.eu-1.local:80" % name), want, NOT_FOUND, 404)


def test_rest_no_match_byte_for_byte(env):
    for method, path in (("GET", "/nothing"), ("DELETE", "/part1")):
        got = env.gw.ask(method, path, host="siblings.rest.test" if method == "DELETE" else "methods.rest.test")
        assert (got.status, got.body) == (403, REST_DENY)
        assert got.headers.one("x-amzn-errortype") == "MissingAuthenticationTokenException"
        assert got.headers.one("content-type") == "application/json"
        assert got.headers.one("content-length") == str(len(REST_DENY))
        assert "x-amzn-requestid" in got.headers and "x-amz-apigw-id" in got.headers
        assert "apigw-requestid" not in got.headers and "server" not in got.headers


def test_http_no_match_byte_for_byte(env):
    got = env.gw.ask("GET", "/nothing", host="nodefault.http.test")
    assert (got.status, got.body) == (404, NOT_FOUND)
    assert got.headers.one("content-type") == "application/json"
    assert "apigw-requestid" in got.headers
    for name in ("x-amzn-errortype", "x-amzn-requestid", "x-amz-apigw-id"):
        assert name not in got.headers


def test_no_match_says_nothing_upstream(env):
    before = len(env.backs[0].requests)
    env.gw.ask("POST", "/nothing", host="nodefault.http.test", body=b"x" * 1000)
    assert len(env.backs[0].requests) == before


def test_unmatched_request_with_a_bearer_token_meets_the_sigv4_parser(env):
    """Semantics 1.4, field reports: only for REST, only when nothing matched."""
    got = env.gw.ask("GET", "/nothing", host="methods.rest.test", headers=[("Authorization", "Bearer xyz")])
    assert got.status == 403
    digest = base64.b64encode(hashlib.sha256(b"Bearer xyz").digest()).decode()
    message = json.loads(got.body)["message"]
    kind = got.headers.one("x-amzn-errortype")
    if kind == "MissingAuthenticationTokenException":
        assert message == "Missing Authentication Token"  # the recorded answer without the header
    else:
        assert kind == "IncompleteSignatureException"
        assert message == ("Invalid key=value pair (missing equal-sign) in Authorization header "
                           "(hashed with SHA-256 and encoded with Base64): '%s'." % digest)


@pytest.mark.parametrize("host", ["nobody.test", "siblings.rest.test.evil", "xsiblings.rest.test", "wild.test", "nope.execute-api.local",
                                  "execute-api.local", "127.0.0.1"])
def test_unknown_hosts(env, host):
    got = env.gw.ask("GET", "/a", host=host)
    assert got.status in (403, 404) and json.loads(got.body)["message"] in ("Forbidden", "Not Found"), got


@pytest.mark.parametrize("path,want", [
    ("/prod/a", "a"), ("/dev_1/a", "a"), ("/v-2/p/x", "p/x"), ("//prod//a", "a"), ("/prod/a/", "a"), ("//dev_1//p/x", "p/x"),
])
def test_stage_in_the_path(env, path, want):
    assert env.path("GET", path, "staged.test") == "/" + want
    assert env.path("GET", path, "staged.execute-api.local.test") == "/" + want


@pytest.mark.parametrize("path", ["/a", "/", "/PROD/a", "/prodx/a", "/p/x", "/a/prod"])
def test_unknown_stage_of_rest(env, path):
    got = env.gw.ask("GET", path, host="staged.test")
    assert (got.status, got.body) == (403, FORBIDDEN)
    assert got.headers.one("x-amzn-errortype") == "ForbiddenException"
    assert "x-amzn-requestid" in got.headers


def test_stage_alone(env):
    assert env.path("GET", "/prod", "rest-root.execute-api.local") == "/root"
    assert env.path("GET", "/prod/", "rest-root.execute-api.local") == "/root"
    assert env.path("GET", "/prod?x=1", "rest-root.execute-api.local") == "/root?x=1"


def test_http_stages(env):
    """An explicit stage wins over the same path in $default."""
    assert env.path("GET", "/a", "hstaged.test") == "/a"
    assert env.path("GET", "/prod/a", "hstaged.test") == "/a"
    got = env.gw.ask("GET", "/prod/b", host="hstaged.test")
    assert (got.status, got.body) == (404, NOT_FOUND)
    assert env.path("GET", "/prod/a", "honly.test") == "/a"
    for path in ("/a", "/"):
        got = env.gw.ask("GET", path, host="honly.test")
        assert (got.status, got.body) == (404, NOT_FOUND)


def test_base_paths(env):
    assert env.path("GET", "/v1/a", "based.test") == "/a"
    assert env.path("GET", "/v1/deeper/a", "based.test") == "/a"
    assert env.path("GET", "/v1/deeper/p/q", "based.test") == "/p/q"
    for path in ("/v1", "/v1x/a", "/a", "/", "/v1/deeperx", "/v1/prod/a"):
        got = env.gw.ask("GET", path, host="based.test")
        assert got.status == 403, (path, got)
    assert env.path("GET", "/a", "also.test") == "/a"


def test_wildcard_hosts(env):
    assert env.path("GET", "/a", "any.wild.test") == "/a"
    assert env.path("GET", "/a", "ANY.Wild.TEST:1234") == "/a"
    assert env.gw.ask("GET", "/a", host="one.wild.test").headers.one("x-backend") == "other"


def test_plain_upstream_takes_every_path_and_method(env):
    host = "other.execute-api.local"
    for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"):
        assert env.gw.ask(method, "/any/thing?x=1", host=host, body=b"x" if method == "POST" else None).body == b"other /any/thing?x=1"
    assert env.gw.ask("GET", "/", host=host).body == b"other /"


def test_execute_api_host_can_be_closed(env):
    assert env.path("GET", "/a", "closed.test") == "/a"
    got = env.gw.ask("GET", "/prod/a", host="closed.execute-api.local")
    assert (got.status, got.body) == (403, FORBIDDEN)


def test_api_id_is_case_sensitive_in_the_host_or_not_at_all(env):
    """Host names have no case (RFC 9110 4.2.3); ids are lower-case only, so both spellings mean the same API."""
    got = env.path("GET", "/prod/a", "STAGED.execute-api.local")
    assert got == "/a" or got.status in (403, 404)


def test_stage_variables_in_uris(env):
    assert env.path("GET", "/one/v", "vars.test") == "/first/x"
    assert env.gw.ask("GET", "/two/v", host="vars.test").body == b"other /second/x"


@pytest.mark.parametrize("query", ["", "?", "?a=1", "?a=1&a=2&b", "?x=%20+%2B"])
def test_query_goes_along(env, query):
    got = env.path("GET", "/pets/1" + query, "params.rest.test")
    assert got in ("/pet/1" + query, "/pet/1") if query == "?" else got == "/pet/1" + query


def test_request_data_never_changes_the_authority(env):
    for path in ("/p/@evil.test/x", "/p//evil.test/x", "/p/..%2f..%2f@evil.test", "/p/http://evil.test/"):
        got = env.path("GET", path, "also.test")
        assert got in (path.rstrip("/"), path.replace("/p//", "/p/")), got
        assert env.backs[0].last.headers.one("host") == env.backs[0].target


def test_deep_and_odd_paths(env):
    long = "/".join("s%d" % k for k in range(500))
    assert env.path("GET", "/x/" + long, "greedy.rest.test") == "/greedy/" + long
    assert env.path("GET", "/a/" * 200 + "b", "backtrack.rest.test").startswith("/")


@pytest.mark.parametrize("target", ["/pets/%", "/pets/%zz", "/pets/..", "/pets/../x", "/pets/./x"])
def test_paths_are_not_normalised(env, target):
    got = env.path("GET", target, "params.rest.test")
    assert not isinstance(got, str) or got.startswith("/pet/"), got
