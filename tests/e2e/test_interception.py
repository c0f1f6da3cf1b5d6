#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon keeps functions apart: for a race that it proved itself, and while a switch is open."""
import json
import re
import signal
import socket
import subprocess
import unittest
import urllib.request

from harness import BIN, EndToEnd, copy_program
from held_resources import all_programs, ids_of


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Tills:
    """Loses updates, and counts them."""

    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def counted(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(number) for number in re.findall(r"\d+", self.process.stdout.readline())]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Interception(EndToEnd):
    def start_tills(self):
        path = self.scratch / "tills"
        copy_program(BIN / "tills", path)
        tills = Tills(path)
        self.addCleanup(tills.close)
        return tills

    def policy(self, tills, watch="", switch=""):
        return f"""apiVersion: raceguard/v1
policies:
  - name: shop
    target:
      exe: "{tills.path}"
    budget: 100%
    functions:
      - name: pay_in
        symbol: deposit
        error_when:
          returns: "< 0"
          type: int64
{watch}{switch}"""

    def watch(self, action):
        return f"""    watch:
      variables: [till.balance]
      budget: 5%
      {action}
"""

    def switch(self, budget="50%"):
        return f"""    switches:
      - name: careful
        mode: enforce
        functions: [pay_in]
        open_when:
          error_ratio: 50%
        serialize:
          functions: pay_in
          budget: {budget}
"""

    def lost_share(self, tills, rounds=10):
        """Of the updates of the next so many rounds."""
        lost, made, first = tills.counted()
        self.await_that("rounds pass", lambda: tills.counted()[2] >= first + rounds + 1, 60)
        later = tills.counted()
        return (later[0] - lost) / (later[1] - made)

    def await_losing(self, tills, daemon=None):
        """Two threads that have a CPU each lose some; on a busy machine they may not for a while."""
        return self.await_that("updates are lost", lambda: self.lost_share(tills, 5), 60, daemon)

    def await_kept_apart(self, tills, usual, daemon):
        # A thread that lost its CPU inside is not waited for: on a busy machine some updates are still lost.
        self.await_that("hardly any update is lost", lambda: self.lost_share(tills) * 4 < usual, 60, daemon)

    def interceptions(self, daemon, state=None):
        found = daemon.ctl("interceptions")["interceptions"]
        return [each for each in found if state is None or each["state"] == state]

    def await_running(self, daemon, seconds=60):
        return self.await_that("it is intercepted", lambda: self.interceptions(daemon, "running"), seconds, daemon)[0]

    def events(self, daemon):
        lines = [json.loads(line) for line in daemon.evidence.read_text().splitlines()]
        return [line["data"] for line in lines if line["kind"] == "interception"]

    def get(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self, port):
        lines = self.get(port, "/metrics").splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line.startswith("raceguard_interception"))}

    def test_a_proven_race_is_kept_apart_by_itself(self):
        tills = self.start_tills()
        usual = self.await_losing(tills)
        port = free_port()
        action = "on_proven_race: serialize\n      serialize_for: 15s"
        daemon = self.start_daemon(self.policy(tills, self.watch(action)), settings={"listen_port": port})
        running = self.await_running(daemon)
        self.assertEqual((running["guard"], running["cause"], running["pid"]), ("shop", "finding", tills.pid))
        self.assertEqual([each["name"] for each in running["report"]["functions"]], ["deposit"])
        finding = next(each for each in daemon.ctl("findings")["findings"] if each["id"] == running["name"])
        self.assertEqual((finding["kind"], finding["verdict"]), ("data_race", "proven"))
        self.await_kept_apart(tills, usual, daemon)
        race = self.await_that("its variable is watched meanwhile", lambda: next(
            (race for race in self.interceptions(daemon)[0]["races"] if race["during"]["watched_seconds"] > 0), None), 60, daemon)
        self.assertEqual((race["id"], race["variable"]), (finding["id"], "till.balance"))
        self.assertGreaterEqual(race["before"]["proofs"], 1)
        self.assertIn("kept from happening", subprocess.run(
            [BIN / "raceguardctl", "--run-directory", daemon.run_directory, "findings"], capture_output=True, text=True,
            check=True).stdout)

        metrics = self.metrics(port)
        label = 'guard="shop"'
        self.assertEqual(metrics[f"raceguard_interception_events_total{{{label},event=\"begun\"}}"], 1)
        self.assertGreater(metrics[f"raceguard_interception_taken_total{{{label}}}"], 0)
        self.assertGreater(metrics[f"raceguard_interception_proofs_total{{{label},phase=\"before\"}}"], 0)
        self.assertEqual(json.loads(self.get(port, "/api/v1/interceptions"))["interceptions"][0]["name"], finding["id"])

        self.await_that("its time is over, and the race is proven again", lambda: max(
            (race["after"]["proofs"] for each in self.interceptions(daemon) for race in each["races"]), default=0) > 0, 90, daemon)
        self.await_that("it is kept apart again", lambda: self.interceptions(daemon)[0]["times_begun"] > 1
                        and self.interceptions(daemon, "running"), 60, daemon)
        self.assertEqual([each["name"] for each in self.interceptions(daemon)], [finding["id"]])
        self.assertEqual(daemon.end(), 0)
        events = self.events(daemon)
        self.assertEqual({each["event"] for each in events[0::2]}, {"begun"})
        self.assertEqual({each["event"] for each in events[1::2]}, {"ended"})
        reasons = [each["reason"] for each in events[1::2]]
        self.assertEqual((set(reasons[:-1]), reasons[-1]), ({"its time was over"}, "the daemon ends: SIGTERM"))
        self.assertGreater(events[1]["report"]["taken"], 0)
        self.await_losing(tills)

    def test_propose_only_proposes(self):
        tills = self.start_tills()
        daemon = self.start_daemon(self.policy(tills, self.watch("on_proven_race: propose")))
        finding = self.await_that("the race is proven, with a proposal", lambda: next(
            (each for each in daemon.ctl("findings")["findings"] if each["kind"] == "data_race" and each["proposal"]), None), 60, daemon)
        self.assertEqual(finding["proposal"]["functions"], ["deposit"])
        self.assertEqual(finding["proposal"]["command"], f"raceguardctl intercept {finding['id']} --enforce --for 1h")
        self.assertFalse(finding["intercepted"])
        self.assertEqual(self.interceptions(daemon), [])
        self.assertEqual([each["event"] for each in self.events(daemon)], ["proposed"])
        self.await_losing(tills, daemon)
        done = daemon.ctl("intercept", finding["id"], "--enforce", "--for", "1s", "--budget", "100%")
        self.assertGreater(done["taken"], 0, "the command that it proposes")

    def test_an_open_switch_keeps_its_functions_apart(self):
        tills = self.start_tills()
        usual = self.await_losing(tills)
        daemon = self.start_daemon(self.policy(tills, switch=self.switch()))
        self.await_that("its calls are timed", lambda: daemon.function("pay_in")["calls"] > 0, 20, daemon)
        self.assertEqual(self.interceptions(daemon), [])
        daemon.force("careful", "open")
        running = self.await_running(daemon)
        self.assertEqual((running["cause"], running["name"]), ("switch", "careful"))
        self.await_kept_apart(tills, usual, daemon)
        calls = daemon.function("pay_in")["calls"]
        self.await_that("its calls are timed beside it", lambda: daemon.function("pay_in")["calls"] > calls, 20, daemon)
        daemon.ctl("release", "careful")
        over = self.await_that("it is over", lambda: self.interceptions(daemon, "over"), 20, daemon)[0]
        self.assertRegex(over["why"], "^the switch is (half-open|closed)$")
        self.await_losing(tills, daemon)
        self.await_that("both are written down", lambda: [each["event"] for each in self.events(daemon)] == ["begun", "ended"],
                        20, daemon)

        daemon.force("careful", "open")
        self.await_running(daemon)
        daemon.policy_file.write_text(self.policy(tills))
        daemon.send(signal.SIGHUP)
        self.await_that("a policy without it ends it", lambda: not self.interceptions(daemon, "running"), 20, daemon)
        self.await_losing(tills, daemon)

    def test_a_target_that_ends_and_one_that_comes(self):
        tills = self.start_tills()
        daemon = self.start_daemon(self.policy(tills, switch=self.switch()))
        daemon.force("careful", "open")
        self.await_running(daemon)
        tills.process.kill()
        self.await_that("it ends with its process", lambda: not self.interceptions(daemon, "running"), 20, daemon)
        next_one = Tills(tills.path)
        self.addCleanup(next_one.close)
        self.assertEqual(self.await_running(daemon)["pid"], next_one.pid)

    def test_what_costs_too_much_is_withdrawn_and_rests(self):
        tills = self.start_tills()
        daemon = self.start_daemon(self.policy(tills, switch=self.switch("0.1%")))
        daemon.force("careful", "open")
        resting = self.await_that("it is withdrawn", lambda: self.interceptions(daemon, "resting"), 60, daemon)[0]
        self.assertIn("withdrawn: it took", resting["why"])
        self.assertTrue(resting["report"]["withdrawn"])
        self.assertIsNotNone(resting["next_try"])
        self.assertEqual([each["event"] for each in self.events(daemon)], ["begun", "withdrawn"])
        self.assertIn("interception withdrawn: deposit of pid", daemon.text())
        self.await_losing(tills, daemon)

    def test_kill_9_leaves_nothing(self):
        tills = self.start_tills()
        usual = self.await_losing(tills)
        daemon = self.start_daemon(self.policy(tills, switch=self.switch()))
        daemon.force("careful", "open")
        self.await_running(daemon)
        self.await_kept_apart(tills, usual, daemon)
        programs = ids_of(daemon.pid, "prog")
        self.assertGreater(len(programs), 2)
        daemon.send(signal.SIGKILL)
        daemon.wait()
        self.await_that("its programs are gone", lambda: not programs & all_programs())
        self.await_losing(tills)


if __name__ == "__main__":
    unittest.main(verbosity=2)
