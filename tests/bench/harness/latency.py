# SPDX-License-Identifier: Apache-2.0
"""Latency at half of saturation (W1p): all peers at one rate, half of what the slowest gateway can do."""
import random

import machine
import peer
from compare import MAX_SECONDS, half_width, median, quartiles, save
from machine import QUICK
from works import WORKS

CLOSED = 0.5   # seconds of a closed-loop slice
OPEN = 1.0     # seconds of a slice at the fixed rate: its p99.9 is that of several thousand requests
PROBES = 3 if QUICK else 9
SHARE = 0.8    # of the time a work may take: the rest is starts and saturation


def gateway(label):
    return not label.startswith("limit")


def saturation(peers, order):
    """Requests per second of each in a closed loop of 64 connections: the median of interleaved slices."""
    found = {p.label: [] for p in peers}
    for p in peers:
        p.load = p.begin_load(5000)
        p.goal = max(2000, int(p.slice(p.load, 4000)["rps"] * CLOSED))
    for _ in range(PROBES):
        order.shuffle(peers)
        for p in peers:
            found[p.label].append(p.slice(p.load, p.goal)["rps"])
    return {label: median(v) for label, v in found.items()}


def measure(work, specs, material):
    _, peers = peer.start(work, specs, material)
    if not peers:
        return save(work, dict(work=work, code=1, rows=[], p999={}))
    labels, order = [p.label for p in peers], random.Random(11)
    most = saturation(peers, order)
    rate = min([most[x] for x in labels if gateway(x)] or [most[x] for x in labels]) / 2
    slices = {label: [] for label in labels}
    for _ in range(max(3, int(MAX_SECONDS * SHARE / OPEN / len(peers)))):
        order.shuffle(peers)
        for p in peers:
            slices[p.label].append(p.slice(p.load, int(rate * OPEN), rate))
    machine.stop_all()
    rows = [row(label, most[label], slices[label]) for label in labels]
    table(work, rows, rate, len(slices[labels[0]]))
    return save(work, dict(work=work, rate=rate, rows=rows, p999={k: [s["p999"] for s in v] for k, v in slices.items()},
                           code=1 if any(x["err"] for x in rows) else 0))


def row(label, most, v):
    def middle(key):
        return median([s[key] for s in v])
    return dict(peer=label, saturation=most, p50=middle("p50"), p99=middle("p99"), p999=middle("p999"),
                ci=half_width([s["p999"] for s in v]), iqr=quartiles([s["p999"] for s in v]), max=max(s["max"] for s in v),
                seen=middle("rps"), cpu_us=middle("cpu_us"), util=sum(s["cpu"] for s in v) / sum(s["wall"] for s in v),
                err=sum(s["err"] for s in v))


def table(work, rows, rate, slices):
    print("\n### %s: %s" % (work, WORKS[work]["t"]))
    print("all at %.0f requests/s, half of the slowest gateway's saturation; latency counts from the moment a request was due; "
          "medians of %d interleaved slices of %.1f s" % (rate, slices, OPEN))
    print("| peer | saturation req/s | req/s seen | proxy core use | p50 us | p99 us | p99.9 us | +- | IQR of p99.9 | max us "
          "| CPU us/req | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for x in rows:
        print("| %(peer)s | %(saturation).0f | %(seen).0f | %(util).2f | %(p50).0f | %(p99).0f | %(p999).0f | %(ci).0f | %(iqr).0f "
              "| %(max).0f | %(cpu_us).2f | %(err)d |" % x)
    late = [x["peer"] for x in rows if x["seen"] < 0.97 * rate]
    if late:
        print("# the rate was not kept with %s: other work on the machine, the latencies say little" % ", ".join(late))
