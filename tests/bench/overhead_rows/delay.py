# SPDX-License-Identifier: Apache-2.0
"""From a decision to the moment when the application sees it: in the kernel-held word and on the shared page.

The decision's time is the daemon's own, from its evidence file; the moment of seeing comes from switch_watcher, an
application that looks at its switch in a tight loop. Both are CLOCK_MONOTONIC. Meanwhile examples/checkout serves
requests under the same daemon. The watcher has a CPU to itself, as far as this script can arrange it: what a decision
takes is measured, not who else waits for a CPU."""
import contextlib
import json
import os
import pathlib
import socket
import tempfile
import time

from harness import BIN, SLOWNESS, Checkout, Daemon, Program, await_that, checkout_policy, copy_program
from overhead_rows.figures import Section, at_most, duration, median, percentile

COMMAND = "tests/bench/overhead --only delay"
SWITCH = "bench.watched"
GOAL_NS = {"word": 50_000_000, "page": 1_000_000}
# A change that was found so long after the last look began: the watcher's CPU had something else to do, or the kernel
# held it up. It counts as seen late all the same; the others are told beside.
BLIND_NS = 100_000
REQUESTS_PER_SECOND = 160

WATCHER_GUARD = """
  - name: watcher
    target:
      exe: "{path}"
    contention:
      enabled: true
    switches:
      - name: {switch}
        mode: enforce
        open_when:
          lock_wait_p99: 10s
"""


class Watcher(Program):
    def __init__(self, scratch, page):
        self.path = scratch / "switch_watcher"
        copy_program(BIN / "switch_watcher", self.path)
        super().__init__("watcher", [self.path], scratch, {"RACEGUARD_PAGE": str(page)})
        self.log = open(self.output)

    def await_changes(self, seconds=20):
        """The next change of the page and of the word: transport -> (value, seen_ns, blind_ns)."""
        found = {}
        deadline = time.monotonic() + seconds * SLOWNESS
        while len(found) < 2:
            place = self.log.tell()
            line = self.log.readline()
            if not line.endswith("\n"):
                self.log.seek(place)
                time.sleep(0.002)
            elif len(parts := line.split()) == 4:
                found[parts[0]] = tuple(map(int, parts[1:]))
            if time.monotonic() > deadline or not self.alive():
                raise RuntimeError(f"the watcher saw {found} only within {seconds} s")
        return found


class Control:
    """The daemon's control socket, kept open: raceguardctl would start a process for each transition."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")

    def force(self, state):
        request = {"method": "force", "params": {"switch": SWITCH, "state": state, "reason": "benchmark"}}
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        if not answer["ok"]:
            raise RuntimeError(f"force {SWITCH} {state}: {answer['error']}")
        return answer["result"]

    def close(self):
        self.file.close()
        self.socket.close()


def decisions(evidence_file):
    """The times of the switch's decisions, in order."""
    records = map(json.loads, evidence_file.read_text().splitlines())
    return [record["data"]["monotonic_ns"] for record in records
            if record["kind"] == "decision" and record["data"]["switch"] == SWITCH]


def transitions(daemon, watcher, cycles):
    """One dict a transition: to, and for each transport how long after the decision it was seen."""
    control = Control(daemon.run_directory / "control.sock")
    seen = []
    for _ in range(cycles):
        for state, value in (("open", 1), ("closed", 0)):
            control.force(state)
            changes = watcher.await_changes()
            if any(change[0] != value for change in changes.values()):
                raise RuntimeError(f"forced {state}, but the watcher saw {changes}")
            seen.append((state, changes))
    control.close()
    decided = decisions(daemon.evidence)
    if len(decided) != len(seen):
        raise RuntimeError(f"{len(decided)} decisions in the evidence file, {len(seen)} transitions seen")
    return [{"to": state, **{name: {"delay_ns": seen_ns - decided_ns, "blind_ns": blind_ns}
                             for name, (_, seen_ns, blind_ns) in changes.items()}}
            for decided_ns, (state, changes) in zip(decided, seen)]


def part_cpus(watcher, others):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return
    os.sched_setaffinity(watcher.pid, cpus[-1:])
    for program in others:
        for thread in os.listdir(f"/proc/{program.pid}/task"):
            os.sched_setaffinity(int(thread), cpus[:-1])


def row_of(section, transport, name, state, told, seen):
    samples = [each[transport] for each in seen if each["to"] == state]
    delays = [each["delay_ns"] for each in samples]
    looking = [each["delay_ns"] for each in samples if each["blind_ns"] <= BLIND_NS]
    p99 = percentile(delays, 0.99)
    goal = GOAL_NS[transport]
    section.row(f"{name} {told}, p99", duration(p99), p99, goal=f"<= {duration(goal)}", met=at_most(p99, goal),
                samples=f"{len(delays)} transitions, median {duration(median(delays))}, longest {duration(max(delays))}; "
                        f"p99 of the {len(looking)} at which the watcher had its CPU: "
                        f"{duration(percentile(looking, 0.99)) if looking else 'none'}")


@contextlib.contextmanager
def run_directory():
    """In memory, as /run is on a system that boots; in a container it may be on a disk."""
    with tempfile.TemporaryDirectory(prefix="raceguard-bench.", dir="/dev/shm") as path:
        yield pathlib.Path(path)


def run(scratch, memory, cycles, keep):
    page = memory / "switches"
    checkout = keep(Checkout(scratch, page=page))
    watcher = keep(Watcher(scratch, page))
    policy = checkout_policy(checkout.path) + WATCHER_GUARD.format(path=watcher.path, switch=SWITCH)
    daemon = keep(Daemon(scratch, policy, settings={"run_directory": memory}))
    daemon.run_directory = memory
    await_that("the watcher's word is found", lambda: daemon.switch(SWITCH)["words"] == 1, 20, daemon.text)
    await_that("the watcher has found its slot", lambda: "watching" in watcher.text(), 10, daemon.text)
    load = keep(Program("load", [BIN / "checkout-load", "--connect", checkout.address, "--rate", REQUESTS_PER_SECOND,
                                 "--seconds", 600], scratch))
    part_cpus(watcher, [checkout, daemon, load])
    return transitions(daemon, watcher, cycles)


def measure(scratch, settings):
    section = Section("delay", "From a decision to the application", COMMAND)
    with run_directory() as memory, settings.programs() as keep:
        seen = run(scratch, memory, settings.rounds(500), keep)
    for transport, name in (("word", "kernel-held word"), ("page", "shared page")):
        for state, told in (("open", "opens"), ("closed", "closes")):
            row_of(section, transport, name, state, told, seen)
    section.details["transitions"] = seen
    return section
