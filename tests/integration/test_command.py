# SPDX-License-Identifier: Apache-2.0
"""The command: every sub-command's output and exit code, usage errors, what explain tells."""
import json
import os
import re
import shutil
import subprocess

import pytest

import backend as peer
from confgen import doc_api, operation, plain_api, upstream
from conftest import TOP
from gateway import BIN, plugin_file, run_binary
from wire import wait_until

pytestmark = pytest.mark.nochaos


@pytest.fixture(scope="module")
def gw(shared):
    back = shared.backend(peer.ok)
    uri = "http://%s/pets" % back.target
    paths = {"/pets": {"get": operation(uri)}, "/pets/{id}": {"x-amazon-apigateway-any-method": operation(uri)}}
    made = shared.gateway({
        "upstreams": [upstream("up", back)],
        "plugins": [{"use": "headers", "id": "first", "with": {"request": {"set": {"X-A": "1"}}}},
                    {"use": "headers", "id": "second", "with": {"response": {"set": {"X-B": "2"}}}}, "respond"],
        "order": {"REST": ["second", "first", "respond"], "HTTP": ["first", "respond", "second"]},
    }, [doc_api("pets", paths, "REST", "pets.test", map_stage="prod", base_path="/v1"), plain_api("plain", "up", "plain.test")])
    made.back = back
    return made


# Usage
@pytest.mark.parametrize("args", [
    [], ["frobnicate"], ["run", "x"], ["check", "x"], ["explain"], ["explain", "GET"], ["explain", "GET", "http://x/", "y"], ["--frob"], ["-c"],
    ["-s"], ["check", "--frob"], ["plugin"], ["plugin", "frob"], ["plugin", "check"], ["plugin", "new"], ["reload", "x"], ["status", "x"],
    ["stop", "x"], ["version", "x"], ["schema", "frob"], ["command", "x"], ["help", "frobnicate"], ["explain", "GET", "http://x/", "-H"],
    ["reload", "--timeout", "soon"], ["-x"], ["--json=1", "version"],
])
def test_usage_errors(args):
    done = run_binary(*args)
    assert done.returncode == 2, done
    assert done.stdout == "" and done.stderr, done
    assert "sallyport" in done.stderr and ("help" in done.stderr or "usage" in done.stderr)


def test_did_you_mean():
    assert "did you mean" in run_binary("relaod").stderr
    assert "did you mean" in run_binary("check", "--strcit").stderr


@pytest.mark.parametrize("args", [["help"], ["-h"], ["--help"], ["help", "explain"], ["explain", "-h"], ["run", "--help"], ["help", "plugin", "check"]])
def test_help(args):
    done = run_binary(*args)
    assert done.returncode == 0 and "usage: sallyport" in done.stdout and done.stderr == ""


def test_help_names_every_command():
    text = run_binary("help").stdout
    for name in ("run", "check", "explain", "plugins", "plugin check", "plugin new", "reload", "status", "stop", "version", "schema", "command"):
        assert re.search(r"^  %s\b" % name, text, re.M), name
    assert "Exit status: 0" in text and "-c, --conf FILE" in text


@pytest.mark.parametrize("args", [["version"], ["-V"], ["--version"]])
def test_version(args):
    done = run_binary(*args)
    assert done.returncode == 0 and re.match(r"^sallyport \d+\.\d+\.\d+ \(plugin ABI \d+\.\d+\)\n$", done.stdout)
    if args == ["version"]:
        said = json.loads(run_binary("--json", "version").stdout)
        assert said["version"] in done.stdout


def test_schema():
    for args in ([], ["api"]):
        schema = json.loads(run_binary("schema", *args).stdout)
        assert schema["$schema"].endswith("/2020-12/schema") and schema["type"] == "object"
    assert "listen" in json.loads(run_binary("schema").stdout)["properties"]
    assert "stages" in json.loads(run_binary("schema", "api").stdout)["properties"]


