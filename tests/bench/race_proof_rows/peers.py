# SPDX-License-Identifier: Apache-2.0
"""ThreadSanitizer, Helgrind and DRD on every program of tests/programs: how many races each reports while the program
runs at its own pace, and how much more CPU time a fixed piece of its work takes."""
import fnmatch

import oracle
from peers import TOOLS, build_with_sanitizer, missing, run

PACED_SECONDS = 2
# Rounds are raised until the program alone takes so much CPU time; its start, and the tool's, are measured and taken off.
NATIVE_SECONDS = 0.06
MOST_ROUNDS = 1 << 21
LONGEST_SECONDS = 60


def work_seconds(tool, binary, rounds):
    """CPU time: it does not depend on what else the machine does, and takes account of what a tool does beside."""
    return run(tool, binary, LONGEST_SECONDS, rounds).cpu_seconds - run(tool, binary, LONGEST_SECONDS, 1).cpu_seconds


def enough_rounds(binary):
    rounds = 1000
    while True:
        seconds = work_seconds("native", binary, rounds)
        if seconds >= NATIVE_SECONDS or rounds >= MOST_ROUNDS:
            return rounds, seconds
        rounds *= 4


def examine(program, native, instrumented):
    rounds, alone = enough_rounds(native)
    row = {"program": program.name, "oracle": program.kind, "language": program.language, "rounds": rounds,
           "native_seconds": round(alone, 4), "tools": {}}
    for tool in TOOLS:
        binary = instrumented if tool == "ThreadSanitizer" else native
        if binary is None:
            row["tools"][tool] = None  # Rust: not without another compiler
            continue
        paced = run(tool, binary, PACED_SECONDS)
        ratio = work_seconds(tool, binary, rounds) / alone if alone >= NATIVE_SECONDS / 5 else None
        row["tools"][tool] = {"reports": paced.reports, "ratio": None if ratio is None else round(ratio, 2)}
    return row


def measure(chosen, scratch):
    if missing():
        raise SystemExit(f"not installed: {', '.join(missing())} (scripts/install-deps test)")
    programs = [program for program in oracle.load() if fnmatch.fnmatch(program.name, chosen.programs)]
    if chosen.scale < 1:
        programs = programs[::max(1, round(1 / chosen.scale))]
    rows = []
    for program in programs:
        native = chosen.build / "tests/programs" / program.kind / f"{program.name}.O2-g"
        rows.append(examine(program, native, build_with_sanitizer(program, oracle.HERE, scratch / program.name)))
        told = {tool: (figures or {}).get("reports", "-") for tool, figures in rows[-1]["tools"].items()}
        ratios = {tool: (figures or {}).get("ratio") for tool, figures in rows[-1]["tools"].items()}
        print(f"peers {program.kind} {program.name}: reports {told}, times slower {ratios}", flush=True)
    return rows
