# SPDX-License-Identifier: Apache-2.0
"""The closing table: every target of targets.py beside what was measured."""
import compare
from compare import half_width, median
from targets import CALLS, OTHER_CALLS, TARGETS
from works import WORKS

OURS = "sallyport"
TEN = OURS + ":routes10"
NONE = "-"


class Verdict:
    """One measured value and its limit: text for a cell, and whether it holds. A * marks a limit inside the value's interval."""

    def __init__(self, value, limit, width=0.0, form="%.2f"):
        shown = form % value + (" +-%.2f" % width if width else "")
        self.holds = None if limit is None else value <= limit
        self.close = limit is not None and 0 < width >= abs(value - limit)
        self.text = shown if limit is None else "%s (%s)" % (shown, form % limit)


def others(labels):
    """nginx and HAProxy in all their variants: the best of each counts."""
    return [x for x in labels if x.partition(":")[0] in ("nginx", "haproxy")]


def paired(ours, theirs):
    return [a / b for a, b in zip(ours, theirs) if b]


def ratio(series, base, limit):
    values = paired(series[OURS], series[base])
    return Verdict(median(values), limit, half_width(values))


def to_better(series, limit):
    """To the better of nginx and HAProxy: round by round against each of their variants; the highest median counts."""
    rivals = others(series)
    if not rivals:
        return None
    return ratio(series, max(rivals, key=lambda x: median(paired(series[OURS], series[x]))), limit)


def lowest(figures, name, form):
    found = [v for k, v in figures.items() if k.partition(":")[0] == name]
    return form % min(found) if found else NONE


class Line:
    def __init__(self, target, title, form="%.1f"):
        self.target, self.title, self.form = target, title, form
        self.cells = [NONE] * 4         # relay, nginx, haproxy, sallyport
        self.relay = self.better = self.own = None

    def fill(self, figures):
        self.cells = [lowest(figures, name, self.form) for name in ("limit", "nginx", "haproxy")]
        self.cells.append(self.form % figures[OURS] if OURS in figures else NONE)

    def verdicts(self):
        return [v for v in (self.relay, self.better, self.own) if v and v.holds is not None]

    def wanted(self):
        return {"relay", "better", "routes10", "limit"} & set(self.target) or self.target["kind"] == "calls"

    def holds(self):
        judged = self.verdicts()
        if not self.wanted():
            return NONE
        if not judged:
            return "no (not measured)"
        return ("yes" if all(v.holds for v in judged) else "no") + ("*" if any(v.close for v in judged) else "")

    def show(self):
        sallyport = self.own.text if self.own else self.cells[3]
        cells = [self.title, *self.cells[:3], sallyport, self.relay.text if self.relay else NONE,
                 self.better.text if self.better else NONE, self.holds()]
        return "| " + " | ".join(cells) + " |"


def read_cpu(line, result):
    series = result["cpu_us"]
    line.fill({k: median(v) for k, v in series.items()})
    if OURS not in series:
        return
    if "limit" in series:
        line.relay = ratio(series, "limit", line.target.get("relay"))
    line.better = to_better(series, line.target.get("better"))
    if "routes10" in line.target and TEN in series:
        line.own = ratio(series, TEN, line.target["routes10"])
        line.own.text = "%s; to 10 routes %s" % (line.cells[3], line.own.text)


def read_latency(line, result):
    series = result["p999"]
    line.form = "%.0f"
    line.fill({k: median(v) for k, v in series.items()})
    if OURS in series:
        line.better = to_better(series, line.target.get("better"))


def read_memory(line, result):
    line.form = "%.0f"
    figures = {x["peer"]: x["per"] if "per" in x else x["kb"] for x in result["rows"]}
    line.fill(figures)
    over = line.target.get("over")
    if OURS not in figures or (over and over not in figures):
        return
    line.own = Verdict(figures[OURS], line.target["limit"] + (figures[over] if over else 0), 0, "%.0f")
    if over:
        line.title += ", %s alone %.0f" % (over, figures[over])


def families(calls):
    """Calls per request of every family of CALLS, and of all others that requests cause."""
    found = {family: sum(calls[n]["per"] for n in names if n in calls) for family, names, _ in CALLS}
    known = {n for _, names, _ in CALLS for n in names}
    found["other"] = sum(c["per"] for n, c in calls.items() if n not in known and c["per"] > OTHER_CALLS)
    return found


def read_calls(line, result):
    shown = {x["peer"]: families(x["calls"]) for x in result["rows"]}
    text = {peer: ", ".join("%s %.2f" % kv for kv in found.items() if kv[1]) for peer, found in shown.items()}
    line.cells = [text.get(name, NONE) for name in ("limit", "nginx", "haproxy", OURS)]
    if OURS not in shown:
        return
    most = {family: limit for family, _, limit in CALLS}
    most["other"] = 0
    line.own = Verdict(max(round(v, 3) - most[k] for k, v in shown[OURS].items()), 0)
    line.own.text = "%s (%s)" % (text[OURS], ", ".join("%g" % most[k] for k in shown[OURS]))


def read_errors(line, result):
    line.form = "%d"
    failed = {}
    for x in result["rows"]:
        failed[x["peer"]] = failed.get(x["peer"], 0) + x["failed"]
    line.fill(failed)


READERS = {"cpu": read_cpu, "latency": read_latency, "memory": read_memory, "calls": read_calls, "errors": read_errors}


def closing(results=None):
    """Prints the table of these results (by name), or of what the result files hold. 0 when every target holds."""
    print("\n## Targets\n\nCPU per request of the proxy, medians; ratios are paired round by round, with their 95 % interval, "
          "and the limit in parentheses.\nThe better of nginx and HAProxy: the best of all their variants. "
          "* the limit lies within the interval.\n")
    print("| work | relay | nginx | haproxy | sallyport | to the relay (limit) | to the better of nginx and haproxy (limit) | holds |\n"
          "|---|--:|--:|--:|--:|--:|--:|---|")
    missed = 0
    for target in TARGETS:
        name = target["work"]
        result = compare.load(name) if results is None else results.get(name)
        title = WORKS[name]["t"] if name in WORKS else "system calls of W1"
        line = Line(target, "%s %s (%s)" % (name, title, target["unit"]))
        if result:
            READERS[target["kind"]](line, result)
        missed += line.holds().startswith("no")
        print(line.show())
    print("\n%d of the targets do not hold" % missed if missed else "\nevery target holds")
    return 1 if missed else 0
