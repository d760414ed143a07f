# SPDX-License-Identifier: Apache-2.0
"""What the gateway is held to, as data: the lines of the closing table, one per target, in its order.

work: whose result; unit; kind: how its figures are read (table.py). At most:
  relay    ratio to the bare relay, paired round by round
  better   ratio to the better of nginx and HAProxy, paired likewise
  routes10 ratio to the same binary with 10 routes, paired likewise
  limit    the figure itself; over: in excess of that peer's figure
Without any of them the line is for information."""

TARGETS = (
    dict(work="W1", kind="cpu", unit="us", relay=1.30, better=0.85),
    dict(work="W1b", kind="cpu", unit="us", relay=1.40, better=0.75),
    dict(work="W1c", kind="cpu", unit="us", relay=1.15, better=0.87),
    dict(work="W1d", kind="cpu", unit="us", relay=1.35, better=0.80),
    dict(work="W2", kind="cpu", unit="us", relay=1.30, better=0.82),
    dict(work="W2b", kind="cpu", unit="us", relay=1.25, better=0.82),
    dict(work="W2h", kind="cpu", unit="us", better=1.00),
    dict(work="W1h", kind="cpu", unit="us", better=1.00),
    dict(work="W6-10000", kind="cpu", unit="us", routes10=1.05),
    dict(work="W6r-1000", kind="cpu", unit="us", routes10=1.05),
    dict(work="W1p", kind="latency", unit="us, p99.9", better=1.00),
    dict(work="W7", kind="memory", unit="bytes", limit=400),
    dict(work="W7t", kind="memory", unit="bytes", limit=400, over="openssl"),
    dict(work="W0", kind="memory", unit="KB", limit=10240),
    dict(work="syscalls-W1", kind="calls", unit="per request"),
    dict(work="W1r", kind="cpu", unit="us"),
    dict(work="W6-10", kind="cpu", unit="us"),
    dict(work="W6-1000", kind="cpu", unit="us"),
    dict(work="W6r-10", kind="cpu", unit="us"),
    dict(work="W9", kind="errors", unit="failed requests"),
)

# System calls of one request in the steady state of W1: at most so many of each family, and no other.
CALLS = (
    ("recv", ("recvfrom", "recvmsg"), 2.0),
    ("send", ("sendto", "sendmsg"), 2.0),
    ("epoll", ("epoll_wait", "epoll_pwait", "epoll_pwait2"), 1.0),
)
OTHER_CALLS = 0.005  # housekeeping by the clock, which no request causes
