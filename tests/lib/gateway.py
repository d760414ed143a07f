# SPDX-License-Identifier: Apache-2.0
"""The gateway under test: writes its conf, runs the real binary, waits until it serves, stops it by its pid."""
import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import client
import confgen
from wire import wait_until

BIN = os.environ.get("SALLYPORT_TEST_BIN", "")
PLUGIN_DIRS = [d for d in os.environ.get("SALLYPORT_TEST_PLUGINS", "").split(":") if d]
CHAOS = os.environ.get("SALLYPORT_TEST_CHAOS_SEED", "")
CRASH = re.compile(r"the worker ended with ")
SLOW = 1.0  # factor for timeouts, larger under sanitizers
TROUBLE = re.compile(r"\bBUG\b|\bbug:|AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer"
                     r"|runtime error:|assertion .* failed|panic", re.I)


def sanitized():
    """Memory figures mean nothing in a sanitizer build."""
    if not hasattr(sanitized, "known"):
        with open(BIN, "rb") as f:
            data = f.read()
        sanitized.known = b"__asan_init" in data or b"__tsan_init" in data
    return sanitized.known


RECENT = collections.deque(maxlen=200)  # ports given out lately: the kernel may offer the same one again


def free_port(host="127.0.0.1"):
    for _ in range(50):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            s.bind((host, 0))
            port = s.getsockname()[1]
        if port not in RECENT:
            RECENT.append(port)
            return port
    raise AssertionError("no free port")


def run_binary(*args, timeout=60, env=None, stdin=None):
    """One call of the command."""
    return subprocess.run([BIN, *map(str, args)], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout * SLOW, env=env, check=False)


def plugin_file(name):
    """NAME.so in one of the plugin folders; one that is not built is a failure, not a reason to leave a test out."""
    found = [f for f in (os.path.join(d, name + ".so") for d in PLUGIN_DIRS) if os.path.exists(f)]
    assert found, "%s.so is in none of SALLYPORT_TEST_PLUGINS: make test-plugins" % name
    return found[0]


def children(pid):
    out = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                out += [int(x) for x in f.read().split()]
    except OSError:
        pass
    return out


