# SPDX-License-Identifier: Apache-2.0
"""What is measured: the works, their load and the peers that are compared when none are named."""

# t: title; body: bytes of the answer; n: requests per slice; conns: connections (64); gen: arguments of the load generator;
# rate: fixed rate; warm: warm-up requests; routes: number of routes; param: routes have a path parameter; epochs: fresh starts
WORKS = {
    "W1": dict(t="HTTP/1.1 keepalive proxy, 128 B answer", body=128, n=4000),
    "W1b": dict(t="HTTP/1.1 keepalive proxy, 16 KB answer", body=16384, n=2400),
    "W1c": dict(t="HTTP/1.1 keepalive proxy, 1 MB answer", body=1 << 20, n=100, epochs=6),
    "W1d": dict(t="POST with a 4 KB body, 128 B answer", body=128, n=3000,
                gen=["-m", "POST", "-z", "4096", "-H", "Content-Type: application/octet-stream"]),
    "W1r": dict(t="as W1 at a fixed 4000 requests/s", body=128, n=600, rate=4000),
    "W1h": dict(t="a new connection per request", body=128, n=800, conns=16, gen=["-K"], warm=500),
    "W6-10": dict(t="10 routes", body=128, n=4000, routes=10),
    "W6-1000": dict(t="1000 routes", body=128, n=4000, routes=1000),
    "W6-10000": dict(t="10000 routes", body=128, n=4000, routes=10000),
    "W6r-10": dict(t="10 routes with a path parameter", body=128, n=2400, routes=10, param=True),
    "W6r-1000": dict(t="1000 routes with a path parameter", body=128, n=1200, routes=1000, param=True),
    "W7": dict(t="idle keepalive connections: memory per connection", body=128, idle=True),
    "W9": dict(t="errors during 10 reloads under load", body=128, reload=True),
}

DEFAULT_PEERS = {
    "W1": "limit nginx haproxy sallyport sallyport:noop100",
    "W1c": "limit nginx nginx:big nginx:nobuf haproxy haproxy:big haproxy:splicebig sallyport",
    "W6r-10": "limit nginx sallyport",
    "W6r-1000": "limit nginx sallyport",
    "W6-10": "limit nginx haproxy sallyport sallyport:routes10000",
    "W9": "nginx haproxy sallyport",
}
PEERS = ["limit", "nginx", "haproxy", "sallyport"]
ROUTE_COUNTS = (10, 1000, 10000)


def default_peers(work):
    return DEFAULT_PEERS.get(work, "limit nginx haproxy sallyport").split()
