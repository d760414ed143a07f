# SPDX-License-Identifier: Apache-2.0
"""Clients of the soak, a process of their own: random requests over random connections until the time is up. Every answer is held against
what its own request allows; what does not fit is a wrong answer. Prints what came of it as JSON."""
import asyncio
import collections
import hashlib
import json
import logging
import random
import socket
import ssl
import struct
import sys
import time

from soak_backend import BAD, Lag, pattern

PATIENCE = 30  # seconds for one answer
BIG = 3 << 20
GOOD = ("ok", "chunked", "toend", "dribble", "slow", "hints", "nothing", "surplus", "drophead")
SIZES = [0, 1, 100, 1000, 20000, 70000, 300000, BIG]
# Half of nothing is a whole answer, behind which the backend would close without having said so: a POST that meets that close
# on its way may not be repeated.
ONLY = {"dribble": [0, 40, 300], "surplus": [0, 1, 100, 1000], "midbody": SIZES[1:], "midreset": SIZES[1:], **{name: [0] for name in BAD}}
TROUBLE = {"close": {502}, "reset": {502}, "midhead": {502}, "late": {504}, **{name: {502} for name in BAD}}
CUT = ("midbody", "midreset", "midchunk", "badchunk", "endreset")
LINGERS = 1 << 20  # what the gateway reads behind an answer that came before the body's end
MALFORMED = [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
             b"GET / HTTP/1.1\nHost: a\n\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: a\r\nX y: 1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
             b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n"]


class Wrong(Exception):
    """An answer that its request does not allow."""


class Cut(Exception):
    """The connection ended within an answer, or before one."""


class Resuming(ssl.SSLContext):
    """Clients that offer the last session which a connection has left behind, or none."""
    session = None

    def wrap_bio(self, *args, **how):
        made = super().wrap_bio(*args, **how)
        if self.session:
            made.session = self.session
        return made


class Soak:
    def __init__(self, conf):
        self.conf, self.rng = conf, random.Random(conf["seed"])
        self.end = time.monotonic() + conf["seconds"]
        self.count, self.wrong, self.serial = collections.Counter(), [], 0
        self.tls = Resuming(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.load_verify_locations(conf["ca"])
        self.saved = None

    def name(self):
        self.serial += 1
        return "%d-%d" % (self.conf["seed"], self.serial)

    async def open(self, secure):
        for _ in range(20):
            self.tls.session = self.saved if self.rng.random() < 0.6 else None
            try:
                if not secure:
                    return await asyncio.open_connection("127.0.0.1", self.conf["plain"], limit=1 << 20)
                reader, writer = await asyncio.open_connection("127.0.0.1", self.conf["tls"], limit=1 << 20, ssl=self.tls, server_hostname="soak.test")
                self.count["handshakes resumed" if writer.get_extra_info("ssl_object").session_reused else "handshakes in full"] += 1
                return reader, writer
            except (ConnectionError, ssl.SSLError, TimeoutError) as e:
                self.note_wrong("connect", "cannot connect: %r" % e)
                await asyncio.sleep(0.5)
        raise Cut("no connection")

    def note_wrong(self, what, why):
        self.count["wrong"] += 1
        if len(self.wrong) < 20:
            self.wrong.append("%s: %s" % (what, why))


async def read_head(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as e:
        raise Cut("before the head") from e
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        raise Wrong("a status line %r" % lines[0])
    headers = {}
    for line in lines[1:]:
        if line:
            key, value = line.split(":", 1)
            if key.lower() in headers and key.lower() in ("content-length", "transfer-encoding", "x-soak-id"):
                raise Wrong("%s twice" % key)
            headers[key.lower()] = value.strip()
    return int(lines[0][9:12]), headers


async def read_answer(reader, method, slow=False, request=None):
    """(status, headers, body)"""
    status, headers = await read_head(reader)
    while status in (100, 103):
        if request is None:
            raise Wrong("an interim answer")
        request.interim(status, headers)
        status, headers = await read_head(reader)
    if method == "HEAD" or status in (204, 304):
        return status, headers, None
    body = bytearray()
    try:
        if headers.get("transfer-encoding") == "chunked":
            while True:
                line = await reader.readuntil(b"\r\n")
                size = int(line, 16)
                if size == 0:
                    while await reader.readuntil(b"\r\n") != b"\r\n":
                        pass
                    break
                body += (await reader.readexactly(size + 2))[:size]
                if slow:
                    await asyncio.sleep(0.005)
        elif "content-length" in headers:
            left = int(headers["content-length"])
            while left:
                got = await reader.read(min(left, 16384 if slow else 1 << 20))
                if not got:
                    raise Cut("within the body")
                body += got
                left -= len(got)
                if slow:
                    await asyncio.sleep(0.005)
        elif request and request.old:
            body += await reader.read()
        else:
            raise Wrong("an answer without a length: %r" % headers)
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as e:
        raise Cut("within the body") from e
    return status, headers, bytes(body)


class Request:
    """One request of a soak, and what may come of it."""

    def __init__(self, soak, host="soak.test", behaviours=GOOD, old=False):
        rng, self.old = soak.rng, old
        self.id, self.behaviour = soak.name(), rng.choice(behaviours)
        self.size = rng.choice(ONLY.get(self.behaviour, SIZES))
        self.method = rng.choice(["GET", "GET", "GET", "HEAD", "POST"])
        if self.behaviour == "close" or host != "soak.test":
            self.method = "GET"  # others may not be asked again
        self.sent = b""
        if self.method == "POST":
            self.sent = pattern("up" + self.id, rng.choice([0, 10, 5000, 100000, 1 << 20]))
        self.chunked = self.method == "POST" and not old and rng.random() < 0.4
        self.go = asyncio.Event() if self.sent and not old and rng.random() < 0.2 else None
        self.head = "%s /B/%s/%d/%s HTTP/1.%d\r\nHost: %s\r\n" % (self.method, self.behaviour, self.size, self.id, not old, host)
        if self.go:
            self.head += "Expect: 100-continue\r\n"
        if self.method == "POST":
            self.head += "Transfer-Encoding: chunked\r\n" if self.chunked else "Content-Length: %d\r\n" % len(self.sent)
        self.head = (self.head + "\r\n").encode()

    def pieces(self, rng):
        yield self.head
        at = 0
        while at < len(self.sent):
            step = rng.choice([1000, 16384, 300000])
            piece = self.sent[at:at + step]
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece
            at += step
        if self.chunked:
            yield b"0\r\nX-Trailer: 1\r\n\r\n" if at % 3 else b"0\r\n\r\n"

    def label(self):
        how = ("chunked " if self.chunked else "") + ("expect " if self.go else "") + ("1.0 " if self.old else "")
        return "%s %s%d %s/%d/%s" % (self.method, how, len(self.sent), self.behaviour, self.size, self.id)

    def interim(self, status, headers):
        if status == 100 and self.go:
            self.go.set()
        elif self.old or status != 103 or headers.get("link") != "</%s>" % self.id:
            raise Wrong("an interim answer %d %r" % (status, headers))

    def check(self, status, headers, body):
        """Of an answer that is whole. Wrong is raised."""
        if self.behaviour in CUT:
            if status not in (200, 502):
                raise Wrong("status %d" % status)
            if status == 200 and body is not None:
                raise Wrong("a whole answer where the backend broke off")
        elif self.behaviour in TROUBLE:
            if status not in TROUBLE[self.behaviour]:
                raise Wrong("status %d, not one of %s: %r" % (status, sorted(TROUBLE[self.behaviour]), headers))
            return
        elif status != (204 if self.behaviour == "nothing" else 200) and not (self.behaviour == "early" and status == 502):
            raise Wrong("status %d: %r %r" % (status, body, headers))
        if status not in (200, 204):
            return
        if headers.get("x-soak-id") != self.id:
            raise Wrong("the answer of %s" % headers.get("x-soak-id"))
        if headers.get("x-soak-plugin") != "1":
            raise Wrong("no plugin has seen it")
        if body is not None and body != pattern(self.id, self.size):
            raise Wrong("another body (%d bytes, %r)" % (len(body), body[:40]))
        if self.behaviour != "early" and headers.get("x-soak-body") != "%d %s" % (len(self.sent), hashlib.sha1(self.sent).hexdigest()):
            raise Wrong("the backend got another body: %s" % headers.get("x-soak-body"))

    def may_be_cut(self):
        """Broken off by the backend (early: by a close that leaves some of the body unread, which resets), or an answer lost behind
        more of a body than the gateway still reads."""
        return self.behaviour in CUT or (self.behaviour == "early" and self.method == "POST") or (
            self.behaviour in TROUBLE and len(self.sent) >= LINGERS)

    def ends(self, status):
        """The answer came before a body's end: the gateway reads 64 KB more of it, and may close behind that."""
        return len(self.sent) > 60000 and (self.behaviour == "early" or status != 200)


async def write(writer, pieces, rng, slow, go=None):
    for n, piece in enumerate(pieces):
        writer.write(piece)
        await asyncio.wait_for(writer.drain(), PATIENCE)
        if go and n == 0:
            await asyncio.wait_for(go.wait(), PATIENCE)
        if slow and rng.random() < 0.3:
            await asyncio.sleep(rng.uniform(0, 0.05))


async def exchange(soak, reader, writer, request):
    """True: the connection may be used again."""
    slow = soak.rng.random() < 0.1
    sending = asyncio.ensure_future(write(writer, request.pieces(soak.rng), soak.rng, slow, request.go))
    try:
        status, headers, body = await asyncio.wait_for(read_answer(reader, request.method, slow and request.size < BIG, request), PATIENCE)
        request.check(status, headers, body)
        soak.count["%d" % status] += 1
        if not sending.done():
            await asyncio.wait([sending], timeout=5 if status == 200 else 0)
        if request.ends(status):
            return False
        return not request.old and sending.done() and not sending.exception() and headers.get("connection", "").lower() != "close"
    except Cut as e:
        if not request.may_be_cut():
            raise Wrong("cut %s" % e) from e
        soak.count["cut by the backend"] += 1
        return False
    finally:
        sending.cancel()
        try:
            await sending
        except (asyncio.CancelledError, OSError, ssl.SSLError, TimeoutError):
            pass


async def good(soak, reader, writer, request, before=()):
    try:
        return await exchange(soak, reader, writer, request)
    except Wrong as e:
        soak.note_wrong(request.label(), "%s%s; on a connection of %s after %s" % (
            e, ", %r" % e.__cause__.__cause__ if e.__cause__ else "", "TLS" if writer.get_extra_info("ssl_object") else "TCP", list(before)))
    except (asyncio.TimeoutError, TimeoutError):
        soak.note_wrong(request.label(), "no answer; after %s" % list(before))
    return False


# What a connection may be for
async def keep_alive(soak, reader, writer, _secure):
    before = []
    for _ in range(soak.rng.randint(1, 15)):
        kind = soak.rng.random()
        if kind < 0.75:
            request = Request(soak)
        elif kind < 0.85:
            request = Request(soak, behaviours=tuple(TROUBLE) + CUT + ("early",))
        else:
            request = Request(soak, host=soak.rng.choice(["leave.test", "flaky.test", "tls.test", "named.test"]))
            if b"leave.test" in request.head:
                request.head = request.head.replace(b"/B/%s/" % request.behaviour.encode(), b"/B/leave/")
                request.behaviour = "leave"
        if not await good(soak, reader, writer, request, before):
            return
        before.append(request.label())
        if soak.rng.random() < 0.1:
            await asyncio.sleep(soak.rng.uniform(0, 1))


async def pipeline(soak, reader, writer, _secure):
    requests = [Request(soak) for _ in range(soak.rng.randint(2, 6))]
    requests = [r for r in requests if r.size < BIG and len(r.sent) < 10000 and r.behaviour != "slow"]
    bad = soak.rng.choice(MALFORMED) if soak.rng.random() < 0.3 else b""
    writer.write(b"".join(b"".join(r.pieces(soak.rng)) for r in requests) + bad)
    try:
        for r in requests:
            answer = await asyncio.wait_for(read_answer(reader, r.method, request=r), PATIENCE)
            r.check(*answer)
            soak.count["200 pipelined"] += 1
            if soak.rng.random() < 0.05:
                soak.count["aborted"] += 1
                return
        if bad and (await asyncio.wait_for(read_answer(reader, "GET"), PATIENCE))[0] != 400:
            raise Wrong("no 400 behind what was pipelined")
    except (Wrong, Cut, asyncio.TimeoutError, TimeoutError) as e:
        soak.note_wrong("pipelined %s, %r" % ([x.label() for x in requests], bad), "%r" % e)


async def abort(soak, reader, writer, _secure):
    """Leaves in the middle of something."""
    rng, request = soak.rng, Request(soak, behaviours=GOOD + ("late",))
    pieces = list(request.pieces(rng))
    where = rng.random()
    if where < 0.3:
        writer.write(pieces[0][:rng.randint(0, len(pieces[0]) - 1)])
    elif where < 0.6:
        for piece in pieces[:rng.randint(1, len(pieces))]:
            writer.write(piece)
    else:
        writer.write(b"".join(pieces))
        await asyncio.wait_for(reader.read(rng.choice([1, 1000, 100000])), PATIENCE)
    await asyncio.sleep(rng.choice([0, 0, 0.01, 0.2]))
    if rng.random() < 0.5:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    soak.count["aborted"] += 1


async def half_close(soak, reader, writer, secure):
    request = Request(soak, behaviours=("ok", "chunked"))
    if secure or len(request.sent) > 100000:
        return
    writer.write(b"".join(request.pieces(soak.rng)))
    writer.write_eof()
    await good_answer(soak, reader, request)


async def good_answer(soak, reader, request):
    try:
        request.check(*await asyncio.wait_for(read_answer(reader, request.method, request=request), PATIENCE))
        soak.count["200 half-closed"] += 1
    except (Wrong, Cut, asyncio.TimeoutError, TimeoutError) as e:
        soak.note_wrong("half-closed " + request.label(), "%r" % e)


async def refused(soak, reader, writer, _secure):
    """What the gateway itself refuses or answers, and a route of a document."""
    kind = soak.rng.random()
    if kind < 0.4:
        want, data = 400, soak.rng.choice(MALFORMED)
    elif kind < 0.5:
        want, data = 404, b"GET /unknown HTTP/1.1\r\nHost: doc.test\r\n\r\n"
    elif kind < 0.6:
        want, data = 200, b"GET /known HTTP/1.1\r\nHost: doc.test\r\n\r\n"
    elif kind < 0.7:
        want, data = 418, b"GET /any HTTP/1.1\r\nHost: fixed.test\r\n\r\n"
    elif kind < 0.8:
        want, data = 403, b"GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n"
    else:
        want, data = 413, b"POST / HTTP/1.1\r\nHost: soak.test\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 50000
    writer.write(data)
    try:
        status, _, body = await asyncio.wait_for(read_answer(reader, "GET"), PATIENCE)
        if status != want:
            raise Wrong("status %d" % status)
        if (status == 200 and body != pattern("known", 500)) or (status == 418 and body != b"fixed"):
            raise Wrong("another body %r" % body[:40])
        soak.count["%d" % status] += 1
    except (Wrong, Cut, asyncio.TimeoutError, TimeoutError) as e:
        soak.note_wrong("refusing %r" % data[:60], "%r" % e)


async def gone(soak, reader, writer, _secure):
    """A backend that is there now and then."""
    request = Request(soak, host="gone.test", behaviours=("ok",))
    try:
        status, headers, body = await asyncio.wait_for(write_read(soak, reader, writer, request), PATIENCE)
        if status == 200:
            request.check(status, headers, body)
        elif status not in (502, 503):
            raise Wrong("status %d" % status)
        soak.count["%d of what comes and goes" % status] += 1
    except (Wrong, Cut, asyncio.TimeoutError, TimeoutError) as e:
        soak.note_wrong("gone", "%r" % e)


async def write_read(soak, reader, writer, request):
    await write(writer, request.pieces(soak.rng), soak.rng, False)
    return await read_answer(reader, request.method, request=request)


async def idle(soak, reader, writer, _secure):
    """Waits before, between and after; ends by either side."""
    for _ in range(soak.rng.randint(0, 2)):
        await asyncio.sleep(soak.rng.uniform(0.2, 4))
        if not await good(soak, reader, writer, Request(soak)):
            return
    await asyncio.sleep(soak.rng.uniform(0, 4))
    soak.count["idle"] += 1


async def old(soak, reader, writer, _secure):
    """A client of HTTP/1.0."""
    request = Request(soak, behaviours=GOOD, old=True)
    await good(soak, reader, writer, request)
    soak.count["HTTP/1.0"] += 1


async def too_much(soak, reader, writer, _secure):
    """A chunked body that passes the limit; the 413 may be lost behind it."""
    writer.write(b"POST /B/ok/10/x HTTP/1.1\r\nHost: soak.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"x" * soak.rng.choice([5000, 65536, 500000])
    sending = asyncio.ensure_future(write(writer, [b"%x\r\n%s\r\n" % (len(piece), piece)] * ((4 << 20) // len(piece) + 2), soak.rng, False))
    try:
        status, _, _ = await asyncio.wait_for(read_answer(reader, "POST"), PATIENCE)
        soak.count["%d" % status] += 1
        if status != 413:
            soak.note_wrong("too much", "status %d" % status)
    except Cut:
        soak.count["413 lost"] += 1
    except (Wrong, asyncio.TimeoutError, TimeoutError) as e:
        soak.note_wrong("too much", "%r" % e)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def client(soak):
    kinds = [keep_alive] * 8 + [pipeline, abort, abort, half_close, refused, gone, idle, old, too_much]
    while time.monotonic() < soak.end:
        secure = soak.rng.random() < 0.4
        writer = None
        try:
            reader, writer = await soak.open(secure)
            soak.count["connections"] += 1
            await soak.rng.choice(kinds)(soak, reader, writer, secure)
        except (OSError, ssl.SSLError, Cut, asyncio.TimeoutError, TimeoutError):
            soak.count["connections that broke"] += 1
        finally:
            if writer:
                tls = writer.get_extra_info("ssl_object")
                if tls and tls.session:
                    soak.saved = tls.session
                writer.transport.abort() if secure else writer.close()


async def main():
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of writes to a closed connection
    soak = Soak(json.loads(sys.argv[1]))
    lag = Lag()
    await asyncio.gather(*(client(soak) for _ in range(soak.conf["clients"])))
    print(json.dumps({"count": soak.count, "wrong": soak.wrong, "lag": lag.worst}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
