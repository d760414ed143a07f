# SPDX-License-Identifier: Apache-2.0
"""Broken confs through the command: exit code 1, exactly the expected lines, the same as JSON, nothing started; and good ones."""
import json
import os
import re
import shutil

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from conftest import TOP
from gateway import PLUGIN_DIRS, free_port, plugin_file, run_binary

pytestmark = pytest.mark.nochaos

CONF = os.path.abspath(os.path.join(TOP, "tests", "conf"))
BAD = os.path.join(CONF, "bad")
ONE_API = os.path.join(CONF, "one-api.yaml")


def cases(folder):
    return sorted(n for n in os.listdir(folder) if n.endswith((".yaml", ".json")))


MAIN, API = cases(BAD), cases(os.path.join(BAD, "api"))


def expected(path):
    source = path + ".expect" if path.endswith(".json") else path
    with open(source, encoding="utf-8") as f:
        return [line[len("# expect: "):].rstrip("\n") for line in f if line.startswith("# expect: ")]


def shortened(text, folder, name):
    """Lines as the files expect them: paths relative to the folder, the file's own name left out at a line's start."""
    out = []
    for line in text.splitlines():
        line = line.replace(folder + "/", "")
        out.append(line[len(name) + 1:] if line.startswith(name + ":") else line)
    return out


def check(folder, name, *options):
    """`check` of one broken file: a main conf, or an API file through one-api.yaml."""
    path = os.path.join(folder, name)
    api = folder != BAD
    env = dict(os.environ, SALLYPORT_TEST_BAD_API=path)
    env.pop("SALLYPORT_TEST_UNSET", None)
    return run_binary("-c", ONE_API if api else path, *options, "check", env=env)


EVERY = [(BAD, n) for n in MAIN] + [(os.path.join(BAD, "api"), n) for n in API]


def test_there_are_enough():
    assert len(EVERY) >= 75


@pytest.mark.parametrize("folder,name", EVERY, ids=[n for _, n in EVERY])
def test_broken_conf(folder, name):
    want = expected(os.path.join(folder, name))
    assert want, "the file says nothing about what it must answer"
    done = check(folder, name)
    assert done.returncode == 1, done
    lines = shortened(done.stderr, folder, name)
    assert lines[:-1] == want
    assert re.match(r"^sallyport: .*: \d+ errors?$", done.stderr.splitlines()[-1]), done.stderr
    assert done.stdout == ""
    listed = check(folder, name, "--json")
    answer = json.loads(listed.stdout)
    assert listed.returncode == 1 and answer["ok"] is False
    errors = answer["errors"]
    assert len(errors) == len(want)
    for item, line in zip(errors, want):
        if item.get("line") and item.get("file", "").endswith("/" + name):
            assert line.startswith("%d:%d: " % (item["line"], item["column"])), (item, line)
        assert item["message"].replace(folder + "/", "") in line
        assert item["level"] in ("error", "note")


@pytest.mark.parametrize("name", ["unknown-top-key.yaml", "many-at-once.yaml", "json-types.json", "yaml-unclosed.yaml"])
def test_run_starts_nothing(name, tmp_path):
    """The same lines as `check`, and not a socket."""
    sock = str(tmp_path / "ctl")
    done = run_binary("-c", os.path.join(BAD, name), "-s", sock, "run")
    assert done.returncode == 1
    lines = [l for l in shortened(done.stderr, BAD, name) if " error: " in l]
    assert lines == expected(os.path.join(BAD, name))
    assert not os.path.exists(sock)
    assert "ready" not in done.stderr and "listening" not in done.stderr


@pytest.mark.parametrize("name", ["sallyport.yaml", "sallyport.full.yaml"])
def test_shipped_confs_are_sound(name, tmp_path):
    """A copy, so that what they include is looked for beside them; without API files they have none."""
    source = os.path.join(TOP, "conf")
    folder = tmp_path / "conf"
    shutil.copytree(source, folder)
    with open(folder / name, encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"^plugin_dirs:.*\n", "", text, flags=re.M) + "\nplugin_dirs: %s\n" % json.dumps(PLUGIN_DIRS)
    with open(folder / name, "w", encoding="utf-8") as f:
        f.write(text)
    done = run_binary("-c", str(folder / name), "check")
    assert done.returncode == 0, done


