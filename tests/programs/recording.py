# SPDX-License-Identifier: Apache-2.0
"""Runs a program and raceguardctl on it."""
import contextlib
import dataclasses
import json
import pathlib
import subprocess
import time


@dataclasses.dataclass
class Recording:
    report: dict | None  # decoded
    seconds: float       # of record, with its start
    output: str          # of record, all of it
    program_failed: str  # how the program ended before its time; empty: it did not


@contextlib.contextmanager
def running(command, capture=False):
    """The program, with its threads started; ended by closing its standard input, as a user would. With `capture` its
    output can be read as text."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.PIPE if capture else None)
    try:
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        deadline = time.monotonic() + 1
        while process.poll() is None and len(list(tasks.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        yield process
    finally:
        process.stdin.close()
        if capture:
            process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def decoded(text):
    try:
        report = json.loads(text)
    except ValueError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("findings"), list) else None


def command_line(ctl, pid, seconds, until_proven, more=()):
    return [str(ctl), "record", "-p", str(pid), "-d", f"{seconds:g}s", "-o", "json", *(["--until-proven"] if until_proven else []), *more]


REGISTERS_TAKEN = "RG-A104"  # the address registers are the machine's: another recorder, or a debugger, may have them all
PATIENCE_SECONDS = 120


def timed_record(ctl, pid, seconds, until_proven, more=()):
    """One recording of a running process, once address registers are free."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        done = record_once(ctl, pid, seconds, until_proven, more)
        if done.report is not None or REGISTERS_TAKEN not in done.output or time.monotonic() > patience:
            return done
        time.sleep(0.2)


def record_once(ctl, pid, seconds, until_proven, more):
    command = command_line(ctl, pid, seconds, until_proven, more)
    start = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    except subprocess.TimeoutExpired as late:
        def text(output):
            return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
        done = subprocess.CompletedProcess(command, -1, text(late.stdout), text(late.stderr) + "record did not end in time")
    took = time.monotonic() - start
    output = f"{' '.join(command)}\nexit status {done.returncode}\n{done.stderr}\n{done.stdout}"
    return Recording(decoded(done.stdout), took, output, "")


@contextlib.contextmanager
def recording_meanwhile(ctl, pid, seconds):
    """record runs while the block does; what it says is not looked at, but it must have worked."""
    process = subprocess.Popen(command_line(ctl, pid, seconds, False), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        try:
            text, complaint = process.communicate(timeout=seconds + 60)
        finally:
            process.kill()
    if decoded(text) is None:
        raise RuntimeError(f"raceguardctl record gave no report: {complaint}")


def run(binary, ctl, seconds, until_proven, more=()):
    """Starts the program, records it, ends it. `seconds` is the longest time of the recording."""
    with running([binary, f"{seconds + PATIENCE_SECONDS + 60:.0f}"]) as process:
        done = timed_record(ctl, process.pid, seconds, until_proven, more)
        failed = f"the program ended with status {process.returncode}" if process.poll() is not None else ""
    return dataclasses.replace(done, program_failed=failed)
