#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Threads that wait for each other, and what only looks like it."""
import json
import os
import pathlib
import re
import signal
import unittest

from harness import BIN, SOURCE, EndToEnd, Program, copy_program

WAITING_LINES = {number for number, line in enumerate(
    (SOURCE / "tests/e2e/programs/deadlock.c").read_text().splitlines(), 1) if "here it waits" in line}


def policy(path):
    return f"""apiVersion: raceguard/v1
policies:
  - name: bank
    target:
      exe: "{path}"
"""


class Deadlock(EndToEnd):
    def watched(self, *kinds):
        """The daemon and a program of each kind, which it watches; none has begun."""
        path = self.scratch / "deadlock"
        copy_program(BIN / "deadlock", path)
        programs = [self.keep(Program(kind, [path, kind], self.scratch)) for kind in kinds]
        daemon = self.start_daemon(policy(path))
        for program in programs:
            self.await_that("it is a target", lambda: program.pid in daemon.targets(), 10, daemon)
        return daemon, programs

    def begin(self, program):
        self.await_that("it waits for its signal", lambda: "ready" in program.text())
        program.send(signal.SIGUSR1)

    def found(self, daemon, pid=None):
        return [finding for finding in daemon.ctl("findings")["findings"]
                if finding["kind"] == "deadlock" and pid in (None, finding["pid"])]

    def only(self, daemon, pid):
        findings = self.await_that("the deadlock is found", lambda: self.found(daemon, pid), 20, daemon)
        self.assertEqual(len(findings), 1, findings)
        return findings[0]

    def found_in(self, kind):
        daemon, (program,) = self.watched(kind)
        self.begin(program)
        return daemon, program, self.only(daemon, program.pid)

    def caller(self, thread):
        return thread["stack"]["frames"][thread["stack"]["caller"]]

    def functions(self, thread):
        return [frame["function"] for frame in thread["stack"]["frames"]]

    @staticmethod
    def asleep_in_futex(pid):
        calls = [pathlib.Path(f"/proc/{pid}/task/{tid}/syscall").read_text() for tid in os.listdir(f"/proc/{pid}/task")]
        return sum(call.startswith("202 ") for call in calls)

    def test_pair(self):
        daemon, program, finding = self.found_in("pair")
        self.assertEqual(finding["verdict"], "proven")
        self.assertEqual(finding["guard"], "bank")
        self.assertEqual(finding["behind"], 0)
        one, other = finding["threads"]
        self.assertEqual((one["name"], one["waits_for"]["name"]), ("worker-1", "audit_lock"))
        self.assertEqual((other["name"], other["waits_for"]["name"]), ("worker-2", "account_lock"))
        self.assertEqual((one["owner_tid"], other["owner_tid"]), (other["tid"], one["tid"]))
        for thread, function in ((one, "transfer"), (other, "audit")):
            self.assertIn(self.caller(thread)["line"], WAITING_LINES, thread)
            self.assertEqual(self.caller(thread)["function"], "lock_both")
            self.assertIn(function, self.functions(thread))
            self.assertTrue(thread["stack"]["complete"], thread)
        self.assertRegex(finding["text"], re.compile(
            rf"threads {one['tid']} \(worker-1\) and {other['tid']} \(worker-2\) of deadlock \({program.pid}\) wait for "
            rf"each other: {one['tid']} holds account_lock and waits for audit_lock in lock_both\(\) at deadlock.c:\d+; "
            rf"{other['tid']} holds audit_lock and waits for account_lock"))
        seen = finding["count"]
        self.await_that("it stands", lambda: self.found(daemon)[0]["count"] > seen + 1, 10, daemon)
        program.process.kill()
        program.wait()
        self.await_that("the target is gone", lambda: not daemon.targets(), 10, daemon)
        daemon.end()
        records = [json.loads(line) for line in daemon.evidence.read_text().splitlines()]
        self.assertEqual([record["data"]["pid"] for record in records if record["kind"] == "deadlock"], [program.pid])
        self.assertEqual(len(re.findall("proven deadlock: ", daemon.text())), 1, daemon.text())

    def test_ring_of_three_and_who_waits_behind(self):
        daemon, program, _ = self.found_in("ring")
        finding = self.await_that("with its onlooker", lambda: next(
            (each for each in self.found(daemon) if each["behind"] == 1), None), 10, daemon)
        self.assertEqual(finding["verdict"], "proven")
        self.assertEqual([thread["waits_for"]["name"] for thread in finding["threads"]],
                         ["audit_lock", "mail_lock", "account_lock"])
        self.assertIn("1 more thread waits behind them", finding["text"])

    def test_thread_that_waits_for_itself(self):
        _, _, finding = self.found_in("self")
        self.assertEqual(finding["verdict"], "proven")
        (thread,) = finding["threads"]
        self.assertEqual(thread["owner_tid"], thread["tid"])
        self.assertIn("waits for itself: it holds account_lock and locks it again in lock_twice() at deadlock.c:",
                      finding["text"])

    def test_writer_of_a_rwlock(self):
        _, _, finding = self.found_in("rwlock")
        self.assertEqual(finding["verdict"], "proven")
        self.assertEqual([(thread["waits_for"]["kind"], thread["waits_for"]["name"]) for thread in finding["threads"]],
                         [("rwlock", "table_lock"), ("mutex", "account_lock")])

    def test_service_that_hangs_already(self):
        """The daemon is started because of it: nobody saw these waits begin."""
        path = self.scratch / "deadlock"
        copy_program(BIN / "deadlock", path)
        program = self.keep(Program("ring", [path, "ring"], self.scratch))
        self.await_that("it waits for its signal", lambda: "ready" in program.text())
        self.begin(program)
        self.await_that("all four sleep", lambda: self.asleep_in_futex(program.pid) == 4)
        daemon = self.start_daemon(policy(path))
        finding = self.only(daemon, program.pid)
        self.assertEqual((finding["verdict"], finding["behind"]), ("proven", 1))
        self.assertEqual([thread["since"] for thread in finding["threads"]], [None] * 3)
        self.assertIn("transfer", self.functions(finding["threads"][0]))

    def test_numbers_of_a_pid_namespace(self):
        path = self.scratch / "deadlock"
        copy_program(BIN / "deadlock", path)
        daemon = self.start_daemon(policy(path))
        unshare = self.keep(Program("unshare", ["unshare", "--pid", "--fork", "--kill-child", path, "pair"], self.scratch))
        pid = self.await_that("it is a target", lambda: next(iter(daemon.targets()), None), 10, daemon)
        self.await_that("it waits for its signal", lambda: "ready" in unshare.text())
        os.kill(pid, signal.SIGUSR1)
        finding = self.only(daemon, pid)
        self.assertEqual(finding["verdict"], "proven")
        self.assertEqual({thread["owner_tid"] for thread in finding["threads"]},
                         {thread["tid"] for thread in finding["threads"]})
        self.assertTrue({thread["tid"] for thread in finding["threads"]} <= set(map(int, os.listdir(f"/proc/{pid}/task"))))

    def test_signals_do_not_hide_it(self):
        _, _, finding = self.found_in("disturbed")
        self.assertEqual(finding["verdict"], "proven")

    def test_lock_of_a_thread_that_ended(self):
        _, _, finding = self.found_in("abandoned")
        self.assertEqual((finding["verdict"], finding["abandoned"]), ("proven", True))
        self.assertIn("waits for account_lock in look_on() at deadlock.c:", finding["text"])
        self.assertIn("ended without letting go of it", finding["text"])

    def test_lock_of_a_thread_that_was_not_forked(self):
        daemon, (program,) = self.watched("forked")
        self.begin(program)
        finding = self.await_that("the deadlock is found", lambda: self.found(daemon), 20, daemon)[0]
        self.assertNotEqual(finding["pid"], program.pid)
        self.assertEqual((finding["verdict"], finding["abandoned"]), ("proven", True))
        self.assertIn("forked while the lock was held", finding["text"])

    def test_what_only_looks_like_it(self):
        """A ring with a time limit, a holder that works, a recursive mutex, a lock held across fork(): never proven. The
        deadlock that begins after them is found, so they were looked at."""
        daemon, (free, atfork, pair) = self.watched("free", "atfork", "pair")
        self.begin(free)
        self.begin(atfork)
        for name, waiting in (("mail_lock", 1), ("nested_lock", 1), ("audit_lock", 1)):
            self.await_that(f"{name} is waited for", lambda: (daemon.lock(name) or {}).get("waiting_now") == waiting, 10, daemon)
        self.begin(pair)
        self.only(daemon, pair.pid)
        seen = self.only(daemon, pair.pid)["count"]
        self.await_that("two more readings", lambda: self.only(daemon, pair.pid)["count"] >= seen + 2, 10, daemon)
        self.assertEqual(self.found(daemon, free.pid), [])
        self.assertEqual([each for each in self.found(daemon) if each["verdict"] == "proven" and each["pid"] != pair.pid], [])


if __name__ == "__main__":
    unittest.main()
