#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Races that are closed while the program runs: counted before, during and after in one process."""
import os
import subprocess
import sys
import threading
import time
import unittest

from intercepting import (BIN, PROGRAMS, SLOWNESS, SOURCE, Crashed, Interception, Worker, await_that, function,
                          offsets_of)

sys.path.insert(0, str(SOURCE / "tests/e2e"))
from held_resources import all_programs, ids_of  # noqa: E402


class Intercept(unittest.TestCase):
    def start(self, name, patience=60):
        return self.enterContext(Worker(name, patience))

    def intercept(self, worker, functions, *options):
        return self.enterContext(Interception(worker.pid, functions, *options))

    def closed(self, name, functions, rounds, *options):
        """Wrong without; with it no more than calls went on without their slot, and hardly any on a machine that lets both
        threads run; wrong again without."""
        worker = self.start(name)
        self.until_wrong(worker, rounds)
        for _ in range(8):
            interception = self.intercept(worker, functions, *options)
            during, _ = worker.wrong(2, rounds)
            report = interception.end()
            self.assertGreater(report["taken"], 0)
            if report["fail_open"] == 0:
                self.assertEqual(during, 0, report)
            if report["waits"] > 0 and during * 20 < self.usual:
                break
        else:
            self.fail(f"as wrong with it: {during} ({self.usual} without), {report}")
        self.until_wrong(worker, rounds)
        return during, report

    def until_wrong(self, worker, rounds):
        for _ in range(500):
            wrong, _ = worker.wrong(2, rounds)
            if wrong > 50:
                self.usual = wrong
                return
        self.fail("the program did not go wrong by itself")

    def test_lost_updates(self):
        _, report = self.closed("lost_updates", "deposit", 20000)
        figures = function(report, "deposit")
        self.assertEqual(figures["calls"], 40000)
        self.assertEqual(figures["taken"] + sum(figures["fail_open"].values()), 40000)
        self.assertEqual(figures["given_back"]["return"], figures["taken"])

    def test_lost_updates_by_object(self):
        self.closed("lost_updates", "deposit", 20000, "--key", "arg1")

    def test_lost_updates_by_member(self):
        self.closed("lost_updates", "deposit@arg1+0:4", 20000)

    def test_torn_reads(self):
        self.closed("torn_reads", "set_range,range_is_whole=read", 20000)

    def test_use_after_free(self):
        self.closed("use_after_free", "replace_config,use_config=read", 20000)

    def test_double_init(self):
        wrong, report = self.closed("double_init", "get_instance", 4000)
        # Each instance too many had a maker that went on without the slot.
        self.assertLessEqual(wrong, report["fail_open"], report)

    def test_memcached_127(self):
        self.closed("memcached_127", "process_arithmetic_command", 4096, "--key", "arg1")

    def test_apache_25520(self):
        self.closed("apache_25520", "ap_buffered_log_writer@arg2", 50000)

    def test_dry_run_only_counts(self):
        worker = self.start("lost_updates")
        interception = self.intercept(worker, "deposit", "--dry-run")
        wrong = sum(worker.wrong(2, 20000)[0] for _ in range(10))
        report = interception.end()
        self.assertTrue(report["dry_run"])
        self.assertEqual(report["waits"], 0)
        self.assertGreater(function(report, "deposit")["fail_open"]["would_wait"], 0)
        self.assertGreater(wrong, 0)

    def test_order_is_not_helped(self):
        worker = self.start("order")
        interception = self.intercept(worker, "prepare,is_prepared=read")
        wrong = 0
        for _ in range(20):  # who comes first is chance: some runs are right from beginning to end
            wrong += worker.wrong(2, 20000)[0]
            if wrong:
                break
        report = interception.end()
        self.assertGreater(report["taken"], 20000)
        self.assertGreater(wrong, 0)

    def test_map_crashes_without_only(self):
        crashes = 0
        for _ in range(5):
            try:
                self.start("check_then_act", 3).wrong(2, 100000)
            except Crashed:
                crashes += 1
        self.assertGreater(crashes, 0)
        worker = self.start("check_then_act")
        interception = self.intercept(worker, "add_session,remove_session")
        try:
            worker.wrong(2, 50000)
        except Crashed:
            # A call that went on without its slot is what may still break the map; without one, nothing may.
            self.assertGreater(interception.report()["fail_open"], 0)


