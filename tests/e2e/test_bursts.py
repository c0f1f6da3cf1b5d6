#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lock bursts of the daemon: a policy with `bursts`, a program whose locks are taken in both orders."""
import json
import re
import signal
import subprocess
import unittest
import urllib.request

import jsonschema

from harness import BIN, SOURCE, CommandFailed, EndToEnd, copy_program
from held_resources import threads
from test_races import free_port

SCHEMA = json.loads((SOURCE / "docs/schema/lock-report.schema.json").read_text())
BURSTS = "bursts: {enabled: true, budget: 20%, interval: 1s}"


def policy(path, section=BURSTS):
    return f"""apiVersion: raceguard/v1
policies:
  - name: bank
    target:
      exe: "{path}"
    {section}
"""


class Bursts(EndToEnd):
    def start_program(self, mode):
        path = self.scratch / "lock_mix"
        if not path.exists():
            copy_program(BIN / "lock_mix", path)
        process = subprocess.Popen([path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return path, process

    def found(self, daemon):
        return [each for each in daemon.ctl("findings")["findings"] if each["kind"] == "lock_order"]

    def bursts(self, daemon):
        return daemon.status()["bursts"]

    def guard(self, daemon):
        return self.bursts(daemon)["guards"][0]

    def advice(self, daemon):
        return daemon.ctl("locks", "--advise")

    def metrics(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("raceguard_"))

    @staticmethod
    def probed(pid):
        """Links of uprobes on this process alone."""
        done = subprocess.run(["bpftool", "-j", "link", "show"], capture_output=True, text=True, check=True)
        return [link for link in json.loads(done.stdout) if link["type"] == "uprobe_multi" and link.get("pid") == pid]

    def test_both_orders_are_found_and_told_everywhere(self):
        path, program = self.start_program("abba")
        port = free_port()
        daemon = self.start_daemon(policy(path), settings={"listen_port": port})
        (finding,) = self.await_that("the orders are found", lambda: self.found(daemon), 30, daemon)
        self.assertEqual((finding["verdict"], finding["guard"], finding["pid"]), ("likely", "bank", program.pid))
        self.assertEqual(finding["process"], f"lock_mix ({program.pid})")
        self.assertRegex(finding["text"], r"one holds \S* ?\S*lock_. \(from .*first_._then_.\(\) at lock_mix.cpp:\d+\) and wants")
        self.assertEqual({(step["held"][-6:], step["wanted"][-6:]) for step in finding["orders"]},
                         {("lock_a", "lock_b"), ("lock_b", "lock_a")})
        for step in finding["orders"]:
            here = "first_a_then_b" if step["held"].endswith("lock_a") else "first_b_then_a"
            self.assertIn(here, step["wanted_at"])
            self.assertTrue(any(here in (frame["function"] or "") for frame in step["stack"]["frames"]), step)

        advice = self.advice(daemon)
        (report,) = advice["reports"]
        jsonschema.Draft202012Validator(SCHEMA).validate(report)
        self.assertEqual((report["guard"], report["pid"], len(report["cycles"])), ("bank", program.pid, 1))
        self.assertEqual({lock["name"][-6:] for lock in report["locks"]}, {"lock_a", "lock_b"})
        text = subprocess.run([BIN / "raceguardctl", "--run-directory", daemon.run_directory, "locks", "--advise"],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn(f"lock_mix ({program.pid}) of bank", text)
        self.assertIn("lock order (likely)", text)
        self.assertIn("lock order (likely)", subprocess.run(
            [BIN / "raceguardctl", "--run-directory", daemon.run_directory, "findings"],
            capture_output=True, text=True, check=True).stdout)

        metrics = self.await_that("it is a metric", lambda: (lambda all: float(all.get(
            'raceguard_lock_order_cycles{guard="bank"}', 0)) == 1 and all)(self.metrics(port)), 10, daemon)
        self.assertEqual(metrics["raceguard_bursts_possible"], "1")
        self.assertEqual(float(metrics['raceguard_burst_limit_ratio{guard="bank"}']), 0.2)
        for name in ("bursts_total", "burst_hits_total", "burst_seconds_total", "burst_cost_seconds_total",
                     "burst_target_cpu_seconds_total"):
            self.assertGreater(float(metrics[f'raceguard_{name}{{guard="bank"}}']), 0, name)
        seen = finding["count"]
        self.await_that("it is seen again", lambda: self.found(daemon)[0]["count"] > seen, 20, daemon)
        self.assertEqual(daemon.end(), 0)
        records = [json.loads(line) for line in daemon.evidence.read_text().splitlines()]
        (record,) = [each["data"] for each in records if each["kind"] == "lock_order"]
        self.assertEqual(len(record["orders"]), 2)
        self.assertEqual(len(re.findall("likely deadlock: ", daemon.text())), 1, daemon.text())

    def test_one_order_is_no_finding(self):
        path, _ = self.start_program("ordered")
        daemon = self.start_daemon(policy(path))
        self.await_that("some bursts", lambda: self.guard(daemon)["bursts"] >= 3, 30, daemon)
        self.assertEqual(self.found(daemon), [])
        self.assertEqual(self.advice(daemon)["reports"][0]["cycles"], [])

    def test_nothing_is_probed_unless_the_policy_says_so(self):
        path, program = self.start_program("abba")
        daemon = self.start_daemon(policy(path, ""))
        self.await_that("it is a target", lambda: program.pid in daemon.targets(), 10, daemon)
        self.assertFalse(self.bursts(daemon)["wanted"])
        self.assertEqual(self.advice(daemon)["reports"], [])
        self.assertNotIn("rg-bursts", self.thread_names(daemon))
        with self.assertRaises(CommandFailed):
            daemon.ctl("locks", "--advise", "--budget", "2%")

    def thread_names(self, daemon):
        done = subprocess.run(["ps", "-L", "-o", "comm=", "-p", str(daemon.pid)], capture_output=True, text=True, check=True)
        return done.stdout.split()

    def test_a_reload_takes_them_away_and_brings_them_back(self):
        path, program = self.start_program("abba")
        daemon = self.start_daemon(policy(path))
        self.await_that("a burst", lambda: self.guard(daemon)["bursts"] >= 1, 30, daemon)
        daemon.policy_file.write_text(policy(path, ""))
        daemon.send(signal.SIGHUP)
        self.await_that("it has none", lambda: not self.bursts(daemon)["wanted"], 10, daemon)
        self.await_that("its probes are gone", lambda: not self.probed(program.pid), 10, daemon)
        self.assertEqual(self.bursts(daemon)["guards"], [])
        daemon.policy_file.write_text(policy(path))
        daemon.send(signal.SIGHUP)
        self.await_that("a burst again", lambda: self.guard(daemon)["bursts"] >= 1, 30, daemon)
        self.assertEqual(daemon.end(), 0)

    def test_the_end_of_the_daemon_in_a_burst_leaves_nothing(self):
        path, program = self.start_program("abba")
        daemon = self.start_daemon(policy(path))
        self.await_that("probes are there", lambda: self.probed(program.pid), 30, daemon)
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(self.probed(program.pid), [])
        program.stdin.close()
        self.assertEqual(program.wait(30), 0, "the program runs on, and ends as it would")

    def test_processes_come_and_go(self):
        path, first = self.start_program("abba")
        daemon = self.start_daemon(policy(path))
        for _ in range(3):
            self.await_that("it is looked at", lambda: [each["pid"] for each in self.advice(daemon)["reports"]] == [first.pid],
                            30, daemon)
            first.kill()
            first.wait()
            _, first = self.start_program("abba")
        self.await_that("the last one", lambda: [each["pid"] for each in self.advice(daemon)["reports"]] == [first.pid], 30, daemon)
        self.assertGreater(self.guard(daemon)["bursts"], 3)
        self.assertEqual(self.guard(daemon)["notes"], [])
        before = threads(daemon.pid)
        self.await_that("another burst", lambda: self.guard(daemon)["bursts"] > 6, 30, daemon)
        self.assertLessEqual(threads(daemon.pid), before + 3, "detaching takes two or three for a moment")
        self.assertNotIn("error", daemon.text())


if __name__ == "__main__":
    unittest.main()
