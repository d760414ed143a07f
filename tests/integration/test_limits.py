# SPDX-License-Identifier: Apache-2.0
"""limits.connections, of the gateway and of a listener: over all threads, over reloads; who comes too many waits in the kernel's queue."""
import pytest

import backend as peer
import client
import prom
from confgen import plain_api, upstream
from gateway import free_port
from wire import request_bytes, wait_until


def served(c):
    return c.ask().status == 200


def waiting(port, n):
    """Connections that have asked, and are not answered."""
    out = [client.Client(port) for _ in range(n)]
    for c in out:
        c.send(request_bytes())
        assert c.quiet(0.1)
    return out


def close(*all_of):
    for c in all_of:
        c.close()


def answered(cs):
    return [c for c in cs if not c.quiet(0.02)]


def listener(gw, port):
    return next(x for x in gw.status()["listeners"] if x["address"] == "127.0.0.1:%d" % port)


def reached(gw, port):
    return prom.parse(gw.metrics()).value("sallyport_connection_limit_reached_total", listener="127.0.0.1:%d" % port)


def gateway(make, listen=None, **conf):
    back = make.backend(peer.ok)
    conf = dict({"upstreams": [upstream("b", back)], "threads": 3}, **conf)
    if listen:
        conf["listen"] = listen
    return make.gateway(conf, [plain_api("p", "b")])


@pytest.mark.parametrize("reuseport", [True, False])
def test_the_limit_counts_over_all_threads(make, reuseport):
    port = free_port()
    gw = gateway(make, [{"address": "127.0.0.1:%d" % port, "reuseport": reuseport}], limits={"connections": 5})
    first = [client.Client(port) for _ in range(5)]
    assert all(served(c) for c in first)
    assert reached(gw, port) == 0 or reached(gw, port) <= 3  # a thread may have looked already
    more = waiting(port, 4)
    assert reached(gw, port) >= 1 and listener(gw, port)["open"] == 5
    assert all(served(c) for c in first)  # those inside do not suffer
    close(first[0])
    wait_until(lambda: len(answered(more)) == 1, 5, "the next one's turn")
    assert listener(gw, port)["open"] == 5
    close(*first[1:])
    wait_until(lambda: len(answered(more)) == 4, 5, "everybody's turn")
    close(*more)
    wait_until(lambda: listener(gw, port)["open"] == 0, 5, "the end of all")
    with client.Client(port) as c:
        assert served(c)


def test_a_listeners_own_limit_leaves_the_others_alone(make):
    small, large = free_port(), free_port()
    gw = gateway(make, [{"address": "127.0.0.1:%d" % small, "limits": {"connections": 2}}, {"address": "127.0.0.1:%d" % large}])
    first = [client.Client(small) for _ in range(2)]
    assert all(served(c) for c in first)
    more = waiting(small, 2)
    others = [client.Client(large) for _ in range(6)]
    assert all(served(c) for c in others)
    assert reached(gw, small) >= 1 and reached(gw, large) == 0
    assert listener(gw, small)["open"] == 2 and listener(gw, large)["open"] == 6
    close(*first)
    wait_until(lambda: len(answered(more)) == 2, 5, "their turn")
    close(*more, *others)


def test_connections_count_on_over_a_reload_and_the_limit_may_change(make):
    gw = gateway(make, limits={"connections": 3})
    first = [gw.connect() for _ in range(3)]
    assert all(served(c) for c in first)
    gw.reload()
    more = waiting(gw.port, 2)
    assert listener(gw, gw.port)["open"] == 3
    gw.write(dict(gw.conf, limits={"connections": 4}))
    gw.reload()
    wait_until(lambda: len(answered(more)) == 1, 5, "room for one")
    gw.write(dict(gw.conf, limits={"connections": 2}))
    gw.reload()
    close(first[0], first[1])  # two are left: as many as may be
    rest = [c for c in more if c not in answered(more)]
    assert len(rest) == 1 and rest[0].quiet(0.3)
    assert served(first[2])
    close(first[2], *answered(more))
    wait_until(lambda: answered(rest), 5, "the last one's turn")
    close(*rest)


def test_stopping_serves_who_waits(make):
    gw = gateway(make, limits={"connections": 1}, timeouts={"drain": "3s"})
    inside = gw.connect()
    assert served(inside)
    waits = waiting(gw.port, 1)[0]
    gw.signal(15)
    assert waits.read().status == 200
    close(inside, waits)
    assert gw.wait_exit() == 0
