# SPDX-License-Identifier: Apache-2.0
"""Memory: of a gateway that idles (W0), and of every idle connection (W7, W7t)."""
import time

import machine
import peer
from compare import save
from machine import QUICK, env
from works import WORKS

SETTLE = 1.0  # seconds until frees and timers are done


def footprint(work, specs, material):
    """All processes of a peer: started and idle, then idle again after W1's load."""
    rows = []
    _, peers = peer.start(work, specs, material)
    for p in peers:
        time.sleep(SETTLE)
        fresh = machine.memory_kb(p.pids())
        load = p.begin_load(5000)
        p.slice(load, 20000)
        load.stdin.close()
        load.wait(20)
        time.sleep(SETTLE)
        rows.append(dict(peer=p.label, kb=fresh["rss"], fresh=fresh, used=machine.memory_kb(p.pids()), processes=len(p.pids())))
        machine.stop(p.proc)
    machine.stop_all()
    print("\n### %s: %s (KB, all processes; rss counts a page that two of them share twice, pss once)" % (work, WORKS[work]["t"]))
    print("| peer | processes | rss | pss | private | rss after 20000 requests, no connection left |\n|---|--:|--:|--:|--:|--:|")
    for x in rows:
        print("| %s | %d | %d | %d | %d | %d |" % (x["peer"], x["processes"], x["fresh"]["rss"], x["fresh"]["pss"],
                                                x["fresh"]["private"], x["used"]["rss"]))
    return save(work, dict(work=work, rows=rows))


def per_connection(before, after, count):
    return {k: (after[k] - before[k]) * 1024 / count for k in before}


def idle_peer(p, count):
    """One peer: memory with 64 warm connections, with `count` idle ones beside them, and after one request more on each."""
    load = p.begin_load(3000)
    p.slice(load, 2000)
    before = machine.memory_kb(p.pids())
    many = p.begin_load(count, conns=count, extra=("-R", "3000"))
    time.sleep(SETTLE)
    after = machine.memory_kb(p.pids())
    open_now = p.slice(many, 0)["open"]
    again = after
    if not QUICK:
        p.slice(many, count, 3000)  # is the memory given back?
        time.sleep(SETTLE)
        again = machine.memory_kb(p.pids())
    for generator in (many, load):
        generator.stdin.close()
        generator.wait(20)
    machine.stop(p.proc)
    first = per_connection(before, after, count)
    return dict(peer=p.label, before=before, after=after, open=open_now, per=first["rss"], per_private=first["private"],
                per_again=per_connection(before, again, count)["rss"])


def idle(work, specs, material):
    count = env("BENCH_IDLE", 9900, int)
    _, peers = peer.start(work, specs, material)
    rows = [idle_peer(p, count) for p in peers]
    machine.stop_all()
    print("\n### %s: %s (%d connections, each served one request; resident memory of all proxy processes)" % (
        work, WORKS[work]["t"], count))
    print("| peer | rss KB at 64 conns | at %d idle | open | bytes/connection | of them private | after a 2nd request each |\n"
          "|---|--:|--:|--:|--:|--:|--:|" % count)
    for x in rows:
        print("| %s | %d | %d | %d | %.0f | %.0f | %s |" % (x["peer"], x["before"]["rss"], x["after"]["rss"], x["open"], x["per"],
                                                       x["per_private"], "-" if QUICK else "%.0f" % x["per_again"]))
    short = [x["peer"] for x in rows if x["open"] != count]
    if short:
        print("# not all connections stayed open: " + ", ".join(short))
    return save(work, dict(work=work, rows=rows, n=count, code=1 if short else 0))
