# SPDX-License-Identifier: Apache-2.0
"""Tools that are put on a running process: ATTACHED[name](workload name, pid, scratch) is a context with `pids` of the
tool, and found(), which is asked once after the context's end."""
import contextlib
import pathlib
import re
import signal
import subprocess

from harness import Daemon, Program, await_that

# What a user of each server would guard: the function that serves one request, where the binary names it.
FUNCTIONS = {"MariaDB": "dispatch_command*", "Redis": "processCommand", "nginx": "ngx_http_process_request"}


def resident_kib(pid):
    line = next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


class Tool:
    def __init__(self, program, found):
        self.pids = [program.pid]
        self.found = found

    def resident_mib(self):
        return sum(resident_kib(pid) for pid in self.pids) / 1024


def policy(name, pid, everything):
    text = f"""apiVersion: raceguard/v1
policies:
  - name: bench
    target:
      pid: {pid}
    contention:
      enabled: true
"""
    if everything:
        text += "    watch:\n      auto: true\n"
        if name in FUNCTIONS:
            text += f'    functions:\n      - name: request\n        symbol: "{FUNCTIONS[name]}"\n        binary: exe\n'
    return text


def plural(count, word):
    return f"{count} {word}" + ("" if count == 1 else "s")


def raceguard_found(daemon, everything):
    locks = [lock for lock in daemon.ctl("locks")["locks"] if lock["kind"] == "lock"]
    told = plural(len(locks), "contended lock")
    if locks:
        worst = max(locks, key=lambda lock: lock["wait_seconds"]["total"])
        told += f", worst `{worst['name']}`"
    if everything:
        verdicts = [each["verdict"] for each in daemon.ctl("findings")["findings"] if each["kind"] == "data_race"]
        told += "; " + plural(sum(each in ("proven", "likely") for each in verdicts), "data race")
        if "info" in verdicts:
            told += f" ({verdicts.count('info')} told as info, which is no finding)"
    return told


@contextlib.contextmanager
def raceguard(everything, name, pid, scratch):
    with Daemon(scratch, policy(name, pid, everything)) as daemon:
        await_that("raceguardd is ready", daemon.ready, 20, daemon.text)
        told = []
        tool = Tool(daemon, lambda: told[0])
        yield tool
        told.append(raceguard_found(daemon, everything))


@contextlib.contextmanager
def guarded_lock_function(_name, pid, scratch):
    """Nothing but each call of pthread_mutex_lock, at any price."""
    text = f"""apiVersion: raceguard/v1
policies:
  - name: bench
    target:
      pid: {pid}
    contention:
      enabled: false
    budget: 100%
    functions:
      - name: lock
        symbol: pthread_mutex_lock
        binary: "*/libc.so.6"
"""
    with Daemon(scratch, text) as daemon:
        await_that("the function is probed", lambda: daemon.function("lock") and daemon.function("lock")["calls"], 20, daemon.text)
        told = []
        yield Tool(daemon, lambda: told[0])
        told.append(f"{daemon.function('lock')['calls']} calls")


# Who waits for a lock, and for how long; who holds it, and for how long: at the functions' entries and returns.
PMLOCK = """uprobe:LIBC:pthread_mutex_lock { @start[tid] = nsecs; @lock[tid] = arg0; }
uretprobe:LIBC:pthread_mutex_lock /@start[tid]/ { @wait_ns[@lock[tid], ustack(5)] = hist(nsecs - @start[tid]);
  delete(@start[tid]); delete(@lock[tid]); }"""
PMHELD = """uprobe:LIBC:pthread_mutex_lock { @lock[tid] = arg0; }
uretprobe:LIBC:pthread_mutex_lock /@lock[tid]/ { @taken[tid, @lock[tid]] = nsecs; @stack[tid, @lock[tid]] = ustack(5); delete(@lock[tid]); }
uprobe:LIBC:pthread_mutex_unlock /@taken[tid, arg0]/ { @held_ns[arg0, @stack[tid, arg0]] = hist(nsecs - @taken[tid, arg0]);
  delete(@taken[tid, arg0]); delete(@stack[tid, arg0]); }"""


def libc_of(pid):
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return next(line.split()[-1] for line in maps if line.endswith("/libc.so.6"))


PATIENCE_SECONDS = 20


@contextlib.contextmanager
def interrupted(program):
    """Ends it as a user does, by Ctrl-C, so that it prints what it gathered; by force if it is too busy to."""
    try:
        yield program
    finally:
        if program.alive():
            program.send(signal.SIGINT)
        try:
            program.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.wait()


@contextlib.contextmanager
def bpftrace(script, map_name, _name, pid, scratch):
    text = script.replace("LIBC", libc_of(pid)) + ' interval:ms:100 /!@told/ { printf("attached\\n"); @told = 1; }'
    program = Program("bpftrace", ["bpftrace", "-p", pid, "-e", text], scratch)
    with interrupted(program):
        await_that("bpftrace is attached", lambda: "\nattached" in program.text() or not program.alive(), 60, program.text)
        if not program.alive():
            raise RuntimeError(f"bpftrace ended: {program.text()}")
        yield Tool(program, lambda: bpftrace_found(program, map_name))


def bpftrace_found(program, map_name):
    if program.process.returncode < 0:
        return f"nothing within {PATIENCE_SECONDS} s of Ctrl-C"
    locks = set(re.findall(rf"^@{map_name}\[(\d+)", program.text(), re.M))
    return plural(len(locks), "lock") + " by address, taken or waited for"


@contextlib.contextmanager
def perf_trace(_name, pid, scratch):
    program = Program("perf", ["perf", "trace", "-s", "-e", "futex", "-p", pid], scratch)

    def found():
        calls = sum(int(each) for each in re.findall(r"^\s+futex\s+(\d+)", program.text(), re.M))
        return f"{calls} futex calls, by thread"
    with interrupted(program):
        await_that("perf trace is attached", lambda: any(
            "perf_event" in entry for entry in descriptors(program.pid)) or not program.alive(), 20, program.text)
        if not program.alive():
            raise RuntimeError(f"perf trace ended: {program.text()}")
        yield Tool(program, found)


def descriptors(pid):
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            yield str(entry.readlink())


# The same job by both: each call of a function counted, with a histogram of its duration.
CALLS = """uprobe:LIBC:pthread_mutex_lock { @start[tid] = nsecs; }
uretprobe:LIBC:pthread_mutex_lock /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }"""
ONE_FUNCTION = {
    "raceguard": guarded_lock_function,
    "bpftrace": lambda *rest: bpftrace(CALLS, "ns", *rest)}

ATTACHED = {
    "raceguard, contention": lambda *rest: raceguard(False, *rest),
    "raceguard, everything": lambda *rest: raceguard(True, *rest),
    "bpftrace pmlock": lambda *rest: bpftrace(PMLOCK, "wait_ns", *rest),
    "bpftrace pmheld": lambda *rest: bpftrace(PMHELD, "held_ns", *rest),
    "perf trace -s -e futex": perf_trace}
