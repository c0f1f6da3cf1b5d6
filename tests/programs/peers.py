# SPDX-License-Identifier: Apache-2.0
"""Runs a program under ThreadSanitizer, Helgrind or DRD, and reads what they report."""
import dataclasses
import os
import re
import shutil
import subprocess

TOOLS = ("ThreadSanitizer", "Helgrind", "DRD")
VALGRIND = ("valgrind", "--fair-sched=try", "--error-limit=no")
COMMANDS = {
    "native": (),
    # without randomised addresses: older runtimes of the sanitizer know some memory layouts only
    "ThreadSanitizer": ("setarch", "-R"),
    "Helgrind": VALGRIND + ("--tool=helgrind", "--history-level=full"),
    "DRD": VALGRIND + ("--tool=drd", "--first-race-only=no"),
}
REPORT = {
    "ThreadSanitizer": re.compile(r"^WARNING: ThreadSanitizer: data race", re.M),
    "Helgrind": re.compile(r"Possible data race during"),
    "DRD": re.compile(r"Conflicting (load|store) by thread"),
}


@dataclasses.dataclass
class Run:
    tool: str
    reports: int        # of data races
    work_seconds: float | None  # CPU time of the rounds, as the program itself measured it; None: no rounds, or not done
    text: str
    status: int


def missing():
    """What is not installed, by the command that would be run."""
    return [name for name in ("valgrind", "setarch", "g++") if shutil.which(name) is None]


def build_with_sanitizer(program, include, output):
    """The path of the built program; None for Rust, whose stable compiler has no sanitizer."""
    if program.language == "Rust":
        return None
    compiler = ["gcc", "-std=gnu11"] if program.language == "C" else ["g++", "-std=c++20"]
    subprocess.run([*compiler, "-O1", "-g", "-fsanitize=thread", "-D_GNU_SOURCE", f"-I{include}", "-pthread",
                    "-Wno-tsan", str(program.source), "-o", str(output)], check=True)
    return output


def run(tool, binary, seconds, rounds=None):
    """The program under the tool until its time is over, or until a thread has made its rounds without waiting."""
    environment = dict(os.environ, TSAN_OPTIONS="exitcode=0")
    if rounds is not None:
        environment["RG_ROUNDS"] = str(rounds)
    with subprocess.Popen([*COMMANDS[tool], str(binary), str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            text = process.stderr.read()
            status = process.wait()
        finally:
            process.kill()
    reports = len(REPORT[tool].findall(text)) if tool in REPORT else 0
    work = re.search(r"^rounds took (\d+) ns of CPU time$", text, re.M)
    return Run(tool, reports, int(work.group(1)) / 1e9 if work else None, text, status)


def sanitizer_pairs(program, text):
    """The pairs of lines of the program that ThreadSanitizer reported; None for a stack that does not come through it."""
    pairs = []
    for report in re.split(r"^={10,}$", text, flags=re.M):
        if not REPORT["ThreadSanitizer"].search(report):
            continue
        lines = []
        for access in re.findall(r"^  (?:Previous )?(?:atomic )?(?:[Rr]ead|[Ww]rite) of size.*\n((?:    #.*\n)*)", report, re.M | re.I):
            at = re.search(rf"/{re.escape(program.source.name)}:(\d+)", access)
            lines.append(int(at.group(1)) if at else None)
        pairs.append(tuple(lines))
    return pairs
