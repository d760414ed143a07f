# SPDX-License-Identifier: Apache-2.0
"""Reloads under load, and a short check that everything works."""
import json
import os
import subprocess
import time

import machine
import peer
from compare import save
from machine import BIN
from works import WORKS


def reload_once(spec, work, material, mode, conns, rate, n):
    rows = []
    _, peers = peer.start(work, [spec], material)
    for p in peers:
        load = p.begin_load(1000, conns=conns)
        if not rate:  # a slice that lasts about 12 s
            n = int(p.slice(load, 10000)["rps"] * 12)
        load.stdin.write("%d %d\n" % (n, rate))
        load.stdin.flush()
        for _ in range(10):
            time.sleep(1.0)
            p.reload()
        got = json.loads(load.stdout.readline())
        time.sleep(0.5)
        rows.append(dict(peer=p.label, mode=mode, n=got["n"], refused=got["e_conn"], closed=got["e_closed0"], partial=got["e_partial"],
                         bad=got["bad_status"], graceful=got["reconnects"] + got["idle_closed"], p50=got["p50"], p99=got["p99"],
                         p999=got["p999"], max=got["max"], procs=len(p.pids())))
    machine.stop_all()
    return rows


def reloads(work, specs, material):
    rows = []
    for spec in specs:
        rows += reload_once(spec, work, material, "busy: 32 connections always in flight", 32, 0, 0)
        rows += reload_once(spec, work, material, "paced: 2000/s over 64 mostly idle connections", 64, 2000, 24000)
    print("\n### %s: %s" % (work, WORKS[work]["t"]))
    print("| peer | load | requests | connect refused/reset | closed without answer | cut answer | wrong status | graceful closes "
          "| p50 us | p99 us | p99.9 us | max us | processes left |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for x in rows:
        print("| %(peer)s | %(mode)s | %(n)d | %(refused)d | %(closed)d | %(partial)d | %(bad)d | %(graceful)d | %(p50).0f | %(p99).0f "
              "| %(p999).0f | %(max).0f | %(procs)d |" % x)
    for x in rows:
        x["failed"] = x["refused"] + x["closed"] + x["partial"] + x["bad"]
    return save(work, dict(work=work, rows=rows, code=1 if any(x["failed"] for x in rows if x["peer"].startswith("sallyport")) else 0))


def once(p, path, count=1):
    """Statuses by class of a few requests."""
    out = subprocess.run([os.path.join(BIN, "lgen"), "-p", str(p.port), "-c", "1", "-n", str(count), "-e", "0", "-u", path] +
                         (["-S"] if p.w.get("tls") else []),
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    got = json.loads(out)
    return {k: got["s%sxx" % k] for k in "245" if got["s%sxx" % k]}


def smoke(specs, material):
    """Does every peer really do the work? A request that must pass, and one that must be refused."""
    bad = 0

    def check(what, got, want):
        nonlocal bad
        bad += got != want
        print("%s %s: %s" % ("ok  " if got == want else "FAIL", what, got if got == want else "%s, wanted %s" % (got, want)))
    for work in ("W1", "W1d", "W2", "W6-10", "W6-1000", "W6r-10"):
        param = WORKS[work].get("param")
        _, peers = peer.start(work, specs, material)
        for p in peers:
            good = "/api/v2/svc-00001/users/7/orders" if param else "/api/v2/svc-00001/x"
            check("%s %s passes" % (work, p.label), once(p, good, 50), {"2": 50})
            if WORKS[work].get("routes") and p.label != "limit":
                check("%s %s refuses what no route has" % (work, p.label), once(p, "/api/v9/svc-00001/x"), {"4": 1})
        machine.stop_all()
    print("%d failed" % bad)
    return 1 if bad else 0
