#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The confusion matrix of `raceguardctl record`: each program of tests/programs, in each of its builds, is run and
recorded, and the report is held against the oracle in its head comment.

    tests/programs/confusion.py                          all builds of all programs
    tests/programs/confusion.py --only 'counter*'        by name, or by name.build ('*.O2-stripped')
    tests/programs/confusion.py --each-once --within 330 one build of each program in turn, for ctest
    tests/programs/confusion.py --long                   all builds, the free programs ten minutes together

A racy program is recorded until something is proven, 30 s at the longest; a free one for 10 s, and a single proven or
likely finding in it is a failure. Exit status 0: the matrix is clean; 1: it is not; 77: skipped, says why."""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import judgement  # noqa: E402
import oracle  # noqa: E402
import recording  # noqa: E402

LONG_SECONDS = 600  # of all free programs together


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="glob on NAME or NAME.BUILD; may be given again")
    parser.add_argument("--each-once", action="store_true", help="one build of each program, not the same for all")
    parser.add_argument("--rotate", type=int, default=0, help="with --each-once: take the next builds")
    parser.add_argument("--racy-seconds", type=float, default=30)
    parser.add_argument("--tries", type=int, default=1, help="recordings of a racy program in which nothing is found")
    parser.add_argument("--free-seconds", type=float, default=10)
    parser.add_argument("--long", action="store_true", help=f"the free programs for {LONG_SECONDS} s together")
    parser.add_argument("--within", type=float, help="seconds after which no further program is started")
    # A recorder wants all address registers of all CPUs: two at a time get in each other's way.
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("RG_BINARY_DIR", HERE.parents[1] / "build")))
    parser.add_argument("--record-option", action="append", default=[], help="is handed to record")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for the output of record, by program")
    return parser.parse_args()


def chosen_runs(programs, chosen):
    """(program, build) in the order in which they are run: racy and free ones in turn, so that a short time sees both."""
    runs = {True: [], False: []}
    for program in programs:
        builds = program.builds
        if chosen.each_once:
            builds = [builds[(len(runs[program.racy]) + chosen.rotate) % len(builds)]]
        for build in builds:
            if not chosen.only or any(fnmatch.fnmatch(name, pattern) for pattern in chosen.only
                                      for name in (program.name, f"{program.name}.{build}")):
                runs[program.racy].append((program, build))
    ranked = [(rank / len(some), program.name, program, build) for some in runs.values() for rank, (program, build) in enumerate(some)]
    return [run[2:] for run in sorted(ranked, key=lambda run: run[:2])]


def examine(program, build, chosen, deadline):
    """None: there was no time left."""
    if deadline and time.monotonic() > deadline:
        return None
    binary = chosen.build / "tests/programs" / program.kind / f"{program.name}.{build}"
    if not binary.exists():
        missing = recording.Recording(None, 0, f"{binary} is not built", "")
        return judgement.Judgement(judgement.Cell.NO_REPORT, False, missing.output), missing
    verdict, done = record(program, build, binary, chosen)
    for _ in range(chosen.tries - 1):
        if verdict.cell != judgement.Cell.NOTHING or verdict.good:
            break
        print(f"again: nothing was found in {program.name}.{build} within {done.seconds:.0f} s, load average {os.getloadavg()[0]:.1f}",
              flush=True)
        verdict, done = record(program, build, binary, chosen)
    return verdict, done


def record(program, build, binary, chosen):
    seconds = chosen.racy_seconds if program.racy else chosen.free_seconds
    done = recording.run(binary, chosen.build / "bin/raceguardctl", seconds, program.racy, chosen.record_option)
    verdict = judgement.judge(program, build, done.report)
    if done.program_failed:
        verdict = judgement.Judgement(judgement.Cell.NO_REPORT, False, done.program_failed)
    return verdict, done


def skip_reason(chosen):
    if os.geteuid() != 0:
        return "watching other processes needs root"
    if not (chosen.build / "bin/raceguardctl").exists():
        return f"no {chosen.build}/bin/raceguardctl"
    return ""


def show_misses(misses):
    for name, verdict, done in misses:
        print(f"\nMISS {name}: {verdict.why}")
        for line in judgement.explain(done.report) if done.report else done.output.splitlines()[-40:]:
            print(f"    | {line[:400]}")


def main():
    chosen = arguments()
    if skip_reason(chosen):
        print(f"skipped: {skip_reason(chosen)}")
        return 77
    runs = chosen_runs(oracle.load(), chosen)
    if chosen.long:
        chosen.free_seconds = max(1, LONG_SECONDS / max(1, sum(not program.racy for program, _ in runs)))
    deadline = time.monotonic() + chosen.within if chosen.within else None
    results, misses, not_run, details = [], [], [], []
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        jobs = [pool.submit(examine, program, build, chosen, deadline) for program, build in runs]
        for (program, build), job in zip(runs, jobs):
            name = f"{program.name}.{build}"
            if job.result() is None:
                not_run.append(name)
                continue
            verdict, done = job.result()
            results.append((program, verdict))
            print(f"{'ok  ' if verdict.good else 'MISS'} {program.kind} {name:38} {done.seconds:6.1f} s  {verdict.cell.value}", flush=True)
            if not verdict.good:
                misses.append((name, verdict, done))
            if chosen.keep:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                (chosen.keep / f"{name}.txt").write_text(done.output)
            details.append({"program": program.name, "build": build, "oracle": program.kind, "cell": verdict.cell.value,
                            "good": verdict.good, "seconds": round(done.seconds, 2), "why": verdict.why})
    show_misses(misses)
    print(f"\n{judgement.matrix(results)}\n")
    for name in not_run:
        print(f"NOT RUN, no time left: {name}")
    free_seconds = sum(entry["seconds"] for entry in details if entry["oracle"] == "free")
    print(f"{len(results)} of {len(runs)} runs, {len(misses)} misses; free programs were recorded for {free_seconds:.0f} s together")
    if chosen.json:
        chosen.json.write_text(json.dumps({"runs": details, "not_run": not_run}, indent=1) + "\n")
    return 1 if misses or not results else 0


if __name__ == "__main__":
    sys.exit(main())
