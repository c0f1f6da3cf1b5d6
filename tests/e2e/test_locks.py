#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""raceguardctl locks --advise, on programs that take their locks in a known way."""
import json
import subprocess
import unittest

import jsonschema

from harness import BIN, SLOWNESS, SOURCE

SCHEMA = json.loads((SOURCE / "docs/schema/lock-report.schema.json").read_text())


class Locks(unittest.TestCase):
    def start(self, mode):
        process = subprocess.Popen([BIN / "lock_mix", mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def advise(self, pid, *arguments, code=0):
        done = subprocess.run([BIN / "raceguardctl", "locks", "--advise", "-p", str(pid), "-o", "json", *arguments],
                              capture_output=True, text=True, timeout=60 * SLOWNESS, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        if code != 0:
            return done.stderr
        report = json.loads(done.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate(report)
        return report

    def report_of(self, mode):
        """A tenth of the CPU: more bursts in less time."""
        return self.advise(self.start(mode).pid, "-d", "4s", "--budget", "10%")

    def lock(self, report, name):
        found = [lock for lock in report["locks"] if name in lock["name"]]
        self.assertEqual(len(found), 1, report)
        return found[0]

    def test_both_orders_are_a_likely_deadlock_before_there_is_one(self):
        report = self.report_of("abba")
        self.assertEqual(len(report["cycles"]), 1, report)
        cycle = report["cycles"][0]
        self.assertEqual((cycle["kind"], cycle["verdict"]), ("lock_order", "likely"))
        self.assertEqual({(step["held"][-6:], step["wanted"][-6:]) for step in cycle["orders"]},
                         {("lock_a", "lock_b"), ("lock_b", "lock_a")})
        for step in cycle["orders"]:
            here = "first_a_then_b" if step["held"].endswith("lock_a") else "first_b_then_a"
            self.assertIn(here, step["held_at"])
            self.assertIn(here, step["wanted_at"])
            self.assertTrue(any(here in (frame["function"] or "") for frame in step["stack"]["frames"]), step)

    def test_a_gate_makes_both_orders_harmless(self):
        report = self.report_of("gate")
        self.assertGreater(self.lock(report, "lock_a")["acquisitions"], 0)
        self.assertEqual(report["cycles"], [])

    def test_one_order_is_none(self):
        report = self.report_of("ordered")
        self.assertGreater(self.lock(report, "lock_a")["acquisitions"], 0)
        self.assertEqual(report["cycles"], [])

    def test_a_mutex_that_is_mostly_read_under_should_be_a_reader_writer_lock(self):
        lock = self.lock(self.report_of("readmostly"), "table_lock")
        self.assertAlmostEqual(lock["read_share"], 0.95, delta=0.02)
        self.assertEqual(lock["unknown"], 0)
        self.assertEqual(lock["write_places"], 1)
        self.assertEqual(lock["advice"][0]["change"], "reader_writer_lock", lock)

    def test_a_reader_writer_lock_that_is_written_to_should_be_a_mutex(self):
        lock = self.lock(self.report_of("writeheavy"), "log_lock")
        self.assertEqual(lock["kind"], "rwlock")
        self.assertAlmostEqual(lock["read_share"], 0.5, delta=0.05)
        self.assertEqual(lock["advice"][0]["change"], "mutex", lock)

    def test_says_what_is_missing(self):
        self.assertIn("--pid", subprocess.run([BIN / "raceguardctl", "locks", "--advise"], capture_output=True,
                                              text=True, check=False).stderr)
        self.assertIn("RG-T101", self.advise(2 ** 22 - 1, code=1))


if __name__ == "__main__":
    unittest.main()
