# SPDX-License-Identifier: Apache-2.0
"""A backend that does exactly what the test says: a keep-alive server with a handler, or a script of steps per connection."""
import hashlib
import json
import socket
import struct
import threading
import time

from wire import Closed, Stream, Timeout, WireError, response_bytes

LIMIT = 30.0  # seconds: no step of a backend waits longer


class Conn:
    """One accepted connection and what came over it."""

    def __init__(self, backend, sock, index):
        self.backend = backend
        self.sock = sock
        self.index = index
        self.stream = Stream(sock, LIMIT)
        self.requests = []
        self.ended = threading.Event()  # the peer closed, or we did
        self.error = None

    @property
    def raw(self):
        return bytes(self.stream.raw)

    def secure(self, ctx):
        """TLS from here on."""
        self.sock.settimeout(LIMIT)
        self.sock = self.stream.sock = ctx.wrap_socket(self.sock, server_side=True)

    def bye(self):
        """close_notify, without waiting for the other side's."""
        self.sock.setblocking(False)
        try:
            self.sock.unwrap()
        except OSError:
            pass

    def read_request(self, sink=None):
        msg = self.stream.read_request_head()
        self.stream.read_body(msg, sink)
        self.backend.note(self, msg)
        return msg

    def read_head(self):
        """The head only; the body stays unread."""
        msg = self.stream.read_request_head()
        self.backend.note(self, msg)
        return msg

    def send(self, data):
        self.sock.sendall(data)

    def drain(self):
        """Reads until the peer closes."""
        while self.stream.fill():
            self.stream.buf.clear()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.ended.set()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.ended.set()


# Steps of a script: functions of a connection. A script that runs out closes the connection.
def request():
    return lambda c: c.read_request()


def head():
    return lambda c: c.read_head()


def send(data):
    return lambda c: c.send(data)


def close():
    return lambda c: c.close()


def reset():
    return lambda c: c.reset()


def wait(event):
    def step(_):
        if not event.wait(LIMIT):
            raise Timeout("the test did not set its event")
    return step


def signal(event):
    return lambda _: event.set()


def bye():
    """Ends TLS as it should be ended."""
    return lambda c: c.bye()


def hang():
    """Says nothing until the peer closes."""
    return lambda c: c.drain()


def pieces(data, size, pause=0.0):
    """The bytes in small sends."""
    def step(c):
        for at in range(0, len(data), size):
            c.send(data[at:at + size])
            if pause:
                time.sleep(pause)
    return step


def ok(_request):
    return response_bytes(200, [("Content-Type", "text/plain")], b"ok")


def echo(req):
    """What came, as JSON."""
    seen = {"method": req.method, "target": req.target, "headers": list(req.headers), "framing": req.framing,
            "length": req.length, "sha": hashlib.sha256(req.body).hexdigest(), "trailers": list(req.trailers)}
    return response_bytes(200, [("Content-Type", "application/json")], json.dumps(seen).encode())


def named(name):
    """Answers its own name, so that a test sees which backend was chosen."""
    return lambda req: response_bytes(200, [("X-Backend", name)], ("%s %s" % (name, req.target)).encode())


class Backend:
    """handler(request) -> bytes of the answer; serve(conn): the whole conversation; script: steps, or steps per connection."""

    def __init__(self, handler=ok, script=None, serve=None, rcvbuf=None, sndbuf=None, host="127.0.0.1", port=0, tls=None):
        self.handler, self.script, self.serve = handler, script, serve
        self.tls = tls  # an ssl.SSLContext
        self.sndbuf = sndbuf
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.target = ("[%s]:%d" if ":" in host else "%s:%d") % (host, self.port)
        self.changed = threading.Condition()
        self.conns = []
        self.requests = []
        self.errors = []
        self.stopping = False
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def program(self, handler=ok, script=None, serve=None):
        """From the next connection (script, serve) or request (handler) on."""
        self.handler, self.script, self.serve = handler, script, serve

    def note(self, conn, msg):
        with self.changed:
            conn.requests.append(msg)
            self.requests.append(msg)
            self.changed.notify_all()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.stopping:
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.sndbuf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.sndbuf)
            with self.changed:
                conn = Conn(self, sock, len(self.conns))
                self.conns.append(conn)
                self.changed.notify_all()
            threading.Thread(target=self.run, args=(conn,), daemon=True).start()

    def run(self, conn):
        try:
            if self.tls:
                conn.secure(self.tls)
            if self.serve:
                self.serve(conn)
            elif self.script is not None:
                for step in self.steps(conn.index):
                    step(conn)
            else:
                while True:
                    req = conn.read_request()
                    answer = self.handler(req)
                    if answer is None:
                        return
                    if isinstance(answer, tuple):  # bytes, and the connection ends behind them
                        conn.send(answer[0])
                        return
                    conn.send(answer)
        except (Closed, ConnectionError, OSError) as e:
            conn.error = e
        except (WireError, Exception) as e:  # pylint: disable=broad-except
            conn.error = e
            if not self.stopping:
                with self.changed:
                    self.errors.append(e)
        finally:
            conn.close()
            with self.changed:
                self.changed.notify_all()

    def steps(self, index):
        if self.script and isinstance(self.script[0], (list, tuple)):
            return self.script[min(index, len(self.script) - 1)]
        return self.script

    @property
    def accepted(self):
        with self.changed:
            return len(self.conns)

    @property
    def received(self):
        """Bytes that came, over all connections."""
        with self.changed:
            return sum(c.stream.count for c in self.conns)

    def wait_for(self, condition, what, timeout=10.0):
        with self.changed:
            if not self.changed.wait_for(condition, timeout):
                raise AssertionError("backend: not within %gs: %s (%d connections, %d requests, errors %r)" % (
                    timeout, what, len(self.conns), len(self.requests), self.errors))

    def wait_requests(self, n, timeout=10.0):
        self.wait_for(lambda: len(self.requests) >= n, "%d requests" % n, timeout)
        return self.requests[:n]

    def wait_conns(self, n, timeout=10.0):
        self.wait_for(lambda: len(self.conns) >= n, "%d connections" % n, timeout)
        return self.conns[:n]

    @property
    def last(self):
        with self.changed:
            return self.requests[-1]

    def check(self):
        """Nothing malformed ever came from the gateway."""
        with self.changed:
            assert not self.errors, "the gateway sent its backend: %r" % self.errors

    def forget(self):
        with self.changed:
            self.requests.clear()
            self.errors.clear()

    def refuse(self):
        """Stops listening; the port refuses from now on. Open connections stay."""
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)

    def stop(self):
        self.refuse()
        with self.changed:
            conns = list(self.conns)
        for c in conns:
            if not c.ended.is_set():
                c.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
