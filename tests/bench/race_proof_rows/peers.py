# SPDX-License-Identifier: Apache-2.0
"""ThreadSanitizer, Helgrind and DRD on every program of tests/programs: how many races each reports while the program
runs at its own pace, and how much more CPU time a fixed piece of its work takes."""
import fnmatch

import oracle
from peers import TOOLS, build_with_sanitizer, missing, run

PACED_SECONDS = 2
# Rounds are raised until the program alone takes so much CPU time, by its own clock, from which starts are left out.
NATIVE_SECONDS = 0.02
MOST_ROUNDS = 1 << 21
LONGEST_SECONDS = 40


def work_seconds(tool, binary, rounds):
    """None: not done in time, three times (once: the other thread may have ended the program before it was said)."""
    for _ in range(3):
        seconds = run(tool, binary, LONGEST_SECONDS, rounds).work_seconds
        if seconds is not None:
            return seconds
    return None


def enough_rounds(binary):
    """So many rounds, and the seconds that they take."""
    rounds = 1000
    while True:
        seconds = work_seconds("native", binary, rounds)
        if seconds is None:
            raise RuntimeError(f"{binary} did not finish {rounds} rounds in {LONGEST_SECONDS} s")
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
        work = work_seconds(tool, binary, rounds)
        row["tools"][tool] = {"reports": paced.reports, "ratio": round(work / alone, 2) if work else None}
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
