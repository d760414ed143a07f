# SPDX-License-Identifier: Apache-2.0
"""Random clients, random aborts, random backend failures, reloads: no wrong answer, and memory and descriptors as flat at the end as in the
first minute. Ten minutes with SALLYPORT_TEST_LONG (or SALLYPORT_SOAK_SECONDS); a short form else, which looks for wrong answers and leaks."""
import collections
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

import pytest

import prom
from conftest import LONG
from confgen import plain_api
from gateway import free_port, sanitized
from tlskit import Authority
from wire import wait_until

pytestmark = [pytest.mark.nochaos, pytest.mark.skipif(bool(os.environ.get("SALLYPORT_CHAOS_SEED")), reason="ran without chaos")]
SECONDS = int(os.environ.get("SALLYPORT_SOAK_SECONDS", "600" if LONG else "8"))
SEED = int(os.environ.get("SALLYPORT_SOAK_SEED", random.randrange(1 << 20)))
LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
CLIENTS, PROCESSES = 16, 2


def resident_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        fields = dict(x.split(":") for x in f.read().splitlines()[1:])
    return int(fields["Rss"].split()[0])


def python(name, conf, **how):
    return subprocess.Popen([sys.executable, os.path.join(LIB, name), json.dumps(conf)], stdout=subprocess.PIPE, text=True, **how)


class Samples:
    """Resident memory and descriptors of master and worker, every second."""

    def __init__(self, gw):
        self.gw, self.rows, self.stop = gw, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def take(self):
        pids = [self.gw.pid, self.gw.worker]
        return sum(resident_kb(p) for p in pids), sum(len(os.listdir("/proc/%d/fd" % p)) for p in pids)

    def run(self):
        while not self.stop.wait(1):
            try:
                self.rows.append(self.take())
            except OSError:
                pass  # a process of a reload's trial, gone already

    def end(self):
        self.stop.set()
        self.thread.join()

    def median(self, part):
        return [statistics.median(column) for column in zip(*part)]


def conf_of(gw_ports, backend, pair, ca, variant):
    def up(name, *ports, **more):
        return dict({"id": name, "targets": ["127.0.0.1:%d" % p for p in ports], "timeouts": {"first_byte": "1500ms"},
                     "pool": {"idle_timeout": "2s"}}, **more)
    return {"listen": [{"address": "127.0.0.1:%d" % gw_ports[0]}, {"address": "127.0.0.1:%d" % gw_ports[1], "tls": {"certificates": [pair.conf]}}],
            "threads": 2, "limits": {"body": "4MB"},
            "upstreams": [up("good", backend["plain"]), up("leave", backend["other"]), up("gone", backend["flicker"]),
                          up("tls", backend["tls"], tls={"ca": ca, "server_name": "back.test"}),
                          up("flaky", backend["plain"], backend["flicker"], ejection={"failures": 2, "time": "300ms"},
                             retries={"attempts": 3, "on": ["connect", "reset"], "budget": {"percent": 100, "min_per_second": 1000}},
                             health={"type": "tcp", "interval": "1s"})],
            "plugins": [{"headers": {"response": {"set": {"X-Soak-Plugin": "1", "X-Variant": str(variant)}}}}]}


APIS = [plain_api(name, up, name + ".test") for name, up in
        (("soak", "good"), ("leave", "leave"), ("gone", "gone"), ("tls", "tls"), ("flaky", "flaky"))]


def test_soak(make, tmp_path, record_property):
    ca = Authority(tmp_path / "ca")
    pair, back_pair = ca.cert("soak.test"), ca.cert("back.test")
    backend = python("soak_backend.py", {"chain": back_pair.chain, "key": back_pair.key, "seed": SEED}, stdin=subprocess.PIPE)
    clients = []
    try:
        ports = json.loads(backend.stdout.readline())
        listen = free_port(), free_port()
        gw = make.gateway(conf_of(listen, ports, pair, ca.pem, 0), APIS, start=False)
        gw.port = listen[0]
        gw.start()
        begin = Samples(gw)
        at_start = begin.take()
        began = time.monotonic()
        clients = [python("soak_client.py", {"seed": SEED * 10 + i, "seconds": SECONDS, "clients": CLIENTS, "plain": listen[0], "tls": listen[1],
                                             "ca": ca.pem}) for i in range(PROCESSES)]
        reloads = 0
        while time.monotonic() - began < SECONDS:
            time.sleep(min(20 if SECONDS > 60 else 3, max(0.0, SECONDS - (time.monotonic() - began))))
            reloads += 1
            gw.write(conf_of(listen, ports, pair, ca.pem, reloads % 2))
            gw.reload()
        results = [json.loads(c.communicate(timeout=90)[0]) for c in clients]
        begin.end()
        report(gw, begin, at_start, results, reloads, record_property)
    finally:
        for p in clients + [backend]:
            p.kill()
            p.wait()


def report(gw, samples, at_start, results, reloads, record_property):
    count, wrong = collections.Counter(), []
    for r in results:
        count.update(r["count"])
        wrong += r["wrong"]
    first, last = samples.median(samples.rows[:60]), samples.median(samples.rows[-60:])
    answers = sum(n for k, n in count.items() if k[:3].isdigit())
    figures = ["seed %d, %d s, %d reloads: %d answers, %d wrong" % (SEED, SECONDS, reloads, answers, count["wrong"]),
               ", ".join("%s: %d" % kv for kv in sorted(count.items())),
               "resident KB of master and worker: %d before, %d in the first minute, %d in the last (medians)" % (at_start[0], first[0], last[0]),
               "descriptors: %d before, %d in the first minute, %d in the last" % (at_start[1], first[1], last[1])]
    for line in figures:
        print(line)
        record_property("figure", line)
    assert not wrong and count["wrong"] == 0, "\n".join(figures + wrong)
    assert answers > SECONDS * (5 if sanitized() else 20), figures[0]
    wait_until(lambda: gw.status()["connections"] == 0 and gw.status()["exchanges"] == 0, 10, "nothing in flight")
    wait_until(lambda: prom.parse(gw.metrics()).sum("sallyport_upstream_connections") == 0, 15, "pools that have run empty")
    wait_until(lambda: samples.take()[1] <= at_start[1] + 2, 15, "descriptors as at the start")
    if SECONDS >= 120 and not sanitized():
        assert last[0] <= first[0] * 1.05 + 1024, figures[2]
        assert last[1] <= first[1] * 1.25 + 10, figures[3]
