#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How large the daemon becomes: its memory with as many functions and threads as one machine may have, and that it does
not grow while targets come and go."""
import subprocess
import unittest

import many
from harness import SOURCE, EndToEnd
from held_resources import memory_kib, threads

THREADS = 10_000
MOST_KIB = 64 * 1024


class Size(EndToEnd):
    def test_500_functions_and_10000_threads(self):
        program = self.keep(many.start(self.scratch, THREADS))
        daemon = self.start_daemon(many.policy(program.pid))
        many.await_figures(daemon, program.pid, many.FUNCTIONS)
        self.await_that("the locks were waited for", lambda: daemon.status()["counts"]["locks"] >= 8, 30, daemon)
        self.assertEqual(daemon.status()["counts"]["functions"], many.FUNCTIONS)
        self.assertEqual(threads(program.pid), THREADS + 1)
        full = {name: count for name, count in daemon.status()["drops"].items() if name.endswith("_full") and count}
        self.assertEqual(full, {})
        self.assertLessEqual(memory_kib(daemon.pid)["VmHWM"], MOST_KIB)

    def test_does_not_grow(self):
        done = subprocess.run([SOURCE / "tests/bench/soak", "--targets", "24"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("nothing grew", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
