#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""raceguardctl record, on a program that races and on what a user may get wrong."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import jsonschema

from harness import BIN, BUILD, SLOWNESS, SOURCE, marked_lines

PROGRAMS = BUILD / "tests/programs"
SCHEMA = json.loads((SOURCE / "docs/schema/race-report.schema.json").read_text())


class Racer:
    """A program of tests/programs: it runs while its stdin is open."""

    def __init__(self, name):
        self.process = subprocess.Popen([PROGRAMS / name, "60"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


class Record(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, name):
        racer = Racer(name)
        self.addCleanup(racer.end)
        return racer

    def record(self, pid, *arguments, duration="30s"):
        return subprocess.run([BIN / "raceguardctl", "record", "-p", str(pid), f"--duration={duration}", *arguments],
                              capture_output=True, text=True, timeout=60 * SLOWNESS, check=False)

    def test_json_follows_its_schema_and_names_both_lines(self):
        done = self.record(self.start("racy/counter.O2-g").pid, "--until-proven", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate(report)
        proven = [finding for finding in report["findings"] if finding["verdict"] == "proven"]
        self.assertEqual(len(proven), 1, report)
        self.assertEqual(proven[0]["variable"]["name"], "counter")
        self.assertEqual(len(proven[0]["sites"]), 2)
        for site in proven[0]["sites"]:
            self.assertIn(site["line"], marked_lines("counter"))
        self.assertNotEqual(proven[0]["sites"][0]["thread"], proven[0]["sites"][1]["thread"])
        self.assertGreater(report["cost"]["holds"], 0)
        self.assertGreater(report["coverage"]["watched"], 0)

    def test_text_reads_like_a_compilers(self):
        done = self.record(self.start("racy/counter.O2-g").pid, "--until-proven")
        self.assertRegex(done.stdout, r"(?m)^\S*counter\.c:\d+: proven data race on counter \(long int\)")
        for word in ("contended locks", "looked at:", "cost to the process:"):
            self.assertIn(word, done.stdout)

    def test_html_is_one_file(self):
        done = self.record(self.start("racy/counter.O2-g").pid, "--until-proven", "-o", "html")
        self.assertIn("<!doctype html>", done.stdout)
        self.assertIn("counter", done.stdout)
        self.assertNotRegex(done.stdout, r"(src|href)=[\"'](?!#)")

    def test_suppressed_findings_are_counted_only(self):
        suppressions = self.scratch / "known"
        suppressions.write_text("# known\nrace:^counter$\n")
        done = self.record(self.start("racy/counter.O2-g").pid, "--only", "--watch", "counter", "--suppressions",
                           str(suppressions), "-o", "json", duration="15s")
        report = json.loads(done.stdout)
        self.assertEqual(report["findings"], [])
        self.assertGreater(report["suppressed"], 0)

    def test_one_variable_alone(self):
        done = self.record(self.start("racy/counter.O2-g").pid, "--only", "--watch", "counter", "--until-proven", "-o",
                           "json")
        report = json.loads(done.stdout)
        self.assertEqual(report["coverage"]["variables"], 1)
        self.assertEqual(report["findings"][0]["variable"]["name"], "counter")

    def test_a_variable_that_is_not_there(self):
        done = self.record(self.start("racy/counter.O2-g").pid, "--watch", "countr")
        self.assertEqual(done.returncode, 1)
        self.assertIn("countr", done.stderr)
        self.assertIn("counter", done.stderr, "the nearest name")

    def test_a_process_that_ends_meanwhile_is_reported_on(self):
        racer = self.start("racy/counter.O2-g")
        recorder = subprocess.Popen([BIN / "raceguardctl", "record", "-p", str(racer.pid), "-d", "50s"],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(recorder.stdout.close)
        while not pathlib.Path(f"/proc/{recorder.pid}/fd/12").is_symlink() and recorder.poll() is None:
            pass  # until it has opened its events
        os.kill(racer.pid, signal.SIGKILL)
        racer.process.wait()
        text, _ = recorder.communicate(timeout=30 * SLOWNESS)
        self.assertTrue("ended before the time was over" in text or recorder.returncode == 1, text)

    def test_no_such_process(self):
        done = self.record(2**22 + 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("RG-T101", done.stderr)

    def test_wrong_usage(self):
        for arguments in (["--hold", "2ms"], ["--budget", "200%"], ["--only"], ["--suppressions", "/nonexistent"]):
            done = self.record(os.getpid(), *arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertTrue(done.stderr.startswith("raceguardctl: RG-"), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
