# SPDX-License-Identifier: Apache-2.0
"""Hostile and unusual answers of a backend with the right verdict for each and the section that says so (see requests.py).

A row is (name, section, method of the request, bytes, whether the backend closes behind them, verdict). Verdicts:
  Gets(status, body, ...)   the client got exactly this. reused: the backend's connection serves on
  Bad()                     the client got 502 and nothing of the answer; the connection is never used again
  Cut()                     the head had left: the client's answer breaks off visibly; the connection is never used again
"""
import collections

HEAD_LIMIT = 8192

Bad = collections.namedtuple("Bad", "")
Cut = collections.namedtuple("Cut", "")


class Gets:
    def __init__(self, status=200, body=b"", reused=True, has=(), lacks=(), trailers=(), infos=()):
        self.status, self.body, self.reused = status, body, reused
        self.has, self.lacks, self.trailers, self.infos = dict(has), list(lacks), list(trailers), list(infos)


ROWS = []
KEEP, CLOSE = False, True
OK_LINE = b"HTTP/1.1 200 OK\r\n"
BAD, CUT = Bad(), Cut()


def row(name, section, data, verdict, closes=KEEP, method="GET"):
    ROWS.append((name, section, method, data, closes, verdict))


def line(name, section, text, verdict, closes=KEEP):
    row(name, section, text + b"\r\nContent-Length: 2\r\n\r\nok", verdict, closes)


def field(name, section, text, verdict, closes=KEEP):
    row(name, section, OK_LINE + text + b"\r\nContent-Length: 2\r\n\r\nok", verdict, closes)


def framed(name, section, fields, body, verdict, closes=KEEP, method="GET"):
    row(name, section, OK_LINE + fields + b"\r\n\r\n" + body, verdict, closes, method)


GOOD = Gets(200, b"ok")

