# SPDX-License-Identifier: Apache-2.0
"""Random clients, random aborts, random backend failures, reloads: no wrong answer, and memory and descriptors as flat at the end as in the
first minute. Ten minutes with SALLYPORT_TEST_LONG (or SALLYPORT_TEST_SOAK_SECONDS); a short form else, which looks for wrong answers and leaks."""
import collections
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time

from conftest import LONG
from confgen import doc_api, operation, plain_api
from dns import NameServer
from gateway import free_port, sanitized
from tlskit import Authority
from wire import wait_until

CHAOS = bool(os.environ.get("SALLYPORT_TEST_CHAOS_SEED"))  # then it is about answers, not about memory: the short form
SECONDS = int(os.environ.get("SALLYPORT_TEST_SOAK_SECONDS", "600" if LONG and not CHAOS else "8"))
SEED = int(os.environ.get("SALLYPORT_TEST_SOAK_SEED", random.randrange(1 << 20)))
LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
CLIENTS, PROCESSES = 16, 2


def memory_kb(pid):
    """Resident, and what of it is this process's alone."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        fields = {k: int(v.split()[0]) for k, v in (x.split(":") for x in f.read().splitlines()[1:])}
    return fields["Rss"], fields["Private_Clean"] + fields["Private_Dirty"]


def python(name, conf, **how):
    return subprocess.Popen([sys.executable, os.path.join(LIB, name), json.dumps(conf)], stdout=subprocess.PIPE, text=True, **how)


class Samples:
    """Memory and descriptors of master and worker, every second; the name's addresses change as it goes."""
    COLUMNS = [(who, what) for who in ("master", "worker") for what in ("resident KB", "private KB", "descriptors")]

    def __init__(self, gw, dns):
        self.pids, self.dns, self.rows, self.stop = (gw.pid, gw.worker), dns, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def take(self):
        row = []
        for pid in self.pids:
            row += [*memory_kb(pid), len(os.listdir("/proc/%d/fd" % pid))]
        return row

    def run(self):
        while not self.stop.wait(1):
            try:
                self.rows.append(self.take())
            except OSError:
                return  # it has crashed, and the end will tell
            self.dns.names["back.test"] = NAMES[len(self.rows) % len(NAMES)]

    def end(self):
        self.stop.set()
        self.thread.join()

    @staticmethod
    def median(part):
        return [int(statistics.median(column)) for column in zip(*part)]


NAMES = ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.2"]


def conf_of(gw_ports, backend, pairs, ca, dns, variant):
    """Every second variant has another certificate, another header, one listener and one upstream more."""
    def up(name, *ports, **more):
        return dict({"id": name, "targets": ["127.0.0.1:%d" % p for p in ports], "timeouts": {"first_byte": "10s"},
                     "pool": {"idle_timeout": "2s"}}, **more)
    more = [up("more", backend["other"], health={"type": "tcp", "interval": "1s"})] if variant else []
    return {"listen": [{"address": "127.0.0.1:%d" % gw_ports[0]},
                       {"address": "127.0.0.1:%d" % gw_ports[1], "tls": {"certificates": [pairs[variant].conf]}},
                       {"address": "127.0.0.1:%d" % gw_ports[2]}][:2 + variant],
            "threads": 2, "limits": {"body": "4MB"}, "log": {"level": "debug"}, "resolver": {"servers": dns.address, "timeout": "1s"},
            "upstreams": more + [dict(up("named"), targets=["back.test:%d" % backend["named"]])] + [up("good", backend["plain"]), up("leave", backend["other"]), up("gone", backend["flicker"]),
                          up("tls", backend["tls"], tls={"ca": ca, "server_name": "back.test"}),
                          up("flaky", backend["plain"], backend["flicker"], ejection={"failures": 2, "time": "300ms"},
                             retries={"attempts": 3, "on": ["connect", "reset"], "budget": {"percent": 100, "min_per_second": 1000}},
                             health={"type": "tcp", "interval": "1s"})],
            "plugins": ["respond", {"headers": {"response": {"set": {"X-Soak-Plugin": "1", "X-Variant": str(variant)}}}}]}


def apis_of(backend):
    known = "http://127.0.0.1:%d/B/ok/500/known" % backend["plain"]
    return [plain_api(name, up, name + ".test") for name, up in
            (("soak", "good"), ("leave", "leave"), ("gone", "gone"), ("tls", "tls"), ("flaky", "flaky"), ("named", "named"))] + [
                doc_api("doc", {"/known": {"get": operation(known)}}, kind="HTTP", host="doc.test"),
                plain_api("fixed", "good", "fixed.test", **{"x-sallyport-plugins": {"respond": {"status": 418, "body": "fixed"}}})]


