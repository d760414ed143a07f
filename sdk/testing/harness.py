# SPDX-License-Identifier: Apache-2.0
"""Tests of a plugin on the real gateway: the installed `sallyport` with a conf made here, on free loopback ports, in front of a
backend that records what reaches it. Standard library only.

    from harness import Backend, Gateway

    with Backend() as backend, Gateway(plugins=["hello"], plugin_dirs=["."], backend=backend) as gateway:
        answer = gateway.request("GET", "/pets?limit=1", headers={"Accept": "text/plain"})
        assert answer.status == 200 and answer.header("X-Hello") == "world"
        assert backend.requests[-1].header("Accept") == "text/plain"

Everything has a timeout; what was started is stopped by its own pid. SALLYPORT_TEST_BIN names the binary, else `sallyport` is looked
for in the PATH.
"""
import contextlib
import http.client
import http.server
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

TIMEOUT = float(os.environ.get("SALLYPORT_TEST_TIMEOUT", "20"))


class Message:
    """A request as the backend got it, or an answer as the client got it: headers is a list of (name, value)."""

    def __init__(self, headers, body, **more):
        self.headers, self.body = list(headers), body
        self.__dict__.update(more)

    def header_all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name, default=None):
        found = self.header_all(name)
        return found[0] if found else default

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "Message(%s)" % ", ".join("%s=%r" % i for i in sorted(self.__dict__.items()))


