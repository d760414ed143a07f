# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 as bytes on a socket, read strictly: what is not RFC 9112 raises WireError."""
import re
import socket
import ssl
import time

TOKEN = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
VALUE = re.compile(rb"^[\t\x20-\x7e\x80-\xff]*$")
STATUS = re.compile(rb"^HTTP/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$")
REQUEST = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])$")
HEAD_MAX = 1 << 20


class WireError(Exception):
    """The peer's bytes are not a well-formed message."""


class Timeout(WireError):
    """Nothing came in time."""


class Closed(WireError):
    """The peer closed in the middle of a message, or before one began (clean)."""

    def __init__(self, text, clean=False):
        super().__init__(text)
        self.clean = clean


class Headers(list):
    """(name, value) pairs as sent, in order; names compare without case."""

    def all(self, name):
        low = name.lower()
        return [v for n, v in self if n.lower() == low]

    def get(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default

    def one(self, name):
        found = self.all(name)
        if len(found) != 1:
            raise AssertionError("%d headers %r in %r" % (len(found), name, list(self)))
        return found[0]

    def __contains__(self, name):
        return bool(self.all(name))

    def names(self):
        return [n.lower() for n, _ in self]


class Message:
    """A request or an answer with its exact framing: none, length, chunked or close."""

    def __init__(self):
        self.version = 1
        self.headers = Headers()
        self.body = b""
        self.length = 0         # body bytes, also when a sink took them
        self.framing = "none"
        self.chunks = []        # sizes, as framed
        self.trailers = Headers()
        self.head = b""         # raw
        self.infos = []         # answers: 1xx statuses that came before
        self.method = self.target = None
        self.status = self.reason = None

    def __repr__(self):
        first = self.status if self.status is not None else "%s %s" % (self.method, self.target)
        return "<%s %s %s %r>" % (first, self.framing, list(self.headers), self.body[:200])


class Stream:
    """A socket with a read buffer, a deadline per read and a record of what came."""

    def __init__(self, sock, timeout=15.0, keep=1 << 20):
        self.sock = sock
        self.timeout = timeout
        self.buf = bytearray()
        self.raw = bytearray()  # the first `keep` bytes that came
        self.keep = keep
        self.count = 0
        self.ended = False
        sock.settimeout(timeout)

    def note(self, data):
        if len(self.raw) < self.keep:
            self.raw += data[:self.keep - len(self.raw)]
        self.count += len(data)

    def fill(self, size=65536):
        """More bytes into buf; False at the end of the stream."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(size)
        except socket.timeout:
            raise Timeout("nothing came within %gs; so far %r" % (self.timeout, bytes(self.buf[:200])))
        except (ConnectionError, ssl.SSLEOFError):  # TLS cut short is like a reset
            data = b""
        if not data:
            self.ended = True
            return False
        self.note(data)
        self.buf += data
        return True

    def take(self, n):
        data = bytes(self.buf[:n])
        del self.buf[:n]
        return data

    def line(self):
        """One CRLF line without its end."""
        at = 0
        while True:
            at = self.buf.find(b"\n", at)
            if at >= 0:
                break
            at = len(self.buf)
            if at > HEAD_MAX:
                raise WireError("line without end")
            if not self.fill():
                raise Closed("closed within a line: %r" % bytes(self.buf[:200]), not self.buf)
        text = self.take(at + 1)
        if not text.endswith(b"\r\n") or b"\r" in text[:-2]:
            raise WireError("line without CRLF or with a bare CR: %r" % text[:200])
        return text[:-2]

    def fields(self):
        out, size = Headers(), 0
        while True:
            text = self.line()
            size += len(text)
            if not text:
                return out
            if size > HEAD_MAX:
                raise WireError("endless header block")
            name, colon, value = text.partition(b":")
            if not colon or not TOKEN.match(name) or not VALUE.match(value):
                raise WireError("malformed field line: %r" % text[:200])
            out.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))

    def exact(self, n, sink):
        while n > 0:
            if not self.buf and not self.fill(min(max(n, 4096), 1 << 18)):
                raise Closed("closed with %d body bytes missing" % n)
            data = self.take(min(n, len(self.buf)))
            n -= len(data)
            sink(data)

    def chunked(self, msg, sink):
        while True:
            text = self.line()
            if not re.match(rb"^[0-9A-Fa-f]{1,16}$", text):
                raise WireError("malformed chunk size line: %r" % text[:100])
            size = int(text, 16)
            if size == 0:
                msg.trailers = self.fields()
                return
            msg.chunks.append(size)
            self.exact(size, sink)
            if self.line():
                raise WireError("no CRLF behind a chunk")

    def framing_of(self, msg, bodyless, to_close):
        te, cl = msg.headers.all("transfer-encoding"), msg.headers.all("content-length")
        if len(te) > 1 or len(cl) > 1 or (te and cl):
            raise WireError("several lengths: %r" % list(msg.headers))
        if te and te[0].lower() != "chunked":
            raise WireError("unknown Transfer-Encoding: %r" % te[0])
        if cl and not re.match(r"^[0-9]+$", cl[0]):
            raise WireError("malformed Content-Length: %r" % cl[0])
        if bodyless:
            return "none"
        if te:
            return "chunked"
        if cl:
            return "length"
        return "close" if to_close else "none"

    def read_body(self, msg, sink=None):
        parts = []

        def take(data):
            msg.length += len(data)
            (sink or parts.append)(data)

        if msg.framing == "chunked":
            self.chunked(msg, take)
        elif msg.framing == "length":
            self.exact(int(msg.headers.get("content-length")), take)
        elif msg.framing == "close":
            while self.buf or self.fill():
                take(self.take(len(self.buf)))
        msg.body = b"".join(parts)

    def start(self, pattern, what):
        mark = len(self.raw)
        text = self.line()
        found = pattern.match(text)
        if not found:
            raise WireError("malformed %s line: %r" % (what, text[:200]))
        return found, mark

    def read_request_head(self):
        """A request up to its body; Closed with clean=True when the peer closed instead."""
        found, _ = self.start(REQUEST, "request")
        msg = Message()
        msg.method, msg.target = found.group(1).decode(), found.group(2).decode("latin-1")
        msg.version = int(found.group(3))
        msg.headers = self.fields()
        msg.framing = self.framing_of(msg, False, False)
        return msg

    def read_response_head(self, method="GET"):
        infos = []
        while True:
            found, _ = self.start(STATUS, "status")
            msg = Message()
            msg.version, msg.status = int(found.group(1)), int(found.group(2))
            msg.reason = found.group(3).decode("latin-1")
            msg.headers = self.fields()
            if 100 <= msg.status < 200 and msg.status != 101:
                infos.append(msg.status)
                continue
            msg.infos = infos
            msg.framing = self.framing_of(msg, method == "HEAD" or msg.status in (101, 204, 304), True)
            return msg

    def at_end(self, timeout=5.0):
        """True when the peer closes within the time without another byte."""
        if self.buf:
            return False
        self.sock.settimeout(timeout)
        try:
            return not self.fill()
        except Timeout:
            return False
        finally:
            self.sock.settimeout(self.timeout)

    def quiet(self, seconds=0.15):
        """True when nothing comes and nothing ends for that long (for answers that must NOT come)."""
        if self.buf or self.ended:
            return False
        self.sock.settimeout(seconds)
        try:
            self.fill()
            return False
        except Timeout:
            return True
        finally:
            self.sock.settimeout(self.timeout)


def fields_bytes(headers):
    if isinstance(headers, dict):
        headers = list(headers.items())
    return b"".join(_bytes(n) + b": " + _bytes(v) + b"\r\n" for n, v in headers or ())


def _bytes(text):
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def chunk_bytes(body, sizes=None):
    """Chunked framing of body without the last chunk; sizes are used in turn."""
    out, at, k = [], 0, 0
    sizes = sizes or [len(body)]
    while at < len(body):
        n = min(sizes[k % len(sizes)], len(body) - at)
        out.append(b"%x\r\n" % n + body[at:at + n] + b"\r\n")
        at, k = at + n, k + 1
    return b"".join(out)


def request_bytes(method="GET", target="/", host="any.test", headers=None, body=None, chunked=False,
                  version="1.1", trailers=None, sizes=None):
    head = _bytes(method) + b" " + _bytes(target) + b" HTTP/" + _bytes(version) + b"\r\n"
    if host is not None:
        head += b"Host: " + _bytes(host) + b"\r\n"
    head += fields_bytes(headers)
    return head + body_bytes(body, chunked, trailers, sizes)


def response_bytes(status=200, headers=None, body=b"", chunked=False, trailers=None, sizes=None,
                   reason=None, version="1.1", length=True):
    reason = reason if reason is not None else {200: "OK", 404: "Not Found"}.get(status, "Status")
    head = b"HTTP/" + _bytes(version) + b" %d " % status + _bytes(reason) + b"\r\n" + fields_bytes(headers)
    if status in (204, 304) or not length:
        return head + b"\r\n" + (body or b"")
    return head + body_bytes(body, chunked, trailers, sizes)


def body_bytes(body, chunked, trailers, sizes):
    if chunked:
        return (b"Transfer-Encoding: chunked\r\n\r\n" + chunk_bytes(body or b"", sizes) + b"0\r\n"
                + fields_bytes(trailers) + b"\r\n")
    if body is None:
        return b"\r\n"
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def wait_until(condition, timeout=10.0, what="condition", step=0.01):
    """Polls what has no event of its own (a process's state, a counter behind a socket)."""
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("not within %gs: %s" % (timeout, what))
        time.sleep(step)
