#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on examples/checkout: contended lock by name and code, slow function, switch, fallback, and back."""
import unittest

from harness import EndToEnd, checkout_policy


def functions_of(sites):
    return {frame["function"].partition("(")[0] for site in sites for frame in site["stack"]["frames"]
            if frame["function"]}


class MainJob(EndToEnd):
    def test_degrades_and_recovers(self):
        checkout, daemon = self.guarded_checkout()
        self.start_load(checkout)
        self.assertFalse(checkout.degraded())
        checkout.request("trouble on")
        self.await_that("the switch opens", lambda: daemon.switch("recommendations")["applied_state"] == "open", 20, daemon)
        self.await_that("the word is set", lambda: checkout.word() == 1)
        self.await_that("the page says open", lambda: daemon.page().states["recommendations"] == "open")
        self.await_that("the fallback is taken", checkout.degraded)
        checkout.request("trouble off")
        self.await_that("the switch closes", lambda: daemon.switch("recommendations")["applied_state"] == "closed", 40, daemon)
        self.await_that("the word is back", lambda: checkout.word() == 0)
        self.assertFalse(checkout.degraded())
        path = [(each["from"], each["to"]) for each in daemon.ctl("explain", "recommendations")["history"]]
        self.assertEqual(path[0], ("closed", "open"))
        self.assertEqual(path[-1], ("half_open", "closed"))
        self.assertIn(("open", "half_open"), path)

    def test_names_the_lock_and_its_code(self):
        self.lock_and_code("checkout")

    def test_names_the_lock_without_frame_pointers(self):
        self.lock_and_code("checkout-nofp")

    def lock_and_code(self, binary):
        checkout = self.start_checkout(binary=binary)
        daemon = self.start_daemon(checkout_policy(checkout.path, mode="observe"))
        self.await_probed(daemon, checkout)
        self.start_load(checkout)
        checkout.request("trouble on")
        lock = self.await_that("both code sites of inventory_lock are known", lambda: (
            (found := daemon.lock("inventory_lock")) and "reserve" in functions_of(found["waiters"]) and
            "restock" in functions_of(found["holders"]) and found), 20, daemon)
        self.assertGreaterEqual(lock["wait_seconds"]["max"], 0.002)
        self.assertLess(lock["wait_seconds"]["p99"], 1)
        self.assertEqual(daemon.switch("recommendations")["applied_state"], "closed", "observe must not flip anything")
        self.assertEqual(checkout.word(), 0)

    def test_idle_workers_are_no_contention(self):
        checkout, daemon = self.guarded_checkout()
        self.start_load(checkout, rate=20)
        self.await_that("waits on the queue's condition are seen and told apart", lambda: any(
            each["kind"] == "condition" and each["waits"] > 20 for each in daemon.ctl("locks")["locks"]), 20, daemon)
        long = [each for each in daemon.ctl("locks")["locks"] if each["kind"] == "lock" and each["wait_seconds"]["max"] > 0.5]
        self.assertEqual(long, [])

    def test_counts_every_call(self):
        checkout, daemon = self.guarded_checkout()
        before = daemon.function("recommend")["calls"]
        requests_before = int(checkout.request("stats")["requests"])
        load = self.start_load(checkout, rate=0, seconds=2)
        self.assertEqual(load.wait(30), 0, load.text())
        served = int(checkout.request("stats")["requests"]) - requests_before
        self.assertGreater(served, 100)
        self.await_that(f"{served} calls are counted", lambda: daemon.function("recommend")["calls"] - before == served, 5, daemon)
        self.assertEqual(daemon.function("recommend")["in_flight"], 0)

    def test_finds_a_target_that_comes_later(self):
        daemon = self.start_daemon(checkout_policy(self.scratch / "checkout"))
        self.assertEqual(daemon.targets(), {})
        checkout = self.start_checkout()
        self.await_probed(daemon, checkout)

    def test_stops_without_a_trace(self):
        checkout, daemon = self.guarded_checkout()
        daemon.force("recommendations", "open")
        self.await_that("the word is set", lambda: checkout.word() == 1)
        self.assertEqual(daemon.end(), 0, daemon.text())
        self.assertEqual(checkout.word(), 0)
        self.assertFalse(checkout.degraded())
        left = {each.name for each in daemon.run_directory.iterdir()} if daemon.run_directory.exists() else set()
        self.assertNotIn("control.sock", left)
        self.assertNotIn("switches", left)


if __name__ == "__main__":
    unittest.main(verbosity=2)