def rss_kb(pid, key="VmRSS"):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Gateway:
    """conf: the main conf without listen, status and plugin_dirs, which are filled in; apis: API files as data."""

    def __init__(self, root, conf=None, apis=(), files=None, chaos=True, status=True, form="yaml", env=None):
        self.root = str(root)
        self.conf, self.apis, self.files = conf or {}, list(apis), files or {}
        self.seed = int(CHAOS) if chaos and CHAOS else None
        self.form, self.extra_env, self.with_status = form, env or {}, status
        self.short = tempfile.mkdtemp(prefix="sp-")  # socket paths are short
        self.sock = os.path.join(self.short, "ctl")
        self.proc = self.notify = None
        self.pid = 0
        self.checked = False
        self.may_crash = False  # the test kills workers itself
        self.log_path = os.path.join(self.root, "gateway.log")
        self.states, self.news = [], threading.Condition()
        self.choose_ports()

    # Conf
    def choose_ports(self):
        self.port, self.status_port = free_port(), free_port()

    @property
    def conf_path(self):
        return os.path.join(self.root, "sallyport." + self.form)

    def full_conf(self):
        conf = {"listen": [{"address": "127.0.0.1:%d" % self.port}]}
        if self.with_status:
            conf["status"] = {"address": "127.0.0.1:%d" % self.status_port}
        conf["threads"] = 2
        if PLUGIN_DIRS:
            conf["plugin_dirs"] = PLUGIN_DIRS
        conf.update(self.conf)
        if self.apis:
            conf.setdefault("apis", {"include": "apis.d/*." + self.form})
        return confgen.with_chaos(conf, self.seed) if self.seed is not None else conf

    def dump(self, value):
        return confgen.to_yaml(value) if self.form == "yaml" else json.dumps(value, indent=1)

    def write(self, conf=None, apis=None):
        """Writes the conf directory; new values replace those held."""
        if conf is not None:
            self.conf = conf
        if apis is not None:
            self.apis = list(apis)
        folder = os.path.join(self.root, "apis.d")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name, text in self.files.items():
            self.put(name, text)
        self.put("sallyport." + self.form, self.dump(self.full_conf()))
        for api in self.apis:
            self.put("apis.d/%s.%s" % (api["api"], self.form), self.dump(api))

    def put(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    # Life
    def start(self, wait=True, args=()):
        for attempt in range(5):
            self.write()
            self.launch(args)
            if not wait:
                return self
            if self.wait_ready():
                return self
            if attempt < 4 and "in use" in self.log():  # someone took the port in between
                self.end_notify()
                self.choose_ports()
                continue
            code = self.proc.wait()
            raise AssertionError("the gateway did not start (exit %s):\n%s" % (code, self.log()[-4000:]))
        return self

    def launch(self, args=()):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.short, "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify.bind(path)
        env = dict(os.environ, NOTIFY_SOCKET=path, **self.extra_env)
        self.states = []
        threading.Thread(target=self.listen_notify, args=(self.notify,), daemon=True).start()
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen([BIN, "-c", self.conf_path, "-s", self.sock, *args, "run"],
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.root)
        self.pid = self.proc.pid
        self.checked = False

    def listen_notify(self, sock):
        """Takes service manager messages at once: a full queue would hold the master up."""
        while True:
            try:
                data = sock.recv(4096)
            except OSError:
                return
            with self.news:
                if not data:
                    return
                self.states += data.decode().split("\n")
                self.news.notify_all()

    def end_notify(self):
        if self.notify is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:  # wakes the thread
            s.sendto(b"", os.path.join(self.short, "notify"))
        self.notify.close()
        self.notify = None

    def forget_states(self):
        with self.news:
            self.states.clear()

    def wait_state(self, word, timeout=20.0):
        """Waits for a service manager message such as READY=1. False: the process ended first."""
        end = time.monotonic() + timeout * SLOW
        with self.news:
            while word not in self.states:
                if self.proc.poll() is not None:
                    return False
                if time.monotonic() > end:
                    raise AssertionError("no %s within %gs; states %r, log:\n%s" % (
                        word, timeout, self.states, self.log()[-3000:]))
                self.news.wait(0.02)
            return True

    def wait_ready(self, timeout=20.0):
        return self.wait_state("READY=1", timeout)

    def wait_exit(self, timeout=20.0):
        return self.proc.wait(timeout * SLOW)

    def signal(self, number):
        self.proc.send_signal(number)

    def stop(self, expect=0):
        """SIGTERM, exit code, log."""
        if self.proc is None or self.checked:
            return
        self.checked = True
        pids = self.pids()
        try:
            if self.proc.poll() is None:
                self.signal(signal.SIGTERM)
            try:
                code = self.proc.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                raise AssertionError("the gateway did not stop within 20s of SIGTERM:\n" + self.log()[-3000:])
            wait_until(lambda: not any(alive(p) for p in pids), 10 * SLOW, "the worker's end")
        finally:
            for p in [self.pid] + pids:
                if alive(p):
                    os.kill(p, signal.SIGKILL)
            self.proc.wait(10)
            self.end_notify()
        text = self.log()
        found = TROUBLE.search(text) or (None if self.may_crash else CRASH.search(text))
        assert not found, "the log tells of trouble:\n" + text[max(0, found.start() - 500):found.start() + 4000]
        assert code == expect, "exit code %s of the gateway, log:\n%s" % (code, text[-3000:])

    def clean(self):
        self.end_notify()
        shutil.rmtree(self.short, ignore_errors=True)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def wait_log(self, *texts, timeout=10.0):
        """Any of the texts in the log, which has a writer of its own and may come a little later."""
        wait_until(lambda: any(t in self.log() for t in texts), timeout * SLOW, "%r in the log" % (texts,))

    def pids(self):
        """Processes below the master."""
        out, todo = [], children(self.pid)
        while todo:
            p = todo.pop()
            out.append(p)
            todo += children(p)
        return out

    @property
    def worker(self):
        """The worker's pid (trials come and go: the status command says which it is)."""
        return self.status()["worker"]["pid"]

    # Commands
    def command(self, *args, timeout=60):
        return run_binary("-c", self.conf_path, "-s", self.sock, *args, timeout=timeout)

    def json(self, *args, code=0):
        done = self.command("--json", *args)
        assert done.returncode == code, "%r: exit %d\n%s%s" % (args, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def status(self):
        return self.json("status")

    def reload(self, ok=True):
        done = self.command("reload")
        assert (done.returncode == 0) == ok, "reload: exit %d\n%s%s\n%s" % (
            done.returncode, done.stdout, done.stderr, self.log()[-2000:])
        return done

    # Traffic
    def ask(self, method="GET", target="/", **how):
        return client.ask(self.port, method, target, **how)

    def connect(self, **how):
        return client.Client(self.port, **how)

    def raw(self, data, **how):
        return client.raw(self.port, data, **how)

    def status_page(self, path, method="GET"):
        return client.ask(self.status_port, method, path, host="status")

    def metrics(self):
        got = self.status_page("/metrics")
        assert got.status == 200, got
        return got.body.decode()
