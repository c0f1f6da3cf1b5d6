# SPDX-License-Identifier: Apache-2.0
"""How the daemon's memory grows with what it guards: functions, threads of the target, contended locks."""
import many
from harness import Daemon, await_that
from held_resources import memory_kib
from overhead_rows.figures import Section, at_most

COMMAND = "tests/bench/overhead --only size"
GOAL_MIB = 64
THREADS = 10_000
LOCKS = 4000
# Limits of the daemon's own (config/raceguard.yaml): what is beyond is refused or counted as lost, not kept.
MOST_FUNCTIONS, MOST_LOCKS = 512, 4096


def guarded(scratch, program, functions, ready):
    """The daemon's most memory, in KiB, once `ready(daemon)`."""
    with Daemon(scratch, many.policy(program.pid, functions)) as daemon:
        await_that("raceguardd is ready", daemon.ready, 60, daemon.text)
        ready(daemon)
        return memory_kib(daemon.pid)


def of_threads(scratch, functions, threads):
    with many.start(scratch, threads) as program:
        return guarded(scratch, program, functions, lambda daemon: many.await_figures(daemon, program.pid, functions))


def of_locks(scratch, locks):
    with many.start_locks(scratch, locks) as program:
        return guarded(scratch, program, 0, lambda daemon: await_that(
            "all locks were waited for", lambda: program.text().strip() == str(locks), 120, daemon.text))


def measure(scratch, settings):
    section = Section("size", "The daemon's memory, by what it guards", COMMAND)
    threads, locks = max(100, round(THREADS * settings.scale)), max(100, round(LOCKS * settings.scale))
    figures = {"1 function, 100 threads": of_threads(scratch, 1, 100),
               f"{many.FUNCTIONS} functions, 100 threads": of_threads(scratch, many.FUNCTIONS, 100),
               f"{many.FUNCTIONS} functions, {threads} threads": of_threads(scratch, many.FUNCTIONS, threads),
               "100 contended locks": of_locks(scratch, 100),
               f"{locks} contended locks": of_locks(scratch, locks)}
    for what, each in figures.items():
        goal = threads > 100 and what.endswith(f"{threads} threads")
        section.row(what, f"{each['VmHWM'] / 1024:.1f} MiB", each["VmHWM"] / 1024, goal=f"<= {GOAL_MIB} MiB" if goal else "",
                    met=at_most(each["VmHWM"] / 1024, GOAL_MIB) if goal else None,
                    samples=f"VmHWM; in the end {each['RssAnon'] / 1024:.1f} MiB own, {each['RssFile'] / 1024:.1f} of files")
    few, many_functions, many_threads, few_locks, many_locks = (each["VmHWM"] for each in figures.values())
    a_function = (many_functions - few) / (many.FUNCTIONS - 1)
    a_thread = (many_threads - many_functions) / max(1, threads - 100)
    a_lock = (many_locks - few_locks) / max(1, locks - 100)
    most_mib = (few + MOST_FUNCTIONS * a_function + THREADS * a_thread + MOST_LOCKS * a_lock) / 1024
    section.row(f"by arithmetic, with {MOST_FUNCTIONS} functions, {THREADS} threads and {MOST_LOCKS} locks", f"{most_mib:.1f} MiB",
                most_mib, goal=f"<= {GOAL_MIB} MiB", met=at_most(most_mib, GOAL_MIB),
                samples=f"a function {a_function:.1f} KiB, a thread {a_thread:.3f} KiB, a lock {a_lock:.2f} KiB above the first row")
    section.details["kib"] = figures
    return section
