# SPDX-License-Identifier: Apache-2.0
"""What an application pays for asking a switch: switch_check_bench, less its empty loop."""
import json
import subprocess

from harness import BIN
from overhead_rows.figures import Section, at_most, duration, median, spread

COMMAND = "tests/bench/overhead --only check"
GOAL_NS = 1.0
LOOP = "Loop"
ASKED = (
    ("ClosedByWord", "closed, by the word (`rg_switch_is_open`)", True),
    ("ClosedByWordAndPage", "closed, by word and page (`rg_allow`)", True),
    ("ClosedWithoutADaemon", "closed, `rg_allow` where no daemon ever ran", True),
    ("OpenByPage", "open, `rg_allow`", False),
    ("HalfOpenByPage", "half-open, `rg_allow`", False),
)


def run_bench(settings):
    """CPU time of an iteration, by benchmark: one figure a repetition. The repetitions of all are mixed at random."""
    names = "|".join([LOOP, *(name for name, _, _ in ASKED)])
    command = [BIN / "switch_check_bench", f"--benchmark_filter=^({names})$", "--benchmark_format=json",
               "--benchmark_enable_random_interleaving=true", f"--benchmark_repetitions={settings.rounds(20)}",
               f"--benchmark_min_time={settings.seconds(0.1)}"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"switch_check_bench: {done.stderr}")
    found = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            found.setdefault(run["run_name"], []).append(run["cpu_time"])
    return found


def measure(_scratch, settings):
    section = Section("check", "Asking a switch", COMMAND)
    found = run_bench(settings)
    loop_ns = median(found[LOOP])
    for name, told, has_goal in ASKED:
        ns = median(found[name]) - loop_ns
        section.row(told, duration(ns), ns, goal=f"<= {GOAL_NS:.0f} ns" if has_goal else "",
                    met=at_most(ns, GOAL_NS) if has_goal else None,
                    samples=f"{len(found[name])} repetitions, {spread([each - loop_ns for each in found[name]])} ns; an "
                            f"empty loop of {loop_ns:.2f} ns is taken off")
    section.details["cpu_ns_per_iteration"] = found
    return section
