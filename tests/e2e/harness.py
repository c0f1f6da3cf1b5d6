# SPDX-License-Identifier: Apache-2.0
"""Starts raceguardd and targets in a scratch folder, asks, awaits conditions, ends everything by its pid.

A test is a unittest.TestCase that derives from EndToEnd. Nothing here sleeps for a fixed time: await_that() polls a
condition until a deadline, and fails with the condition's last value and the daemon's log."""
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ.get("RG_BINARY_DIR", pathlib.Path(__file__).resolve().parents[2] / "build"))
SOURCE = pathlib.Path(os.environ.get("RG_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BIN = BUILD / "bin"
# Deadlines are for machines that are slow: under emulation everything takes some 14 times as long.
SLOWNESS = float(os.environ.get("RG_SLOWNESS", "1"))


def await_that(what, condition, seconds=10, log=None):
    """Polls until `condition` returns something true, and returns that."""
    deadline = time.monotonic() + seconds * SLOWNESS
    last = None
    while True:
        try:
            last = condition()
        except (CommandFailed, KeyError, IndexError, ProcessLookupError, FileNotFoundError) as error:
            last = error
        else:
            if last:
                return last
        if time.monotonic() > deadline:
            tail = f"\n---- the daemon's log\n{log()}" if log else ""
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {last!r}{tail}")
        time.sleep(0.02)


class CommandFailed(Exception):
    pass


def marked_lines(name):
    """The lines of a racy program of tests/programs that its source marks as those of the race."""
    source = next((SOURCE / "tests/programs/racy").glob(f"{name}.*"))
    return {number for number, line in enumerate(source.read_text().splitlines(), 1) if re.search(r"race:\d", line)}


class Program:
    """A child process whose output goes to a file."""

    def __init__(self, name, command, directory, environment=None):
        self.output = directory / f"{name}.log"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, cwd=directory)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(60)

    def text(self):
        return self.output.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=10):
        return self.process.wait(timeout=seconds * SLOWNESS)

    def end(self, seconds=10):
        """SIGTERM, and SIGKILL if that did not help; the exit status."""
        if self.alive():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"pid {self.pid} did not end within {seconds} s of SIGTERM:\n{self.text()}")


