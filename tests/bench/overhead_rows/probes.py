# SPDX-License-Identifier: Apache-2.0
"""What a probe adds to a call: at the site that raceguard chooses, and at the function's first instruction."""
import collections
import json
import os
import shutil
import subprocess

from harness import BIN, copy_program
from overhead_rows.figures import Section, at_least, duration, median, spread

COMMAND = "tests/bench/overhead --only probes"
# Of the machine's libc only a copy is probed: a probe sits in a file, and all who run that file pay for it.
LIBC = "libc.so.6"
APART = 10


def private_libc(scratch):
    maps = open("/proc/self/maps").read().splitlines()
    system = next(line.split()[-1] for line in maps if line.endswith(f"/{LIBC}"))
    copy_program(system, scratch / LIBC)
    return scratch


def run_program(scratch, rounds):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(private_libc(scratch))}
    own = scratch / "probe_hit_cost"
    shutil.copy(BIN / "probe_hit_cost", own)
    done = subprocess.run([own, str(rounds)], capture_output=True, text=True, env=environment, cwd=scratch)
    if done.returncode != 0:
        raise RuntimeError(f"probe_hit_cost: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(section, function, program, told, by_site):
    medians = {}
    for at in ("chosen", "first"):
        samples = by_site[at]
        added = [each["added_ns"] for each in samples]
        medians[at] = median(added)
        site = "site of choice" if at == "chosen" else "offset 0"
        opcode = samples[0]["instruction"].split()[0]
        section.row(f"{told}, `{function}`, {site} (+{samples[0]['offset']:#x} `{opcode}`)", f"{duration(medians[at])} a call",
                    medians[at], samples=f"{len(added)} rounds, {spread([ns / 1000 for ns in added])} us; the bare call "
                                         f"{duration(median([each['bare_ns'] for each in samples]))}")
    ratios = [first["added_ns"] / chosen["added_ns"] for first, chosen in zip(by_site["first"], by_site["chosen"])]
    goal = program == "empty"  # of a guarded call the return probe is a part that no site makes cheaper
    section.row(f"{told}, `{function}`: offset 0 over site of choice", f"{median(ratios):.1f} times", median(ratios),
                goal=f">= {APART} times" if goal else "", met=at_least(median(ratios), APART) if goal else None,
                samples=f"{len(ratios)} pairs, {spread(ratios, 1)}")


def measure(scratch, settings):
    section = Section("probes", "A probe hit", COMMAND)
    samples = run_program(scratch, settings.rounds(12))
    grouped = collections.defaultdict(lambda: collections.defaultdict(list))
    for each in samples:
        grouped[each["program"], each["function"]][each["at"]].append(each)
    for (program, function), by_site in sorted(grouped.items()):
        told = "hit, empty BPF program" if program == "empty" else "guarded call (entry and return, raceguard's programs)"
        rows_of(section, function, program, told, by_site)
    section.details["samples"] = samples
    return section
