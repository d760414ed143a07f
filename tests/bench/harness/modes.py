# SPDX-License-Identifier: Apache-2.0
"""The other measurements: idle connections, reloads under load, system calls, a short check that everything works."""
import json
import os
import re
import signal
import subprocess
import time

import machine
import peer
from compare import save
from machine import BIN, TMP, env
from works import WORKS


def idle(work, specs, material):
    count = env("BENCH_IDLE", 9900, int)
    rows = []
    _, peers = peer.start(work, specs, material)
    for p in peers:
        load = p.begin_load(3000)
        p.slice(load, 2000)
        before = machine.private_kb(p.pids())
        big = p.begin_load(count, conns=count, extra=("-R", "3000"))
        time.sleep(1.0)
        after = machine.private_kb(p.pids())
        open_now = p.slice(big, 0)["open"]
        p.slice(big, count, 3000)  # each sends one request more: is the memory given back?
        time.sleep(1.0)
        again = machine.private_kb(p.pids())
        rows.append(dict(peer=p.label, base_kb=before, idle_kb=after, open=open_now, per=(after - before) * 1024 / count,
                         per2=(again - before) * 1024 / count))
        for g in (big, load):
            g.stdin.close()
            g.wait(20)
        machine.stop(p.proc)
    machine.stop_all()
    print("\n### %s: %s (%d connections, each served one request; private memory of all proxy processes)" % (
        work, WORKS[work]["t"], count))
    print("| peer | private KB at 64 conns | at %d idle | open | bytes/connection | after a 2nd request each |\n"
          "|---|--:|--:|--:|--:|--:|" % count)
    for x in rows:
        print("| %(peer)s | %(base_kb)d | %(idle_kb)d | %(open)d | %(per).0f | %(per2).0f |" % x)
    save(work, dict(work=work, rows=rows, n=count))
    return 0


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
    save(work, dict(work=work, rows=rows))
    return 1 if any(x["refused"] + x["closed"] + x["partial"] + x["bad"] for x in rows if x["peer"].startswith("sallyport")) else 0


def traced(p, out):
    w = WORKS[p.work]
    load = p.begin_load(w.get("warm", 5000))
    p.slice(load, max(100, w["n"] // 2))
    args = ["strace", "-f", "-c", "-o", out]
    for pid in p.pids():
        args += ["-p", str(pid)]
    strace = subprocess.Popen(args, stderr=subprocess.DEVNULL)
    machine.children.append(strace)
    time.sleep(1.0)
    got = p.slice(load, max(200, w["n"]))
    strace.send_signal(signal.SIGINT)
    strace.wait(20)
    load.stdin.close()
    calls = {}
    with open(out, encoding="ascii") as f:
        for line in f:
            found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d+)?\s*(\w+)\s*$", line)
            if found and found.group(3) != "total":
                calls[found.group(3)] = (int(found.group(1)), int(found.group(2) or 0))
    return got["n"], calls


def syscalls(work, specs, material):
    _, peers = peer.start(work, specs, material)
    rows = []
    for p in peers:
        n, calls = traced(p, os.path.join(TMP, "strace.out"))
        rows.append(dict(peer=p.label, total=sum(c for c, _ in calls.values()) / n, failing=sum(e for _, e in calls.values()) / n,
                         calls={k: round(c / n, 3) for k, (c, _) in sorted(calls.items(), key=lambda kv: -kv[1][0])}))
    machine.stop_all()
    print("\n### system calls per request, %s: %s" % (work, WORKS[work]["t"]))
    print("| peer | syscalls/req | of them failing (EAGAIN) | which |\n|---|--:|--:|---|")
    for x in rows:
        print("| %s | %.2f | %.2f | %s |" % (x["peer"], x["total"], x["failing"],
                                            ", ".join("%s %.2f" % kv for kv in x["calls"].items() if kv[1] >= 0.01)))
    save("syscalls-" + work, dict(work=work, rows=rows))
    return 0


def once(p, path, count=1):
    """Statuses by class of a few requests."""
    out = subprocess.run([os.path.join(BIN, "lgen"), "-p", str(p.port), "-c", "1", "-n", str(count), "-e", "0", "-u", path],
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
    for work in ("W1", "W1d", "W6-10", "W6-1000", "W6r-10"):
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
