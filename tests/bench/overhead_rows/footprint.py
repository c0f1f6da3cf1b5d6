# SPDX-License-Identifier: Apache-2.0
"""What the daemon itself takes, with MariaDB as its target: memory, CPU while nothing happens, time until it is attached."""
import pathlib
import socket
import time

from harness import Daemon, Program, await_that
from mariadb import CLIENTS, MariaDb, mariadb_policy
from overhead_rows.figures import Section, at_most, duration, median, spread

COMMAND = "tests/bench/overhead --only footprint"
GOAL_MEMORY_MIB = 40
GOAL_IDLE_PERCENT = 0.5
GOAL_START_NS = 1_000_000_000


class Readiness:
    """The other end of sd_notify: READY=1 comes when every probe is attached."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(60)

    def await_ready(self):
        while "READY=1" not in self.socket.recv(4096).decode():
            pass
        return time.monotonic_ns()

    def close(self):
        self.socket.close()
        self.path.unlink()


def start_guard(scratch, server, name, keep):
    """The daemon, attached, and the nanoseconds from its exec to its READY=1."""
    readiness = Readiness(scratch / f"{name}.notify")
    begin_ns = time.monotonic_ns()
    daemon = keep(Daemon(scratch, mariadb_policy(server.pid), name=name,
                         prefix=["env", f"NOTIFY_SOCKET={readiness.path}"]))
    took_ns = readiness.await_ready() - begin_ns
    readiness.close()
    if daemon.targets()[server.pid]["functions_probed"] < 1:
        raise RuntimeError(f"ready, but dispatch_command is not probed:\n{daemon.text()}")
    return daemon, took_ns


def memory_mib(pid):
    """By the names of /proc/PID/status: VmHWM is the most it ever had."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)
            if name in ("VmRSS", "VmHWM", "RssAnon", "RssFile", "RssShmem")}


def map_memory_mib(pid):
    """What the BPF maps that it holds take in the kernel; no part of its resident memory."""
    total = 0
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = dict(line.split(":\t", 1) for line in info.read_text().splitlines() if ":\t" in line)
        if "map_type" in fields:
            total += int(fields["memlock"])
    return total / 2**20


def cpu_ns(pid):
    """Of all its threads, user and system, to the nanosecond: /proc/PID/stat counts in ticks of 10 ms."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def cpu_percent(pid, seconds):
    begin_ns, begin_cpu_ns = time.monotonic_ns(), cpu_ns(pid)
    time.sleep(seconds)  # the window is the measurement
    return 100 * (cpu_ns(pid) - begin_cpu_ns) / (time.monotonic_ns() - begin_ns)


def measure_starts(section, scratch, server, settings, keep):
    starts = []
    for index in range(settings.rounds(10)):
        daemon, took_ns = start_guard(scratch, server, f"start-{index}", keep)
        starts.append(took_ns)
        daemon.end()
    section.row("start to attached", duration(max(starts)), max(starts), goal=f"<= {duration(GOAL_START_NS)}",
                met=at_most(max(starts), GOAL_START_NS),
                samples=f"the longest of {len(starts)} starts; median {duration(median(starts))}, "
                        f"shortest {duration(min(starts))}")
    section.details["start_ns"] = starts


def measure_idle(section, daemon, settings):
    windows = [cpu_percent(daemon.pid, settings.seconds(10)) for _ in range(settings.rounds(6))]
    percent = median(windows)
    section.row("CPU while the server is idle", f"{percent:.2f} % of a core", percent, goal=f"<= {GOAL_IDLE_PERCENT} %",
                met=at_most(percent, GOAL_IDLE_PERCENT),
                samples=f"median of {len(windows)} windows of {settings.seconds(10):g} s, {spread(windows)}")
    section.details["idle_percent"] = windows


def measure_loaded(section, scratch, server, daemon, settings, keep):
    seconds = settings.seconds(30)
    before = server.counters()["Questions"]
    load = keep(Program("sysbench", server.load(max(1, round(seconds)) + 2), scratch))
    percent = cpu_percent(daemon.pid, seconds)
    load.wait(seconds + 60)
    questions = server.counters()["Questions"] - before
    memory = memory_mib(daemon.pid)
    section.row("resident memory, the most it ever had", f"{memory['VmHWM']:.1f} MiB", memory["VmHWM"],
                goal=f"<= {GOAL_MEMORY_MIB} MiB", met=at_most(memory["VmHWM"], GOAL_MEMORY_MIB),
                samples=f"after {seconds:g} s of {CLIENTS} clients and {questions} questions: {memory['VmRSS']:.1f} MiB, of it "
                        f"{memory['RssAnon']:.1f} own, {memory['RssFile']:.1f} of files, {memory['RssShmem']:.1f} shared")
    section.row("BPF maps, in the kernel beside that", f"{map_memory_mib(daemon.pid):.1f} MiB", samples="/proc/PID/fdinfo")
    section.row("CPU while the server is loaded", f"{percent:.1f} % of a core", percent, samples=f"one window of {seconds:g} s")
    section.details["memory_mib"] = memory


def measure(scratch, settings):
    section = Section("footprint", "The daemon, guarding MariaDB", COMMAND)
    with settings.programs() as keep:
        server = keep(MariaDb(scratch))
        server.prepare()
        measure_starts(section, scratch, server, settings, keep)
        daemon, _ = start_guard(scratch, server, "guard", keep)
        await_that("the first tick", lambda: daemon.status()["loop"]["ticks"] > 0, 10, daemon.text)
        measure_idle(section, daemon, settings)
        measure_loaded(section, scratch, server, daemon, settings, keep)
        daemon.end()
    return section
