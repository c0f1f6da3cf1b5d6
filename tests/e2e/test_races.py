#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Data races in the daemon: `watch` in a policy, until somebody has suppressed the finding."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import unittest
import urllib.request

from harness import BIN, BUILD, SOURCE, EndToEnd, copy_program, marked_lines

PROGRAMS = BUILD / "tests/programs"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Races(EndToEnd):
    def start_racer(self, program):
        """A program of tests/programs ("racy/...") or of this folder, from a copy of its own."""
        path = self.scratch / program.replace("/", "-")
        if not path.exists():
            copy_program(PROGRAMS / program if "/" in program else BIN / program, path)
        racer = subprocess.Popen([path, "170"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(racer.stdin.close)
        self.addCleanup(racer.wait)
        self.addCleanup(racer.kill)
        racer.path = path
        return racer

    def policy(self, path, watch, switch=""):
        return f"""apiVersion: raceguard/v1
policies:
  - name: racy
    target:
      exe: "{path}"
    watch:
      {watch}
      suppressions: {self.scratch}/races.supp
{switch}"""

    def races(self, daemon, verdict="proven"):
        return [each for each in daemon.ctl("findings")["findings"]
                if each["kind"] == "data_race" and each["verdict"] == verdict]

    def records(self, daemon, kind):
        lines = [json.loads(line) for line in daemon.evidence.read_text().splitlines()]
        return [line["data"] for line in lines if line["kind"] == kind]

    def metrics(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("raceguard_"))

    def test_a_proven_race_opens_a_switch_until_it_is_suppressed(self):
        racer = self.start_racer("racy/counter.O2-g")
        port = free_port()
        switch = """    switches:
      - name: careful
        mode: enforce
        open_when:
          proven_races: 1
"""
        daemon = self.start_daemon(self.policy(racer.path, "auto: true", switch), settings={"listen_port": port})
        race = self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)[0]
        self.assertEqual((race["variable"]["name"], race["guard"], race["pid"]), ("counter", "racy", racer.pid))
        self.assertEqual(len(race["sites"]), 2)
        for site in race["sites"]:
            self.assertIn(site["line"], marked_lines("counter"))
        self.await_that("the switch opens", lambda: daemon.switch("careful")["applied_state"] == "open", 10, daemon)
        self.assertIn("proven", daemon.switch("careful")["reason"])

        watch = daemon.status()["watch"]
        self.assertGreaterEqual(watch["registers"], 1)
        self.assertGreater(watch["holds"], 0)
        self.assertEqual(watch["guards"][0]["processes"], 1)
        metrics = self.await_that("the race is counted", lambda: self.metrics(port), 10, daemon)
        self.assertEqual(metrics['raceguard_races_total{guard="racy",verdict="proven"}'], "1")
        self.assertGreater(float(metrics['raceguard_watch_coverage_ratio{guard="racy"}']), 0)

        self.assertEqual([each["id"] for each in self.records(daemon, "race") if each["verdict"] == "proven"], [race["id"]])
        self.assertIn(race["id"], daemon.text(), "the log names it")

        answer = daemon.ctl("findings", "--suppress", race["id"], "--reason", "a statistic")
        self.assertEqual([one["line"] for one in answer["suppressed"]], ["race:^counter$"])
        self.assertEqual(self.races(daemon), [])
        self.assertGreaterEqual(daemon.ctl("findings")["suppressed"], 1, "one at least: its value change may be another")
        text = (self.scratch / "races.supp").read_text()
        self.assertRegex(text, r"^# .*counter.*a statistic\nrace:\^counter\$\n$")
        audit = self.records(daemon, "suppress")
        self.assertEqual([(one["id"], one["reason"]) for one in audit], [(race["id"], "a statistic")])
        self.assertIn("uid 0", audit[0]["actor"])
        self.await_that("the switch closes", lambda: daemon.switch("careful")["applied_state"] == "closed", 60, daemon)

        daemon.send(signal.SIGHUP)
        self.await_that("the policy is loaded again", lambda: daemon.status()["policy"]["generation"] == 2, 10, daemon)
        self.assertEqual(self.races(daemon), [], "it stays suppressed")
        self.assertEqual(daemon.end(), 0)
        self.verify(daemon.evidence)

    def test_a_proven_race_is_intercepted_by_its_finding(self):
        racer = self.start_racer("accounts")
        objects = """objects:
        - function: deposit
          members: [balance]"""
        functions = """    budget: 100%
    functions:
      - name: deposit
        symbol: deposit
"""
        daemon = self.start_daemon(self.policy(racer.path, objects, functions))
        race = self.await_that("the race is proven", lambda: self.races(daemon), 90, daemon)[0]
        proposal = subprocess.run([BIN / "raceguardctl", "--run-directory", daemon.run_directory, "intercept", race["id"]],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(proposal.returncode, 0, proposal.stderr)
        self.assertIn("\n  deposit\n", proposal.stdout)
        measured = daemon.ctl("intercept", race["id"], "--dry-run", "--for", "1s")
        self.assertGreater(measured["calls"], 100, measured)
        self.assertEqual(measured["waits"], 0)
        closed = daemon.ctl("intercept", race["id"], "--enforce", "--for", "2s", "--budget", "100%")
        self.assertGreater(closed["taken"], 100, closed)
        self.assertEqual([each["name"] for each in closed["functions"]], ["deposit"])

    def test_kill_9_leaves_no_watchpoint(self):
        racer = self.start_racer("racy/counter.O2-g")
        daemon = self.start_daemon(self.policy(racer.path, "variables: [counter]"))
        self.await_that("the variable is watched", lambda: daemon.status()["watch"]["hits"] > 0, 60, daemon)
        daemon.send(signal.SIGKILL)
        daemon.wait()
        done = subprocess.run([BIN / "raceguardctl", "record", "-p", str(racer.pid), "-d", "20s", "--until-proven", "-o",
                               "json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertNotIn("registers are taken", " ".join(report["notes"]))
        self.assertEqual([each["variable"]["name"] for each in report["findings"] if each["verdict"] == "proven"], ["counter"])
        self.assertIsNone(racer.poll())

    def test_reload_keeps_findings_and_gives_registers_back(self):
        racer = self.start_racer("racy/counter.O2-g")
        daemon = self.start_daemon(self.policy(racer.path, "variables: [counter, no_such_thing]"))
        race = self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)[0]
        notes = " ".join(daemon.status()["watch"]["guards"][0]["notes"])
        self.assertIn("no_such_thing", notes, "what cannot be watched is told")
        good = daemon.policy_file.read_text()

        daemon.policy_file.write_text(good.replace("variables:", "varriables:"))
        daemon.send(signal.SIGHUP)
        self.await_that("the reload fails", lambda: daemon.status()["policy"]["reload_failures"] == 1, 10, daemon)
        self.assertEqual([each["id"] for each in self.races(daemon)], [race["id"]])
        self.assertGreaterEqual(daemon.status()["watch"]["registers"], 1)

        daemon.policy_file.write_text(good.replace(", no_such_thing", ""))
        daemon.send(signal.SIGHUP)
        self.await_that("the other policy is in force", lambda: not daemon.status()["watch"]["guards"][0]["notes"], 10, daemon)
        self.assertEqual([each["id"] for each in self.races(daemon)], [race["id"]])

        daemon.policy_file.write_text(good[:good.index("    watch:")] + "    contention:\n      enabled: true\n")
        daemon.send(signal.SIGHUP)
        self.await_that("nothing is watched", lambda: not daemon.status()["watch"]["wanted"], 10, daemon)
        self.await_that("the registers are given back", lambda: daemon.status()["watch"]["registers"] == 0, 10, daemon)
        self.assertEqual(self.races(daemon), [])

    def test_what_suppress_refuses(self):
        racer = self.start_racer("racy/counter.O2-g")
        daemon = self.start_daemon(self.policy(racer.path, "variables: [counter]").replace("suppressions", "#"))
        done = subprocess.run([BIN / "raceguardctl", "--run-directory", daemon.run_directory, "findings", "--suppress",
                               "0123456789ab"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("RG-D101", done.stderr)
        race = self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)[0]
        done = subprocess.run([BIN / "raceguardctl", "--run-directory", daemon.run_directory, "findings", "--suppress",
                               race["id"]], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("race:^counter$", done.stderr, "the line that it would be")
        self.assertEqual(len(self.races(daemon)), 1)

    def test_processes_take_turns_and_share_their_findings(self):
        first = self.start_racer("racy/counter.O2-g")
        daemon = self.start_daemon(self.policy(first.path, "variables: [counter]"))
        race = self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)[0]
        self.assertEqual(race["pid"], first.pid)
        second = self.start_racer("racy/counter.O2-g")
        self.await_that("it is seen in the other process", lambda: self.races(daemon)[0]["pid"] == second.pid, 60, daemon)
        self.assertEqual([(each["id"], each["count"] > race["count"]) for each in self.races(daemon)], [(race["id"], True)])
        self.assertEqual(daemon.status()["watch"]["guards"][0]["processes"], 2)
        for racer in (first, second):
            racer.kill()
            racer.wait()
        self.await_that("the registers are given back", lambda: daemon.status()["watch"]["registers"] == 0, 10, daemon)
        self.assertEqual([each["id"] for each in self.races(daemon)], [race["id"]], "what was found stays")

    def test_registers_that_another_tool_has(self):
        racer = self.start_racer("racy/counter.O2-g")
        other = subprocess.Popen([BIN / "raceguardctl", "record", "-p", str(racer.pid), "-d", "100s"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        descriptors = pathlib.Path(f"/proc/{other.pid}/fd")
        self.await_that("record has the registers", lambda: sum(
            "perf_event" in os.readlink(link) for link in descriptors.iterdir()) >= 4 * os.cpu_count())
        daemon = self.start_daemon(self.policy(racer.path, "variables: [counter]"))
        self.await_that("that is told", lambda: "RG-A104" in (daemon.status()["watch"]["trouble"] or ""), 30, daemon)
        other.kill()
        self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)
        self.assertIsNone(daemon.status()["watch"]["trouble"])
        self.assertEqual(daemon.text().count("data races are not searched"), 1, "one line")

    def test_the_lock_that_a_policy_names(self):
        racer = self.start_racer("racy/one_side_locked.O2-g")
        watch = "variables: [{name: total, guarded_by: totl_lock}]"
        daemon = self.start_daemon(self.policy(racer.path, watch))
        self.await_that("the nearest name is told",
                        lambda: "total_lock?" in str(daemon.status()["watch"]["guards"][0]["notes"]), 30, daemon)
        daemon.policy_file.write_text(daemon.policy_file.read_text().replace("totl_", "total_"))
        daemon.send(signal.SIGHUP)
        race = self.await_that("the race is proven", lambda: self.races(daemon), 60, daemon)[0]
        self.assertEqual([lock["name"] for lock in race["locks"]], ["total_lock"])
        self.assertNotEqual(race["locks"][0]["held_by_first"], race["locks"][0]["held_by_second"])

    def test_members_of_objects_of_a_guarded_function(self):
        racer = self.start_racer("accounts")
        watch = """objects:
        - function: deposit
          members: [balance, last, owner_]"""
        functions = """    budget: 100%
    functions:
      - name: deposit
        symbol: deposit
"""
        daemon = self.start_daemon(self.policy(racer.path, watch, functions))
        self.await_that("the wrong member is told", lambda: "owner_" in str(daemon.status()["watch"]["guards"][0]["notes"]),
                        30, daemon)
        daemon.policy_file.write_text(daemon.policy_file.read_text().replace(", owner_", ""))
        daemon.send(signal.SIGHUP)
        found = self.await_that("both members are proven to race",
                                lambda: len(self.races(daemon)) >= 2 and self.races(daemon), 90, daemon)
        self.assertEqual({race["variable"]["name"] for race in found}, {"account::balance", "account::last"})
        source = (SOURCE / "tests/e2e/programs/accounts.c").read_text().splitlines()
        for race in found:
            number = {"account::balance": 1, "account::last": 2}[race["variable"]["name"]]
            for site in race["sites"]:
                self.assertIn(f"race:{number}", source[site["line"] - 1])
            self.assertEqual(race["variable"]["type"], "long int")
        self.assertGreater(daemon.function("deposit")["calls"], 100)

    def test_memory_that_another_type_takes_over(self):
        racer = self.start_racer("reused")
        watch = """objects:
        - function: deposit
          members: balance"""
        functions = """    budget: 100%
    functions:
      - name: deposit
        symbol: deposit
"""
        daemon = self.start_daemon(self.policy(racer.path, watch, functions))
        self.await_that("the gauge's atomics overlapped often, or a thousand threads were held",
                        lambda: any(race["count"] >= 20 for race in self.races(daemon, "info"))
                        or daemon.status()["watch"]["holds"] > 1000, 60, daemon)
        self.assertEqual(self.races(daemon) + self.races(daemon, "likely"), [])

    def verify(self, evidence):
        done = subprocess.run([str(BIN / "raceguardctl"), "verify", str(evidence)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
