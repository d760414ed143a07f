# SPDX-License-Identifier: Apache-2.0
"""A client that sends exact bytes and reads answers with their exact framing."""
import socket
import struct

from wire import Closed, Message, Stream, request_bytes


class Client:
    """One connection. `with Client(port) as c:` closes it."""

    def __init__(self, port, timeout=15.0, host="127.0.0.1", rcvbuf=None, sndbuf=None, source=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = Stream(self.sock, timeout)
        self.local_port = self.sock.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """False when the peer had closed before all of it was taken."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def finish(self):
        """No more bytes from us (FIN); reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def read(self, method="GET", sink=None):
        msg = self.stream.read_response_head(method)
        self.stream.read_body(msg, sink)
        return msg

    def read_head(self, method="GET"):
        return self.stream.read_response_head(method)

    def ask(self, method="GET", target="/", host="any.test", headers=None, body=None, **how):
        self.send(request_bytes(method, target, host, headers, body, **how))
        return self.read(method)

    def closed(self, timeout=5.0):
        return self.stream.at_end(timeout)

    def quiet(self, seconds=0.15):
        return self.stream.quiet(seconds)


def ask(port, method="GET", target="/", host="any.test", headers=None, body=None, **how):
    """One request on a connection of its own."""
    with Client(port) as c:
        return c.ask(method, target, host, headers, body, **how)


def raw(port, data, method="GET", finish=False, timeout=15.0):
    """Sends bytes as they are; returns (answer or None when closed without one, closed behind it)."""
    with Client(port, timeout) as c:
        c.try_send(data)
        if finish:
            c.finish()
        try:
            msg = c.read(method)
        except Closed as e:
            if not e.clean:
                raise
            return None, True
        return msg, c.closed()


__all__ = ["Client", "ask", "raw", "Message"]
