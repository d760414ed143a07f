# SPDX-License-Identifier: Apache-2.0
"""malloc that fails (tests/plug/starve.c, preloaded): requests are answered 503 or their connections close, answers are never wrong,
the worker lives, and all is well when there is memory again."""
import collections
import mmap
import os
import random
import ssl
import struct
import threading

import pytest

import backend as peer
import prom
from client import Client
from confgen import plain_api, upstream
from gateway import PLUGIN_DIRS, free_port, sanitized
from tlskit import Authority, TlsClient, client_context, server_context
from wire import Closed, response_bytes, wait_until

LIBRARY = next((p for p in (os.path.join(d, "starve.so") for d in PLUGIN_DIRS) if os.path.exists(p)), None)
pytestmark = [pytest.mark.nochaos, pytest.mark.skipif(sanitized(), reason="sanitizers have a malloc of their own")]
SIZES = [0, 0, 10, 70000, 400000]


def same(req):
    return response_bytes(200, [], req.body or b"nothing")


class Starving:
    """A gateway with a plain and a TLS listener, and backends of both kinds, whose worker can be starved."""

    def __init__(self, shared, folder):
        assert LIBRARY, "tests/plug/starve.so is not built"
        ca = Authority(folder / "ca")
        self.path = str(folder / "control")
        with open(self.path, "wb") as f:
            f.write(b"\0" * 4096)
        with open(self.path, "r+b") as f:
            self.control = mmap.mmap(f.fileno(), 4096)
        plain, secure = shared.backend(same), shared.backend(same, tls=server_context(ca.cert("b.test")))
        self.tls_port = free_port()
        ups = [upstream("plain", plain, pool={"idle": 2}, retries={"attempts": 2}),
               upstream("secure", secure, tls={"ca": ca.pem, "server_name": "b.test"}, health={"type": "tcp", "interval": "100ms", "timeout": "90ms"})]
        self.gw = shared.gateway({"upstreams": ups, "timeouts": {"header": "5s", "body": "5s", "integration": "5s"}},
                                 [plain_api("p", "plain", "plain.test"), plain_api("s", "secure", "secure.test")], start=False,
                                 env={"LD_PRELOAD": LIBRARY, "SALLYPORT_TEST_STARVE": self.path})
        self.gw.conf["listen"] = [{"address": "127.0.0.1:%d" % self.gw.port},
                                  {"address": "127.0.0.1:%d" % self.tls_port, "tls": {"certificates": [ca.cert("a.test").conf]}}]
        self.gw.start()
        self.worker = self.gw.worker

    def starve(self, one_in):
        struct.pack_into("=II", self.control, 0, self.worker, one_in)

    @property
    def failed(self):
        return struct.unpack_from("=I", self.control, 8)[0]

    def client(self, tls):
        return TlsClient(self.tls_port, client_context(), timeout=10) if tls else Client(self.gw.port, timeout=10)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.worker))

    def open_now(self):
        return prom.parse(self.gw.metrics()).value("sallyport_connections")


@pytest.fixture(scope="module", name="env")
def make_env(shared, tmp_path_factory):
    return Starving(shared, tmp_path_factory.mktemp("starve"))


def talk(env, seed, tls, count, seen, wrong):
    rng = random.Random(seed)
    for _ in range(count):
        try:
            with env.client(tls) as c:
                for _ in range(3):
                    body = bytes([rng.randrange(256)]) * rng.choice(SIZES)
                    answer = c.ask("POST" if body else "GET", host=rng.choice(["plain.test", "secure.test"]), body=body)
                    seen[answer.status] += 1
                    if answer.status == 200 and answer.body != (body or b"nothing"):
                        wrong.append((len(body), len(answer.body)))
        except (Closed, ssl.SSLError, OSError) as e:
            if isinstance(e, TimeoutError):
                wrong.append("no answer in time")
            seen["closed"] += 1


@pytest.mark.parametrize("one_in", [100, 20, 4, 1])
def test_malloc_fails(env, one_in):
    for tls in (False, True):
        for host in ("plain.test", "secure.test"):
            with env.client(tls) as c:
                assert c.ask(host=host).status == 200
    wait_until(lambda: env.open_now() == 0, 10, "connections to end")
    before, failed = env.descriptors(), env.failed
    seen, wrong = collections.Counter(), []
    env.starve(one_in)
    threads = [threading.Thread(target=talk, args=(env, seed, seed % 2 == 1, 30, seen, wrong)) for seed in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    try:
        env.gw.status_page("/metrics")
    except (Closed, OSError):
        pass
    env.gw.command("reload")  # may be refused
    env.starve(0)
    assert not wrong
    assert env.failed - failed > 10
    assert set(seen) <= {200, 502, 503, 504, "closed"}, seen
    assert seen[503] + seen["closed"] > 0 and (one_in == 1 or seen[200] > 0), seen
    assert env.gw.worker == env.worker, "the worker is another one"
    env.gw.reload()
    for tls in (False, True):
        for host in ("plain.test", "secure.test"):
            def well():
                with env.client(tls) as c:
                    return c.ask("POST", host=host, body=b"k" * 100000).status == 200
            wait_until(well, 10, "all to be well again")
    wait_until(lambda: env.open_now() == 0, 10, "connections to end")
    assert env.descriptors() < before + 12  # pools
    counted = prom.parse(env.gw.metrics())
    assert counted.value("sallyport_shortages_total", resource="heap", at="request") + \
        counted.value("sallyport_shortages_total", resource="heap", at="accept") > 0
    for words in ("requests are refused: the process gets no more memory",
                  "connections cannot be accepted: the process gets no more memory"):
        assert env.gw.log().count(words) <= 1