# What only loading plugins and binding can find
def refused(make, conf, apis=(), files=None):
    gw = make.gateway(conf, apis, start=False, files=files)
    done = gw.command("check")
    assert done.returncode == 1, done
    lines = [l.replace(gw.root + "/", "") for l in done.stderr.splitlines() if not l.startswith("conf-case: ")]
    assert all(re.match(r"^\S+:\d+:\d+: (error|note|warning): ", l) for l in lines[:-1]), lines
    assert len(set(lines)) == len(lines), "the same error more than once: %r" % lines
    return lines[:-1]


UP = {"upstreams": [{"id": "up", "targets": ["127.0.0.1:1"]}]}


def with_plugins(*entries):
    return dict(UP, plugins=list(entries))


def test_plugin_that_is_not_there(make):
    lines = refused(make, with_plugins("no-such-plugin"), [plain_api("p", "up")])
    assert len(lines) == 1 and "no-such-plugin" in lines[0] and "sallyport.yaml:" in lines[0]


@pytest.mark.parametrize("use,option,word,words", [
    ("good", "on_error", "allow", "`on_error: allow` is refused for the guard `good`"),
    ("good", "on_crash", "skip", "`on_crash: skip` is not supported by this version"),
    ("headers", "on_crash", "skip", "`on_crash: skip` is not supported by this version")])
def test_policies_that_are_refused(make, use, option, word, words):
    plugin_file(use)
    lines = refused(make, with_plugins({"use": use, option: word}), [plain_api("p", "up")])
    assert len(lines) == 1 and words in lines[0], lines
    assert re.search(r"sallyport\.yaml:\d+:\d+: error: plugins\[0\]\.%s: " % option, lines[0]), lines


def test_plugin_options_are_checked_with_positions(make):
    entry = {"use": "headers", "with": {"response": {"sett": {"A": "b"}, "set": {"Content-Length": "5", "Bad Name": "x", "Good": "$context.nope"}}}}
    lines = refused(make, with_plugins(entry), [plain_api("p", "up")])
    text = "\n".join(lines)
    assert "sett" in text and "did you mean 'set'" in text


def test_plugin_values_are_checked(make):
    entry = {"use": "headers", "with": {"response": {"set": {"Content-Length": "5", "Bad Name": "x", "Good": "$context.nope.x"}}}}
    lines = refused(make, with_plugins(entry), [plain_api("p", "up")])
    text = "\n".join(lines)
    assert "Content-Length" in text and "Bad Name" in text and len(lines) >= 2, lines


def test_conf_create_fails_on_one_of_many_places(make):
    plugin_file("conf-case")
    lines = refused(make, with_plugins({"use": "conf-case", "with": {"case": "cross", "low": 5, "high": 2}}), [plain_api("p", "up")])
    assert any("low is above high" in l for l in lines), lines


def test_plugin_that_crashes_while_compiling(make):
    plugin_file("conf-case")
    gw = make.gateway(with_plugins({"use": "conf-case", "with": {"case": "crash"}}), [plain_api("p", "up")], start=False)
    for command in ("check", "run"):
        done = gw.command(command)
        assert done.returncode == 1, done
        assert "signal" in done.stderr and "conf-case" in done.stderr and "sallyport.yaml:" in done.stderr, done


def test_capability_that_nobody_provides(make):
    doc = {"/x": {"get": operation("http://127.0.0.1:1/")}}
    api = doc_api("p", doc)
    api["openapi"]["paths"]["/x"]["get"]["x-amazon-apigateway-integration"]["type"] = "aws_proxy"
    api["openapi"]["paths"]["/x"]["get"]["x-amazon-apigateway-integration"]["uri"] = "arn:aws:lambda:eu-1:000000000000:function:f"
    lines = refused(make, UP, [api])
    assert any("AWS_PROXY" in l for l in lines) and "apis.d/p.yaml:" in lines[0], lines


