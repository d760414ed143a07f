# SPDX-License-Identifier: Apache-2.0
"""The machine: where things lie, building the tools, processes with their children, CPU clocks, memory."""
import ctypes
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def env(name, default, kind=str):
    return kind(os.environ.get(name) or default)


TMP = env("BENCH_TMP", os.path.join(tempfile.gettempdir(), "sallyport-bench-%d" % os.getuid()))
BIN = os.path.join(TMP, "bin")
RESULTS = env("BENCH_RESULTS", os.path.join(TMP, "results"))
BASE_PORT = env("BENCH_BASE_PORT", 18000, int)
CPU_PROXY = env("BENCH_PROXY_CPU", 1, int)
CPU_LOAD = env("BENCH_LOAD_CPU", 0, int)
NICE = env("BENCH_NICE", -10, int)
QUICK = bool(os.environ.get("BENCH_QUICK"))                    # everything in minutes, for a first look

TOOLS = {
    "backend": (["backend.c"], []),
    "limit": (["limit.c"], ["-lssl", "-lcrypto"]),
    "tlsidle": (["tlsidle.c"], ["-lssl", "-lcrypto"]),
    "ownexe.so": (["ownexe.c"], ["-shared", "-fPIC", "-ldl"]),
    "lgen": (["lgen.c", "lgen_conn.c", "lgen_hist.c"], ["-lssl", "-lcrypto", "-lm"]),
}
children = []


def run(*args):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def build():
    """Compiles the tools that are missing or older than their sources."""
    src = os.path.join(HERE, "src")
    newest_header = max(os.path.getmtime(os.path.join(src, f)) for f in os.listdir(src) if f.endswith(".h"))
    os.makedirs(BIN, exist_ok=True)
    for name, (sources, libraries) in TOOLS.items():
        files = [os.path.join(src, f) for f in sources]
        out = os.path.join(BIN, name)
        if os.path.exists(out) and os.path.getmtime(out) >= max([newest_header] + [os.path.getmtime(f) for f in files]):
            continue
        run(os.environ.get("CC", "gcc"), "-O2", "-march=native", "-o", out, *files, *libraries)


def material(counts):
    """Certificate, route prefixes and paths to ask for; the same for every peer and run.

    Every list of paths has 50,000 entries in random order and names each of its routes equally often: the load generator
    touches as much memory for 10 routes as for 10,000, and the proxy is asked for all of them."""
    folder = os.path.join(TMP, "material2")
    os.makedirs(folder, exist_ok=True)
    rnd = random.Random(7)
    for n in counts:
        prefixes = ["/api/v%d/svc-%05d" % (i % 3 + 1, i) for i in range(n)]
        asked = [(prefixes[k % n], rnd.randrange(10 ** 6)) for k in range(50000)]
        rnd.shuffle(asked)
        write(os.path.join(folder, "routes%d" % n), prefixes)
        write(os.path.join(folder, "paths%d" % n), ["%s/items/%d" % x for x in asked])
        write(os.path.join(folder, "ppaths%d" % n), ["%s/users/%d/orders" % x for x in asked])
    certificate(folder)
    return folder


def certificate(folder):
    """server.crt, server.key (ECDSA P-256) and both in server.pem."""
    chain, key, both = (os.path.join(folder, "server." + kind) for kind in ("crt", "key", "pem"))
    if os.path.exists(both):
        return
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
        "/CN=bench.local", "-addext", "subjectAltName=DNS:bench.local", "-keyout", key, "-out", chain)
    with open(both, "w", encoding="ascii") as out:
        for path in (chain, key):
            with open(path, encoding="ascii") as f:
                out.write(f.read())


def write(path, lines):
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))


def pinned(cpu):
    """For Popen: on that CPU, with many descriptors, gone when the runner goes."""
    def setup():
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError:
            pass
        try:
            os.nice(NICE)
        except OSError:
            pass
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    return setup


def stat_fields(pid):
    with open("/proc/%s/stat" % pid, encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def tree(pid):
    """pid and all its descendants."""
    kids = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                kids.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
            except OSError:
                pass
    out, todo = [], [pid]
    while todo:
        x = todo.pop()
        out.append(x)
        todo += kids.get(x, [])
    return out


def cpu_of(pids):
    """CPU seconds of whole processes (all threads, ended ones too): the precise form of utime+stime."""
    total = 0.0
    for p in pids:
        try:
            total += time.clock_gettime((~p << 3) | 2)
        except OSError:
            pass
    return total


def ticks_of(pids):
    total = 0
    for p in pids:
        try:
            f = stat_fields(p)
            total += int(f[11]) + int(f[12])
        except OSError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


def core_times(cpu):
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            if line.startswith("cpu%d " % cpu):
                return [int(x) for x in line.split()[1:9]]
    return [0] * 8


def memory_kb(pids):
    """Sums over processes: rss, every resident page of each; pss, pages shared with others by parts; private ones."""
    kinds = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private", "Private_Dirty": "private", "Private_Hugetlb": "private"}
    total = dict(rss=0, pss=0, private=0)
    for p in pids:
        try:
            with open("/proc/%d/smaps_rollup" % p, encoding="ascii") as f:
                for name, _, value in (line.partition(":") for line in f):
                    if name in kinds:
                        total[kinds[name]] += int(value.split()[0])
        except OSError:
            pass
    return total


def wait_port(port, proc, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        if proc.poll() is not None:
            return False
        with socket.socket() as s:
            s.settimeout(1)
            try:
                s.connect(("127.0.0.1", port))
                return True
            except OSError:
                time.sleep(0.05)
    return False


def spawn(args, cpu, **how):
    proc = subprocess.Popen(args, preexec_fn=pinned(cpu), **how)  # pylint: disable=subprocess-popen-preexec-fn
    children.append(proc)
    return proc


def stop(proc):
    """Only what descends from what was started here."""
    if proc is None or proc.poll() is not None:
        return
    pids = tree(proc.pid)
    proc.terminate()
    try:
        proc.wait(5)
    except subprocess.TimeoutExpired:
        pass
    for p in pids:
        try:
            os.kill(p, signal.SIGKILL)
        except OSError:
            pass
    proc.wait(5)


def stop_all():
    for proc in reversed(children):
        stop(proc)
    children.clear()
