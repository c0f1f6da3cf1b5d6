# SPDX-License-Identifier: Apache-2.0
"""Tools that a program must be started under, or built for."""
import pathlib
import subprocess
import sys

from harness import SOURCE

sys.path.insert(0, str(SOURCE / "tests/programs"))
from peers import COMMANDS, REPORT  # noqa: E402

TOOLS = ("Helgrind", "DRD", "ThreadSanitizer")
# MariaDB takes minutes to start under valgrind; the servers would have to be built anew for ThreadSanitizer.
CAN = {"Helgrind": ("uncontended", "convoy", "memcached", "Redis", "nginx"),
       "DRD": ("uncontended", "convoy", "memcached", "Redis", "nginx"),
       "ThreadSanitizer": ("uncontended", "convoy")}


def sanitized_lock_work(scratch):
    binary = scratch / "lock_work_tsan"
    if not binary.exists():
        subprocess.run(["g++", "-std=c++20", "-O2", "-g", "-fsanitize=thread", f"-I{SOURCE}", "-pthread",
                        str(SOURCE / "tests/bench/programs/lock_work.cpp"), "-o", str(binary)], check=True)
    return binary


def start(tool, workload, scratch):
    """The workload's context, under the tool."""
    prefix = COMMANDS[tool]
    if tool == "ThreadSanitizer":
        return workload(scratch, prefix, sanitized_lock_work(scratch))
    return workload(scratch, prefix)


def found(tool, text):
    count = len(REPORT[tool].findall(text))
    return f"{count} report{'' if count == 1 else 's'} of data races"


def resident_mib(pid):
    line = next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