# The status line
line("plain", "4", b"HTTP/1.1 200 OK", GOOD)
line("no reason", "4", b"HTTP/1.1 200 ", GOOD)
line("no reason and no space", "4", b"HTTP/1.1 200", GOOD)
line("reason of high bytes", "4", b"HTTP/1.1 200 \xe4\xf6", GOOD)
line("reason that looks like a version", "4", b"HTTP/1.1 200 HTTP/1.1 404", GOOD)
line("status 299", "9110 15", b"HTTP/1.1 299 Odd", Gets(299, b"ok"))
line("status 599", "9110 15", b"HTTP/1.1 599 Odd", Gets(599, b"ok"))
line("status 600", "9110 15", b"HTTP/1.1 600 Odd", BAD)
line("status 999", "9110 15", b"HTTP/1.1 999 Odd", BAD)
line("status 099", "9110 15", b"HTTP/1.1 099 Odd", BAD)
line("status 000", "9110 15", b"HTTP/1.1 000 Odd", BAD)
line("status of two digits", "4", b"HTTP/1.1 20 OK", BAD)
line("status of four digits", "4", b"HTTP/1.1 2000 OK", BAD)
line("status with a sign", "4", b"HTTP/1.1 +20 OK", BAD)
line("status with a letter", "4", b"HTTP/1.1 2O0 OK", BAD)
line("status with a point", "4", b"HTTP/1.1 200.1 OK", BAD)
line("no status", "4", b"HTTP/1.1 OK", BAD)
line("nothing behind the version", "4", b"HTTP/1.1", BAD)
line("two spaces before the status", "4", b"HTTP/1.1  200 OK", BAD)
line("tab before the status", "4", b"HTTP/1.1\t200 OK", BAD)
line("tab behind the status", "4", b"HTTP/1.1 200\tOK", BAD)
line("space first", "4", b" HTTP/1.1 200 OK", BAD)
line("empty line first", "4", b"\r\nHTTP/1.1 200 OK", BAD)
line("version 0.9", "2.3", b"HTTP/0.9 200 OK", BAD)
line("version 2.0", "2.3", b"HTTP/2.0 200 OK", BAD)
line("version 1.2", "design", b"HTTP/1.2 200 OK", BAD)
line("version 1.10", "2.3", b"HTTP/1.10 200 OK", BAD)
line("version in lower case", "2.3", b"http/1.1 200 OK", BAD)
line("icy", "2.3", b"ICY 200 OK", BAD)
line("rtsp", "2.3", b"RTSP/1.0 200 OK", BAD)
line("nul in the reason", "4", b"HTTP/1.1 200 O\0K", BAD)
line("control byte in the reason", "4", b"HTTP/1.1 200 O\x01K", BAD)
line("bare cr in the reason", "2.2", b"HTTP/1.1 200 O\rK", BAD)
line("bare cr behind the reason", "2.2", b"HTTP/1.1 200 OK\r", BAD)
row("bare lf behind the line", "design", b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", BAD)
row("lf everywhere", "design", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", BAD)
row("a request", "4", b"GET / HTTP/1.1\r\nHost: p.test\r\n\r\n", BAD)
row("http/0.9 answer", "2.3", b"<html>hello</html>\r\n", BAD, CLOSE)
row("rubbish", "4", b"\x15\x03\x01\x00\x02\x02\x0a" + b"\0" * 20, BAD)
row("a line without end", "4", b"HTTP/1.1 200 " + b"a" * HEAD_LIMIT * 16, BAD)

# Field lines
field("obs-fold", "5.2", b"A: b\r\n c", BAD)
field("obs-fold with a tab", "5.2", b"A: b\r\n\tc", BAD)
field("obs-fold that hides a field", "5.2", b"A: b\r\n Transfer-Encoding: chunked", BAD)
field("space before the colon", "5.1", b"A : b", BAD)
field("space before a length's colon", "5.1", b"Content-Length : 9", BAD)
field("empty name", "5.1", b": b", BAD)
field("no colon", "5", b"Abc", BAD)
field("space in a name", "5.1", b"A B: c", BAD)
field("high byte in a name", "5.1", b"\xc4: b", BAD)
field("nul in a name", "5.1", b"A\0: b", BAD)
field("nul in a value", "9110 5.5", b"A: b\0c", BAD)
field("control byte in a value", "9110 5.5", b"A: b\x02c", BAD)
field("bare cr in a value", "9110 5.5", b"A: b\rc", BAD)
field("bare lf in a value", "9110 5.5", b"A: b\nSet-Cookie: x=y", BAD)
field("delete in a value", "9110 5.5", b"A: b\x7f", BAD)
field("high bytes in a value", "9110 5.5", b"A: \xe4\xff", Gets(200, b"ok", has={"a": "\xe4\xff"}))
field("white space around a value", "5.1", b"A:\t b \t", Gets(200, b"ok", has={"a": "b"}))
field("empty value", "9110 5.5", b"A:", Gets(200, b"ok", has={"a": ""}))
row("bare lf for the empty line", "2.2", OK_LINE + b"Content-Length: 2\r\n\nok", BAD)
row("space for the empty line", "2.2", OK_LINE + b"Content-Length: 2\r\n \r\n\r\nok", BAD)
field("head above the limit", "5.4", b"A: " + b"b" * HEAD_LIMIT * 8, BAD)
field("connection names a field", "9110 7.6.1", b"Connection: A\r\nA: b", Gets(200, b"ok", lacks=["a"]))
field("connection names the length", "9110 7.6.1", b"Connection: Content-Length", GOOD)
field("hop by hop fields", "9110 7.6.1", b"Keep-Alive: timeout=9\r\nUpgrade: h2c\r\nProxy-Connection: close",
      Gets(200, b"ok", lacks=["keep-alive", "upgrade", "proxy-connection"]))
field("close", "9.6", b"Connection: close", Gets(200, b"ok", reused=False, lacks=["connection"]))
field("close in capitals, in a list", "9.6", b"Connection: x, CLOSE", Gets(200, b"ok", reused=False))

# Content-Length
for _name, _value, _verdict in (
        ("length in white space", b"  2  ", GOOD),
        ("length with leading zeros", b"0002", GOOD),
        ("length before a tab", b"2\t", BAD),  # llhttp takes spaces there, and no tab
        ("negative length", b"-2", BAD),
        ("length with a plus", b"+2", BAD),
        ("length in hex", b"0x2", BAD),
        ("length with letters", b"2x", BAD),
        ("length with a space inside", b"2 2", BAD),
        ("length, list of equals", b"2, 2", BAD),
        ("length, list of others", b"2, 3", BAD),
        ("empty length", b"", BAD),
        ("length of 2^63", b"9223372036854775808", BAD),
        ("length of 2^64 + 2", b"18446744073709551618", BAD),
        ("length of 40 digits", b"9" * 40, BAD)):
    framed(_name, "9110 8.6", b"Content-Length: " + _value, b"ok", _verdict)
framed("two lengths", "6.3", b"Content-Length: 2\r\nContent-Length: 3", b"ok", BAD)
framed("the same length twice", "6.3", b"Content-Length: 2\r\nContent-Length: 2", b"ok", BAD)
framed("less than its length", "8", b"Content-Length: 5", b"ok", CUT, CLOSE)
framed("length of 2^63 - 1", "8", b"Content-Length: 9223372036854775807", b"ok", CUT, CLOSE)
framed("more than its length", "6.3", b"Content-Length: 2", b"okay", Gets(200, b"ok", reused=False))
framed("another answer behind it", "9.3", b"Content-Length: 2", b"ok" + OK_LINE + b"Content-Length: 4\r\n\r\nevil", Gets(200, b"ok", reused=False))
framed("a line break behind it", "9.3", b"Content-Length: 2", b"ok\r\n", Gets(200, b"ok", reused=False))
framed("to the end of the connection", "6.3", b"A: b", b"to the end", Gets(200, b"to the end", reused=False), CLOSE)
framed("to the end, nothing", "6.3", b"A: b", b"", Gets(200, b"", reused=False), CLOSE)

# Transfer-Encoding
_CH = b"2\r\nok\r\n0\r\n\r\n"
for _name, _value, _verdict in (
        ("chunked", b"chunked", GOOD),
        ("chunked in capitals", b"Chunked", GOOD),
        ("chunked twice", b"chunked, chunked", BAD),
        ("chunked not last", b"chunked, gzip", BAD),
        ("gzip before chunked", b"gzip, chunked", BAD),
        ("gzip", b"gzip", BAD),
        ("identity", b"identity", BAD),
        ("identity before chunked", b"identity, chunked", BAD),
        ("unknown coding", b"xchunked", BAD),
        ("coding with a parameter", b"chunked;a=b", BAD),
        ("coding in quotes", b'"chunked"', BAD),
        ("coding with a vertical tab", b"\x0bchunked", BAD),
        ("coding with a comma behind", b"chunked,", BAD),
        ("empty coding", b"", BAD)):
    framed(_name, "6.1", b"Transfer-Encoding: " + _value, _CH, _verdict)
framed("chunked and a length", "6.3", b"Transfer-Encoding: chunked\r\nContent-Length: 2", _CH, BAD)
framed("a length and chunked", "6.3", b"Content-Length: 2\r\nTransfer-Encoding: chunked", _CH, BAD)
framed("chunked in two lines", "6.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", _CH, BAD)
framed("coding folded", "5.2", b"Transfer-Encoding:\r\n chunked", _CH, BAD)
framed("coding with a space before the colon", "5.1", b"Transfer-Encoding : chunked", _CH, BAD)
row("chunked in http/1.0", "6.1", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + _CH, BAD)

# Chunks. The first chunk makes sure that the head has left.
for _name, _section, _body in (
        ("chunk size with 0x", "7.1", b"0x2\r\nok\r\n0\r\n\r\n"),
        ("chunk size with a plus", "7.1", b"+2\r\nok\r\n0\r\n\r\n"),
        ("negative chunk size", "7.1", b"-2\r\nok\r\n0\r\n\r\n"),
        ("empty chunk size", "7.1", b"\r\nok\r\n0\r\n\r\n"),
        ("chunk size behind a space", "7.1", b" 2\r\nok\r\n0\r\n\r\n"),
        ("chunk size before a space", "7.1", b"2 \r\nok\r\n0\r\n\r\n"),
        ("chunk size of 2^64 + 2", "7.1", b"10000000000000002\r\nok\r\n0\r\n\r\n"),
        ("bare lf behind the size", "7.1", b"2\nok\r\n0\r\n\r\n"),
        ("bare cr behind the size", "7.1", b"2\rok\r\n0\r\n\r\n"),
        ("chunk longer than its size", "7.1", b"2\r\nokay\r\n0\r\n\r\n"),
        ("chunk shorter than its size", "7.1", b"4\r\nok\r\n0\r\n\r\n"),
        ("bare lf behind a chunk", "7.1", b"2\r\nok\n0\r\n\r\n"),
        ("nothing behind a chunk", "7.1", b"2\r\nok0\r\n\r\n"),
        ("bare lf in an extension", "7.1.1", b"2;a\nb\r\nok\r\n0\r\n\r\n"),
        ("nul in an extension", "7.1.1", b"2;\0\r\nok\r\n0\r\n\r\n"),
        ("an extension without end", "7.1.1", b"2;" + b"a" * 20000),
        ("bare lf at the end", "7.1", b"2\r\nok\r\n0\r\n\n"),
        ("text at the end", "7.1", b"2\r\nok\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ("trailer folded", "7.1.2", b"0\r\nA: b\r\n c\r\n\r\n"),
        ("trailer with a space before the colon", "7.1.2", b"0\r\nA : b\r\n\r\n"),
        ("trailer with a bare cr", "7.1.2", b"0\r\nA: b\rc\r\n\r\n"),
        ("trailer with a nul", "7.1.2", b"0\r\nA: \0\r\n\r\n"),
        ("trailers without end", "7.1.2", b"0\r\nA: " + b"b" * HEAD_LIMIT * 8)):
    framed(_name, _section, b"Transfer-Encoding: chunked", b"5\r\nfirst\r\n" + _body, CUT)
for _name, _body in (("end in a chunk", b"5\r\nfir"), ("end behind a chunk", b"5\r\nfirst\r\n"), ("end in the last chunk", b"5\r\nfirst\r\n0\r\n"),
                     ("end in a trailer", b"5\r\nfirst\r\n0\r\nA: b\r\n")):
    framed(_name, "8", b"Transfer-Encoding: chunked", _body, CUT, CLOSE)
framed("extensions", "7.1.1", b"Transfer-Encoding: chunked", b'2 ;a = "b;c"\r\nok\r\n0;x\r\n\r\n', GOOD)
framed("trailer", "7.1.2", b"Transfer-Encoding: chunked", b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", Gets(200, b"ok", trailers=[("X-Sum", "1")], lacks=["x-sum"]))
framed("trailers of framing", "9110 6.5.1", b"Transfer-Encoding: chunked",
       b"2\r\nok\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n", Gets(200, b"ok"))
framed("another answer behind the last chunk", "9.3", b"Transfer-Encoding: chunked", _CH + OK_LINE + b"Content-Length: 0\r\n\r\n",
       Gets(200, b"ok", reused=False))

# Answers without a body, and interim ones
row("204", "6.3", b"HTTP/1.1 204 No Content\r\n\r\n", Gets(204))
row("204 with a length", "9110 8.6", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", Gets(204, lacks=["content-length"]))
row("204 with a body", "6.3", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", Gets(204, reused=False))
row("204 and chunked", "6.1", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Gets(204, lacks=["transfer-encoding"]))
row("304 with a length", "9110 15.4.5", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Gets(304))
row("304 with a body", "6.3", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", Gets(304, reused=False))
row("head with a length", "9110 9.3.2", OK_LINE + b"Content-Length: 9\r\n\r\n", Gets(200, has={"content-length": "9"}), method="HEAD")
row("head and chunked", "6.3", OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n", Gets(200), method="HEAD")
row("head without a length", "6.3", OK_LINE + b"\r\n", Gets(200), method="HEAD")
row("head with a body", "6.3", OK_LINE + b"Content-Length: 2\r\n\r\nok", Gets(200, reused=False), method="HEAD")
row("head with bad lengths", "6.3", OK_LINE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", BAD, method="HEAD")
_INFO = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
_TWO = OK_LINE + b"Content-Length: 2\r\n\r\nok"
row("100", "9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n" + _TWO, GOOD)
row("102", "9110 15.2", b"HTTP/1.1 102 Processing\r\n\r\n" + _TWO, Gets(200, b"ok", infos=[102]))
row("103", "9110 15.2", _INFO + _TWO, Gets(200, b"ok", infos=[103]))
row("sixteen 103", "9110 15.2", _INFO * 16 + _TWO, Gets(200, b"ok", infos=[103] * 16))
row("a flood of 103", "design", _INFO * 200 + _TWO, BAD)
row("a flood of 100", "design", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, BAD)
row("101 that nobody asked for", "9110 15.2.2", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", BAD)
row("103 with a length", "9110 8.6", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n" + _TWO, Gets(200, b"ok", infos=[103]))
row("103 with a body", "6.3", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok" + _TWO, BAD)
row("103 and the end", "8", _INFO, BAD, CLOSE)
row("103 that is malformed", "5.1", b"HTTP/1.1 103 Early Hints\r\nA : b\r\n\r\n" + _TWO, BAD)

# HTTP/1.0, and ends
row("http/1.0 with a length", "9.3", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Gets(200, b"ok", reused=False))
row("http/1.0 kept alive", "9.3", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", GOOD)
row("http/1.0 to the end", "6.3", b"HTTP/1.0 200 OK\r\n\r\nold", Gets(200, b"old", reused=False), CLOSE)
row("nothing", "8", b"", BAD, CLOSE)
row("end in the line", "8", b"HTTP/1.1 20", BAD, CLOSE)
row("end in a field", "8", OK_LINE + b"Content-Le", BAD, CLOSE)
row("end before the empty line", "8", OK_LINE + b"Content-Length: 2\r\n", BAD, CLOSE)
