# SPDX-License-Identifier: Apache-2.0
"""Confs as Python data: written as YAML (or JSON), with chaos plugin entries put in when a run asks for them."""
import copy
import json
import re

PLAIN = re.compile(r"^(?:[A-Za-z_/*][A-Za-z0-9_./*-]*|[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?|[0-9]+(?:ms|s|m|KB|MB))$")
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
API_TYPES = ("REST", "HTTP", "WEBSOCKET")


def scalar(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if PLAIN.match(value) and not value.startswith("*") and value.lower() not in WORDS:
        return value
    return json.dumps(value)


def to_yaml(value, depth=0):
    """Block style; empty maps and lists in flow style."""
    pad = "  " * depth
    if isinstance(value, dict) and value:
        out = []
        for k, v in value.items():
            nested = isinstance(v, (dict, list)) and v
            out.append("%s%s:%s" % (pad, scalar(k), "\n" + to_yaml(v, depth + 1) if nested else " " + flow(v) + "\n"))
        return "".join(out)
    if isinstance(value, list) and value:
        out = []
        for v in value:
            if isinstance(v, (dict, list)) and v:
                out.append("%s- %s" % (pad, to_yaml(v, depth + 1).lstrip()))
            else:
                out.append("%s- %s\n" % (pad, flow(v)))
        return "".join(out)
    return pad + flow(value) + "\n"


def flow(value):
    if value == {}:
        return "{}"
    if value == []:
        return "[]"
    return scalar(value)


def entry_id(entry):
    """The id of a `plugins:` entry in any of its forms."""
    if isinstance(entry, str):
        return entry
    if "use" in entry:
        return entry.get("id", entry["use"])
    return next(iter(entry))


def with_chaos(conf, seed):
    """The conf with a chaos entry before and after every plugin entry, and the same in every order list."""
    conf = copy.deepcopy(conf)
    count = 0
    before, after, entries = {}, {}, []

    def chaos():
        nonlocal count
        made = {"use": "chaos", "id": "chaos-%d" % count, "with": {"seed": seed * 1000 + count}}
        count += 1
        return made

    first = chaos()
    entries.append(first)
    for entry in conf.get("plugins", []):
        behind = chaos()
        before[entry_id(entry)], after[entry_id(entry)] = entry_id(entries[-1]), behind["id"]
        entries += [entry, behind]
    conf["plugins"] = entries
    for kind, listed in conf.get("order", {}).items():
        assert kind in API_TYPES
        out = []
        for name in listed:
            for x in (before.get(name), name, after.get(name)):
                if x and x not in out:
                    out.append(x)
        out += [e["id"] for e in entries if isinstance(e, dict) and e.get("use") == "chaos" and e["id"] not in out]
        conf["order"][kind] = out
    return conf


def upstream(name, *backends, **more):
    return dict({"id": name, "targets": [b if isinstance(b, str) else b.target for b in backends]}, **more)


def plain_api(name, up, host="*", **more):
    """A plain `upstream:` API on a host (or None: only its execute-api host)."""
    out = {"api": name, "upstream": up}
    if host:
        out["hosts"] = [{"name": host}]
    out.update(more)
    return out


def operation(uri, method=None, timeout=None, **params):
    """An http_proxy operation. params: integration.request.X_Y=... as path_Y / header_Y / querystring_Y."""
    integration = {"type": "http_proxy", "uri": uri, "httpMethod": method or "ANY"}
    if timeout:
        integration["timeoutInMillis"] = timeout
    if params:
        integration["requestParameters"] = {
            "integration.request.%s.%s" % tuple(k.split("_", 1)): v for k, v in params.items()}
    return {"x-amazon-apigateway-integration": integration, "responses": {"default": {"description": "any"}}}


def document(paths, title="test"):
    return {"openapi": "3.0.1", "info": {"title": title, "version": "1"}, "paths": paths}


def doc_api(name, paths, kind="REST", host=None, stages=None, map_stage=None, base_path=None, **more):
    """An API with an inline document; one host mapping when host is given."""
    out = {"api": name, "type": kind, "openapi": document(paths, name)}
    if host:
        mapping = {"name": host}
        if base_path:
            mapping["base_path"] = base_path
        if map_stage:
            mapping["stage"] = map_stage
        out["hosts"] = [mapping]
    if stages is not None:
        out["stages"] = stages
    elif kind == "REST":
        out["stages"] = {"prod": {}}
    out.update(more)
    return out