# Check
def test_check(gw):
    done = gw.command("check")
    assert done.returncode == 0 and done.stderr == ""
    assert re.match(r"^%s: ok \(2 APIs, \d+ routes, 3 plugins\), 0 warnings\n$" % re.escape(gw.conf_path), done.stdout), done.stdout
    said = gw.json("check")
    assert said["ok"] is True and said["apis"] == 2 and said["plugins"] == 3 and said["warnings"] == []


def test_check_without_a_file():
    done = run_binary("-c", "/nonexistent/sallyport.yaml", "check")
    assert done.returncode == 1 and "/nonexistent/sallyport.yaml" in done.stderr


def test_check_disturbs_nothing(gw):
    before = gw.status()["reload"]
    gw.command("check")
    assert gw.status()["reload"] == before


# Explain
def explained(gw, *args, code=0):
    return gw.json("explain", *args, code=code)["explain"]


def at(gw, text):
    """Where the main conf says that: file:line of its first occurrence."""
    with open(gw.conf_path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if text in line:
                return "%s:%d" % (gw.conf_path, number)
    raise AssertionError("%r stands nowhere" % text)


def hooks_of(said):
    return [(h["point"], h["entry"]) for h in said["hooks"]]


def test_explain_a_rest_request(gw):
    said = explained(gw, "GET", "http://pets.test/v1/pets/7")
    assert said["api"]["id"] == "pets" and said["api"]["at"].startswith("%s/apis.d/pets.yaml:" % gw.root)
    assert said["stage"]["id"] == "prod" and said["host"]["id"].startswith("pets.test")
    assert said["route"]["id"] == "ANY /pets/{id}"
    assert said["listener"]["id"] == "127.0.0.1:%d" % gw.port and said["listener"]["at"].startswith(at(gw, "address"))
    assert said["integration"]["id"] == "HTTP_PROXY http://%s/pets" % gw.back.target
    assert said["upstream"]["id"] == "http://" + gw.back.target
    assert hooks_of(said) == [("REQUEST", "second"), ("REQUEST", "first"), ("RESPONSE", "first"), ("RESPONSE", "second")]
    assert all(h["plugin"] == "headers" and h["version"] for h in said["hooks"])
    assert said["hooks"][1]["at"].startswith(at(gw, "use: headers") + ":"), said["hooks"]
    assert int(said["hooks"][0]["at"].split(":")[1]) > int(said["hooks"][1]["at"].split(":")[1])


def test_explain_shows_the_order_of_the_api_type(make):
    entries = [{"use": "headers", "id": "h%d" % k, "with": {"request": {"set": {"X-%d" % k: "1"}}, "response": {"set": {"X-%d" % k: "1"}}}}
               for k in range(3)]
    paths = {"/x": {"get": operation("http://127.0.0.1:1/")}}
    gw = make.gateway({"upstreams": [{"id": "up", "targets": ["127.0.0.1:1"]}], "plugins": entries,
                       "order": {"REST": ["h2", "h0", "h1"], "HTTP": ["h1", "h2", "h0"]}},
                      [doc_api("r", paths, "REST", "r.test", map_stage="prod"), plain_api("p", "up", "p.test")], start=False)
    for url, order in (("http://r.test/x", ["h2", "h0", "h1"]), ("http://p.test/x", ["h1", "h2", "h0"])):
        assert hooks_of(explained(gw, "GET", url)) == [("REQUEST", n) for n in order] + [("RESPONSE", n) for n in reversed(order)]


def test_explain_as_text(gw):
    done = gw.command("explain", "GET", "http://plain.test/a/b?c=d", "-H", "X-Y: z")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for key, value in (("listener", "127.0.0.1:%d" % gw.port), ("api", "plain"), ("stage", "$default"), ("route", "ANY /{proxy+}"), ("upstream", "up")):
        found = [l for l in lines if l.split()[:1] == [key]]
        assert len(found) == 1 and value in found[0], (key, lines)
        assert re.search(r"\(\S+\.yaml:\d+(:\d+)?\)$", found[0]), found
    hooks = [l for l in lines if re.match(r"^ +\d+\. ", l)]
    assert [l.split()[1:3] for l in hooks] == [["REQUEST", "first"], ["REQUEST", "second"], ["RESPONSE", "second"], ["RESPONSE", "first"]]
    assert all(re.search(r"\(\S+\.yaml:\d+:\d+\)$", l) for l in hooks)


@pytest.mark.parametrize("method,url,status", [
    ("GET", "http://nobody.test/", 403), ("GET", "http://pets.test/v1/nothing", 403), ("POST", "http://pets.test/v1/pets", 403),
    ("GET", "http://pets.test/other", 403),
])
def test_explain_what_nothing_answers(gw, method, url, status):
    done = gw.command("explain", method, url)
    assert done.returncode == 1 and str(status) in done.stdout + done.stderr, done
    said = gw.json("explain", method, url, code=1)
    assert said["ok"] is False and str(status) in json.dumps(said["explain"])


def test_explain_the_running_gateway(gw):
    want = gw.json("explain", "GET", "http://pets.test/v1/pets/7")
    assert gw.json("explain", "--running", "GET", "http://pets.test/v1/pets/7")["explain"] == want["explain"]
    done = gw.command("explain", "--running", "GET", "http://pets.test/v1/pets/7")
    assert done.returncode == 0 and "pets" in done.stdout


@pytest.mark.parametrize("args", [("G ET", "http://x/"), ("GET", "no url"), ("GET", "http://"), ("GET", ""), ("", "http://x/")])
def test_explain_of_nonsense(gw, args):
    assert gw.command("explain", *args).returncode in (1, 2)


def test_explain_with_a_malformed_header(gw):
    done = gw.command("explain", "GET", "http://plain.test/", "-H", "no colon")
    assert done.returncode == 2 and done.stderr, done


def test_explain_agrees_with_the_traffic(gw):
    for method, host, target in (("GET", "pets.test", "/v1/pets"), ("PUT", "pets.test", "/v1/pets/3"), ("POST", "pets.test", "/v1/pets"),
                                 ("GET", "plain.test", "/x"), ("GET", "nobody.test", "/x"), ("GET", "pets.execute-api.local", "/prod/pets")):
        served = gw.ask(method, target, host=host).status == 200
        assert (gw.command("explain", method, "http://%s%s" % (host, target)).returncode == 0) == served, (method, host, target)


# Plugins
def test_plugins(gw):
    done = gw.command("plugins")
    assert done.returncode == 0
    for word in ("headers", "respond", "first", "second"):
        assert word in done.stdout, done.stdout
    said = gw.json("plugins")
    assert said["ok"] is True
    one = gw.command("plugins", "headers")
    assert one.returncode == 0 and "request" in one.stdout and "response" in one.stdout
    assert gw.command("plugins", "frobnicate").returncode == 1
    running = gw.command("plugins", "--running")
    assert running.returncode == 0 and "headers" in running.stdout


def test_plugin_check(tmp_path):
    good = run_binary("plugin", "check", plugin_file("headers"))
    assert good.returncode == 0 and "headers" in good.stdout
    said = json.loads(run_binary("--json", "plugin", "check", plugin_file("headers")).stdout)
    assert said["ok"] is True
    bad = tmp_path / "bad.so"
    bad.write_bytes(b"not ELF at all")
    for path in (bad, tmp_path / "missing.so", tmp_path):
        done = run_binary("plugin", "check", path)
        assert done.returncode == 1 and str(path) in done.stderr, done
        said = run_binary("--json", "plugin", "check", path)
        assert said.returncode == 1 and json.loads(said.stdout)["ok"] is False


def test_plugin_check_refuses_what_others_can_write(tmp_path):
    copy = tmp_path / "headers.so"
    shutil.copy(os.path.realpath(plugin_file("headers")), copy)
    os.chmod(copy, 0o755)
    assert run_binary("plugin", "check", copy).returncode == 0
    os.chmod(copy, 0o757)
    done = run_binary("plugin", "check", copy)
    assert done.returncode == 1 and "writ" in done.stderr
    os.chmod(copy, 0o755)
    renamed = tmp_path / "other.so"
    os.rename(copy, renamed)
    done = run_binary("plugin", "check", renamed)
    assert done.returncode == 1 and "other" in done.stderr and "headers" in done.stderr


def test_plugin_new(tmp_path):
    template = os.path.join(TOP, "sdk", "template")
    target = tmp_path / "made"
    done = run_binary("plugin", "new", "hello-world", target, "--template", template)
    assert done.returncode == 0, done
    files = [os.path.join(d, f) for d, _, names in os.walk(target) for f in names]
    assert files
    text = "".join(open(f, encoding="utf-8").read() for f in files)
    assert "hello" in text
    again = run_binary("plugin", "new", "hello-world", target, "--template", template)
    assert again.returncode == 1 and str(target) in again.stderr


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "-x", "Upper Case", "a" * 200, ".", ".."])
def test_plugin_new_refuses_bad_names(tmp_path, name):
    done = run_binary("plugin", "new", "--template", os.path.join(TOP, "sdk", "template"), "--", name, tmp_path / "made")
    assert done.returncode in (1, 2) and not (tmp_path / "made").exists(), done