def test_authorizer_that_nobody_provides_closes_the_gate(make):
    api = doc_api("p", {"/x": {"get": dict(operation("http://127.0.0.1:1/"), security=[{"jwt": []}])}}, "HTTP")
    api["openapi"]["components"] = {"securitySchemes": {"jwt": {"type": "oauth2", "x-amazon-apigateway-authorizer": {
        "type": "jwt", "identitySource": "$request.header.Authorization", "jwtConfiguration": {"issuer": "https://x.test", "audience": ["a"]}}}}}
    lines = refused(make, UP, [api])
    assert any("authorizer" in l.lower() for l in lines), lines


def test_errors_of_all_files_come_in_one_pass(make):
    conf = dict(UP, thraeds=1, limits={"body": "lots"})
    lines = refused(make, conf, [plain_api("p", "nobody"), dict(plain_api("q", "up"), stgaes={})])
    text = "\n".join(lines)
    for word in ("thraeds", "lots", "nobody", "stgaes"):
        assert word in text, (word, lines)


# Forms
def test_json_and_yaml_confs_mean_the_same(make):
    back = make.backend(peer.ok)
    conf, apis = {"upstreams": [upstream("up", back)]}, [plain_api("p", "up"), doc_api("d", {"/x": {"get": operation("http://%s/" % back.target)}})]
    said = []
    for form in ("yaml", "json"):
        gw = make.gateway(conf, apis, form=form)
        assert gw.ask().status == 200
        said.append(gw.json("check"))
    for key in ("apis", "routes", "plugins"):
        assert said[0][key] == said[1][key]


def test_json_in_a_file_named_yaml(make):
    back = make.backend(peer.ok)
    gw = make.gateway({"upstreams": [upstream("up", back)]}, [plain_api("p", "up")], start=False)
    gw.put("sallyport.yaml", json.dumps(gw.full_conf()))
    assert gw.command("check").returncode == 0


def test_includes_environment_and_files(make):
    back = make.backend(peer.ok)
    port = free_port()
    gw = make.gateway(start=False, files={
        "conf.d/10-up.yaml": "upstreams:\n  - id: up\n    targets: [\"${env:E2E_TARGET}\"]\n",
        "conf.d/20-limits.yaml": "limits:\n  body: ${env:E2E_UNSET:-2KB}\n",
        "secret.txt": "from-file"}, env={"E2E_TARGET": back.target})
    gw.put("sallyport.yaml", "include: conf.d/*.yaml\nlisten: [{address: \"127.0.0.1:%d\"}]\nplugin_dirs: %s\nplugins:\n"
           "  - use: headers\n    with: {response: {set: {X-S: \"${file:secret.txt}\"}}}\napis: {include: apis.d/*.yaml}\n" % (
               port, json.dumps(PLUGIN_DIRS)))
    gw.put("apis.d/p.yaml", "api: p\nupstream: up\nhosts: [{name: \"*\"}]\n")
    gw.port = port
    gw.launch()
    assert gw.wait_ready(), gw.log()
    got = gw.ask()
    assert got.status == 200 and got.headers.one("x-s") == "from-file"
    assert gw.ask("POST", body=b"x" * 3000).status == 413


def test_the_environment_stands_over_the_conf(make, tmp_path):
    """SALLYPORT_LIMITS_BODY over limits.body, by a file that reload reads again; a bad one changes nothing."""
    back = make.backend(peer.ok)
    size = tmp_path / "size"
    size.write_text("2KB\n")
    gw = make.gateway({"upstreams": [upstream("up", back)], "limits": {"body": "1KB"}}, [plain_api("p", "up")],
                      env={"SALLYPORT_LIMITS_BODY_FILE": str(size), "SALLYPORT_LOG_LEVEL": "debug"})
    assert gw.ask("POST", body=b"x" * 1500).status == 200
    assert gw.ask("POST", body=b"x" * 3000).status == 413
    size.write_text("4KB")
    gw.reload()
    assert gw.ask("POST", body=b"x" * 3000).status == 200
    size.write_text("many")
    done = gw.reload(ok=False)
    assert "SALLYPORT_LIMITS_BODY_FILE: error: limits.body: " in done.stderr and "many" not in done.stderr, done
    assert gw.ask("POST", body=b"x" * 3000).status == 200
    assert gw.ask("POST", body=b"x" * 5000).status == 413


