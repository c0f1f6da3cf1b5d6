#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""raceguardctl record on a service that hangs: its deadlock, without a daemon."""
import json
import pathlib
import signal
import subprocess
import unittest

import jsonschema

from harness import BIN, SOURCE, EndToEnd, Program, copy_program

SCHEMA = json.loads((SOURCE / "docs/schema/race-report.schema.json").read_text())


class RecordedDeadlock(EndToEnd):
    def test_service_that_hangs(self):
        """record comes when all wait already, and watches locks in turns only."""
        path = self.scratch / "deadlock"
        copy_program(BIN / "deadlock", path)
        program = self.keep(Program("pair", [path, "pair"], self.scratch))
        self.await_that("it waits for its signal", lambda: "ready" in program.text())
        program.send(signal.SIGUSR1)
        self.await_that("both threads wait", lambda: sum(
            (task / "syscall").read_text().startswith("202 ")
            for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()) >= 2)
        done = subprocess.run([BIN / "raceguardctl", "record", "-p", str(program.pid), "-d", "8s", "-o", "json"],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        jsonschema.validate(report, SCHEMA)
        (deadlock,) = report["deadlocks"]
        self.assertEqual((deadlock["verdict"], deadlock["pid"]), ("proven", program.pid))
        self.assertEqual({thread["waits_for"]["name"] for thread in deadlock["threads"]}, {"audit_lock", "account_lock"})
        done = subprocess.run([BIN / "raceguardctl", "record", "-p", str(program.pid), "-d", "4s"], capture_output=True,
                              text=True, timeout=120)
        self.assertRegex(done.stdout, r"(?m)^deadlock \(proven\) .*\n  threads \d+ \(worker-1\) and \d+ \(worker-2\)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
