#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the guard may cost: a function that is called all the time is left alone, the others stay probed. States and
counts only; how fast it goes is for tests/bench/hot_function."""
import json
import re
import subprocess
import time
import unittest
import urllib.request

from harness import BIN, EndToEnd, Program, copy_program
from mariadb import free_port

HOT = "its probe took .* of the CPU time of hot_and_cold"


def policy(path, budget="1%"):
    return f"""apiVersion: raceguard/v1
policies:
  - name: hot_and_cold
    target: {{exe: "{path}"}}
    budget: {budget}
    functions:
      - {{name: hot, symbol: hot}}
      - {{name: cold, symbol: cold, error_when: {{returns: ">= 0"}}}}
"""


def policy_for_warm(path, budget):
    return f"""apiVersion: raceguard/v1
policies:
  - name: hot_and_cold
    target: {{exe: "{path}"}}
    budget: {budget}
    functions:
      - {{name: warm, symbol: warm}}
"""


def policy_for_locks(path, budget):
    return f"""apiVersion: raceguard/v1
policies:
  - name: locks
    target: {{exe: "{path}"}}
    contention: {{budget: {budget}}}
"""


def policy_with_switch(path):
    return f"""apiVersion: raceguard/v1
policies:
  - name: hot_and_cold
    target: {{exe: "{path}"}}
    functions:
      - {{name: hot, symbol: hot, slow: 1s}}
    switches:
      - name: fallback
        functions: [hot]
        mode: enforce
        open_when: {{slow_ratio: 50%}}
        open_for: 1s
        half_open: {{deadline: 2s}}
