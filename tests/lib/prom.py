# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text exposition format 0.0.4."""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(r"^(%s)(?:\{(.*)\})? (\S+)$" % NAME)
PAIR = re.compile(r'(%s)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)' % LABEL)
KINDS = ("counter", "gauge", "histogram", "summary", "untyped")


class PromError(Exception):
    pass


class Family:
    def __init__(self, name):
        self.name, self.kind, self.help, self.samples = name, None, None, {}


class Metrics:
    def __init__(self):
        self.families = {}
        self.samples = {}  # (name, ((label, value), ...)) -> number

    def value(self, name, **labels):
        return self.samples[(name, tuple(sorted(labels.items())))]

    def match(self, name, **labels):
        """Samples of that name whose labels include those given."""
        want = set(labels.items())
        return {k[1]: v for k, v in self.samples.items() if k[0] == name and want <= set(k[1])}

    def sum(self, name, **labels):
        return sum(self.match(name, **labels).values())


def number(text):
    if not re.match(r"^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$", text):
        raise PromError("not a number: %r" % text)
    return float(text.replace("Inf", "inf").replace("NaN", "nan"))


def labels_of(text, line):
    out, at = {}, 0
    while at < len(text):
        found = PAIR.match(text, at)
        if not found:
            raise PromError("malformed labels: %r" % line)
        if found.group(1) in out:
            raise PromError("the same label twice: %r" % line)
        out[found.group(1)] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), found.group(2))
        at = found.end()
    return out


def family_name(name, families):
    for suffix in ("_bucket", "_sum", "_count"):
        base = name[:-len(suffix)]
        if name.endswith(suffix) and base in families and families[base].kind in ("histogram", "summary"):
            return base
    return name


def parse(text):
    if not text.endswith("\n"):
        raise PromError("no newline at the end")
    got, current = Metrics(), None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            parts = line.split(" ", 3)
            if len(parts) < 4 or not re.match("^%s$" % NAME, parts[2]):
                raise PromError("malformed comment: %r" % line)
            current = declare(got, parts[1], parts[2], parts[3], line)
            continue
        if not line or line.startswith("#"):
            raise PromError("unexpected line: %r" % line)
        found = SAMPLE.match(line)
        if not found:
            raise PromError("malformed sample: %r" % line)
        name, labels = found.group(1), labels_of(found.group(2) or "", line)
        base = family_name(name, got.families)
        if base not in got.families or got.families[base].kind is None:
            raise PromError("a sample without TYPE before it: %r" % line)
        if current != base:
            raise PromError("samples of %s are not together: %r" % (base, line))
        key = (name, tuple(sorted(labels.items())))
        if key in got.samples:
            raise PromError("the same series twice: %r" % line)
        got.samples[key] = got.families[base].samples[key] = number(found.group(3))
    for family in got.families.values():
        check(family)
    return got


def declare(got, what, name, rest, line):
    family = got.families.setdefault(name, Family(name))
    if family.samples:
        raise PromError("declared after its samples: %r" % line)
    if what == "HELP":
        if family.help is not None or family.kind is not None:
            raise PromError("HELP twice or behind TYPE: %r" % line)
        family.help = rest
    else:
        if family.kind is not None or rest not in KINDS:
            raise PromError("TYPE twice or unknown: %r" % line)
        family.kind = rest
    return name


def check(family):
    if family.kind == "counter":
        if not family.name.endswith("_total"):
            raise PromError("a counter's name ends in _total: %s" % family.name)
        if any(v < 0 or math.isnan(v) for v in family.samples.values()):
            raise PromError("a counter below zero: %s" % family.name)
    if family.kind == "histogram":
        histogram(family)


def histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        rest = tuple(x for x in labels if x[0] != "le")
        kind = name[len(family.name) + 1:]
        if kind == "bucket":
            series.setdefault(rest, {}).setdefault("le", []).append((number(dict(labels)["le"]), value))
        elif kind in ("sum", "count"):
            series.setdefault(rest, {})[kind] = value
        else:
            raise PromError("a histogram's sample: %s" % name)
    for rest, got in series.items():
        buckets = got.get("le", [])
        if not buckets or "sum" not in got or "count" not in got:
            raise PromError("incomplete histogram %s%r" % (family.name, rest))
        if buckets != sorted(buckets) or buckets[-1][0] != math.inf:
            raise PromError("buckets of %s%r out of order, or no +Inf" % (family.name, rest))
        if any(a[1] > b[1] for a, b in zip(buckets, buckets[1:])) or buckets[-1][1] != got["count"]:
            raise PromError("buckets of %s%r are not cumulative" % (family.name, rest))
