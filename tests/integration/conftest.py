# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end suites: the real binary, scripted backends, raw clients. See tests/integration/README.md."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import gateway as gateway_module  # noqa: E402  pylint: disable=wrong-import-position
from backend import Backend       # noqa: E402  pylint: disable=wrong-import-position
from gateway import Gateway       # noqa: E402  pylint: disable=wrong-import-position

LONG = os.environ.get("SALLYPORT_TEST_LONG", "") not in ("", "0")
TOP = os.environ.get("SALLYPORT_TEST_TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def pytest_configure(config):
    config.addinivalue_line("markers", "nochaos: the gateway runs without chaos entries (exact chains, conf errors)")
    config.addinivalue_line("markers", "long: only with SALLYPORT_TEST_LONG=1")
    if gateway_module.BIN and gateway_module.sanitized():
        gateway_module.SLOW = 4.0  # seconds of patience


def pytest_report_header(config):
    return "sallyport: %s, plugins %s, chaos seed %s" % (
        gateway_module.BIN, ":".join(gateway_module.PLUGIN_DIRS), gateway_module.CHAOS or "none")


def pytest_collection_modifyitems(config, items):
    if not gateway_module.BIN:
        raise pytest.UsageError("SALLYPORT_TEST_BIN is not set")
    skip = pytest.mark.skip(reason="SALLYPORT_TEST_LONG is not set")
    for item in items:
        if "long" in item.keywords and not LONG:
            item.add_marker(skip)


class Maker:
    """Makes gateways and backends and ends them all."""

    def __init__(self, factory, name, chaos):
        self.factory, self.name, self.chaos = factory, name, chaos
        self.gateways, self.backends = [], []

    def gateway(self, conf=None, apis=(), start=True, **how):
        how.setdefault("chaos", self.chaos)
        gw = Gateway(self.factory.mktemp(self.name), conf, apis, **how)
        self.gateways.append(gw)
        if start:
            gw.start()
        else:
            gw.write()
        return gw

    def backend(self, *args, **how):
        made = Backend(*args, **how)
        self.backends.append(made)
        return made

    def end(self):
        trouble = []
        for gw in reversed(self.gateways):
            try:
                gw.stop()
            except AssertionError as e:
                trouble.append(str(e))
            finally:
                gw.clean()
        for b in self.backends:
            b.stop()
        assert not trouble, "\n".join(trouble)


@pytest.fixture
def make(request, tmp_path_factory):
    """Gateways and backends of one test."""
    maker = Maker(tmp_path_factory, "gw", request.node.get_closest_marker("nochaos") is None)
    yield maker
    maker.end()


@pytest.fixture(scope="module")
def shared(request, tmp_path_factory):
    """Gateways and backends of one file."""
    marks = getattr(request.module, "pytestmark", [])
    marks = marks if isinstance(marks, list) else [marks]
    maker = Maker(tmp_path_factory, "gw", not any(m.name == "nochaos" for m in marks))
    yield maker
    maker.end()