# The running gateway
def test_status(gw):
    done = gw.command("status")
    assert done.returncode == 0 and str(gw.pid) in done.stdout and gw.conf_path in done.stdout
    before = gw.status()
    assert before["ok"] is True and before["state"] == "serving" and before["master"]["pid"] == gw.pid
    assert before["worker"]["pid"] != gw.pid and before["conf"]["file"] == gw.conf_path
    assert before["conf"]["apis"] == 2 and before["threads"] == 2
    assert [l["address"] for l in before["listeners"]] == ["127.0.0.1:%d" % gw.port]
    for _ in range(7):
        assert gw.ask("GET", "/x", host="plain.test").status == 200
    wait_until(lambda: gw.status()["requests"] >= before["requests"] + 7, 5, "7 more requests")
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", before["conf"]["loaded_at"])


def test_status_tells_of_reloads(gw):
    before = gw.status()
    gw.reload()
    after = gw.status()
    assert after["reload"]["done"] == before["reload"]["done"] + 1 and after["reload"]["last_ok"] is True
    assert after["conf"]["hash"] == before["conf"]["hash"]


def test_reload_says_what_it_did(gw):
    done = gw.command("reload")
    assert done.returncode == 0 and "unchanged" in done.stdout, done
    said = gw.json("reload")
    assert said["ok"] is True and said["reused"] == 2 and said["apis"] == 2


