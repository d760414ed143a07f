# SPDX-License-Identifier: Apache-2.0
"""What a request costs beside time: system calls (strace), instructions in user space (callgrind)."""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

import machine
import peer
from compare import save
from machine import BIN, TMP
from works import WORKS


def traced(p, out):
    """Requests and system calls of warm processes: strace comes after the warm-up and goes before the end."""
    n = max(200, WORKS[p.work]["n"] * 2)
    load = p.begin_load(WORKS[p.work].get("warm", 5000))
    p.slice(load, n)
    args = ["strace", "-f", "-c", "-o", out]
    for pid in p.pids():
        args += ["-p", str(pid)]
    strace = subprocess.Popen(args, stderr=subprocess.DEVNULL)
    machine.children.append(strace)
    time.sleep(1.0)
    got = p.slice(load, n)
    strace.send_signal(signal.SIGINT)
    strace.wait(20)
    load.stdin.close()
    calls = {}
    with open(out, encoding="ascii") as f:
        for line in f:
            found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d+)?\s*(\w+)\s*$", line)
            if found and found.group(3) != "total":
                calls[found.group(3)] = (int(found.group(1)), int(found.group(2) or 0))
    return got, calls


def syscalls(work, specs, material):
    if "n" not in WORKS[work] or not shutil.which("strace"):
        raise SystemExit("%s: there are no requests to count, or strace is missing" % work)
    _, peers = peer.start(work, specs, material)
    rows = []
    for p in peers:
        got, calls = traced(p, os.path.join(TMP, "strace.out"))
        rows.append(dict(peer=p.label, n=got["n"], err=got["err"], calls={
            name: dict(count=c, per=c / got["n"], failing=e / got["n"]) for name, (c, e) in calls.items()}))
    machine.stop_all()
    print("\n### system calls per request, %s: %s (of all processes, warm, %s requests each)" % (
        work, WORKS[work]["t"], "/".join(sorted({str(x["n"]) for x in rows}))))
    print("| peer | call | per request | of them failing (EAGAIN) | in all |\n|---|---|--:|--:|--:|")
    for x in rows:
        for name, c in sorted(x["calls"].items(), key=lambda kv: -kv[1]["count"]):
            print("| %s | %s | %.3f | %.3f | %d |" % (x["peer"], name, c["per"], c["failing"], c["count"]))
        print("| %s | all | %.3f | %.3f | %d |" % (x["peer"], sum(c["per"] for c in x["calls"].values()),
                                                sum(c["failing"] for c in x["calls"].values()),
                                                sum(c["count"] for c in x["calls"].values())))
    return save("syscalls-" + work, dict(work=work, rows=rows, code=1 if not rows or any(x["err"] for x in rows) else 0))


def executed(spec, work, material, n):
    """Instructions in user space of a whole life with n requests; the answers' errors; where callgrind wrote."""
    folder = os.path.join(TMP, "callgrind-%s-%d" % (re.sub(r"\W", "_", spec), n))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.environ["BENCH_UNDER"] = "env LD_PRELOAD=%s valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file=%s/out.%%p" % (
        os.path.join(BIN, "ownexe.so"), folder)
    try:
        _, peers = peer.start(work, [spec], material)
    finally:
        del os.environ["BENCH_UNDER"]
    if not peers:
        raise SystemExit("%s does not start under valgrind" % spec)
    p = peers[0]
    load = p.begin_load(WORKS[work].get("warm", 500), extra=("-T", "400"))
    err = p.slice(load, n)["err"]
    load.stdin.close()
    load.wait(60)
    p.proc.terminate()  # callgrind writes at the end of a process: let it get there
    p.proc.wait(60)
    machine.stop_all()
    total = 0
    for path in glob.glob(os.path.join(folder, "out.*")):
        with open(path, encoding="ascii", errors="replace") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("totals:"))
    return total, err, folder


def instructions(work, specs, material):
    """Two lives that differ in the number of requests only: start and end cancel out."""
    if "n" not in WORKS[work] or not shutil.which("valgrind"):
        raise SystemExit("%s: there are no requests to count, or valgrind is missing" % work)
    if any(spec.partition(":")[0] != "sallyport" for spec in specs):
        raise SystemExit("only sallyport can be run under valgrind")
    few, many = WORKS[work]["n"] // 4, WORKS[work]["n"] // 4 * 3
    rows = []
    for spec in specs:
        first, err, _ = executed(spec, work, material, few)
        second, err2, folder = executed(spec, work, material, many)
        rows.append(dict(peer=spec, per=(second - first) / (many - few), err=err + err2, folder=folder))
    print("\n### instructions in user space per request, %s: %s (callgrind; %d requests against %d)" % (
        work, WORKS[work]["t"], many, few))
    print("| peer | instructions/request | errors | for callgrind_annotate |\n|---|--:|--:|---|")
    for x in rows:
        print("| %(peer)s | %(per).0f | %(err)d | %(folder)s/out.* |" % x)
    return save("instr-" + work, dict(work=work, rows=rows, code=1 if any(x["err"] for x in rows) else 0))
