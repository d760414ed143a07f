# SPDX-License-Identifier: Apache-2.0
"""The comparison: interleaved slices in random order over warm connections, ratios within a round, fresh starts."""
import json
import os
import random
import statistics
import time

import machine
import peer
from machine import CPU_PROXY, QUICK, env
from works import WORKS

ROUNDS = env("BENCH_ROUNDS", 10 if QUICK else 40, int)                          # at least so many interleaved rounds
MAX_ROUNDS = env("BENCH_MAXROUNDS", max(200, ROUNDS), int)
MAX_SECONDS = env("BENCH_MAXSEC", 9 if QUICK else 90, float)                  # at most so many seconds of slices
EPOCHS = env("BENCH_EPOCHS", 1 if QUICK else 3, int)                           # fresh starts of all peers
CI = env("BENCH_CI", 0.02, float)                              # wanted: 95 % interval of every ratio within +-2 %

median = statistics.median


def quartiles(values):
    values = sorted(values)
    n = len(values)
    return (values[-1] - values[0]) / 2 if n < 4 else values[(3 * n) // 4] - values[n // 4]


def half_width(values, draws=400):
    """Of the bootstrap 95 % interval of the median."""
    rnd = random.Random(1)
    found = sorted(median(rnd.choices(values, k=len(values))) for _ in range(draws))
    return (found[int(draws * .975) - 1] - found[int(draws * .025)]) / 2


class Comparison:
    """Every epoch starts every peer afresh: memory layout and the state of long-lived connections differ from start to start."""

    def __init__(self, work, specs, material):
        self.work, self.specs, self.material = work, specs, material
        self.w = WORKS[work]
        self.data, self.per_epoch = {}, {}
        self.rounds, self.base = 0, None
        self.random = random.Random(11)

    def ratios(self, label, since=0):
        return [a["cpu_us"] / b["cpu_us"] for a, b in zip(self.data[label][since:], self.data[self.base][since:])]

    def settled(self, peers):
        return all(half_width(self.ratios(p.label)) / median(self.ratios(p.label)) < CI for p in peers)

    def epoch(self, quiet):
        backend, peers = peer.start(self.work, self.specs, self.material, quiet)
        if not peers:
            return []
        self.base = "limit" if any(p.label == "limit" for p in peers) else peers[0].label
        for p in peers:
            self.data.setdefault(p.label, [])
            p.load = p.begin_load(self.w.get("warm", min(5 * self.w["n"], 5000)))
            p.slice(p.load, self.w["n"], 0, backend)
        if len(peers) != len(self.data):
            raise SystemExit("a peer did not start again")
        first, began = self.rounds, time.time()
        per_epoch = max(MAX_ROUNDS // self.epochs(), 1)
        seconds = MAX_SECONDS * self.w.get("share", 1) / self.epochs()
        while self.rounds - first < per_epoch and time.time() - began < seconds:
            order = peers[:]
            self.random.shuffle(order)
            for p in order:
                self.data[p.label].append(p.slice(p.load, self.w["n"], self.w.get("rate", 0), backend))
            self.rounds += 1
            enough = self.rounds >= ROUNDS and self.rounds % 10 == 0 and self.rounds - first >= per_epoch // 2
            if enough and self.settled(peers):
                break
        for p in peers:
            self.per_epoch.setdefault(p.label, []).append(median(self.ratios(p.label, first)))
        machine.stop_all()
        return peers

    def epochs(self):
        return min(self.w.get("epochs", EPOCHS), EPOCHS * 2)

    def run(self):
        peers = []
        for k in range(self.epochs()):
            peers = self.epoch(k > 0)
            if not peers:
                return save(self.work, dict(work=self.work, code=1, rows=[], cpu_us={}))
        rows = [self.row(p.label) for p in peers]
        best = min((x["ratio"] for x in rows if not x["peer"].startswith("limit")), default=rows[0]["ratio"])
        for x in rows:
            x["vs_best"] = x["ratio"] / best
        self.table(rows)
        return save(self.work, dict(work=self.work, title=self.w["t"], rounds=self.rounds, n=self.w["n"], base=self.base, rows=rows,
                                    cpu_us={l: [round(s["cpu_us"], 3) for s in v] for l, v in self.data.items()},
                                    code=1 if any(x["err"] for x in rows) else 0))

    def row(self, label):
        v = self.data[label]
        ratio = self.ratios(label)

        def middle(key):
            return median([s[key] for s in v])

        def total(key):
            return sum(s[key] for s in v)
        requests = total("n") / 1e6
        return dict(peer=label, cpu_us=middle("cpu_us"), iqr=quartiles([s["cpu_us"] for s in v]), ratio=median(ratio),
                    ci=half_width(ratio), rps=middle("rps"), cap=1e6 / middle("cpu_us"), util=total("cpu") / total("wall"),
                    p50=middle("p50"), p99=middle("p99"), tick_us=total("ticks") / requests, backend_us=total("back") / requests,
                    err=total("err"), epochs=[round(x, 3) for x in self.per_epoch[label]], steal=total("steal") / total("wall"),
                    steal_load=total("steal_load") / total("wall"),
                    foreign=max(0, total("busy") - total("cpu")) / total("wall"))

    def table(self, rows):
        print("\n### %s: %s" % (self.work, self.w["t"]))
        print("%d rounds of %d requests per peer, %s connections, random order within a round, %d starts; ratio = median over rounds "
              "of (peer / %s), with its 95 %% interval" % (self.rounds, self.w["n"], self.w.get("conns", 64), self.epochs(), self.base))
        print("| peer | CPU us/req (median) | IQR | ratio to %s | +- | ratio per start | vs best peer | req/s per fully used core "
              "| req/s seen | proxy core use | p50 us | p99 us | backend us/req | errors |" % self.base)
        print("|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for x in rows:
            print("| %s | %.2f | %.2f | %.2f | %.2f | %s | %.2f | %.0f | %.0f | %.2f | %.0f | %.0f | %.2f | %d |" % (
                x["peer"], x["cpu_us"], x["iqr"], x["ratio"], x["ci"], " ".join("%.2f" % y for y in x["epochs"]), x["vs_best"],
                x["cap"], x["rps"], x["util"], x["p50"], x["p99"], x["backend_us"], x["err"]))

        def percent(key):
            return 100 * median([x[key] for x in rows])
        print("noise: steal %.0f %% (proxy core) %.0f %% (load core), other work on proxy core %d: %.0f %%; mean by utime+stime "
              "ticks: %s" % (percent("steal"), percent("steal_load"), CPU_PROXY, percent("foreign"),
                             ", ".join("%s %.2f" % (x["peer"], x["tick_us"]) for x in rows)))


def save(name, result):
    """Writes NAME.json and hands the result on; "code" is 1 when something failed while it was measured."""
    result.setdefault("code", 0)
    if os.environ.get("BENCH_NOSAVE"):
        return result
    os.makedirs(machine.RESULTS, exist_ok=True)
    result["when"] = time.strftime("%Y-%m-%dT%H:%M:%S")
    path = os.path.join(machine.RESULTS, "%s%s.json" % (name, os.environ.get("BENCH_TAG", "")))
    with open(path, "w", encoding="ascii") as f:
        json.dump(result, f, separators=(",", ":"))
    return result


def load(name):
    """The last result of that name, or None."""
    try:
        with open(os.path.join(machine.RESULTS, "%s%s.json" % (name, os.environ.get("BENCH_TAG", ""))), encoding="ascii") as f:
            return json.load(f)
    except OSError:
        return None
