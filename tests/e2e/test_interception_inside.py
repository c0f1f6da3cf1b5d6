#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From a race in a function that takes long: only its instructions are proposed, and kept apart."""
import re
import sys
import threading
import unittest

from harness import SOURCE, EndToEnd

sys.path.insert(0, str(SOURCE / "tests/intercept"))
from intercepting import Worker  # noqa: E402


class InterceptionInside(EndToEnd):
    def start_orders(self):
        """The program works without a pause."""
        worker = self.enterContext(Worker("narrow"))
        over = threading.Event()

        def work():
            while not over.is_set():
                worker.wrong(2, 400)

        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        return worker

    def test_a_finding_proposes_its_instructions(self):
        worker = self.start_orders()
        daemon = self.start_daemon(f"""apiVersion: raceguard/v1
policies:
  - name: orders
    target:
      exe: "{worker.path}"
    budget: 100%
    watch:
      variables: ["accounts[0].balance"]
      budget: 5%
      on_proven_race: propose
""")
        finding = self.await_that("the race is proven, with a proposal", lambda: next(
            (each for each in daemon.ctl("findings")["findings"] if each["kind"] == "data_race" and each["proposal"]), None), 90, daemon)
        functions = finding["proposal"]["functions"]
        self.assertGreaterEqual(len(functions), 1)
        for each in functions:  # the read and the write, of which a race may show one
            self.assertTrue(re.fullmatch(r"settle(_many)?\[\+0x[0-9a-f]+,\+0x[0-9a-f]+\]", each), functions)
        done = daemon.ctl("intercept", finding["id"], "--enforce", "--for", "2s", "--budget", "100%")
        self.assertGreater(done["taken"], 0, done)
        self.assertEqual([each["whole"] for each in done["functions"]], [False] * len(functions))


if __name__ == "__main__":
    unittest.main(verbosity=2)
