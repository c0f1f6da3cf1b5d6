# SPDX-License-Identifier: Apache-2.0
"""What the contention watch adds to single system calls of a target, by each way of seeing them that the kernel has."""
import collections
import json
import subprocess

from harness import BIN
from overhead_rows.figures import Section, duration, median

COMMAND = "tests/bench/overhead --only watch"
CALLS = {"wait": "a futex wait that ends at once (EAGAIN)", "wake": "a futex wake that wakes nobody",
         "other": "another system call (getppid)"}


def run_program(rounds):
    done = subprocess.run([BIN / "futex_cost", str(rounds)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"futex_cost: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(_scratch, settings):
    section = Section("watch", "A system call under the contention watch", COMMAND)
    samples = run_program(settings.rounds(12))
    grouped = collections.defaultdict(list)
    for each in samples:
        grouped[each["hook"], each["call"]].append(each)
    for (hook, call), found in grouped.items():
        added = [each["added_ns"] for each in found]
        section.row(f"{CALLS[call]}, seen by {hook}", f"{duration(median(added))} added", median(added),
                    samples=f"{len(added)} rounds, {min(added):.0f} to {max(added):.0f} ns; the bare call "
                            f"{duration(median([each['bare_ns'] for each in found]))}")
    section.details["samples"] = samples
    section.details["hooks"] = sorted({hook for hook, _ in grouped})
    if not any(hook == "function" for hook, _ in grouped):
        section.notes.append("This kernel refuses the cheapest hook, fentry and fexit of the futex call's own function, so "
                             "raceguard takes the tracepoints of the call.")
    return section