class Daemon(Program):
    """raceguardd with an own run directory. `settings` go to the daemon: section, `policy` is a policy file's text."""

    def __init__(self, directory, policy, settings=None, name="raceguardd", options=(), prefix=(), environment=None):
        self.directory = directory / name
        self.directory.mkdir(exist_ok=True)
        self.run_directory = self.directory / "run"
        self.evidence = self.directory / "evidence.jsonl"
        self.policy_file = self.directory / "policy.yaml"
        self.policy_file.write_text(policy)
        lines = {"run_directory": self.run_directory, "evidence_file": self.evidence, "listen_port": 0,
                 **(settings or {})}
        self.evidence = pathlib.Path(lines["evidence_file"])
        settings_file = self.directory / "daemon.yaml"
        settings_file.write_text("apiVersion: raceguard/v1\ndaemon:\n" +
                                 "".join(f"  {key}: {value}\n" for key, value in lines.items()))
        super().__init__(name, [*prefix, BIN / "raceguardd", "--config", settings_file, "--config", self.policy_file,
                                *options], directory, environment)

    def ctl(self, *arguments):
        """Runs raceguardctl; returns its JSON answer."""
        command = [str(BIN / "raceguardctl"), "--run-directory", str(self.run_directory), *map(str, arguments),
                   "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30 * SLOWNESS)
        if done.returncode != 0:
            raise CommandFailed(f"{' '.join(command)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def status(self):
        return self.ctl("status")

    def ready(self):
        return self.status()["ready"]

    def targets(self):
        return {target["pid"]: target for target in self.ctl("targets")["targets"]}

    def function(self, name):
        """The figures of all symbols that go by a guard's name, added up."""
        found = [each for each in self.ctl("functions")["functions"] if each["name"] == name]
        return {key: sum(each[key] for each in found) for key in ("calls", "returns", "errors", "slow", "in_flight")} if found else None

    def lock(self, name):
        return next((each for each in self.ctl("locks")["locks"] if each["name"] == name and each["kind"] == "lock"), None)

    def switch(self, name):
        return next(each for each in self.ctl("switches")["switches"] if each["name"] == name)

    def force(self, name, state):
        self.ctl("force", name, state, "--reason", "test")

    def page(self):
        return Page(self.run_directory / "switches")


class Page:
    """The shared page, decoded from the layout of include/raceguard/abi/switch_page.h."""

    def __init__(self, path):
        data = path.read_bytes()
        (self.magic, self.version, count, size, self.heartbeat_ns, self.period_ns) = struct.unpack_from("<IIIIQQ", data)
        self.states = {}
        for index in range(count):
            offset = 64 + index * size
            _, state, permyriad, _, _, name, _ = struct.unpack_from("<IIIIQ64s96s", data, offset)
            text = name.split(b"\0")[0].decode()
            if not text:
                break
            self.states[text] = ("closed", "open", "half_open")[state]

    def stale(self):
        return time.monotonic_ns() - self.heartbeat_ns > 3 * self.period_ns


class Checkout(Program):
    """examples/checkout, from a copy of its own: probes and words are those of a file."""

    def __init__(self, directory, page=None, binary="checkout", name="checkout", existing=None):
        self.path = existing or directory / name
        if not existing:
            copy_program(BIN / binary, self.path)
        super().__init__(f"{name}-server", [self.path], directory, {"RACEGUARD_PAGE": str(page)} if page else None)
        self.address = await_that("checkout listens", self.listening)

    def listening(self):
        return self.text().partition("listening on ")[2].partition("\n")[0]

    def request(self, line):
        done = subprocess.run([str(BIN / "checkout-load"), "--connect", self.address, "--send", line],
                              capture_output=True, text=True, timeout=30 * SLOWNESS)
        if done.returncode != 0:
            raise CommandFailed(f"{line}: {done.stdout}{done.stderr}")
        return dict(part.split("=") for part in done.stdout.split()[1:])

    def degraded(self):
        return self.request("buy 1 1")["degraded"] == "1"

    def word(self):
        """The kernel-held word, read from the process's memory."""
        return struct.unpack("<H", read_variable(self.pid, self.path, "raceguard_word_recommendations", 2))[0]


def copy_program(source, destination):
    """Synced, because a uprobe on a file that is not yet on the disk makes ext4 warn."""
    shutil.copy(source, destination)
    with open(destination, "rb") as copy:
        os.fsync(copy.fileno())


def read_variable(pid, path, symbol, size):
    listing = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout
    address = next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {symbol}"))
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    base = min(int(line.split("-")[0], 16) for line in maps if str(path) in line)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(base + address)
        return memory.read(size)


def checkout_policy(path, mode="enforce"):
    """config/policies/checkout.yaml, narrowed to one copy of the program. Counts are to be exact at any load."""
    text = (SOURCE / "config/policies/checkout.yaml").read_text()
    lines = [line.partition("exe:")[0] + f'exe: "{path}"' if line.strip().startswith("exe:") else line
             for line in text.splitlines()]
    text = "\n".join(lines).replace("mode: enforce", f"mode: {mode}")
    return text.replace("\n    functions:", "\n    budget: 100%\n    functions:", 1) + "\n"


def lifecycle_policy(path):
    return f"""apiVersion: raceguard/v1
policies:
  - name: lifecycle
    target:
      exe: "{path}"
    budget: 100%  # it does nothing but call the function
    functions:
      - name: work
        symbol: guarded_work
        may_throw: false
        slow: 1s
"""


class EndToEnd(unittest.TestCase):
    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "these tests load BPF programs: run them as root")
        for program in ("raceguardd", "raceguardctl", "checkout", "checkout-load", "lifecycle"):
            self.assertTrue((BIN / program).exists(), f"{BIN / program} is not built")
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="raceguard-e2e."))
        self.addCleanup(shutil.rmtree, self.scratch)

    def keep(self, program):
        """Ends a program after the test, whatever happens."""
        self.addCleanup(self.kill, program)
        return program

    @staticmethod
    def kill(program):
        if program.alive():
            program.process.kill()
        program.process.wait()

    def start_checkout(self, **arguments):
        return self.keep(Checkout(self.scratch, page=self.scratch / "raceguardd/run/switches", **arguments))

    def start_daemon(self, policy, **arguments):
        daemon = self.keep(Daemon(self.scratch, policy, **arguments))
        self.await_that("raceguardd is ready", lambda: self.alive(daemon).ready(), 20, daemon)
        return daemon

    def start_load(self, checkout, rate=160, seconds=120):
        return self.keep(Program("load", [BIN / "checkout-load", "--connect", checkout.address, "--rate", rate,
                                          "--seconds", seconds, "--format", "json"], self.scratch))

    def start_lifecycle(self, *arguments, path=None):
        path = path or self.lifecycle_path()
        return self.keep(Program(f"lifecycle-{arguments[0]}", [path, *arguments], self.scratch))

    def lifecycle_path(self):
        path = self.scratch / "lifecycle"
        if not path.exists():
            copy_program(BIN / "lifecycle", path)
        return path

    def alive(self, daemon):
        self.assertTrue(daemon.alive(), f"raceguardd ended with status {daemon.process.poll()}:\n{daemon.text()}")
        return daemon

    def guarded_checkout(self, **arguments):
        """The server and its guard, with the function probed and the switch's word found."""
        checkout = self.start_checkout()
        daemon = self.start_daemon(checkout_policy(checkout.path), **arguments)
        self.await_probed(daemon, checkout)
        return checkout, daemon

    def await_probed(self, daemon, checkout):
        self.await_that("the server is a target and probed",
                        lambda: daemon.targets()[checkout.pid]["functions_probed"] >= 1, 10, daemon)
        self.await_that("the switch's word is found", lambda: daemon.switch("recommendations")["words"] >= 1, 10, daemon)

    def await_that(self, what, condition, seconds=10, daemon=None):
        return await_that(what, condition, seconds, daemon.text if daemon else None)
