# SPDX-License-Identifier: Apache-2.0
"""From a decision to the moment when the application sees it: in the kernel-held word and on the shared page.

The decision's time is the daemon's own, from its evidence file; the moment of seeing comes from switch_watcher, an
application that looks at its switch in a tight loop. Both are CLOCK_MONOTONIC. Meanwhile examples/checkout serves
requests under the same daemon."""
import json
import socket
import time

from harness import BIN, SLOWNESS, Checkout, Daemon, Program, await_that, checkout_policy, copy_program
from overhead_rows.figures import Section, at_most, duration, median, percentile

COMMAND = "tests/bench/overhead --only delay"
SWITCH = "bench.watched"
GOAL_NS = {"word": 50_000_000, "page": 1_000_000}
# A look that came later than this after the one before: the watcher's CPU had something else to do. It is counted as
# seen late all the same, and told.
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


def run(scratch, cycles, keep):
    page = scratch / "raceguardd/run/switches"
    checkout = keep(Checkout(scratch, page=page))
    watcher = keep(Watcher(scratch, page))
    policy = checkout_policy(checkout.path) + WATCHER_GUARD.format(path=watcher.path, switch=SWITCH)
    daemon = keep(Daemon(scratch, policy))
    await_that("the watcher's word is found", lambda: daemon.switch(SWITCH)["words"] == 1, 20, daemon.text)
    await_that("the watcher has found its slot", lambda: "watching" in watcher.text(), 10, daemon.text)
    keep(Program("load", [BIN / "checkout-load", "--connect", checkout.address, "--rate", REQUESTS_PER_SECOND,
                          "--seconds", 600], scratch))
    return transitions(daemon, watcher, cycles)


def measure(scratch, settings):
    section = Section("delay", "From a decision to the application", COMMAND)
    with settings.programs() as keep:
        seen = run(scratch, settings.rounds(300), keep)
    for transport, name in (("word", "kernel-held word"), ("page", "shared page")):
        for state, told in (("open", "opens"), ("closed", "closes")):
            samples = [each[transport] for each in seen if each["to"] == state]
            delays = [each["delay_ns"] for each in samples]
            blind = sum(each["blind_ns"] > BLIND_NS for each in samples)
            p99 = percentile(delays, 0.99)
            goal = GOAL_NS[transport]
            section.row(f"{name} {told}, p99", duration(p99), p99, goal=f"<= {duration(goal)}", met=at_most(p99, goal),
                        samples=f"{len(delays)} transitions: median {duration(median(delays))}, "
                                f"longest {duration(max(delays))}; in {blind} the watcher had lost its CPU for more than "
                                f"{duration(BLIND_NS)}")
    section.details["transitions"] = seen
    return section