"""


def has_sessions():
    features = json.loads(subprocess.run([str(BIN / "raceguardctl"), "features", "-o", "json"], capture_output=True,
                                         text=True, check=True).stdout)["features"]
    return any(each["name"] == "uprobe_session" and each["available"] for each in features)


class Budget(EndToEnd):
    def start_target(self):
        path = self.scratch / "hot_and_cold"
        if not path.exists():
            copy_program(BIN / "hot_and_cold", path)
        return self.keep(Program("hot_and_cold-target", [path, "run"], self.scratch)), path

    def guarded(self, settings, budget="1%"):
        target, path = self.start_target()
        return target, self.start_daemon(policy(path, budget), settings={"exempt_error_ratio": "100%", **settings})

    def steps(self, daemon, function):
        records = [json.loads(line) for line in daemon.evidence.read_text().splitlines()]
        return [each["data"] for each in records if each["kind"] == "budget" and each["data"]["function"] == function]

    def exemptions(self, daemon):
        return {each["name"]: each for each in daemon.ctl("functions")["exemptions"]}

    def guard(self, daemon):
        return next(each for each in daemon.status()["budget"]["guards"] if each["guard"] == "hot_and_cold")

    def test_a_hot_function_is_left_alone_and_the_others_are_not(self):
        target, daemon = self.guarded({"exempt_for": "1h"})
        self.await_that("the hot function is exempt",
                        lambda: self.exemptions(daemon).get("hot", {}).get("state") == "exempt", 20, daemon)
        self.assertRegex(self.exemptions(daemon)["hot"]["reason"], HOT)
        self.assertNotIn("cold", self.exemptions(daemon))
        seen = daemon.function("cold")["calls"]
        self.await_that("the cold one is counted still", lambda: daemon.function("cold")["calls"] > seen + 20, 10, daemon)
        self.assertIsNone(daemon.function("hot"), "figures of what is not probed would be old ones")
        status = daemon.status()
        self.assertEqual(status["counts"]["probes"], 1)
        self.assertEqual([each["what"] for each in status["omissions"]], ["function hot"])
        self.assertIn("RG-B101", status["omissions"][0]["reason"])
        self.await_that("the rest keeps to the budget", lambda: self.guard(daemon)["share"] < 0.01, 30, daemon)
        guard = self.guard(daemon)
        self.assertGreater(guard["cost_seconds"], 0)
        self.assertGreater(guard["target_cpu_seconds"], guard["cost_seconds"])
        self.assertEqual(guard["steps"], {"sample": 0, "sample_more": 0, "exempt": 1, "try": 0, "restore": 0})
        record, = self.steps(daemon, "hot")
        self.assertEqual((record["step"], record["guard"]), ("exempt", "hot_and_cold"))
        self.assertGreater(record["evidence"][0]["value"], record["evidence"][0]["threshold"])
        self.assertTrue(target.alive())

    def test_it_is_tried_again_and_longer_left_alone(self):
        _, daemon = self.guarded({"exempt_for": "1s"})
        steps = self.await_that("it was tried twice", lambda: (
            (found := self.steps(daemon, "hot")) and [each["step"] for each in found].count("try") >= 2 and found),
            40, daemon)
        self.assertEqual([each["step"] for each in steps][:4], ["exempt", "try", "exempt", "try"])
        off = [later["monotonic_ns"] - earlier["monotonic_ns"]
               for earlier, later in zip(steps[0:4:2], steps[1:4:2])]
        self.assertGreater(off[1], 1.4 * off[0], "the back-off doubles")
        self.assertEqual(self.steps(daemon, "cold"), [])

    def share_of_the_next(self, calls, figures, daemon):
        """Of so many calls from now on, how many were seen to return."""
        before = figures()
        after = self.await_that("it is called on", lambda: (
            (found := figures()) and found["calls"] > before["calls"] + calls and found), 20, daemon)
        return (after["returns"] - before["returns"]) / (after["calls"] - before["calls"])

    def budget_just_too_small(self, daemon, path, figures):
        """What the function's probe took with all returns seen, and what became of it when a seventh less was allowed:
        None if its share fell by itself. All of it within the 20 s after which returns are hidden to check the model."""
        daemon.policy_file.write_text(policy_for_warm(path, "100%"))
        daemon.ctl("reload")
        begun, calls = time.monotonic(), figures()["calls"] if figures() else 0
        full = self.await_that("it was called often, for some seconds", lambda: (
            time.monotonic() > begun + 5 and (found := figures()) and found["calls"] > calls + 5000 and found), 40, daemon)
        self.assertEqual(full["return_share"], 1)
        daemon.policy_file.write_text(policy_for_warm(path, f"{85 * full['probe_cost']['share']:.4f}%"))
        daemon.ctl("reload")
        state, until = None, time.monotonic() + 13
        while not state and time.monotonic() < until:
            state = self.exemptions(daemon).get("warm", {}).get("state")
            time.sleep(0.05)
        return full, state

    def test_fewer_returns_are_seen_where_that_does(self):
        _, path = self.start_target()
        daemon = self.start_daemon(policy_for_warm(path, "100%"), settings={"exempt_for": "1h"})
        if not has_sessions():
            self.skipTest("this kernel has no uprobe sessions")
        figures = lambda: next((each for each in daemon.ctl("functions")["functions"] if each["name"] == "warm"), None)
        for _ in range(7):  # on a busy machine a call's cost moves by more than there is room between the two bounds
            full, state = self.budget_just_too_small(daemon, path, figures)
            if state == "sampled":
                break
        self.assertEqual(state, "sampled")
        sampled = figures()
        self.assertEqual([each["step"] for each in self.steps(daemon, "warm")][-1], "sample")
        self.assertIn(sampled["return_share"], (1 / 4, 1 / 32))
        self.assertLess(sampled["probe_cost"]["per_call_seconds"], full["probe_cost"]["per_call_seconds"])
        self.assertAlmostEqual(self.share_of_the_next(4000, figures, daemon), sampled["return_share"], delta=0.08)
        daemon.policy_file.write_text(policy_for_warm(path, "100%"))
        daemon.ctl("reload")
        self.assertEqual(self.exemptions(daemon), {})
        self.assertEqual(figures()["return_share"], 1)

    def test_a_switch_whose_function_is_exempt_does_not_stay_open(self):
        _, path = self.start_target()
        daemon = self.start_daemon(policy_with_switch(path), settings={"exempt_for": "1h", "exempt_error_ratio": "100%"})
        self.await_that("the hot function is exempt", lambda: "hot" in self.exemptions(daemon), 20, daemon)
        switch = lambda: daemon.ctl("explain", "fallback")["switch"]
        self.assertEqual(switch()["unprobed_functions"], ["hot"])
        daemon.ctl("force", "fallback", "open", "--reason", "test", "--for", "1s")
        self.assertEqual(switch()["state"], "open")
        self.await_that("it is closed again", lambda: switch()["state"] == "closed", 20, daemon)

    def test_another_budget_brings_it_back(self):
        target, daemon = self.guarded({"exempt_for": "1h"})
        self.await_that("the hot function is exempt", lambda: "hot" in self.exemptions(daemon), 20, daemon)
        daemon.policy_file.write_text(policy(self.scratch / "hot_and_cold", "100%"))
        daemon.ctl("reload")
        self.assertEqual(self.exemptions(daemon), {})
        self.await_that("it is counted", lambda: daemon.function("hot")["calls"] > 1000, 10, daemon)
        self.assertEqual(daemon.status()["omissions"], [])

    def test_returns_are_hidden_now_and_then_to_hold_the_charge_against_the_callers(self):
        _, path = self.start_target()
        daemon = self.start_daemon(policy_for_warm(path, "50%"), settings={"exempt_for": "1h"})
        if not has_sessions():
            self.skipTest("this kernel has no uprobe sessions")
        warm = lambda: daemon.function("warm")
        self.await_that("pairs of windows are judged", lambda: self.guard(daemon)["model"]["felt_times"], 90, daemon)
        after = warm()
        self.assertLess(after["returns"], 0.95 * after["calls"], "in half of the windows no return is seen")
        model = self.guard(daemon)["model"]
        self.assertLessEqual(model["lower"], model["felt_times"])
        self.assertLessEqual(model["felt_times"], model["upper"])
        self.assertFalse(daemon.status()["budget"]["fuse"]["open"])
        self.await_that("all are seen again", lambda: self.share_of_the_next(1000, warm, daemon) > 0.99, 40, daemon)

    def test_the_contention_watch_rests_where_it_would_be_too_dear(self):
        path = self.scratch / "lock_mix"
        copy_program(BIN / "lock_mix", path)
        process = subprocess.Popen([path, "gate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.stdin.close(), process.wait(), process.stdout.close()))
        self.assertEqual(process.stdout.readline(), "ready\n")
        daemon = self.start_daemon(policy_for_locks(path, "0.2%"))
        account = lambda: daemon.status()["budget"]["contention"][0]
        self.await_that("the watch rests", lambda: account()["resting"], 20, daemon)
        self.assertLess(account()["watched_share"], 1)
        self.assertGreater(account()["cost_seconds"], 0)
        step = next(each["data"] for line in daemon.evidence.read_text().splitlines()
                    if (each := json.loads(line))["kind"] == "budget")
        self.assertEqual((step["step"], step["guard"]), ("watch_less", "locks"))
        self.assertGreater(step["evidence"][0]["value"], step["evidence"][0]["threshold"])
        waits = lambda: sum(each["waits"] for each in daemon.ctl("locks")["locks"])
        self.await_that("it watches again after a rest", lambda: not account()["resting"], 60, daemon)
        self.assertGreater(waits(), 0)
        self.assertIn("locks are watched", subprocess.run(
            [str(BIN / "raceguardctl"), "--run-directory", str(daemon.run_directory), "status"], capture_output=True,
            text=True, check=True).stdout)
        daemon.policy_file.write_text(policy_for_locks(path, "100%"))
        daemon.ctl("reload")
        self.assertEqual(account()["watched_share"], 1)
        seen = waits()
        self.await_that("each wait is seen again", lambda: waits() > seen + 100, 20, daemon)

    def test_slow_ticks_do_not_slow_the_governor(self):
        _, daemon = self.guarded({"exempt_for": "1h", "tick": "10s", "heartbeat": "10s"})
        self.await_that("the hot function is exempt", lambda: self.steps(daemon, "hot"), 5, daemon)

    def test_the_fuse_takes_all_probes_off(self):
        _, daemon = self.guarded({"exempt_for": "2s", "fuse_handling": "100ns"}, "100%")
        fuse = self.await_that("the fuse is open", lambda: (
            (found := daemon.status()["budget"]["fuse"]) and found["open"] and found), 20, daemon)
        self.assertRegex(fuse["reason"], "handling a hit takes .* us, more than 0.1 us")
        self.await_that("it was tried again, and opened again",
                        lambda: daemon.status()["budget"]["fuse"]["steps"]["fuse_open"] >= 2, 20, daemon)
        records = [json.loads(line)["data"] for line in daemon.evidence.read_text().splitlines()]
        steps = [each["step"] for each in records if "step" in each]
        self.assertEqual(steps[:3], ["fuse_open", "fuse_try", "fuse_open"])

    def test_what_fails_is_left_alone_unless_a_switch_needs_it(self):
        _, daemon = self.guarded({"exempt_for": "1h", "exempt_error_ratio": "15%"}, "100%")
        self.await_that("it is exempt", lambda: "cold" in self.exemptions(daemon), 20, daemon)
        self.assertEqual(self.exemptions(daemon)["cold"]["reason"], "100 % of its calls failed, more than 15 %")
        self.assertNotIn("hot", self.exemptions(daemon))

    def test_people_and_prometheus_are_told(self):
        port = free_port()
        _, daemon = self.guarded({"exempt_for": "1h", "listen_port": port})
        self.await_that("the hot function is exempt", lambda: "hot" in self.exemptions(daemon), 20, daemon)
        for view in ("status", "functions"):
            shown = subprocess.run([str(BIN / "raceguardctl"), "--run-directory", str(daemon.run_directory), view],
                                   capture_output=True, text=True, check=True).stdout
            self.assertRegex(re.sub(r"\s+", " ", shown), f"exempt: hot of hot_and_cold: {HOT}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        guard = '{guard="hot_and_cold"}'
        self.assertGreater(float(metrics["raceguard_budget_hits_total" + guard]), 1000)
        self.assertGreater(float(metrics["raceguard_budget_cost_seconds_total" + guard]), 0)
        self.assertEqual(float(metrics["raceguard_budget_limit_ratio" + guard]), 0.01)
        self.assertEqual(metrics["raceguard_budget_exempt_functions" + guard], "1")
        self.assertEqual(metrics['raceguard_budget_steps_total{guard="hot_and_cold",step="exempt"}'], "1")
        self.assertEqual(metrics["raceguard_budget_fuse_open"], "0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
