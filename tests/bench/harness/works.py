# SPDX-License-Identifier: Apache-2.0
"""What is measured: the works, their load and the peers that are compared when none are named."""

# t: title; kind: what measures it ("cpu" when left out); body: bytes of the answer; n: requests per slice; conns: connections
# (64); gen: arguments of the load generator; rate: fixed rate; warm: warm-up requests; tls: TLS 1.3 before the proxy;
# routes: number of routes; param: routes have a path parameter; epochs: fresh starts; share: of BENCH_MAXSEC
WORKS = {
    "W0": dict(t="memory of a gateway that idles, all its plugins loaded", kind="footprint", body=128),
    "W1": dict(t="HTTP/1.1 keepalive proxy, 128 B answer", body=128, n=4000),
    "W1b": dict(t="HTTP/1.1 keepalive proxy, 16 KB answer", body=16384, n=2400),
    "W1c": dict(t="HTTP/1.1 keepalive proxy, 1 MB answer", body=1 << 20, n=100, epochs=6),
    "W1d": dict(t="POST with a 4 KB body, 128 B answer", body=128, n=3000,
                gen=["-m", "POST", "-z", "4096", "-H", "Content-Type: application/octet-stream"]),
    "W1r": dict(t="as W1 at a fixed 4000 requests/s", body=128, n=600, rate=4000, share=0.3),
    "W1h": dict(t="a new connection per request", body=128, n=800, conns=16, gen=["-K"], warm=500),
    "W1p": dict(t="latency at half of saturation, W1's requests", kind="latency", body=128, n=4000),
    "W2": dict(t="TLS 1.3 keepalive proxy, 128 B answer", body=128, n=3000, tls=True),
    "W2b": dict(t="TLS 1.3 keepalive proxy, 16 KB answer", body=16384, n=1600, tls=True),
    "W2h": dict(t="a full TLS 1.3 handshake per request", body=128, n=120, conns=16, gen=["-K"], warm=200, tls=True),
    "W6-10": dict(t="10 routes", body=128, n=4000, routes=10, share=0.3),
    "W6-1000": dict(t="1000 routes", body=128, n=4000, routes=1000, share=0.3),
    "W6-10000": dict(t="10000 routes", body=128, n=4000, routes=10000, epochs=6, warm=50000),
    "W6r-10": dict(t="10 routes with a path parameter", body=128, n=2400, routes=10, param=True, share=0.3),
    "W6r-1000": dict(t="1000 routes with a path parameter", body=128, n=2400, routes=1000, param=True, epochs=6, warm=5000),
    "W7": dict(t="idle keepalive connections: memory per connection", kind="idle", body=128),
    "W7t": dict(t="idle TLS connections: memory per connection", kind="idle", body=128, tls=True),
    "W9": dict(t="errors during 10 reloads under load", kind="reload", body=128),
}

# The warm-up of W6 asks for every route: what a gateway sets up when a route is first used is not measured.
# A gateway with few routes stands beside the one with many: the same binary in the same rounds.
DEFAULT_PEERS = {
    "W0": "limit nginx haproxy sallyport",
    "W1c": "limit nginx nginx:big nginx:nobuf haproxy haproxy:big haproxy:splicebig sallyport",
    "W6-10000": "limit nginx haproxy sallyport:routes10 sallyport",
    "W6r-10": "limit nginx sallyport",
    "W6r-1000": "limit sallyport:routes10 sallyport",
    "W7t": "limit openssl nginx haproxy sallyport",
    "W9": "nginx haproxy sallyport",
}
PEERS = ["limit", "nginx", "haproxy", "sallyport"]
ROUTE_COUNTS = (10, 1000, 10000)


def default_peers(work):
    return DEFAULT_PEERS.get(work, "limit nginx haproxy sallyport").split()