def test_soak(make, tmp_path, record_property):
    ca = Authority(tmp_path / "ca")
    pairs, back_pair, dns = [ca.cert("soak.test") for _ in range(2)], ca.cert("back.test"), NameServer({"back.test": NAMES[0]})
    backend = python("soak_backend.py", {"chain": back_pair.chain, "key": back_pair.key, "seed": SEED}, stdin=subprocess.PIPE)
    clients, samples = [], None
    print("seed %d" % SEED)
    try:
        ports = json.loads(backend.stdout.readline())
        listen = free_port(), free_port(), free_port()
        gw = make.gateway(conf_of(listen, ports, pairs, ca.pem, dns, 0), apis_of(ports), start=False)
        gw.port = listen[0]
        gw.start()
        samples = Samples(gw, dns)
        at_start = samples.take()
        began = time.monotonic()
        clients = [python("soak_client.py", {"seed": SEED * 10 + i, "seconds": SECONDS, "clients": CLIENTS, "plain": listen[0], "tls": listen[1],
                                             "ca": ca.pem}) for i in range(PROCESSES)]
        reloads = 0
        while time.monotonic() - began < SECONDS:
            time.sleep(min(20 if SECONDS > 60 else 3, max(0.0, SECONDS - (time.monotonic() - began))))
            reloads += 1
            gw.write(conf_of(listen, ports, pairs, ca.pem, dns, reloads % 2))
            gw.reload()
        gw.write(conf_of(listen, ports, pairs, ca.pem, dns, 0))
        gw.reload()  # as at the start
        results = [json.loads(c.communicate(timeout=90)[0]) for c in clients]
        samples.end()
        backend.stdin.write("\n")
        backend.stdin.flush()
        lag = "longest wait for a turn: backends %s s, clients %s s" % (backend.stdout.readline().strip(), max(r["lag"] for r in results))
        report(gw, samples, at_start, results, reloads, lag, record_property)
    finally:
        if samples:
            samples.end()
        dns.stop()
        for p in clients + [backend]:
            p.kill()
            p.wait()


def told(gw, wrong):
    """What the gateway's log says of failed calls in the seconds that the wrong answers were dated."""
    times = {"T" + t for t in re.findall(r"\d\d:\d\d:\d\d", " ".join(wrong))}
    return [line for line in gw.log().splitlines() if line[10:19] in times and ("failed:" in line or "INTEGRATION_" in line)][:60]


def pooled(gw, document=False):
    """Connections to upstreams; the document's are apart, for they stay for the 60 s that it cannot shorten."""
    return sum(float(line.split()[-1]) for line in gw.metrics().splitlines()
               if line.startswith("sallyport_upstream_connections{") and ('upstream="http:' in line) == document)


def settled(gw, samples, at_start):
    now = samples.take()
    return now[2] <= at_start[2] and now[5] <= at_start[5] + pooled(gw, document=True)


def report(gw, samples, at_start, results, reloads, lag, record_property):
    count, wrong = collections.Counter(), []
    for r in results:
        count.update(r["count"])
        wrong += r["wrong"]
    assert samples.pids == (gw.pid, gw.worker), "the worker has crashed: " + gw.log()[-3000:]
    first, last = samples.median(samples.rows[:60]), samples.median(samples.rows[-60:])
    answers = sum(n for k, n in count.items() if k[:3].isdigit())
    figures = ["seed %d, %d s, %d reloads: %d answers, %d wrong" % (SEED, SECONDS, reloads, answers, count["wrong"]),
               ", ".join("%s: %d" % kv for kv in sorted(count.items())),
               lag,
               "resident KB of the worker, medians of each minute: " +
               " ".join(str(samples.median(samples.rows[at:at + 60])[3]) for at in range(0, len(samples.rows), 60))]
    figures += ["%s, %s: %d before, %d in the first minute, %d in the last (medians)" % (*name, *numbers)
                for name, *numbers in zip(samples.COLUMNS, at_start, first, last)]
    for line in figures:
        print(line)
        record_property("figure", line)
    assert not wrong and count["wrong"] == 0, "\n".join(figures + wrong + told(gw, wrong))
    assert answers > SECONDS * (5 if sanitized() else 20), figures[0]
    wait_until(lambda: gw.status()["connections"] == 0 and gw.status()["exchanges"] == 0, 10, "nothing in flight")
    try:
        wait_until(lambda: pooled(gw) == 0, 15, "pools that have run empty")
    except AssertionError as e:
        raise AssertionError("%s\n%s\n%s" % (e, "\n".join(x for x in gw.metrics().splitlines() if x.startswith("sallyport_upstream_connections")),
                                             subprocess.run(["ss", "-tnpOe"], stdout=subprocess.PIPE, text=True, check=False).stdout)) from e
    try:
        wait_until(lambda: settled(gw, samples, at_start), 15, "descriptors as at the start")
    except AssertionError as e:
        raise AssertionError("%s: %s, then %s\n%s" % (e, at_start, samples.take(), subprocess.run(
            ["ls", "-l", "/proc/%d/fd" % gw.worker], stdout=subprocess.PIPE, text=True, check=False).stdout)) from e
    end = samples.take()
    record_property("figure", "idle again: worker %d KB, %d descriptors; master %d KB, %d descriptors" % (end[3], end[5], end[0], end[2]))
    if SECONDS >= 120 and not sanitized():
        for (who, what), a, b in zip(samples.COLUMNS, first, last):
            limit = a * 1.25 + 10 if what == "descriptors" else a * 1.05 + 1024
            assert b <= limit, "%s, %s: %d in the first minute, %d in the last" % (who, what, a, b)
