# SPDX-License-Identifier: Apache-2.0
"""Tests of @PLUGIN@ on the real gateway: run by `make check`."""
import unittest

from harness import Backend, Gateway

NAME = "@PLUGIN@"


def gateway(backend=None, **options):
    return Gateway(plugins=[{"use": NAME, "with": options}], plugin_dirs=["."], backend=backend)


class Tests(unittest.TestCase):
    def test_header_is_added(self):
        with Backend() as backend, gateway(backend) as gw:
            answer = gw.request("GET", "/pets")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.header("x-" + NAME), "hello")
            self.assertEqual(backend.requests[-1].target, "/pets")

    def test_greeting_is_an_option(self):
        with Backend() as backend, gateway(backend, greeting="good morning") as gw:
            self.assertEqual(gw.request("GET", "/").header("x-" + NAME), "good morning")

    def test_an_unknown_option_is_refused(self):
        code, text = gateway(greting="hello").check()
        self.assertEqual(code, 1)
        self.assertIn("greting", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
