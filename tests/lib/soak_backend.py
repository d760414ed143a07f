# SPDX-License-Identifier: Apache-2.0
"""Backends of the soak, a process of their own: what a target /B/{behaviour}/{size}/{id} names is done, well or badly. Prints its ports."""
import asyncio
import hashlib
import json
import logging
import random
import socket
import ssl
import struct
import sys
import time

BAD = {"badstatus": b"HTTP/1.1 2OO oh\r\nContent-Length: 2\r\n\r\nok", "badline": b"\x16\x03\x01\x00\x05nonsense\r\n\r\n",
       "both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
       "twolengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
       "hugehead": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"X-Filler: %s\r\n" % (b"f" * 1000) * 100 + b"\r\nok"}
STRAY = b"HTTP/1.1 200 OK\r\nX-Soak-Id: stray\r\nX-Soak-Body: 0 stray\r\nContent-Length: 5\r\n\r\nstray"


def pattern(name, size):
    """The body of an answer or a request: no two ids give the same."""
    one = name.encode() + b"|"
    return (one * (size // len(one) + 1))[:size]


class Broken(Exception):
    """The gateway went away, or sent what is no request."""


async def read_chunked(reader, digest):
    total = 0
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if size == 0:
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
            return total
        digest.update(await reader.readexactly(size))
        total += size
        await reader.readexactly(2)


async def read_request(reader):
    """(method, target, length, digest of the body); None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as e:
        if e.partial:
            raise Broken("a cut head") from e
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    if "/early/" in target:
        return method, target, 0, "unread"
    headers = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if x)}
    digest, n = hashlib.sha1(), 0
    if "chunked" in headers.get("transfer-encoding", ""):
        n = await read_chunked(reader, digest)
    else:
        left = int(headers.get("content-length", "0"))
        while n < left:
            got = await reader.read(min(262144, left - n))
            if not got:
                raise Broken("a cut body")
            digest.update(got)
            n += len(got)
    return method, target, n, digest.hexdigest()


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def send_body(writer, behaviour, body, chunked):
    """What of the body the behaviour sends; False: the connection breaks off behind it."""
    cut = behaviour in ("midbody", "midreset", "midchunk", "badchunk", "endreset")
    part = body[:len(body) // 2] if cut else body
    step = 7 if behaviour == "dribble" else 65536
    for at in range(0, len(part), step):
        piece = part[at:at + step]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
        if behaviour == "dribble":
            await asyncio.sleep(0.002)
    if behaviour == "badchunk":
        writer.write(b"zz\r\n" + body + b"\r\n0\r\n\r\n")
    elif chunked and not cut:
        writer.write(b"0\r\nX-Sum: 1\r\n\r\n" if len(body) % 3 else b"0\r\n\r\n")
    await writer.drain()
    return not cut


async def answer(writer, request):
    """True: the connection goes on."""
    method, target, length, digest = request
    _, _, behaviour, size, name = target.split("?")[0].split("/")
    if behaviour in BAD:
        writer.write(BAD[behaviour])
        await writer.drain()
        return False
    if behaviour == "close":
        return False
    if behaviour == "reset":
        reset(writer)
        return False
    if behaviour in ("slow", "late"):
        await asyncio.sleep(0.3 if behaviour == "slow" else 13)
    body = pattern(name, int(size))
    chunked = behaviour in ("chunked", "midchunk", "badchunk")
    to_end = behaviour in ("toend", "endreset")
    head = "HTTP/1.1 103 Early Hints\r\nLink: </%s>\r\n\r\n" % name if behaviour == "hints" else ""
    head += "HTTP/1.1 204 No Content\r\n" if behaviour == "nothing" else "HTTP/1.1 200 OK\r\n"
    whole = behaviour in ("midbody", "midreset") and not body  # there is nothing to break off: who closes says so
    head += "Connection: close\r\n" if behaviour == "early" or whole else ""
    head += "X-Soak-Id: %s\r\nX-Soak-Body: %d %s\r\n" % (name, length, digest)
    head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else "Connection: close\r\n\r\n" if to_end else \
        "\r\n" if behaviour == "nothing" else "Content-Length: %d\r\n\r\n" % len(body)
    if behaviour == "midhead":
        writer.write(head[:len(head) // 2].encode())
        await writer.drain()
        return False
    if behaviour == "surplus":  # in one write with the answer
        writer.write(head.encode() + (b"" if method == "HEAD" else body) + STRAY)
        await writer.drain()
        return True
    if behaviour == "drophead":
        for at in range(0, len(head), 11):
            writer.write(head[at:at + 11].encode())
            await asyncio.sleep(0.002)
    else:
        writer.write(head.encode())
    if method != "HEAD" and behaviour != "nothing" and not await send_body(writer, behaviour, body, chunked):
        if behaviour in ("midreset", "endreset"):
            reset(writer)
        return False
    await writer.drain()
    return not to_end and behaviour not in ("leave", "early")  # leave: closes without having said so


async def serve(reader, writer):
    try:
        while True:
            request = await read_request(reader)
            if request is None or not await answer(writer, request):
                break
    except (OSError, asyncio.IncompleteReadError, Broken, ValueError, ssl.SSLError):
        pass
    writer.close()


async def flicker(address, seed):
    """A port that is there now and then."""
    rng = random.Random(seed)
    while True:
        server = await asyncio.start_server(serve, *address, limit=1 << 20)
        await asyncio.sleep(rng.uniform(0.5, 3))
        server.close()
        await server.wait_closed()
        await asyncio.sleep(rng.uniform(0.2, 1.5))


class Lag:
    """The longest that this process had to wait for its turn: what a timeout may be due to."""

    def __init__(self):
        self.worst, self.task = 0.0, asyncio.ensure_future(self.run())

    async def run(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.worst = round(max(self.worst, time.monotonic() - before - 0.05), 2)


async def two_addresses():
    """A server on one port of 127.0.0.1 and 127.0.0.2, for a name whose addresses change."""
    for _ in range(20):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
        try:
            await asyncio.start_server(serve, "127.0.0.2", server.sockets[0].getsockname()[1], limit=1 << 20)
            return server
        except OSError:
            server.close()
    raise OSError("no common port")


async def main():
    conf = json.loads(sys.argv[1])
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of writes to a closed connection
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(conf["chain"], conf["key"])
    plain = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    other = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    named = await two_addresses()
    secure = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        gone = s.getsockname()
    task = asyncio.ensure_future(flicker(gone, conf["seed"]))
    port = [x.sockets[0].getsockname()[1] for x in (plain, other, secure, named)]
    print(json.dumps({"plain": port[0], "other": port[1], "tls": port[2], "named": port[3], "flicker": gone[1]}), flush=True)
    lag, loop = Lag(), asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    print(lag.worst, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # the end of its input is its end
    task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
