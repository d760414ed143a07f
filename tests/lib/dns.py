# SPDX-License-Identifier: Apache-2.0
"""A name server on loopback that answers as the test says, with the TTL it says, and can fall silent."""
import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(name, kind, ttl, data):
    return labels(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


class NameServer:
    """names: name -> addresses, or ("cname", name). A name that is not there does not exist."""

    def __init__(self, names=None, ttl=1):
        self.names, self.ttl, self.silent = dict(names or {}), ttl, False
        self.asked = []  # (name, type) in order
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            data, peer = self.sock.recvfrom(2048)
            if not data:
                return
            answer = self.answer(data)
            if answer:
                self.sock.sendto(answer, peer)

    def answer(self, data):
        name, at = [], 12
        while data[at]:
            name.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += data[at] + 1
        name = ".".join(name)
        kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        question = data[12:at + 5]
        self.asked.append((name, kind))
        if self.silent:
            return None
        known, records = name in self.names, []
        value = self.names.get(name, [])
        while isinstance(value, tuple):
            records.append(record(name, CNAME, self.ttl, labels(value[1])))
            name = value[1]
            value = self.names.get(name, [])
        for text in value:
            ip = ipaddress.ip_address(text)
            if (A if ip.version == 4 else AAAA) == kind:
                records.append(record(name, kind, self.ttl, ip.packed))
        flags = 0x8180 if known else 0x8183
        return data[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)

    def count(self, name, kind=A):
        return self.asked.count((name, kind))

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # wakes the thread
            host, port = self.address.split(":")
            s.sendto(b"", (host, int(port)))
        self.thread.join(5)
        self.sock.close()
