#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What targets can do to the daemon, and it to them: die, exec, come and go, be replaced on disk."""
import os
import signal
import subprocess
import unittest

from harness import BIN, EndToEnd, checkout_policy, copy_program, lifecycle_policy


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Targets(EndToEnd):
    def test_target_killed_under_probes(self):
        checkout, daemon = self.guarded_checkout()
        load = self.start_load(checkout)
        self.await_that("calls are counted", lambda: daemon.function("recommend")["calls"] > 20, 10, daemon)
        checkout.send(signal.SIGKILL)
        checkout.wait()
        self.kill(load)
        self.await_that("the target is gone", lambda: daemon.targets() == {}, 10, daemon)
        self.assertTrue(self.alive(daemon).ready())
        checkout.path.unlink()
        again = self.start_checkout()
        self.await_probed(daemon, again)

    def test_target_exec(self):
        daemon = self.start_daemon(lifecycle_policy(self.lifecycle_path()))
        holder = self.start_lifecycle("locks", 1)  # keeps the function probed while the other comes and goes
        self.await_that("the function is probed", lambda: daemon.targets()[holder.pid]["functions_probed"] >= 1, 10, daemon)
        before = daemon.function("work")["calls"]
        program = self.start_lifecycle("exec", 20, 1000)
        self.assertEqual(program.wait(30), 0)
        self.assertEqual(int(program.text()), 21_000)
        seen = self.await_that("its calls are counted", lambda: daemon.function("work")["calls"] - before, 5, daemon)
        self.assertLessEqual(seen, 21_000)
        self.await_that("it is gone", lambda: set(daemon.targets()) == {holder.pid}, 10, daemon)
        self.assertTrue(holder.alive())

    def test_becomes_a_target_by_exec(self):
        path = self.lifecycle_path()
        daemon = self.start_daemon(lifecycle_policy(path))
        shell = subprocess.Popen(["sh", "-c", 'read line; exec "$0" locks 1', str(path)], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        self.assertNotIn(shell.pid, daemon.targets())
        shell.stdin.write(b"go\n")
        shell.stdin.close()
        self.await_that("it is a target now", lambda: daemon.targets()[shell.pid]["functions_probed"] >= 1, 10, daemon)

    def test_exceptions_pass_a_guarded_function(self):
        """A return probe in their way would end the process: the function is probed where it returns instead."""
        path = self.scratch / "thrower"
        copy_program(BIN / "thrower", path)
        process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.stdin.close(), process.wait(), process.stdout.close()))
        daemon = self.start_daemon(f"""apiVersion: raceguard/v1
policies:
  - name: orders
    target: {{exe: "{path}"}}
    budget: 100%
    functions:
      - {{name: place_order, symbol: place_order, error_when: {{returns: "< 0"}}}}
""")
        self.await_that("it is probed", lambda: daemon.targets().get(process.pid, {}).get("functions_probed") == 1, 10, daemon)
        process.stdin.write("1000\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "100\n")
        figures = self.await_that("all calls are counted", lambda: (
            (found := daemon.function("place_order")) and found["calls"] == 1000 and found), 10, daemon)
        self.assertEqual(figures["returns"], 900, "those that did not throw")
        self.assertEqual(figures["errors"], 500, "the even ones")
        self.assertGreaterEqual(daemon.ctl("functions")["functions"][0]["probe"]["return_sites"], 1)
        self.assertEqual(daemon.status()["omissions"], [])
        self.assertEqual(daemon.status()["drops"]["call_unmatched"], 0)

    def test_200_short_lived_targets(self):
        daemon = self.start_daemon(lifecycle_policy(self.lifecycle_path()))
        holder = self.start_lifecycle("locks", 1)
        self.await_that("the function is probed", lambda: daemon.targets()[holder.pid]["functions_probed"] >= 1, 10, daemon)
        files = open_files(daemon.pid)
        for number in range(200):
            done = subprocess.run([str(self.lifecycle_path()), "calls", "50"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "50\n"), f"target {number} was harmed")
        self.await_that("all are gone", lambda: set(daemon.targets()) == {holder.pid}, 10, daemon)
        self.await_that("nothing of them is kept open", lambda: open_files(daemon.pid) <= files + 2, 10, daemon)
        self.assertLessEqual(daemon.function("work")["calls"], 200 * 50)
        self.assertTrue(self.alive(daemon).ready())

    def test_replaced_while_it_runs(self):
        checkout, daemon = self.guarded_checkout()
        load = self.start_load(checkout)
        self.await_that("calls are counted", lambda: daemon.function("recommend")["calls"] > 20, 10, daemon)
        old = checkout.path
        copy_program(BIN / "checkout-nofp", self.scratch / "new")
        os.rename(self.scratch / "new", old)  # as a package manager does: the path is another file now
        calls = daemon.function("recommend")["calls"]
        self.await_that("the old one still counts", lambda: daemon.function("recommend")["calls"] > calls, 10, daemon)
        daemon.send(signal.SIGHUP)
        self.await_that("the reload is through", lambda: daemon.status()["policy"]["generation"] == 2, 10, daemon)
        self.assertTrue(checkout.alive() and load.alive())
        self.assertFalse(checkout.degraded())
        newer = self.start_checkout(existing=old, name="newer")
        self.await_that("the new one is probed as what it is", lambda: daemon.targets()[newer.pid]["functions_probed"] == 1,
                        15, daemon)
        self.assertEqual(daemon.targets()[checkout.pid]["functions_probed"], 1, "each has the probe of its own file")
        ids = {each["probe"]["build_id"] for each in daemon.ctl("functions")["functions"] if each["probe"]}
        self.assertEqual(len(ids), 2, "both files are probed, each at its own site")
        newer.request("buy 1 1")
        self.assertTrue(newer.alive() and checkout.alive())

    def test_replaced_before_the_guard_came(self):
        checkout = self.start_checkout()
        copy_program(BIN / "checkout-nofp", self.scratch / "new")
        os.rename(self.scratch / "new", checkout.path)
        daemon = self.start_daemon(checkout_policy(checkout.path))
        self.await_that("it is found, or told why not",
                        lambda: daemon.targets().get(checkout.pid) or daemon.status()["omissions"], 10, daemon)
        for _ in range(20):
            checkout.request("buy 1 1")
        probed = daemon.targets().get(checkout.pid, {}).get("functions_probed", 0)
        omitted = [each for each in daemon.status()["omissions"] if "RG-T103" in each["reason"]]
        self.assertTrue(probed or omitted, "neither probed by what really runs, nor told as RG-T103")
        if probed:
            self.await_that("its calls are counted", lambda: daemon.function("recommend")["calls"] >= 1, 5, daemon)
        self.assertTrue(checkout.alive(), "wrong bytes were probed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
