#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""raceguardctl locks --advise, on programs that take their locks in a known way."""
import json
import os
import re
import subprocess
import tempfile
import unittest

import jsonschema

from harness import BIN, SLOWNESS, SOURCE

SCHEMA = json.loads((SOURCE / "docs/schema/lock-report.schema.json").read_text())
SHORT_HOLD_SECONDS = 200e-9


class Locks(unittest.TestCase):
    def start(self, mode, program="lock_mix"):
        process = subprocess.Popen([BIN / program, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def advise(self, pid, *arguments, code=0):
        done = subprocess.run([BIN / "raceguardctl", "locks", "--advise", "-p", str(pid), "-o", "json", *arguments],
                              capture_output=True, text=True, timeout=60 * SLOWNESS, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        if code != 0:
            return done.stderr
        report = json.loads(done.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate(report)
        return report

    def report_of(self, mode, program="lock_mix"):
        """A tenth of the CPU: more bursts in less time."""
        return self.advise(self.start(mode, program).pid, "-d", "4s", "--budget", "10%")

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

    def test_a_gate_that_is_held_all_through_a_burst_makes_them_harmless_too(self):
        report = self.advise(self.start("longgate").pid, "-d", "8s", "--budget", "10%")
        self.assertGreaterEqual(report["cost"]["bursts"], 8, "some for either thread")
        self.assertTrue(self.lock(report, "lock_a")["acquisitions"])
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

    def test_spin_locks(self):
        lock = self.lock(self.report_of("spin", "lock_kinds"), "spin_lock")
        self.assertEqual(lock["kind"], "spin")
        self.assertGreater(lock["acquisitions"], 100)

    def test_waiting_for_a_condition_is_no_hold_of_its_mutex_and_no_order(self):
        report = self.report_of("condition", "lock_kinds")
        lock = self.lock(report, "lock_b")
        self.assertGreater(lock["acquisitions"], 0)
        self.assertLess(lock["hold_seconds"]["p50"], 0.001, "the wait is 2 ms")
        self.assertEqual(report["cycles"], [])

    def test_who_tries_does_not_wait_for_ever(self):
        for mode in ("try", "timed"):
            with self.subTest(mode):
                report = self.report_of(mode, "lock_kinds")
                for name in ("lock_a", "lock_b"):
                    self.assertGreater(self.lock(report, name)["acquisitions"], 100)
                self.assertEqual(report["cycles"], [])

    def test_a_lock_that_many_callers_meet_at_should_be_split(self):
        lock = self.lock(self.report_of("split", "lock_kinds"), "lock_a")
        self.assertIn("split", [advice["change"] for advice in lock["advice"]], lock)

    def test_a_pointer_that_is_replaced_should_be_atomic(self):
        for _ in range(5):  # beside other work the probes leave more in a hold than they were calibrated to
            lock = self.lock(self.report_of("replace", "lock_kinds"), "pointer_lock")
            if lock["hold_seconds"]["p50"] <= SHORT_HOLD_SECONDS:
                break
            self.assertEqual(lock["advice"][0]["change"], "reader_writer_lock", lock)
        self.assertEqual(lock["advice"][0]["change"], "atomic_pointer", lock)

    def test_a_program_that_is_linked_statically(self):
        report = self.report_of("abba", "lock_mix_static")
        self.assertEqual(len(report["cycles"]), 1, report)

    def test_a_program_of_another_mount_namespace(self):
        """Its files are not there for anybody else: no path of this machine leads to them."""
        folder = tempfile.mkdtemp(prefix="raceguard-e2e.")
        self.addCleanup(os.rmdir, folder)
        libraries = re.findall(r"(/\S+) \(", subprocess.run(["ldd", BIN / "lock_mix"], capture_output=True, text=True,
                                                            check=True).stdout)
        script = f'mount -t tmpfs none {folder} && cp {" ".join(libraries)} {BIN}/lock_mix {folder} && sync && ' \
            f'exec {folder}/ld-linux-x86-64.so.2 --library-path {folder} {folder}/lock_mix "$0"'
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, "abba"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        report = self.advise(process.pid, "-d", "4s", "--budget", "10%")
        self.assertEqual(len(report["cycles"]), 1, report)
        self.assertIn("lock_mix.cpp", report["cycles"][0]["orders"][0]["wanted_at"])

    def test_says_what_is_missing(self):
        done = subprocess.run([BIN / "raceguardctl", "locks", "--advise", "--budget", "1%"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--budget goes with --pid", done.stderr)
        self.assertIn("RG-T101", self.advise(2 ** 22 - 1, code=1))


if __name__ == "__main__":
    unittest.main()