class Backend:
    """An HTTP/1.1 service on a free port. handler(Message) answers with (status, headers, body), or with body alone; without one
    every request gets 200 and a JSON object that tells what came."""

    def __init__(self, handler=None):
        self.handler = handler or self.echo
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = TIMEOUT

            def answer(self):
                outer.serve(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @staticmethod
    def echo(request):
        told = {"method": request.method, "target": request.target, "headers": request.headers,
                "body": request.body.decode("latin-1")}
        return 200, {"Content-Type": "application/json"}, json.dumps(told)

    @property
    def target(self):
        return "127.0.0.1:%d" % self.server.server_address[1]

    @staticmethod
    def read_body(http_request):
        stream = http_request.rfile
        if "chunked" not in http_request.headers.get("Transfer-Encoding", ""):
            return stream.read(int(http_request.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(stream.readline().split(b";")[0], 16)
            if size == 0:
                while stream.readline().strip():  # trailers
                    pass
                return body
            body += stream.read(size)
            stream.readline()

    def serve(self, http_request):
        body = self.read_body(http_request)
        message = Message(http_request.headers.items(), body, method=http_request.command, target=http_request.path)
        self.requests.append(message)
        answer = self.handler(message)
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        body = body.encode() if isinstance(body, str) else body
        http_request.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            http_request.send_header(name, value)
        http_request.send_header("Content-Length", str(len(body)))
        http_request.end_headers()
        if http_request.command != "HEAD":
            http_request.wfile.write(body)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join(TIMEOUT)
        self.server.server_close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def binary():
    found = os.environ.get("SALLYPORT_TEST_BIN") or shutil.which("sallyport")
    if not found:
        raise RuntimeError("no sallyport in the PATH: install it, or name it in SALLYPORT_TEST_BIN")
    return found


class Gateway:
    """The gateway, running between __enter__ and __exit__.

    plugins      what stands in the conf's `plugins:`: names, or entries such as {"use": "hello", "with": {...}}
    plugin_dirs  folders of your .so files; the installed plugins are found without it
    backend      a Backend that a plain API on every host stands in front of
    apis         API files as data, instead of that plain API; `backend` is still there as the upstream "backend"
    conf         further members of the main conf
    files        {name: text} beside the conf
    """

    def __init__(self, plugins=(), plugin_dirs=(), backend=None, apis=None, conf=None, files=None, env=None):
        self.plugins, self.conf, self.files = list(plugins), dict(conf or {}), dict(files or {})
        self.plugin_dirs = [os.path.abspath(d) for d in plugin_dirs]
        self.backend, self.apis, self.env = backend, apis, dict(env or {})
        self.root = self.process = self.notify = None
        self.port = self.status_port = 0

    # Conf
    def main_conf(self):
        conf = {"listen": [{"address": "127.0.0.1:%d" % self.port}], "threads": 1,
                "status": {"address": "127.0.0.1:%d" % self.status_port},
                "apis": {"include": "apis.d/*.json"}}
        if self.plugin_dirs:
            conf["plugin_dirs"] = self.plugin_dirs
        if self.plugins:
            conf["plugins"] = self.plugins
        if self.backend is not None:
            conf["upstreams"] = [{"id": "backend", "targets": [self.backend.target]}]
        conf.update(self.conf)
        return conf

    def write(self):
        """Writes the conf; call it again after a change and before reload()."""
        apis = self.apis
        if apis is None:
            apis = [{"api": "test", "upstream": "backend", "hosts": [{"name": "*"}]}] if self.backend else []
        for api in apis:
            self.files["apis.d/%s.json" % api["api"]] = json.dumps(api, indent=1)
        self.files["sallyport.json"] = json.dumps(self.main_conf(), indent=1)
        os.makedirs(os.path.join(self.root, "apis.d"), exist_ok=True)
        for name, text in self.files.items():
            with open(os.path.join(self.root, name), "w", encoding="utf-8") as f:
                f.write(text)

    def command(self, *args):
        """Runs `sallyport ... ARGS` on this conf: its exit code, and what it printed (errors included)."""
        done = subprocess.run([binary(), "-c", os.path.join(self.root, "sallyport.json"), "-s", os.path.join(self.root, "control"),
                               *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=TIMEOUT, env=dict(os.environ, **self.env), check=False)
        return done.returncode, done.stdout

    def check(self):
        """`sallyport check` on the conf, without starting anything: (exit code, text). For tests of bad options."""
        fresh = self.root is None
        if fresh:
            self.root = tempfile.mkdtemp(prefix="sallyport-test-")
            self.port, self.status_port = free_port(), free_port()
        try:
            self.write()
            return self.command("check")
        finally:
            if fresh:
                shutil.rmtree(self.root, ignore_errors=True)
                self.root = None

    # Life
    def start(self):
        self.root = tempfile.mkdtemp(prefix="sallyport-test-")
        for attempt in range(5):
            self.port, self.status_port = free_port(), free_port()
            self.write()
            if self.launch():
                return self
            if "in use" not in self.log():  # somebody took a port in between: once more
                break
        text = self.log()
        self.stop()
        raise RuntimeError("the gateway did not start:\n" + text)

    def launch(self):
        """Starts the process; True when it serves, False when it ended."""
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = os.path.join(self.root, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        self.notify.bind(address)
        with open(os.path.join(self.root, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [binary(), "-c", os.path.join(self.root, "sallyport.json"), "-s", os.path.join(self.root, "control"), "run"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root,
                env=dict(os.environ, NOTIFY_SOCKET=address, **self.env))
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if select.select([self.notify], [], [], 0.05)[0] and b"READY=1" in self.notify.recv(4096).split(b"\n"):
                return True
            if self.process.poll() is not None:
                self.notify.close()
                return False
        return False

    def log(self):
        try:
            with open(os.path.join(self.root, "log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except (OSError, TypeError):
            return ""

    def reload(self):
        """The conf as it is now: (exit code, text)."""
        self.write()
        return self.command("reload")

    def stop(self):
        """Ends the process by its pid; answers its exit code."""
        code = None
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait(TIMEOUT)
            self.process = None
        if self.notify is not None:
            self.notify.close()
            self.notify = None
        if self.root is not None:
            shutil.rmtree(self.root, ignore_errors=True)
            self.root = None
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        text = self.log()
        code = self.stop()
        if kind is not None:
            print("--- the gateway's log ---\n" + text)
        elif code != 0:
            raise RuntimeError("the gateway ended with exit code %s:\n%s" % (code, text))

    # Traffic
    def request(self, method="GET", target="/", headers=None, body=None, port=None):
        """One request on a connection of its own; headers: a dict or a list of pairs."""
        c = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=TIMEOUT)
        try:
            body = body.encode() if isinstance(body, str) else body
            pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
            names = {n.lower() for n, _ in pairs}
            c.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
            for name, value in pairs:
                c.putheader(name, value)
            if body is not None and "content-length" not in names:
                c.putheader("Content-Length", str(len(body)))
            c.endheaders(body)
            got = c.getresponse()
            return Message(got.getheaders(), got.read(), status=got.status)
        finally:
            c.close()

    def metrics(self):
        """{series as written: value}, from /metrics."""
        text = self.request("GET", "/metrics", port=self.status_port).body.decode()
        rows = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}