class Inside(unittest.TestCase):
    """Sections inside of functions that take long: only their updates are kept apart."""
    BALANCE = r"\b0x8\(%(?!rsp|rbp)"
    ROUNDS = 800

    def setUp(self):
        self.worker = self.enterContext(Worker("narrow"))
        self.functions = ",".join(offsets_of(self.worker.path, name, self.BALANCE) for name in ("settle", "settle_many"))
        self.assertEqual(self.functions.count("+"), 4, self.functions)

    def intercepted(self, functions, *options):
        interception = self.enterContext(Interception(self.worker.pid, functions, *options))
        wrong, seconds = self.worker.wrong(2, self.ROUNDS)
        return wrong, seconds, interception.end()

    def usual(self):
        for _ in range(50):
            wrong, seconds = self.worker.wrong(2, self.ROUNDS)
            if wrong > 5:
                return wrong, seconds
        self.fail("the program did not go wrong by itself")

    def test_lost_updates_where_the_whole_function_cannot_be_kept_apart(self):
        self.usual()
        _, _, whole = self.intercepted("settle,settle_many")
        self.assertGreater(whole["fail_open"] * 5, whole["calls"], whole)  # nearly each that meets the other, who sleeps
        for _ in range(8):
            wrong, _, report = self.intercepted(self.functions)
            if report["fail_open"] == 0:
                self.assertEqual(wrong, 0, report)
            if report["fail_open"] * 50 < report["calls"]:
                break
        else:
            self.fail(f"as many calls without their slot: {report}")
        # Six of eight orders are settled at once, one is refused, one is of four.
        for name, calls in (("settle", 2 * self.ROUNDS * 6 // 8), ("settle_many", 2 * self.ROUNDS * 4 // 8)):
            figures = function(report, name)
            self.assertFalse(figures["whole"])
            self.assertEqual(figures["calls"], calls, figures)
            self.assertEqual(figures["given_back"], {"return": figures["taken"], "unwound": 0, "exit": 0, "lease": 0})
            self.assertRegex(figures["entry"], r"^\+0x[0-9a-f]+ ")
            self.assertRegex(figures["exits"], r"^\+0x[0-9a-f]+ ")
            self.assertLess(figures["mean_inside_seconds"], function(whole, name)["mean_inside_seconds"] / 2, figures)
        self.usual()

    def test_says_where(self):
        _, _, report = self.intercepted(self.functions, "--dry-run")
        self.assertEqual(len(report["notes"]), 2, report["notes"])
        self.assertRegex(report["notes"][0], r"^settle is kept apart inside only: \+0x\w+ .* to \+0x\w+ .*instructions$")
        self.assertIn("each turn of a loop", report["notes"][1])
        self.assertEqual(report["waits"], 0)

    def test_key_that_is_in_its_register_only_before_the_first_call(self):
        _, _, report = self.intercepted(self.functions.replace("],", "]@arg1,"))
        self.assertFalse(function(report, "settle")["whole"])
        self.assertIn(" with 2 calls", report["notes"][0])


class Ends(unittest.TestCase):
    """A section that is left otherwise than by its return leaves nothing behind."""

    def setUp(self):
        self.worker = self.enterContext(Worker("ends"))
        self.interception = self.enterContext(Interception(self.worker.pid, "section"))

    def left_by(self, way, given_back, name="section"):
        for _ in range(20):
            self.worker.ask(way)
        self.works()
        report = self.interception.end()
        figures = function(report, name)
        self.assertGreaterEqual(figures["given_back"][given_back], 15, report)
        self.assertEqual(sum(figures["given_back"].values()) - 2 * figures["given_back"]["lease"],
                         figures["taken"] - 2 * figures["given_back"]["lease"], report)

    def works(self):
        answer = self.worker.ask("work")
        self.assertTrue(answer.startswith("wrong "), answer)

    def test_exception(self):
        self.left_by("throw", "unwound")

    def test_longjmp(self):
        # Each jump is the last thing that its thread does in the section: its end gives the slot back.
        self.left_by("jump", "exit")

    def inside(self):
        self.interception.end()
        functions = offsets_of(self.worker.path, "partly", r"<_ZL7counter>")
        self.assertEqual(functions.count("+"), 2, functions)
        self.interception = self.enterContext(Interception(self.worker.pid, functions))

    def test_exception_inside_of_a_part(self):
        self.inside()
        self.left_by("partly throw", "unwound", "partly")

    def test_longjmp_out_of_a_part(self):
        self.inside()
        self.left_by("partly jump", "exit", "partly")

    def test_end_of_the_thread_inside_of_a_part(self):
        self.inside()
        self.left_by("partly end", "exit", "partly")

    def test_end_of_the_thread(self):
        self.left_by("end", "exit")

    def test_thread_that_leaves_unseen_and_never_comes_back(self):
        self.assertEqual(self.worker.ask("stay"), "left stay")
        # Until the lease is over who wants the slot goes on without it: the one who has it is off its CPU.
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            self.works()
        self.works()
        report = self.interception.end()
        figures = function(report, "section")
        self.assertEqual(figures["given_back"]["lease"], 1, report)
        self.assertEqual(figures["given_back"]["return"], figures["taken"] - 1, report)
        self.assertGreater(figures["taken"], 5000, "the slot was had again afterwards")

    def test_sleeper_inside_is_not_waited_for(self):
        for _ in range(5):
            self.assertEqual(self.worker.ask("meet"), "left meet")
        figures = function(self.interception.end(), "section")
        reason = "one_cpu" if os.sysconf("SC_NPROCESSORS_ONLN") == 1 else "holder_off_cpu"
        self.assertEqual(figures["fail_open"][reason], 5, figures)
        self.assertEqual(sum(figures["fail_open"].values()), 5, figures)
        self.assertEqual((figures["calls"], figures["given_back"]["return"]), (10, 5), figures)

    def test_signal_handler_comes_in_again(self):
        for _ in range(20):
            answer = self.worker.ask("signal")
        self.assertIn("handled 20", answer)
        report = self.interception.end()
        self.assertEqual(function(report, "section")["reentered"], 20, report)

    def test_fork_is_another_process(self):
        for _ in range(10):
            self.assertTrue(self.worker.ask("fork").startswith("left fork"))
        report = self.interception.end()
        self.assertEqual(function(report, "section")["foreign_calls"], 10, report)

    def test_kill_inside(self):
        with self.assertRaises(Crashed):
            self.worker.ask("kill")
        report = self.interception.report()
        self.assertEqual(report["ended"], "the process ended")
        self.assertEqual(function(report, "section")["given_back"]["exit"], 1, report)

    def test_exec_ends_it(self):
        self.assertEqual(self.worker.ask("exec"), "again")
        report = self.interception.report()
        self.assertIn("exec", report["ended"])
        self.works()

    def test_killed_tool_leaves_nothing(self):
        programs = ids_of(self.interception.process.pid, "prog")
        self.assertGreaterEqual(len(programs), 2)
        self.interception.kill()
        self.leaves_nothing(programs)

    def test_ended_tool_leaves_nothing(self):
        programs = ids_of(self.interception.process.pid, "prog")
        self.assertLessEqual(programs, all_programs())
        self.works()
        self.interception.end()
        self.leaves_nothing(programs)

    def leaves_nothing(self, programs):
        await_that("the programs are gone", lambda: not programs & all_programs())
        self.worker.ask("throw")
        self.works()


class Crowded(unittest.TestCase):
    """More threads than CPUs: who is waited for, and where a slice ends."""

    def setUp(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one CPU: nobody waits there")

    def beside(self, way, one_cpu, *options):
        """The report's figures of calls beside a thread that lingers inside, on a CPU of its own or on their own."""
        first, second = sorted(os.sched_getaffinity(0))[:2]
        worker = self.enterContext(Worker("ends"))
        interception = self.enterContext(Interception(worker.pid, "section", *options))
        for _ in range(3):
            self.assertTrue(worker.ask(f"{way} {first} beside {first if one_cpu else second}").startswith("called "))
        return function(interception.end(), "section")

    def test_a_holder_that_sleeps_is_not_waited_for(self):
        figures = self.beside("sleep", one_cpu=False)
        self.assertGreaterEqual(figures["slept"], 3, figures)
        self.assertGreater(figures["fail_open"]["holder_off_cpu"], 0, figures)
        self.assertEqual(figures["fail_open"]["time_out"], 0, figures)

    def test_a_holder_queued_behind_the_caller_is_not_waited_for(self):
        figures = self.beside("burn", one_cpu=True)
        self.assertGreater(figures["preempted"], 0, figures)
        self.assertGreater(figures["fail_open"]["holder_off_cpu"], 0, figures)
        self.assertEqual(figures["fail_open"]["time_out"] + figures["fail_open"]["holder_late"], 0, figures)

    def test_a_holder_queued_elsewhere_is_waited_for_within_the_limit(self):
        first = min(os.sched_getaffinity(0))
        busy = subprocess.Popen(["taskset", "-c", str(first), sys.executable, "-c", "while True: pass"])
        self.addCleanup(busy.wait)
        self.addCleanup(busy.kill)
        figures = self.beside("burn", one_cpu=False)
        self.assertGreater(figures["preempted"], 0, figures)
        self.assertGreater(figures["fail_open"]["time_out"] + figures["fail_open"]["holder_late"], 0, figures)
        self.assertEqual(figures["fail_open"]["holder_off_cpu"], 0, figures)

    def test_a_near_tick_is_let_pass_where_others_wait(self):
        worker = self.enterContext(Worker("lost_updates"))
        interception = self.enterContext(Interception(worker.pid, "deposit"))
        for _ in range(3):
            worker.wrong(8, 20000)
        figures = function(interception.end(), "deposit")
        self.assertGreater(figures["ticks"], 0, figures)

    def test_not_every_wait_finds_its_cpu_lost(self):
        """Whatever the kernel: where its own word for it is looked for in the wrong place, nobody would wait at all."""
        worker = self.enterContext(Worker("lost_updates"))
        interception = self.enterContext(Interception(worker.pid, "deposit"))
        for _ in range(5):
            worker.wrong(2, 2000)
        figures = function(interception.end(), "deposit")
        self.assertGreater(figures["waits"], 20, figures)
        self.assertLess(figures["fail_open"]["cpu_lost"], figures["waits"] / 2 + 1, figures)

    def test_no_tick_is_let_pass_where_nobody_waits(self):
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            self.addCleanup(busy.kill)
            worker = self.enterContext(Worker("lost_updates"))
            interception = self.enterContext(Interception(worker.pid, "deposit"))
            worker.wrong(1, 100000)
            busy.kill()
        figures = function(interception.end(), "deposit")
        self.assertEqual((figures["waits"], figures["ticks"]), (0, 0), figures)


class Nested(unittest.TestCase):
    ROUNDS, TURNS = 10000, 10

    def run_nested(self):
        with Worker("nested") as worker, Interception(worker.pid, "debit@arg1,credit@arg1") as interception:
            for _ in range(self.TURNS):
                worker.wrong(2, self.ROUNDS)  # a deadlock would end it by its patience
            return interception.end()

    def test_opposite_orders_end_and_are_counted(self):
        for _ in range(5):
            report = self.run_nested()
            outer, inner = function(report, "debit"), function(report, "credit")
            for figures in (outer, inner):
                self.assertEqual(figures["calls"], 2 * self.ROUNDS * self.TURNS, figures)
                self.assertEqual(figures["taken"] + figures["reentered"] + sum(figures["fail_open"].values()),
                                 figures["calls"], figures)
                self.assertEqual(figures["given_back"]["return"] + figures["given_back"]["lease"], figures["taken"], figures)
            self.assertEqual(outer["fail_open"]["nested"], 0, "the outer one has nothing else")
            # Once in 1024 runs both accounts share a slot. A busy machine may let the threads take turns.
            if inner["fail_open"]["nested"] > 0:
                return
        self.fail(f"they did not meet in opposite orders: {report}")


class Traced(unittest.TestCase):
    """A debugger that stops threads of the target, steps through the section and goes away."""

    def trace(self, threads, rounds):
        """What went wrong, the steps that were made, and the report."""
        worker = self.enterContext(Worker("lost_updates"))
        interception = self.enterContext(Interception(worker.pid, "deposit"))
        wrong = []
        work = threading.Thread(target=lambda: wrong.append(worker.wrong(threads, rounds)[0]))
        work.start()
        steps = 0
        while work.is_alive():
            done = subprocess.run([PROGRAMS / "tracer", str(worker.pid), "3000", "1"], capture_output=True, text=True,
                                  timeout=60 * SLOWNESS, check=True)
            steps += int(done.stdout.removeprefix("steps "))
        work.join()
        return wrong[0], steps, interception.end()

    def test_steps_change_nothing(self):
        rounds = 200000
        wrong, steps, report = self.trace(1, rounds)
        figures = function(report, "deposit")
        self.assertGreater(steps, 6000, "it was stepped through")
        self.assertEqual(wrong, 0)
        # The lease of who was stepped through for longer is taken only by who wants it: there is nobody.
        self.assertEqual((figures["calls"], figures["taken"], figures["given_back"]["return"]), (rounds,) * 3, report)

    def test_stopped_inside_the_others_go_on(self):
        rounds = 100000
        wrong, steps, report = self.trace(2, rounds)
        figures = function(report, "deposit")
        self.assertGreater(steps, 6000, "it was stepped through")
        self.assertEqual(figures["calls"], 2 * rounds, report)
        self.assertEqual(figures["taken"] + sum(figures["fail_open"].values()), figures["calls"], report)
        # Its answer came. What was lost was lost to calls that went on without, or whose slot was taken away.
        self.assertLessEqual(wrong > 0, report["fail_open"] + figures["given_back"]["lease"] > 0, report)


class Budget(unittest.TestCase):
    def test_is_withdrawn_where_it_costs_too_much(self):
        worker = self.enterContext(Worker("lost_updates"))
        interception = self.enterContext(Interception(worker.pid, "deposit", "--budget", "1%"))
        await_that("withdrawn", lambda: worker.wrong(2, 20000) and interception.process.poll() is not None, 30)
        report = interception.report()
        self.assertTrue(report["withdrawn"], report)
        self.assertIn("withdrawn: it took", report["ended"])
        self.assertEqual(interception.process.returncode, 1)


class Messages(unittest.TestCase):
    """What a user may get wrong."""

    def fails(self, *arguments, pid=None):
        worker = None if pid else self.enterContext(Worker("lost_updates"))
        done = subprocess.run([BIN / "raceguardctl", "intercept", "-p", str(pid or worker.pid), "--for", "1s", *arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.startswith("raceguardctl: RG-"), done.stderr)
        return done.stderr

    def test_no_such_process(self):
        self.assertIn("RG-T101", self.fails("-f", "deposit", pid=2**22 + 1))

    def test_unknown_function_names_the_nearest(self):
        text = self.fails("-f", "depositt")
        self.assertIn("RG-S102", text)
        self.assertIn("deposit", text.replace("depositt", ""))

    def test_inlined_function(self):
        text = self.fails("-f", "serve")
        self.assertIn("RG-S104", text)
        self.assertIn("Name a function that it is in: ", text)

    def test_wrong_key(self):
        self.assertIn("RG-C101", self.fails("-f", "deposit", "--key", "arg9"))
        self.assertIn("RG-C101", self.fails("-f", "deposit", "--key", "global:accounts"))
        self.assertIn("RG-S102", self.fails("-f", "deposit", "--key", "global:acounts"))

    def test_wrong_usage(self):
        for arguments in (["--wait", "6ms", "-f", "deposit"], [], ["-f", "=read"]):
            self.assertIn("RG-C101", self.fails(*arguments))


if __name__ == "__main__":
    unittest.main(verbosity=2)
