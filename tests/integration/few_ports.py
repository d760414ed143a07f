# SPDX-License-Identifier: Apache-2.0
"""Local ports that run out, for test_limits_machine to run in a network of its own: it takes ports as they are, and makes them few."""
import fcntl
import socket
import struct
import threading

import pytest

import backend as peer
import prom
from client import Client
from confgen import plain_api, upstream
from test_limits_machine import EASILY_BLAMED, shortages
from wire import request_bytes, wait_until

pytestmark = pytest.mark.nochaos  # connections are counted


def test_few_ports(make):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
        f.write("61000 61003")
    gate = threading.Event()

    def slow(req):
        gate.wait(20)
        return peer.ok(req)
    backs = [make.backend(slow, port=20001), make.backend(slow, port=20002)]  # four connections each
    ports = [21001, 21002, 21003, 21004]  # chosen ones would use up what there is
    conf = {"listen": [{"address": "127.0.0.1:%d" % p} for p in ports], "threads": 1, "status": {"address": "127.0.0.1:21009"},
            "upstreams": [upstream("u", *backs, **EASILY_BLAMED)]}
    gw = make.gateway(conf, [plain_api("p", "u")], start=False)
    gw.port, gw.status_port = ports[0], 21009
    gw.start()
    crowd = []
    for p in ports:
        for _ in range(3):
            crowd.append(Client(p))
            crowd[-1].send(request_bytes())
    answers = []
    wait_until(lambda: sum(len(b.requests) for b in backs) == 8, 10, "eight requests")

    def refused():
        for c in crowd:
            if c not in [a[0] for a in answers] and not c.quiet(0.02):
                answers.append((c, c.read().status))
        return len(answers) == 4
    wait_until(refused, 10, "the other four")
    assert all(status == 503 for _, status in answers)
    gate.set()
    for c in crowd:
        if c not in [a[0] for a in answers]:
            assert c.read().status == 200
    for c, _ in answers:
        assert c.ask().status == 200
    assert shortages(gw, "ports", "connect") == 4
    assert prom.parse(gw.metrics()).sum("sallyport_upstream_ejections_total") == 0
    assert gw.log().count("no local port is left") == 1
