# SPDX-License-Identifier: Apache-2.0
"""The backend, the proxies under test and their load generators."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

import machine
from machine import BASE_PORT, BIN, CPU_LOAD, CPU_PROXY, HERE, TMP
from works import WORKS

ERRORS = ("bad_status", "bad_body", "e_conn", "e_closed0", "e_partial", "e_tls", "e_proto")


class Backend:
    def __init__(self, body):
        self.port = BASE_PORT + 1
        self.proc = machine.spawn([os.path.join(BIN, "backend"), "%d:s=%d" % (self.port, body)], CPU_LOAD)
        if not machine.wait_port(self.port, self.proc):
            raise SystemExit("the backend does not start")


class Peer:
    """spec: NAME[:VARIANT][=PATH of its hook], or NAME@PORT:PID of a running server."""

    def __init__(self, spec, work, index, material, backend):
        self.work, self.w, self.material = work, WORKS[work], material
        self.proc = self.load = None
        self.counted = -1
        self.pid_list = []
        running = re.match(r"^([^@]+)@(\d+):(\d+)$", spec)
        if running:
            self.label, self.port, self.pid, self.ok = running.group(1), int(running.group(2)), int(running.group(3)), True
            self.routes = self.w.get("routes", 10)
            return
        self.label, _, path = spec.partition("=")
        name, _, variant = self.label.partition(":")
        chosen = re.match(r"^routes(\d+)$", variant)
        self.routes = int(chosen.group(1)) if chosen else self.w.get("routes", 10)
        self.hook = os.path.abspath(path) if path else os.path.join(HERE, "peers", name, "peer")
        if os.path.isdir(self.hook):
            self.hook = os.path.join(self.hook, "peer")
        self.port = BASE_PORT + 100 + index
        self.start(index, variant or "default", backend)

    def start(self, index, variant, backend):
        folder = os.path.join(TMP, "peer-%s-%d" % (re.sub(r"\W", "_", self.label), index))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.env = dict(os.environ, BENCH_WORK=self.work, BENCH_VARIANT=variant, BENCH_PORT=str(self.port), BENCH_BIN=BIN,
                        BENCH_UP=str(backend.port), BENCH_BODY=str(self.w["body"]), BENCH_DIR=folder,
                        BENCH_TLS="1" if self.w.get("tls") else "0", BENCH_CERT=os.path.join(self.material, "server.crt"),
                        BENCH_KEY=os.path.join(self.material, "server.key"), BENCH_PEM=os.path.join(self.material, "server.pem"),
                        BENCH_ROUTES=os.path.join(self.material, "routes%d" % self.routes))
        log = os.path.join(folder, "out")
        with open(log, "w", encoding="utf-8") as out:
            self.proc = machine.spawn([self.hook, "up"], CPU_PROXY, env=self.env, stdout=out, stderr=out, cwd=folder,
                                      stdin=subprocess.DEVNULL)
        self.pid = self.proc.pid
        self.ok = machine.wait_port(self.port, self.proc)
        if not self.ok:
            code = self.proc.poll()
            if code != 77:
                with open(log, encoding="utf-8", errors="replace") as out:
                    print("# %s does not start (%s): %s" % (self.label, code, out.read()[-800:]), file=sys.stderr)
            machine.stop(self.proc)

    def pids(self, fresh=True):
        self.counted += 1
        if fresh or self.counted % 20 == 0:
            self.pid_list = machine.tree(self.pid)
        return self.pid_list

    def reload(self):
        subprocess.run([self.hook, "reload"], env=dict(self.env, BENCH_PID=str(self.pid)), timeout=30, check=False)

    def generator_args(self, conns=None, extra=()):
        w = self.w
        args = ["-p", str(self.port), "-c", str(conns or w.get("conns", 64)), "-B", str(w["body"])] + w.get("gen", [])
        if w.get("tls"):
            args.append("-S")
        if w.get("routes"):
            args += ["-U", os.path.join(self.material, ("ppaths%d" if w.get("param") else "paths%d") % self.routes)]
        return args + list(extra)

    def begin_load(self, warm, conns=None, extra=()):
        """A load generator whose connections stay open; it waits for slices."""
        proc = machine.spawn([os.path.join(BIN, "lgen"), "-g", "-T", "60", "-w", str(warm)] + self.generator_args(conns, extra),
                             CPU_LOAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = proc.stdout.readline().split()
        if len(words) != 4 or words[0] != "READY":
            raise SystemExit("%s: the load generator failed" % self.label)
        if int(words[1]) < warm:
            raise SystemExit("%s: the warm-up was not done in time" % self.label)
        if words[2] != "0" or words[3] != "0":
            print("# %s: the warm-up had %s bad answers, %s bad bodies" % (self.label, words[2], words[3]), file=sys.stderr)
        return proc

    def slice(self, load, n, rate=0, backend=None):
        """n requests, with CPU clocks before and after; raw sums, so that slices can be added up."""
        pids = self.pids(fresh=False)
        core, load_core = machine.core_times(CPU_PROXY), machine.core_times(CPU_LOAD)
        back = machine.cpu_of([backend.proc.pid]) if backend else 0
        ticks, cpu, wall = machine.ticks_of(pids), machine.cpu_of(pids), time.monotonic()
        load.stdin.write("%d %g\n" % (n, rate))
        load.stdin.flush()
        line = load.stdout.readline()
        wall_end, cpu_end, ticks_end = time.monotonic(), machine.cpu_of(pids), machine.ticks_of(pids)
        if not line:
            raise SystemExit("%s: the load generator died" % self.label)
        got = json.loads(line)
        core_end, load_end = machine.core_times(CPU_PROXY), machine.core_times(CPU_LOAD)
        hz = os.sysconf("SC_CLK_TCK")
        got.update(wall=wall_end - wall, cpu=cpu_end - cpu, ticks=ticks_end - ticks,
                   back=machine.cpu_of([backend.proc.pid]) - back if backend else 0,
                   steal=(core_end[7] - core[7]) / hz, steal_load=(load_end[7] - load_core[7]) / hz,
                   busy=sum(core_end[i] - core[i] for i in (0, 1, 2, 5, 6)) / hz,
                   err=sum(got[k] for k in ERRORS))
        got["cpu_us"] = got["cpu"] / max(got["n"], 1) * 1e6
        return got


def start(work, specs, material, quiet=False):
    """All peers up at the same time; those that do not apply are left out."""
    backend = Backend(WORKS[work]["body"])
    peers = [Peer(s, work, i, material, backend) for i, s in enumerate(specs)]
    skipped = [p.label for p in peers if not p.ok]
    if skipped and not quiet:
        print("# not applicable or not startable: " + ", ".join(skipped))
    return backend, [p for p in peers if p.ok]
