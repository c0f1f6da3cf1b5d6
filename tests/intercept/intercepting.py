# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/intercept, and raceguardctl intercept on them."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

BUILD = pathlib.Path(os.environ.get("RG_BINARY_DIR", pathlib.Path(__file__).resolve().parents[2] / "build"))
SOURCE = pathlib.Path(os.environ.get("RG_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BIN = BUILD / "bin"
PROGRAMS = BUILD / "tests/intercept"
SLOWNESS = float(os.environ.get("RG_SLOWNESS", "1"))
ANSWER = re.compile(r"wrong (-?\d+) of (\d+) in ([\d.]+)")


class Crashed(Exception):
    pass


class Worker:
    """A program that does a piece of work for each line it is given. It runs from a copy of its own: probes are those of
    a file, and tests run beside each other. Synced, because a uprobe on a file not yet on the disk makes ext4 warn."""

    def __init__(self, name, patience=60):
        self.patience = patience
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / name
        shutil.copy(PROGRAMS / name, self.path)
        with open(self.path, "rb") as copy:
            os.fsync(copy.fileno())
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def ask(self, line):
        """The program's answer; Crashed with the signal if it has none. A broken one may not end: it is killed."""
        watchdog = threading.Timer(self.patience * SLOWNESS, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        watchdog.cancel()
        if not answer:
            raise Crashed(signal.Signals(-self.process.wait()).name)
        return answer.strip()

    def wrong(self, threads, rounds):
        """How often it went wrong, and in how many seconds."""
        wrong, _, seconds = ANSWER.match(self.ask(f"{threads} {rounds}")).groups()
        return int(wrong), float(seconds)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.folder.cleanup()


class Interception:
    """raceguardctl intercept, from the moment on that it intercepts."""

    def __init__(self, pid, functions, *options, length="60s"):
        self.process = subprocess.Popen(
            [BIN / "raceguardctl", "intercept", "-p", str(pid), "-f", functions, "--for", length, "-o", "json",
             *([] if "--budget" in options else ["--budget", "100%"]), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.begin = self.process.stderr.readline()
        if not self.begin.startswith("intercepting "):
            rest = self.process.communicate()[1]
            raise AssertionError(f"status {self.process.returncode}: {self.begin}{rest}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def end(self):
        """Ends it as its user does, and returns its report."""
        self.process.send_signal(signal.SIGINT)
        return self.report()

    def report(self):
        out, err = self.process.communicate(timeout=60 * SLOWNESS)
        assert self.process.returncode in (0, 1) and not err, err
        return json.loads(out)

    def kill(self):
        self.process.kill()
        self.process.wait()


def function(report, name):
    return next(each for each in report["functions"] if each["name"].startswith(name))


def offsets_of(path, function, accesses):
    """Of the instructions of a function that objdump shows with something that the pattern matches: NAME[+0x1c,+0x24]."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", path],
                          capture_output=True, text=True, check=True).stdout
    lines = [re.match(r"\s*([0-9a-f]+):\s+(.*)", line) for line in text.splitlines()]
    found = [(int(line[1], 16), line[2]) for line in lines if line]
    offsets = [f"+{address - found[0][0]:#x}" for address, instruction in found if re.search(accesses, instruction)]
    return f"{function}[{','.join(offsets)}]"


def await_that(what, condition, seconds=10):
    deadline = time.monotonic() + seconds * SLOWNESS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