def test_a_variable_that_fits_no_key(make):
    gw = make.gateway(UP, [], start=False)
    done = run_binary("-c", gw.conf_path, "check", env=dict(os.environ, SALLYPORT_LOG_LEVLE="debug"))
    assert done.returncode == 1 and "SALLYPORT_LOG_LEVLE: error: " in done.stderr and "'SALLYPORT_LOG_LEVEL'" in done.stderr, done
    listed = json.loads(run_binary("-c", gw.conf_path, "--json", "check", env=dict(os.environ, SALLYPORT_LOG_LEVLE="debug")).stdout)
    assert listed["errors"][0]["file"] == "SALLYPORT_LOG_LEVLE" and "line" not in listed["errors"][0], listed
    assert run_binary("-c", gw.conf_path, "check", env=dict(os.environ, SALLYPORT_LOG_LEVEL="debug")).returncode == 0


def test_dollar_in_a_document_is_awss(make):
    """${...} in an OpenAPI document is never replaced from the environment."""
    api = doc_api("p", {"/x": {"get": operation("http://127.0.0.1:1/${stageVariables.v}/x")}}, stages={"prod": {"variables": {"v": "1"}}})
    api["openapi"]["info"]["description"] = "${env:PATH} ${file:/etc/passwd} ${env:E2E_NEVER_SET}"
    gw = make.gateway(UP, [api], start=False)
    assert gw.command("check").returncode == 0, gw.command("check")


def test_a_definition_beside_the_api_file(make):
    back = make.backend(peer.ok)
    text = json.dumps({"openapi": "3.0.1", "info": {"title": "d", "version": "1"}, "paths": {"/x": {"get": operation("http://%s/" % back.target)}}})
    gw = make.gateway(UP, [{"api": "d", "definition": "d.openapi.json", "stages": {"prod": {}}, "hosts": [{"name": "d.test", "stage": "prod"}]}],
                      start=False)
    gw.put("apis.d/d.openapi.json", text)
    conf = gw.full_conf()
    conf["apis"] = {"include": "apis.d/d.yaml"}
    gw.put("sallyport.yaml", gw.dump(conf))
    gw.launch()
    assert gw.wait_ready(), gw.log()
    assert gw.ask("GET", "/x", host="d.test").status == 200


@pytest.mark.parametrize("text", ["", "\n", "[]", "null", "x", "{", "\x00", "a: &a [*a]", "a: b: c", "\tlisten: 1", "%YAML 9.9\n---\n{}", "--- 1\n--- 2"])
def test_odd_files_never_crash(make, text):
    gw = make.gateway(start=False)
    gw.put("sallyport.yaml", text)
    done = gw.command("check")
    assert done.returncode == 1 and "error" in done.stderr, done


def test_a_conf_that_is_a_folder_or_a_pipe(make, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    for path in (str(tmp_path), fifo, "/dev/zero"):
        done = run_binary("-c", path, "check", timeout=20)
        assert done.returncode == 1 and path in done.stderr, done


def test_ten_thousand_routes_load_quickly(make):
    back = make.backend(peer.ok)
    paths = {"/api/v%d/svc-%05d/{proxy+}" % (k % 3, k): {"x-amazon-apigateway-any-method": operation("http://%s/%d/{proxy}" % (back.target, k))}
             for k in range(10000)}
    gw = make.gateway({}, [doc_api("big", paths, "HTTP", "*")], form="json")
    assert gw.ask("GET", "/api/v0/svc-09999/x").status == 200
    assert gw.ask("GET", "/api/v1/svc-09999/x").status == 404
    assert gw.reload().returncode == 0