@pytest.mark.parametrize("command", [["reload"], ["status"], ["stop"], ["command", "headers", "x"], ["plugins", "--running"],
                                     ["explain", "--running", "GET", "http://x/"]])
def test_commands_without_a_gateway(tmp_path, command):
    done = run_binary("-s", tmp_path / "nobody", *command)
    assert done.returncode == 1 and str(tmp_path / "nobody") in done.stderr, done
    said = run_binary("--json", "-s", tmp_path / "nobody", *command)
    assert said.returncode == 1 and json.loads(said.stdout)["ok"] is False


def test_plugin_command_that_is_unknown(gw):
    done = gw.command("command", "headers", "frobnicate")
    assert done.returncode == 1 and "frobnicate" in done.stderr
    done = gw.command("command", "nobody", "x")
    assert done.returncode == 1 and "nobody" in done.stderr


def test_socket_path_too_long(tmp_path):
    done = run_binary("-s", "/tmp/" + "x" * 200, "status")
    assert done.returncode in (1, 2) and done.stderr


def test_output_to_a_closed_pipe(gw):
    """`sallyport schema | head -1` must not crash."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BIN, "schema"], stdout=write, stderr=subprocess.PIPE, timeout=30, check=False)
    os.close(write)
    assert done.returncode in (0, 1, -13), done
