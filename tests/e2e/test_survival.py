#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What can happen to the daemon itself: killed, started twice, out of space, given a broken policy."""
import json
import pathlib
import signal
import subprocess
import time
import unittest

from harness import BIN, Daemon, EndToEnd, Program, checkout_policy, lifecycle_policy


class Survival(EndToEnd):
    def test_kill_9_closes_every_switch(self):
        checkout, daemon = self.guarded_checkout()
        self.start_load(checkout)
        daemon.force("recommendations", "open")
        self.await_that("word and page say open", lambda: checkout.word() == 1 and checkout.degraded())
        page = daemon.run_directory / "switches"
        self.assertFalse(daemon.page().stale())
        daemon.send(signal.SIGKILL)
        daemon.wait()
        self.await_that("the kernel takes the word back", lambda: checkout.word() == 0, 1)
        self.assertTrue(page.exists(), "a killed daemon cannot take its page away")
        self.await_that("the page is stale within three heartbeats", lambda: daemon.page().stale(), 1)
        self.await_that("the server is not degraded", lambda: not checkout.degraded(), 2)
        self.assertTrue(checkout.alive())

    def test_starts_again_after_kill_9(self):
        checkout, daemon = self.guarded_checkout()
        daemon.force("recommendations", "open")
        daemon.send(signal.SIGKILL)
        daemon.wait()
        again = self.start_daemon(checkout_policy(checkout.path))
        self.await_probed(again, checkout)
        self.assertEqual(again.switch("recommendations")["applied_state"], "closed")
        again.force("recommendations", "open")
        self.await_that("the new daemon reaches the server", lambda: checkout.word() == 1 and checkout.degraded(), 5, again)
        self.verify(again.evidence)

    def test_second_daemon_is_refused(self):
        checkout, daemon = self.guarded_checkout()
        daemon.force("recommendations", "open")
        second = self.keep(Program("second", [BIN / "raceguardd", "--config", daemon.directory / "daemon.yaml",
                                              "--config", daemon.policy_file], self.scratch))
        self.assertNotEqual(second.wait(20), 0)
        self.assertIn("RG-M101", second.text())
        self.assertIn(str(daemon.pid), second.text(), "the message names who runs")
        self.assertTrue(self.alive(daemon).ready())
        self.assertEqual(checkout.word(), 1)
        self.assertTrue((daemon.run_directory / "control.sock").exists())

    def test_broken_policy_keeps_the_old_one(self):
        checkout, daemon = self.guarded_checkout()
        self.start_load(checkout)
        self.await_that("calls are counted", lambda: daemon.function("recommend")["calls"] > 20, 10, daemon)
        daemon.force("recommendations", "open")
        generation = daemon.status()["policy"]["generation"]
        good = daemon.policy_file.read_text()
        calls = daemon.function("recommend")["calls"]

        daemon.policy_file.write_text(good.replace("slow: 20ms", "slow: 20 parsecs"))
        daemon.send(signal.SIGHUP)
        self.await_that("the reload fails", lambda: daemon.status()["policy"]["reload_failures"] == 1, 10, daemon)
        policy = daemon.status()["policy"]
        self.assertEqual(policy["generation"], generation)
        self.assertRegex(policy["last_error"], r"policy\.yaml:\d+:\d+")
        self.assertEqual(daemon.switch("recommendations")["applied_state"], "open")
        self.assertEqual(checkout.word(), 1)

        daemon.policy_file.write_text(good.replace("slow: 20ms", "slow: 25ms"))
        daemon.send(signal.SIGHUP)
        self.await_that("the next reload succeeds", lambda: daemon.status()["policy"]["generation"] == generation + 1, 10, daemon)
        self.assertIsNone(daemon.status()["policy"]["last_error"])
        self.assertEqual(daemon.switch("recommendations")["applied_state"], "open", "a reload keeps the switches' state")
        self.assertGreaterEqual(daemon.function("recommend")["calls"], calls, "a reload keeps the figures")
        daemon.ctl("release", "recommendations")
        self.await_that("calls are counted again", lambda: daemon.function("recommend")["calls"] > calls, 20, daemon)

    def test_switches_stay_open_while_many_probes_go(self):
        # A probe takes some 20 ms to go; the page of a daemon that does nothing else meanwhile would be stale.
        checkout, daemon = self.guarded_checkout(settings={"heartbeat": "300ms"})
        daemon.force("recommendations", "open")
        few = daemon.policy_file.read_text()
        many = few.replace("    switches:", '      - name: all\n        symbol: "*"\n        may_throw: false\n    switches:', 1)
        self.reload(daemon, many)
        self.assertGreater(daemon.status()["counts"]["probes"], 40)
        self.assertNotIn(" error ", daemon.text(), "each of them can be probed")
        page = daemon.page()
        daemon.policy_file.write_text(few)
        daemon.send(signal.SIGHUP)
        oldest = 0
        while daemon.page().heartbeat_ns < page.heartbeat_ns + 3_000_000_000:
            oldest = max(oldest, time.monotonic_ns() - daemon.page().heartbeat_ns)
            self.assertTrue(self.alive(daemon))
        self.assertLess(oldest, 3 * page.period_ns, "applications took the daemon for dead")
        self.assertTrue(checkout.degraded())
        self.assertEqual(daemon.status()["counts"]["probes"], 1)
        self.assertEqual(daemon.status()["drops"]["function_unknown"], 0)

    def test_removed_switch_closes(self):
        checkout, daemon = self.guarded_checkout()
        daemon.force("recommendations", "open")
        self.await_that("the fallback is taken", checkout.degraded)
        self.reload(daemon, daemon.policy_file.read_text().partition("    switches:")[0])
        self.await_that("the word is back", lambda: checkout.word() == 0, 5, daemon)
        self.await_that("the real function is called", lambda: not checkout.degraded(), 5, daemon)

    def reload(self, daemon, policy):
        generation = daemon.status()["policy"]["generation"]
        daemon.policy_file.write_text(policy)
        daemon.send(signal.SIGHUP)
        self.await_that("the reload is through", lambda: daemon.status()["policy"]["generation"] > generation, 20, daemon)

    def test_never_starts_with_a_broken_policy(self):
        daemon = self.keep(Daemon(self.scratch, "apiVersion: raceguard/v1\npolicies:\n  - nmae: x\n"))
        self.assertNotEqual(daemon.wait(20), 0)
        self.assertRegex(daemon.text(), r"policy\.yaml:3:\d+.*nmae")
        self.assertIn("name", daemon.text())

    def test_full_disk_stops_no_decision(self):
        checkout = self.start_checkout()
        disk = self.scratch / "disk"
        disk.mkdir()
        # A small disk in a mount namespace of the daemon's own: it goes when the daemon goes.
        mount_and_run = 'mount -t tmpfs -o size=128k tmpfs "$0" && exec "$@"'
        daemon = self.start_daemon(checkout_policy(checkout.path), settings={"evidence_file": disk / "evidence.jsonl"},
                                   prefix=["unshare", "--mount", "sh", "-c", mount_and_run, disk])
        self.await_probed(daemon, checkout)
        inside = pathlib.Path(f"/proc/{daemon.pid}/root{disk}")
        filler = inside / "filler"
        with open(filler, "wb", buffering=0) as full:
            with self.assertRaises(OSError):
                while True:
                    full.write(b"x" * 512)
        for _ in range(40):  # more than fits in what the file's last page still has room for
            daemon.force("recommendations", "open")
            daemon.force("recommendations", "closed")
        daemon.force("recommendations", "open")
        self.await_that("the switch still opens", lambda: checkout.word() == 1, 5, daemon)
        self.await_that("records wait for room", lambda: daemon.status()["evidence"]["pending"] > 0, 5, daemon)
        filler.unlink()
        self.await_that("they are written when there is room", lambda: daemon.status()["evidence"]["pending"] == 0, 5, daemon)
        self.assertEqual(daemon.status()["evidence"]["lost"], 0)
        copy = self.scratch / "evidence.jsonl"
        copy.write_bytes((inside / "evidence.jsonl").read_bytes())
        self.verify(copy)
        decisions = [json.loads(line) for line in copy.read_text().splitlines()]
        self.assertEqual(sum(each["kind"] == "decision" for each in decisions), 81)

    def test_full_ring_loses_evidence_only(self):
        checkout, daemon = self.guarded_checkout(settings={"ring_size": "64KiB"})
        checkout.request("trouble on")
        daemon.force("recommendations", "closed")
        daemon.send(signal.SIGSTOP)  # nobody reads the ring
        load = self.start_load(checkout, seconds=8)
        load.wait(30)
        daemon.send(signal.SIGCONT)
        self.await_that("what was lost is counted", lambda: daemon.status()["drops"]["ring_full"] > 0, 10, daemon)
        served = int(checkout.request("stats")["requests"])
        self.await_that("no call is missing", lambda: daemon.function("recommend")["calls"] == served, 10, daemon)
        self.assertGreater(daemon.lock("inventory_lock")["waits"], 10)

    def test_full_maps_are_counted(self):
        daemon = self.start_daemon(lifecycle_policy(self.lifecycle_path()), settings={"max_locks": 16})
        program = self.start_lifecycle("locks", 200)
        self.await_that("200 locks were contended", lambda: program.text().strip() == "200", 30, daemon)
        self.await_that("what did not fit is counted", lambda: daemon.status()["drops"]["locks_full"] > 0, 10, daemon)
        self.assertLessEqual(daemon.status()["counts"]["locks"], 64)
        self.assertTrue(self.alive(daemon).ready())

    def verify(self, evidence):
        done = subprocess.run([str(BIN / "raceguardctl"), "verify", str(evidence)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
