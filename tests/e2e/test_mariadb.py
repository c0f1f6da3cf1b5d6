#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real server that nobody prepared: Debian's stripped MariaDB under sysbench, guarded by config/policies/mariadb.yaml."""
import pathlib
import unittest

from harness import EndToEnd, Program
from mariadb import CLIENTS, MariaDb, Prometheus, fetch_text, free_port, mariadb_policy

EXECUTABLE = "mariadbd"


def frames_in_server(lock):
    return [frame for site in lock["waiters"] for frame in site["stack"]["frames"]
            if pathlib.Path(frame["binary"]).name == EXECUTABLE]


class MariaDbGuarded(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.keep(MariaDb(self.scratch))
        self.server.prepare()

    def guard(self, functions=True):
        self.http_port = free_port()
        daemon = self.start_daemon(mariadb_policy(self.server.pid, functions), settings={"listen_port": self.http_port})
        self.await_that("the server is a target", lambda: self.server.pid in daemon.targets(), 10, daemon)
        return daemon

    def load(self, seconds=6):
        done = self.keep(Program("load", self.server.load(seconds), self.scratch))
        self.assertEqual(done.wait(seconds + 60), 0, done.text())

    def settled_calls(self, daemon):
        """The count of calls once no call is under way and two ticks agree; nothing but this test uses the server."""
        calls_at_tick = {}

        def settled():
            tick = daemon.status()["loop"]["ticks"]
            calls_at_tick[tick] = daemon.function("dispatch_command")["calls"]
            last = [calls for _, calls in sorted(calls_at_tick.items())[-3:]]
            return len(last) == 3 and len(set(last)) == 1
        self.await_that("the function's figures settle", settled, 20, daemon)
        return daemon.function("dispatch_command")["calls"]

    def test_counts_agree_with_the_server(self):
        daemon = self.guard()
        self.assertEqual(daemon.targets()[self.server.pid]["functions_probed"], 1, "dispatch_command is probed")
        # What dispatch_command serves beside questions: COM_QUIT of each client (not counted by the server), COM_PING.
        server_before, guard_before = self.server.counters(), self.settled_calls(daemon)
        self.load()
        server_after, guard_after = self.server.counters(), self.settled_calls(daemon)
        counted = guard_after - guard_before
        grown = {name: server_after[name] - server_before[name] for name in ("Questions", "Com_update", "Connections")}
        print(f"dispatch_command {counted} calls; Questions {grown['Questions']}, Com_update {grown['Com_update']}")
        self.assertGreater(grown["Questions"], 2000, "the load did not load")
        self.assertAlmostEqual(counted / grown["Questions"], 1, delta=0.01)
        self.assertAlmostEqual(counted / (grown["Com_update"] + 2 * CLIENTS), 1, delta=0.01)
        figures = daemon.function("dispatch_command")
        self.assertEqual(figures["calls"], figures["returns"] + figures["in_flight"], "every call came back")
        metrics = fetch_text(f"http://127.0.0.1:{self.http_port}/metrics")
        self.assertIn('raceguard_function_duration_seconds_bucket{', metrics)

    def test_finds_locks_by_their_code(self):
        daemon = self.guard(functions=False)
        self.load()
        locks = [each for each in daemon.ctl("locks")["locks"] if each["waits"] > 50]
        contended = [each for each in locks if each["kind"] == "lock"]
        self.assertTrue(contended, f"no contended lock among {[each['name'] for each in locks]}")
        self.assertTrue(any(each["kind"] == "condition" for each in daemon.ctl("locks")["locks"]),
                        "clients that wait for a row, and idle workers, wait on conditions")
        for lock in contended:
            print(f"{lock['waits']:>7} waits, p99 {lock['wait_seconds']['p99'] * 1e6:.0f} us: {lock['name']}")
        self.assertTrue(any(frame["function"] for lock in contended for frame in frames_in_server(lock)),
                        "no waiter's stack names a function of the server")
        for lock in contended:
            self.assertNotIn("?", lock["name"])
            self.assertLess(lock["wait_seconds"]["p99"], 5, f"idling counted as contention: {lock['name']}")
        trusted = [site for lock in contended for site in lock["waiters"] if site["stack"]["trust"] != "untrusted"]
        self.assertTrue(trusted, "no waiter's stack is trusted")

    def test_a_real_prometheus_scrapes_it(self):
        daemon = self.guard()
        prometheus = self.keep(Prometheus(self.scratch, self.http_port))
        self.await_that("Prometheus scrapes the daemon",
                        lambda: [value for _, value in prometheus.query('up{job="raceguard"}')] == [1], 30)
        self.load()
        calls = daemon.function("dispatch_command")["calls"]

        def scraped():
            found = prometheus.query('raceguard_function_calls_total{function="dispatch_command"}')
            return found and found[0][1] >= calls and found
        self.assertEqual(len(self.await_that("the calls are in Prometheus", scraped, 30, daemon)), 1)
        waits = self.await_that("the waits are in Prometheus",
                                lambda: prometheus.query("raceguard_lock_waits_total > 0"), 30, daemon)
        self.assertTrue(all(labels.get("lock") for labels, _ in waits), waits)
        self.assertEqual([value for _, value in prometheus.query('up{job="raceguard"}')], [1])
        self.assertEqual(prometheus.query("raceguard_evidence_lost_total > 0"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
