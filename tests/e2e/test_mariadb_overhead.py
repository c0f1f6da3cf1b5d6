#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""That the comparison of MariaDB with and without the guard runs, and its figures in the test's output."""
import json
import unittest

from harness import BUILD, SOURCE, EndToEnd, Program


class Overhead(EndToEnd):
    def test_throughput_with_and_without(self):
        """Prints the figures; tests/bench/mariadb_overhead by itself takes longer, and better ones."""
        figures_file = self.scratch / "figures.json"
        bench = self.keep(Program("bench", [
            SOURCE / "tests/bench/mariadb_overhead", "--build", BUILD, "--rounds", 3, "--seconds", 2,
            "--idle-seconds", 2, "--json", figures_file], self.scratch))
        self.assertEqual(bench.wait(150), 0, bench.text())
        print(bench.text())
        figures = json.loads(figures_file.read_text())
        for kind in ("contention", "functions"):
            self.assertGreater(figures["ratio"][kind]["median"], 0.3, "the guard all but stops the server")


if __name__ == "__main__":
    unittest.main(verbosity=2)
